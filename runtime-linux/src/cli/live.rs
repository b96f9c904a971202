//! `microtome live`: a line for every frame of a camera.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::{Outcome, say, signals, tell};
use crate::camera::{self, State};
use crate::engine::Options;
use crate::error::{Error, Result};
use crate::instrument::{self, Analysis};
#[cfg(feature = "mqtt")]
use crate::live::mqtt;
use crate::live::{Observation, Pipeline, Recorder, Worker};
use crate::machine::{self, Machine};

/// Arguments of `microtome live`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model [default: the bundled `nuclei`]
    model: Option<PathBuf>,
    #[command(flatten)]
    camera: camera::Options,
    /// Stop after so many frames
    #[arg(long, value_name = "N")]
    frames: Option<NonZeroU64>,
    /// Stop after so many seconds
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// A JSON object per line, with the objects of the frame
    #[arg(long)]
    json: bool,
    /// Publish results to an MQTT broker: mqtt://[USER:PASSWORD@]HOST[:PORT]/TOPIC
    #[cfg(feature = "mqtt")]
    #[arg(long, value_name = "URL")]
    mqtt: Option<mqtt::Address>,
    #[command(flatten)]
    instrument: instrument::Options,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// How long to wait for a frame before looking at the time.
const GLANCE: Duration = Duration::from_millis(100);

/// Runs the command.
pub fn live(args: &Args) -> Result<Outcome> {
    let stop = signals::stop_flag()?;
    let machine = Arc::new(Machine::new(&args.machine)?);
    let (model, options) = (args.model.clone(), args.options.clone());
    let analysis = Analysis::new(args.instrument.setup()?.watched());
    let failure = Arc::new(Mutex::new(None));
    let printer = Printer {
        json: args.json,
        frames: args.frames.map_or(u64::MAX, NonZeroU64::get),
        first: None,
        #[cfg(feature = "mqtt")]
        publisher: args.mqtt.as_ref().map(|address| mqtt::Publisher::start(address, |text| tell(text))).transpose()?,
        failure: Arc::clone(&failure),
    };
    let pipeline = Pipeline::start(args.camera.clone().feed()?, move || {
        let mut worker = Worker::new(machine, model, &options, analysis)?;
        worker.record(Box::new(printer))?;
        Ok(worker)
    })?;
    let (start, mut seen, mut camera) = (Instant::now(), 0, State::Opening);
    loop {
        let newer = pipeline.latest().newer(seen, GLANCE);
        let over = pipeline.latest().is_closed() && newer.is_none();
        seen = newer.map_or(seen, |(number, _)| number);
        let status = pipeline.status();
        tell_changes(&status.camera, &mut camera);
        let enough = args.frames.is_some_and(|frames| seen >= frames.get())
            || args.seconds.is_some_and(|seconds| start.elapsed() >= Duration::from_secs(seconds));
        if enough || over || !status.worker.recording || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let failed = pipeline.status().worker.failed;
    pipeline.stop()?;
    let failure = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    failure.map_or(Ok(Outcome::of(failed as usize)), Err)
}

/// Prints, and publishes, every observation; whoever reads too slowly makes the camera's frames wait, or be dropped and counted.
struct Printer {
    json: bool,
    /// Observations that are wanted.
    frames: u64,
    /// When the first frame was done: opening a camera takes its time.
    first: Option<Instant>,
    #[cfg(feature = "mqtt")]
    publisher: Option<mqtt::Publisher>,
    /// Why no line could be written.
    failure: Arc<Mutex<Option<Error>>>,
}

impl Recorder for Printer {
    fn keep(&mut self, observation: &Observation) -> Result<()> {
        if observation.number > self.frames {
            return Ok(());
        }
        #[cfg(feature = "mqtt")]
        if let Some(publisher) = &mut self.publisher {
            publisher.publish(observation);
        }
        let said = if self.json { Self::say_json(observation) } else { self.say(observation) };
        said.map_err(|error| {
            *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            Error::usage("standard output is closed")
        })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}

impl Printer {
    fn say_json(observation: &Observation) -> Result<()> {
        let name = observation.number.to_string();
        let report = observation.report(&name, true);
        say(serde_json::to_string(&report).map_err(|e| Error::Stdout(e.into()))?)
    }

    fn say(&mut self, observation: &Observation) -> Result<()> {
        let Observation { number, shot, made, figures, times, counts, .. } = observation;
        let name = shot.name.clone().unwrap_or_else(|| number.to_string());
        let since = self.first.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        let rate = if since > 0.0 { (*number as f64 - 1.0) / since } else { 0.0 };
        let mut more = String::new();
        if let Some(figures) = figures {
            more += &format!(", focus {:.2}", figures.focus);
            more += &figures.density.map_or_else(String::new, |density| format!(", {:.0} per mL", density.per_ml));
            figures.alarms.iter().for_each(|alarm| more += &format!(", {alarm}"));
        }
        say(format_args!(
            "frame {name:<8} {:>4}x{:<4} {:>4} objects {:>6.1} ms, {:>6.1} ms after it came, {rate:>5.1} frames/s, {} dropped{more}",
            shot.image.width(),
            shot.image.height(),
            made.found.objects.len(),
            times.segment_ms,
            times.latency_ms,
            counts.dropped
        ))
    }
}

/// Tells on standard error what became of the camera, when that changed.
pub(super) fn tell_changes(now: &State, before: &mut State) {
    if now == before {
        return;
    }
    match now {
        State::Running { camera } => tell(format_args!("camera: {camera}")),
        State::Waiting { reason } => tell(format_args!("{reason}; trying again")),
        State::Opening | State::Ended => {}
    }
    *before = now.clone();
}
