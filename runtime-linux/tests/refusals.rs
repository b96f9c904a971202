//! What is wrong with a model, or with what it is given, is said in one sentence, with exit code 2.
#![cfg(feature = "onnx")]

mod common;

use std::path::Path;

use common::expect;
use ndarray::ArrayD;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/compiler/tests/fixtures/refusals");

fn model(name: &str) -> String {
    format!("{FIXTURES}/{name}.onnx")
}

/// Runs `predict`, which must fail with a single line that has all of `words`.
fn refused(dir: &Path, model: &str, input: &str, words: &[&str]) {
    let (out, err) = expect(2, dir, &["predict", model, "--float", "--input", input, "--output", "y.npz"]);
    one_line(&out, &err, words);
    assert!(!dir.join("y.npz").exists());
}

fn one_line(out: &str, err: &str, words: &[&str]) {
    assert!(out.is_empty(), "{out}");
    assert_eq!(err.lines().count(), 1, "{err}");
    assert!(words.iter().all(|word| err.contains(word)), "{err}: expected {words:?}");
}

fn write(dir: &Path, file: &str, name: &str, shape: &[usize]) {
    let mut archive = ndarray_npy::NpzWriter::new(std::fs::File::create(dir.join(file)).unwrap());
    archive.add_array(name, &ArrayD::<f32>::zeros(shape.to_vec())).unwrap();
    archive.finish().unwrap();
}

#[test]
fn models_that_cannot_be_read_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "x.npz", "x", &[1, 1, 8, 8]);
    std::fs::write(dir.join("text.onnx"), "not a model, but a text").unwrap();
    refused(dir, "text.onnx", "x.npz", &["text.onnx: not an ONNX model"]);
    refused(dir, "absent.onnx", "x.npz", &["absent.onnx: No such file"]);
    refused(dir, &model("external"), "x.npz", &["external.onnx", "weights `w` lie in", "gone.data", "no such file"]);
    refused(dir, &model("operator"), "x.npz", &["operator.onnx", "Frobnicate `frob` (strength=3)", "no such operator"]);
    refused(dir, &model("opset"), "x.npz", &["opset.onnx", "operator set 99, expected 7 to"]);
    refused(dir, &model("undefined"), "x.npz", &["undefined.onnx", "reads `nowhere`, which nothing makes"]);
}

#[test]
fn inputs_that_do_not_fit_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    write(dir, "x.npz", "x", &[1, 1, 8, 8]);
    write(dir, "q.npz", "q", &[1, 1, 8, 8]);
    write(dir, "rgb.npz", "x", &[1, 3, 8, 8]);
    write(dir, "flat.npz", "x", &[8, 8]);
    std::fs::write(dir.join("text.npy"), "not numbers").unwrap();
    let add = model("add");
    refused(dir, &add, "x.npz", &["x.npz", "no tensor for the model's input `z`"]);
    refused(dir, &add, "q.npz", &["q.npz", "no tensor for the model's input `x`"]);
    let relu = model("relu");
    refused(dir, &relu, "rgb.npz", &["rgb.npz", "input `x` is [1, 3, 8, 8], expected [1, 1, ?, ?]"]);
    refused(dir, &relu, "flat.npz", &["flat.npz", "input `x` is [8, 8], expected [1, 1, ?, ?]"]);
    refused(dir, &relu, "q.npz", &["q.npz", "no tensor for the model's input `x`, but `q`"]);
    refused(dir, &relu, "text.npy", &["text.npy"]);
    refused(dir, &relu, "absent.npz", &["absent.npz: No such file"]);
}

#[test]
fn a_plan_needs_a_number_of_channels() {
    let dir = tempfile::tempdir().unwrap();
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "1", "--width", "32", "--height", "32"]);
    let arguments = ["compile", &model("unbounded"), "--calibrate", "sim/images", "-o", "y.mtm"];
    let (out, err) = expect(2, dir.path(), &arguments);
    one_line(&out, &err, &["unbounded.onnx", "input `x` does not tell its number of channels"]);
}

#[test]
fn inspect_says_how_each_would_run() {
    let dir = tempfile::tempdir().unwrap();
    for (name, words) in [
        ("relu", "a plan in int8 can hold all of it"),
        ("nonzero", "float: NonZero"),
        ("unbounded", "does not tell its number of channels"),
        ("huge", "input `x` is [1, 1, 1000000000, 1000000000], expected [1, 1, 1000000000, 1000000000], and at most"),
        ("batch", "input `x` is [4, 1, ?, ?], expected a batch of 1"),
    ] {
        let (out, err) = expect(0, dir.path(), &["inspect", &model(name)]);
        assert!(out.contains(words) && err.is_empty(), "{name}: {out}{err}");
    }
    let (out, err) = expect(2, dir.path(), &["inspect", &model("operator")]);
    one_line(&out, &err, &["operator.onnx: Frobnicate"]);
    let (out, err) = expect(2, dir.path(), &["inspect", "absent.onnx"]);
    one_line(&out, &err, &["microtome: absent.onnx: No such file"]);
}
