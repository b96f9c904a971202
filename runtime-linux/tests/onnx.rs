//! ONNX models: compiled, on the fly and in float.
#![cfg(feature = "onnx")]

mod common;

use common::expect;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/nuclei/model.onnx");

fn score(json: &str) -> [f64; 2] {
    let report: serde_json::Value = serde_json::from_str(json).unwrap();
    ["iou", "ap50"].map(|score| report["overall"][score].as_f64().unwrap())
}

#[test]
fn a_compiled_plan_scores_as_its_float_model() {
    let dir = tempfile::tempdir().unwrap();
    let size = ["--width", "160", "--height", "123"];
    expect(0, dir.path(), &[&["simulate", "--out", "sim", "--frames", "3"][..], &size].concat());
    let folders = ["--images", "sim/images", "--labels", "sim/labels", "--json"];
    expect(0, dir.path(), &["compile", MODEL, "--calibrate", "sim/images", "-o", "nuclei.mtm"]);
    let (plan, _) = expect(0, dir.path(), &[&["eval", "nuclei.mtm"][..], &folders].concat());
    let (fly, _) = expect(0, dir.path(), &[&["eval", MODEL, "--calibrate", "sim/images"][..], &folders].concat());
    let (float, _) = expect(0, dir.path(), &[&["eval", MODEL, "--float"][..], &folders].concat());
    let (plan, fly, float) = (score(&plan), score(&fly), score(&float));
    assert_eq!(plan, fly);
    assert!(
        float[0] > 0.8 && (plan[0] - float[0]).abs() < 0.02 && (plan[1] - float[1]).abs() < 0.1,
        "{plan:?} {float:?}"
    );
}

#[test]
fn predictions_of_plan_and_float_agree() {
    let dir = tempfile::tempdir().unwrap();
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "2", "--width", "64", "--height", "64"]);
    expect(0, dir.path(), &["compile", MODEL, "--calibrate", "sim/images", "-o", "nuclei.mtm"]);
    let frame =
        microtome::source::open(&dir.path().join("sim/images/simulated_0001.png")).unwrap().next().unwrap().unwrap();
    let value = |y: usize, x: usize| (f32::from(frame.sample(64 * y + x)) / 200.0).min(1.0);
    let input = ndarray::Array4::from_shape_fn((1, 1, 64, 64), |(_, _, y, x)| value(y, x));
    ndarray_npy::write_npy(dir.path().join("x.npy"), &input).unwrap();
    let read = |name: &str| ndarray_npy::read_npy::<_, ndarray::Array4<f32>>(dir.path().join(name)).unwrap();
    expect(0, dir.path(), &["predict", "nuclei.mtm", "--input", "x.npy", "--output", "plan.npy"]);
    expect(0, dir.path(), &["predict", MODEL, "--float", "--input", "x.npy", "--output", "float.npy"]);
    let (plan, float) = (read("plan.npy"), read("float.npy"));
    assert_eq!(plan.shape(), float.shape());
    let noise = (&plan - &float).mapv(|d| d * d).sum();
    let signal = float.mapv(|v| v * v).sum();
    assert!(noise < 0.01 * signal, "noise {noise}, signal {signal}");
}

#[test]
fn valid_convolutions_mask_whole_frames_with_mirrored_borders() {
    const UNET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/compiler/tests/fixtures/family/unet2015.onnx");
    let dir = tempfile::tempdir().unwrap();
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "2", "--width", "203", "--height", "150"]);
    expect(0, dir.path(), &["compile", UNET, "--tile", "--calibrate", "sim/images", "-o", "unet.mtm"]);
    expect(0, dir.path(), &["run", "unet.mtm", "sim/images", "--out", "plan"]);
    expect(0, dir.path(), &["run", UNET, "--float", "--tile", "sim/images", "--out", "float"]);
    let mask = |folder: &str| {
        let path = dir.path().join(folder).join("simulated_0001_mask.png");
        microtome::source::open(&path).unwrap().next().unwrap().unwrap()
    };
    let (plan, float) = (mask("plan"), mask("float"));
    assert_eq!((plan.width(), plan.height()), (203, 150));
    assert_eq!((float.width(), float.height()), (203, 150));
    let same = (0..203 * 150).filter(|&pixel| plan.sample(pixel) == float.sample(pixel)).count();
    assert!(same * 100 > 203 * 150 * 95, "{same} of {} pixels agree", 203 * 150);
    let (_, err) = expect(2, dir.path(), &["run", "unet.mtm", "--tile", "sim/images", "--out", "out"]);
    assert!(err.contains("already compiled"), "{err}");
}

#[test]
fn what_a_plan_cannot_hold_runs_in_islands() {
    const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/compiler/tests/fixtures/family/attention.onnx");
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(MODEL, dir.path().join("attention.onnx")).unwrap();
    std::fs::write(dir.path().join("attention.toml"), "[output]\nmin_area = 3\n").unwrap();
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "2", "--width", "161", "--height", "124"]);
    let (division, _) = expect(0, dir.path(), &["inspect", "attention.onnx"]);
    assert!(division.contains("2 islands in int8"), "{division}");
    assert!(division.contains("InstanceNormalization"), "{division}");
    let (_, err) = expect(2, dir.path(), &["compile", "attention.onnx"]);
    assert!(err.contains("--calibrate"), "{err}");
    expect(0, dir.path(), &["compile", "attention.onnx", "--calibrate", "sim/images", "-o", "attention.islands.onnx"]);
    // One file: the description is in it.
    std::fs::remove_file(dir.path().join("attention.toml")).unwrap();
    std::fs::create_dir(dir.path().join("alone")).unwrap();
    std::fs::rename(dir.path().join("attention.islands.onnx"), dir.path().join("alone/divided.onnx")).unwrap();
    expect(0, dir.path(), &["run", "alone/divided.onnx", "sim/images", "--out", "islands"]);
    expect(0, dir.path(), &["run", "attention.onnx", "--float", "sim/images", "--out", "float"]);
    expect(0, dir.path(), &["run", "attention.onnx", "--calibrate", "sim/images", "sim/images", "--out", "fly"]);
    let mask = |folder: &str| {
        let path = dir.path().join(folder).join("simulated_0001_mask.png");
        let image = microtome::source::open(&path).unwrap().next().unwrap().unwrap();
        (0..161 * 124).map(|pixel| image.sample(pixel)).collect::<Vec<_>>()
    };
    let (islands, float, fly) = (mask("islands"), mask("float"), mask("fly"));
    let same = islands.iter().zip(&float).filter(|(a, b)| a == b).count();
    assert!(same * 100 > islands.len() * 95, "{same} of {} pixels agree", islands.len());
    assert_eq!(islands, fly);
    let (_, err) = expect(2, dir.path(), &["compile", "alone/divided.onnx", "--calibrate", "sim/images"]);
    assert!(err.contains("compiled already"), "{err}");
}

#[test]
fn models_that_cannot_be_taken() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("bad.onnx"), "not an ONNX model").unwrap();
    let (_, err) = expect(2, dir.path(), &["compile", "bad.onnx", "-o", "bad.mtm"]);
    assert_eq!(err.lines().count(), 1, "{err}");
    let (_, err) = expect(2, dir.path(), &["run", MODEL, "x.png", "--out", "out"]);
    assert!(err.contains("--calibrate"), "{err}");
    assert!(!dir.path().join("bad.mtm").exists());
}
