//! Several frames at once, handed over in their order.
//!
//! ```text
//!     feeder ──▶ frames ──▶ workers, an engine each
//!        └─────▶ tickets ─▶ taker: waits for the frame of each ticket
//! ```
//!
//! Invariant: a frame has a ticket before a worker can have it, and there are at most as many tickets as jobs; so no more than two frames more
//! than jobs are in memory, and what is taken comes in the order in which it was fed.

use std::borrow::Cow;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread;

use super::source::{Event, Note, Origin, Source};
use crate::engine::{Engine, PlanEngine};
use crate::error::Result;
use crate::instrument::{Seen, Steps};
use crate::machine::Machine;
use crate::source::Image;

/// A frame, and what was made of it or why nothing could be.
pub(super) type Made = (Origin, Result<Seen<'static>, String>);

/// A frame, and where it is to be handed over.
type Task = (Origin, Image, SyncSender<Made>);

enum Ticket {
    /// A frame that is being worked on.
    Frame(Receiver<Made>),
    /// What needs no work.
    Note(Note),
}

/// The taker has left.
struct Closed;

/// What several frames at once are made with.
pub(super) struct Jobs {
    /// One for each.
    pub machines: Vec<Arc<Machine>>,
    /// The bytes of the plan.
    pub plan: Vec<u8>,
    pub steps: Steps,
}

impl Jobs {
    /// Gives everything of `source` to `take`, in its order; returns what [`Source::each`] does.
    ///
    /// # Errors
    /// The first one of `take`.
    pub fn run(&self, source: &Source<'_>, mut take: impl FnMut(Event<Made>) -> Result<()>) -> Result<bool> {
        let count = self.machines.len();
        let (tasks, queue) = sync_channel::<Task>(count);
        let (tickets, order) = sync_channel::<Ticket>(count);
        // Owned by the workers: when the last is gone, the feeder finds out.
        let queue = Arc::new(Mutex::new(queue));
        thread::scope(|scope| {
            for machine in &self.machines {
                let queue = Arc::clone(&queue);
                scope.spawn(move || self.work(machine, &queue));
            }
            drop(queue);
            let feeder = scope.spawn(move || feed(source, &tasks, &tickets));
            for ticket in order {
                let event = match ticket {
                    Ticket::Note(note) => Event::Note(note),
                    Ticket::Frame(made) => match made.recv() {
                        Ok(made) => Event::Frame(made),
                        // Its worker panics, which the scope passes on.
                        Err(_) => break,
                    },
                };
                take(event)?;
            }
            Ok(feeder.join().is_ok_and(|all| all.unwrap_or(false)))
        })
    }

    fn work(&self, machine: &Arc<Machine>, queue: &Mutex<Receiver<Task>>) {
        let mut engine = PlanEngine::new(self.plan.clone(), Arc::clone(machine));
        loop {
            let task = queue.lock().ok().and_then(|queue| queue.recv().ok());
            let Some((origin, image, reply)) = task else { return };
            let made = match &mut engine {
                Ok(engine) => self.steps.take(engine as &mut dyn Engine, Cow::Owned(image)),
                Err(reason) => Err(reason.clone()),
            };
            // Nobody waits for it after an error elsewhere.
            let _ = reply.send((origin, made));
        }
    }
}

fn feed(source: &Source<'_>, tasks: &SyncSender<Task>, tickets: &SyncSender<Ticket>) -> Result<bool, Closed> {
    source.each(|event| match event {
        Event::Frame((origin, image)) => {
            let (reply, made) = sync_channel(1);
            tickets.send(Ticket::Frame(made)).map_err(|_| Closed)?;
            tasks.send((origin, image, reply)).map_err(|_| Closed)
        }
        Event::Note(note) => tickets.send(Ticket::Note(note)).map_err(|_| Closed),
    })
}
