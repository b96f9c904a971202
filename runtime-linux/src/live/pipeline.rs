//! The thread that takes frames from a feed and makes observations of them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

use super::{Latest, Observation, Standing, Worker};
use crate::camera::{Counts, Feed, State};
use crate::error::{Error, Result};

/// How long the thread waits for a frame before it looks at what was asked of it.
const GLANCE: Duration = Duration::from_millis(50);

/// How all is.
#[derive(Debug, Clone, Serialize)]
pub struct Status {
    /// The camera.
    pub camera: State,
    /// What became of its frames.
    pub frames: Counts,
    /// The rest.
    #[serde(flatten)]
    pub worker: Standing,
}

/// Something to do between two frames.
type Request = Box<dyn FnOnce(&mut Worker) + Send>;

/// A running pipeline; dropping it finishes the frame and the recording.
pub struct Pipeline {
    shared: Arc<Shared>,
    requests: Sender<Request>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
}

/// What the thread and the others see.
struct Shared {
    feed: Feed,
    latest: Latest<Observation>,
    standing: Mutex<Standing>,
    stop: AtomicBool,
}

impl Pipeline {
    /// Starts a thread over `feed`. The worker is made on that thread, where it stays.
    ///
    /// # Errors
    /// What `worker` says, or [`Error::Usage`] when the system starts no more threads.
    pub fn start(feed: Feed, worker: impl FnOnce() -> Result<Worker> + Send + 'static) -> Result<Pipeline> {
        let shared = Arc::new(Shared {
            feed,
            latest: Latest::default(),
            standing: Mutex::default(),
            stop: AtomicBool::new(false),
        });
        let (requests, asked) = channel();
        let (ready, began) = channel();
        let theirs = Arc::clone(&shared);
        let run = move || {
            let (worker, answer) = match worker() {
                Ok(worker) => {
                    theirs.note(&worker);
                    (Some(worker), Ok(()))
                }
                Err(error) => (None, Err(error)),
            };
            // Whoever started this waits for the answer.
            let _ = ready.send(answer);
            let result = worker.map_or(Ok(()), |worker| theirs.run(worker, &asked));
            theirs.latest.close();
            result
        };
        let thread = std::thread::Builder::new()
            .name("pipeline".into())
            .spawn(run)
            .map_err(|e| Error::usage(format!("cannot start a thread for the pipeline: {e}")))?;
        began.recv().map_err(|_| Error::usage("the pipeline's thread ended before it began"))??;
        Ok(Pipeline { shared, requests, thread: Mutex::new(Some(thread)) })
    }

    /// The observations, the newest of them.
    pub fn latest(&self) -> &Latest<Observation> {
        &self.shared.latest
    }

    /// Does something with the worker between two frames, and returns what it gives; `None` when the pipeline has ended.
    pub fn ask<T: Send + 'static>(&self, act: impl FnOnce(&mut Worker) -> T + Send + 'static) -> Option<T> {
        let (answer, given) = channel();
        let request: Request = Box::new(move |worker| drop(answer.send(act(worker))));
        self.requests.send(request).ok()?;
        given.recv().ok()
    }

    /// How all is, at the last frame.
    pub fn status(&self) -> Status {
        let worker = self.shared.standing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Status { camera: self.shared.feed.state(), frames: self.shared.feed.counts(), worker }
    }

    /// Stops after the frame that is being done, and finishes the recording. The last observation and the status stay.
    ///
    /// # Errors
    /// When the recording cannot be completed; that is said once.
    pub fn stop(&self) -> Result<()> {
        self.shared.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // Whoever wants to know how the recording ended calls `stop`.
            let _ = self.stop();
        }
    }
}

impl Shared {
    /// The thread's work.
    fn run(&self, mut worker: Worker, asked: &Receiver<Request>) -> Result<()> {
        while !self.stop.load(Ordering::Relaxed) && !self.feed.is_over() {
            asked.try_iter().for_each(|request| request(&mut worker));
            let shot = self.feed.take(GLANCE);
            let observation = shot.and_then(|shot| worker.observe(shot, self.feed.counts()));
            self.note(&worker);
            if let Some(observation) = observation {
                self.latest.put(Arc::new(observation));
            }
        }
        // What was asked while the last frame was done is answered still.
        asked.try_iter().for_each(|request| request(&mut worker));
        let finished = worker.stop_recording();
        self.note(&worker);
        finished
    }

    fn note(&self, worker: &Worker) {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner) = worker.standing();
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::sync::mpsc::Sender;

    use microtome_core::Kernel;

    use super::*;
    use crate::camera::{Camera, Patience, Shot, Trouble};
    use crate::engine::{self, Engine, Mask};
    use crate::instrument::{Analysis, Setup};
    use crate::live::{Identity, Recorder};
    use crate::machine::{Machine, Rows};
    use crate::source::{Channels, Image, Samples};

    /// Frames of one pixel, as fast as they are taken; their brightness counts up.
    struct Counter(u8);

