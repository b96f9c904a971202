//! Fixtures made with scikit-image. `tests/fixtures/measure/generate.py` describes the format.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use microtome_core::measure::Task;

use crate::naive::{Figures, compare_figures, measure};
use crate::stream::{Image, intensities, stream};

/// One task's part of a fixture.
struct Case {
    task: Task,
    labels: u64,
    objects: Vec<Figures>,
}

struct Fixture {
    mask: Image<u8>,
    cases: Vec<Case>,
}

fn parse<T: FromStr>(word: &str) -> T {
    word.parse().unwrap_or_else(|_| panic!("fixture: found {word:?}, expected a number"))
}

impl Fixture {
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a readable fixture");
        let mut lines = text.lines().filter(|line| !line.starts_with("columns"));
        let size: Vec<usize> = lines.next().expect("a size").split(' ').skip(1).map(parse).collect();
        let [height, width] = size[..] else { panic!("fixture: a size has two sides") };
        let pixels: Vec<u8> =
            lines.by_ref().take(height).flat_map(str::bytes).map(|c| if c == b'.' { 0 } else { c - b'0' }).collect();
        assert_eq!(pixels.len(), height * width);
        let mut fixture = Self { mask: Image { height, width, pixels }, cases: Vec::new() };
        while let Some(line) = lines.next() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["task", ref task @ ..] => {
                    let labels = lines.next().and_then(|line| line.strip_prefix("labels ")).expect("a hash");
                    fixture.cases.push(Case {
                        task: read_task(task),
                        labels: u64::from_str_radix(labels, 16).expect("a hash"),
                        objects: Vec::new(),
                    });
                }
                _ => {
                    let case = fixture.cases.last_mut().expect("objects follow a task");
                    case.objects.push(read_object(&words, height, width));
                }
            }
        }
        fixture
    }
}

fn read_task(words: &[&str]) -> Task {
    match *words {
        ["components", min_area] => Task::Components { min_area: parse(min_area) },
        ["interior-border", object, border, grow_px, min_area] => Task::InteriorBorder {
            object: parse(object),
            border: parse(border),
            grow_px: parse(grow_px),
            min_area: parse(min_area),
        },
        _ => panic!("fixture: unknown task {words:?}"),
    }
}

fn read_object(words: &[&str], height: usize, width: usize) -> Figures {
    assert_eq!(words.len(), 18, "{words:?}");
    let bounds = [3, 4, 5, 6].map(|n| parse(words[n]));
    Figures {
        class: parse(words[0]),
        area: parse(words[1]),
        interior: parse(words[2]),
        bounds,
        touches_border: bounds[0] == 0 || bounds[1] == 0 || bounds[2] == height || bounds[3] == width,
        centroid: [parse(words[7]), parse(words[8])],
        perimeter: parse(words[9]),
        major: parse(words[10]),
        minor: parse(words[11]),
        orientation: parse(words[12]),
        eccentricity: parse(words[13]),
        diameter: parse(words[14]),
        min: parse(words[15]),
        mean: parse(words[16]),
        max: parse(words[17]),
    }
}

fn fnv1a(labels: &[u32]) -> u64 {
    let bytes = labels.iter().flat_map(|label| label.to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn fixtures_in(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "txt")).collect();
    paths.sort();
    paths
}

/// Checks every case of the fixtures in `folder`; returns how many cases and objects there were.
fn check(folder: &Path) -> (usize, usize) {
    let (mut cases, mut objects) = (0, 0);
    for path in fixtures_in(folder) {
        let fixture = Fixture::read(&path);
        let pixels = intensities(fixture.mask.height, fixture.mask.width);
        for case in &fixture.cases {
            let name = format!("{}, {:?}", path.display(), case.task);
            let found = stream(case.task, &fixture.mask, &pixels).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(found.objects.len(), case.objects.len(), "{name}: objects");
            assert_eq!(fnv1a(&found.labels), case.labels, "{name}: painted labels");
            compare_figures(&found.objects, &case.objects, 1e-9).unwrap_or_else(|e| panic!("{name}: {e}"));
            cases += 1;
            objects += case.objects.len();
        }
    }
    (cases, objects)
}

fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/measure")
}

#[test]
fn committed_fixtures_are_met() {
    let (cases, objects) = check(&committed());
    println!("{cases} cases, {objects} objects");
    assert!(cases >= 140 && objects >= 1500, "{cases} cases, {objects} objects: fixtures are missing");
}

/// The reference of the other tests agrees with scikit-image as well.
#[test]
fn the_naive_reference_meets_them_too() {
    for path in fixtures_in(&committed()) {
        let fixture = Fixture::read(&path);
        let pixels = intensities(fixture.mask.height, fixture.mask.width);
        for case in &fixture.cases {
            let (labels, figures) = measure(case.task, &fixture.mask, &pixels);
            assert_eq!(fnv1a(&labels), case.labels, "{}, {:?}", path.display(), case.task);
            let perimeters = figures.iter().zip(&case.objects).map(|(a, b)| (a.perimeter - b.perimeter).abs());
            assert!(perimeters.fold(0.0, f64::max) < 1e-9, "{}, {:?}", path.display(), case.task);
        }
    }
}

#[test]
fn fixtures_from_elsewhere_are_met() {
    let Some(folder) = std::env::var_os("MICROTOME_MEASURE_FIXTURES") else {
        println!("MICROTOME_MEASURE_FIXTURES is not set: nothing to check");
        return;
    };
    let (cases, objects) = check(Path::new(&folder));
    println!("{cases} cases, {objects} objects");
    assert!(cases > 0, "MICROTOME_MEASURE_FIXTURES: no fixtures in {}", folder.display());
}
