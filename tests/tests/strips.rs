//! Strips and rings, rewritten in place: a valid plan every time, and the same bytes out of it.

use microtome_core::plan::strips::Strips;
use microtome_core::{Frame, Kernel, Plan, Session, SessionError, Setup};
use microtome_tests::draw::for_seeds;
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::networks::{slim_unet, unet};
use microtome_tests::run::{arena_len, frame_of, through};

#[test]
fn rewritten_strips_change_no_byte_of_the_result() {
    for_seeds("rewritten", 25, |draw| {
        let graph = unet(draw);
        let sides = draw.sides(40);
        let frame = draw.tensor(sides, graph.channels, graph.quant);
        let expected: Vec<_> = graph.run(&frame).into_iter().map(|output| output.data).collect();
        let mut bytes = plan(&graph, &Schedule::tight(&graph, 1, frame_of(&frame)));
        // In any order, over and over.
        for rows in [8, 1, 2, 32, 3, 1000, 1] {
            let mut strips = Strips::of(&mut bytes).expect("what was rewritten is a plan");
            let mut scratch = vec![0x77; strips.scratch_len()];
            strips.set(frame_of(&frame), rows, &mut scratch).expect("the frame fits");
            strips.finish();
            let plan = Plan::parse(&bytes).expect("the checksum is right");
            for &kernel in &*Kernel::available() {
                let setup = Setup::alone(kernel);
                let mut arena = vec![0x5a; arena_len(&plan, frame_of(&frame), &setup).expect("the frame fits")];
                let mut session = Session::open(&plan, frame_of(&frame), &mut arena, setup)
                    .unwrap_or_else(|error| panic!("{rows} rows: {error}; {graph:?}"));
                assert!(through(&mut session, &frame) == expected, "{rows} rows, {}: {graph:?}", kernel.name());
            }
        }
    });
}

#[test]
fn one_row_per_step_is_what_the_compiler_chose() {
    for_seeds("one row", 25, |draw| {
        let graph = unet(draw);
        let sides = draw.sides(26);
        let frame = frame_of(&draw.tensor(sides, graph.channels, graph.quant));
        let original = plan(&graph, &Schedule::tight(&graph, 1, frame));
        let mut bytes = original.clone();
        for rows in [5, 1] {
            let mut strips = Strips::of(&mut bytes).expect("a plan");
            let mut scratch = vec![0; strips.scratch_len()];
            strips.set(frame, rows, &mut scratch).expect("the frame fits");
            strips.finish();
        }
        assert!(bytes == original, "{graph:?}");
    });
}

#[test]
fn deeper_levels_make_their_share() {
    let frame = Frame::grey(96, 96);
    let graph = slim_unet(8, 3);
    let mut bytes = plan(&graph, &Schedule::tight(&graph, 1, frame));
    let mut strips = Strips::of(&mut bytes).expect("a plan");
    let mut scratch = vec![0; strips.scratch_len()];
    strips.set(frame, 4, &mut scratch).expect("the frame fits");
    let sizes: Vec<_> =
        strips.plan().sizes(frame, &mut scratch).expect("the frame fits").map(|size| size.rows).collect();
    for (operator, rows) in strips.plan().operators().zip(&sizes[1..]) {
        assert_eq!(u32::from(operator.strip), (4 * rows / 96).max(1));
    }
}

#[test]
fn tall_tensors_stay_so_and_a_frame_that_does_not_fit_changes_nothing() {
    let graph = slim_unet(4, 2);
    let mut bytes = plan(&graph, &Schedule::whole(&graph, 1));
    let original = bytes.clone();
    let mut strips = Strips::of(&mut bytes).expect("a plan");
    let mut scratch = vec![0; strips.scratch_len()];
    let expected = scratch.len();
    let short = strips.set(Frame::grey(64, 64), 4, &mut scratch[..expected - 1]);
    assert!(matches!(short, Err(SessionError::ArenaTooShort { .. })), "{short:?}");
    let no_frame = strips.set(Frame::grey(0, 64), 4, &mut scratch);
    assert!(matches!(no_frame, Err(SessionError::Frame { .. })), "{no_frame:?}");
    strips.finish();
    assert_eq!(bytes, original);
    let mut strips = Strips::of(&mut bytes).expect("a plan");
    strips.set(Frame::grey(64, 64), 4, &mut scratch).expect("the frame fits");
    let plan = strips.finish();
    assert!(plan.tensors().all(|tensor| tensor.ring == microtome_core::plan::TALL));
    assert!(plan.operators().any(|operator| operator.strip == 4));
}

#[test]
fn a_threshold_set_in_place_is_the_one_that_is_applied() {
    use microtome_core::plan::threshold::Compared;
    use microtome_core::plan::{Classify, Op};
    let file = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/nuclei/model.mtm")).expect("the zoo");
    let frame = Frame::grey(64, 64);
    let pixels: Vec<u8> = (0..64 * 64).map(|i| ((i / 64 * 3) ^ (i % 64 * 5)) as u8).collect();
    let mut interiors = Vec::new();
    for probability in [0.1, 0.5, 0.9] {
        let mut bytes = file.clone();
        let mut strips = Strips::of(&mut bytes).expect("a plan");
        assert_eq!(strips.compared(), Some(Compared::Probability));
        assert!(strips.set_threshold(probability, probability));
        strips.finish();
        assert!(probability != 0.5 || bytes == file, "the plan's own threshold is one half");
        let plan = Plan::parse(&bytes).expect("the checksum is right");
        assert_eq!(plan.post().threshold, probability);
        let threshold = plan.operators().find_map(|operator| match operator.op {
            Op::Classify(Classify::InteriorBorder { threshold, .. }) => Some(threshold),
            _ => None,
        });
        assert_eq!(threshold, Some((probability * 256.0).round_ties_even() as i16 as i8 ^ -128));
        let setup = Setup::alone(Kernel::best());
        let mut arena = vec![0; arena_len(&plan, frame, &setup).expect("the frame fits")];
        let mut session = Session::open(&plan, frame, &mut arena, setup).expect("it fits");
        let mut count = 0;
        session
            .run(microtome_core::Row::U8(&pixels), |row| count += row.data.iter().filter(|&&class| class == 1).count())
            .expect("a frame");
        interiors.push(count);
    }
    assert!(interiors[0] > interiors[1] && interiors[1] > interiors[2], "{interiors:?}");
}