    impl Camera for Counter {
        fn next(&mut self, _: Duration) -> Result<Shot, Trouble> {
            let image = Image::new(1, 1, Channels::Grey, Samples::U8(vec![self.0])).map_err(Trouble::Gone)?;
            self.0 = self.0.checked_add(1).ok_or(Trouble::End)?;
            Ok(Shot::now(image))
        }

        fn describe(&self) -> String {
            "counter".into()
        }
    }

    /// Finds an object in bright frames, and fails on one in ten.
    struct Bright;

    impl Engine for Bright {
        fn mask(&mut self, image: &Image) -> Result<Mask, String> {
            let value = image.sample(0);
            if value % 10 == 9 {
                return Err(format!("a frame of {value}"));
            }
            Ok(Mask { height: 1, width: 1, classes: vec![u8::from(value > 100)] })
        }

        fn post(&self) -> microtome_core::plan::Post {
            let bundled = microtome_core::Plan::parse(engine::BUNDLED).unwrap();
            let task = microtome_core::plan::Task::Components;
            microtome_core::plan::Post { task, min_area: 1, ..bundled.post() }
        }
    }

    /// Tells what it is given; its disk is full after `room` observations.
    struct Tape {
        kept: Sender<Option<u64>>,
        room: usize,
    }

    impl Recorder for Tape {
        fn keep(&mut self, observation: &Observation) -> Result<()> {
            if self.room == 0 {
                return Err(Error::output("tape", std::io::ErrorKind::StorageFull.into()));
            }
            self.room -= 1;
            self.kept.send(Some(observation.number)).unwrap();
            Ok(())
        }

        fn finish(self: Box<Self>) -> Result<()> {
            self.kept.send(None).unwrap();
            Ok(())
        }
    }

    fn pipeline(drop: bool, prepare: impl FnOnce(&mut Worker) + Send + 'static) -> Pipeline {
        let patience = Patience { drop, ..Patience::default() };
        let feed = Feed::start(Box::new(|| Ok(Box::new(Counter(0)) as Box<dyn Camera>)), patience).unwrap();
        let worker = || {
            let machine = Machine::of(Kernel::best(), NonZeroUsize::MIN, Rows::Exactly(1))?;
            let mut worker = Worker::with_engine(
                Arc::new(machine),
                Identity { name: "bright".into(), ..Identity::default() },
                Box::new(Bright),
                Analysis::new(Setup::default()),
            );
            prepare(&mut worker);
            Ok(worker)
        };
        Pipeline::start(feed, worker).unwrap()
    }

    fn until_over(pipeline: &Pipeline) -> Status {
        while !pipeline.latest().is_closed() {
            std::thread::sleep(Duration::from_millis(1));
        }
        pipeline.status()
    }

    #[test]
    fn every_frame_is_done_or_failed_or_counted_as_dropped() {
        for drop in [true, false] {
            let pipeline = pipeline(drop, |_| {});
            let Status { frames, worker, .. } = until_over(&pipeline);
            assert_eq!(frames.received, 255);
            assert_eq!(frames.received, worker.done + worker.failed + frames.dropped);
            assert!(drop || (worker.failed, frames.dropped) == (25, 0), "{worker:?} {frames:?}");
            pipeline.stop().unwrap();
        }
    }

    #[test]
    fn a_recording_misses_nothing_and_ends_with_the_pipeline() {
        let (kept, told) = channel();
        let pipeline = pipeline(false, |worker| worker.record(Box::new(Tape { kept, room: usize::MAX })).unwrap());
        pipeline.stop().unwrap();
        let mut told: Vec<Option<u64>> = told.iter().collect();
        assert_eq!(told.pop(), Some(None));
        assert!(told.iter().zip(1..).all(|(kept, number)| *kept == Some(number)), "{told:?}");
    }

    #[test]
    fn a_full_disk_ends_the_recording_with_an_alarm_and_nothing_else() {
        let (kept, told) = channel();
        let pipeline = pipeline(false, |worker| worker.record(Box::new(Tape { kept, room: 3 })).unwrap());
        let Standing { done, recording, alarms, .. } = until_over(&pipeline).worker;
        assert_eq!(told.iter().collect::<Vec<_>>(), [Some(1), Some(2), Some(3), None]);
        assert_eq!((done, recording), (230, false));
        assert!(alarms.iter().any(|alarm| alarm.text.starts_with("the recording has ended: cannot write tape")));
    }

    #[test]
    fn what_is_asked_happens_between_frames_and_a_bad_model_changes_nothing() {
        let pipeline = pipeline(false, |_| {});
        let missing = pipeline.ask(|worker| worker.change_model(Some("none.mtm".into()), &engine::Options::default()));
        assert!(missing.is_none_or(|result| result.is_err()));
        until_over(&pipeline);
        assert_eq!(pipeline.ask(|_| ()), None);
        assert_eq!(pipeline.status().worker.model, "bright");
    }
}
