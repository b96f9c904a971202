//! Frames as they happen: cameras, streams, watched folders, and the simulator.
//!
//! ```text
//!     --source ─▶ Address ─▶ Camera ─▶ Feed ─▶ whoever asks for the newest frame
//!                 what to    one       a thread that opens, watches, reopens,
//!                 open       device    counts, and keeps no frame but the newest
//! ```
//!
//! A [`Camera`] is one open device: it waits for frames and says what is wrong. That it is opened again after a fault, that a stalled one is
//! noticed and that nobody downstream can make a queue grow is the [`Feed`]'s business, the same for every kind.
//!
//! Invariant: no frame is lost silently. Of all frames that were received, each is handed on or counted as dropped.

mod address;
mod feed;
mod file;
mod folder;
mod http;
mod jpeg;
mod simulator;
mod stdin;
#[cfg(target_os = "linux")]
pub mod v4l2;
mod yuv;

pub use address::{Address, Options, PixelFormat, Size};
pub use feed::{Counts, Feed, Opener, Patience, State};
pub use simulator::Simulator;

use std::time::{Duration, Instant, SystemTime};

use crate::source::Image;

/// One frame of a camera.
#[derive(Debug, Clone)]
pub struct Shot {
    /// The frame; grey unless colour was asked for.
    pub image: Image,
    /// When it was exposed, as far as the camera says; else when it arrived.
    pub taken: SystemTime,
    /// When this process had it: latencies count from here.
    pub received: Instant,
    /// Frames that the device counted since the one before, and that never arrived here.
    pub lost: u64,
    /// What it is called, where it has a name: the file of a watched folder.
    pub name: Option<String>,
}

impl Shot {
    /// A frame that arrived now, without more known of it.
    pub fn now(image: Image) -> Self {
        Shot { image, taken: SystemTime::now(), received: Instant::now(), lost: 0, name: None }
    }
}

/// Why there was no frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// There was none in time. The camera may be asked again.
    Late,
    /// One frame was damaged, in one sentence; the next may be good.
    Spoilt(String),
    /// The camera is gone or does not answer, in one sentence. It has to be opened again.
    Gone(String),
    /// The stream is over: a file was read to its end, a program closed its output.
    End,
}

/// An open camera.
pub trait Camera: Send {
    /// Waits for the next frame, about as long as `patience` at most.
    ///
    /// # Errors
    /// [`Trouble`]: what to do about it is the caller's choice.
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble>;

    /// What it is, in a few words: device, frame size, format.
    fn describe(&self) -> String;

    /// Whether frames come when they come, whoever listens: the newest is worth more than the rest then. Of files, every frame counts,
    /// and the source waits.
    fn is_live(&self) -> bool {
        true
    }
}
