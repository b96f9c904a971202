//! What can go wrong on the host, sorted by what the user has to change, because that is what the exit code says.

use std::io;
use std::path::{Path, PathBuf};

/// Exit codes of the `microtome` command, as its `--help` documents them.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// Some inputs failed; they were named on stderr, and the rest was done.
    pub const SOME_INPUTS_FAILED: u8 = 1;
    /// The command line, the model or the plan is at fault; nothing was done.
    pub const BAD_USAGE: u8 = 2;
    /// An output could not be written.
    pub const CANNOT_WRITE: u8 = 3;
}

/// One failed step, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line asks for something that cannot be.
    #[error("{0}")]
    Usage(String),
    /// A model or a plan cannot be read, compiled or run.
    #[error("{}: {reason}", path.display())]
    Model {
        /// The model's file.
        path: PathBuf,
        /// What was found, and what was expected.
        reason: String,
    },
    /// A frame, a label image or a tensor cannot be read or used.
    #[error("{}: {reason}", path.display())]
    Input {
        /// The input's file.
        path: PathBuf,
        /// What was found, and what was expected.
        reason: String,
    },
    /// An output cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Output {
        /// The output's file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Standard output cannot be written.
    #[error("cannot write to standard output: {0}")]
    Stdout(#[from] io::Error),
}

/// A result whose failure knows its exit code.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A usage error.
    pub fn usage(message: impl ToString) -> Self {
        Error::Usage(message.to_string())
    }

    /// An error of the model in `path`.
    pub fn model(path: impl AsRef<Path>, reason: impl ToString) -> Self {
        Error::Model { path: path.as_ref().into(), reason: reason.to_string() }
    }

    /// An error of the input in `path`.
    pub fn input(path: impl AsRef<Path>, reason: impl ToString) -> Self {
        Error::Input { path: path.as_ref().into(), reason: reason.to_string() }
    }

    /// An error of the output in `path`.
    pub fn output(path: impl AsRef<Path>, source: io::Error) -> Self {
        Error::Output { path: path.as_ref().into(), source }
    }

    /// The process's exit code when this error ends it (see [`exit`]).
    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Usage(_) | Error::Model { .. } => exit::BAD_USAGE,
            Error::Input { .. } => exit::SOME_INPUTS_FAILED,
            Error::Output { .. } | Error::Stdout(_) => exit::CANNOT_WRITE,
        }
    }
}
