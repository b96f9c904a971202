//! A seed for the mutations of valid plans that `tests/fuzz.rs` makes, without its bound.
#![no_main]

use libfuzzer_sys::fuzz_target;
use microtome_tests::fuzz;

fuzz_target!(|seed: u64| {
    fuzz::mutated(seed);
});
