//! Rows per step, chosen by the memory there is.

mod common;

use microtome_compiler::{Compiled, Compiler, Description, Error, Memory, Options};
use microtome_core::session::{Frame, Row, Session, Setup};
use microtome_core::{Kernel, Plan};

fn compile(memory: Option<Memory>) -> Result<Compiled, Error> {
    let model = common::load("unet_ts17");
    let options = Options { memory, measured: 0, ..Options::default() };
    Compiler::new(&model, &Description::default(), options).calibrate(common::images(1, 32, 48, 2)).compile()
}

/// Bytes of the arena, and what comes out of a frame, output by output.
fn run(compiled: &Compiled, frame: Frame) -> (usize, Vec<Vec<i8>>) {
    let plan = Plan::parse(&compiled.plan).unwrap();
    let setup = Setup::alone(Kernel::Scalar);
    let len = plan.arena_len_in(frame, &setup, &mut vec![0; plan.scratch_len()]).unwrap().total().unwrap();
    let mut arena = vec![0; len];
    let mut session = Session::open(&plan, frame, &mut arena, setup).unwrap();
    let pixels: Vec<u8> = (0..frame.height * frame.width).map(|at| (at * 89 % 251) as u8).collect();
    let mut found = vec![Vec::new(); plan.outputs().count()];
    session.run(Row::U8(&pixels), |row| found[row.output].extend_from_slice(row.data)).unwrap();
    (len, found)
}

#[test]
fn the_budget_is_filled_and_not_exceeded() {
    let frame = Frame::grey(80, 64);
    let least = compile(None).unwrap();
    assert_eq!(least.report.strip_rows, 1);
    let (smallest, expected) = run(&least, frame);
    let mut before = 1;
    for bytes in [smallest, 2 * smallest, 16 * smallest] {
        let compiled = compile(Some(Memory { bytes, width: 64 })).unwrap();
        let (len, found) = run(&compiled, frame);
        assert!(len <= bytes, "{len} of {bytes} bytes");
        assert!(found == expected, "{} rows per step change the result", compiled.report.strip_rows);
        assert!(compiled.report.strip_rows >= before);
        before = compiled.report.strip_rows;
        // Any height runs.
        for height in 33..66 {
            run(&compiled, Frame::grey(height, 64));
        }
    }
    assert!(before > 1);
}

#[test]
fn too_small_a_budget_is_an_error_that_says_how_much_is_needed() {
    let error = compile(Some(Memory { bytes: 1000, width: 64 })).unwrap_err();
    assert!(matches!(error, Error::Memory { found, budget: 1000, width: 64 } if found > 1000), "{error}");
}
