//! `microtome record`: time-lapses, triggered frames, or everything that a camera sees, on the disk.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::live::tell_changes;
use super::{Outcome, make_folder, say, signals};
use crate::board::{self, Edge, Pins, ThisBoard};
use crate::camera::{self, State};
use crate::engine::Options;
use crate::error::{Error, Result};
use crate::instrument::{self, Analysis};
use crate::live::{About, Pipeline, Worker};
use crate::machine::{self, Machine};
use crate::record::{self, Due, Identity, Recording};

/// Arguments of `microtome record`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model [default: the bundled `nuclei`]
    model: Option<PathBuf>,
    #[command(flatten)]
    camera: camera::Options,
    /// Folder of the recording
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Keep one frame per interval, such as 10s, 5min or 1h [default: every frame]
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with = "trigger")]
    interval: Option<Duration>,
    /// Keep one frame per pulse at the trigger input of the instrument's board
    #[arg(long)]
    trigger: bool,
    /// End after so long, such as 90s, 12h or 3days
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// End after so many frames
    #[arg(long, value_name = "N")]
    frames: Option<NonZeroU64>,
    /// Go on with the recording in the folder, after a power cut for instance; begin one where there is none
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    keep: record::Options,
    #[command(flatten)]
    instrument: instrument::Options,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

fn duration(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("expected a time with its unit, such as 500ms, 10s, 5min or 12h".into()),
    }
}

/// How often the command looks whether it is to end.
const GLANCE: Duration = Duration::from_millis(100);

/// Runs the command.
pub fn record(args: &Args) -> Result<Outcome> {
    let stop = signals::stop_flag()?;
    let due = args.due(&stop)?;
    let machine = Arc::new(Machine::new(&args.machine)?);
    let analysis = Analysis::new(args.instrument.setup()?.watched());
    let keep = args.keep.keep()?;
    make_folder(&args.out)?;
    let (kept, told) = channel();
    let (folder, model, options) = (args.out.clone(), args.model.clone(), args.options.clone());
    let (resume, most) = (args.resume, args.frames.map_or(u64::MAX, NonZeroU64::get));
    let pipeline = Pipeline::start(args.camera.clone().feed()?, move || {
        let mut worker = Worker::new(machine, model, &options, analysis)?;
        let settings = keep.of(&worker);
        let identity = Identity::new(worker.model(), &settings);
        let recording = Recording::open(&folder, &settings, &identity, due, resume)?.at_most(most);
        // Whoever waits for it waits for this closure too.
        let _ = kept.send(recording.kept());
        worker.record(Box::new(recording))?;
        Ok(worker)
    })?;
    let kept = told.recv().map_err(|_| Error::usage("the recording ended before it began"))?;
    let before = kept.load(Ordering::Relaxed);
    args.wait(&pipeline, &kept, &stop);
    let alarms = pipeline.status().worker.alarms;
    pipeline.stop()?;
    let frames = kept.load(Ordering::Relaxed);
    say(format_args!("{frames} frames in {}, {} of them new", args.out.display(), frames - before))?;
    match alarms.into_iter().find(|alarm| alarm.about == About::Recording) {
        Some(alarm) => Err(Error::output(&args.out, std::io::Error::other(alarm.text))),
        None => Ok(Outcome::Done),
    }
}

impl Args {
    /// Which frames are kept. A trigger is watched by a thread until `stop`.
    fn due(&self, stop: &Arc<AtomicBool>) -> Result<Due> {
        if !self.trigger {
            return Ok(self.interval.map_or(Due::Always, Due::every));
        }
        let pins = self.instrument.pins()?.unwrap_or_default();
        if pins.trigger.is_none() {
            return Err(Error::usage(
                "--trigger needs an instrument whose [board] names the trigger's pin (--instrument)",
            ));
        }
        // The light is another program's, or on by hand.
        let board = board::open(&Pins { light: None, light_pwm: None, ..pins }).map_err(Error::usage)?;
        let raised = Arc::new(AtomicBool::new(false));
        let (flag, stop) = (Arc::clone(&raised), Arc::clone(stop));
        std::thread::Builder::new()
            .name("trigger".into())
            .spawn(move || watch(board, &flag, &stop))
            .map_err(|e| Error::usage(format!("cannot start a thread for the trigger: {e}")))?;
        Ok(Due::Raised(raised))
    }

    /// Waits until the recording has ended, or is to.
    fn wait(&self, pipeline: &Pipeline, kept: &AtomicU64, stop: &AtomicBool) {
        let start = Instant::now();
        // Draws to stderr, and nothing at all where that is no terminal.
        let bar = ProgressBar::new(self.frames.map_or(0, NonZeroU64::get));
        let template =
            if self.frames.is_some() { "{bar:32} {pos}/{len}  {eta}  {msg}" } else { "{spinner} {pos} frames  {msg}" };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        let mut camera = State::Opening;
        loop {
            let status = pipeline.status();
            bar.suspend(|| tell_changes(&status.camera, &mut camera));
            let frames = kept.load(Ordering::Relaxed);
            bar.set_position(frames);
            bar.set_message(format!("{} received, {} dropped", status.frames.received, status.frames.dropped));
            let enough = self.frames.is_some_and(|most| frames >= most.get())
                || self.duration.is_some_and(|duration| start.elapsed() >= duration);
            let over = pipeline.latest().is_closed() || !status.worker.recording;
            if enough || over || stop.load(Ordering::Relaxed) {
                break;
            }
            std::thread::sleep(GLANCE);
        }
        bar.finish_and_clear();
    }
}

/// Raises `flag` whenever the trigger goes on.
fn watch(mut board: ThisBoard, flag: &AtomicBool, stop: &AtomicBool) {
    let Some(trigger) = &mut board.trigger else { return };
    while !stop.load(Ordering::Relaxed) {
        match trigger.wait(GLANCE) {
            Ok(Some(Edge::On)) => flag.store(true, Ordering::Relaxed),
            Ok(_) => {}
            Err(error) => {
                super::tell(format_args!("trigger: {error}"));
                return;
            }
        }
    }
}
