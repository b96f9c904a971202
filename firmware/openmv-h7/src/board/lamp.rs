//! The LEDs that say how it goes, without a computer: green changes with every frame, red stays on after one that was
//! lost, blue is on while there is nothing to do.

use embassy_stm32::gpio::Output;
use microtome_app::report::Unsent;
use microtome_app::{Record, Report};

/// The LEDs, each on when its pin is low.
pub struct Lamps {
    /// The last frame was lost.
    pub red: Output<'static>,
    /// Changes with every frame.
    pub green: Output<'static>,
    /// Nothing to do.
    pub blue: Output<'static>,
}

/// A report that the LEDs follow.
pub struct Signal<'l, R> {
    pub report: R,
    pub lamps: &'l mut Lamps,
}

impl<R: Report> Report for Signal<'_, R> {
    fn record(&mut self, record: &Record<'_>) -> Result<(), Unsent> {
        match record {
            Record::End { .. } => {
                self.lamps.green.toggle();
                self.lamps.red.set_high();
            }
            Record::Fault { .. } => self.lamps.red.set_low(),
            Record::Frame { .. } | Record::Object { .. } => {}
        }
        self.report.record(record)
    }
}
