//! Divided models as containers, from the command line.
#![cfg(feature = "onnx")]

mod common;

use common::expect;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/compiler/tests/fixtures/family/attention.onnx");

/// A folder with the model, its description, frames of 161x124, and its container.
fn compiled() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(MODEL, dir.path().join("attention.onnx")).unwrap();
    std::fs::write(dir.path().join("attention.toml"), "[output]\nmin_area = 3\n").unwrap();
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "2", "--width", "161", "--height", "124"]);
    expect(0, dir.path(), &["compile", "attention.onnx", "--calibrate", "sim/images"]);
    dir
}

#[test]
fn a_container_runs_as_the_divided_model() {
    let dir = compiled();
    expect(0, dir.path(), &["compile", "attention.onnx", "--calibrate", "sim/images", "-o", "divided.onnx"]);
    // One file: the description is in it.
    std::fs::create_dir(dir.path().join("alone")).unwrap();
    std::fs::rename(dir.path().join("attention.mtm"), dir.path().join("alone/attention.mtm")).unwrap();
    let outputs = |model: &str, folder: &str| {
        expect(0, dir.path(), &["run", model, "sim/images", "--out", folder]);
        let out = dir.path().join(folder);
        ["simulated_0000_mask.png", "simulated_0001_mask.png"].map(|name| std::fs::read(out.join(name)).unwrap())
    };
    assert_eq!(outputs("alone/attention.mtm", "container"), outputs("divided.onnx", "onnx"));
    let folders = ["--images", "sim/images", "--labels", "sim/labels", "--json"];
    let [container, onnx] = ["alone/attention.mtm", "divided.onnx"].map(|model| {
        let (report, _) = expect(0, dir.path(), &[&["eval", model][..], &folders].concat());
        serde_json::from_str::<serde_json::Value>(&report).unwrap()["overall"]["iou"].clone()
    });
    assert_eq!(container, onnx);
    let size = ["--width", "64", "--height", "48", "--frames", "3"];
    let (text, _) = expect(0, dir.path(), &[&["bench", "alone/attention.mtm"][..], &size].concat());
    assert!(text.contains("MicrotomeIsland") && text.contains("input, decision"), "{text}");
    let (json, _) = expect(0, dir.path(), &[&["bench", "alone/attention.mtm", "--json"][..], &size].concat());
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let islands = |node: &&serde_json::Value| node["operator"] == "MicrotomeIsland" && node["ms"].as_f64() > Some(0.0);
    assert_eq!(report["nodes"].as_array().unwrap().iter().filter(islands).count(), 2, "{report}");
    assert_eq!(report["count"], 3);
    let (inside, _) = expect(0, dir.path(), &["inspect", "alone/attention.mtm"]);
    assert!(inside.contains("2 islands in int8") && inside.contains("1 softmax"), "{inside}");
    assert!(inside.contains("frames: a multiple of 4 of rows"), "{inside}");
    let (json, _) = expect(0, dir.path(), &["inspect", "alone/attention.mtm", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["islands"].as_array().unwrap().len(), 2);
}

#[test]
fn a_container_of_one_size_says_so() {
    let dir = compiled();
    let size = ["--calibrate", "sim/images", "--frame", "96x64", "-o", "small.mtm"];
    expect(0, dir.path(), &[&["compile", "attention.onnx"][..], &size].concat());
    let (_, err) = expect(1, dir.path(), &["run", "small.mtm", "sim/images", "--out", "out"]);
    assert!(err.contains("the model takes frames of 96x64 pixels only, this one is 161x124"), "{err}");
}

#[test]
fn what_a_container_is_not_for() {
    let dir = compiled();
    let refused = |arguments: &[&str], reason: &str| {
        let (_, err) = expect(2, dir.path(), arguments);
        assert!(err.contains(reason) && err.lines().count() == 1, "{arguments:?}: {err}");
    };
    refused(&["compile", "attention.mtm", "-o", "again.mtm"], "compiled already");
    refused(&["halve", "attention.mtm", "-o", "half.onnx"], "compiled already");
    refused(&["pack", "attention.mtm", "--kernel", "scalar", "-o", "packed.mtm"], "expected one plan");
    refused(&["run", "attention.mtm", "sim/images", "--out", "out", "--float"], "already compiled");
    refused(&["inspect", "attention.mtm", "--svg", "rows.svg"], "--svg");
    let file = std::fs::read(dir.path().join("attention.mtm")).unwrap();
    let run = ["run", "broken.mtm", "sim/images", "--out", "out"];
    let broken = |bytes: &[u8]| std::fs::write(dir.path().join("broken.mtm"), bytes).unwrap();
    broken(&file[..file.len() / 2]);
    refused(&run, "container: the file has");
    broken(&[&file[..1000], b"!", &file[1001..]].concat());
    refused(&run, "the file is damaged");
    refused(&["inspect", "broken.mtm"], "the file is damaged");
    broken(&[&file[..4], &[9], &file[5..]].concat());
    refused(&run, "format version 9, expected 1");
    assert!(!dir.path().join("out").exists() && !dir.path().join("packed.mtm").exists());
}
