//! A small U-Net through a session: the arena, its alignment, strips and frames. (Every operator is held to an oracle in
//! the tests crate; this is what Miri sees.)

use std::vec;
use std::vec::Vec;

use zerocopy::little_endian::{F32, I32};

use super::{Frame, Row, Session};
use crate::error::SessionError;
use crate::plan::emit::{Spec, emit, emitted_len};
use crate::plan::record::Edge;
use crate::plan::{
    Alignment, Conv, Input, Levels, Normalization, Op, Operator, Order, Output, Plan, Post, Role, TALL, Task, Tensor,
};
use crate::quant::Clamp;
use crate::shape::{Padding, Window};

// Odd, to be padded; and small, as Miri takes its time.
const HEIGHT: u32 = 5;
const WIDTH: u32 = 7;

/// Conv 1→2, MaxPool, Conv 2→3, Conv over both levels → 1, with these rings and rows per step.
fn unet(rings: [u32; 5], strip: u16) -> Vec<u8> {
    let shapes = [(2, 1), (3, 2), (1, 5)];
    let weights: Vec<Vec<i8>> =
        shapes.map(|(outputs, inputs)| (0..outputs * inputs * 9).map(|i| (i * 29 % 23) as i8 - 11).collect()).into();
    let (bias, scales) = (vec![I32::new(40); 3], vec![F32::new(0.01); 3]);
    let window = |kernel: u16, stride: u16, pad: u16| Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1; 2],
        padding: Padding::Explicit([pad; 4]),
        ceil: false,
    };
    let (one, two, three) = ([Edge::new(0)], [Edge::new(1)], [Edge::new(2)]);
    let both = [Edge::new(1), Edge::upsampled(3, 2)];
    let operator = |inputs, op| Operator { name: "", inputs, strip, op };
    let operators = [
        operator(&one[..], conv(&weights[0], &bias, &scales, window(3, 1, 1), 2)),
        operator(&two, Op::MaxPool(window(2, 2, 0))),
        operator(&three, conv(&weights[1], &bias, &scales, window(3, 1, 1), 3)),
        operator(&both, conv(&weights[2], &bias, &scales, window(3, 1, 1), 1)),
    ];
    let channels = [1, 2, 2, 3, 1];
    let tensors: Vec<Tensor> = channels
        .iter()
        .zip(rings)
        .map(|(&channels, ring)| Tensor { channels, scale: 0.5, zero_point: -3, ring })
        .collect();
    let spec = Spec {
        tensors: &tensors,
        operators: &operators,
        outputs: &[Output { tensor: 4, role: Role::Raw, name: "out" }],
        input: Input {
            normalization: Normalization::Fixed(Levels { low: 0.0, high: 255.0 }),
            order: Order::Rgb,
            gain: [50.0; 4],
            offset: [0.0; 4],
        },
        post: Post { task: Task::None, min_area: 0, grow: 0.0, threshold: 0.5 },
        alignment: Alignment { multiple: [2; 2], remainder: [0; 2] },
        classes: "",
        provenance: "test=yes",
    };
    let mut bytes = vec![0; emitted_len(&spec)];
    assert_eq!(emit(&spec, &mut bytes), Some(bytes.len()));
    bytes
}

fn conv<'a>(weights: &'a [i8], bias: &'a [I32], scales: &'a [F32], window: Window, outputs: usize) -> Op<'a> {
    let (bias, scales) = (&bias[..outputs], &scales[..outputs]);
    Op::Conv(Conv { window, group: 1, weights, bias, scales, clamp: Clamp::FULL })
}

/// The rings that a schedule with endless ones fills.
fn rings(strip: u16) -> [u32; 5] {
    let bytes = unet([TALL; 5], strip);
    let plan = Plan::parse(&bytes).unwrap();
    let mut most = [1; 5];
    let mut scratch = vec![0; plan.scratch_len()];
    plan.run_dry(Frame::grey(16, WIDTH), &mut scratch, |tensor, rows| most[tensor] = most[tensor].max(rows)).unwrap();
    most
}

fn frame(seed: u32) -> Vec<u8> {
    (0..HEIGHT * WIDTH).map(|i| (i * 7919 + seed * 104_729) as u8).collect()
}

fn run(session: &mut Session, pixels: &[u8]) -> Vec<i8> {
    let mut out = Vec::new();
    session.run(Row::U8(pixels), |row| out.extend_from_slice(row.data)).unwrap();
    assert_eq!(out.len(), (HEIGHT * WIDTH) as usize);
    out
}

#[test]
fn an_exact_arena_serves_at_any_alignment_and_one_byte_less_does_not() {
    let bytes = unet(rings(1), 1);
    let plan = Plan::parse(&bytes).unwrap();
    let size = Frame::grey(HEIGHT, WIDTH);
    let len = plan.arena_len(size).unwrap();
    let mut memory = vec![0; len + 3];
    let expected = run(&mut Session::new(&plan, size, &mut memory[..len]).unwrap(), &frame(1));
    for start in [1, 3] {
        let mut session = Session::new(&plan, size, &mut memory[start..start + len]).unwrap();
        assert_eq!(run(&mut session, &frame(1)), expected);
    }
    let short = Session::new(&plan, size, &mut memory[..len - 1]).err();
    assert_eq!(short, Some(SessionError::ArenaTooShort { found: len - 1, expected: len }));
}

#[test]
fn strips_and_earlier_frames_change_nothing() {
    let size = Frame::grey(HEIGHT, WIDTH);
    let outputs = [1, 2].map(|strip| {
        let bytes = unet(rings(strip), strip);
        let plan = Plan::parse(&bytes).unwrap();
        let mut arena = vec![0; plan.arena_len(size).unwrap()];
        let mut session = Session::new(&plan, size, &mut arena).unwrap();
        let first = run(&mut session, &frame(1));
        assert!(first.iter().any(|&value| value != first[0]));
        run(&mut session, &frame(2));
        assert_eq!(
            session.push(Row::U8(&[0; 3]), |_| {}),
            Err(SessionError::RowLength { found: 3, expected: WIDTH as usize })
        );
        assert_eq!(session.finish(|_| {}), Err(SessionError::TooFewRows { found: 0, height: HEIGHT }));
        assert_eq!(run(&mut session, &frame(1)), first);
        first
    });
    assert_eq!(outputs[0], outputs[1]);
}

#[test]
fn a_ring_too_short_is_found_when_the_session_is_opened() {
    let mut short = rings(1);
    short[1] -= 1;
    let bytes = unet(short, 1);
    let plan = Plan::parse(&bytes).unwrap();
    let size = Frame::grey(16, WIDTH);
    let mut arena = vec![0; plan.arena_len(size).unwrap()];
    let error = Session::new(&plan, size, &mut arena).err();
    assert_eq!(error, Some(SessionError::RingTooShort { tensor: 1, rows: short[1] }));
}
