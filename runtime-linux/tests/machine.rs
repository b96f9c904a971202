//! Kernels, threads and strips: the zoo's masks are the scalar kernel's, whatever runs them.

mod common;

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;

use common::{expect, plan_in};
use microtome::engine::{Engine, Mask, PlanEngine};
use microtome::machine::{Machine, Rows};
use microtome::simulate::{Settings, scene};
use microtome::source::Image;
use microtome_core::Kernel;

/// Plans of the zoo, the bundled one among them.
fn zoo() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo");
    let mut plans = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if let Ok(bytes) = fs::read(path.join("model.mtm")) {
            plans.push((path.file_name().unwrap().to_string_lossy().into_owned(), bytes));
        }
    }
    assert!(plans.len() >= 3, "{} plans", plans.len());
    plans
}

fn machine(kernel: Kernel, threads: usize, rows: Rows) -> Arc<Machine> {
    Arc::new(Machine::of(kernel, NonZeroUsize::new(threads).unwrap(), rows).unwrap())
}

fn mask(plan: &[u8], image: &Image, machine: &Arc<Machine>) -> Mask {
    PlanEngine::new(plan.to_vec(), Arc::clone(machine)).unwrap().mask(image).unwrap()
}

#[test]
fn masks_do_not_depend_on_kernel_threads_or_strips() {
    // Sides that no tile divides, wide enough that steps are worth sharing.
    let frame = |height, width| scene(Settings { seed: 3, height, width }, 0).unwrap().image;
    let images = [frame(90, 333), frame(61, 130)];
    for (name, plan) in zoo() {
        for image in &images {
            let expected = mask(&plan, image, &machine(Kernel::Scalar, 1, Rows::Exactly(1)));
            assert!(expected.classes.iter().any(|&class| class != 0), "{name}: an empty mask proves nothing");
            for &kernel in &*Kernel::available() {
                for threads in [1, 2, 3, 4] {
                    for rows in [Rows::Exactly(1), Rows::Exactly(8), Rows::Within(300_000), Rows::Cached(1 << 20)] {
                        let found = mask(&plan, image, &machine(kernel, threads, rows));
                        assert!(found == expected, "{name}, {}, {threads} threads, {rows:?}", kernel.name());
                    }
                }
            }
        }
    }
}

#[test]
fn an_engine_goes_from_frame_to_frame() {
    let frame = |number, height, width| scene(Settings { seed: 4, height, width }, number).unwrap().image;
    let images = [frame(0, 64, 96), frame(1, 64, 96), frame(2, 200, 40), frame(3, 33, 257), frame(4, 64, 96)];
    let (_, plan) = zoo().swap_remove(0);
    let best = machine(Kernel::best(), 2, Rows::Cached(1 << 20));
    let mut engine = PlanEngine::new(plan.clone(), Arc::clone(&best)).unwrap();
    for image in &images {
        assert!(engine.mask(image).unwrap() == mask(&plan, image, &best));
    }
}

#[test]
fn strips_fill_the_memory_they_are_given() {
    let image = scene(Settings { seed: 1, height: 480, width: 640 }, 0).unwrap().image;
    let frame = microtome::engine::frame_of(&image).unwrap();
    for (name, plan) in zoo() {
        let fit =
            |rows| PlanEngine::new(plan.clone(), machine(Kernel::best(), 1, rows)).unwrap().prepare(frame).unwrap();
        let one = fit(Rows::Exactly(1)).arena.total().unwrap();
        assert_eq!(fit(Rows::Within(0)).rows, 1, "{name}");
        let mut before = 1;
        for bytes in [one, 2 * one, 8 * one, usize::MAX] {
            let found = fit(Rows::Within(bytes));
            assert!(found.arena.total().unwrap() <= bytes && found.rows >= before, "{name}: {found:?} in {bytes}");
            before = found.rows;
        }
        assert_eq!(before, 32, "{name}");
    }
}

#[test]
fn a_frame_whose_tensors_nobody_could_hold_runs_with_the_plans_own_strips() {
    let (_, plan) = zoo().into_iter().find(|(name, _)| name == "nuclei-micro").unwrap();
    let best = machine(Kernel::best(), 1, Rows::Cached(1 << 20));
    let fit = PlanEngine::new(plan, best).unwrap().prepare(microtome_core::Frame::grey(30_000, 60_000)).unwrap();
    assert_eq!(fit.rows, 1);
    assert!(fit.arena.rings > 1 << 20);
}

#[test]
fn the_command_takes_a_kernel_threads_and_memory() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    expect(0, dir.path(), &["simulate", "--out", "sim", "--frames", "1", "--width", "64", "--height", "48"]);
    let (out, _) = expect(0, dir.path(), &["kernels"]);
    for kernel in &*Kernel::available() {
        assert!(out.contains(kernel.name()), "{out}");
    }
    let run = ["run", "threshold.mtm", "sim/images", "--out"];
    let with = |code, out: &str, more: &[&str]| expect(code, dir.path(), &[&run[..], &[out], more].concat());
    with(0, "a", &["--kernel", "scalar", "--threads", "1", "--strip", "1"]);
    with(0, "b", &["--threads", "3", "--memory-budget", "1MiB"]);
    let bytes = |out: &str, file: &str| fs::read(dir.path().join(out).join(file)).unwrap();
    for file in ["objects.csv", "simulated_0000_labels.png", "simulated_0000_mask.png", "simulated_0000_overlay.png"] {
        assert!(bytes("a", file) == bytes("b", file), "{file}");
    }
    let (_, err) = with(2, "c", &["--kernel", "abacus"]);
    assert!(err.lines().count() == 1 && err.contains("no kernel `abacus`; it runs scalar"), "{err}");
    with(2, "c", &["--threads", "0"]);
    with(2, "c", &["--threads", "17"]);
    with(2, "c", &["--memory-budget", "lots"]);
    assert!(!dir.path().join("c").exists());
}

#[test]
fn a_bench_tells_where_the_time_goes() {
    let dir = tempfile::tempdir().unwrap();
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/nuclei-micro/model.mtm");
    let size = ["--width", "96", "--height", "64", "--frames", "2"];
    let bench = |more: &[&str]| expect(0, dir.path(), &[&["bench", plan][..], &size, more].concat()).0;
    let text = bench(&["--svg", "bars.svg", "--threads", "2"]);
    assert!(text.contains("nuclei-micro") && text.contains("2 threads"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(fs::read_to_string(dir.path().join("bars.svg")).unwrap().trim_end().ends_with("</svg>"));
    let report: serde_json::Value = serde_json::from_str(&bench(&["--json", "--strip", "4"])).unwrap();
    assert_eq!(report["machine"]["strip_rows"], 4);
    let operators = report["operators"].as_array().unwrap();
    let sum: u64 = operators.iter().map(|operator| operator["macs"].as_u64().unwrap()).sum();
    assert_eq!(report["macs"], sum);
    assert!(operators.iter().all(|operator| operator["rows"].as_u64().unwrap() > 0), "{report}");
}
