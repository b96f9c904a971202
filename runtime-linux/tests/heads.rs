//! Networks without a class mask, from a frame to tables, outlines and scores: as plans, in islands and in float.
//!
//! The networks are by hand, and find bright discs of radius 9: tests/fixtures/heads/generate.py.
#![cfg(feature = "onnx")]

mod common;

use std::path::Path;

use common::expect;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/heads");

/// Middles of discs, row and column; the first two are a pair that a gap of one pixel parts, as are the last two.
const DISCS: [[i32; 2]; 7] = [[20, 20], [20, 39], [22, 90], [60, 30], [70, 75], [90, 121], [77, 135]];
const SIDES: [i32; 2] = [105, 151];

/// A model of the fixtures in `dir`, with a description.
fn model(dir: &Path, name: &str, output: &str) {
    let fixture = Path::new(FIXTURES).join(name).with_extension("onnx");
    std::fs::copy(fixture, dir.join(name).with_extension("onnx")).unwrap();
    let input = "[input]\nhigh = 200.0\ngain = [1.0, 0.0]";
    let classes = "classes = [\"background\", \"disc\"]";
    std::fs::write(dir.join(name).with_extension("toml"), format!("{input}\n[output]\n{classes}\n{output}\n")).unwrap();
}

/// Frames of discs in `dir/images`, and what they are in `dir/labels`: the second is the first one mirrored.
fn frames(dir: &Path) {
    for folder in ["images", "labels"] {
        std::fs::create_dir(dir.join(folder)).unwrap();
    }
    for (name, mirror) in [("a", false), ("b", true)] {
        let disc = |x: u32, y: u32| {
            let place = [y as i32, if mirror { SIDES[1] - 1 - x as i32 } else { x as i32 }];
            let square = |disc: &[i32; 2]| (disc[0] - place[0]).pow(2) + (disc[1] - place[1]).pow(2);
            DISCS.iter().position(|disc| square(disc) <= 81)
        };
        let picture = |value: &dyn Fn(Option<usize>) -> u8| {
            image::GrayImage::from_fn(SIDES[1] as u32, SIDES[0] as u32, |x, y| image::Luma([value(disc(x, y))]))
        };
        picture(&|disc| disc.map_or(8, |_| 190)).save(dir.join(format!("images/{name}.png"))).unwrap();
        picture(&|disc| disc.map_or(0, |at| at as u8 + 1)).save(dir.join(format!("labels/{name}.png"))).unwrap();
    }
}

/// The scores of `eval` on those frames.
fn scores(dir: &Path, model: &[&str]) -> serde_json::Value {
    let (report, _) =
        expect(0, dir, &[&["eval"], model, &["--images", "images", "--labels", "labels", "--json"]].concat());
    serde_json::from_str::<serde_json::Value>(&report).unwrap()["overall"].clone()
}

/// Every disc is found, and nothing else.
fn finds_all(scores: &serde_json::Value, iou: f64) {
    assert_eq!((&scores["f1"], &scores["count_error"]), (&1.0.into(), &0.0.into()), "{scores}");
    assert!(scores["iou"].as_f64().unwrap() > iou, "{scores}");
}

#[test]
fn stars_by_a_plan_and_in_float() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    frames(dir);
    model(dir, "stars", "task = \"star-convex\"\nthreshold = 0.6\noverlap = 0.2\nmin_area = 30");
    expect(0, dir, &["compile", "stars.onnx", "--calibrate", "images", "-o", "stars.mtm"]);
    let (inspected, _) = expect(0, dir, &["inspect", "stars.mtm"]);
    assert!(inspected.contains("star-convex overlap=0.2"), "{inspected}");
    for how in [&["stars.mtm"][..], &["stars.onnx", "--float"], &["stars.onnx", "--calibrate", "images"]] {
        finds_all(&scores(dir, how), 0.85);
        // Above a probability that none has, nothing is found.
        let strict = scores(dir, &[how, &["--threshold", "0.9999"]].concat());
        assert_eq!(strict["objects_found"], 0);
    }
    model(dir, "stars", "task = \"star-convex\"\nmin_area = 1000");
    assert_eq!(scores(dir, &["stars.onnx", "--float"])["objects_found"], 0);
}

