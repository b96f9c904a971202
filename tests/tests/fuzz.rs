//! A bounded search for panics, on stable: mutations of valid plans, their checksums made right again so that
//! validation and the session are what they meet.

use microtome_tests::draw::for_seeds;
use microtome_tests::fuzz::{Reached, exercise, mutated, repaired};

/// How many mutations: `MICROTOME_MUTATIONS`, or what takes some seconds.
fn cases() -> u64 {
    let asked = std::env::var("MICROTOME_MUTATIONS");
    asked.map_or(2_000, |count| count.parse().expect("MICROTOME_MUTATIONS is a count"))
}

#[test]
fn mutated_plans_never_panic() {
    let (mut total, mut refused) = (Reached::default(), 0);
    for seed in 0..cases() {
        // A panic in there does not know the seed.
        let reached = std::panic::catch_unwind(|| mutated(seed)).unwrap_or_else(|_| panic!("mutation {seed} panicked"));
        refused += usize::from(reached.plans == 0);
        total.plans += reached.plans;
        total.sessions += reached.sessions;
        total.rows += reached.rows;
    }
    println!("{refused} refused; {total:?}");
    // The search is of no use if nothing gets past the checks, or everything.
    let some = cases() as usize / 20;
    assert!(refused > some && total.plans > some && total.sessions > some && total.rows > some, "{refused}, {total:?}");
}

#[test]
fn arbitrary_bytes_never_panic() {
    for_seeds("bytes", 2_000, |draw| {
        let len = draw.from(0, 600);
        let mut bytes: Vec<u8> = (0..len).map(|_| draw.byte()).collect();
        exercise(&bytes);
        // Behind the start of a real plan.
        let start = b"MTM1\x01\x00";
        let len = start.len().min(bytes.len());
        bytes[..len].copy_from_slice(&start[..len]);
        exercise(&repaired(&bytes));
    });
}
