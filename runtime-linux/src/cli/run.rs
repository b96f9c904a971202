//! `microtome run`: pictures, tables and archives of every frame of every input.

mod names;
mod summary;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::names::Names;
use self::summary::{Line, Summary};
use super::progress::Progress;
use super::{Outcome, complain, make_folder, say_json};
use crate::engine::{Engine, Model, Options, task};
use crate::error::{Error, Result};
use crate::instrument::{self, Analysed, Analysis};
use crate::machine::{self, Machine};
use crate::sink::{Columns, Extra, Format, Item, LabelFormat, Metadata, Page, Results, Settings};
use crate::source;

/// Arguments of `microtome run`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model
    model: PathBuf,
    /// Images, folders of images, patterns; PNG, JPEG or TIFF (all pages), 8 or 16 bits, grey or RGB
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for the outputs
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// What to write, separated by commas
    #[arg(long, value_name = "LIST", value_enum, value_delimiter = ',', default_values_t = Format::USUAL)]
    format: Vec<Format>,
    /// File format of the label images; tiff stands for label-tiff in the place of labels
    #[arg(long, value_enum, default_value_t = LabelFormat::Png)]
    label_format: LabelFormat,
    /// For --format ecotaxa: a TOML file with what is known of the sample, under the names of EcoTaxa's columns (sample_id,
    /// acq_instrument, object_lat, …)
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,
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

/// Runs the command.
pub fn run(args: &Args) -> Result<Outcome> {
    let analysis = Analysis::new(args.instrument.setup()?);
    let mut settings = args.settings()?;
    settings.columns = Columns { time: false, extra: analysis.columns().map(String::from).collect() };
    let machine = Arc::new(Machine::new(&args.machine)?);
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    settings.classes = model.object_classes();
    let mut engine = model.into_engine(&machine).map_err(|e| Error::model(&args.model, e))?;
    task(&engine.post()).map_err(|e| Error::model(&args.model, e))?;
    make_folder(&args.out)?;
    let (files, missing) = source::find(&args.inputs);
    let mut progress = Progress::new(files.len());
    missing.iter().for_each(|error| progress.fail(error));
    let results = Results::open(&args.out, &settings)?;
    let mut frames = Frames { results, analysis, names: Names::default(), lines: Vec::new() };
    for file in &files {
        progress.at(file.display().to_string());
        frames.file(file, engine.as_mut(), &mut progress)?;
        progress.step();
    }
    let collections = frames.results.finish()?;
    let objects_csv = settings.formats.contains(&Format::Csv).then(|| args.out.join("objects.csv"));
    let summary = Summary {
        frames: frames.lines,
        failed_inputs: progress.finish(),
        objects_csv,
        collections,
        totals: frames.analysis.totals().copied(),
    };
    if args.json {
        say_json(&summary)?
    } else {
        summary.say(&args.out)?
    }
    Ok(Outcome::of(summary.failed_inputs))
}

impl Args {
    /// What to write, as far as the command line says it.
    fn settings(&self) -> Result<Settings> {
        let mut formats = self.format.clone();
        if self.label_format == LabelFormat::Tiff {
            formats
                .iter_mut()
                .filter(|format| **format == Format::Labels)
                .for_each(|format| *format = Format::LabelTiff);
        }
        let metadata = match &self.metadata {
            Some(_) if !formats.contains(&Format::Ecotaxa) => {
                return Err(Error::usage("--metadata is for --format ecotaxa, which was not asked for"));
            }
            Some(path) => Metadata::read(path)?,
            None => Metadata::default(),
        };
        Ok(Settings { formats, metadata, ..Settings::default() })
    }
}

/// The outputs so far.
struct Frames {
    results: Results,
    analysis: Analysis,
    names: Names,
    lines: Vec<Line>,
}

impl Frames {
    /// Segments the frames of `file`. Whatever is wrong with the file is reported; an error is one of the outputs.
    fn file(&mut self, file: &Path, engine: &mut dyn Engine, progress: &mut Progress) -> Result<()> {
        let mut pages = match source::open(file) {
            Ok(pages) => pages,
            Err(error) => {
                progress.fail(&error);
                return Ok(());
            }
        };
        let stem = self.names.file(file);
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
                Ok(analysed) => {
                    let page = stack.then_some(Page { stack: &stem, number: page });
                    self.frame(file, &stem, page, analysed)?;
                }
                Err(reason) => progress.fail(&Error::input(file, reason)),
            }
        }
        Ok(())
    }

    fn frame(&mut self, file: &Path, stem: &str, page: Option<Page<'_>>, analysed: Analysed<'_>) -> Result<()> {
        let Analysed { image, segmentation: made, columns, figures } = analysed;
        let name = page.map_or_else(|| stem.into(), |page| self.names.page(page));
        let extra: Vec<Extra> = columns.into_iter().map(Extra::from).collect();
        let mut item = Item::new(&name, &image, &made.mask, &made.found);
        (item.file, item.page, item.pixel_size_um) = (Some(file), page, self.analysis.pixel_size_um());
        item.extra = &extra;
        self.results.frame(&item)?;
        let objects = &made.found.objects;
        let area: f64 = objects.iter().map(|object| f64::from(object.area())).sum();
        self.lines.push(Line {
            frame: name,
            file: file.into(),
            page: page.map_or(1, |page| page.number),
            width: image.width(),
            height: image.height(),
            objects: objects.len(),
            mean_area_px: (!objects.is_empty()).then(|| area / objects.len() as f64),
            ms: made.elapsed.as_secs_f64() * 1000.0,
            figures,
        });
        Ok(())
    }
}
