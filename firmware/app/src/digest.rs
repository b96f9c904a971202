//! A run in one line, for comparison between machines: one plan, one scene, and the checks of all that came out.

use core::fmt::{self, Write};

use crc::{CRC_32_ISO_HDLC, Crc};
use microtome_core::{Compute, Plan};

use crate::fault::Fault;
use crate::frames::{Scene, Synthetic};
use crate::pipeline::{Pipeline, Workspace};
use crate::protocol::Lines;
use crate::report::Summary;
use crate::source::RowSource;
use crate::watchdog::Watchdog;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Widest scene, in pixels.
pub const WIDTH: usize = 104;
/// Most objects that are open at once in any of the scenes.
pub const OPEN: usize = 64;
/// Bytes of arena that are enough for every scene and every model of the zoo.
pub const ARENA: usize = 512 * 1024;

/// What every machine runs, with every model: scene, rows, columns. Sizes that no pooling divides are among them.
pub const SCENES: [(Scene, u32, u32); 5] = [
    (Scene::Nuclei, 96, 96),
    (Scene::Turned, 61, 83),
    (Scene::Negative, 40, 104),
    (Scene::Noise, 33, 47),
    (Scene::Squares, 48, 64),
];

/// A model, a scene, and what came of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    model: &'a str,
    scene: (Scene, u32, u32),
    summary: Summary,
    /// CRC-32 of the lines of the protocol.
    lines: u32,
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { model, scene: (scene, height, width), summary, lines } = self;
        write!(f, "{model} {} {width}x{height}: {summary}, lines {lines:08x}", scene.name())
    }
}

/// Runs one scene.
///
/// # Errors
/// The plan is bad, or the arena too short.
pub fn run<'a>(
    model: &'a str,
    plan: &Plan<'_>,
    scene: (Scene, u32, u32),
    kernel: impl Compute,
    arena: &mut [u8],
    workspace: &mut Workspace<WIDTH, OPEN>,
    watchdog: &mut impl Watchdog,
) -> Result<Line<'a>, Fault> {
    let mut source = Synthetic::<WIDTH>::new(scene.0, scene.1, scene.2);
    let frame = source.begin().map_err(Fault::Begin)?.ok_or(Fault::NoObjects)?;
    let mut lines = Lines(Check(CRC.digest()));
    let mut pipeline = Pipeline::open(plan, frame, kernel, arena, workspace)?;
    let summary = pipeline.segment(0, &mut source, watchdog, &mut lines)?;
    Ok(Line { model, scene, summary, lines: lines.0.0.finalize() })
}

/// Text of which only the check is kept.
struct Check(crc::Digest<'static, u32>);

impl Write for Check {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}
