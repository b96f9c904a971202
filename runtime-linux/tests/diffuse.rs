//! Pictures from noise: the schedulers beside diffusers', and the command.
#![cfg(feature = "onnx")]

mod common;

use std::path::Path;

use common::expect;
use microtome::diffuse::scheduler;
use microtome::source::{Channels, open};
use microtome_compiler::description::{Diffusion, Scheduler as Kind};
use ndarray::Array4;
use ndarray_npy::{NpzReader, read_npy, write_npy};

const FAMILY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/compiler/tests/fixtures/family");

/// A case of models/diffusion/schedules.py.
#[derive(serde::Deserialize)]
struct Case {
    scheduler: Kind,
    config: Diffusion,
    steps: usize,
    eta: f64,
    start: f64,
    timesteps: Vec<f64>,
    noise: Vec<f64>,
    outputs: Vec<Vec<f32>>,
    added: Vec<Vec<f64>>,
    samples: Vec<Vec<f64>>,
}

#[test]
fn schedulers_step_as_those_of_diffusers() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("fixtures/schedulers.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let name = format!("{:?}, {:?}", case.scheduler, case.config);
        let scheduler = scheduler(case.scheduler, &case.config, case.steps, case.eta).unwrap();
        assert_eq!(scheduler.timesteps(), case.timesteps, "{name}");
        assert!((scheduler.start() / case.start - 1.0).abs() < 1e-5, "{name}: {} {}", scheduler.start(), case.start);
        let mut sample: Vec<f64> = case.noise.iter().map(|&noise| noise * scheduler.start()).collect();
        for (step, (output, expected)) in case.outputs.iter().zip(&case.samples).enumerate() {
            let mut added = case.added.get(step).into_iter().flatten();
            scheduler.step(step, output, &mut sample, &mut || *added.next().unwrap());
            // As the network would see them.
            let scale = if step + 1 < case.steps { scheduler.input_scale(step + 1) } else { 1.0 };
            let most = expected.iter().fold(1f64, |most, v| most.max(v.abs()));
            for (found, expected) in sample.iter().zip(expected) {
                let error = (found * scale - expected).abs();
                assert!(error <= 1e-5 * most, "{name}, step {step}: {} for {expected}", found * scale);
            }
        }
    }
}

/// The tiny DDPM network in `dir`, described.
fn ddpm(dir: &Path, more: &str) {
    std::fs::copy(Path::new(FAMILY).join("ddpm.onnx"), dir.join("ddpm.onnx")).unwrap();
    std::fs::write(dir.join("ddpm.toml"), format!("[diffusion]\nsteps = 3\n{more}")).unwrap();
}

fn bytes(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap()
}

#[test]
fn a_seed_is_a_picture() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    ddpm(dir, "");
    for (seed, out) in [("5", "a.png"), ("5", "b.png"), ("6", "c.png")] {
        expect(0, dir, &["diffuse", "ddpm.onnx", "--seed", seed, "--out", out]);
    }
    assert_eq!(bytes(dir, "a.png"), bytes(dir, "b.png"));
    assert_ne!(bytes(dir, "a.png"), bytes(dir, "c.png"));
    let picture = open(&dir.join("a.png")).unwrap().next().unwrap().unwrap();
    assert_eq!((picture.width(), picture.height(), picture.channels()), (16, 16, Channels::Rgb));
    // The first of several is the one alone.
    let arguments = ["diffuse", "ddpm.onnx", "--seed", "5", "--count", "3", "--columns", "2", "--scale", "2"];
    let (out, _) = expect(0, dir, &[&arguments[..], &["--out", "grid.png", "--json"]].concat());
    let summary: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&summary["pictures"], &summary["steps"]), (&3.into(), &3.into()));
    let grid = open(&dir.join("grid.png")).unwrap().next().unwrap().unwrap();
    assert_eq!((grid.width(), grid.height()), (66, 66));
    for (x, y, c) in (0..16).flat_map(|x| (0..16).map(move |y| (x, y, (x + y) % 3))) {
        assert_eq!(grid.sample((2 * y * 66 + 2 * x) * 3 + c), picture.sample((y * 16 + x) * 3 + c));
    }
    // Samples are what pictures are made of; the schedulers end elsewhere.
    for (scheduler, out) in [("ddim", "ddim.npy"), ("euler", "euler.npy")] {
        expect(0, dir, &["diffuse", "ddpm.onnx", "--seed", "5", "--scheduler", scheduler, "--out", out]);
    }
    let [ddim, euler] = ["ddim.npy", "euler.npy"].map(|name| read_npy::<_, Array4<f32>>(dir.join(name)).unwrap());
    assert_eq!(ddim.dim(), (1, 3, 16, 16));
    assert_ne!(ddim, euler);
    let pixel = ((ddim[[0, 1, 4, 7]] + 1.0) / 2.0 * 255.0).round_ties_even() as u8;
    assert_eq!(u16::from(pixel), picture.sample((4 * 16 + 7) * 3 + 1));
    expect(0, dir, &["diffuse", "ddpm.onnx", "--seed", "5", "--eta", "1", "--out", "new.npy"]);
    assert_ne!(ddim, read_npy::<_, Array4<f32>>(dir.join("new.npy")).unwrap());
}

