//! The MODEL argument: a plan, or an ONNX file that becomes one or runs in float.

use std::path::{Path, PathBuf};

use microtome_core::Plan;

use super::{Engine, PlanEngine};
#[cfg(feature = "onnx")]
use super::{FloatEngine, OnnxModel};
use crate::error::{Error, Result};

/// How to take a model that is not a plan yet.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// For an .onnx MODEL: compile it first, calibrated on the images of this folder
    #[arg(long, value_name = "DIR", conflicts_with = "float")]
    pub calibrate: Option<PathBuf>,
    /// For an .onnx MODEL: run it in float instead
    #[arg(long)]
    pub float: bool,
}

/// A model, read and checked.
pub enum Model {
    /// The bytes of a valid plan.
    Plan(Vec<u8>),
    /// A float model.
    #[cfg(feature = "onnx")]
    Float(Box<FloatEngine>),
}

impl Model {
    /// Reads the model at `path`. Calibration images that cannot be read go to `report`.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be read, is not a valid plan, or cannot be compiled; [`Error::Usage`] when `options` do not
    /// go with the kind of model.
    pub fn open(path: &Path, options: &Options, report: &mut dyn FnMut(Error)) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::model(path, e))?;
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) {
            return Self::from_onnx(path, options, report);
        }
        if options.float || options.calibrate.is_some() {
            return Err(Error::usage(format!(
                "{}: --float and --calibrate are for .onnx models; a plan is already quantized",
                path.display()
            )));
        }
        Self::from_plan(bytes).map_err(|e| Error::model(path, e))
    }

    /// A plan from its bytes.
    ///
    /// # Errors
    /// The sentence of core's parser.
    pub fn from_plan(bytes: Vec<u8>) -> Result<Self, String> {
        Plan::parse(&bytes).map_err(|e| e.to_string())?;
        Ok(Model::Plan(bytes))
    }

    #[cfg(feature = "onnx")]
    fn from_onnx(path: &Path, options: &Options, report: &mut dyn FnMut(Error)) -> Result<Self> {
        let onnx = OnnxModel::open(path)?;
        if options.float {
            return Ok(Model::Float(Box::new(onnx.into_float())));
        }
        let compiled = onnx.compile(path, options.calibrate.as_deref(), |_| {}, report)?;
        Self::from_plan(compiled.plan).map_err(|e| Error::model(path, e))
    }

    #[cfg(not(feature = "onnx"))]
    fn from_onnx(path: &Path, _: &Options, _: &mut dyn FnMut(Error)) -> Result<Self> {
        Err(Error::model(
            path,
            "this build runs plans only; build microtome with its `onnx` feature to read ONNX models",
        ))
    }

    /// The plan, if it is one.
    ///
    /// # Errors
    /// One sentence for a float model.
    pub fn plan(&self) -> Result<Plan<'_>, String> {
        match self {
            Model::Plan(bytes) => Plan::parse(bytes).map_err(|e| e.to_string()),
            #[cfg(feature = "onnx")]
            Model::Float(_) => Err("a float model has no plan".into()),
        }
    }

    /// An engine over the model.
    ///
    /// # Errors
    /// As [`Model::from_plan`].
    pub fn engine(&self) -> Result<Box<dyn Engine + '_>, String> {
        match self {
            Model::Plan(bytes) => Ok(Box::new(PlanEngine::new(Plan::parse(bytes).map_err(|e| e.to_string())?))),
            #[cfg(feature = "onnx")]
            Model::Float(engine) => Ok(Box::new(engine.as_ref())),
        }
    }
}
