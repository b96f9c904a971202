//! `microtome board`: the light, the trigger, the stepper and the status LED, by hand.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Outcome, say, say_json, signals};
use crate::board::{self, Edge, Flash, Level, Pace, Part, Pins, Signal, ThisBoard};
use crate::camera;
use crate::error::{Error, Result};
use crate::instrument::profile::Profile;

/// Arguments of `microtome board`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
    /// Instrument profile whose [board] table names the pins [default: the pins given here]
    #[arg(long, global = true, value_name = "PROFILE")]
    instrument: Option<PathBuf>,
    #[command(flatten, next_help_heading = "Pins")]
    pins: Pins,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Switch the light
    Led {
        /// on, off, or a level from 0 to 1
        level: Level,
        /// Switch it off again after so long [default: on and off stay; a level that is dimmed by program stays until Ctrl-C]
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        seconds: Option<Duration>,
    },
    /// Light one exposure, and write its frame
    Flash {
        /// Image to write, a .png or .tif
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// How bright, from 0 to 1
        #[arg(long, default_value = "on")]
        level: Level,
        /// From switching on until the light is steady
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0.01")]
        settle: Duration,
        /// From an exposure's beginning until the camera says that the frame was taken: at most the time from frame to frame
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0.1")]
        exposure: Duration,
        #[command(flatten)]
        camera: camera::Options,
    },
    /// Make steps
    Step {
        /// How many; backwards, where negative
        #[arg(allow_negative_numbers = true)]
        count: i64,
        /// Steps per second
        #[arg(long, value_name = "HZ", value_parser = rate)]
        rate: f64,
        /// Steps per second to start and stop at [default: the rate]
        #[arg(long, value_name = "HZ", value_parser = rate, requires = "acceleration")]
        start: Option<f64>,
        /// Steps per second, per second
        #[arg(long, value_name = "HZ_PER_S", value_parser = rate, requires = "start")]
        acceleration: Option<f64>,
    },
    /// Print the trigger's edges as they come
    Watch {
        /// End after so many
        #[arg(long, value_name = "N")]
        count: Option<usize>,
        /// End after so long
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        seconds: Option<Duration>,
    },
    /// Show a blink code on the status LED, until Ctrl-C
    Signal {
        /// What to show
        #[arg(value_enum)]
        signal: Signal,
        /// End after so long
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        seconds: Option<Duration>,
    },
    /// Show the machine, its pins and the trigger's level
    Status,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if board::RATES.contains(&rate) => Ok(rate),
        _ => Err(format!("expected {} to {}", board::RATES.start(), board::RATES.end())),
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let time = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    time.ok_or_else(|| "expected seconds".into())
}

/// One line of `watch`.
#[derive(Serialize)]
struct Seen {
    edge: Edge,
    /// Seconds since the command started.
    at_s: f64,
}

/// What `status` prints.
#[derive(Serialize)]
struct Report {
    machine: String,
    pins: Pins,
    trigger_on: Option<bool>,
}

/// Runs the command.
pub fn board(args: &Args) -> Result<Outcome> {
    let pins = pins(args)?;
    let mut board = board::open(&pins).map_err(Error::usage)?;
    match &args.action {
        Action::Led { level, seconds } => led(&mut board, &pins, *level, *seconds)?,
        Action::Flash { out, level, settle, exposure, camera } => {
            let flash = Flash { level: *level, settle: *settle, exposure: *exposure };
            flash_into(&mut board, flash, camera, out)?;
        }
        Action::Step { count, rate, start, acceleration } => {
            let pace = match (start, acceleration) {
                (Some(start), Some(acceleration)) => {
                    Pace { rate: *rate, start: start.min(*rate), acceleration: *acceleration }
                }
                _ => Pace::steady(*rate),
            };
            step(&mut board, *count, &pace)?;
        }
        Action::Watch { count, seconds } => watch(&mut board, *count, *seconds)?,
        Action::Signal { signal, seconds } => signal_until(&mut board, *signal, *seconds)?,
        Action::Status => {
            let trigger_on = board.trigger.as_ref().map(|trigger| trigger.is_on());
            say_json(&Report { machine: board.machine.clone(), pins, trigger_on })?;
        }
    }
    Ok(Outcome::Done)
}

