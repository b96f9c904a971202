//! What a run tells of itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cli::say;
use crate::error::Result;
use crate::instrument::{Alarm, Figures, Totals};

/// What was found in one frame.
#[derive(Serialize, Deserialize)]
pub(super) struct Line {
    pub frame: String,
    pub file: PathBuf,
    pub page: usize,
    pub width: usize,
    pub height: usize,
    pub objects: usize,
    pub mean_area_px: Option<f64>,
    pub ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub figures: Option<Figures>,
}

/// What was found in all.
#[derive(Serialize)]
pub(super) struct Summary {
    pub frames: Vec<Line>,
    pub failed_inputs: usize,
    pub objects_csv: Option<PathBuf>,
    /// Files that go over many frames.
    pub collections: Vec<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
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
        if let Some(totals) = &self.totals {
            self.say_totals(totals)?;
        }
        if self.failed_inputs > 0 {
            say(format_args!("{} inputs failed", self.failed_inputs))?;
        }
        Ok(())
    }

    /// What the frames add up to, and which alarms there were.
    fn say_totals(&self, totals: &Totals) -> Result<()> {
        if let (Some(density), Some(ml)) = (&totals.density, totals.volume_ml) {
            say(format_args!(
                "{:.1} objects per mL (95 %: {:.1} to {:.1}): {} in {:.4} µL",
                density.per_ml,
                density.low_per_ml,
                density.high_per_ml,
                totals.objects,
                1000.0 * ml
            ))?;
        }
        let mut alarms: BTreeMap<Alarm, Vec<&str>> = BTreeMap::new();
        for line in &self.frames {
            for &alarm in line.figures.iter().flat_map(|figures| &figures.alarms) {
                alarms.entry(alarm).or_default().push(&line.frame);
            }
        }
        for (alarm, frames) in alarms {
            say(format_args!("{alarm} in {} frames, first in {}", frames.len(), frames[0]))?;
        }
        Ok(())
    }
}
