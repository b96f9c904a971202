//! `microtome eval`: a model's scores on annotated images.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use super::progress::Progress;
use super::{Outcome, complain, say, say_json};
use crate::engine::{Engine, Model, Options, makes_objects};
use crate::error::{Error, Result};
use crate::machine::{self, Machine};
use crate::metrics::{Counts, Mean, Scores};
use crate::segment::segment;
use crate::source::{images_by_stem, open, read_labels};

/// Arguments of `microtome eval`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model
    model: PathBuf,
    /// Folder of images
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Folder of label images of the same names: grey, one value per object, 0 for none
    #[arg(long, value_name = "DIR")]
    labels: PathBuf,
    /// Only the images that this file names: one name without extension per line, or in the first column of a CSV
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    /// Of `--ids`, only the lines whose column `set` says this: a split.csv lists train, validation and test frames
    #[arg(long, value_name = "NAME", requires = "ids")]
    set: Option<String>,
    /// CSV with the columns `id` and `kind`, for scores per kind [default: index.csv beside the folders, if there is one]
    #[arg(long, value_name = "FILE")]
    index: Option<PathBuf>,
    /// Print the scores as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// Scores and the counts behind them.
#[derive(Serialize)]
struct Group {
    frames: u64,
    objects_found: u64,
    objects_true: u64,
    #[serde(flatten)]
    scores: Scores,
}

