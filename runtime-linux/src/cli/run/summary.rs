//! What a run tells of itself.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::say;
use crate::error::Result;

/// What was found in one frame.
#[derive(Serialize)]
pub(super) struct Line {
    pub frame: String,
    pub file: PathBuf,
    pub page: usize,
    pub width: usize,
    pub height: usize,
    pub objects: usize,
    pub mean_area_px: Option<f64>,
    pub ms: f64,
}

/// What was found in all.
#[derive(Serialize)]
pub(super) struct Summary {
    pub frames: Vec<Line>,
    pub failed_inputs: usize,
    pub objects_csv: Option<PathBuf>,
    /// Files that go over many frames.
    pub collections: Vec<PathBuf>,
}

impl Summary {
    /// Says it to people.
    pub fn say(&self, out: &Path) -> Result<()> {
        say(format_args!("{:<32} {:>11} {:>8} {:>10} {:>9}", "frame", "size", "objects", "mean area", "ms"))?;
        for line in &self.frames {
            let size = format!("{}x{}", line.width, line.height);
            let area = line.mean_area_px.map_or_else(|| "-".into(), |area| format!("{area:.1} px"));
            say(format_args!("{:<32} {size:>11} {:>8} {area:>10} {:>9.1}", line.frame, line.objects, line.ms))?;
        }
        let objects: usize = self.frames.iter().map(|line| line.objects).sum();
        let frames = self.frames.len();
        match &self.objects_csv {
            Some(table) => say(format_args!("\n{objects} objects in {frames} frames; table: {}", table.display()))?,
            None => say(format_args!("\n{objects} objects in {frames} frames; outputs: {}", out.display()))?,
        }
        if self.failed_inputs > 0 {
            say(format_args!("{} inputs failed", self.failed_inputs))?;
        }
        Ok(())
    }
}
