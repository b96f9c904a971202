//! A step's work, shared: whatever the number of workers and their order, the scalar kernel's bytes.

use std::sync::atomic::{AtomicUsize, Ordering};

use microtome_core::{Crew, Kernel, Plan, Session, Setup};
use microtome_tests::draw::for_seeds;
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::networks::{slim_unet, unet};
use microtome_tests::oracle::Tensor;
use microtome_tests::run::{arena_len, frame_of, run_with, through};

/// Workers that meet for every step, however small: threads of their own, or one after another, the last first.
struct Eager {
    workers: usize,
    threads: bool,
    meetings: AtomicUsize,
}

impl Eager {
    fn new(workers: usize, threads: bool) -> Eager {
        Eager { workers, threads, meetings: AtomicUsize::new(0) }
    }
}

impl Crew for Eager {
    fn workers(&self) -> usize {
        self.workers
    }

    fn worth(&self) -> usize {
        0
    }

    fn share(&self, work: &(dyn Fn(usize) + Sync)) {
        self.meetings.fetch_add(1, Ordering::Relaxed);
        if !self.threads {
            return (0..self.workers).rev().for_each(work);
        }
        std::thread::scope(|scope| {
            for index in 1..self.workers {
                scope.spawn(move || work(index));
            }
            work(0);
        });
    }
}

fn run(bytes: &[u8], frame: &Tensor, kernel: Kernel, crew: &Eager) -> Vec<Vec<i8>> {
    let plan = Plan::parse(bytes).expect("the tests emit valid plans");
    let setup = Setup { kernel, crew };
    let mut arena = vec![0x5a; arena_len(&plan, frame_of(frame), &setup).expect("the frame fits")];
    let mut session = Session::open(&plan, frame_of(frame), &mut arena, setup).expect("the arena is exact");
    let found = through(&mut session, frame);
    assert!(crew.meetings.load(Ordering::Relaxed) > 0, "the workers never met");
    found
}

#[test]
fn any_number_of_workers_gives_the_same_bytes() {
    for_seeds("workers", 20, |draw| {
        let graph = unet(draw);
        let sides = [draw.from(1, 12), draw.from(1, 90)];
        let frame = draw.tensor(sides, graph.channels, graph.quant);
        let strip = draw.of(&[1, 2, 5]);
        let schedule = Schedule::tight(&graph, strip, frame_of(&frame));
        let expected = run_with(&graph, &schedule, &frame, Kernel::Scalar);
        let bytes = plan(&graph, &schedule);
        for &kernel in &*Kernel::available() {
            for workers in [1, 2, 3, 4, 7, 16, 40] {
                let crew = Eager::new(workers, false);
                assert!(
                    run(&bytes, &frame, kernel, &crew) == expected,
                    "{workers} workers, {}, {:?}: {graph:?}",
                    kernel.name(),
                    frame.shape()
                );
            }
        }
    });
}

#[test]
fn threads_side_by_side_too() {
    for_seeds("threads", 2, |draw| {
        let graph = slim_unet(4, 2);
        let frame = draw.tensor([24, 136], graph.channels, graph.quant);
        let schedule = Schedule::tight(&graph, 8, frame_of(&frame));
        let expected = run_with(&graph, &schedule, &frame, Kernel::Scalar);
        let bytes = plan(&graph, &schedule);
        for &kernel in &*Kernel::available() {
            for workers in 2..=4 {
                let crew = Eager::new(workers, true);
                assert!(run(&bytes, &frame, kernel, &crew) == expected, "{workers} threads, {}", kernel.name());
            }
        }
    });
}