/// The pins of the profile or of the command line.
fn pins(args: &Args) -> Result<Pins> {
    let Some(path) = &args.instrument else { return Ok(args.pins.clone()) };
    if args.pins != Pins::default() {
        return Err(Error::usage("pins come from --instrument or from their own options, not from both"));
    }
    Profile::open(path)?.board.ok_or_else(|| Error::usage(format!("{}: it has no [board] table", path.display())))
}

/// The part that a command is about.
fn wired<P>(part: &mut Option<P>, name: Part) -> Result<&mut P> {
    part.as_mut().ok_or_else(|| Error::usage(format!("which pin is it? Give --{name}-pin, or --instrument")))
}

fn fault(error: impl std::fmt::Display) -> Error {
    Error::usage(error)
}

/// How often a command looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(20);

/// Does something every few milliseconds until the time is over or the command is ended.
fn until(end: Option<Duration>, mut each: impl FnMut(Duration) -> Result<()>) -> Result<()> {
    let (stop, start) = (signals::stop_flag()?, Instant::now());
    while !stop.load(Ordering::Relaxed) && end.is_none_or(|end| start.elapsed() < end) {
        each(start.elapsed())?;
        std::thread::sleep(GLANCE);
    }
    Ok(())
}

fn led(board: &mut ThisBoard, pins: &Pins, level: Level, time: Option<Duration>) -> Result<()> {
    let light = wired(&mut board.light, Part::Light)?;
    light.set(level).map_err(fault)?;
    let by_program = pins.light_pwm.is_none() && !level.is_steady();
    if time.is_some() || by_program {
        return until(time, |_| Ok(()));
    }
    light.stay();
    Ok(())
}

/// How long a frame may be in coming.
const PATIENCE: Duration = Duration::from_secs(10);

fn flash_into(board: &mut ThisBoard, flash: Flash, camera: &camera::Options, out: &Path) -> Result<()> {
    let light = wired(&mut board.light, Part::Light)?;
    let feed = camera.clone().feed()?;
    let said = |feed: &camera::Feed| match feed.state() {
        camera::State::Waiting { reason } => Error::usage(reason),
        _ => Error::usage(format!("no frame for {} s", PATIENCE.as_secs())),
    };
    // Whether there is a camera at all shows in the dark.
    feed.take(PATIENCE).ok_or_else(|| said(&feed))?;
    let shot = light.flash(&mut board.delay, flash, || feed.take(PATIENCE)).map_err(fault)?;
    let shot = shot.ok_or_else(|| said(&feed))?;
    crate::sink::frame(out, &shot.image)?;
    say(format_args!("{}: {}x{}", out.display(), shot.image.width(), shot.image.height()))
}

fn step(board: &mut ThisBoard, count: i64, pace: &Pace) -> Result<()> {
    let steps = wired(&mut board.steps, Part::Step)?;
    if count < 0 && !steps.has_direction() {
        return Err(Error::usage("steps backwards need --direction-pin"));
    }
    let stop = signals::stop_flag()?;
    let made = steps.run(count, pace, || stop.load(Ordering::Relaxed)).map_err(fault)?;
    say(format_args!("{made} steps"))
}

fn watch(board: &mut ThisBoard, count: Option<usize>, time: Option<Duration>) -> Result<()> {
    let trigger = wired(&mut board.trigger, Part::Trigger)?;
    let (stop, start) = (signals::stop_flag()?, Instant::now());
    let mut left = count.unwrap_or(usize::MAX);
    while left > 0 && !stop.load(Ordering::Relaxed) && time.is_none_or(|time| start.elapsed() < time) {
        if let Some(edge) = trigger.wait(GLANCE).map_err(fault)? {
            let seen = Seen { edge, at_s: start.elapsed().as_secs_f64() };
            say(serde_json::to_string(&seen).map_err(|e| Error::Stdout(e.into()))?)?;
            left -= 1;
        }
    }
    Ok(())
}

fn signal_until(board: &mut ThisBoard, signal: Signal, time: Option<Duration>) -> Result<()> {
    let status = wired(&mut board.status, Part::Status)?;
    until(time, |elapsed| status.show(signal, elapsed).map_err(fault))
}
