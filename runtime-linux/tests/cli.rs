//! The command from outside: outputs, complaints and exit codes.

mod common;

use std::fs;

use common::{expect, plan_in, threshold_plan};
use microtome::source::{open, read_labels};
use tiff::encoder::{TiffEncoder, colortype};

#[test]
fn simulated_frames_run_and_score() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "2", "--width", "160", "--height", "128"]);
    let (out, _) = expect(0, dir.path(), &["run", "threshold.mtm", "sim/images", "--out", "out", "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(summary["frames"].as_array().unwrap().len(), 2);

    for frame in ["simulated_0000", "simulated_0001"] {
        let (height, width, labels) = read_labels(&dir.path().join(format!("out/{frame}_labels.png"))).unwrap();
        let overlay = open(&dir.path().join(format!("out/{frame}_overlay.png"))).unwrap().next().unwrap().unwrap();
        let mask = open(&dir.path().join(format!("out/{frame}_mask.png"))).unwrap().next().unwrap().unwrap();
        assert_eq!((height, width, overlay.width(), mask.height()), (128, 160, 160, 128));
        // The table counts the pixels that the label image shows, and every labelled pixel is in the mask.
        let mut table = csv::Reader::from_path(dir.path().join("out/objects.csv")).unwrap();
        let rows: Vec<_> = table.records().map(Result::unwrap).filter(|row| &row[0] == frame).collect();
        assert_eq!(rows.len(), *labels.iter().max().unwrap() as usize);
        for row in rows {
            let (label, area): (u32, usize) = (row[1].parse().unwrap(), row[3].parse().unwrap());
            assert_eq!(labels.iter().filter(|&&l| l == label).count(), area);
        }
        assert!(labels.iter().enumerate().all(|(pixel, &label)| label == 0 || mask.sample(pixel) == 1));
    }

    let arguments = ["eval", "threshold.mtm", "--images", "sim/images", "--labels", "sim/labels", "--json"];
    let (out, _) = expect(0, dir.path(), &arguments);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert!(report["overall"]["iou"].as_f64().unwrap() > 0.6, "{out}");
    assert_eq!(report["kinds"]["simulated"]["frames"], 2);

    fs::write(dir.path().join("held.csv"), "id,set\nsimulated_0001,test\n").unwrap();
    let (out, _) = expect(0, dir.path(), &[&arguments[..], &["--ids", "held.csv"]].concat());
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["overall"]["frames"], 1);
    fs::write(dir.path().join("held.csv"), "simulated_0001\nnone\n").unwrap();
    let (_, err) = expect(1, dir.path(), &[&arguments[..], &["--ids", "held.csv"]].concat());
    assert!(err.contains("none: no such image"), "{err}");
}

#[test]
fn truth_scores_perfectly_and_reads_as_sixteen_bits() {
    // The truth's own pixels, as bright squares, in a 16-bit stack: what comes out must be what went in.
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let square = |left: usize| {
        (0..40 * 60).map(|p| (8..16).contains(&(p / 60)) && (left..left + 8).contains(&(p % 60))).collect::<Vec<_>>()
    };
    let mut tiff = TiffEncoder::new(fs::File::create(dir.path().join("stack.tif")).unwrap()).unwrap();
    for left in [5, 30] {
        let samples: Vec<u16> = square(left).iter().map(|&inside| if inside { 60_000 } else { 900 }).collect();
        tiff.write_image::<colortype::Gray16>(60, 40, &samples).unwrap();
    }
    let rgb: Vec<u8> =
        square(20).iter().flat_map(|&inside| if inside { [20, 200, 30] } else { [10, 10, 10] }).collect();
    tiff.write_image::<colortype::RGB8>(60, 40, &rgb).unwrap();
    drop(tiff);
    let arguments =
        ["run", "threshold.mtm", "stack.tif", "--out", "out", "--label-format", "tiff", "--pixel-size-um", "0.5"];
    expect(0, dir.path(), &arguments);
    for (page, left) in [(1, 5), (2, 30), (3, 20)] {
        let (_, _, labels) = read_labels(&dir.path().join(format!("out/stack_p{page:04}_labels.tif"))).unwrap();
        assert_eq!(labels, square(left).iter().map(|&inside| u32::from(inside)).collect::<Vec<_>>());
    }
    let table = fs::read_to_string(dir.path().join("out/objects.csv")).unwrap();
    assert_eq!(table.lines().count(), 4);
    assert!(table.lines().nth(1).unwrap().starts_with("stack_p0001,1,1,64,8.5,11.5,5,8,13,16,"), "{table}");
    assert!(table.contains(",60000,60000.0,60000,false,16.0,"), "{table}");
}

