//! `microtome run`: pictures and a table of every frame of every input.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::progress::Progress;
use super::{Outcome, complain, make_folder, say, say_json};
use crate::engine::{Engine, Model, Options, task};
use crate::error::{Error, Result};
use crate::instrument::{self, Alarm, Analysed, Analysis, Figures, Totals};
use crate::machine::{self, Machine};
use crate::sink::{self, LabelFormat, ObjectTable};
use crate::source;

/// Arguments of `microtome run`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model
    model: PathBuf,
    /// Images, folders of images, patterns; PNG, JPEG or TIFF (all pages), 8 or 16 bits, grey or RGB
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for NAME_mask.png (class indices), NAME_labels.png (one value per object), NAME_overlay.png and objects.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// File format of the label images
    #[arg(long, value_enum, default_value_t = LabelFormat::Png)]
    label_format: LabelFormat,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    instrument: instrument::Options,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// What was found in one frame.
#[derive(Serialize)]
struct Line {
    frame: String,
    file: PathBuf,
    page: usize,
    width: usize,
    height: usize,
    objects: usize,
    mean_area_px: Option<f64>,
    ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
}

#[derive(Serialize)]
struct Summary {
    frames: Vec<Line>,
    failed_inputs: usize,
    objects_csv: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    totals: Option<Totals>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome> {
    let analysis = Analysis::new(args.instrument.setup()?);
    let machine = Arc::new(Machine::new(&args.machine)?);
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    let mut engine = model.into_engine(&machine).map_err(|e| Error::model(&args.model, e))?;
    task(&engine.post()).map_err(|e| Error::model(&args.model, e))?;
    make_folder(&args.out)?;
    let (files, missing) = source::find(&args.inputs);
    let mut progress = Progress::new(files.len());
    missing.iter().for_each(|error| progress.fail(error));
    let objects_csv = args.out.join("objects.csv");
    let table = ObjectTable::new(&objects_csv)?;
    let mut frames = Frames { args, analysis, table, names: HashSet::new(), lines: Vec::new() };
    for file in &files {
        progress.at(file.display().to_string());
        frames.file(file, engine.as_mut(), &mut progress)?;
        progress.step();
    }
    frames.table.finish()?;
    let totals = frames.analysis.totals().copied();
    let summary = Summary { frames: frames.lines, failed_inputs: progress.finish(), objects_csv, totals };
    if args.json {
        say_json(&summary)?
    } else {
        summary.say()?
    }
    Ok(Outcome::of(summary.failed_inputs))
}

/// The outputs so far.
struct Frames<'a> {
    args: &'a Args,
    analysis: Analysis,
    table: ObjectTable,
    names: HashSet<String>,
    lines: Vec<Line>,
}

impl Frames<'_> {
    /// Segments the frames of `file`. Whatever is wrong with the file is reported; an error is one of the outputs.
    fn file(&mut self, file: &Path, engine: &mut dyn Engine, progress: &mut Progress) -> Result<()> {
        let mut pages = match source::open(file) {
            Ok(pages) => pages,
            Err(error) => {
                progress.fail(&error);
                return Ok(());
            }
        };
        let mut page = 0;
        while let Some(image) = pages.next() {
            page += 1;
            let stack = page > 1 || pages.more();
            let image = match image {
                Ok(image) => image,
                Err(error) => {
                    progress.fail(&error);
                    continue;
                }
            };
            match self.analysis.frame(engine, &image) {
                Ok(analysed) => self.frame(file, stack.then_some(page), analysed)?,
                Err(reason) => progress.fail(&Error::input(file, reason)),
            }
        }
        Ok(())
    }

    fn frame(&mut self, file: &Path, page: Option<usize>, analysed: Analysed<'_>) -> Result<()> {
        let (image, made) = (&analysed.image, &analysed.segmentation);
        let name = self.name(file, page);
        let path = |what: &str| self.args.out.join(format!("{name}_{what}"));
        let format = self.args.label_format;
        sink::mask(&path("mask.png"), &made.mask)?;
        sink::labels(&path(&format!("labels.{}", format.extension())), &made.found.labels, image.width(), format)?;
        sink::overlay(&path("overlay.png"), image, &made.found.labels)?;
        let objects = &made.found.objects;
        self.table.add(&name, objects, self.analysis.pixel_size_um())?;
        let area: f64 = objects.iter().map(|object| f64::from(object.area())).sum();
        self.lines.push(Line {
            frame: name,
            file: file.into(),
            page: page.unwrap_or(1),
            width: image.width(),
            height: image.height(),
            objects: objects.len(),
            mean_area_px: (!objects.is_empty()).then(|| area / objects.len() as f64),
            ms: made.elapsed.as_secs_f64() * 1000.0,
            figures: analysed.figures,
        });
        Ok(())
    }

    /// A name for the outputs of a frame that no frame before had: the file's stem, with the page where there are several, and a number
    /// where two folders have files of the same name.
    fn name(&mut self, file: &Path, page: Option<usize>) -> String {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let page = page.map_or_else(String::new, |page| format!("_p{page:04}"));
        let mut name = format!("{stem}{page}");
        let mut copies = 1;
        while !self.names.insert(name.clone()) {
            copies += 1;
            name = format!("{stem}-{copies}{page}");
        }
        name
    }
}

impl Summary {
    fn say(&self) -> Result<()> {
        say(format_args!("{:<32} {:>11} {:>8} {:>10} {:>9}", "frame", "size", "objects", "mean area", "ms"))?;
        for line in &self.frames {
            let size = format!("{}x{}", line.width, line.height);
            let area = line.mean_area_px.map_or_else(|| "-".into(), |area| format!("{area:.1} px"));
            say(format_args!("{:<32} {size:>11} {:>8} {area:>10} {:>9.1}", line.frame, line.objects, line.ms))?;
        }
        let objects: usize = self.frames.iter().map(|line| line.objects).sum();
        say(format_args!(
            "\n{objects} objects in {} frames; table: {}",
            self.frames.len(),
            self.objects_csv.display()
        ))?;
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
