//! The timer that resets a device that hangs.

/// A hardware watchdog that is running. The pipeline feeds it once per row: a source that never answers, or a loop that
/// never ends, resets the device.
pub trait Watchdog {
    /// Starts its time anew.
    fn feed(&mut self);
}

impl<W: Watchdog + ?Sized> Watchdog for &mut W {
    fn feed(&mut self) {
        (**self).feed();
    }
}

/// No watchdog: on a host, or under a debugger.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watchdog for Unwatched {
    fn feed(&mut self) {}
}
