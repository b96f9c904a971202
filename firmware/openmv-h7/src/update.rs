//! What the computer asks for, between frames.

use core::fmt::Write;

use microtome_app::store::{PlanFlash, UpdateError};
use microtome_app::{Store, Watchdog};
use microtome_openmv_h7::command::{Command, Line};
use microtome_openmv_h7::ov7725::Light;

use crate::board::{Inbox, Serial, restart_into_bootloader};

/// Bytes that are taken at once.
const CHUNK: usize = 256;

/// Serves one command. One that does not come to its end is given up after a second.
pub fn serve<F: PlanFlash>(
    inbox: Inbox,
    store: &mut Store<F>,
    light: &mut Light,
    dog: &mut impl Watchdog,
    serial: &mut Serial,
) {
    let mut line = Line::default();
    let mut byte = [0];
    while inbox.read(&mut byte) == 1 {
        dog.feed();
        let Some(text) = line.push(byte[0]) else { continue };
        let _ = match Command::parse(text) {
            Some(Command::Plan { len }) => match update(inbox, store, len, dog, serial) {
                Ok(()) => writeln!(serial, "# plan: taken"),
                Err(error) => writeln!(serial, "# plan: {error}"),
            },
            Some(Command::Exposure { us }) => {
                light.exposure_us = us;
                writeln!(serial, "# exposure: {us} us")
            }
            Some(Command::Gain { times }) => {
                light.gain = times;
                writeln!(serial, "# gain: {times}")
            }
            Some(Command::Bootloader) => restart_into_bootloader(),
            None => writeln!(serial, "# commands: plan LENGTH, exposure MICROSECONDS, gain TIMES, bootloader"),
        };
        return;
    }
}

fn update<F: PlanFlash>(
    inbox: Inbox,
    store: &mut Store<F>,
    len: usize,
    dog: &mut impl Watchdog,
    serial: &mut Serial,
) -> Result<(), UpdateError<F::Error>> {
    // Two sectors are erased: 4 s at most (data sheet), which the watchdog bears.
    let mut update = store.update(len)?;
    let _ = writeln!(serial, "# ready");
    let mut bytes = [0; CHUNK];
    let mut left = len;
    while left > 0 {
        dog.feed();
        let room = left.min(CHUNK);
        let came = inbox.read(&mut bytes[..room]);
        if came == 0 {
            break;
        }
        update.write(&bytes[..came])?;
        left -= came;
    }
    // Says so if bytes are missing.
    update.finish()
}
