//! What all clients share: the pipeline, and what goes with it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::{Semaphore, watch};

use super::light::Light;
use super::message::{Spent, Status};
use super::models::{Choice, Models};
use super::publisher::Published;
use super::recordings::Recordings;
use super::refusal::Refusal;
use super::run::Run;
use crate::camera::State;
use crate::error::Result;
use crate::live::{About, Alarm, Pipeline, Worker};

/// Most streams at a time.
pub const WATCHERS: usize = 8;
/// Most downloads at a time: each keeps a thread.
pub const DOWNLOADS: usize = 4;

/// What a station is made of.
pub struct Parts {
    /// Camera, model, recording.
    pub pipeline: Pipeline,
    /// Models to choose from.
    pub models: Models,
    /// Where recordings go.
    pub recordings: Recordings,
    /// The lamp, or why there is none.
    pub light: Result<Box<dyn Light>, String>,
    /// Side of a pixel in µm.
    pub pixel_size_um: Option<f64>,
}

/// What frames are segmented with.
#[derive(Debug, Clone)]
pub(super) struct Chosen {
    /// The model's name.
    pub model: String,
    /// The probability above which a pixel is an object's, where the model has one that can be set.
    pub threshold: Option<f32>,
}

/// A pipeline with an audience.
pub struct Station {
    pub(super) pipeline: Pipeline,
    pub(super) models: Models,
    pub(super) recordings: Recordings,
    pub(super) light: Result<Mutex<Box<dyn Light>>, String>,
    pub(super) pixel_size_um: Option<f64>,
    /// The newest observation. Its receivers are the streams.
    pub(super) newest: watch::Sender<Option<Arc<Published>>>,
    pub(super) watchers: Arc<Semaphore>,
    pub(super) downloads: Arc<Semaphore>,
    /// Becomes true when everybody is to leave.
    pub(super) stopping: watch::Sender<bool>,
    run: Mutex<Run>,
    model: Mutex<Chosen>,
    start: Instant,
}

impl Station {
    /// A station that nobody watches yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { pipeline, models, recordings, light, pixel_size_um } = parts;
        let threshold = pipeline.ask(|worker| worker.engine().threshold()).flatten();
        let model = Mutex::new(Chosen { model: models.first().name, threshold });
        Station {
            pipeline,
            model,
            recordings,
            light: light.map(Mutex::new),
            pixel_size_um,
            newest: watch::Sender::new(None),
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            downloads: Arc::new(Semaphore::new(DOWNLOADS)),
            stopping: watch::Sender::new(false),
            run: Mutex::default(),
            models,
            start: Instant::now(),
        }
    }

    /// The figures of the run.
    pub(super) fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Model and threshold.
    pub(super) fn chosen(&self) -> Chosen {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Chosen> {
        self.model.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with another model; figures begin anew, as two models do not find the same. Waits for the frame that is being done.
    pub(super) fn choose(&self, choice: Choice) -> Result<(), Refusal> {
        let options = self.models.options(&choice);
        let path = choice.path;
        let threshold = self.change(move |worker| {
            worker.change_model(path, &options)?;
            Ok(worker.engine().threshold())
        })?;
        self.restart(Chosen { model: choice.name, threshold });
        Ok(())
    }

    /// Goes on with another threshold, likewise.
    pub(super) fn set_threshold(&self, threshold: f32) -> Result<(), Refusal> {
        self.change(move |worker| worker.engine().set_threshold(threshold).map_err(Refusal::conflict))?;
        self.restart(Chosen { threshold: Some(threshold), ..self.chosen() });
        Ok(())
    }

    /// Changes how frames are segmented, unless they are recorded: a recording is of one model.
    fn change<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Worker) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let unless_recording = |worker: &mut Worker| {
            if worker.standing().recording {
                return Err(Refusal::conflict("a recording is of one model and threshold; end it first"));
            }
            act(worker)
        };
        self.ask(unless_recording)?
    }

    /// Does something with the worker between two frames.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let ended = || Refusal::conflict("the camera's stream is over, and the pipeline with it");
        self.pipeline.ask(act).ok_or_else(ended)
    }

    fn restart(&self, chosen: Chosen) {
        *self.lock() = chosen;
        *self.run() = Run::default();
    }

    /// How the camera is.
    pub fn camera(&self) -> State {
        self.pipeline.status().camera
    }

    /// How all is.
    pub(super) fn status(&self) -> Status {
        let status = self.pipeline.status();
        let Chosen { model, threshold } = self.chosen();
        let run = self.run();
        let (times, encode_ms) = run.times();
        let newest = self.newest.borrow().clone();
        let figures = newest.as_ref().and_then(|newest| newest.observation.figures.as_ref());
        let light = figures
            .iter()
            .flat_map(|figures| &figures.alarms)
            .map(|alarm| Alarm { about: About::Frame, text: format!("light: {alarm}") });
        Status {
            kind: "status",
            camera: status.camera,
            frames: status.frames,
            done: status.worker.done,
            failed: status.worker.failed,
            rate: run.rate(Instant::now()),
            model,
            threshold,
            recording: status.worker.recording.then(|| self.recordings.current()).flatten(),
            totals: status.worker.totals,
            alarms: status.worker.alarms.into_iter().chain(light).collect(),
            watchers: WATCHERS - self.watchers.available_permits(),
            times: Spent::new(times, encode_ms),
            shown: run.latency(),
            uptime: self.start.elapsed().as_secs_f64(),
        }
    }

    /// Waits until everybody is to leave.
    pub(super) fn stopped(&self) -> impl Future<Output = ()> + use<> {
        let mut stopping = self.stopping.subscribe();
        // The sender is ours, and goes with us.
        async move { drop(stopping.wait_for(|stopping| *stopping).await) }
    }

    /// Ends the pipeline, after the frame that is being done.
    ///
    /// # Errors
    /// When the recording cannot be completed.
    pub fn finish(&self) -> Result<()> {
        self.pipeline.stop()
    }
}
