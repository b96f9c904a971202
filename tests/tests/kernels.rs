//! Every kernel against the scalar one, on convolutions of all the shapes that tiles care about: channels around the widths of
//! registers, widths around those of tiles, windows of every kind, and numbers that fill their 8, 16 and 32 bits; and on the
//! doubling of an image.
//!
//! The oracle is not asked here: it holds the scalar kernel, in `ops`.

use microtome_core::Kernel;
use microtome_tests::draw::{Draw, for_seeds};
use microtome_tests::emit::Schedule;
use microtome_tests::graph::{Graph, Input, Op};
use microtome_tests::oracle::{Clamp, Conv, ConvTranspose, Coordinates, Mode, Padding, Quant, Resize, Tensor, Window};
use microtome_tests::run::run_with;

/// Numbers of channels: few, and around 4, 8, 16, 32 and 64.
const CHANNELS: [usize; 17] = [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 24, 31, 32, 33, 48, 64];

/// Runs a frame with every kernel, in strips of `strip` rows. `what` is said where one disagrees.
fn agree(graph: &Graph, frame: &Tensor, strip: usize, what: impl Fn() -> String) {
    let schedule = Schedule::whole(graph, strip as u16);
    let definition = run_with(graph, &schedule, frame, Kernel::Scalar);
    for &kernel in &*Kernel::available() {
        let found = run_with(graph, &schedule, frame, kernel);
        let wrong = found.iter().flatten().zip(definition.iter().flatten()).position(|(found, right)| found != right);
        assert!(
            wrong.is_none(),
            "kernel {} disagrees with the scalar one at value {wrong:?}: {}",
            kernel.name(),
            what()
        );
    }
}

/// A window of `kernel` rows and columns that keeps the size where the stride is 1.
fn window(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) -> Window {
    let pads = [0, 1, 2, 3].map(|side| ((kernel[side % 2] - 1) * dilation[side % 2] + side / 2) / 2);
    Window { kernel, stride, dilation, padding: Padding::Explicit(pads), ceil: false }
}

/// Weights of all of int8, or without −128, which has a path of its own, or as heavy as can be.
fn weights(draw: &mut Draw, count: usize) -> Vec<i8> {
    match draw.from(0, 4) {
        0 => vec![i8::MIN; count],
        1 => draw.int8s(count),
        _ => draw.int8s(count).into_iter().map(|weight| weight.max(-127)).collect(),
    }
}

/// A convolution of `taps` products per output, and the quantization of an output that its results fill, or exceed.
fn conv(draw: &mut Draw, window: Window, group: usize, taps: usize, outputs: usize, input: Quant) -> (Conv, Quant) {
    let weights = weights(draw, outputs * taps);
    let weight_scales: Vec<f32> = (0..outputs).map(|_| draw.scale()).collect();
    let heaviest = taps as f32 * 128.0 * 128.0;
    let bias = (0..outputs).map(|_| draw.real(-heaviest, heaviest) as i32).collect();
    // A half of the largest sum is 128 steps of the output, or far more than 16 bits hold.
    let gain = draw.of(&[1.0, 1.0, 8.0, 3000.0]);
    let scale = input.scale * weight_scales[0] * heaviest / (256.0 * gain);
    (Conv { window, group, weights, weight_scales, bias, clamp: draw.clamp() }, Quant { scale, ..draw.quant() })
}

/// A frame: any values, or the largest negative ones.
fn frame(draw: &mut Draw, sides: [usize; 2], channels: usize, quant: Quant) -> Tensor {
    if draw.once_in(4) {
        return Tensor::from_fn([sides[0], sides[1], channels], quant, |_, _, _| i8::MIN);
    }
    draw.tensor(sides, channels, quant)
}

/// One convolution of the frame.
fn check_conv(draw: &mut Draw, sides: [usize; 2], channels: [usize; 2], window: Window, group: usize) {
    let [inputs, outputs] = channels;
    let quant = draw.quant();
    let taps = window.kernel[0] * window.kernel[1] * inputs / group;
    let (conv, out) = conv(draw, window, group, taps, outputs, quant);
    let frame = frame(draw, sides, inputs, quant);
    let mut graph = Graph::new(inputs, quant);
    let made = graph.push(Op::Conv(conv), &[0.into()], outputs, out);
    graph.outputs = vec![made];
    agree(&graph, &frame, draw.from(1, 3), || {
        format!("{channels:?} channels, {group} groups, {sides:?}, {window:?}, {quant:?} to {out:?}")
    });
}

#[test]
fn channels_in_and_out() {
    for inputs in CHANNELS {
        for_seeds(&format!("{inputs} channels in"), 1, |draw| {
            for outputs in CHANNELS {
                for kernel in [1, 3] {
                    let sides = [draw.from(1, 3), draw.from(1, 20)];
                    check_conv(draw, sides, [inputs, outputs], window([kernel; 2], [1; 2], [1; 2]), 1);
                }
            }
        });
    }
}

#[test]
fn widths() {
    for width in 1..=40 {
        for_seeds(&format!("width {width}"), 1, |draw| {
            for channels in [[1, 8], [8, 8], [8, 1], [16, 16], [24, 8], [32, 3], [5, 33]] {
                for kernel in [1, 3] {
                    check_conv(draw, [2, width], channels, window([kernel; 2], [1; 2], [1; 2]), 1);
                }
            }
        });
    }
}

#[test]
fn windows() {
    for_seeds("windows", 250, |draw| {
        let channels = [draw.of(&CHANNELS), draw.of(&CHANNELS)];
        let any = draw.pair(1, 7);
        let kernel = draw.of(&[[1, 1], [3, 3], [5, 5], [7, 7], [1, 3], [3, 1], any]);
        let (stride, dilation) = (draw.pair(1, 3), if draw.once_in(2) { draw.pair(1, 3) } else { [1; 2] });
        let sides = [draw.from(1, 4), draw.from(1, 24)];
        check_conv(draw, sides, channels, window(kernel, stride, dilation), 1);
    });
}

