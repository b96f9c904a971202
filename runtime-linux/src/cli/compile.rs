//! `microtome compile`: an ONNX model becomes a plan, or, where that cannot hold all of it, a container with islands.

use std::fmt::Display;
use std::io::Write;
use std::path::{Path, PathBuf};

use microtome_compiler::Memory;
use microtome_compiler::quality::{ENOUGH, Quality};
use serde::Serialize;

use super::progress::Progress;
use super::{Outcome, complain, say, say_json};
use crate::camera::Size;
use crate::engine::{Built, OnnxModel, Options, Outlook, Wishes};
use crate::error::{Error, Result};
use crate::machine::bytes;
use crate::sink::write_whole;

/// Arguments of `microtome compile`.
#[derive(clap::Args)]
pub struct Args {
    /// An ONNX model; what ONNX does not say (preprocessing, classes) is read from the .toml of the same name beside it
    model: PathBuf,
    /// Folder of typical frames to calibrate on (at most 48 are used), or of .npz files with a tensor for each input; a model
    /// that is already quantized needs none
    #[arg(long, value_name = "DIR")]
    calibrate: Option<PathBuf>,
    /// The plan, or, where that cannot hold all of the model, the container of its islands and of what is left; NAME.onnx
    /// writes the latter as an ONNX file, which takes longer to start [default: MODEL.mtm beside the model]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// For a container: frames of this size only. Without it, frames of all sizes that the model takes, or, where that cannot
    /// be, those of the calibration images
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    frame: Option<Size>,
    /// Most memory for a session, such as 256KiB or 2MiB: a step makes as many rows as fit it [default: one row, which
    /// takes the least]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory_budget: Option<usize>,
    /// With --memory-budget: width of the frames, in pixels
    #[arg(long, value_name = "PIXELS", requires = "memory_budget", default_value_t = 640)]
    width: u32,
    /// For a model of valid convolutions, like the U-Net of 2015: mirror frames beyond their borders, as its overlapping
    /// tiles do, so that the mask is as large as the frame, which may be of any size
    #[arg(long)]
    tile: bool,
    /// What the outputs must reach against float, in dB: where int8 does not (or changes more than 2 % of the decisions), the
    /// first operators stay in float, as many as it takes. 0 makes a plan whatever that costs
    #[arg(long, value_name = "DB", default_value_t = ENOUGH.sqnr)]
    least_db: f64,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn compile(args: &Args) -> Result<Outcome> {
    let model = OnnxModel::open(&args.model, args.tile)?;
    if model.is_divided() {
        return Err(Error::model(&args.model, "it is compiled already: it holds islands"));
    }
    let wishes = Wishes {
        calibrate: args.calibrate.as_deref(),
        memory: args.memory_budget.map(|bytes| Memory { bytes, width: args.width }),
        enough: Quality { sqnr: args.least_db, agreement: if args.least_db > 0.0 { ENOUGH.agreement } else { 0.0 } },
    };
    let mut bar = Progress::new(1);
    let mut failed = Vec::new();
    let built = model
        .build(&args.model, wishes, |step| bar.set(step.done, step.total, step.stage), &mut |error| failed.push(error));
    failed.iter().for_each(|error| bar.fail(error));
    let failed = bar.finish();
    let path = args.output.clone().unwrap_or_else(|| args.model.with_extension("mtm"));
    match built? {
        Built::Plan(compiled) => {
            write(args, &path, &compiled.plan, &compiled.report)?;
            if let Some(quality) = compiled.quality.filter(|_| !args.json) {
                say(format_args!("int8 against float: {quality}"))?;
            }
        }
        Built::Islands { division, model, quality, shapes } => {
            let frame = args.frame.map(|size| [size.height, size.width]);
            let bytes = match has_extension(&path, "onnx") {
                true => model.to_onnx(&args.model)?,
                false => model.to_container(&args.model, &shapes, frame)?,
            };
            write(args, &path, &bytes, &division)?;
            if division.islands.is_empty() {
                complain(Error::model(
                    &args.model,
                    "nothing of it is worth an island of int8: all of it runs in float",
                ));
            } else if !args.json {
                say(format_args!("islands against float: {quality}"))?;
            }
        }
    }
    Ok(Outcome::of(failed))
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

/// Writes what was made, and says how it was made.
fn write(args: &Args, path: &Path, bytes: &[u8], report: &(impl Serialize + Display)) -> Result<()> {
    write_whole(path, |w| w.write_all(bytes))?;
    if args.json {
        return say_json(report);
    }
    say(report)?;
    say(format_args!("{}: {} bytes", path.display(), bytes.len()))
}

/// What `inspect` says of an ONNX model from which no plan is to be made; `None` where there is one.
pub fn outlook(path: &Path, options: &Options) -> Result<Option<Outlook>> {
    if !has_extension(path, "onnx") {
        return Ok(None);
    }
    let model = OnnxModel::open(path, options.tile)?;
    if model.is_divided() {
        return Err(Error::model(
            path,
            "it is compiled already: it holds islands; inspect the model that it was made of",
        ));
    }
    let outlook = model.outlook(path)?;
    let ready = options.calibrate.is_some() || model.is_quantized();
    Ok(Some(outlook).filter(|outlook| !(ready && matches!(outlook, Outlook::Plan))))
}
