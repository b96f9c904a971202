//! What is done with a frame, and with what.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Observation, Times};
use crate::camera::{Counts, Shot};
use crate::engine::{BUNDLED, BUNDLED_NAME, Engine, Model, Options, makes_objects};
use crate::error::{Error, Result};
use crate::instrument::{Analysed, Analysis, Totals};
use crate::machine::Machine;
use crate::sink::Extra;

/// Whoever keeps observations. It sees every one, in order.
pub trait Recorder: Send {
    /// Keeps one.
    ///
    /// # Errors
    /// When it cannot be kept, for want of room for example. The recording ends then.
    fn keep(&mut self, observation: &Observation) -> Result<()>;

    /// Puts the recording where it belongs.
    ///
    /// # Errors
    /// When its files cannot be completed.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// Something that a person should look after; the pipeline goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// What it is about.
    pub about: About,
    /// One sentence.
    pub text: String,
}

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// The last frame.
    Frame,
    /// The recording.
    Recording,
}

/// What a model is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its file, or the name of the one that is built in.
    pub name: String,
    /// The SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// The names of the classes that objects can be of, from class 0.
    pub classes: Vec<String>,
}

/// How a worker is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Standing {
    /// Frames done.
    pub done: u64,
    /// Frames that the model could not take.
    pub failed: u64,
    /// Whether observations are recorded.
    pub recording: bool,
    /// The model's file.
    pub model: String,
    /// What a person should look after.
    pub alarms: Vec<Alarm>,
    /// Sums over all frames, where figures are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
}

/// The model, the measurement and the recording of a pipeline. Whoever changes them does so between two frames
/// ([`Pipeline::ask`](super::Pipeline::ask)).
pub struct Worker {
    machine: Arc<Machine>,
    model: Identity,
    engine: Box<dyn Engine>,
    analysis: Analysis,
    recorder: Option<Box<dyn Recorder>>,
    /// Of the frame before, until one goes well.
    frame_alarm: Option<Alarm>,
    /// Of the last recording, until another begins.
    recording_alarm: Option<Alarm>,
    done: u64,
    failed: u64,
}

impl Worker {
    /// A worker with the model of a file, or the one that is built in, and a measurement.
    ///
    /// # Errors
    /// [`Error::Model`] when the model cannot be read, or makes no objects.
    pub fn new(machine: Arc<Machine>, model: Option<PathBuf>, options: &Options, analysis: Analysis) -> Result<Self> {
        let (identity, engine) = open(&machine, model, options)?;
        Ok(Worker::with_engine(machine, identity, engine, analysis))
    }

    /// A worker with this engine.
    pub(super) fn with_engine(
        machine: Arc<Machine>,
        model: Identity,
        engine: Box<dyn Engine>,
        analysis: Analysis,
    ) -> Self {
        let (recorder, frame_alarm, recording_alarm) = (None, None, None);
        Worker { machine, model, engine, analysis, recorder, frame_alarm, recording_alarm, done: 0, failed: 0 }
    }

    /// Goes on with another model; with the old one where that fails.
    ///
    /// # Errors
    /// [`Error::Model`] when it cannot be read, or makes no objects.
    pub fn change_model(&mut self, model: Option<PathBuf>, options: &Options) -> Result<()> {
        (self.model, self.engine) = open(&self.machine, model, options)?;
        Ok(())
    }

    /// What the model is.
    pub fn model(&self) -> &Identity {
        &self.model
    }

    /// The measurement.
    pub fn analysis(&self) -> &Analysis {
        &self.analysis
    }

    /// The model.
    pub fn engine(&mut self) -> &mut dyn Engine {
        self.engine.as_mut()
    }

    /// Begins a recording; one that runs is finished first.
    ///
    /// # Errors
    /// When the old one cannot be completed; the new one has begun.
    pub fn record(&mut self, recorder: Box<dyn Recorder>) -> Result<()> {
        let old = self.recorder.replace(recorder);
        self.recording_alarm = None;
        old.map_or(Ok(()), Recorder::finish)
    }

    /// Ends the recording, if there is one.
    ///
    /// # Errors
    /// When it cannot be completed.
    pub fn stop_recording(&mut self) -> Result<()> {
        self.recorder.take().map_or(Ok(()), Recorder::finish)
    }

    /// How it is.
    pub fn standing(&self) -> Standing {
        Standing {
            done: self.done,
            failed: self.failed,
            recording: self.recorder.is_some(),
            model: self.model.name.clone(),
            alarms: [&self.frame_alarm, &self.recording_alarm].into_iter().flatten().cloned().collect(),
            totals: self.analysis.totals().copied(),
        }
    }

    /// Does a frame. `None` where the model cannot take it: there is an alarm then.
    pub(super) fn observe(&mut self, mut shot: Shot, counts: Counts) -> Option<Observation> {
        let taken = Instant::now();
        let analysed = match self.analysis.frame(self.engine.as_mut(), &shot.image) {
            Ok(analysed) => analysed,
            Err(text) => {
                self.failed += 1;
                self.frame_alarm = Some(Alarm { about: About::Frame, text });
                return None;
            }
        };
        let Analysed { image, segmentation: made, columns, figures } = analysed;
        if let Cow::Owned(corrected) = image {
            shot.image = corrected;
        }
        (self.done, self.frame_alarm) = (self.done + 1, None);
        let ms = |from: Instant, to: Instant| to.saturating_duration_since(from).as_secs_f64() * 1e3;
        let times = Times {
            waited_ms: ms(shot.received, taken),
            segment_ms: made.elapsed.as_secs_f64() * 1e3,
            latency_ms: ms(shot.received, Instant::now()),
        };
        let pixel_size_um = self.analysis.pixel_size_um();
        let extra = columns.into_iter().map(Extra::from).collect();
        let mut observation =
            Observation { number: self.done, shot, made, extra, figures, pixel_size_um, times, counts };
        self.keep(&observation);
        observation.times.latency_ms = ms(observation.shot.received, Instant::now());
        Some(observation)
    }

    /// Hands an observation to the recording. One that fails ends, with an alarm; the live view goes on.
    fn keep(&mut self, observation: &Observation) {
        let Some(recorder) = &mut self.recorder else { return };
        if let Err(error) = recorder.keep(observation) {
            let text = format!("the recording has ended: {error}");
            self.recording_alarm = Some(Alarm { about: About::Recording, text });
            // What was kept is completed as far as that is possible; why it may not be has just been said.
            let _ = self.stop_recording();
        }
    }
}

/// The engine of a model's file, or of the plan that is built in; and what it is.
fn open(machine: &Arc<Machine>, path: Option<PathBuf>, options: &Options) -> Result<(Identity, Box<dyn Engine>)> {
    let (path, model, sha256) = match path {
        Some(path) => {
            let model = Model::open(&path, options, &mut |_| {})?;
            let bytes = std::fs::read(&path).map_err(|e| Error::model(&path, e))?;
            (path, model, digest(&bytes))
        }
        None => (BUNDLED_NAME.into(), Model::bundled(options)?, digest(BUNDLED)),
    };
    let identity = Identity { name: path.display().to_string(), sha256, classes: model.object_classes() };
    let engine = model.into_engine(machine).map_err(|e| Error::model(&path, e))?;
    makes_objects(engine.as_ref()).map_err(|e| Error::model(&path, e))?;
    Ok((identity, engine))
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
