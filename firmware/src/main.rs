//! Segments the built-in frame on an emulated Cortex-M4 and prints its objects; `main.out` is what comes out, here and
//! in a test on the host.
#![no_std]
#![no_main]

// For its critical section.
use cortex_m as _;
use cortex_m_rt::entry;
use microtome_firmware::{Line, frame, segment};
use semihosting::{eprintln, println, process};

static PLAN: &[u8] = include_bytes!("../../models/zoo/nuclei/model.mtm");

#[entry]
fn main() -> ! {
    let Some(arena) = cortex_m::singleton!(: [u8; 256 * 1024] = [0; 256 * 1024]) else { process::exit(1) };
    let rows = frame::PIXELS.chunks_exact(96);
    let run = segment(PLAN, frame::size(), frame::levels(), rows, arena, |object| println!("{}", Line(object)));
    match run {
        Ok(summary) => {
            println!("{summary}");
            process::exit(0)
        }
        Err(error) => {
            eprintln!("{error}");
            process::exit(1)
        }
    }
}
