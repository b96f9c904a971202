//! A camera that is kept open.
//!
//! One thread owns the camera. It puts every frame into a place for one; where that is taken, the old frame is dropped and counted, or, of a
//! source that is not live, the thread waits. A camera that is gone, silent or never opened is tried again, at growing intervals.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Camera, Shot, Trouble};

/// How long a camera may be silent before it is closed and opened again, how long to wait in between, and whether frames wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// A camera without a frame for so long has stalled.
    pub stall: Duration,
    /// The wait before the first attempt to open it again; each further one is twice as long.
    pub first_retry: Duration,
    /// The longest wait between attempts.
    pub last_retry: Duration,
    /// Whether a frame of a live camera makes place for a newer one. Otherwise the camera has to wait, like a file.
    pub drop: bool,
}

impl Default for Patience {
    fn default() -> Self {
        let [stall, first_retry, last_retry] = [5000, 500, 30_000].map(Duration::from_millis);
        Patience { stall, first_retry, last_retry, drop: true }
    }
}

/// How long the thread looks away from the wish to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// What became of the frames. `received = taken + dropped + waiting`, where at most one is waiting.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Frames that arrived whole.
    pub received: u64,
    /// Frames that somebody took.
    pub taken: u64,
    /// Frames that a newer one replaced before anybody took them.
    pub dropped: u64,
    /// Frames that the device counted and that never arrived.
    pub lost: u64,
    /// Frames that arrived damaged.
    pub spoilt: u64,
    /// Times that the camera was opened.
    pub opened: u64,
}

/// How the camera is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It is being opened for the first time.
    Opening,
    /// Frames come, or are expected soon.
    Running {
        /// The camera, in a few words.
        camera: String,
    },
    /// It is gone, and will be tried again.
    Waiting {
        /// Why, in one sentence.
        reason: String,
    },
    /// No more frames will come.
    Ended,
}

/// Opens the camera, again and again.
pub type Opener = dyn FnMut() -> Result<Box<dyn Camera>, String> + Send;

/// A camera that is kept open by a thread; dropping this closes it.
pub struct Feed {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    waiting: Option<Shot>,
    counts: Counts,
    state: State,
    stop: bool,
}

impl Shared {
    /// Whoever panics with the lock leaves nothing half done: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, state: State) {
        self.lock().state = state;
        self.changed.notify_all();
    }

    /// Waits, but not when the feed is to stop; says whether it is.
    fn stopped_within(&self, duration: Duration) -> bool {
        let guard = self.lock();
        let waited = self.changed.wait_timeout_while(guard, duration, |inner| !inner.stop);
        waited.unwrap_or_else(PoisonError::into_inner).0.stop
    }
}

impl Feed {
    /// Starts a thread that keeps a camera open.
    ///
    /// # Errors
    /// When the system starts no more threads.
    pub fn start(open: Box<Opener>, patience: Patience) -> std::io::Result<Feed> {
        let inner = Inner { waiting: None, counts: Counts::default(), state: State::Opening, stop: false };
        let shared = Arc::new(Shared { inner: Mutex::new(inner), changed: Condvar::new() });
        let keeper = Keeper { shared: Arc::clone(&shared), patience };
        let thread = std::thread::Builder::new().name("camera".into()).spawn(move || keeper.keep(open))?;
        Ok(Feed { shared, thread: Some(thread) })
    }

    /// Takes the newest frame; waits for one up to `timeout`. `None` where none came, or none will: [`state`](Self::state) says which.
    pub fn take(&self, timeout: Duration) -> Option<Shot> {
        let nothing_yet = |inner: &mut Inner| inner.waiting.is_none() && !matches!(inner.state, State::Ended);
        let waited = self.shared.changed.wait_timeout_while(self.shared.lock(), timeout, nothing_yet);
        let mut inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        let shot = inner.waiting.take()?;
        inner.counts.taken += 1;
        drop(inner);
        self.shared.changed.notify_all();
        Some(shot)
    }

    /// What became of the frames so far.
    pub fn counts(&self) -> Counts {
        self.shared.lock().counts
    }

    /// How the camera is.
    pub fn state(&self) -> State {
        self.shared.lock().state.clone()
    }

    /// Whether every frame that will ever come has been taken.
    pub fn is_over(&self) -> bool {
        let inner = self.shared.lock();
        inner.waiting.is_none() && matches!(inner.state, State::Ended)
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            // A panic in there has been reported by its own message.
            let _ = thread.join();
        }
    }
}

/// The thread's side.
struct Keeper {
    shared: Arc<Shared>,
    patience: Patience,
}

/// Why a camera was closed.
enum Closed {
    /// The feed is to stop, or there is nothing more.
    ForGood,
    /// It is worth another attempt; `after_frames` tells whether it had worked.
    Fault { reason: String, after_frames: bool },
}

impl Keeper {
    fn keep(&self, mut open: Box<Opener>) {
        let mut wait = self.patience.first_retry;
        loop {
            let closed = match open() {
                Ok(camera) => self.run(camera),
                Err(reason) => Closed::Fault { reason, after_frames: false },
            };
            let Closed::Fault { reason, after_frames } = closed else { return };
            if after_frames {
                wait = self.patience.first_retry;
            }
            self.shared.set(State::Waiting { reason });
            if self.shared.stopped_within(wait) {
                return;
            }
            wait = (2 * wait).min(self.patience.last_retry);
        }
    }

