//! `microtome` without arguments: what it does, shown on frames whose truth is known.
//!
//! Frames come from the simulator and the plan from the zoo, both inside the binary, so it needs no file and no network. Found objects stand
//! beside true ones: the demo cannot flatter.

use std::path::Path;
use std::sync::Arc;

use microtome_core::Frame;

use super::{Outcome, make_folder, say};
use crate::engine::{BUNDLED, BUNDLED_NAME, PlanEngine};
use crate::error::{Error, Result};
use crate::machine::{self, Machine};
use crate::metrics::Counts;
use crate::segment::segment;
use crate::simulate::{Settings, scene};
use crate::sink::{self, Format, Item, Results, Settings as Outputs};

const FOLDER: &str = "microtome-demo";
const SETTINGS: Settings = Settings { seed: 1, height: 240, width: 320 };
const FRAMES: u64 = 6;

/// Runs the demo.
pub fn demo(options: &machine::Options) -> Result<Outcome> {
    let bundled = |e: String| Error::model(BUNDLED_NAME, e);
    let machine = Arc::new(Machine::new(options)?);
    let mut engine = PlanEngine::new(BUNDLED.to_vec(), Arc::clone(&machine)).map_err(bundled)?;
    let frame = Frame::grey(SETTINGS.height as u32, SETTINGS.width as u32);
    let arena = engine.prepare(frame).map_err(bundled)?.arena.total().unwrap_or(usize::MAX);
    let folder = Path::new(FOLDER);
    make_folder(folder)?;
    let mut results = Results::open(folder, &Outputs { formats: Format::USUAL.into(), ..Outputs::default() })?;
    let (width, height) = (SETTINGS.width, SETTINGS.height);
    say(format_args!(
        "{FRAMES} simulated frames of {width}x{height} pixels through the bundled plan `nuclei` ({} KiB), in an arena of {} KiB,\n\
         with kernel {} on {} thread{}:\n",
        BUNDLED.len() / 1024,
        arena.div_ceil(1024),
        machine.kernel().name(),
        machine.threads(),
        if machine.threads() == 1 { "" } else { "s" }
    ))?;
    say(format_args!(
        "{:<16} {:>7} {:>5} {:>8} {:>17} {:>10} {:>7}",
        "frame", "objects", "true", "matched", "mean area, px", "IoU", "ms"
    ))?;
    let mut total = Counts::default();
    for number in 0..FRAMES {
        let scene = scene(SETTINGS, number).map_err(Error::usage)?;
        let name = format!("simulated_{number:04}");
        let made = segment(&mut engine, &scene.image).map_err(bundled)?;
        sink::frame(&folder.join(format!("{name}.png")), &scene.image)?;
        results.frame(&Item::new(&name, &scene.image, &made.mask, &made.found))?;
        let truth: Vec<u32> = scene.labels.iter().map(|&label| label.into()).collect();
        let counts = Counts::of(&made.found.labels, &truth);
        total += counts;
        say(format_args!("{name:<16} {} {:>7.1}", line(&counts), made.elapsed.as_secs_f64() * 1000.0))?;
    }
    results.finish()?;
    say(format_args!("{:<16} {}", "all", line(&total)))?;
    say(format_args!("\nPictures and objects.csv: {FOLDER}/ (start with {FOLDER}/simulated_0000_overlay.png)"))?;
    say("Your own frames: microtome run MODEL INPUT... --out DIR; all commands: microtome --help")?;
    Ok(Outcome::Done)
}

/// Found against true.
fn line(counts: &Counts) -> String {
    let mean = |pixels: u64, objects: u64| pixels as f64 / objects.max(1) as f64;
    let areas =
        format!("{:.0} (true {:.0})", mean(counts.found_pixels, counts.found), mean(counts.true_pixels, counts.truth));
    let Counts { found, truth, matched, .. } = counts;
    format!("{found:>7} {truth:>5} {matched:>8} {areas:>17} {:>10.3}", counts.scores().iou)
}
