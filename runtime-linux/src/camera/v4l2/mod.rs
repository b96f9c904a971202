//! Cameras of Video4Linux: USB cameras, capture cards, and what else has a /dev/video node.
//!
//! ```text
//!     devices  which there are, and what opening one says
//!     offer    what a camera offers, and the cheapest of it that will do
//!     control  exposure, gain and the like, by name
//! ```
//!
//! Frames lie in buffers that the kernel and this process share; brightness is read out of them where it lies, once. One buffer is in our
//! hands at a time, the others are the camera's.
//!
//! The crate under it is `moq-v4l`, `v4l` with the kernel's structures checked in: `v4l` itself makes them anew in every build, with libclang.

mod control;
mod devices;
mod offer;

pub use control::{Control, set};
pub use devices::{Device, devices};
pub use offer::{Offer, Sizes};

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use moq_v4l::buffer::{Flags, Metadata, Type};
use moq_v4l::io::mmap::Stream;
use moq_v4l::io::traits::{CaptureStream, Stream as _};
use moq_v4l::parameters::Capabilities;
use moq_v4l::video::Capture;
use moq_v4l::video::capture::Parameters;
use moq_v4l::{Format, Fraction};

use super::{Camera, Options, PixelFormat, Shot, Size, Trouble, jpeg, yuv};

/// Buffers that the camera is asked to fill: one is read while the others wait or fill.
const BUFFERS: u32 = 4;

/// The errno of a device that is gone.
const ENODEV: i32 = 19;

/// An open camera.
pub struct V4l2 {
    path: PathBuf,
    name: String,
    stream: Stream<'static>,
    format: PixelFormat,
    size: Size,
    /// Bytes from row to row, of the first plane.
    stride: usize,
    fps: Option<f64>,
    colour: bool,
    /// The number of the last frame.
    sequence: Option<u32>,
    /// Frames that never arrived since the last good one.
    lost: u64,
}

impl V4l2 {
    /// Opens a camera and has it send frames.
    ///
    /// # Errors
    /// One sentence: there is no such device, it may not be opened, is in use, is no camera, or does not offer what was asked for.
    pub fn open(path: &Path, options: &Options) -> Result<Self, String> {
        let fault = |error: io::Error| devices::fault(path, &error);
        let device = devices::open(path)?;
        let offers = offer::of(&device);
        let current = Capture::format(&device).map_err(|_| devices::no_camera(path))?;
        let current = Size { width: current.width as usize, height: current.height as usize };
        let size = options.size.unwrap_or(current);
        let fast_enough = |format| options.fps.is_none_or(|fps| offer::reaches(&device, format, size, fps));
        let format = offer::choose(&offers, options, fast_enough).map_err(|e| format!("{}: {e}", path.display()))?;
        let asked = Format::new(size.width as u32, size.height as u32, offer::fourcc(format));
        let got = Capture::set_format(&device, &asked).map_err(fault)?;
        let got_size = Size { width: got.width as usize, height: got.height as usize };
        // Drivers give the nearest they have, and call it success.
        if got.fourcc != asked.fourcc || (options.size.is_some() && got_size != size) {
            let [asked, got] = [asked.fourcc, got.fourcc].map(offer::letters);
            return Err(format!("{}: asked for {size} {asked}, the camera set {got_size} {got}", path.display()));
        }
        let fps = rate(&device, options.fps);
        let mut stream = Stream::with_buffers(&device, Type::VideoCapture, BUFFERS).map_err(fault)?;
        start(&mut stream).map_err(fault)?;
        let stride = if format == PixelFormat::Mjpeg { 0 } else { got.stride as usize };
        let (path, name, size) = (path.to_owned(), devices::name(path), got_size);
        Ok(V4l2 { path, name, stream, format, size, stride, fps, colour: options.colour, sequence: None, lost: 0 })
    }
}

/// Asks for a rate, where one was given; says which it is, where the camera does.
fn rate(device: &moq_v4l::Device, fps: Option<f64>) -> Option<f64> {
    let set = fps.map(|fps| {
        let interval = Fraction::new(1000, (fps * 1000.0).round() as u32);
        Capture::set_params(device, &Parameters { interval, capabilities: Capabilities::from(0), modes: 0.into() })
    });
    // A camera that has no rates to set sends at its own.
    let interval = set.unwrap_or_else(|| Capture::params(device)).ok()?.interval;
    (interval.numerator > 0).then(|| f64::from(interval.denominator) / f64::from(interval.numerator))
}