#[test]
fn stars_are_outlined_and_measured_as_all_objects_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    frames(dir);
    model(dir, "stars", "task = \"star-convex\"\noverlap = 0.2");
    expect(0, dir, &["compile", "stars.onnx", "--calibrate", "images", "-o", "stars.mtm"]);
    let formats = "overlay,labels,masks,csv,geojson,roi";
    for jobs in ["1", "2"] {
        expect(0, dir, &["run", "stars.mtm", "images", "--out", jobs, "--format", formats, "--jobs", jobs]);
        let table = std::fs::read_to_string(dir.join(jobs).join("objects.csv")).unwrap();
        assert_eq!(table.lines().count(), 1 + 2 * DISCS.len(), "{table}");
        assert!(table.lines().skip(1).all(|line| line.split(',').nth(2) == Some("1")), "{table}");
        let outlines = std::fs::read_to_string(dir.join(jobs).join("a.geojson")).unwrap();
        let outlines: serde_json::Value = serde_json::from_str(&outlines).unwrap();
        assert_eq!(outlines["features"].as_array().unwrap().len(), DISCS.len());
        let mask = image::open(dir.join(jobs).join("a_mask.png")).unwrap().to_luma8();
        let labels = image::open(dir.join(jobs).join("a_labels.png")).unwrap().to_luma16();
        assert!(mask.pixels().zip(labels.pixels()).all(|(m, l)| u16::from(m.0[0]) == l.0[0].min(1)));
    }
    let tables = ["1", "2"].map(|jobs| std::fs::read_to_string(dir.join(jobs).join("objects.csv")).unwrap());
    assert_eq!(tables[0], tables[1]);
}

#[test]
fn flows_in_islands_and_in_float() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    frames(dir);
    model(dir, "flows", "task = \"flows\"\nflow_error = 0.9");
    for how in [&["flows.onnx", "--float"][..], &["flows.onnx", "--calibrate", "images"]] {
        finds_all(&scores(dir, how), 0.8);
    }
    // No shape asks for flows as short as these.
    model(dir, "flows", "task = \"flows\"\nflow_error = 0.001");
    assert_eq!(scores(dir, &["flows.onnx", "--float"])["objects_found"], 0);
}

#[test]
fn what_a_task_needs_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    frames(dir);
    model(dir, "flows", "task = \"star-convex\"");
    let needed = "star-convex needs a probability, of one channel, and the distances along at least 3 rays";
    let (_, error) = expect(1, dir, &["run", "flows.onnx", "--float", "images", "--out", "out"]);
    assert!(error.contains(&format!("the model has one output, of 3 channels; {needed}")), "{error}");
    model(dir, "stars", "task = \"flows\"");
    let (_, error) = expect(2, dir, &["compile", "stars.onnx", "--calibrate", "images", "-o", "stars.mtm"]);
    let found = "the model's outputs have [1, 32] channels";
    let needed = "task flows needs one of 3: flows down and to the right, and a logit";
    assert!(error.contains(&format!("{found}; {needed}")) && error.lines().count() == 1, "{error}");
    for (output, word) in [
        ("task = \"star-convex\"\noverlap = 1.5", "overlap is 1.5, expected a part from 0 to 1"),
        ("task = \"flows\"\nsteps = 0", "steps is 0, expected 1 to 10000"),
        ("task = \"flows\"\nflow_error = -1.0", "flow_error is -1, expected 0 or more"),
    ] {
        model(dir, "stars", output);
        let (_, error) = expect(2, dir, &["run", "stars.onnx", "--float", "images", "--out", "out"]);
        assert!(error.contains(word), "{error}");
    }
}
