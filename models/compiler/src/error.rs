//! What can go wrong between an ONNX file and a plan.

use std::path::PathBuf;

/// Why a model cannot be read, run or compiled. Every message is one sentence that names the thing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file that was named cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are not an ONNX model.
    #[error("not an ONNX model: {0}")]
    NotOnnx(String),
    /// The bytes are no container, or one that is damaged.
    #[error("container: {0}")]
    Container(String),
    /// The model's description (`model.toml`) is wrong.
    #[error("model description: {0}")]
    Description(String),
    /// tract cannot load or run the model.
    #[error("tract cannot {doing}: {reason}")]
    Tract {
        /// What it was asked to do.
        doing: &'static str,
        /// Its own words.
        reason: String,
    },
    /// An operator that a plan cannot hold.
    #[error("{operator} `{node}` ({attributes}): {reason}")]
    Operator {
        /// ONNX's name of the operator.
        operator: String,
        /// The node's name, or its first output's where it has none.
        node: String,
        /// Its attributes.
        attributes: String,
        /// Why it is refused.
        reason: String,
    },
    /// A model that is wrong, or outside of what a plan can hold, as a whole.
    #[error("model: {0}")]
    Model(String),
    /// Calibration is impossible with what was given.
    #[error("calibration: {0}")]
    Calibration(String),
    /// Even one row per step needs more than the memory that was given.
    #[error(
        "the arena takes {found} bytes for frames {width} pixels wide, with one row per step; the budget is {budget}"
    )]
    Memory {
        /// Bytes of the arena.
        found: usize,
        /// Bytes that were given.
        budget: usize,
        /// Pixels in a row.
        width: u32,
    },
    /// core refuses what the compiler made.
    #[error("plan: {0}")]
    Plan(String),
}

/// [`Result`](std::result::Result) with [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<microtome_core::PlanError> for Error {
    fn from(error: microtome_core::PlanError) -> Error {
        Error::Plan(error.to_string())
    }
}

impl From<microtome_core::SessionError> for Error {
    fn from(error: microtome_core::SessionError) -> Error {
        Error::Plan(error.to_string())
    }
}