#[test]
fn a_broken_image_does_not_stop_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "2", "--width", "64", "--height", "48"]);
    let whole = fs::read(dir.path().join("sim/images/simulated_0000.png")).unwrap();
    fs::write(dir.path().join("sim/images/broken.png"), &whole[..whole.len() / 2]).unwrap();
    let (_, err) = expect(1, dir.path(), &["run", "threshold.mtm", "sim/images", "missing.png", "--out", "out"]);
    assert_eq!(err.lines().count(), 2, "{err}");
    assert!(err.contains("missing.png: no such file") && err.contains("broken.png: "), "{err}");
    assert!(dir.path().join("out/simulated_0001_overlay.png").exists());
    assert!(!dir.path().join("out/broken_mask.png").exists());
    // Two inputs of one name do not overwrite each other.
    fs::copy(dir.path().join("sim/images/simulated_0000.png"), dir.path().join("simulated_0001.png")).unwrap();
    expect(
        0,
        dir.path(),
        &["run", "threshold.mtm", "simulated_0001.png", "sim/images/simulated_*.png", "--out", "twice"],
    );
    assert!(dir.path().join("twice/simulated_0001-2_mask.png").exists());
    let left_over = fs::read_dir(dir.path().join("twice"))
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(left_over.count(), 0);
}

#[test]
fn damaged_plans_are_refused_in_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let plan = threshold_plan();
    let path = dir.path().join("bad.mtm");
    let refused = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let (out, err) = expect(2, dir.path(), &["run", "bad.mtm", "x.png", "--out", "out"]);
        assert!(out.is_empty() && err.lines().count() == 1 && err.starts_with("microtome: bad.mtm: "), "{err}");
    };
    for len in [0, 1, 3, 20, plan.len() / 2, plan.len() - 1] {
        refused(&plan[..len]);
    }
    for at in (0..plan.len()).step_by(plan.len() / 24) {
        let mut flipped = plan.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped);
    }
    assert!(!dir.path().join("out").exists());
}

#[test]
fn bad_usage() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    expect(2, dir.path(), &["run", "none.mtm", "x.png", "--out", "out"]);
    expect(2, dir.path(), &["run", "threshold.mtm", "--out", "out"]);
    expect(2, dir.path(), &["run", "threshold.mtm", "x.png", "--out", "out", "--float"]);
    expect(2, dir.path(), &["run", "threshold.mtm", "x.png", "--out", "out", "--pixel-size-um", "-1"]);
    expect(2, dir.path(), &["eval", "threshold.mtm", "--images", "none", "--labels", "none"]);
    expect(2, dir.path(), &["predict", "threshold.mtm", "--input", "x.npy", "--output", "y.txt"]);
    expect(2, dir.path(), &["simulate", "--out", "sim", "--width", "3"]);
    fs::write(dir.path().join("file"), "").unwrap();
    expect(3, dir.path(), &["simulate", "--out", "file"]);
    let (help, _) = expect(0, dir.path(), &["--help"]);
    assert!(help.contains("Exit codes:"), "{help}");
}

#[test]
fn inspection_and_its_picture() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let (out, _) =
        expect(0, dir.path(), &["inspect", "threshold.mtm", "--width", "100", "--json", "--svg", "rows.svg"]);
    let figures: serde_json::Value = serde_json::from_str(&out).unwrap();
    // Two rings of one row of 100 pixels.
    assert_eq!(figures["ring_bytes"], 200);
    assert!(fs::read_to_string(dir.path().join("rows.svg")).unwrap().trim_end().ends_with("</svg>"));
}

#[test]
fn packing() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let kernel = microtome_core::Kernel::best().name();
    let (out, _) = expect(0, dir.path(), &["pack", "threshold.mtm", "--kernel", kernel, "-o", "packed.mtm"]);
    assert!(out.contains(kernel), "{out}");
    let packed = fs::read(dir.path().join("packed.mtm")).unwrap();
    assert_eq!(microtome_core::Plan::parse(&packed).unwrap().packing(), Some(kernel));
    let (_, err) = expect(2, dir.path(), &["pack", "threshold.mtm", "--kernel", "abacus", "-o", "none.mtm"]);
    assert!(err.contains("scalar"), "{err}");
    assert!(!dir.path().join("none.mtm").exists());
}

#[test]
fn raw_tensors() {
    use ndarray::Array4;
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let input = Array4::from_shape_fn((2, 1, 2, 3), |(n, _, y, x)| (3 * y + x + n) as f32 / 10.0);
    ndarray_npy::write_npy(dir.path().join("x.npy"), &input).unwrap();
    expect(0, dir.path(), &["predict", "threshold.mtm", "--input", "x.npy", "--output", "y.npy"]);
    let output: Array4<f32> = ndarray_npy::read_npy(dir.path().join("y.npy")).unwrap();
    assert_eq!(output, input.map(|&v| if v > 0.2 { 1.0 } else { 0.0 }));

    ndarray_npy::write_npy(dir.path().join("x.npy"), &ndarray::Array2::<f32>::zeros((2, 2))).unwrap();
    let (_, err) = expect(2, dir.path(), &["predict", "threshold.mtm", "--input", "x.npy", "--output", "z.npy"]);
    assert!(err.contains("expected four axes"), "{err}");
    assert!(!dir.path().join("z.npy").exists());
}
