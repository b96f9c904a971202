//! The family that the project was conceived from: each of its networks, small, in float as ONNX Runtime runs it, and as
//! an int8 plan. Written by models/family/make.py.

mod common;

use microtome_compiler::islands::divide;
use microtome_compiler::quality::Quality;
use microtome_compiler::{Compiled, Compiler, Description, Model, Options, Tensor, mirrored};
use microtome_core::plan::{Alignment, Plan};
use microtome_core::{Frame, Row, Session};

/// The frame of make.py.
fn frame(channels: usize, rows: usize, width: usize) -> Tensor {
    let value = |c: usize, y: usize, x: usize| {
        (0.5 + 0.5 * (0.11 * x as f64 + 0.9 * c as f64).sin() * (0.07 * y as f64).cos()) as f32
    };
    let pixels = |c| (0..rows).flat_map(move |y| (0..width).map(move |x| value(c, y, x)));
    Tensor::new(vec![1, channels, rows, width], (0..channels).flat_map(pixels).collect()).unwrap()
}

/// Holds the float run to ONNX Runtime's.
fn holds_to_onnx_runtime(name: &str, model: &Model, frame: &Tensor) {
    let path = common::path(&format!("family/{name}.logits.bin"));
    let bytes = std::fs::read(path).unwrap();
    let expected: Vec<f32> = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
    let found = &model.run_float(std::slice::from_ref(frame)).unwrap()[0];
    assert_eq!(found.data.len(), expected.len(), "{name}: {:?}", found.shape);
    let largest = expected.iter().fold(0f32, |most, v| most.max(v.abs()));
    let error = found.data.iter().zip(&expected).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
    println!("{name}: logits up to {largest}, off by {error} at most");
    assert!(error <= 1e-4 * largest, "{name}: off by {error}");
}

fn compile(name: &str, model: &Model, images: Vec<Tensor>) -> Compiled {
    let description = Description::default();
    let compiler = Compiler::new(model, &description, Options::default()).calibrate(images);
    let compiled = compiler.compile().unwrap_or_else(|e| panic!("{name}: {e}"));
    let sqnr = compiled.report.outputs[0].sqnr.expect("the logits were measured");
    println!("{name}: {sqnr:.1} dB");
    assert!(sqnr >= 20.0, "{name}: {}", compiled.report);
    compiled
}

/// Output 0 of a plan, and its width: rows of values.
fn run(plan: &Plan, image: &Tensor) -> (Vec<i8>, usize) {
    let [_, channels, rows, width] = image.shape[..] else { panic!("an image") };
    let input = plan.tensor(0).unwrap();
    let step =
        |v: f32| (f64::from(v / input.scale).round() as i64 + i64::from(input.zero_point)).clamp(-128, 127) as i8;
    let at = |p: usize, c: usize| step(image.data[c * rows * width + p]);
    let pixels: Vec<i8> =
        (0..rows * width).flat_map(|p| (0..channels).map(move |c| (p, c))).map(|(p, c)| at(p, c)).collect();
    let frame = Frame::grey(rows as u32, width as u32);
    let mut arena = vec![0; plan.arena_len(frame).unwrap()];
    let mut session = Session::new(plan, frame, &mut arena).unwrap();
    let size = session.output_size(0).unwrap();
    let mut out = Vec::new();
    session
        .run(Row::I8(&pixels), |row| {
            if row.output == 0 {
                out.extend_from_slice(row.data)
            }
        })
        .unwrap();
    (out, size.width as usize)
}

#[test]
fn unet_of_2015() {
    let model = common::load("family/unet2015");
    holds_to_onnx_runtime("unet2015", &model, &frame(1, 204, 188));
    let compiled = compile("unet2015", &model, common::images(1, 220, 236, 4));
    let plan = Plan::parse(&compiled.plan).unwrap();
    assert_eq!(plan.alignment(), Alignment { multiple: [16; 2], remainder: [12; 2] });
    let image = frame(1, 572, 572);
    let (logits, width) = run(&plan, &image);
    assert_eq!((width, logits.len()), (388, 388 * 388 * 2));
}

