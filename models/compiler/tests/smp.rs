//! Whole architectures of Segmentation Models PyTorch, and torchvision's FCN, as both of PyTorch's exporters write them, in
//! float as ONNX Runtime runs them, on two sizes of frames where they take any, and some in islands. Written by
//! models/family/weightless.py, without weights: they are made here.

mod common;

use common::{cases, noise};
use microtome_compiler::islands::divide;
use microtome_compiler::quality::Quality;

#[test]
fn torchscript_exports_run_as_in_onnx_runtime() {
    assert!(cases::hold("smp", 1e-4, |name| name.contains("-ts"), noise::load) >= 23);
}

#[test]
fn dynamo_exports_run_as_in_onnx_runtime() {
    assert!(cases::hold("smp", 1e-4, |name| name.contains("-dynamo"), noise::load) >= 23);
}

/// Networks, and what their islands keep of the output at least, in dB: some 3 less than was measured.
const KEPT: [(&str, f64); 6] = [
    ("Unet-resnet18-ts17", 38.0),
    ("Unet-mobilenet_v2-dynamo18", 21.5),
    ("MAnet-efficientnet_b0-ts13", 35.0),
    ("FPN-mobilenetv3-dynamo18", 14.0),
    ("DeepLabV3Plus-resnet18-ts11", 10.0),
    ("Segformer-mobilenet_v2-dynamo21", 20.5),
];

/// A network in islands that are calibrated on a few frames, beside float on a larger frame.
fn in_islands(name: &str) -> Quality {
    let model = noise::load(&format!("smp/{name}"));
    let division = divide(&model).unwrap();
    let samples: Vec<_> = common::images(1, 64, 64, 3).into_iter().map(|image| vec![image]).collect();
    let divided = division.compile(&model, &samples, |_| {}).unwrap_or_else(|e| panic!("{name}: {e}"));
    let frame = common::images(1, 64, 96, 1);
    let (found, expected) = (divided.run_float(&frame).unwrap(), model.run_float(&frame).unwrap());
    assert_eq!(found[0].shape, expected[0].shape, "{name}");
    assert!(found[0] != expected[0], "{name}: nothing ran in int8");
    let quality = Quality::of(&[(found, expected)]);
    println!("{name}: {} islands, {} operators in float, {quality}", division.islands.len(), division.left.len());
    quality
}

#[test]
fn islands_keep_what_int8_can() {
    for (name, kept) in KEPT {
        let quality = in_islands(name);
        assert!(quality.is_at_least(&Quality { sqnr: kept, agreement: 0.98 }), "{name}: {quality}, expected {kept} dB");
    }
}