impl From<&Counts> for Group {
    fn from(counts: &Counts) -> Self {
        Group {
            frames: counts.frames,
            objects_found: counts.found,
            objects_true: counts.truth,
            scores: counts.scores(),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    model: PathBuf,
    /// Ratios of sums over all frames.
    overall: Group,
    /// Mean of the frames' own ratios.
    mean_of_frames: Option<Scores>,
    /// Ratios of sums, per kind of frame.
    kinds: BTreeMap<String, Group>,
    ms_per_frame: f64,
    failed_inputs: usize,
}

/// Runs the command.
pub fn eval(args: &Args) -> Result<Outcome> {
    let machine = Arc::new(Machine::new(&args.machine)?);
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    let mut engine = model.into_engine(&machine).map_err(|e| Error::model(&args.model, e))?;
    makes_objects(engine.as_ref()).map_err(|e| Error::model(&args.model, e))?;
    let mut images = images_by_stem(&args.images).map_err(as_usage)?;
    let labels = images_by_stem(&args.labels).map_err(as_usage)?;
    let kinds = kinds(args)?;
    let mut absent = Vec::new();
    if let Some(file) = &args.ids {
        let ids = ids(file, args.set.as_deref())?;
        absent = ids
            .iter()
            .filter(|id| !images.contains_key(*id))
            .map(|id| Error::input(args.images.join(id), "no such image"))
            .collect();
        images.retain(|id, _| ids.contains(id));
    }

    let mut progress = Progress::new(images.len());
    absent.sort_by_key(Error::to_string);
    absent.iter().for_each(|error| progress.fail(error));
    let (mut total, mut mean, mut per_kind) = (Counts::default(), Mean::default(), BTreeMap::<String, Counts>::new());
    let mut seconds = 0.0;
    for (id, image) in &images {
        progress.at(id);
        match score(engine.as_mut(), image, labels.get(id)) {
            Ok((counts, elapsed)) => {
                total += counts;
                mean.add(counts.scores());
                seconds += elapsed;
                if let Some(kind) = kinds.get(id) {
                    *per_kind.entry(kind.clone()).or_default() += counts;
                }
            }
            Err(error) => progress.fail(&error),
        }
        progress.step();
    }
    let report = Report {
        model: args.model.clone(),
        overall: (&total).into(),
        mean_of_frames: mean.scores(),
        kinds: per_kind.iter().map(|(kind, counts)| (kind.clone(), counts.into())).collect(),
        ms_per_frame: 1000.0 * seconds / total.frames.max(1) as f64,
        failed_inputs: progress.finish(),
    };
    if args.json {
        say_json(&report)?
    } else {
        report.say()?
    }
    Ok(Outcome::of(report.failed_inputs))
}

/// Without the folders nothing can be scored: that is not one bad input among many.
fn as_usage(error: Error) -> Error {
    Error::usage(error)
}

fn score(engine: &mut dyn Engine, image: &Path, labels: Option<&PathBuf>) -> Result<(Counts, f64)> {
    let labels = labels.ok_or_else(|| Error::input(image, "no label image of the same name"))?;
    let frame = open(image)?.next().ok_or_else(|| Error::input(image, "the file has no page"))??;
    let (height, width, truth) = read_labels(labels)?;
    if (height, width) != (frame.height(), frame.width()) {
        let (w, h) = (frame.width(), frame.height());
        return Err(Error::input(
            labels,
            format!("the label image is {width}x{height} pixels; expected the image's {w}x{h}"),
        ));
    }
    let made = segment(engine, &frame).map_err(|e| Error::input(image, e))?;
    Ok((Counts::of(&made.found.labels, &truth), made.elapsed.as_secs_f64()))
}

/// The first column of a list; a heading `id` is none. With `set`, only the lines whose column of that heading says so.
fn ids(file: &Path, set: Option<&str>) -> Result<HashSet<String>> {
    let bad = |e: csv::Error| Error::usage(format!("{}: {e}", file.display()));
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_path(file)
        .map_err(bad)?;
    let mut column = None;
    let mut ids = HashSet::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        let Some(id) = record.get(0).filter(|id| !id.is_empty()) else { continue };
        if id == "id" {
            column = record.iter().position(|heading| heading == "set");
        } else if set.is_none_or(|set| column.and_then(|at| record.get(at)) == Some(set)) {
            ids.insert(id.to_owned());
        }
    }
    match set.filter(|_| ids.is_empty()) {
        Some(set) => Err(Error::usage(format!("{}: no line with \"{set}\" in a column `set`", file.display()))),
        None => Ok(ids),
    }
}

/// The kind of each image, as far as an index says.
fn kinds(args: &Args) -> Result<HashMap<String, String>> {
    let beside = [args.images.parent(), Some(args.images.as_path()), Some(args.labels.as_path())];
    let found = beside.into_iter().flatten().map(|folder| folder.join("index.csv")).find(|path| path.is_file());
    let Some(path) = args.index.clone().or(found) else { return Ok(HashMap::new()) };
    let bad = |e: csv::Error| Error::usage(format!("{}: {e}", path.display()));
    let mut reader = csv::Reader::from_path(&path).map_err(bad)?;
    let headers = reader.headers().map_err(bad)?;
    let column = |name: &str| headers.iter().position(|header| header == name);
    let (Some(id), Some(kind)) = (column("id"), column("kind")) else {
        // Only an index that was asked for must have the columns.
        return match &args.index {
            Some(_) => Err(Error::usage(format!("{}: expected the columns `id` and `kind`", path.display()))),
            None => Ok(HashMap::new()),
        };
    };
    let mut kinds = HashMap::new();
    for record in reader.records() {
        let record = record.map_err(bad)?;
        kinds.insert(record[id].to_owned(), record[kind].to_owned());
    }
    Ok(kinds)
}

impl Report {
    fn say(&self) -> Result<()> {
        say(format_args!(
            "{:<20} {:>7} {:>7} {:>7} {:>7} {:>7} {:>11} {:>8} {:>8}",
            "frames", "number", "IoU", "Dice", "AP50", "F1", "count error", "found", "true"
        ))?;
        let scores = |s: &Scores| {
            format!("{:>7.4} {:>7.4} {:>7.4} {:>7.4} {:>10.1}%", s.iou, s.dice, s.ap50, s.f1, 100.0 * s.count_error)
        };
        let rows = self.kinds.iter().map(|(kind, group)| (kind.as_str(), group));
        for (name, group) in rows.chain([("all", &self.overall)]) {
            let Group { frames, objects_found, objects_true, scores: s } = group;
            say(format_args!("{name:<20} {frames:>7} {} {objects_found:>8} {objects_true:>8}", scores(s)))?;
        }
        if let Some(mean) = &self.mean_of_frames {
            say(format_args!("{:<20} {:>7} {}", "mean of frames", self.overall.frames, scores(mean)))?;
        }
        say(format_args!("{:.1} ms per frame", self.ms_per_frame))
    }
}
