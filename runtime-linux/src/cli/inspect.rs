//! `microtome inspect`: what a plan consists of and what it costs.

#[cfg(feature = "onnx")]
use std::path::Path;
use std::path::PathBuf;

#[cfg(feature = "onnx")]
use microtome_compiler::container::{self, Contents};
use microtome_core::Frame;
use microtome_core::plan::strips::Strips;
use serde::Serialize;

use super::{Outcome, complain, say, say_json};
#[cfg(feature = "onnx")]
use crate::engine::Outlook;
use crate::engine::{Model, Options};
use crate::error::{Error, Result};
use crate::inspect::{Inspection, inspect as figures, svg};
use crate::machine::{self, Footing, Machine};
use crate::sink::write_whole;

/// Arguments of `microtome inspect`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan or a container (.mtm), or an ONNX model: with --calibrate where a plan can hold all of it; else what becomes islands of int8,
    /// and why the rest does not
    model: PathBuf,
    /// Width of the frames, in pixels
    #[arg(long, default_value_t = 640)]
    width: u32,
    /// Height of the frames, in pixels
    #[arg(long, default_value_t = 480)]
    height: u32,
    /// Write a picture of the rows in flight over time
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    inspection: Inspection,
    /// What a session here takes, with the kernel, threads and strips that were asked for.
    machine: Footing,
}

/// Runs the command.
pub fn inspect(args: &Args) -> Result<Outcome> {
    let bad = |e: String| Error::model(&args.model, e);
    #[cfg(feature = "onnx")]
    if let Some(contents) = contents(&args.model)? {
        if args.svg.is_some() {
            return Err(Error::usage(
                "--svg draws the rows of a plan; a container holds several plans, and none of its own",
            ));
        }
        return if args.json { say_json(&contents) } else { say(&contents) }.map(|()| Outcome::Done);
    }
    #[cfg(feature = "onnx")]
    if let Some(outlook) = super::compile::outlook(&args.model, &args.options)? {
        return foretell(&outlook, args.json);
    }
    let machine = Machine::new(&args.machine)?;
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    let plan = model.plan().map_err(bad)?;
    let frame = Frame::grey(args.height, args.width);
    let inspection = figures(&plan, frame).map_err(|e| bad(e.to_string()))?;
    let mut here = model.bytes().map_err(bad)?.to_vec();
    let mut strips = Strips::of(&mut here).map_err(|e| bad(e.to_string()))?;
    let fit = machine.rows().fit(&mut strips, frame, &machine.setup()).map_err(|e| bad(e.to_string()))?;
    let footing = Footing::new(&machine, fit);
    if args.json {
        say_json(&Report { inspection, machine: footing })?;
    } else {
        say(&inspection)?;
        say(&footing)?;
        for line in plan.provenance().lines() {
            say(line)?;
        }
    }
    if let Some(path) = &args.svg {
        let picture = svg(&plan, frame).map_err(|e| Error::model(&args.model, e))?;
        write_whole(path, |w| std::io::Write::write_all(w, picture.as_bytes()))?;
    }
    Ok(Outcome::Done)
}

/// What is in a container, if the file is one.
#[cfg(feature = "onnx")]
fn contents(path: &Path) -> Result<Option<Contents>> {
    let bytes = std::fs::read(path).map_err(|e| Error::model(path, e))?;
    let contents = bytes.starts_with(&container::MAGIC).then(|| Contents::of(&bytes)).transpose();
    contents.map_err(|e| Error::model(path, e))
}

/// Says what core can run of a model.
#[cfg(feature = "onnx")]
fn foretell(outlook: &Outlook, json: bool) -> Result<Outcome> {
    match outlook {
        Outlook::Islands(division) if json => say_json(division)?,
        Outlook::Islands(division) => say(division)?,
        Outlook::Plan if json => say_json(&serde_json::json!({ "plan": true }))?,
        Outlook::Plan => {
            say("a plan in int8 can hold all of it; --calibrate DIR, a folder of images, shows what it costs")?
        }
        Outlook::Float(reason) if json => say_json(&serde_json::json!({ "plan": false, "reason": reason }))?,
        Outlook::Float(reason) => say(format_args!("core can run none of it, tract runs it in float: {reason}"))?,
    }
    Ok(Outcome::Done)
}
