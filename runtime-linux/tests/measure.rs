//! Measuring from outside: profiles, sizes, splitting, corrections and tracks.

mod common;

use std::fs;
use std::path::Path;

use common::{expect, plan_in};
use image::{GrayImage, Luma};
use microtome::source::read_labels;
use serde_json::Value;

fn run(dir: &Path, arguments: &[&str]) -> Value {
    let (out, _) = expect(0, dir, &[&["run", "threshold.mtm"], arguments, &["--out", "out", "--json"]].concat());
    serde_json::from_str(&out).unwrap()
}

/// Bright discs `(x, y, radius)` under a lamp that falls off to the right, or evenly lit.
fn draw(path: &Path, discs: &[(f64, f64, f64)], even: bool) {
    let inside = |x: u32, y: u32| {
        discs.iter().any(|&(column, row, radius)| (f64::from(x) - column).hypot(f64::from(y) - row) <= radius)
    };
    let picture = GrayImage::from_fn(160, 100, |x, y| {
        let lamp = if even { 1.0 } else { 1.0 - 0.95 * f64::from(x) / 160.0 };
        Luma([((if inside(x, y) { 240.0 } else { 20.0 }) * lamp) as u8])
    });
    picture.save(path).unwrap();
}

/// The lines of the table, by label, and the label image of `frame`.
fn table(dir: &Path, frame: &str) -> (Vec<csv::StringRecord>, Vec<u32>) {
    let mut table = csv::Reader::from_path(dir.join("out/objects.csv")).unwrap();
    let rows = table.records().map(Result::unwrap).filter(|row| &row[0] == frame).collect();
    (rows, read_labels(&dir.join(format!("out/{frame}_labels.png"))).unwrap().2)
}

#[test]
fn without_options_nothing_changes() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    draw(&dir.path().join("a.png"), &[(40.0, 50.0, 10.0), (58.0, 50.0, 10.0)], true);
    let summary = run(dir.path(), &["a.png"]);
    assert!(summary.get("totals").is_none() && summary["frames"][0].get("figures").is_none());
    assert_eq!(summary["frames"][0]["objects"], 1);
}

#[test]
fn touching_objects_are_split_and_sizes_filtered() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    // A pair that touches, a large disc, a small one, and one that the edge cuts.
    let discs = [(40.0, 50.0, 10.0), (58.0, 50.0, 10.0), (110.0, 50.0, 20.0), (20.0, 20.0, 4.0), (80.0, 0.0, 9.0)];
    draw(&dir.path().join("a.png"), &discs, true);
    assert_eq!(run(dir.path(), &["a.png"])["frames"][0]["objects"], 4);
    assert_eq!(run(dir.path(), &["a.png", "--split"])["frames"][0]["objects"], 5);
    let (rows, labels) = table(dir.path(), "a");
    for row in &rows {
        let (label, area): (u32, usize) = (row[1].parse().unwrap(), row[3].parse().unwrap());
        assert_eq!(labels.iter().filter(|&&l| l == label).count(), area);
    }
    let (left, right) = (labels[50 * 160 + 40], labels[50 * 160 + 58]);
    assert!(left != right && left != 0 && right != 0);

    // At 0.5 µm per pixel the pair's discs measure 10 µm, the large one 20, the small one 4.
    let sizes = ["a.png", "--split", "--pixel-size-um", "0.5", "--min-esd-um", "5", "--max-esd-um", "15"];
    assert_eq!(run(dir.path(), &sizes)["frames"][0]["objects"], 3);
    let whole = [&sizes[..], &["--exclude-border"]].concat();
    assert_eq!(run(dir.path(), &whole)["frames"][0]["objects"], 2);
    let (rows, labels) = table(dir.path(), "a");
    let esd: Vec<f64> = rows.iter().map(|row| row[24].parse().unwrap()).collect();
    assert!(esd.iter().all(|esd| (9.0..10.5).contains(esd)), "{esd:?}");
    assert_eq!(labels.iter().max(), Some(&2));
}

