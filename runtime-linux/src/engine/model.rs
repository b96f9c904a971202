//! The MODEL argument: a plan, an ONNX file that becomes one or runs in float, or a container of a divided model.

use std::path::{Path, PathBuf};
use std::sync::Arc;

#[cfg(feature = "onnx")]
use microtome_compiler::quality::ENOUGH;
use microtome_core::Plan;
use microtome_core::plan::Task;

use super::{BUNDLED, BUNDLED_NAME, Engine, PlanEngine, threshold};
#[cfg(feature = "onnx")]
use super::{Built, FloatEngine, OnnxModel, Wishes};
use crate::error::{Error, Result};
use crate::machine::Machine;

/// The first byte of an ONNX file: the field of its version.
const ONNX: u8 = 0x08;

/// The first bytes of a container, the compiler's `container::MAGIC`.
pub const CONTAINER: &[u8] = b"MTD1";

/// How to take a model that is not a plan yet.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// For an .onnx MODEL: compile it first, calibrated on the images of this folder; where a plan cannot hold all of it,
    /// in islands of int8 between which tract runs it in float
    #[arg(long, value_name = "DIR", conflicts_with = "float")]
    pub calibrate: Option<PathBuf>,
    /// For an .onnx MODEL: run it in float instead
    #[arg(long)]
    pub float: bool,
    /// For an .onnx MODEL of valid convolutions, like the U-Net of 2015: mirror the frame beyond its borders, as its
    /// overlapping tiles do, so that the mask is as large as the frame, which may be of any size
    #[arg(long)]
    pub tile: bool,
    /// The probability above which a pixel is an object's [default: the plan's own]
    #[arg(long, value_name = "P", value_parser = threshold::probability)]
    pub threshold: Option<f32>,
}

impl Options {
    /// Whether they go with the plan, or container, at `path`.
    fn for_compiled(&self, path: &Path) -> Result<()> {
        if self.float || self.tile || self.calibrate.is_some() {
            return Err(Error::usage(format!(
                "{}: --float, --tile and --calibrate are for .onnx models; this one is already compiled",
                path.display()
            )));
        }
        Ok(())
    }
}

/// A model, read and checked.
pub enum Model {
    /// The bytes of a plan, which is checked when it is used.
    Plan(Vec<u8>),
    /// A model that tract runs: in float, or with islands of int8.
    #[cfg(feature = "onnx")]
    Float(Box<FloatEngine>),
}

impl Model {
    /// Reads the model at `path`; a plan is not checked yet, unless `options` change it. Calibration images that cannot be read go to
    /// `report`.
    ///
    /// # Errors
    /// [`Error::Model`] when the file cannot be read or compiled; [`Error::Usage`] when `options` do not
    /// go with the kind of model.
    pub fn open(path: &Path, options: &Options, report: &mut dyn FnMut(Error)) -> Result<Self> {
        Self::read(path, options, report)?.chosen(path, options)
    }

    /// The plan that is built in.
    ///
    /// # Errors
    /// [`Error::Usage`] when `options` are for another kind of model.
    pub fn bundled(options: &Options) -> Result<Self> {
        let name = Path::new(BUNDLED_NAME);
        options.for_compiled(name)?;
        Model::Plan(BUNDLED.to_vec()).chosen(name, options)
    }

    /// With what `options` choose of a model that was read.
    fn chosen(mut self, path: &Path, options: &Options) -> Result<Self> {
        if let Some(probability) = options.threshold {
            let set = match &mut self {
                Model::Plan(bytes) => threshold::set(bytes, probability).map(drop),
                #[cfg(feature = "onnx")]
                Model::Float(engine) => engine.set_threshold(probability),
            };
            set.map_err(|e| Error::model(path, e))?;
        }
        Ok(self)
    }

    fn read(path: &Path, options: &Options, report: &mut dyn FnMut(Error)) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::model(path, e))?;
        // Islands are written under any name; an ONNX file begins with its version.
        if path.extension().is_some_and(|e| e.eq_ignore_ascii_case("onnx")) || bytes.first() == Some(&ONNX) {
            return Self::from_onnx(path, &bytes, options, report);
        }
        options.for_compiled(path)?;
        if bytes.starts_with(CONTAINER) {
            return Self::from_onnx(path, &bytes, options, report);
        }
        Ok(Model::Plan(bytes))
    }

    #[cfg(feature = "onnx")]
    fn from_onnx(path: &Path, bytes: &[u8], options: &Options, report: &mut dyn FnMut(Error)) -> Result<Self> {
        let onnx = OnnxModel::read(path, bytes, options.tile)?;
        if options.float || onnx.is_divided() {
            return Ok(Model::Float(Box::new(onnx.into_float())));
        }
        let wishes = Wishes { calibrate: options.calibrate.as_deref(), memory: None, enough: ENOUGH };
        match onnx.build(path, wishes, |_| {}, report)? {
            Built::Plan(compiled) => Ok(Model::Plan(compiled.plan)),
            Built::Islands { model, .. } => Ok(Model::Float(Box::new(model.into_float()))),
        }
    }

    #[cfg(not(feature = "onnx"))]
    fn from_onnx(path: &Path, _: &[u8], _: &Options, _: &mut dyn FnMut(Error)) -> Result<Self> {
        Err(Error::model(
            path,
            "this build runs plans only; build microtome with its `onnx` feature to read ONNX models, and divided ones",
        ))
    }

    /// The plan, if it is one.
    ///
    /// # Errors
    /// One sentence for a float model, or a plan that core refuses.
    pub fn plan(&self) -> Result<Plan<'_>, String> {
        Plan::parse(self.bytes()?).map_err(|e| e.to_string())
    }

    /// The bytes of the plan, if it is one.
    ///
    /// # Errors
    /// One sentence for a float model.
    pub fn bytes(&self) -> Result<&[u8], String> {
        match self {
            Model::Plan(bytes) => Ok(bytes),
            #[cfg(feature = "onnx")]
            Model::Float(_) => Err("a model that tract runs has no plan of its own".into()),
        }
    }

    /// The names of the classes that objects can be of, from class 0; empty for those that none is of. A float model has no names.
    pub fn object_classes(&self) -> Vec<String> {
        let Ok(plan) = self.plan() else { return Vec::new() };
        let mut names: Vec<String> = plan.classes().map(String::from).collect();
        if let Task::InteriorBorder { border, .. } = plan.post().task
            && let Some(name) = names.get_mut(usize::from(border))
        {
            name.clear();
        }
        names
    }

    /// An engine over the model, which a plan has run on `machine`.
    ///
    /// # Errors
    /// The sentence of core's parser.
    pub fn into_engine(self, machine: &Arc<Machine>) -> Result<Box<dyn Engine>, String> {
        match self {
            Model::Plan(bytes) => Ok(Box::new(PlanEngine::new(bytes, Arc::clone(machine))?)),
            #[cfg(feature = "onnx")]
            Model::Float(engine) => Ok(engine),
        }
    }
}
