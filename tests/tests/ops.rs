//! Every operator, row by row in the smallest arena, against the oracle on whole tensors.

use microtome_core::Kernel;
use microtome_tests::cases::{self, Case, OPERATORS};
use microtome_tests::draw::for_seeds;
use microtome_tests::graph::Graph;
use microtome_tests::run::run;

#[test]
fn the_expected_kernels_run() {
    let names: Vec<&str> = Kernel::available().iter().map(|kernel| kernel.name()).collect();
    println!("kernels that run here: {}", names.join(", "));
    // The xtask says which these must be; a machine that lacks one fails rather than test less.
    let expected = std::env::var("MICROTOME_EXPECT_KERNELS").unwrap_or_else(|_| "scalar".to_owned());
    for expected in expected.split(',') {
        assert!(names.contains(&expected), "kernel {expected} did not run; available: {names:?}");
    }
}

fn check(case: Case) -> usize {
    let inputs: Vec<_> = case.inputs.iter().collect();
    let expected = case.op.apply(&inputs, case.channels, case.quant);
    let (graph, frame) = Graph::of(case.op.clone(), &inputs, case.channels, case.quant);
    let found = run(&graph, &frame).remove(0);
    let wrong = found.iter().zip(&expected.data).position(|(found, expected)| found != expected);
    let shapes: Vec<_> = inputs.iter().map(|input| (input.shape(), input.quant)).collect();
    assert!(
        wrong.is_none() && found.len() == expected.data.len(),
        "value {wrong:?} of {:?} differs: {:?} of {shapes:?} to {:?}",
        expected.shape(),
        case.op,
        case.quant
    );
    found.len()
}

#[test]
fn every_operator_gives_the_oracles_integers() {
    for (name, draw_case) in OPERATORS {
        let (mut cases, mut values) = (0, 0);
        for_seeds(name, 150, |draw| {
            values += check(draw_case(draw));
            cases += 1;
        });
        println!("{name}: {cases} cases, {values} values equal");
    }
}

#[test]
fn accumulators_may_fill_32_bits() {
    for_seeds("heaviest Conv", 8, |draw| {
        check(cases::heaviest_conv(draw));
    });
}
