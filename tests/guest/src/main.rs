//! Runs the cases of `cases.bin`, in the folder where QEMU was started, with the kernel that the file asks for, and compares
//! every byte; `microtome_tests::corpus` writes it.
//!
//! Prints the kernel, for every timed case its executed instructions, and how many cases were equal. Whatever is not as
//! expected (another kernel, another byte) ends in an exit code of 1.
#![no_std]
#![no_main]

mod cases;
mod clock;

// For its critical section.
use cortex_m as _;
use cortex_m_rt::entry;
use microtome_core::{Frame, Kernel, OutputRow, Plan, Row, Session, Setup};
use semihosting::{eprintln, println, process};

use cases::{Case, Cases};

/// What the session works in. It starts at every alignment in turn, but where instructions are counted.
const ARENA: usize = 2 << 20;

#[entry]
fn main() -> ! {
    let Some(arena) = cortex_m::singleton!(: [u8; ARENA] = [0; ARENA]) else { process::exit(1) };
    match run(arena) {
        Ok(cases) => {
            println!("{cases} cases equal");
            process::exit(0)
        }
        Err(error) => {
            eprintln!("{error}");
            process::exit(1)
        }
    }
}

/// Runs all cases; returns how many.
fn run(arena: &mut [u8]) -> Result<u32, &'static str> {
    let mut cases = Cases::open().ok_or("cases.bin: not there, or not whole")?;
    let kernel = Kernel::best();
    println!("kernel {}", kernel.name());
    if kernel.name() != cases.kernel() {
        eprintln!("the cases are for {}", cases.kernel());
        return Err("another kernel than expected");
    }
    clock::start();
    for index in 0..cases.count {
        let case = cases.next().ok_or("cases.bin: a case is not whole, or too large")?;
        // What lies in an arena before must not matter.
        let arena = &mut arena[if case.timed { 0 } else { index as usize % 4 }..];
        arena.fill(0x5a);
        let Some(instructions) = check(&case, kernel, arena) else {
            eprintln!("case {index}: {}", case.name);
            return Err("a case failed");
        };
        if case.timed {
            println!("case {} instructions {instructions}", case.name);
        }
    }
    Ok(cases.count)
}

/// Runs a frame, whose every byte must be as expected, and where the case is timed another; returns the instructions of that.
fn check(case: &Case, kernel: Kernel, arena: &mut [u8]) -> Option<u64> {
    let plan = Plan::parse(case.plan).inspect_err(|error| eprintln!("{error}")).ok()?;
    let frame = Frame::grey(case.height, case.width);
    let setup = Setup::alone(kernel);
    let len = plan.arena_len_in(frame, &setup, arena).ok()?.total()?;
    let arena = arena.get_mut(..len)?;
    let mut session = Session::open(&plan, frame, arena, setup).inspect_err(|error| eprintln!("{error}")).ok()?;
    let (mut at, mut wrong) = (0, None);
    through(&mut session, case, |out| {
        for (offset, &value) in out.data.iter().enumerate() {
            if case.expected.get(at + offset) != Some(&(value as u8)) && wrong.is_none() {
                wrong = Some(at + offset);
            }
        }
        at += out.data.len();
    })?;
    if wrong.is_some() || at != case.expected.len() {
        eprintln!("{at} values of {}; the first that differs: {wrong:?}", case.expected.len());
        return None;
    }
    if case.timed { through(&mut session, case, |_| {}) } else { Some(0) }
}

/// Pushes a frame and finishes it; returns the instructions.
fn through(session: &mut Session, case: &Case, mut sink: impl FnMut(OutputRow)) -> Option<u64> {
    let mut rows = case.input.chunks_exact(case.input.len() / case.height as usize);
    let mut instructions = 0;
    for _ in 0..=case.height {
        let start = clock::now();
        let done = match (rows.next(), case.camera) {
            (Some(row), true) => session.push(Row::U8(row), &mut sink),
            (Some(row), false) => session.push(Row::I8(cases::signed(row)), &mut sink),
            (None, _) => session.finish(&mut sink),
        };
        instructions += clock::since(start);
        done.inspect_err(|error| eprintln!("{error}")).ok()?;
    }
    Some(clock::instructions(instructions))
}
