//! Frames on their way from the analysis to the files.

use super::jobs::Made;
use super::source::{Event, Note, Origin};
use super::summary::Line;
use crate::cli::progress::Progress;
use crate::error::{Error, Result};
use crate::instrument::{Analysed, Analysis, Seen};
use crate::sink::{Extra, Item, Page, Results};

/// The outputs so far.
pub(super) struct Outputs {
    pub results: Results,
    pub analysis: Analysis,
    /// Of all frames that are done, also before this run.
    pub lines: Vec<Line>,
    pub progress: Progress,
}

impl Outputs {
    /// Writes what comes of the inputs, in their order. Whatever is wrong with an input is reported; an error is one of the outputs.
    pub fn take(&mut self, event: Event<Made>) -> Result<()> {
        match event {
            Event::Note(Note::More(frames)) => self.progress.grow(frames),
            Event::Note(Note::Passed) => self.progress.pass(),
            Event::Note(Note::Failed(error)) => {
                self.progress.fail(&error);
                self.progress.step();
            }
            Event::Frame((origin, made)) => {
                match made {
                    Ok(seen) => self.frame(&origin, seen)?,
                    Err(reason) => self.progress.fail(&Error::input(&origin.file, reason)),
                }
                self.progress.at(origin.name);
                self.progress.step();
            }
        }
        Ok(())
    }

    fn frame(&mut self, origin: &Origin, seen: Seen<'_>) -> Result<()> {
        let Analysed { image, segmentation: made, columns, figures } = self.analysis.add(seen);
        let page = origin.page.as_ref().map(|(stack, number)| Page { stack, number: *number });
        let extra: Vec<Extra> = columns.into_iter().map(Extra::from).collect();
        let mut item = Item::new(&origin.name, &image, &made.mask, &made.found);
        (item.file, item.page, item.pixel_size_um) = (Some(origin.file.as_ref()), page, self.analysis.pixel_size_um());
        item.extra = &extra;
        let objects = &made.found.objects;
        let area: f64 = objects.iter().map(|object| f64::from(object.area())).sum();
        let line = Line {
            frame: origin.name.clone(),
            file: origin.file.to_path_buf(),
            page: page.map_or(1, |page| page.number),
            width: image.width(),
            height: image.height(),
            objects: objects.len(),
            mean_area_px: (!objects.is_empty()).then(|| area / objects.len() as f64),
            ms: made.elapsed.as_secs_f64() * 1000.0,
            figures,
        };
        self.results.noted(&item, &line)?;
        self.lines.push(line);
        Ok(())
    }
}
