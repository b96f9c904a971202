//! Threads that share the work of a step.
//!
//! A step is a matter of microseconds, so meeting must cost a fraction of one. What it costs is cache lines that go from
//! one core to another; so there is one line that only the caller writes, the *call*, and for each part of the work two
//! that its worker writes: whether the part is *taken*, and whether it is *done*. All three hold the number of a round.
//!
//! Workers that have nothing to do look at the call for a while, and sleep when nothing comes: between the steps of a
//! frame they are awake, between frames they rest. Each has a part of its own, so that the columns it wrote in one step
//! are those it reads in the next. But any thread may take any part, once: whoever is done with its own does what others
//! have not begun, so a worker that sleeps, or that the system has put aside, holds nobody up.
//!
//! Invariant: a round ends when all of its parts are done or given up, also where one of them panics. So nobody reads a
//! round's work after [`Crew::share`] has returned, which is what the only `unsafe` here rests on.
#![allow(unsafe_code)]

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use microtome_core::Crew;

/// Most threads of a pool: core parts a row into as many at most.
pub const MAX_THREADS: usize = 16;

/// How long a worker looks out for the next round before it sleeps: longer than a step's serial part takes, shorter than
/// anybody would notice on an energy bill.
const PATIENCE: Duration = Duration::from_micros(80);

/// Looks between two looks at the clock.
const LOOKS: usize = 32;

/// Looks at a part that is not done before one asks whether anybody has begun it.
const TRUST: usize = 16;

/// Looks at a part that somebody has begun before one lets other threads run.
const WAIT: usize = 1 << 12;

/// What a round does, for the length of the round.
type Work<'w> = &'w (dyn Fn(usize) + Sync);

/// A cache line of its own (two, where lines are fetched in pairs).
#[repr(align(128))]
struct Line<T>(T);

/// What the caller says.
struct Call {
    /// The round; 0 before the first.
    round: AtomicU64,
    /// Its work.
    work: AtomicPtr<Work<'static>>,
}

/// The last round in which this was so.
type Since = Line<AtomicU64>;

/// What the threads have in common.
struct Shared {
    call: Line<Call>,
    /// By part: somebody does it.
    taken: Vec<Since>,
    /// By part: it is done.
    done: Vec<Since>,
    /// Workers that sleep, or are about to: a bit each.
    asleep: Line<AtomicU32>,
    patience: Duration,
    /// Somebody is in `share`.
    busy: AtomicBool,
    stop: AtomicBool,
    panicked: AtomicBool,
    /// What a part's panic carried.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

/// A calling thread and its workers.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

impl Pool {
    /// A pool of `threads` threads (at most [`MAX_THREADS`]), of which the one that calls is the first.
    ///
    /// # Errors
    /// The system starts no more threads.
    pub fn new(threads: NonZeroUsize) -> std::io::Result<Pool> {
        let parts = threads.get().min(MAX_THREADS);
        // Where threads outnumber cores, one that only looks is in the way of one that works.
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let since = || (0..parts).map(|_| Line(AtomicU64::new(0))).collect();
        let shared = Arc::new(Shared {
            call: Line(Call { round: AtomicU64::new(0), work: AtomicPtr::new(std::ptr::null_mut()) }),
            taken: since(),
            done: since(),
            asleep: Line(AtomicU32::new(0)),
            patience: if parts > cores { Duration::ZERO } else { PATIENCE },
            busy: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            panicked: AtomicBool::new(false),
            panic: Mutex::new(None),
        });
        let mut pool = Pool { shared, workers: Vec::new() };
        for index in 1..parts {
            let shared = Arc::clone(&pool.shared);
            let worker = thread::Builder::new().name(format!("microtome-{index}"));
            pool.workers.push(worker.spawn(move || shared.serve(index))?);
        }
        Ok(pool)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        for worker in self.workers.drain(..) {
            worker.thread().unpark();
            // A worker catches what its parts panic with, so there is nothing to learn here.
            let _ = worker.join();
        }
    }
}

impl Crew for Pool {
    fn workers(&self) -> usize {
        self.shared.parts()
    }