#[test]
fn inputs_are_recorded_and_hidden_states_given() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::copy(Path::new(FAMILY).join("condition.onnx"), dir.join("condition.onnx")).unwrap();
    std::fs::write(dir.join("condition.toml"), "[diffusion]\nsteps = 2\ntimestep_spacing = \"trailing\"\n").unwrap();
    let (_, err) = expect(2, dir, &["diffuse", "condition.onnx", "--out", "x.npy"]);
    assert!(err.contains("--input encoder_hidden_states=FILE.npy"), "{err}");
    let hidden = |value: f32| ndarray::Array3::from_shape_fn((1, 3, 8), |(_, i, j)| value * (i as f32 - j as f32));
    write_npy(dir.join("asked.npy"), &hidden(0.5)).unwrap();
    write_npy(dir.join("free.npy"), &hidden(0.0)).unwrap();
    let asked = ["--input", "encoder_hidden_states=asked.npy", "--free-input", "encoder_hidden_states=free.npy"];
    let run = |more: &[&str]| expect(0, dir, &[&["diffuse", "condition.onnx"][..], &asked, more].concat());
    // Four channels are no picture.
    let (_, err) = expect(2, dir, &[&["diffuse", "condition.onnx", "--out", "x.png"][..], &asked].concat());
    assert!(err.contains("4 channels are no pictures"), "{err}");
    run(&["--out", "plain.npy"]);
    run(&["--out", "guided.npy", "--guidance", "3", "--record", "inputs"]);
    let [plain, guided] = ["plain.npy", "guided.npy"].map(|name| read_npy::<_, Array4<f32>>(dir.join(name)).unwrap());
    assert_ne!(plain, guided);
    let mut names: Vec<_> = dir.join("inputs").read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    let wanted = ["0000_asked", "0000_free", "0001_asked", "0001_free"].map(|n| format!("picture_0000_step_{n}.npz"));
    assert_eq!(names, wanted.map(std::ffi::OsString::from));
    for (name, time, hidden) in [(&names[0], 999.0, hidden(0.5)), (&names[3], 499.0, hidden(0.0))] {
        let mut archive = NpzReader::new(std::fs::File::open(dir.join("inputs").join(name)).unwrap()).unwrap();
        let mut tensor = |name: &str| -> ndarray::ArrayD<f32> { archive.by_name(name).unwrap() };
        assert_eq!(tensor("timestep"), ndarray::arr1(&[time]).into_dyn());
        assert_eq!(tensor("encoder_hidden_states"), hidden.into_dyn());
        assert_eq!(tensor("sample").shape(), [1, 4, 16, 16]);
    }
}

#[test]
fn halved_weights_denoise_alike() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    ddpm(dir, "");
    expect(0, dir, &["halve", "ddpm.onnx", "-o", "half.onnx"]);
    assert!(bytes(dir, "half.onnx").len() + 15_000 < bytes(dir, "ddpm.onnx").len());
    // The description is in the file, and stays there.
    expect(0, dir, &["halve", "half.onnx", "-o", "again.onnx"]);
    assert_eq!(bytes(dir, "half.onnx"), bytes(dir, "again.onnx"));
    for model in ["ddpm", "half"] {
        expect(0, dir, &["diffuse", &format!("{model}.onnx"), "--out", &format!("{model}.npy")]);
    }
    let [whole, half] = ["ddpm.npy", "half.npy"].map(|name| read_npy::<_, Array4<f32>>(dir.join(name)).unwrap());
    let most = (&whole - &half).mapv(f32::abs).into_iter().fold(0.0, f32::max);
    assert!(most > 0.0 && most < 0.02, "{most}");
}

