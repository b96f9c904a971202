//! Arenas in two pieces: the same results wherever the first ends, and a clear answer where it cannot be.

use microtome_core::{Arena, Kernel, Plan, Session, SessionError, Setup};
use microtome_tests::draw::for_seeds;
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::networks::unet;
use microtome_tests::run::{frame_of, through};

#[test]
fn rings_in_two_banks_change_no_byte() {
    let (mut opened, mut refused) = (0, 0);
    for_seeds("banks", 40, |draw| {
        let graph = unet(draw);
        let sides = draw.sides(40);
        let frame = draw.tensor(sides, graph.channels, graph.quant);
        let expected: Vec<_> = graph.run(&frame).into_iter().map(|output| output.data).collect();
        let bytes = plan(&graph, &Schedule::tight(&graph, draw.from(1, 3) as u16, frame_of(&frame)));
        let plan = Plan::parse(&bytes).expect("the tests emit valid plans");
        let kernel = draw.of(&Kernel::available());
        let setup = Setup::alone(kernel);
        let mut scratch = vec![0; plan.scratch_len()];
        let len = plan.arena_len_in(frame_of(&frame), &setup, &mut scratch).expect("the frame fits");
        let total = len.total().expect("a small network");
        for _ in 0..8 {
            let main = draw.from(total - len.rings, total);
            let more = draw.from(total - main, len.rings + len.rings / 2);
            let (mut first, mut second) = (vec![0x5a; main], vec![0xa5; more]);
            let arena = Arena { main: &mut first, more: &mut second };
            match Session::open_in(&plan, frame_of(&frame), arena, setup) {
                Ok(mut session) => {
                    opened += 1;
                    assert!(through(&mut session, &frame) == expected, "{main} and {more} bytes: {graph:?}");
                    assert!(through(&mut session, &frame) == expected, "a second frame");
                }
                // A ring may fit neither.
                Err(error) => {
                    refused += 1;
                    assert_eq!(error, SessionError::ArenaTooShort { found: main + more, expected: total });
                }
            }
        }
        // All rings in the second.
        let (mut first, mut second) = (vec![0; total - len.rings], vec![0; len.rings]);
        let arena = Arena { main: &mut first, more: &mut second };
        let mut session = Session::open_in(&plan, frame_of(&frame), arena, setup).expect("there is room for all rings");
        assert!(through(&mut session, &frame) == expected);
        let arena = Arena { main: &mut first[1..], more: &mut second };
        let short = SessionError::ArenaTooShort { found: total - 1, expected: total };
        assert_eq!(Session::open_in(&plan, frame_of(&frame), arena, setup).err(), Some(short));
    });
    assert!(opened > 4 * refused, "{opened} opened, {refused} refused");
}
