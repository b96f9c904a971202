//! The firmware's runs, on the host: line for line what emulated boards print (contract C1), by every kernel of this CPU.

use std::fmt::Write;

use microtome_app::report::Words;
use microtome_app::watchdog::Unwatched;
use microtome_app::{Served, Still, Workspace, digest, frames, serve};
use microtome_core::{Kernel, Plan};

const NUCLEI: &[u8] = include_bytes!("../../models/zoo/nuclei/model.mtm");
const ZOO: [(&str, &[u8]); 3] = [
    ("nuclei", NUCLEI),
    ("nuclei-micro", include_bytes!("../../models/zoo/nuclei-micro/model.mtm")),
    ("phase", include_bytes!("../../models/zoo/phase/model.mtm")),
];

/// Bytes that are enough for any kernel, with weights in its own order.
const ARENA: usize = 4 << 20;

#[test]
fn the_demo() {
    let plan = Plan::parse(NUCLEI).expect("the zoo's plan");
    for &kernel in Kernel::available().iter() {
        let (mut arena, mut workspace) = (vec![0; ARENA], Box::new(Workspace::<96, 64>::EMPTY));
        let mut source = Still::new(frames::size(), frames::NUCLEI);
        let mut words = Words(String::new());
        let served =
            serve(&plan, kernel, arena.as_mut_slice(), &mut workspace, &mut source, &mut Unwatched, &mut words);
        assert_eq!(served, Ok(Served { frames: 1, faults: 0 }));
        assert_eq!(words.0, include_str!("../../firmware/src/main.out"), "by {}", kernel.name());
    }
}

#[test]
fn every_model_and_scene() {
    for &kernel in Kernel::available().iter() {
        let (mut arena, mut workspace) = (vec![0; ARENA], Box::new(Workspace::EMPTY));
        let mut lines = String::new();
        for (model, bytes) in ZOO {
            let plan = Plan::parse(bytes).expect("the zoo's plan");
            for scene in digest::SCENES {
                let line = digest::run(model, &plan, scene, kernel, &mut arena, &mut workspace, &mut Unwatched);
                writeln!(lines, "{}", line.expect("a shared scene")).expect("a String takes everything");
            }
        }
        assert_eq!(lines, include_str!("../../firmware/src/bin/digests.out"), "by {}", kernel.name());
    }
}
