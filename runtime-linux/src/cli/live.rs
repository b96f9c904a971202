//! `microtome live`: a line for every frame of a camera.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Outcome, say, signals, tell};
use crate::camera::{self, State};
use crate::engine::Options;
use crate::error::{Error, Result};
use crate::instrument::{self, Analysis};
#[cfg(feature = "mqtt")]
use crate::live::mqtt;
use crate::live::{Observation, Pipeline, Worker};
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
    let worker = move || Worker::new(machine, model, &options, analysis);
    let pipeline = Pipeline::start(args.camera.clone().feed()?, worker)?;
    let mut watcher = Watcher { args, start: Instant::now(), first: None };
    #[cfg(feature = "mqtt")]
    let mut publisher =
        args.mqtt.as_ref().map(|address| mqtt::Publisher::start(address, |text| tell(text))).transpose()?;
    let (mut seen, mut camera) = (0, State::Opening);
    loop {
        let newer = pipeline.latest().newer(seen, GLANCE);
        let over = pipeline.latest().is_closed();
        if let Some((number, observation)) = &newer {
            seen = *number;
            watcher.say(observation)?;
            #[cfg(feature = "mqtt")]
            if let Some(publisher) = &mut publisher {
                publisher.publish(observation);
            }
        }
        watcher.camera(&pipeline, &mut camera);
        let enough = args.frames.is_some_and(|frames| seen >= frames.get())
            || args.seconds.is_some_and(|seconds| watcher.start.elapsed() >= Duration::from_secs(seconds));
        if enough || (over && newer.is_none()) || stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let failed = pipeline.status().worker.failed;
    pipeline.stop()?;
    Ok(Outcome::of(failed as usize))
}

struct Watcher<'a> {
    args: &'a Args,
    start: Instant,
    /// When the first frame was done: opening a camera takes its time.
    first: Option<Instant>,
}

impl Watcher<'_> {
    fn say(&mut self, observation: &Observation) -> Result<()> {
        let Observation { number, shot, made, figures, times, counts, .. } = observation;
        let name = shot.name.clone().unwrap_or_else(|| number.to_string());
        if self.args.json {
            let report = observation.report(&name, true);
            return say(serde_json::to_string(&report).map_err(|e| Error::Stdout(e.into()))?);
        }
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

    /// Tells on standard error what became of the camera, when that changed.
    fn camera(&self, pipeline: &Pipeline, before: &mut State) {
        let status = pipeline.status();
        if status.camera == *before {
            return;
        }
        match &status.camera {
            State::Running { camera } => tell(format_args!("camera: {camera}")),
            State::Waiting { reason } => tell(format_args!("{reason}; trying again")),
            State::Opening | State::Ended => {}
        }
        *before = status.camera;
    }
}
