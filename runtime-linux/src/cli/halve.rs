//! `microtome halve`: an ONNX model with its weights in 16 bits.

use std::io::Write;
use std::path::PathBuf;

use super::{Outcome, say};
use crate::engine::OnnxModel;
use crate::error::{Error, Result};
use crate::sink::write_whole;

/// Arguments of `microtome halve`.
#[derive(clap::Args)]
pub struct Args {
    /// An ONNX model, also one with islands; the .toml of the same name beside it goes into the file
    model: PathBuf,
    /// The model with weights in 16 bits
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

/// Runs the command.
pub fn halve(args: &Args) -> Result<Outcome> {
    let bytes = OnnxModel::open(&args.model, false)?.halved(&args.model)?.to_onnx(&args.model)?;
    let before = std::fs::metadata(&args.model).map_err(|e| Error::model(&args.model, e))?.len();
    write_whole(&args.output, |w| w.write_all(&bytes))?;
    say(format_args!("{}: {} bytes, of {before}", args.output.display(), bytes.len()))?;
    Ok(Outcome::Done)
}
