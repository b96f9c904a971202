//! The cases that boards run, on the host.

mod cases;

use cases::{Kit, faults, plans};
use microtome_app::watchdog::Unwatched;

fn run(all: &[cases::Case]) {
    // Larger than the stack of a test's thread should carry.
    let mut kit = Box::new(Kit::EMPTY);
    for (name, case) in all {
        println!("{name}");
        case(&mut kit, &mut Unwatched);
    }
}

#[test]
fn frames_that_fail() {
    run(&faults::ALL);
}

#[test]
fn plans_and_updates() {
    run(&plans::ALL);
}