    /// Work of a microsecond or two with the fastest kernels, which is what a meeting takes where cores are far apart.
    fn worth(&self) -> usize {
        1 << 19
    }

    fn share(&self, work: Work<'_>) {
        let shared = &*self.shared;
        // Also where a part shares work itself, or two threads do at a time: the second does its own.
        if shared.parts() == 1 || shared.busy.swap(true, Ordering::Acquire) {
            return (0..shared.parts()).for_each(work);
        }
        let round = Round::begin(self, &work);
        work(0);
        for part in 1..shared.parts() {
            if !shared.look(round.number, part, TRUST) {
                shared.take(round.number, part);
            }
        }
        drop(round);
        if shared.panicked.load(Ordering::Relaxed) {
            let payload = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
            resume_unwind(payload.unwrap_or_else(|| Box::new("a worker panicked")));
        }
    }
}

/// A round, from its call to its end.
struct Round<'p> {
    shared: &'p Shared,
    number: u64,
}

impl<'p> Round<'p> {
    /// Calls the workers, and wakes who sleeps. The caller has part 0.
    fn begin(pool: &'p Pool, work: &Work<'_>) -> Round<'p> {
        let shared = &*pool.shared;
        let Call { round, work: place } = &shared.call.0;
        // A worker's panic is forgotten where the caller's own came first.
        shared.panicked.store(false, Ordering::Relaxed);
        place.store(std::ptr::from_ref(work).cast_mut().cast(), Ordering::Relaxed);
        let number = round.load(Ordering::Relaxed) + 1;
        shared.taken[0].0.store(number, Ordering::Relaxed);
        round.store(number, Ordering::Release);
        // A worker that falls asleep at this very moment may miss the call, and be missed here: its part is then done by
        // others, and the next round wakes it. To rule that out would have the caller wait for its own store.
        let asleep = shared.asleep.0.load(Ordering::Relaxed);
        if asleep != 0 {
            let sleepers = pool.workers.iter().zip(1..).filter(|(_, index)| asleep & (1 << index) != 0);
            sleepers.for_each(|(worker, _)| worker.thread().unpark());
        }
        Round { shared, number }
    }
}

impl Drop for Round<'_> {
    fn drop(&mut self) {
        for part in 1..self.shared.parts() {
            // What nobody has begun by now, since the caller's part panicked, is given up.
            while !self.shared.look(self.number, part, WAIT) && !self.shared.claim(self.number, part) {
                thread::yield_now();
            }
        }
        self.shared.busy.store(false, Ordering::Release);
    }
}

impl Shared {
    fn parts(&self) -> usize {
        self.done.len()
    }

    /// Whether a part is done, or is before one has looked so often.
    fn look(&self, number: u64, part: usize, times: usize) -> bool {
        let done = || self.done[part].0.load(Ordering::Acquire) == number;
        (0..times).any(|_| {
            done() || {
                std::hint::spin_loop();
                false
            }
        })
    }

    /// Takes a part of a round, unless it is taken or the round is over.
    fn claim(&self, number: u64, part: usize) -> bool {
        self.taken[part].0.fetch_max(number, Ordering::Relaxed) < number
    }