/// The zoo's model in `dir`.
fn cells(dir: &Path) {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/diffusion");
    for file in ["model.onnx", "model.toml"] {
        std::fs::copy(zoo.join(file), dir.join(file)).unwrap();
    }
}

#[test]
fn cells_are_stained_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    cells(dir);
    let run = |model: &str, out: &str, more: &[&str]| {
        let asked = ["diffuse", model, "--stain", "he,dapi", "--density", "6", "--steps", "3", "--guidance", "1"];
        expect(0, dir, &[&asked[..], &["--out", out], more].concat());
        read_npy::<_, Array4<f32>>(dir.join(out)).unwrap()
    };
    let float = run("model.onnx", "float.npy", &["--record", "inputs"]);
    assert_eq!(float.dim(), (2, 3, 48, 48));
    // Black with blue for DAPI; more red than green for eosin, which is bright.
    let mean = |picture: usize, channel: usize| {
        let plane = float.slice(ndarray::s![picture, channel, .., ..]);
        plane.mean().unwrap()
    };
    assert!(mean(0, 0) > mean(0, 1) + 0.1 && mean(0, 1) > 0.0, "{} {}", mean(0, 0), mean(0, 1));
    assert!(mean(1, 0) < -0.8 && mean(1, 2) > mean(1, 0) + 0.1, "{} {}", mean(1, 0), mean(1, 2));

    // The convolutions in islands of int8, calibrated on what float was given; the description is in the file.
    expect(0, dir, &["compile", "model.onnx", "--calibrate", "inputs", "-o", "int8.onnx"]);
    let int8 = run("int8.onnx", "int8.npy", &[]);
    let noise = (&int8 - &float).mapv(|d| d * d).mean().unwrap();
    let psnr = 10.0 * (4.0 / noise).log10();
    println!("int8: {psnr:.1} dB");
    assert!(noise > 0.0 && psnr > 30.0, "{psnr} dB");

    let (_, err) = expect(2, dir, &["diffuse", "model.onnx", "--stain", "pas", "--out", "x.png"]);
    assert!(err.contains("stain is `pas`, expected one of he, dapi, phase"), "{err}");
    let (_, err) = expect(2, dir, &["diffuse", "model.onnx", "--density", "100", "--out", "x.png"]);
    assert!(err.contains("density is `100`, expected a number from 0 to 12"), "{err}");
    let (_, err) = expect(2, dir, &["diffuse", "model.onnx", "-c", "cells=1", "--out", "x.png"]);
    assert!(err.contains("no condition `cells`; the model's conditions: density, stain"), "{err}");
}

#[test]
fn what_cannot_be_asked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    ddpm(dir, "");
    let refused = |arguments: &[&str], reason: &str| {
        let (out, err) = expect(2, dir, &[&["diffuse"][..], arguments].concat());
        assert!(out.is_empty() && err.lines().count() == 1 && err.contains(reason), "{err}");
    };
    refused(&["ddpm.onnx", "--out", "x.jpg"], "x.jpg: expected a file name that ends in .png or .npy");
    refused(&["ddpm.onnx", "--out", "x.png", "--density", "3"], "no condition `density`; the model's conditions: none");
    refused(&["ddpm.onnx", "--out", "x.png", "--steps", "1001"], "expected 1 to 1000 steps");
    refused(&["ddpm.onnx", "--out", "x.png", "--eta", "1.5"], "eta is 1.5, expected 0 to 1");
    refused(&["ddpm.onnx", "--out", "x.png", "--eta", "1", "--scheduler", "euler"], "eta is for DDIM");
    refused(&["ddpm.onnx", "--out", "x.png", "--input", "sample=x.npy"], "x.npy");
    refused(&["none.onnx", "--out", "x.png"], "none.onnx");
    std::fs::write(dir.join("ddpm.toml"), "[diffusion]\n[[diffusion.condition]]\nname = \"a\"\nrange = [0, 1]\n")
        .unwrap();
    refused(&["ddpm.onnx", "--out", "x.png"], "no input `condition`; the model's inputs are sample, timestep");
    std::fs::write(dir.join("ddpm.toml"), "").unwrap();
    refused(&["ddpm.onnx", "--out", "x.png"], "no table [diffusion] in ddpm.toml or in the file");
    assert!(!dir.join("x.png").exists());
    // A folder that is not there is an output's fault.
    ddpm(dir, "");
    expect(3, dir, &["diffuse", "ddpm.onnx", "--out", "none/x.png"]);
}
