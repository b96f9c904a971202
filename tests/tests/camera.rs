//! Camera rows, 8 and 16 bits, grey and RGB, as a network sees them.

use microtome_core::{Frame, Levels, Plan, Row, Session, SessionError};
use microtome_tests::draw::{Draw, for_seeds};
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::graph::{Graph, Op};
use microtome_tests::oracle::{Camera, photograph};

/// A network that hands out its input.
fn window_pane(draw: &mut Draw, channels: usize) -> Graph {
    let mut graph = Graph::new(channels, draw.quant());
    let identity = (i8::MIN..=i8::MAX).collect();
    let made = graph.push(Op::Table(identity), &[0.into()], channels, graph.quant);
    graph.outputs = vec![made];
    graph.multiple = draw.pair(1, 4);
    let mut reals = |low, high| [0; 4].map(|_| draw.real(low, high));
    let (gain, offset) = (reals(-3.0, 3.0), reals(-1.0, 1.0));
    graph.camera = Camera { blue_first: draw.once_in(2), percentile: draw.once_in(2), gain, offset };
    graph
}

#[test]
fn camera_rows_become_what_the_oracle_sees() {
    for_seeds("camera", 200, |draw| {
        let channels = draw.of(&[1, 3]);
        let graph = window_pane(draw, channels);
        let ([rows, width], per_pixel, wide) = (draw.sides(12), draw.of(&[1, 3]), draw.once_in(2));
        let most = if wide { 65_535 } else { 255 };
        let pixels: Vec<u32> = (0..rows * width * per_pixel).map(|_| draw.from(0, most) as u32).collect();
        let levels = [draw.real(0.0, 100.0), draw.real(101.0, most as f32)];

        let frame = match per_pixel {
            1 => Frame::grey(rows as u32, width as u32),
            _ => Frame::rgb(rows as u32, width as u32),
        };
        let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame));
        let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
        let mut arena = vec![0; plan.arena_len(frame).expect("the frame fits")];
        let mut session = Session::new(&plan, frame, &mut arena).expect("there is room");
        // Before levels are set they are 0 and 255.
        for (index, levels) in [[0.0, 255.0], levels].into_iter().enumerate() {
            if index > 0 {
                session.set_levels(Levels { low: levels[0], high: levels[1] });
            }
            let mut found = Vec::new();
            let take = |row: microtome_core::OutputRow| found.extend_from_slice(row.data);
            if wide {
                let pixels: Vec<u16> = pixels.iter().map(|&value| value as u16).collect();
                session.run(Row::U16(&pixels), take).expect("a whole frame");
            } else {
                let pixels: Vec<u8> = pixels.iter().map(|&value| value as u8).collect();
                session.run(Row::U8(&pixels), take).expect("a whole frame");
            }
            let shape = [rows, width, per_pixel];
            let expected = photograph(&pixels, shape, levels, &graph.camera, channels, graph.quant);
            assert_eq!(
                found, expected.data,
                "{shape:?} of {most}, levels {levels:?}: {:?} {:?}",
                graph.camera, graph.quant
            );
        }
    });
}

#[test]
fn a_network_of_two_channels_takes_no_camera() {
    let graph = window_pane(&mut Draw::new("two channels", 0), 2);
    let frame = Frame::grey(2, 3);
    let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame));
    let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
    let mut arena = vec![0; plan.arena_len(frame).expect("the frame fits")];
    let mut session = Session::new(&plan, frame, &mut arena).expect("there is room");
    assert_eq!(session.push(Row::U8(&[0; 3]), |_| ()), Err(SessionError::NotACamera { channels: 2 }));
    session.push(Row::I8(&[0; 6]), |_| ()).expect("the network's own values");
}

#[test]
fn levels_that_make_no_sense_do_no_harm() {
    let graph = window_pane(&mut Draw::new("levels", 0), 1);
    let frame = Frame::grey(1, 4);
    let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame));
    let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
    let mut arena = vec![0; plan.arena_len(frame).expect("the frame fits")];
    let mut session = Session::new(&plan, frame, &mut arena).expect("there is room");
    let reals = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0.0, 1e-40];
    for low in reals {
        for high in reals {
            session.set_levels(Levels { low, high });
            session.run(Row::U16(&[0, 1, 255, 65_535]), |_| ()).expect("a whole frame");
            session.run(Row::U8(&[0, 1, 128, 255]), |_| ()).expect("a whole frame");
        }
    }
}
