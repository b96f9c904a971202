//! Random single-operator cases, one function per operator.

use crate::draw::Draw;
use crate::graph::Op;
use crate::oracle::{
    Clamp, Classify, Conv, ConvTranspose, Coordinates, INDEX, Mode, Nearest, PROBABILITY, PadMode, Padding, Pool,
    Quant, Resize, Tensor, Window,
};

/// An operator, its inputs, and the channels and quantization of its output.
pub struct Case {
    /// The operator.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// Channels of the output.
    pub channels: usize,
    /// Quantization of the output.
    pub quant: Quant,
}

/// How to draw a case of an operator.
pub type DrawCase = fn(&mut Draw) -> Case;

/// Every operator of the format, by name.
pub const OPERATORS: [(&str, DrawCase); 15] = [
    ("Conv", conv),
    ("ConvTranspose", conv_transpose),
    ("MaxPool", max_pool),
    ("AveragePool", average_pool),
    ("GlobalAveragePool", global_average_pool),
    ("Resize", resize),
    ("Concat", concat),
    ("Add", add),
    ("Mul", mul),
    ("Table", table),
    ("Pad", pad),
    ("Slice", slice),
    ("ArgMax", arg_max),
    ("Softmax", softmax),
    ("Classify", classify),
];

/// A full-range input.
fn input(draw: &mut Draw, most: usize) -> Tensor {
    let (sides, channels, quant) = (draw.sides(most), draw.channels(), draw.quant());
    draw.tensor(sides, channels, quant)
}

/// Constants of a convolution of `channels` inputs into `outputs`, and an output quantization that its results fill.
pub fn constants(
    draw: &mut Draw,
    window: Window,
    group: usize,
    channels: usize,
    outputs: usize,
    input: Quant,
) -> (Conv, Quant) {
    let taps = window.kernel[0] * window.kernel[1] * (channels / group);
    let weights = draw.int8s(outputs * taps);
    let weight_scales: Vec<f32> = (0..outputs).map(|_| draw.scale()).collect();
    let spread = (taps as f32).sqrt() * 74.0 * 74.0;
    let bias = (0..outputs).map(|_| draw.real(-spread, spread) as i32).collect();
    let scale = input.scale * weight_scales[0] * spread / draw.real(20.0, 80.0);
    let quant = Quant { scale, zero_point: draw.quant().zero_point };
    (Conv { window, group, weights, weight_scales, bias, clamp: draw.clamp() }, quant)
}

/// A number of groups that divides `channels`: one, as many as there are, or any.
fn groups(draw: &mut Draw, channels: usize) -> usize {
    let divisors: Vec<usize> = (1..=channels).filter(|group| channels.is_multiple_of(*group)).collect();
    let any = draw.of(&divisors);
    draw.of(&[1, channels, any])
}

fn conv(draw: &mut Draw) -> Case {
    let x = input(draw, 13);
    let window = draw.window([x.rows, x.width], 5, true);
    let group = groups(draw, x.channels);
    // As many outputs as inputs and groups is depthwise, which has a layout of its own.
    let outputs = if group == 1 { draw.channels() } else { group * draw.of(&[1, 1, 2, 3]) };
    let (op, quant) = constants(draw, window, group, x.channels, outputs, x.quant);
    Case { op: Op::Conv(op), inputs: vec![x], channels: outputs, quant }
}

