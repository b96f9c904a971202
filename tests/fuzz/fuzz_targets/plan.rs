//! Any bytes, as they are and behind a right header: parse, open, run.
#![no_main]

use libfuzzer_sys::fuzz_target;
use microtome_tests::fuzz;

fuzz_target!(|bytes: &[u8]| fuzz::target(bytes));
