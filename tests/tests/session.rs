//! Whole networks: row by row against layer by layer, in every strip height, in the smallest arena, frame after frame.

use microtome_core::{Frame, Kernel, Plan, Row, Session, SessionError, Setup};
use microtome_tests::draw::{Draw, for_seeds};
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::graph::Graph;
use microtome_tests::networks::{slim_unet, unet};
use microtome_tests::oracle::Tensor;
use microtome_tests::run::{arena_len, frame_of, run, run_with, through};

fn frame_for(draw: &mut Draw, graph: &Graph) -> Tensor {
    let sides = draw.sides(26);
    draw.tensor(sides, graph.channels, graph.quant)
}

fn expected(graph: &Graph, frame: &Tensor) -> Vec<Vec<i8>> {
    graph.run(frame).into_iter().map(|output| output.data).collect()
}

#[test]
fn networks_row_by_row_equal_the_oracle_layer_by_layer() {
    let mut values = 0;
    for_seeds("networks", 120, |draw| {
        let graph = unet(draw);
        let frame = frame_for(draw, &graph);
        let found = run(&graph, &frame);
        let equal = found == expected(&graph, &frame);
        assert!(equal, "{:?} differs: {graph:?}", frame.shape());
        values += found.iter().map(Vec::len).sum::<usize>();
    });
    println!("networks: 120, {values} values equal");
}

#[test]
fn strips_change_no_byte() {
    for_seeds("strips", 25, |draw| {
        let graph = unet(draw);
        let frame = frame_for(draw, &graph);
        let expected = expected(&graph, &frame);
        for strip in [1, 2, 3, 5, 16, 400] {
            for schedule in [Schedule::tight(&graph, strip, frame_of(&frame)), Schedule::whole(&graph, strip)] {
                let equal =
                    Kernel::available().iter().all(|&kernel| run_with(&graph, &schedule, &frame, kernel) == expected);
                assert!(equal, "strips of {strip}, {:?}: {schedule:?} of {graph:?}", frame.shape());
            }
        }
    });
}

#[test]
fn the_arena_is_exact() {
    for_seeds("arenas", 40, |draw| {
        let graph = unet(draw);
        let frame = frame_for(draw, &graph);
        let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame_of(&frame)));
        let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
        let len = plan.arena_len(frame_of(&frame)).expect("the frame fits");
        let mut arena = vec![0; len];
        for short in [len - 1, len / 2, 1, 0] {
            match Session::new(&plan, frame_of(&frame), &mut arena[..short]).err() {
                Some(SessionError::ArenaTooShort { found, .. }) => assert_eq!(found, short),
                other => panic!("an arena of {short} bytes, of {len}: {other:?}"),
            }
        }
        let error = Session::new(&plan, frame_of(&frame), &mut arena[..len - 1]).err();
        assert_eq!(error, Some(SessionError::ArenaTooShort { found: len - 1, expected: len }));
        // More than enough changes nothing, at any alignment.
        let mut longer = vec![0x77; len + 9];
        let mut session = Session::new(&plan, frame_of(&frame), &mut longer[3..]).expect("there is room");
        assert!(through(&mut session, &frame) == expected(&graph, &frame), "{graph:?}");
    });
}

