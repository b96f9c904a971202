//! Small exports by both PyTorch exporters, opsets 11 to 21: every run in float is what ONNX Runtime made of it. Written by
//! fixtures/exports/generate.py.

mod common;

use std::collections::HashMap;

use microtome_compiler::{Model, Tensor};

/// Largest difference, as part of the output's range.
const MOST: f32 = 1e-3;

/// A tensor's name and sides, from `name:2x3`; `-` stands for none.
fn port(text: &str) -> (&str, Vec<usize>) {
    let (name, sides) = text.rsplit_once(':').expect("name:shape");
    let sides = if sides == "-" { Vec::new() } else { sides.split('x').map(|side| side.parse().unwrap()).collect() };
    (name, sides)
}

/// The values that generate.py gives an input.
fn values(name: &str, shape: Vec<usize>) -> Tensor {
    let wave = |index: usize| 1.5 * (0.7 * index as f64 + 0.3).sin() * (0.013 * index as f64).cos();
    let value = |index: usize| if name.starts_with("int") { (index * 7 % 9 + 1) as f32 } else { wave(index) as f32 };
    let count = shape.iter().product();
    Tensor::new(shape, (0..count).map(value).collect()).unwrap()
}

#[test]
fn float_is_what_onnx_runtime_makes_of_it() {
    let read = |name: &str| std::fs::read(common::path(&format!("exports/{name}"))).unwrap();
    let cases = String::from_utf8(read("cases.txt")).unwrap();
    let mut files: HashMap<&str, (Model, Vec<f32>)> = HashMap::new();
    let (mut runs, mut wrong) = (0, Vec::new());
    for line in cases.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let arrow = words.iter().position(|word| *word == "->").unwrap();
        let name = words[0];
        let (model, recorded) = files.entry(name).or_insert_with(|| {
            let bytes = read(&format!("{name}.bin"));
            let values = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
            (common::load(&format!("exports/{name}")), values)
        });
        let given: Vec<_> = words[1..arrow].iter().map(|word| port(word)).collect();
        let inputs: Vec<Tensor> = model
            .inputs()
            .iter()
            .map(|input| {
                let (name, shape) = given.iter().find(|(name, _)| *name == input.name).unwrap();
                values(name, shape.clone())
            })
            .collect();
        let found = model.run_float(&inputs).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(found.len(), words.len() - arrow - 1, "{line}");
        for ((word, output), tensor) in words[arrow + 1..].iter().zip(model.outputs()).zip(&found) {
            let (expected, shape) = port(word);
            assert_eq!((expected, &shape), (output.name.as_str(), &tensor.shape), "{line}");
            let expected: Vec<f32> = recorded.drain(..tensor.data.len()).collect();
            let [low, high] = expected.iter().fold([f32::MAX, f32::MIN], |[l, h], v| [l.min(*v), h.max(*v)]);
            let range = if high > low { high - low } else { high.abs().max(1e-6) };
            let off = |(a, b): (&f32, &f32)| if (a - b).is_nan() { f32::INFINITY } else { (a - b).abs() };
            let error = tensor.data.iter().zip(&expected).map(off).fold(0f32, f32::max) / range;
            if error > MOST {
                wrong.push(format!("{name} {word}: off by {error:.1e} of the range"));
            }
        }
        runs += 1;
    }
    assert!(files.values().all(|(_, rest)| rest.is_empty()), "values were recorded that no case reads");
    println!("{runs} runs of {} files", files.len());
    assert!(runs >= 100 && wrong.is_empty(), "{runs} runs; {wrong:#?}");
}