/// Gives the camera all buffers but the first and starts it: `Stream::next` hands the one in our hands back before it waits for another,
/// and would hand back twice what it never got.
fn start(stream: &mut Stream) -> io::Result<()> {
    let mut queued = 0;
    // The driver may have made more or fewer than it was asked for.
    while let Ok(()) = CaptureStream::queue(stream, queued + 1) {
        queued += 1;
    }
    if queued == 0 {
        return Err(io::Error::other("the camera has one buffer only; two are needed"));
    }
    stream.start()
}

impl Camera for V4l2 {
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
        let wait = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
        match self.stream.handle().poll(READABLE, wait) {
            Ok(0) => return Err(Trouble::Late),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(Trouble::Late),
            Err(error) => return Err(Trouble::Gone(devices::fault(&self.path, &error))),
        }
        let (bytes, meta) = match CaptureStream::next(&mut self.stream) {
            Ok(next) => next,
            Err(error) => return Err(Trouble::Gone(devices::fault(&self.path, &error))),
        };
        let received = Instant::now();
        let taken = taken(meta);
        self.lost += self.sequence.replace(meta.sequence).map_or(0, |last| skipped(last, meta.sequence));
        if meta.flags.contains(Flags::ERROR) {
            return Err(Trouble::Spoilt(format!("{}: the driver marked a frame as damaged", self.path.display())));
        }
        let bytes = &bytes[..bytes.len().min(meta.bytesused as usize)];
        let image = match self.format {
            PixelFormat::Mjpeg => jpeg::decode(bytes, self.colour),
            format => yuv::frame(format, self.size, self.stride, bytes, self.colour),
        };
        let image = image.map_err(|e| Trouble::Spoilt(format!("{}: {e}", self.path.display())))?;
        let size = Size { width: image.width(), height: image.height() };
        if size != self.size {
            let path = self.path.display();
            return Err(Trouble::Gone(format!("{path}: frames of {size} pixels where {} were agreed", self.size)));
        }
        let lost = std::mem::take(&mut self.lost);
        Ok(Shot { image, taken, received, lost, name: None })
    }

    fn describe(&self) -> String {
        let rate = self.fps.map_or_else(String::new, |fps| format!(" at {} fps", (fps * 100.0).round() / 100.0));
        let format = offer::letters(offer::fourcc(self.format));
        format!("{} ({}), {} {format}{rate}", self.path.display(), self.name, self.size)
    }
}

/// `POLLIN`.
const READABLE: i16 = 1;

/// When a frame was taken. Drivers stamp with the clock that counts from the machine's start, if they stamp at all.
fn taken(meta: &Metadata) -> SystemTime {
    let (now, stamp) = (SystemTime::now(), meta.timestamp);
    if !meta.flags.contains(Flags::TIMESTAMP_MONOTONIC) {
        return now;
    }
    let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let micros = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000).saturating_add(rest);
    #[allow(clippy::unnecessary_cast, reason = "32-bit systems have narrower times")]
    let age = micros(clock.tv_sec as i64, clock.tv_nsec as i64 / 1000) - micros(stamp.sec as i64, stamp.usec as i64);
    now.checked_sub(Duration::from_micros(u64::try_from(age).unwrap_or(0))).unwrap_or(now)
}

/// Frames between two numbers. The counter wraps; a step back is a camera that began anew.
fn skipped(last: u32, this: u32) -> u64 {
    let step = this.wrapping_sub(last);
    if step > u32::MAX / 2 { 0 } else { u64::from(step.saturating_sub(1)) }
}

#[cfg(test)]
mod tests {
    use moq_v4l::Timestamp;

    use super::*;

    #[test]
    fn numbers_that_were_skipped_are_counted() {
        assert_eq!([(4, 5), (4, 8), (u32::MAX, 1), (900, 0), (7, 7)].map(|(a, b)| skipped(a, b)), [0, 3, 1, 0, 0]);
    }

    #[test]
    fn a_stamp_of_the_monotonic_clock_becomes_a_time() {
        let clock = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let timestamp = Timestamp::new(clock.tv_sec - 1, (clock.tv_nsec / 1000) as _);
        let meta = Metadata { timestamp, flags: Flags::TIMESTAMP_MONOTONIC, ..Metadata::default() };
        let age = taken(&meta).elapsed().unwrap();
        assert!((1.0..1.5).contains(&age.as_secs_f64()), "{age:?}");
        let unstamped = Metadata { flags: Flags::empty(), ..meta };
        assert!(taken(&unstamped).elapsed().unwrap() < Duration::from_millis(500));
    }
}