#[test]
fn a_profile_gives_scale_volume_and_light() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    for frame in 0..4 {
        // One disc stays, one moves on by more than its size; in the last frame the lamp has changed.
        let path = dir.path().join(format!("f{frame}.png"));
        draw(&path, &[(30.0, 30.0, 8.0), (60.0 + 25.0 * f64::from(frame), 70.0, 8.0)], true);
        if frame == 3 {
            let mut picture = image::open(&path).unwrap().into_luma8();
            picture.pixels_mut().for_each(|pixel| pixel[0] = (f32::from(pixel[0]) * 0.8) as u8);
            picture.save(&path).unwrap();
        }
    }
    let profile = "name = \"bench\"\n[[objective]]\nname = \"4x\"\npixel_size_um = 2.0\n[[objective]]\nname = \"10x\"\n\
                   pixel_size_um = 1.0\n[flow_cell]\ndepth_um = 100\n[illumination]\nreference_frames = 2\n";
    fs::write(dir.path().join("bench.toml"), format!("in_use = \"4x\"\n{profile}")).unwrap();
    let summary = run(dir.path(), &["f*.png", "--instrument", "bench.toml", "--track"]);
    let figures: Vec<&Value> = summary["frames"].as_array().unwrap().iter().map(|line| &line["figures"]).collect();
    assert_eq!(figures.iter().map(|f| f["new_objects"].as_u64().unwrap()).collect::<Vec<_>>(), [2, 1, 1, 1]);
    let volume = 160.0 * 100.0 * 4.0 * 100.0 / 1e12;
    let close = |value: &Value, expected: f64| (value.as_f64().unwrap() / expected - 1.0).abs() < 1e-9;
    assert!(close(&figures[0]["volume_ml"], volume) && close(&figures[0]["density"]["per_ml"], 2.0 / volume));
    assert!(figures[0]["focus"].as_f64().unwrap() > 0.1);
    assert_eq!(figures[2]["alarms"], serde_json::json!([]));
    assert_eq!(figures[3]["alarms"], serde_json::json!(["brightness"]));
    assert_eq!(figures[3]["exposure"]["brightness"], 16.0);
    let totals = &summary["totals"];
    assert_eq!((totals["frames"].as_u64(), totals["objects"].as_u64()), (Some(4), Some(5)));
    assert!(close(&totals["density"]["per_ml"], 5.0 / (4.0 * volume)));

    let other = ["run", "threshold.mtm", "f*.png", "--out", "out", "--instrument", "bench.toml", "--objective", "10x"];
    let (out, _) = expect(0, dir.path(), &other);
    assert!(out.contains("objects per mL (95 %: ") && out.contains(": 8 in 0.0064 µL"), "{out}");
    assert!(out.contains("brightness off its reference in 1 frames, first in f3"), "{out}");
    let (rows, _) = table(dir.path(), "f0");
    assert_eq!(rows[0][3].parse::<f64>().unwrap(), rows[0][20].parse::<f64>().unwrap());
}

#[test]
fn a_blank_frame_evens_the_light() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let discs = [(30.0, 50.0, 10.0), (80.0, 50.0, 10.0), (150.0, 50.0, 6.0)];
    draw(&dir.path().join("uneven.png"), &discs, false);
    draw(&dir.path().join("blank.png"), &[], false);
    // The last disc is lost in the dark, where the lamp gives a tenth.
    assert_eq!(run(dir.path(), &["uneven.png"])["frames"][0]["objects"], 2);
    assert_eq!(run(dir.path(), &["uneven.png", "--blank", "blank.png"])["frames"][0]["objects"], 3);
    fs::create_dir(dir.path().join("scope")).unwrap();
    fs::rename(dir.path().join("blank.png"), dir.path().join("scope/blank.png")).unwrap();
    fs::write(dir.path().join("scope/p.toml"), "name = \"p\"\n[correction]\nblank = \"blank.png\"").unwrap();
    assert_eq!(run(dir.path(), &["uneven.png", "--instrument", "scope/p.toml"])["frames"][0]["objects"], 3);
}

#[test]
fn simulated_frames_are_not_counted_worse() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let error = |arguments: &[&str]| {
        let summary = run(dir.path(), &[&["sim/images"], arguments].concat());
        let mut index = csv::Reader::from_path(dir.path().join("sim/index.csv")).unwrap();
        let truth = index.records().map(|row| row.unwrap()[4].parse::<i64>().unwrap());
        let lines = summary["frames"].as_array().unwrap();
        lines.iter().zip(truth).map(|(line, truth)| (line["objects"].as_i64().unwrap() - truth).abs()).sum::<i64>()
    };
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "8"]);
    let (whole, split) = (error(&[]), error(&["--split"]));
    assert!(split < whole, "{whole} miscounted, {split} with splitting");
}

#[test]
fn what_cannot_be_measured_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    draw(&dir.path().join("a.png"), &[(40.0, 50.0, 10.0)], true);
    fs::write(dir.path().join("bad.toml"), "name = \"x\"\n[size]\nmin = 3\n").unwrap();
    let refused = |arguments: &[&str], reason: &str| {
        let all = [&["run", "threshold.mtm", "a.png", "--out", "out"], arguments].concat();
        let (out, err) = expect(2, dir.path(), &all);
        assert!(out.is_empty() && err.contains(reason), "{err}");
        assert!(!dir.path().join("out").exists());
    };
    refused(&["--instrument", "bad.toml"], "microtome: bad.toml: line 3: unknown field `min`");
    refused(&["--instrument", "none.toml"], "none.toml: ");
    refused(&["--min-esd-um", "3"], "expected --pixel-size-um");
    refused(&["--min-esd-um=-3"], "expected a positive number");
    refused(&["--objective", "x"], "--instrument");
    refused(&["--blank", "none.png"], "none.png: ");
    // A blank frame of another size is known when the frame is: that is the input's fault.
    GrayImage::from_pixel(9, 9, Luma([9])).save(dir.path().join("small.png")).unwrap();
    let small = ["run", "threshold.mtm", "a.png", "--out", "out", "--blank", "small.png"];
    let (_, err) = expect(1, dir.path(), &small);
    assert!(err.contains("a.png: a 160x100 grey frame (expected 9x9 grey, as the blank frame)"), "{err}");
}
