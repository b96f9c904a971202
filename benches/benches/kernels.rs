//! One operator per bench, by every kernel that this CPU has, at the widths where a U-Net on a 256 pixel wide frame has
//! it. Elements per second are multiply-accumulates per second, or output values where nothing is multiplied.
//!
//!     cargo bench -p microtome-benches --bench kernels -- 'conv 3x3'

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use microtome_core::Frame;
use microtome_tests::cases::constants;
use microtome_tests::draw::Draw;
use microtome_tests::graph::{Graph, Op};
use microtome_tests::oracle::{
    Clamp, ConvTranspose, Coordinates, Mode, PROBABILITY, Padding, Quant, Resize, Window, table_of,
};

/// Rows of a frame: enough that the first ones, which only fill the rings, do not count.
const ROWS: u32 = 64;
const QUANT: Quant = Quant { scale: 0.05, zero_point: -128 };
/// 2x2 in steps of 2.
const HALVE: Window =
    Window { kernel: [2; 2], stride: [2; 2], dilation: [1; 2], padding: Padding::Explicit([0; 4]), ceil: false };

/// A window of `kernel` x `kernel` that keeps the size.
fn square(kernel: usize) -> Window {
    let padding = Padding::Explicit([kernel / 2; 4]);
    Window { kernel: [kernel; 2], stride: [1; 2], dilation: [1; 2], padding, ceil: false }
}

/// A network of one operator.
fn only(op: Op, inputs: usize, outputs: usize, quant: Quant) -> Graph {
    let mut graph = Graph::new(inputs, QUANT);
    let made = graph.push(op, &[0.into()], outputs, quant);
    graph.outputs = vec![made];
    graph
}

fn conv(kernel: usize, group: usize, inputs: usize, outputs: usize) -> Graph {
    let mut draw = Draw::new("kernels", 0);
    let (mut op, quant) = constants(&mut draw, square(kernel), group, inputs, outputs, QUANT);
    op.clamp = Clamp::FULL;
    only(Op::Conv(op), inputs, outputs, quant)
}

fn transposed(inputs: usize, outputs: usize) -> Graph {
    let mut draw = Draw::new("kernels", 0);
    let (mut conv, quant) = constants(&mut draw, HALVE, 1, inputs, outputs, QUANT);
    conv.clamp = Clamp::FULL;
    only(Op::ConvTranspose(ConvTranspose { conv, output_padding: [0; 2] }), inputs, outputs, quant)
}

fn kernels(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("kernels");
    let mut bench = |case: &str, width: u32, graph: &Graph| {
        common::every_kernel(&mut group, case, graph, Frame::grey(ROWS, width));
    };
    let sizes = [(1, 8, 256), (8, 8, 256), (16, 8, 256), (24, 8, 256), (16, 16, 128), (32, 32, 64), (64, 64, 32)];
    for (inputs, outputs, width) in sizes {
        bench(&format!("conv 3x3 {inputs}→{outputs}"), width, &conv(3, 1, inputs, outputs));
    }
    bench("conv 1x1 8→8", 256, &conv(1, 1, 8, 8));
    bench("depthwise 3x3 8", 256, &conv(3, 8, 8, 8));
    bench("depthwise 3x3 32", 64, &conv(3, 32, 32, 32));
    bench("transposed 2x2 16→8", 128, &transposed(16, 8));
    let linear = Resize { ratios: [[2, 1]; 2], coordinates: Coordinates::HalfPixel, mode: Mode::Linear };
    bench("linear resize 16", 128, &only(Op::Resize(linear), 16, 16, QUANT));
    bench("max-pool 2x2 8", 256, &only(Op::MaxPool(HALVE), 8, 8, QUANT));
    let sigmoid = table_of(QUANT, PROBABILITY, |x| 1.0 / (1.0 + (-x).exp()));
    bench("table 8", 256, &only(Op::Table(sigmoid.to_vec()), 8, 8, PROBABILITY));
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = kernels }
criterion_main!(benches);
