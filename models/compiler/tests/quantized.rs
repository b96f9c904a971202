//! Models that are already quantized keep their integers.

mod common;

use microtome_compiler::graph::Quant;
use microtome_compiler::{Compiler, Description, Options, Tensor, measure};
use microtome_core::Plan;

/// One operator between QuantizeLinear and DequantizeLinear gives ONNX Runtime's integers.
#[test]
fn single_operators_give_onnx_runtimes_integers() {
    for name in ["single_conv_u8", "single_conv_s8", "single_sigmoid_u8", "single_leaky_s8"] {
        let model = common::load(name);
        let description = Description::default();
        let compiled =
            Compiler::new(&model, &description, Options::default()).compile().unwrap_or_else(|e| panic!("{name}: {e}"));
        let plan = Plan::parse(&compiled.plan).unwrap();
        let read = |suffix: &str| -> Vec<i8> {
            let bytes = std::fs::read(common::path(&format!("{name}.{suffix}.bin"))).unwrap();
            bytes.into_iter().map(|b| b as i8).collect()
        };
        let (input, expected) = (read("in"), read("out"));
        // The fixtures' input: scale 0.02, zero point -7, [9, 11, 5].
        let quant = Quant { scale: 0.02, zero_point: -7 };
        let tensor = plan.tensor(0).unwrap();
        assert_eq!((tensor.scale, tensor.zero_point), (quant.scale, quant.zero_point), "{name}");
        let mut data = vec![0.0; input.len()];
        for (pixel, values) in input.chunks_exact(5).enumerate() {
            for (c, &q) in values.iter().enumerate() {
                data[c * 99 + pixel] = quant.scale * f32::from(i16::from(q) - i16::from(quant.zero_point));
            }
        }
        let image = Tensor::new(vec![1, 5, 9, 11], data).unwrap();
        let found = measure::run(&plan, std::slice::from_ref(&image)).unwrap();
        assert_eq!(found[0], expected, "{name}");
    }
}

/// A whole network by onnxruntime.quantization needs no images, and stays close to its own float run.
#[test]
fn networks_need_no_calibration() {
    for name in ["qdq_u8", "qdq_s8"] {
        let model = common::load(name);
        let description = Description::default();
        let bare =
            Compiler::new(&model, &description, Options::default()).compile().unwrap_or_else(|e| panic!("{name}: {e}"));
        let measured = Compiler::new(&model, &description, Options::default())
            .calibrate(common::images(1, 32, 48, 2))
            .compile()
            .unwrap();
        let (a, b) = (Plan::parse(&bare.plan).unwrap(), Plan::parse(&measured.plan).unwrap());
        assert!(a.tensors().eq(b.tensors()), "{name}: images changed a quantization that the model prescribes");
        assert!(a.operators().zip(b.operators()).all(|(x, y)| x.op == y.op), "{name}: images changed an operator");
        let sqnr = measured.report.outputs[0].sqnr.unwrap();
        assert!(sqnr > 30.0, "{name}: {sqnr:.1} dB\n{}", measured.report);
    }
}