#[test]
fn frames_leave_nothing_behind() {
    for_seeds("frames", 25, |draw| {
        let graph = unet(draw);
        let first = frame_for(draw, &graph);
        let second = draw.tensor([first.rows, first.width], graph.channels, graph.quant);
        let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame_of(&first)));
        let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
        let mut arena = vec![0; plan.arena_len(frame_of(&first)).expect("the frame fits")];
        let mut session = Session::new(&plan, frame_of(&first), &mut arena).expect("there is room");
        for frame in [&first, &second, &first] {
            assert!(through(&mut session, frame) == expected(&graph, frame), "{graph:?}");
        }
        // A frame that ends early is an error, and gone; so is a row of the wrong length, and one too many.
        let rows = draw.from(0, first.rows - 1);
        for y in 0..rows {
            session.push(Row::I8(second.row(y)), |_| ()).expect("a whole row");
        }
        let wrong = session.push(Row::I8(&second.row(0)[1..]), |_| ());
        let expected_len = second.row(0).len();
        assert_eq!(wrong, Err(SessionError::RowLength { found: expected_len - 1, expected: expected_len }));
        let early = session.finish(|_| ());
        assert_eq!(early, Err(SessionError::TooFewRows { found: rows as u32, height: first.rows as u32 }));
        for y in 0..first.rows {
            session.push(Row::I8(first.row(y)), |_| ()).expect("a whole row");
        }
        let extra = session.push(Row::I8(first.row(0)), |_| ());
        assert_eq!(extra, Err(SessionError::TooManyRows { height: first.rows as u32 }));
        session.finish(|_| ()).expect("all rows were pushed");
        assert!(through(&mut session, &second) == expected(&graph, &second), "{graph:?}");
    });
}

#[test]
fn rings_that_are_measured_cannot_be_shorter() {
    for_seeds("rings", 15, |draw| {
        let graph = unet(draw);
        let frame = frame_for(draw, &graph);
        let tight = Schedule::tight(&graph, 1, frame_of(&frame));
        let expected = expected(&graph, &frame);
        for tensor in 0..tight.rings.len() {
            if tight.rings[tensor] == 1 {
                continue;
            }
            let mut short = tight.clone();
            short.rings[tensor] -= 1;
            let bytes = plan(&graph, &short);
            let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
            let mut arena = vec![0; plan.arena_len(frame_of(&frame)).expect("the frame fits")];
            // A ring that only made its producer run ahead may be shorter; then the result must still be right.
            match Session::new(&plan, frame_of(&frame), &mut arena) {
                Ok(mut session) => assert!(through(&mut session, &frame) == expected, "{short:?} of {graph:?}"),
                Err(error) => assert!(matches!(error, SessionError::RingTooShort { .. }), "{error}"),
            }
        }
    });
}

/// The rows of the design's table that are a matter of seconds: width, height, levels, KiB of rings.
const TABLE: [(u32, u32, usize, usize); 4] = [(96, 96, 2, 40), (96, 96, 3, 85), (640, 480, 2, 267), (640, 480, 3, 564)];

#[test]
fn memory_is_what_the_design_promises() {
    for (width, height, levels, kib) in TABLE {
        let graph = slim_unet(8, levels);
        let frame = Frame::grey(height, width);
        let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame));
        let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
        // The design counts rings; a kernel's weights and scratch come on top.
        let setup = Setup::alone(Kernel::Scalar);
        let len = arena_len(&plan, frame, &setup).expect("the frame fits");
        println!("{width}x{height}, base 8, {levels} poolings: {:.1} KiB (design: {kib} KiB)", len as f64 / 1024.0);
        // The arena also holds a few KiB of state.
        assert!(len <= (kib + 8) * 1024, "{width}x{height}, {levels} poolings: {len} bytes");
        assert!((width, levels) != (640, 3) || len <= 600 * 1024, "{len} bytes");
        let short = Session::open(&plan, frame, &mut vec![0; len - 1], setup).err();
        assert_eq!(short, Some(SessionError::ArenaTooShort { found: len - 1, expected: len }));
        let mut arena = vec![0; len];
        let mut session = Session::open(&plan, frame, &mut arena, setup).expect("the arena is exact");
        let mut rows = 0;
        session.run(Row::U8(&vec![100; (width * height) as usize]), |_| rows += 1).expect("a whole frame");
        assert_eq!(rows, height);
    }
}

#[test]
fn memory_does_not_grow_with_the_height() {
    let graph = slim_unet(4, 2);
    let bytes = plan(&graph, &Schedule::tight(&graph, 1, Frame::grey(256, 64)));
    let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
    let len = |height| plan.arena_len(Frame::grey(height, 64)).expect("the frame fits");
    assert_eq!(len(256), len(4096));
    let mut arena = vec![0; len(4096)];
    Session::new(&plan, Frame::grey(4096, 64), &mut arena).expect("rings for 256 rows serve 4096");
}