#[test]
fn two_inputs_of_which_one_is_enlarged() {
    for_seeds("two inputs", 120, |draw| {
        let (skip, deep, outputs) = (draw.of(&CHANNELS), draw.of(&CHANNELS), draw.of(&CHANNELS));
        let quant = draw.quant();
        let kernel = draw.of(&[1, 3, 3, 5]);
        let window = window([kernel; 2], [1; 2], [1; 2]);
        let (op, out) = conv(draw, window, 1, kernel * kernel * (skip + deep), outputs, quant);
        let sides = [2 * draw.from(1, 2), 2 * draw.from(1, 12)];
        let frame = frame(draw, sides, skip + deep, quant);
        let mut graph = Graph::new(skip + deep, quant);
        let halve = window_of_two();
        let first = graph.push(Op::Slice { cut: [0; 4], channel: 0 }, &[0.into()], skip, quant);
        let second = graph.push(Op::Slice { cut: [0; 4], channel: skip }, &[0.into()], deep, quant);
        let second = graph.push(Op::MaxPool(halve), &[second.into()], deep, quant);
        let mut edges = [Input::from(first), Input { tensor: second, upsample: 2 }];
        if draw.once_in(2) {
            edges.reverse();
        }
        let made = graph.push(Op::Conv(op), &edges, outputs, out);
        graph.outputs = vec![made];
        agree(&graph, &frame, draw.from(1, 3), || {
            format!("{skip} and {deep} channels to {outputs}, {sides:?}, kernel {kernel}")
        });
    });
}

/// 2x2 in steps of 2.
fn window_of_two() -> Window {
    Window { kernel: [2; 2], stride: [2; 2], dilation: [1; 2], padding: Padding::Explicit([0; 4]), ceil: false }
}

#[test]
fn depthwise() {
    for channels in 1..=70 {
        for_seeds(&format!("depthwise of {channels}"), 3, |draw| {
            let any = draw.pair(1, 7);
            let kernel = draw.of(&[[3, 3], [3, 3], [5, 5], any]);
            let stride = draw.of(&[[1, 1], [1, 1], [2, 2]]);
            let dilation = draw.of(&[[1, 1], [1, 1], [2, 2]]);
            let sides = [draw.from(1, 4), draw.from(1, 20)];
            check_conv(draw, sides, [channels; 2], window(kernel, stride, dilation), channels);
        });
    }
}

#[test]
fn transposed_side_by_side() {
    for_seeds("transposed", 60, |draw| {
        let (inputs, outputs) = (draw.of(&CHANNELS), draw.of(&CHANNELS));
        let quant = draw.quant();
        let (conv, out) = conv(draw, window_of_two(), 1, 4 * inputs, outputs, quant);
        let sides = [draw.from(1, 3), draw.from(1, 20)];
        let frame = frame(draw, sides, inputs, quant);
        let mut graph = Graph::new(inputs, quant);
        let op = Op::ConvTranspose(ConvTranspose { conv, output_padding: [0; 2] });
        let made = graph.push(op, &[0.into()], outputs, out);
        graph.outputs = vec![made];
        agree(&graph, &frame, draw.from(1, 3), || format!("{inputs} channels to {outputs}, {sides:?}"));
    });
}

#[test]
fn doubled_linearly() {
    // To the same quantization, as compilers leave it, or to another; every sum of four values comes up at small widths.
    for_seeds("doubled", 200, |draw| {
        let channels = draw.of(&CHANNELS);
        let quant = Quant { zero_point: draw.of(&[-128, -128, -3, 0, 1, 127]), scale: draw.scale() };
        let out = if draw.once_in(3) { draw.quant() } else { quant };
        let sides = [draw.from(1, 4), draw.from(1, 20)];
        let frame = frame(draw, sides, channels, quant);
        let mut graph = Graph::new(channels, quant);
        let resize = Resize { ratios: [[2, 1]; 2], coordinates: Coordinates::HalfPixel, mode: Mode::Linear };
        let made = graph.push(Op::Resize(resize), &[0.into()], channels, out);
        graph.outputs = vec![made];
        agree(&graph, &frame, draw.from(1, 3), || format!("{channels} channels, {sides:?}, {quant:?} to {out:?}"));
    });
}

#[test]
fn rounding_of_every_sum() {
    // A 1x1 convolution of one channel by 1, and a scale that puts many sums on ties; every zero point, as some ways to
    // round depend on whether it is even.
    for zero_point in [-128, -127, -1, 0, 1, 64, 126, 127] {
        let quant = Quant { scale: 1.0, zero_point: 0 };
        for (scale, clamp) in
            [(2.0, Clamp::FULL), (0.5, Clamp::FULL), (4.0, Clamp { low: -100, high: 100 }), (1e-6, Clamp::FULL)]
        {
            let weight_scales = vec![1.0; 9];
            let bias = (0..9).map(|channel| 40 * channel - 160).collect();
            let conv = Conv {
                window: window([1; 2], [1; 2], [1; 2]),
                group: 1,
                weights: vec![1; 9],
                weight_scales,
                bias,
                clamp,
            };
            let frame = Tensor::from_fn([1, 256, 1], quant, |_, x, _| (x as i32 - 128) as i8);
            let mut graph = Graph::new(1, quant);
            let made = graph.push(Op::Conv(conv), &[0.into()], 9, Quant { scale, zero_point });
            graph.outputs = vec![made];
            agree(&graph, &frame, 1, || format!("scale {scale}, zero point {zero_point}, {clamp:?}"));
        }
    }
}
