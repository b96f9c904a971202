//! The bundled plan on frames whose truth the simulator knows.

mod common;

use common::expect;

#[test]
fn the_demo_finds_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let (out, err) = expect(0, dir.path(), &[]);
    assert!(err.is_empty(), "{err}");
    let all: Vec<&str> = out.lines().find(|line| line.starts_with("all ")).unwrap().split_whitespace().collect();
    let number = |column: usize| all[column].parse::<f64>().unwrap();
    let (found, truth, matched) = (number(1), number(2), number(3));
    assert!(truth > 100.0 && matched / truth > 0.85 && (found / truth - 1.0).abs() < 0.15, "{out}");
    for name in ["", "_mask", "_labels", "_overlay"] {
        assert!(dir.path().join(format!("microtome-demo/simulated_0005{name}.png")).exists());
    }
}

#[test]
fn the_bundled_plan_scores_on_simulated_frames() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(
        concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/nuclei/model.mtm"),
        dir.path().join("nuclei.mtm"),
    )
    .unwrap();
    let size = ["--width", "200", "--height", "150", "--seed", "5"];
    expect(0, dir.path(), &[&["simulate", "--out", "sim", "--frames", "2"][..], &size].concat());
    let arguments = ["eval", "nuclei.mtm", "--images", "sim/images", "--labels", "sim/labels", "--json"];
    let (out, _) = expect(0, dir.path(), &arguments);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["overall"]["iou"].as_f64().unwrap() > 0.8, "{out}");
    assert!(report["overall"]["ap50"].as_f64().unwrap() > 0.75, "{out}");
}
