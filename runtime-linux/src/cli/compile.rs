//! `microtome compile`: an ONNX model becomes a plan, or, where that cannot hold all of it, an ONNX file with islands.

use std::io::Write;
use std::path::{Path, PathBuf};

use microtome_compiler::Memory;
use microtome_compiler::islands::Division;

use super::progress::Progress;
use super::{Outcome, say, say_json};
use crate::engine::{Extent, OnnxModel, Options};
use crate::error::{Error, Result};
use crate::machine::bytes;
use crate::sink::write_whole;

/// Arguments of `microtome compile`.
#[derive(clap::Args)]
pub struct Args {
    /// An ONNX model; what ONNX does not say (preprocessing, classes) is read from the .toml of the same name beside it
    model: PathBuf,
    /// Folder of typical frames to calibrate on (at most 48 are used), or of .npz files with a tensor for each input; a model that is already quantized needs none
    #[arg(long, value_name = "DIR")]
    calibrate: Option<PathBuf>,
    /// The plan [default: MODEL.mtm beside the model; MODEL.islands.onnx where a plan cannot hold all of it]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
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
    if let Extent::Islands(division) = model.extent(&args.model)? {
        return islands(args, &model, &division);
    }
    let bar = Progress::new(1);
    let mut failed = Vec::new();
    let compiled = model.compile(
        &args.model,
        args.calibrate.as_deref(),
        args.memory_budget.map(|bytes| Memory { bytes, width: args.width }),
        |step| bar.set(step.done, step.total, step.stage),
        &mut |error| failed.push(error),
    );
    let mut bar = bar;
    failed.iter().for_each(|error| bar.fail(error));
    let failed = bar.finish();
    let compiled = compiled?;
    let path = args.output.clone().unwrap_or_else(|| args.model.with_extension("mtm"));
    write_whole(&path, |w| w.write_all(&compiled.plan))?;
    if args.json {
        say_json(&compiled.report)?;
    } else {
        say(&compiled.report)?;
        say(format_args!("{}: {} bytes", path.display(), compiled.plan.len()))?;
    }
    Ok(Outcome::of(failed))
}

/// A model of which a plan can only hold parts.
fn islands(args: &Args, model: &OnnxModel, division: &Division) -> Result<Outcome> {
    if args.memory_budget.is_some() {
        let reason =
            "--memory-budget is for models that a plan can hold; `microtome inspect` shows what keeps this one";
        return Err(Error::model(&args.model, reason));
    }
    let bar = Progress::new(division.islands.len());
    let mut failed = Vec::new();
    let total = division.islands.len();
    let calibrate = args.calibrate.as_deref();
    let compiled = model.compile_islands(
        &args.model,
        division,
        calibrate,
        |island| bar.set(island, total, "island"),
        &mut |error| failed.push(error),
    );
    let mut bar = bar;
    failed.iter().for_each(|error| bar.fail(error));
    let failed = bar.finish();
    let bytes = compiled?.to_onnx(&args.model)?;
    let path = args.output.clone().unwrap_or_else(|| args.model.with_extension("islands.onnx"));
    write_whole(&path, |w| w.write_all(&bytes))?;
    if args.json {
        say_json(division)?;
    } else {
        say(division)?;
        say(format_args!("{}: {} bytes", path.display(), bytes.len()))?;
    }
    Ok(Outcome::of(failed))
}

/// How an ONNX model is divided; `None` for a plan, or a model that a plan can hold.
pub fn division(path: &Path, options: &Options) -> Result<Option<Division>> {
    if !path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
        return Ok(None);
    }
    let model = OnnxModel::open(path, options.tile)?;
    if model.is_divided() {
        return Err(Error::model(
            path,
            "it is compiled already: it holds islands; inspect the model that it was made of",
        ));
    }
    Ok(match model.extent(path)? {
        Extent::Whole => None,
        Extent::Islands(division) => Some(division),
    })
}
