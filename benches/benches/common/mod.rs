//! What both benches share: a network of the conformance suite as a plan, and its sessions.

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput};
use microtome_core::{Frame, Kernel, Plan, Row, Session, Setup};
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::graph::{Graph, Op};
use microtome_tests::oracle::Conv;
use microtome_tests::run::arena_len;

/// Criterion, so that all kernels of all cases take minutes and no files are drawn.
pub fn criterion() -> Criterion {
    Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args()
}

/// Multiply-accumulates of a frame, or the values that it makes where nothing is multiplied.
pub fn work(graph: &Graph, frame: Frame) -> u64 {
    let mut sides = vec![[frame.height as usize, frame.width as usize]];
    let (mut macs, mut values) = (0, 0);
    for node in &graph.nodes {
        let [rows, width] = sides[node.inputs[0].tensor].map(|side| side * node.inputs[0].upsample);
        let deep = |conv: &Conv| conv.weights.len();
        let halved = |side: usize, stride: usize| side.div_ceil(stride);
        let out = match &node.op {
            Op::Conv(conv) => {
                let [down, right] = conv.window.stride;
                let out = [halved(rows, down), halved(width, right)];
                macs += out[0] * out[1] * deep(conv);
                out
            }
            Op::ConvTranspose(op) => {
                macs += rows * width * deep(&op.conv);
                [rows * op.conv.window.stride[0], width * op.conv.window.stride[1]]
            }
            Op::MaxPool(window) => [halved(rows, window.stride[0]), halved(width, window.stride[1])],
            Op::Resize(op) => {
                [(rows, op.ratios[0]), (width, op.ratios[1])].map(|(side, [by, of])| side * by as usize / of as usize)
            }
            _ => [rows, width],
        };
        values += out[0] * out[1] * node.channels;
        sides.push(out);
    }
    if macs > 0 { macs as u64 } else { values as u64 }
}

/// Runs frames through the plan of `graph` with every kernel that this CPU has; the throughput is that of [`work`].
pub fn every_kernel(group: &mut BenchmarkGroup<WallTime>, case: &str, graph: &Graph, frame: Frame) {
    let bytes = plan(graph, &Schedule::tight(graph, STRIP, frame));
    let plan = Plan::parse(&bytes).expect("the suite emits valid plans");
    let values = frame.height as usize * frame.width as usize * graph.channels;
    let pixels: Vec<i8> = (0..values).map(|at| (at * 89 % 251) as i8).collect();
    group.throughput(Throughput::Elements(work(graph, frame)));
    for &kernel in Kernel::available().iter() {
        let setup = Setup::alone(kernel);
        let mut arena = vec![0; arena_len(&plan, frame, &setup).expect("the frame fits")];
        let mut session = Session::open(&plan, frame, &mut arena, setup).expect("the arena is exact");
        group.bench_function(BenchmarkId::new(case, kernel.name()), |bencher| {
            bencher.iter(|| {
                let mut sum = 0usize;
                session.run(Row::I8(&pixels), |row| sum += row.data.len()).expect("a whole frame");
                sum
            });
        });
    }
}

/// Rows of a step, as the compiler chooses them.
const STRIP: u16 = 1;
