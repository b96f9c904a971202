//! The plan file: a round trip byte for byte, and damage that is always noticed.

use microtome_core::plan::emit::{Spec, emit, emitted_len};
use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::{Plan, PlanError};
use microtome_tests::fuzz::{corpus, exercise, repaired};

/// What a parsed plan says, written again.
fn emitted_again(bytes: &[u8]) -> Vec<u8> {
    let plan = Plan::parse(bytes).expect("the corpus is valid");
    let tensors: Vec<_> = plan.tensors().collect();
    let operators: Vec<_> = plan.operators().collect();
    let outputs: Vec<_> = plan.outputs().collect();
    let classes: Vec<_> = plan.classes().collect();
    let spec = Spec {
        tensors: &tensors,
        operators: &operators,
        outputs: &outputs,
        input: plan.input(),
        post: plan.post(),
        alignment: plan.alignment(),
        classes: &classes.join("\n"),
        provenance: plan.provenance(),
    };
    let mut again = vec![0; emitted_len(&spec)];
    let short = again.len() - 1;
    assert_eq!(emit(&spec, &mut again[..short]), None, "a byte too few is noticed");
    assert_eq!(emit(&spec, &mut again), Some(again.len()));
    let Some(kernel) = plan.packing() else { return again };
    let packing = Packing::named(kernel).expect("the corpus is packed for this machine");
    let plan = Plan::parse(&again).expect("what was emitted is a plan");
    let mut packed = vec![0; packed_len(&plan, packing)];
    assert_eq!(pack(&plan, packing, &mut packed), Some(packed.len()));
    packed
}

#[test]
fn parsing_and_emitting_is_the_identity() {
    for (index, bytes) in corpus().iter().enumerate() {
        assert!(emitted_again(bytes) == *bytes, "plan {index} of the corpus changed");
    }
}

#[test]
fn a_plan_is_read_at_any_alignment() {
    for bytes in corpus() {
        for shift in 0..8 {
            let mut shifted = vec![0; shift];
            shifted.extend_from_slice(&bytes);
            Plan::parse(&shifted[shift..]).expect("alignment does not matter");
        }
    }
}

#[test]
fn a_truncated_plan_is_refused_at_every_length() {
    for bytes in smallest() {
        for len in 0..bytes.len() {
            let error = Plan::parse(&bytes[..len]).expect_err("a truncated plan");
            let is_length = matches!(error, PlanError::NotAPlan | PlanError::Length { .. });
            assert!(is_length, "{len} of {} bytes: {error}", bytes.len());
            // The same with a header that agrees: the sections no longer fit.
            exercise(&repaired(&bytes[..len]));
        }
        let longer = [&bytes[..], &[0]].concat();
        let found = Plan::parse(&longer).expect_err("a byte too many");
        assert_eq!(found, PlanError::Length { found: longer.len(), expected: bytes.len() });
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    for bytes in smallest() {
        let mut flipped = bytes.clone();
        for bit in 0..bytes.len() * 8 {
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Plan::parse(&flipped).is_err(), "bit {bit} of {} bytes", bytes.len());
            flipped[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn every_flipped_bit_behind_a_right_checksum_is_survived() {
    for bytes in smallest() {
        // Records first; weights are all alike.
        for bit in 0..bytes.len().min(700) * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            exercise(&repaired(&flipped));
        }
    }
}

/// A few small plans: what is done at every byte must not take minutes.
fn smallest() -> Vec<Vec<u8>> {
    let mut plans = corpus();
    plans.sort_by_key(Vec::len);
    plans.truncate(4);
    plans
}
