//! `microtome cameras`: which there are, and whether frames come out of one.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Outcome, say, say_json};
use crate::camera::{Counts, Feed, Options, Shot, State};
use crate::error::{Error, Result};

/// Arguments of `microtome cameras`.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Take frames and say what they are like, a line of JSON each
    Grab {
        /// How many
        frames: NonZeroU64,
        #[command(flatten)]
        camera: Options,
        /// Give up after so many seconds without a frame
        #[arg(long, value_name = "SECONDS", default_value_t = 10)]
        patience: u64,
    },
    /// Set exposure, gain or another control of a V4L2 camera
    #[cfg(target_os = "linux")]
    Set {
        /// The camera, such as /dev/video0
        device: PathBuf,
        /// CONTROL=VALUE, such as exposure=100 (units of 100 µs) after auto_exposure=1 (manual)
        #[arg(required = true)]
        controls: Vec<crate::camera::v4l2::Control>,
    },
}

/// A line of `grab`.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Line {
    Camera(State),
    Frame(Frame),
    End(Counts),
}

#[derive(Serialize)]
struct Frame {
    width: usize,
    height: usize,
    /// Bits of a sample.
    bits: u32,
    /// Of all pixels, in the samples' own units.
    mean: f64,
    /// Seconds since the frame before was received here.
    interval_s: Option<f64>,
    /// Seconds from the exposure, as far as the camera says, until it was received here.
    age_s: f64,
    lost: u64,
}

/// Runs the command.
pub fn cameras(args: &Args) -> Result<Outcome> {
    match &args.action {
        None => list(args.json)?,
        Some(Action::Grab { frames, camera, patience }) => {
            grab(camera.clone().feed()?, frames.get(), Duration::from_secs(*patience))?;
        }
        #[cfg(target_os = "linux")]
        Some(Action::Set { device, controls }) => {
            for control in controls {
                crate::camera::v4l2::set(device, control).map_err(Error::usage)?;
            }
        }
    }
    Ok(Outcome::Done)
}

#[cfg(target_os = "linux")]
fn list(json: bool) -> Result<()> {
    let devices = crate::camera::v4l2::devices();
    if json {
        return say_json(&devices);
    }
    if devices.is_empty() {
        say("no /dev/video: no V4L2 camera is plugged in, or its driver is not loaded")?;
    }
    for device in devices {
        say(format_args!("{}  {}", device.path.display(), device.name))?;
        match &device.fault {
            Some(fault) => say(format_args!("    {fault}"))?,
            None if device.offers.is_empty() => say("    no camera")?,
            None => {}
        }
        for offer in device.offers {
            let note = if offer.readable { "" } else { "  (cannot be read here)" };
            say(format_args!("    {}  {}{note}", offer.fourcc, offer.sizes))?;
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn list(_json: bool) -> Result<()> {
    Err(Error::usage("V4L2 cameras are Linux's; other sources need no list"))
}

/// Takes frames, and says when the camera comes and goes.
fn grab(feed: Feed, frames: u64, patience: Duration) -> Result<()> {
    let (mut left, mut last, mut state) = (frames, Instant::now(), State::Opening);
    let mut before: Option<Instant> = None;
    while left > 0 {
        let shot = feed.take(Duration::from_millis(50));
        let now = feed.state();
        if now != state {
            say_line(&Line::Camera(now.clone()))?;
            state = now;
        }
        if let Some(shot) = shot {
            say_line(&Line::Frame(Frame::of(&shot, before.replace(shot.received))))?;
            (left, last) = (left - 1, Instant::now());
        } else if feed.is_over() {
            break;
        } else if last.elapsed() >= patience {
            return Err(Error::usage(format!("no frame for {} s", patience.as_secs())));
        }
    }
    say_line(&Line::End(feed.counts()))
}

fn say_line(line: &Line) -> Result<()> {
    say(serde_json::to_string(line).map_err(|e| Error::Stdout(e.into()))?)
}

impl Frame {
    fn of(shot: &Shot, before: Option<Instant>) -> Self {
        let image = &shot.image;
        let pixels = image.width() * image.height();
        let sum: u64 = (0..pixels).map(|i| u64::from(image.luma(i))).sum();
        Frame {
            width: image.width(),
            height: image.height(),
            bits: match image.samples() {
                crate::source::Samples::U8(_) => 8,
                crate::source::Samples::U16(_) => 16,
            },
            mean: sum as f64 / pixels as f64,
            interval_s: before.map(|before| (shot.received - before).as_secs_f64()),
            age_s: shot.taken.elapsed().map_or(0.0, |age| age.as_secs_f64()),
            lost: shot.lost,
        }
    }
}
