//! When a run goes on with another, and when it may begin.
//!
//! | in the folder                  | without `--resume`  | with `--resume`                            |
//! | ------------------------------ | ------------------- | ------------------------------------------ |
//! | nothing, or a finished run     | begins              | begins                                     |
//! | an interrupted run, the same   | is refused          | goes on after its last finished frame      |
//! | an interrupted run, another    | is refused          | is refused                                 |
//!
//! Hours of work are not thrown away because a command was repeated as it was.

use std::path::Path;

use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use super::Args;
use crate::error::{Error, Result};
use crate::instrument::Analysis;
use crate::machine::plural;
use crate::sink::{Journal, Settings};

/// The journal for a run; none where it could not be gone on with.
///
/// # Errors
/// [`Error::Usage`] for a refusal, before anything is changed.
pub(super) fn journal(args: &Args, settings: &Settings, analysis: &Analysis) -> Result<Option<Journal>> {
    let hurdle = hurdle(settings, analysis);
    if let Some(hurdle) = hurdle.as_ref().filter(|_| args.resume) {
        return Err(Error::usage(format!(
            "--resume: {hurdle} cannot be gone on with (expected a run without, or from its beginning)"
        )));
    }
    let interrupted = Journal::find(&args.out)?;
    match interrupted {
        Some(interrupted) if !args.resume => Err(Error::usage(format!(
            "{}: an interrupted run has finished {} frame{} here (expected --resume to go on with it, another folder, or {} removed to \
             begin anew)",
            args.out.display(),
            interrupted.frames,
            plural(interrupted.frames),
            interrupted.path().display()
        ))),
        _ if hurdle.is_some() => Ok(None),
        Some(interrupted) => interrupted.resume(&args.out, &decisions(args, settings)?).map(Some),
        None => {
            super::make_folder(&args.out)?;
            Journal::begin(&args.out, &decisions(args, settings)?).map(Some)
        }
    }
}

/// What needs more of the frames before than a journal has of them.
fn hurdle(settings: &Settings, analysis: &Analysis) -> Option<String> {
    let remembers = analysis.remembers().map(String::from);
    remembers.or_else(|| {
        let format = settings.formats.iter().find(|format| !format.can_be_resumed())?;
        let format = clap::ValueEnum::to_possible_value(format)?;
        Some(format!("--format {}", format.get_name()))
    })
}

/// What decides the bytes of the outputs, by what the user calls it. Neither threads nor kernels nor jobs do (contract C1).
fn decisions(args: &Args, settings: &Settings) -> Result<Map<String, Json>> {
    let mut formats = settings.formats.clone();
    formats.sort();
    formats.dedup();
    let formats: Vec<String> = formats.iter().map(|format| format!("{format:?}")).collect();
    let hashed = |path: &Path| hash(path).map_err(|e| Error::usage(format!("{}: {e}", path.display())));
    let files = args.instrument.files()?;
    let files = files.iter().map(|file| hashed(file)).collect::<Result<Vec<String>>>()?;
    let inputs = args.inputs.iter().map(|input| std::path::absolute(input).unwrap_or_else(|_| input.clone()));
    let inputs: Vec<String> = inputs.map(|input| input.to_string_lossy().into_owned()).collect();
    let Json::Object(decisions) = json!({
        "version of microtome": env!("CARGO_PKG_VERSION"),
        "model": hashed(&args.model)?,
        "way to take the model": format!("{:?}", args.options),
        "list of inputs": inputs,
        "list of formats": formats,
        "way to measure": [format!("{:?}", args.instrument), files.join(" ")],
    }) else {
        return Err(Error::usage("what was asked for cannot be written down"));
    };
    Ok(decisions)
}

fn hash(path: &Path) -> std::io::Result<String> {
    let mut hash = Sha256::new();
    std::io::copy(&mut std::fs::File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
