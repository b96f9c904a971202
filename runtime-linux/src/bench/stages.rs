//! A model that tract runs: whole frames, and then where their time goes, node by node.

use std::fmt;
use std::time::Instant;

use microtome_compiler::profile::Stage;
use serde::Serialize;

use super::WATCHED;
use super::report::{Times, median};
use crate::engine::{Engine, FloatEngine};
use crate::source::Image;

/// Nodes that take less of a frame than this share are printed together.
const SMALL: f64 = 0.01;

/// The report.
#[derive(Debug, Serialize)]
pub struct StagesReport {
    /// Whole frames, preprocessing and decision included.
    #[serde(flatten)]
    pub frames: Times,
    /// How tract runs the model, for people.
    pub runs: &'static str,
    /// Rows of the frame.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
    /// What each node of tract's optimized graph takes, in the order in which they run.
    pub nodes: Vec<NodeTime>,
    /// Milliseconds of a frame that no node takes: preprocessing, and the decision.
    pub rest_ms: f64,
}

/// What a node takes of a frame: the median of its times.
#[derive(Debug, Serialize)]
pub struct NodeTime {
    /// tract's name of the operator.
    pub operator: String,
    /// tract's name of the node, which begins with ONNX's.
    pub name: String,
    /// Milliseconds per frame.
    pub ms: f64,
}

/// Times `frames` frames like `image`, after one that is not timed, and then looks into further ones.
///
/// # Errors
/// One sentence when the model cannot take such a frame.
pub fn stages(engine: &mut FloatEngine, image: &Image, frames: usize) -> Result<StagesReport, String> {
    let mut seconds = Vec::with_capacity(frames);
    for number in 0..=frames {
        let start = Instant::now();
        match engine.heads() {
            Some(_) => engine.fields(image).map(drop),
            None => engine.mask(image).map(drop),
        }?;
        if number > 0 {
            seconds.push(start.elapsed().as_secs_f64());
        }
    }
    let watched: Vec<Vec<Stage>> =
        (0..frames.min(WATCHED)).map(|_| engine.profile(image)).collect::<Result<_, String>>()?;
    let node = |(index, stage): (usize, &Stage)| NodeTime {
        operator: stage.operator.clone(),
        name: stage.name.clone(),
        ms: 1e3 * median(&mut watched.iter().map(|stages| stages[index].seconds).collect::<Vec<_>>()),
    };
    let nodes: Vec<NodeTime> = watched.first().into_iter().flatten().enumerate().map(node).collect();
    let frames = Times::of(seconds, 0);
    let rest_ms = (frames.median_ms - nodes.iter().map(|node| node.ms).sum::<f64>()).max(0.0);
    Ok(StagesReport { frames, runs: engine.runs_in(), height: image.height(), width: image.width(), nodes, rest_ms })
}

impl fmt::Display for StagesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "model            {}", self.runs)?;
        writeln!(f, "frame            {}x{}", self.width, self.height)?;
        writeln!(f, "{}\n", self.frames)?;
        let share = |ms: f64| ms / self.frames.median_ms;
        writeln!(f, "{:<24} {:>9} {:>6}  node", "operator", "ms", "share")?;
        let (large, small): (Vec<_>, Vec<_>) = self.nodes.iter().partition(|node| share(node.ms) >= SMALL);
        for NodeTime { operator, name, ms } in large {
            writeln!(f, "{operator:<24.24} {ms:>9.3} {:>5.1}%  {name}", 100.0 * share(*ms))?;
        }
        let ms: f64 = small.iter().map(|node| node.ms).sum();
        writeln!(f, "{:<24} {ms:>9.3} {:>5.1}%", format!("{} others", small.len()), 100.0 * share(ms))?;
        write!(f, "{:<24} {:>9.3} {:>5.1}%", "input, decision", self.rest_ms, 100.0 * share(self.rest_ms))
    }
}
