//! `microtome bench`: how fast a model is on this machine, and where its time goes.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use super::{Outcome, complain, say, say_json};
use crate::bench::{plan, svg};
use crate::engine::{Model, Options};
use crate::error::{Error, Result};
use crate::machine::{self, Machine};
use crate::simulate::{Settings, scene};
use crate::sink::write_whole;
use crate::source::{Image, open};

/// Arguments of `microtome bench`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model
    model: PathBuf,
    /// A frame to run [default: a simulated one]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["width", "height", "seed"])]
    image: Option<PathBuf>,
    /// Width of the simulated frame, in pixels
    #[arg(long, default_value_t = 640)]
    width: usize,
    /// Height of the simulated frame, in pixels
    #[arg(long, default_value_t = 480)]
    height: usize,
    /// Which frame is simulated
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Frames to time
    #[arg(long, value_name = "N", default_value = "50")]
    frames: NonZeroUsize,
    /// Draw the profile
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// Runs the command.
pub fn bench(args: &Args) -> Result<Outcome> {
    let machine = Machine::new(&args.machine)?;
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    let image = frame(args)?;
    #[cfg(feature = "onnx")]
    let model = match model {
        Model::Float(engine) => return float(args, *engine, &image),
        plan => plan,
    };
    let mut bytes = model.bytes().map_err(|e| Error::model(&args.model, e))?.to_vec();
    let report = plan(&mut bytes, &image, args.frames.get(), &machine).map_err(|e| Error::model(&args.model, e))?;
    if let Some(path) = &args.svg {
        write_whole(path, |w| std::io::Write::write_all(w, svg(&report).as_bytes()))?;
    }
    if args.json {
        say_json(&report)?
    } else {
        say(&report)?
    }
    Ok(Outcome::Done)
}

fn frame(args: &Args) -> Result<Image> {
    match &args.image {
        Some(path) => open(path)?.next().ok_or_else(|| Error::input(path, "the file has no page"))?,
        None => {
            let settings = Settings { seed: args.seed, height: args.height, width: args.width };
            Ok(scene(settings, 0).map_err(Error::usage)?.image)
        }
    }
}

/// A model that tract runs, in float or around islands.
#[cfg(feature = "onnx")]
fn float(args: &Args, mut engine: crate::engine::FloatEngine, image: &Image) -> Result<Outcome> {
    if args.svg.is_some() {
        return Err(Error::usage("--svg draws the profile of a plan; this model runs in tract"));
    }
    let report = crate::bench::stages(&mut engine, image, args.frames.get());
    let report = report.map_err(|e| Error::model(&args.model, e))?;
    if args.json {
        say_json(&report)?
    } else {
        say(&report)?
    }
    Ok(Outcome::Done)
}
