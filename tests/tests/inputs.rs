//! Plans of several inputs: the frame, and others whose sides are a share of its.

use microtome_core::plan::emit::{Spec, emit, emitted_len};
use microtome_core::plan::record::Edge;
use microtome_core::plan::{
    Alignment, Coordinates, Input, Levels, Nearest, Normalization, Op, Operator, Order, Output, Plan, Post, Resize,
    Role, TALL, Task, Tensor,
};
use microtome_core::quant::Clamp;
use microtome_core::{Frame, Row, Session, SessionError};

/// `frame + enlarged(coarse) + vector`, all of one scale; the coarse input is a quarter of the frame's rows and half of its
/// width. `ring` is how many rows of each tensor are kept.
fn plan(ring: u32) -> Vec<u8> {
    let tensor = Tensor { channels: 2, scale: 1.0, zero_point: 0, ring };
    let tensors = [tensor; 6];
    let add = Op::Add { factor: [1.0, 1.0], clamp: Clamp::FULL };
    let resize = Resize {
        ratio: [[4, 1], [2, 1]],
        coordinates: Coordinates::Asymmetric,
        nearest: Some(Nearest::Floor),
        factor: 1.0,
    };
    let operators = [
        ("coarse", Op::Input([[1, 4], [1, 2]]), vec![0]),
        ("vector", Op::Input([[0, 1], [0, 1]]), vec![0]),
        ("enlarged", Op::Resize(resize), vec![1]),
        ("sum", add, vec![0, 3]),
        ("shifted", add, vec![4, 2]),
    ];
    let edges: Vec<Vec<Edge>> =
        operators.iter().map(|(_, _, inputs)| inputs.iter().map(|&tensor| Edge::new(tensor)).collect()).collect();
    let operators: Vec<Operator> = operators
        .iter()
        .zip(&edges)
        .map(|((name, op, _), inputs)| Operator { name, inputs, strip: 1, op: *op })
        .collect();
    let spec = Spec {
        tensors: &tensors,
        operators: &operators,
        outputs: &[Output { tensor: 5, role: Role::Raw, name: "shifted" }],
        input: Input {
            normalization: Normalization::Fixed(Levels { low: 0.0, high: 255.0 }),
            order: Order::Rgb,
            gain: [1.0; 4],
            offset: [0.0; 4],
        },
        post: Post { task: Task::None, min_area: 0, grow: 0.0, threshold: 0.5 },
        alignment: Alignment { multiple: [4, 2], remainder: [0, 0] },
        classes: "",
        provenance: "",
    };
    let mut bytes = vec![0; emitted_len(&spec)];
    emit(&spec, &mut bytes).expect("a plan");
    bytes
}

/// Values that differ from place to place.
fn values(count: usize, seed: usize) -> Vec<i8> {
    (0..count).map(|i| ((i * 37 + seed * 11) % 61) as i8 - 30).collect()
}

#[test]
fn every_input_is_read_where_it_belongs() {
    for ring in [TALL, 5] {
        let bytes = plan(ring);
        let plan = Plan::parse(&bytes).expect("the plan is right");
        assert_eq!(plan.other_inputs().collect::<Vec<_>>(), [1, 2]);
        for (rows, width) in [(4, 2), (16, 6), (40, 34)] {
            let frame = Frame::grey(rows as u32, width as u32);
            let mut arena = vec![0; plan.arena_len(frame).expect("a size that fits")];
            let mut session = Session::new(&plan, frame, &mut arena).expect("an arena that is long enough");
            // A session serves one frame after another.
            for seed in 0..2 {
                let image = values(rows * width * 2, seed);
                let (coarse, vector) = (values(rows / 4 * (width / 2) * 2, seed + 7), values(2, seed + 9));
                let mut found = Vec::new();
                let sink = |row: microtome_core::OutputRow| found.extend_from_slice(row.data);
                session.run_with(Row::I8(&image), &[&coarse, &vector], sink).expect("inputs of the plan's sizes");
                let expected = (0..rows * width * 2).map(|i| {
                    let (y, x, c) = (i / (width * 2), i / 2 % width, i % 2);
                    image[i] + coarse[(y / 4 * (width / 2) + x / 2) * 2 + c] + vector[c]
                });
                assert!(found.iter().copied().eq(expected), "{width}x{rows}, rings of {ring}");
            }
        }
    }
}

#[test]
fn what_is_missing_is_said() {
    let bytes = plan(TALL);
    let plan = Plan::parse(&bytes).expect("the plan is right");
    let frame = Frame::grey(8, 4);
    let mut arena = vec![0; plan.arena_len(frame).expect("a size that fits")];
    let mut session = Session::new(&plan, frame, &mut arena).expect("an arena that is long enough");
    let (image, coarse, vector) = (values(64, 0), values(8, 1), values(2, 2));
    let one = SessionError::Inputs { found: 1, expected: 3 };
    assert_eq!(session.push(Row::I8(&image[..8]), |_| ()), Err(one));
    assert_eq!(session.run(Row::I8(&image), |_| ()), Err(one));
    let short = session.run_with(Row::I8(&image), &[&coarse[1..], &vector], |_| ());
    assert_eq!(short, Err(SessionError::RowLength { found: 7, expected: 8 }));
    assert_eq!(session.run_with(Row::I8(&image), &[&coarse, &vector], |_| ()), Ok(()));
    assert_eq!(one.to_string(), "session: 1 inputs were given, the plan has 3");
}