fn conv_transpose(draw: &mut Draw) -> Case {
    let x = input(draw, 7);
    loop {
        let any = (draw.pair(1, 4), draw.pair(1, 3));
        let (kernel, stride) = draw.of(&[([2, 2], [2, 2]), ([4, 4], [2, 2]), any, any]);
        let dilation = if draw.once_in(5) { draw.pair(1, 2) } else { [1, 1] };
        let most = if kernel == [4, 4] && stride == [2, 2] { 1 } else { 2 };
        let pads = [0; 4].map(|_| draw.from(0, most));
        let output_padding = if draw.once_in(3) { stride.map(|stride| draw.from(0, stride - 1)) } else { [0; 2] };
        let fits = |axis: usize| {
            let side = [x.rows, x.width][axis];
            let span = (side - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1 + output_padding[axis];
            span > pads[axis] + pads[axis + 2]
        };
        if !fits(0) || !fits(1) {
            continue;
        }
        let window = Window { kernel, stride, dilation, padding: Padding::Explicit(pads), ceil: false };
        let group = groups(draw, x.channels);
        let outputs = group * draw.from(1, 3);
        let (conv, quant) = constants(draw, window, group, x.channels, outputs, x.quant);
        let op = Op::ConvTranspose(ConvTranspose { conv, output_padding });
        return Case { op, inputs: vec![x], channels: outputs, quant };
    }
}

fn pool_window(draw: &mut Draw, x: &Tensor) -> Window {
    let window = draw.window([x.rows, x.width], 4, false);
    let ceil = matches!(window.padding, Padding::Explicit(_)) && draw.once_in(2);
    Window { ceil, ..window }
}

fn max_pool(draw: &mut Draw) -> Case {
    let x = input(draw, 13);
    let (channels, quant) = (x.channels, x.quant);
    Case { op: Op::MaxPool(pool_window(draw, &x)), inputs: vec![x], channels, quant }
}

fn average_pool(draw: &mut Draw) -> Case {
    let x = input(draw, 13);
    let op = Op::AveragePool(Pool { window: pool_window(draw, &x), count_include_pad: draw.once_in(2) });
    Case { op, channels: x.channels, inputs: vec![x], quant: draw.quant() }
}

fn global_average_pool(draw: &mut Draw) -> Case {
    let x = input(draw, 13);
    Case { op: Op::GlobalAveragePool, channels: x.channels, inputs: vec![x], quant: draw.quant() }
}

fn resize(draw: &mut Draw) -> Case {
    let x = input(draw, 8);
    let mode = match draw.from(0, 1) {
        0 => Mode::Linear,
        _ => Mode::Nearest(draw.of(&[
            Nearest::Floor,
            Nearest::Ceil,
            Nearest::RoundPreferFloor,
            Nearest::RoundPreferCeil,
        ])),
    };
    let coordinates = draw.of(&[
        Coordinates::Asymmetric,
        Coordinates::HalfPixel,
        Coordinates::PytorchHalfPixel,
        Coordinates::AlignCorners,
    ]);
    let ratios = [x.rows, x.width].map(|side| {
        loop {
            let ratio =
                draw.of(&[[1, 1], [2, 1], [2, 1], [3, 1], [4, 1], [7, 1], [3, 2], [5, 3], [1, 2], [2, 3], [1, 5]]);
            if side * ratio[0] as usize >= ratio[1] as usize {
                return ratio;
            }
        }
    });
    // Of one quantization, linear weights are as good as integers.
    let quant = if mode == Mode::Linear && draw.once_in(2) { draw.quant() } else { x.quant };
    Case { op: Op::Resize(Resize { ratios, coordinates, mode }), channels: x.channels, inputs: vec![x], quant }
}

fn concat(draw: &mut Draw) -> Case {
    let sides = draw.sides(9);
    let shared = draw.quant();
    let same = draw.once_in(3);
    let inputs: Vec<Tensor> = (0..draw.from(2, 4))
        .map(|_| {
            let (channels, quant) = (draw.channels(), if same { shared } else { draw.quant() });
            draw.tensor(sides, channels, quant)
        })
        .collect();
    Case { op: Op::Concat, channels: inputs.iter().map(|x| x.channels).sum(), inputs, quant: shared }
}

/// A tensor and a second one of its shape, or of one pixel, or of one channel, or of both.
fn two(draw: &mut Draw) -> Vec<Tensor> {
    let a = input(draw, 9);
    let sides = draw.of(&[[a.rows, a.width], [a.rows, a.width], [1, 1]]);
    let (channels, quant) = (draw.of(&[a.channels, a.channels, 1]), draw.quant());
    let b = draw.tensor(sides, channels, quant);
    vec![a, b]
}

fn add(draw: &mut Draw) -> Case {
    let inputs = two(draw);
    let op = Op::Add { sign: draw.of(&[1.0, -1.0]), clamp: draw.clamp() };
    Case { op, channels: inputs[0].channels, inputs, quant: draw.quant() }
}

fn mul(draw: &mut Draw) -> Case {
    let inputs = two(draw);
    let scale = inputs[0].quant.scale * inputs[1].quant.scale * draw.of(&[1.0, 64.0, 77.3]);
    let quant = Quant { scale, zero_point: draw.int8() };
    Case { op: Op::Mul { clamp: draw.clamp() }, channels: inputs[0].channels, inputs, quant }
}

fn table(draw: &mut Draw) -> Case {
    let x = input(draw, 9);
    let count = if draw.once_in(2) { 1 } else { x.channels };
    Case { op: Op::Table(draw.int8s(256 * count)), channels: x.channels, inputs: vec![x], quant: draw.quant() }
}

fn pad(draw: &mut Draw) -> Case {
    let x = input(draw, 9);
    let mode = match draw.from(0, 2) {
        0 => PadMode::Constant(draw.int8()),
        1 => PadMode::Reflect,
        _ => PadMode::Edge,
    };
    let most = |side: usize| if mode == PadMode::Reflect { (side - 1).min(4) } else { 4 };
    let most = [most(x.rows), most(x.width)];
    let pads = [0, 1, 0, 1].map(|axis| draw.from(0, most[axis]));
    Case { op: Op::Pad { pads, mode }, channels: x.channels, quant: x.quant, inputs: vec![x] }
}

fn slice(draw: &mut Draw) -> Case {
    let x = input(draw, 9);
    let before = [x.rows, x.width].map(|side| draw.from(0, side - 1));
    let after = [0, 1].map(|axis| draw.from(0, [x.rows, x.width][axis] - before[axis] - 1));
    let channel = draw.from(0, x.channels - 1);
    let channels = draw.from(1, x.channels - channel);
    let op = Op::Slice { cut: [before[0], before[1], after[0], after[1]], channel };
    Case { op, channels, quant: x.quant, inputs: vec![x] }
}

fn arg_max(draw: &mut Draw) -> Case {
    let mut x = input(draw, 9);
    if draw.once_in(2) {
        // Few values: many equals.
        x.data.iter_mut().for_each(|value| *value = value.signum());
    }
    Case { op: Op::ArgMax, inputs: vec![x], channels: 1, quant: INDEX }
}

fn softmax(draw: &mut Draw) -> Case {
    let x = input(draw, 9);
    Case { op: Op::Softmax, channels: x.channels, inputs: vec![x], quant: PROBABILITY }
}

fn classify(draw: &mut Draw) -> Case {
    let (sides, threshold) = (draw.sides(9), draw.int8());
    let (op, channels) = if draw.once_in(2) {
        (Classify::Above { threshold }, 1)
    } else {
        let object = draw.of(&[1, 2]);
        (Classify::InteriorBorder { object, border: 3 - object, threshold }, 3)
    };
    let x = draw.tensor(sides, channels, PROBABILITY);
    Case { op: Op::Classify(op), inputs: vec![x], channels: 1, quant: INDEX }
}

/// A convolution whose accumulators come as near to 32 bits as a plan may let them: every product at its largest.
pub fn heaviest_conv(draw: &mut Draw) -> Case {
    let (channels, weight) = (4096, draw.of(&[127_i8, -128]));
    let quant = Quant { scale: 1.0, zero_point: draw.of(&[-128, 127]) };
    let far = if quant.zero_point < 0 { 127 } else { -128 };
    let x = Tensor::from_fn([4, 4, channels], quant, |_, _, _| far);
    let window =
        Window { kernel: [4, 4], stride: [1, 1], dilation: [1, 1], padding: Padding::Explicit([0; 4]), ceil: false };
    let accumulator = i64::from(weight) * (i64::from(far) - i64::from(quant.zero_point)) * 16 * channels as i64;
    let room = i64::from(i32::MAX) - 255 * i64::from(weight.unsigned_abs()) * 16 * channels as i64;
    let op = Conv {
        window,
        group: 1,
        weights: vec![weight; 16 * channels],
        weight_scales: vec![1.0],
        bias: vec![(room * accumulator.signum()) as i32],
        clamp: Clamp::FULL,
    };
    let out = Quant { scale: i32::MAX as f32 / 100.0, zero_point: 0 };
    Case { op: Op::Conv(op), inputs: vec![x], channels: 1, quant: out }
}
