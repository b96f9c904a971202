//! `microtome run`: pictures, tables and archives of every frame of every input.

mod jobs;
mod names;
mod outputs;
mod resume;
mod source;
mod summary;

use std::borrow::Cow;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;

use self::jobs::Jobs;
use self::outputs::Outputs;
use self::source::{Done, Event, Source};
use self::summary::{Line, Summary};
use super::progress::Progress;
use super::{Outcome, complain, make_folder, say_json, signals, tell};
use crate::engine::{Engine, Model, Options, makes_objects};
use crate::error::{Error, Result};
use crate::instrument::{self, Analysis};
use crate::machine::{self, Machine, plural};
use crate::sink::{Columns, Format, LabelFormat, Metadata, Results, Settings};
use crate::source::find;

/// Most frames at once.
const MOST_JOBS: u16 = 64;

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
    /// How many frames to work on at once; cores are shared among them. For plans, and with the same outputs as one after another
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_JOBS)))]
    jobs: u16,
    /// Go on with the run that was interrupted in this folder (a power cut, Ctrl-C, a full disk): frames that it finished are not done
    /// again. Not for ecotaxa, roi, coco and --track, which need all frames at hand
    #[arg(long)]
    resume: bool,
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
    let mut analysis = Analysis::new(args.instrument.setup()?);
    let mut settings = args.settings()?;
    settings.columns = Columns { time: false, extra: analysis.columns().map(String::from).collect() };
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    settings.classes = model.object_classes();
    let mut work = args.work(model, &analysis)?;
    let journal = resume::journal(args, &settings, &analysis)?;
    let stop = signals::stop_flag()?;
    make_folder(&args.out)?;
    let (files, missing) = find(&args.inputs);
    let mut progress = Progress::frames(files.len());
    missing.iter().for_each(|error| progress.fail(error));
    let (mut lines, mut done, can_go_on) = (Vec::new(), Done::new(), journal.is_some());
    let results = match journal {
        None => Results::open(&args.out, &settings)?,
        Some(journal) => Results::journaled(&args.out, &settings, journal, |line: Line| {
            line.figures.iter().for_each(|figures| analysis.recall(figures));
            done.insert((line.file.clone(), line.page));
            lines.push(line);
        })?,
    };
    let source = Source { files: &files, done: &done, stop: &stop, count: progress.is_visible() };
    let mut outputs = Outputs { results, analysis, lines, progress };
    let complete = work.run(&source, &mut outputs).inspect_err(|_| {
        if can_go_on && !outputs.lines.is_empty() {
            tell(format_args!("finished frames are kept: {GO_ON}"));
        }
    })?;
    let Outputs { results, analysis, lines, progress } = outputs;
    let collections = if complete { results.finish()? } else { results.pause()? };
    let objects_csv = settings.formats.contains(&Format::Csv).then(|| args.out.join("objects.csv"));
    let summary = Summary {
        frames: lines,
        failed_inputs: progress.finish(),
        objects_csv,
        collections,
        totals: analysis.totals().copied(),
    };
    if args.json {
        say_json(&summary)?
    } else {
        summary.say(&args.out)?
    }
    if !complete {
        let (frames, hint) =
            (summary.frames.len(), if can_go_on { GO_ON } else { "a run with these outputs begins anew" });
        tell(format_args!("stopped after {frames} frame{}; {hint}", plural(frames)));
        return Ok(Outcome::SomeFailed);
    }
    Ok(Outcome::of(summary.failed_inputs))
}

/// What to do about a run that did not come to its end.
const GO_ON: &str = "the same command with --resume goes on after the last finished frame";

/// How frames are worked on.
enum Work {
    One(Box<dyn Engine>),
    Several(Jobs),
}

impl Work {
    /// Goes over all frames; returns whether that was all.
    fn run(&mut self, source: &Source<'_>, outputs: &mut Outputs) -> Result<bool> {
        match self {
            Work::Several(jobs) => jobs.run(source, |event| outputs.take(event)),
            Work::One(engine) => source.each(|event| {
                let event = match event {
                    Event::Frame((origin, image)) => {
                        Event::Frame((origin, outputs.analysis.see(engine.as_mut(), Cow::Owned(image))))
                    }
                    Event::Note(note) => Event::Note(note),
                };
                outputs.take(event)
            }),
        }
    }
}

impl Args {
    /// The model on the machine, once or several times.
    fn work(&self, model: Model, analysis: &Analysis) -> Result<Work> {
        let jobs = NonZeroUsize::new(self.jobs.into()).unwrap_or(NonZeroUsize::MIN);
        let options = self.machine.shared_by(jobs);
        let fail = |e| Error::model(&self.model, e);
        let machine = Arc::new(Machine::new(&options)?);
        let plan = model.bytes().map(<[u8]>::to_vec);
        let engine = model.into_engine(&machine).map_err(fail)?;
        makes_objects(engine.as_ref()).map_err(fail)?;
        if jobs.get() == 1 {
            return Ok(Work::One(engine));
        }
        let plan = plan.map_err(|_| {
            Error::usage(format!(
                "--jobs {jobs}: a model that tract runs takes one frame at a time (expected a plan, or --jobs 1)"
            ))
        })?;
        let steps = analysis.steps().ok_or_else(|| {
            Error::usage(format!("--jobs {jobs}: a running median takes frames one after another (expected --jobs 1)"))
        })?;
        let others = (1..jobs.get()).map(|_| Machine::new(&options).map(Arc::new));
        let machines = std::iter::once(Ok(machine)).chain(others).collect::<Result<_>>()?;
        Ok(Work::Several(Jobs { machines, plan, steps }))
    }

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