#[test]
fn mirrored_borders_take_any_frame_and_change_nothing_inside() {
    let model = common::load("family/unet2015");
    let whole = mirrored(&model).unwrap();
    let images = common::images(1, 116, 132, 4);
    let compiled = compile("unet2015, mirrored", &whole, images);
    let plan = Plan::parse(&compiled.plan).unwrap();
    // 388 = 24 · 16 + 4 out of 572; other frames are filled up.
    assert_eq!(plan.alignment(), Alignment { multiple: [16; 2], remainder: [4; 2] });
    let image = frame(1, 260, 292);
    let (logits, width) = run(&plan, &image);
    assert_eq!((width, logits.len()), (292, 260 * 292 * 2));
    let (odd, width) = run(&plan, &frame(1, 201, 173));
    assert_eq!((width, odd.len()), (173, 201 * 173 * 2));

    // The network alone, with the same integers: the plan behind the Pad, on a part of the frame whose pixels are pooled
    // with the same neighbours: (4 + 92) is a multiple of 16.
    let alone = without_pad(&plan);
    let alone = Plan::parse(&alone).unwrap();
    let (inner, inner_width) = run(&alone, &part(&image, 4, [252, 284]));
    assert_eq!((inner_width, inner.len()), (284 - 184, (252 - 184) * (284 - 184) * 2));
    for (y, row) in inner.chunks_exact(2 * inner_width).enumerate() {
        let start = ((y + 4 + 92) * 292 + 4 + 92) * 2;
        assert!(logits[start..start + row.len()] == *row, "row {y}");
    }
}

/// Rows and columns of a grey image from `start` on.
fn part(image: &Tensor, start: usize, [rows, width]: [usize; 2]) -> Tensor {
    let of = image.shape[3];
    let pixels = (start..start + rows).flat_map(|y| image.data[y * of + start..][..width].iter().copied());
    Tensor::new(vec![1, 1, rows, width], pixels.collect()).unwrap()
}

/// The plan without its first operator.
fn without_pad(plan: &Plan) -> Vec<u8> {
    use microtome_core::plan::emit::{Spec, emit, emitted_len};
    use microtome_core::plan::record::Edge;
    use microtome_core::plan::{Op, Operator, Output};
    let tensors: Vec<_> = plan.tensors().skip(1).collect();
    let all: Vec<Operator> = plan.operators().collect();
    assert!(matches!(all[0].op, Op::Pad { .. }));
    let edges: Vec<Vec<Edge>> = all[1..]
        .iter()
        .map(|operator| {
            operator.inputs.iter().map(|edge| Edge { tensor: (edge.tensor.get() - 1).into(), ..*edge }).collect()
        })
        .collect();
    let operators: Vec<Operator> =
        all[1..].iter().zip(&edges).map(|(operator, inputs)| Operator { inputs, ..*operator }).collect();
    let outputs: Vec<Output> = plan.outputs().map(|output| Output { tensor: output.tensor - 1, ..output }).collect();
    let spec = Spec {
        tensors: &tensors,
        operators: &operators,
        outputs: &outputs,
        input: plan.input(),
        post: plan.post(),
        alignment: Alignment { multiple: [16; 2], remainder: [12; 2] },
        classes: "",
        provenance: "",
    };
    let mut bytes = vec![0; emitted_len(&spec)];
    emit(&spec, &mut bytes).unwrap();
    bytes
}

#[test]
fn fcn_8s() {
    let model = common::load("family/fcn8s");
    holds_to_onnx_runtime("fcn8s", &model, &frame(3, 32, 64));
    let compiled = compile("fcn8s", &model, common::images(3, 96, 128, 4));
    let plan = Plan::parse(&compiled.plan).unwrap();
    let (logits, width) = run(&plan, &frame(3, 96, 128));
    assert_eq!((width, logits.len()), (128, 96 * 128 * 3));
}

#[test]
fn attention_between_islands() {
    let model = common::load("family/attention");
    let frame = frame(1, 32, 48);
    holds_to_onnx_runtime("attention", &model, &frame);
    let division = divide(&model).unwrap();
    println!("{division}");
    let samples: Vec<_> = common::images(1, 64, 80, 4).into_iter().map(|image| vec![image]).collect();
    let divided = division.compile(&model, &samples, |_| {}).unwrap();
    assert_eq!(division.islands.len(), 2, "one before the attention, one with the skips around it behind it");
    // Of the kind that it was calibrated on, of another size.
    let image = common::images(1, 32, 48, 5).swap_remove(4);
    let expected = model.run_float(std::slice::from_ref(&image)).unwrap();
    let found = divided.run_float(std::slice::from_ref(&image)).unwrap();
    let quality = Quality::of(&[(found, expected)]);
    println!("attention: {quality}");
    assert!(quality.is_at_least(&Quality { sqnr: 26.0, agreement: 0.99 }), "{quality}");
}
