//! Exports beside what ONNX Runtime made of them. A folder of fixtures has `cases.txt` with a line for each run: the file,
//! `name:shape` of each input, `->`, and of each output `name:shape`, or `name:shape/N` if only every Nth value was kept.
//! `NAME.bin` has the values of a file's runs, in that order, as little-endian f32.

use microtome_compiler::{Model, Tensor};

/// A tensor's name and sides, from `name:2x3`; `-` stands for none.
fn port(text: &str) -> (&str, Vec<usize>) {
    let (name, sides) = text.rsplit_once(':').expect("name:shape");
    let sides = if sides == "-" { Vec::new() } else { sides.split('x').map(|side| side.parse().unwrap()).collect() };
    (name, sides)
}

/// The values that generate.py gives an input.
pub fn values(name: &str, shape: Vec<usize>) -> Tensor {
    let wave = |index: usize| 1.5 * (0.7 * index as f64 + 0.3).sin() * (0.013 * index as f64).cos();
    let value = |index: usize| if name.starts_with("int") { (index * 7 % 9 + 1) as f32 } else { wave(index) as f32 };
    let count = shape.iter().product();
    Tensor::new(shape, (0..count).map(value).collect()).unwrap()
}

/// The largest difference from what was expected, as part of its range; infinite for what is no number.
fn error<'a>(found: impl Iterator<Item = &'a f32>, expected: &[f32]) -> f32 {
    let [low, high] = expected.iter().fold([f32::MAX, f32::MIN], |[l, h], v| [l.min(*v), h.max(*v)]);
    let range = if high > low { high - low } else { high.abs().max(1e-6) };
    let off = |(a, b): (&f32, &f32)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() };
    found.zip(expected).map(off).fold(0f32, f32::max) / range
}

/// Runs one line, takes its values from the front of `recorded`, and returns the largest error of each output.
fn run(line: &str, model: &Model, recorded: &mut Vec<f32>) -> Vec<f32> {
    let (given, made) = line.split_once(" -> ").expect("inputs -> outputs");
    let given: Vec<_> = given.split_whitespace().skip(1).map(port).collect();
    let input = |name: &str| given.iter().find(|(given, _)| *given == name).unwrap();
    let inputs = model.inputs().iter().map(|port| input(&port.name)).map(|(name, shape)| values(name, shape.clone()));
    let found = model.run_float(&inputs.collect::<Vec<_>>()).unwrap_or_else(|error| panic!("{line}: {error}"));
    let made: Vec<_> = made.split_whitespace().collect();
    assert_eq!(found.len(), made.len(), "{line}");
    let outputs = made.iter().zip(model.outputs()).zip(&found);
    outputs
        .map(|((word, output), tensor)| {
            let (whole, every) = word.split_once('/').unwrap_or((word, "1"));
            let (name, shape) = port(whole);
            assert_eq!((name, &shape), (output.name.as_str(), &tensor.shape), "{line}");
            let kept = tensor.data.iter().step_by(every.parse().unwrap());
            error(kept.clone(), &recorded.drain(..kept.len()).collect::<Vec<_>>())
        })
        .collect()
}

/// Holds the runs of the files that are `chosen` in a folder of fixtures to what ONNX Runtime made of them, with a
/// difference of at most this part of an output's range, and returns how many runs there were. Files are read with `load`.
pub fn hold(folder: &str, most: f32, chosen: impl Fn(&str) -> bool, load: impl Fn(&str) -> Model) -> usize {
    let read = |name: &str| std::fs::read(super::path(&format!("{folder}/{name}"))).unwrap();
    let cases = String::from_utf8(read("cases.txt")).unwrap();
    let name = |line: &str| line.split_whitespace().next().unwrap().to_owned();
    let lines: Vec<&str> = cases.lines().filter(|line| chosen(&name(line))).collect();
    let mut wrong = Vec::new();
    for lines in lines.chunk_by(|a, b| name(a) == name(b)) {
        let name = name(lines[0]);
        let bytes = read(&format!("{name}.bin"));
        let mut recorded = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
        let model = load(&format!("{folder}/{name}"));
        for line in lines {
            let errors = run(line, &model, &mut recorded);
            let said: Vec<String> = errors.iter().map(|error| format!("{error:.1e}")).collect();
            println!("{line}: off by {} of the range", said.join(", "));
            if errors.iter().any(|error| *error > most) {
                wrong.push(format!("{line}: off by {}", said.join(", ")));
            }
        }
        assert!(recorded.is_empty(), "{name}: values were recorded that no case reads");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    lines.len()
}