    /// Takes frames until something is wrong.
    fn run(&self, mut camera: Box<dyn Camera>) -> Closed {
        let camera_name = camera.describe();
        let mut inner = self.shared.lock();
        inner.state = State::Running { camera: camera_name.clone() };
        inner.counts.opened += 1;
        drop(inner);
        self.shared.changed.notify_all();
        let (mut last, mut after_frames) = (Instant::now(), false);
        loop {
            if self.shared.lock().stop {
                return Closed::ForGood;
            }
            match camera.next(GLANCE.min(self.patience.stall)) {
                Ok(shot) => {
                    if !self.put(shot, camera.is_live() && self.patience.drop) {
                        return Closed::ForGood;
                    }
                    (last, after_frames) = (Instant::now(), true);
                }
                Err(Trouble::Late) => {}
                Err(Trouble::Spoilt(_)) => self.shared.lock().counts.spoilt += 1,
                Err(Trouble::Gone(reason)) => return Closed::Fault { reason, after_frames },
                Err(Trouble::End) => {
                    self.shared.set(State::Ended);
                    return Closed::ForGood;
                }
            }
            if camera.is_live() && last.elapsed() >= self.patience.stall {
                let reason = format!("{camera_name}: no frame for {:.1} s", last.elapsed().as_secs_f64());
                return Closed::Fault { reason, after_frames };
            }
        }
    }

    /// Puts a frame where it can be taken; says whether to go on.
    fn put(&self, shot: Shot, may_drop: bool) -> bool {
        let mut inner = self.shared.lock();
        inner.counts.received += 1;
        inner.counts.lost += shot.lost;
        if !may_drop {
            let taken_or_stop = self.shared.changed.wait_while(inner, |inner| inner.waiting.is_some() && !inner.stop);
            inner = taken_or_stop.unwrap_or_else(PoisonError::into_inner);
        }
        if inner.waiting.replace(shot).is_some() {
            inner.counts.dropped += 1;
        }
        let go_on = !inner.stop;
        drop(inner);
        self.shared.changed.notify_all();
        go_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Channels, Image, Samples};

    const QUICK: Patience = Patience {
        stall: Duration::from_millis(50),
        first_retry: Duration::from_millis(1),
        last_retry: Duration::from_millis(4),
        drop: true,
    };
    const LONG: Duration = Duration::from_secs(20);

    /// Plays what it is told; frames carry their number.
    struct Script {
        steps: std::vec::IntoIter<Result<u8, Trouble>>,
        live: bool,
    }

    impl Camera for Script {
        fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
            match self.steps.next() {
                Some(Ok(number)) => Ok(Shot::now(Image::new(1, 1, Channels::Grey, Samples::U8(vec![number])).unwrap())),
                Some(Err(trouble)) => Err(trouble),
                None => {
                    std::thread::sleep(patience);
                    Err(Trouble::Late)
                }
            }
        }

        fn describe(&self) -> String {
            "script".into()
        }

        fn is_live(&self) -> bool {
            self.live
        }
    }

    /// A feed whose camera plays one script each time it is opened, and cannot be opened after the last.
    fn feed(live: bool, scripts: Vec<Vec<Result<u8, Trouble>>>) -> Feed {
        let mut scripts = scripts.into_iter();
        let open = move || match scripts.next() {
            Some(steps) => Ok(Box::new(Script { steps: steps.into_iter(), live }) as Box<dyn Camera>),
            None => Err("no such camera".into()),
        };
        Feed::start(Box::new(open), QUICK).unwrap()
    }

    fn number(shot: &Shot) -> u16 {
        shot.image.sample(0)
    }

    fn until(feed: &Feed, done: impl Fn(&Feed) -> bool) {
        let start = Instant::now();
        while !done(feed) {
            assert!(start.elapsed() < LONG, "{:?} {:?}", feed.state(), feed.counts());
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    #[test]
    fn the_newest_frame_wins_and_the_rest_is_counted() {
        let feed = feed(true, vec![vec![Ok(1), Ok(2), Err(Trouble::Spoilt("half".into())), Ok(3), Err(Trouble::End)]]);
        until(&feed, |feed| matches!(feed.state(), State::Ended));
        assert_eq!(number(&feed.take(LONG).unwrap()), 3);
        assert!(feed.take(LONG).is_none() && feed.is_over());
        let wanted = Counts { received: 3, taken: 1, dropped: 2, lost: 0, spoilt: 1, opened: 1 };
        assert_eq!(feed.counts(), wanted);
    }

    #[test]
    fn of_files_every_frame_is_handed_out() {
        let feed = feed(false, vec![vec![Ok(1), Ok(2), Ok(3), Err(Trouble::End)]]);
        let numbers: Vec<u16> = std::iter::from_fn(|| feed.take(LONG)).map(|shot| number(&shot)).collect();
        assert_eq!((numbers, feed.counts().dropped), (vec![1, 2, 3], 0));
    }

    #[test]
    fn a_camera_that_is_gone_or_silent_is_opened_again() {
        let gone = Err(Trouble::Gone("unplugged".into()));
        let feed = feed(true, vec![vec![Ok(1), gone], vec![Ok(2)], vec![Ok(3), Err(Trouble::End)]]);
        until(&feed, |feed| matches!(feed.state(), State::Ended));
        assert_eq!((feed.counts().received, feed.counts().opened), (3, 3));
    }

    #[test]
    fn what_cannot_be_opened_is_said_and_tried_until_dropped() {
        let feed = feed(true, vec![]);
        until(&feed, |feed| feed.state() == State::Waiting { reason: "no such camera".into() });
        assert!(feed.take(Duration::from_millis(5)).is_none() && !feed.is_over());
    }
}
