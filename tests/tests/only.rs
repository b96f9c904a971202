//! Programs with code for some operators only.

use microtome_core::arch::Scalar;
use microtome_core::plan::op::kind;
use microtome_core::{Only, Operators, Plan, Session, SessionError, Setup};
use microtome_tests::draw::for_seeds;
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::networks::{slim_unet, unet};
use microtome_tests::run::{arena_len, frame_of, through};

/// What a slim U-Net is made of.
const SLIM: u32 = 1 << kind::CONV | 1 << kind::MAX_POOL;

#[test]
fn a_program_with_a_plans_operators_runs_it() {
    let graph = slim_unet(4, 2);
    for_seeds("only", 1, |draw| {
        let frame = draw.tensor([32, 24], graph.channels, graph.quant);
        let expected: Vec<_> = graph.run(&frame).into_iter().map(|output| output.data).collect();
        let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame_of(&frame)));
        let plan = Plan::parse(&bytes).expect("a plan");
        assert_eq!(Operators::of(&plan).bits(), SLIM);
        let setup = Setup::alone(Only::<Scalar, SLIM>(Scalar));
        let mut arena = vec![0; arena_len(&plan, frame_of(&frame), &setup).expect("the frame fits")];
        let mut session = Session::open(&plan, frame_of(&frame), &mut arena, setup).expect("it has all operators");
        assert!(through(&mut session, &frame) == expected);
    });
}

#[test]
fn a_program_without_an_operator_says_so() {
    let mut missing = 0;
    for_seeds("without", 40, |draw| {
        let graph = unet(draw);
        let sides = draw.sides(20);
        let frame = frame_of(&draw.tensor(sides, graph.channels, graph.quant));
        let bytes = plan(&graph, &Schedule::tight(&graph, 1, frame));
        let plan = Plan::parse(&bytes).expect("a plan");
        let setup = Setup::alone(Only::<Scalar, SLIM>(Scalar));
        let mut arena = vec![0; arena_len(&plan, frame, &setup).expect("the frame fits")];
        let lacks = plan.operators().position(|operator| !Operators::from_bits(SLIM).contains(&operator.op));
        match Session::open(&plan, frame, &mut arena, setup) {
            Ok(_) => assert_eq!(lacks, None),
            Err(SessionError::NoOperator { operator, .. }) => {
                missing += 1;
                assert_eq!(lacks, Some(usize::from(operator)));
            }
            Err(error) => panic!("{error}"),
        }
    });
    assert!(missing > 0);
}
