//! The oracle, and core, against ONNX Runtime's integers.
//!
//! Operators whose arithmetic ONNX fixes, and Add, must give the same integers. Mul and the average pools have a float order
//! of ONNX Runtime's own: at most one value in a thousand may be a step away. Linear Resize is float in ONNX, where core
//! weighs in 2048ths: one in a hundred, which come of ratios such as 3/2. Cases whose scales are simple multiples of each other are counted apart: their exact results often lie just between two
//! integers, where that order decides, so only the size of the difference is held.

use microtome_tests::fixtures::{self, Case};
use microtome_tests::graph::Graph;
use microtome_tests::run::run;

/// Whether ONNX leaves the float order of an operator open.
fn is_float(operator: &str) -> bool {
    let float = ["mul", "average_pool", "resize_linear"];
    float.iter().any(|name| operator.ends_with(name))
}

/// Whether real results of the case often lie exactly between two integers: every input's step is a multiple of an
/// eighth of the output's.
fn has_ties(case: &Case) -> bool {
    case.inputs.iter().all(|input| (input.quant.scale / case.expected.quant.scale * 8.0).fract() == 0.0)
}

/// Values compared, and how many of them were one step apart.
#[derive(Default)]
struct Count {
    values: usize,
    apart: usize,
}

/// Compares all cases of an operator with what `compute` gives for them, and prints the counts.
fn compare(who: &str, operator: &str, compute: impl Fn(&Case) -> Vec<i8>) {
    let cases = fixtures::cases(operator);
    let (mut plain, mut ties) = (Count::default(), Count::default());
    for (index, case) in cases.iter().enumerate() {
        let found = compute(case);
        let expected = &case.expected.data;
        assert_eq!(found.len(), expected.len(), "{operator} case {index}: {:?}", case.op);
        let count = if is_float(operator) && has_ties(case) { &mut ties } else { &mut plain };
        count.values += found.len();
        for (at, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            let step = found.abs_diff(expected);
            let shapes: Vec<_> = case.inputs.iter().map(|input| (input.shape(), input.quant)).collect();
            assert!(
                step <= u8::from(is_float(operator)),
                "{operator} case {index}, value {at}: {who} {found}, ONNX Runtime {expected}; {:?} of {shapes:?} to {:?}",
                case.op,
                (case.expected.shape(), case.expected.quant),
            );
            count.apart += usize::from(step);
        }
    }
    println!(
        "{who} {operator}: {} cases, {} of {} values one step apart; with ties {} of {}",
        cases.len(),
        plain.apart,
        plain.values,
        ties.apart,
        ties.values
    );
    let one_of = if operator == "resize_linear" { 100 } else { 1000 };
    assert!(plain.apart * one_of <= plain.values, "{operator}: {} of {} apart", plain.apart, plain.values);
}

#[test]
fn the_oracle_gives_onnx_runtimes_integers() {
    for operator in fixtures::OPERATORS {
        compare("oracle", operator, |case| {
            let inputs: Vec<_> = case.inputs.iter().collect();
            case.op.apply(&inputs, case.expected.channels, case.expected.quant).data
        });
    }
}

#[test]
fn core_gives_onnx_runtimes_integers() {
    for operator in fixtures::OPERATORS {
        compare("core", operator, |case| {
            let inputs: Vec<_> = case.inputs.iter().collect();
            let (graph, frame) = Graph::of(case.op.clone(), &inputs, case.expected.channels, case.expected.quant);
            run(&graph, &frame).remove(0)
        });
    }
}
