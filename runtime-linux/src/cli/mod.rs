//! The command line: what can be asked, and how the answer is told.
//!
//! Invariant: results go to standard output and to files, complaints to standard error, and the exit code says which of them there were.

mod bench;
mod board;
mod cameras;
mod demo;
mod doctor;
mod eval;
mod inspect;
mod kernels;
mod live;
mod pack;
mod predict;
mod progress;
mod record;
mod run;
#[cfg(feature = "serve")]
mod serve;
mod signals;
mod simulate;

#[cfg(feature = "onnx")]
mod compile;
#[cfg(feature = "onnx")]
mod diffuse;
#[cfg(feature = "onnx")]
mod halve;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::{Error, Result, exit};
use crate::machine;

const EXIT_CODES: &str = "\
Exit codes:
  0  all went well
  1  some inputs failed, each was reported on standard error, and the rest was done; or a signal ended the run early
  2  the command line, the model or the plan is at fault; nothing was done
  3  an output could not be written";

/// Segments microscope frames: an int8 U-Net, row by row, and the objects it finds, counted, measured and outlined
#[derive(Parser)]
#[command(name = "microtome", version, after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
struct Cli {
    /// Without a command: a demonstration on simulated frames, written to ./microtome-demo
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    machine: machine::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Segment images: class masks, label images, overlays and a table of objects
    Run(run::Args),
    /// Compile an ONNX model to a plan
    #[cfg(feature = "onnx")]
    Compile(compile::Args),
    /// Make pictures from noise, by a denoising network
    #[cfg(feature = "onnx")]
    Diffuse(diffuse::Args),
    /// Score a model on annotated images
    Eval(eval::Args),
    /// Show what a plan consists of and what it costs
    Inspect(inspect::Args),
    /// Time a model on this machine, operator by operator
    Bench(bench::Args),
    /// Store an ONNX model's weights in 16 bits
    #[cfg(feature = "onnx")]
    Halve(halve::Args),
    /// Segment what a camera sees, as it comes
    Live(live::Args),
    /// Keep what a camera sees: time-lapses, triggered frames, everything
    Record(record::Args),
    /// Say what is missing on this machine: permissions, pins, room, speed
    Doctor(doctor::Args),
    /// List the kernels that this CPU runs
    Kernels(kernels::Args),
    /// Pack a plan's weights for a microcontroller, which reads them from flash
    Pack(pack::Args),
    /// Run raw tensors through a model
    Predict(predict::Args),
    /// Show what a camera sees and what is found in it, on a page; over HTTP for scripts
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    /// Write simulated frames with their true labels
    Simulate(simulate::Args),
    /// List cameras, try one, set its exposure
    Cameras(cameras::Args),
    /// Switch the light, make steps, watch the trigger: the pins of a Raspberry Pi
    Board(board::Args),
}

/// How a command that goes over many inputs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    /// Every input was done.
    Done,
    /// Some inputs failed and were reported.
    SomeFailed,
}

impl Outcome {
    fn of(failed: usize) -> Self {
        if failed == 0 { Outcome::Done } else { Outcome::SomeFailed }
    }
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Cli { command, machine } = Cli::parse();
    let outcome = match command {
        None => demo::demo(&machine),
        Some(Command::Run(args)) => run::run(&args),
        #[cfg(feature = "onnx")]
        Some(Command::Compile(args)) => compile::compile(&args),
        #[cfg(feature = "onnx")]
        Some(Command::Diffuse(args)) => diffuse::diffuse(&args),
        Some(Command::Eval(args)) => eval::eval(&args),
        Some(Command::Inspect(args)) => inspect::inspect(&args),
        Some(Command::Bench(args)) => bench::bench(&args),
        #[cfg(feature = "onnx")]
        Some(Command::Halve(args)) => halve::halve(&args),
        Some(Command::Live(args)) => live::live(&args),
        Some(Command::Record(args)) => record::record(&args),
        Some(Command::Doctor(args)) => doctor::doctor(&args),
        Some(Command::Kernels(args)) => kernels::kernels(&args),
        Some(Command::Pack(args)) => pack::pack(&args),
        Some(Command::Predict(args)) => predict::predict(&args),
        #[cfg(feature = "serve")]
        Some(Command::Serve(args)) => serve::serve(&args),
        Some(Command::Simulate(args)) => simulate::simulate(&args),
        Some(Command::Cameras(args)) => cameras::cameras(&args),
        Some(Command::Board(args)) => board::board(&args),
    };
    match outcome {
        Ok(Outcome::Done) => exit::OK.into(),
        Ok(Outcome::SomeFailed) => exit::SOME_INPUTS_FAILED.into(),
        // Whoever reads our output has read enough.
        Err(Error::Stdout(error)) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK.into(),
        Err(error) => {
            let code = error.exit_code();
            complain(error);
            code.into()
        }
    }
}

/// Says what is wrong on standard error; if even that cannot be written, the exit code still says that something is.
fn complain(error: impl std::borrow::Borrow<Error>) {
    tell(error.borrow());
}

/// Writes a line to standard error, if that can be.
fn tell(line: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "microtome: {line}");
}

/// Writes a line to standard output.
fn say(line: impl std::fmt::Display) -> Result<()> {
    writeln!(io::stdout(), "{line}")?;
    Ok(())
}

/// Writes a value to standard output as JSON.
fn say_json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::Stdout(e.into()))?;
    say(text)
}

/// Makes the folder for the outputs.
fn make_folder(path: &std::path::Path) -> Result<()> {
    std::fs::create_dir_all(path).map_err(|e| Error::output(path, e))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn arguments_are_consistent() {
        super::Cli::command().debug_assert();
    }
}