    /// Does a part, if nobody else does.
    fn take(&self, number: u64, part: usize) {
        if !self.claim(number, part) {
            return;
        }
        let work = self.call.0.work.load(Ordering::Relaxed).cast_const();
        // SAFETY: `work` points to what the caller of `share` borrows for this round. The thread has seen the round's
        // call, so this is not an older pointer. The part was free, so the round had not ended then, and does not end
        // before the part is done below: `share` waits for that in `Round::drop`. So neither is it a newer one, and the
        // borrow lasts. Work is `Sync`, so any thread may call it.
        let work = unsafe { *work };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| work(part))) {
            *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
            self.panicked.store(true, Ordering::Relaxed);
        }
        self.done[part].0.store(number, Ordering::Release);
    }

    /// A worker's life.
    fn serve(&self, index: usize) {
        let mut last = 0;
        while let Some(number) = self.next_round(last, index) {
            self.take(number, index);
            (1..self.parts()).filter(|&part| part != index).for_each(|part| self.take(number, part));
            last = number;
        }
    }

    /// The round after `last`; `None` when there will be no more.
    fn next_round(&self, last: u64, index: usize) -> Option<u64> {
        let fresh = || Some(self.call.0.round.load(Ordering::Acquire)).filter(|&number| number != last);
        let started = Instant::now();
        loop {
            for _ in 0..LOOKS {
                if let Some(number) = fresh() {
                    return Some(number);
                }
                std::hint::spin_loop();
            }
            if self.stop.load(Ordering::Relaxed) {
                return None;
            }
            if started.elapsed() >= self.patience {
                break;
            }
        }
        self.asleep.0.fetch_or(1 << index, Ordering::Relaxed);
        let found = loop {
            if let Some(number) = fresh() {
                break Some(number);
            }
            if self.stop.load(Ordering::Relaxed) {
                break None;
            }
            thread::park();
        };
        self.asleep.0.fetch_and(!(1 << index), Ordering::Relaxed);
        found
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// As few as Miri does in a few seconds.
    const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };

    fn pool(threads: usize) -> Pool {
        Pool::new(NonZeroUsize::new(threads).unwrap()).unwrap()
    }

    #[test]
    fn every_part_is_done_once_in_every_round() {
        for threads in [1, 2, 3, 4, MAX_THREADS] {
            let pool = pool(threads);
            let done: Vec<AtomicUsize> = (0..threads).map(|_| AtomicUsize::new(0)).collect();
            for round in 1..=ROUNDS / threads {
                // Borrowed from this very iteration.
                let step = AtomicUsize::new(0);
                pool.share(&|part| {
                    done[part].fetch_add(1, Ordering::Relaxed);
                    step.fetch_add(1, Ordering::Relaxed);
                });
                assert_eq!(step.into_inner(), threads);
                assert!(done.iter().all(|done| done.load(Ordering::Relaxed) == round));
            }
        }
    }

    #[test]
    fn workers_sleep_and_wake() {
        let pool = pool(3);
        for _ in 0..5 {
            while pool.shared.asleep.0.load(Ordering::Relaxed) != 0b110 {
                thread::yield_now();
            }
            let done = AtomicUsize::new(0);
            pool.share(&|_| _ = done.fetch_add(1, Ordering::Relaxed));
            assert_eq!(done.into_inner(), 3);
        }
    }

    #[test]
    fn a_panic_comes_out_of_share_and_the_pool_goes_on() {
        let pool = pool(3);
        for bad in [0..1, 1..2, 2..3, 0..3, 1..3] {
            let caught =
                catch_unwind(AssertUnwindSafe(|| pool.share(&|part| assert!(!bad.contains(&part), "on purpose"))));
            let payload = caught.expect_err("one part panics");
            assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
            let done = AtomicUsize::new(0);
            pool.share(&|_| _ = done.fetch_add(1, Ordering::Relaxed));
            assert_eq!(done.into_inner(), 3);
        }
    }

    #[test]
    fn work_within_work_and_from_two_threads_is_done_too() {
        let pool = pool(2);
        let done = AtomicUsize::new(0);
        pool.share(&|_| pool.share(&|_| _ = done.fetch_add(1, Ordering::Relaxed)));
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..10).for_each(|_| pool.share(&|_| _ = done.fetch_add(1, Ordering::Relaxed))));
            }
        });
        assert_eq!(done.into_inner(), 4 + 2 * 10 * 2);
    }
}
