//! ONNX models: compiled on the fly, whole or in islands, or kept in float; and containers of those in islands.

use std::path::{Path, PathBuf};

use microtome_compiler::description::Borders;
use microtome_compiler::islands::{Division, divide, precise};
use microtome_compiler::quality::Quality;
use microtome_compiler::{
    Compiled, Compiler, Description, Error as CompilerError, Memory, Model as Onnx, Options, Progress, Tensor,
    container, halved, mirrored,
};

use super::float::{FloatEngine, channels, sample};
use super::preprocess;
use crate::error::{Error, Result};
use crate::source;
use crate::tensor;

/// Most files to calibrate on; of a larger folder, as many are taken at even steps through its names.
pub const MOST_SAMPLES: usize = 48;

/// An ONNX model and its description, ready to be compiled or run.
pub struct OnnxModel {
    model: Onnx,
    description: Description,
}

/// How core can run a model.
pub enum Outlook {
    /// Whole, as a plan.
    Plan,
    /// In these islands, of which there may be none.
    Islands(Division),
    /// Not at all, and why: tract runs it.
    Float(String),
}

/// What a model was compiled to.
pub enum Built {
    /// A plan.
    Plan(Box<Compiled>),
    /// Islands of int8, and tract between them; or tract alone, where none is worth it.
    Islands {
        /// Which operators are where.
        division: Division,
        /// The divided model.
        model: Box<OnnxModel>,
        /// How close it comes to float.
        quality: Quality,
        /// The shapes of the inputs of a sample that it was calibrated on.
        shapes: Vec<Vec<usize>>,
    },
}

/// How to compile.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// A folder of images, or tensors, to calibrate on.
    pub calibrate: Option<&'a Path>,
    /// Memory to fill with rows.
    pub memory: Option<Memory>,
    /// What the outputs must reach: where int8 does not, operators stay in float.
    pub enough: Quality,
}

impl OnnxModel {
    /// Reads the model at `path` and, if there is one, the description beside it (the same name, `.toml`), or in it; `tile`
    /// has frames mirrored beyond their borders, also where the description does not ask for it.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn open(path: &Path, tile: bool) -> Result<Self> {
        Self::described(path, Onnx::load(path), tile)
    }

    /// The same of the file's bytes.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn read(path: &Path, bytes: &[u8], tile: bool) -> Result<Self> {
        Self::described(path, Onnx::parse(bytes, path.parent()), tile)
    }

    fn described(path: &Path, model: Result<Onnx, CompilerError>, tile: bool) -> Result<Self> {
        let bad = |e: CompilerError| match e {
            CompilerError::Read { path, source } => Error::model(path, source),
            e => Error::model(path, e),
        };
        let model = model.map_err(bad)?;
        let description = if path.with_extension("toml").exists() {
            Description::beside(path).map_err(bad)?
        } else {
            model.description().map_err(bad)?.unwrap_or_default()
        };
        let mirror = tile || description.input.borders == Borders::Mirror;
        let model = if mirror && !model.is_divided() { mirrored(&model).map_err(bad)? } else { model };
        Ok(OnnxModel { model, description })
    }

    /// The float engine; islands that the model holds run in int8.
    pub fn into_float(self) -> FloatEngine {
        FloatEngine::new(self.model, &self.description)
    }

    /// The model and its description, for those who run it in another way.
    pub fn into_parts(self) -> (Onnx, Description) {
        (self.model, self.description)
    }

    /// The model with its weights in 16 bits.
    ///
    /// # Errors
    /// [`Error::Model`] when they cannot be read.
    pub fn halved(self, path: &Path) -> Result<OnnxModel> {
        let model = halved(&self.model).map_err(|e| Error::model(path, e))?;
        Ok(OnnxModel { model, description: self.description })
    }

    /// Whether the model holds islands already.
    pub fn is_divided(&self) -> bool {
        self.model.is_divided()
    }

    /// How core can run the model. `path` is for the message.
    ///
    /// # Errors
    /// Neither core nor tract can run it.
    pub fn outlook(&self, path: &Path) -> Result<Outlook> {
        if self.obstacle(path)?.is_none() {
            return Ok(Outlook::Plan);
        }
        match divide(&self.model) {
            Ok(division) => Ok(Outlook::Islands(division)),
            Err(CompilerError::Model(reason)) => Ok(Outlook::Float(reason)),
            // Frames of other sizes than those that were tried may do.
            Err(error) if self.model.inputs().iter().any(|port| port.shape.contains(&None)) => {
                Ok(Outlook::Float(format!("no size of frames was found that it takes: {error}")))
            }
            Err(error) => Err(Error::model(path, error)),
        }
    }

    /// Whether the file tells how its values are quantized, so that nothing is needed to calibrate on.
    pub fn is_quantized(&self) -> bool {
        self.model.is_quantized()
    }

    /// Why the model cannot be one plan, if it cannot.
    fn obstacle(&self, path: &Path) -> Result<Option<String>> {
        match Compiler::new(&self.model, &self.description, Options::default()).check() {
            Ok(()) => Ok(None),
            // A wrong description is no reason to divide.
            Err(reason @ (CompilerError::Operator { .. } | CompilerError::Model(_))) => Ok(Some(reason.to_string())),
            Err(other) => Err(Error::model(path, other)),
        }
    }

    /// Compiles the model: to a plan, or in islands where core cannot run all of it, or int8 costs too much somewhere.
    /// `progress` is told of what is done, of how much; images that cannot be read go to `report`.
    ///
    /// # Errors
    /// The compiler's sentence; [`Error::Usage`] when no sample is left.
    pub fn build(
        &self,
        path: &Path,
        wishes: Wishes,
        mut progress: impl FnMut(Progress),
        report: &mut dyn FnMut(Error),
    ) -> Result<Built> {
        let Wishes { calibrate, memory, mut enough } = wishes;
        if self.model.inputs().len() > 1 || self.description.output.method().is_some() {
            // Its outputs are no classes of an image's pixels.
            enough.agreement = 0.0;
        }
        let obstacle = self.obstacle(path)?;
        if let (Some(_), Some(reason)) = (memory, &obstacle) {
            return Err(Error::model(path, format!("{reason}; --memory-budget is for models that a plan can hold")));
        }
        let samples = calibrate.map_or(Ok(Vec::new()), |folder| self.samples(folder, report))?;
        let fail = |error: CompilerError| uncalibrated(path, calibrate, error);
        let mut known = None;
        if obstacle.is_none() {
            let compiler = Compiler::new(&self.model, &self.description, Options { memory, ..Options::default() });
            let compiler = compiler.calibrate(samples.iter().flatten().cloned()).on_progress(&mut progress);
            let compiled = compiler.compile().map_err(fail)?;
            known = compiled.quality;
            if memory.is_some() || known.is_none_or(|quality| quality.is_at_least(&enough)) {
                return Ok(Built::Plan(Box::new(compiled)));
            }
        }
        let divided = precise(&self.model, &samples, &enough, known, progress).map_err(fail)?;
        let model = Box::new(OnnxModel { model: divided.model, description: self.description.clone() });
        let shapes = samples.first().into_iter().flatten().map(|input| input.shape.clone()).collect();
        Ok(Built::Islands { division: divided.division, model, quality: divided.quality, shapes })
    }

    /// The bytes of an ONNX file of this model, with the description that lies beside `path`, or else its own, in it.
    ///
    /// # Errors
    /// [`Error::Model`] when that, or weights that lie in another file, cannot be read.
    pub fn to_onnx(&self, path: &Path) -> Result<Vec<u8>> {
        self.model.to_onnx(&self.toml(path)?).map_err(|e| Error::model(path, e))
    }

    /// The bytes of a container of this divided model, with the description as [`to_onnx`](Self::to_onnx) has it: for frames
    /// of all sizes where that can be, and `frame`, rows and width, does not ask for one; else for inputs of these shapes.
    ///
    /// # Errors
    /// [`Error::Model`] when a container cannot hold it.
    pub fn to_container(&self, path: &Path, shapes: &[Vec<usize>], frame: Option<[usize; 2]>) -> Result<Vec<u8>> {
        let file = container::write(&self.model, &self.toml(path)?, shapes, frame);
        file.map_err(|e| Error::model(path, format!("{e}; -o NAME.onnx writes it as ONNX, which runs as well")))
    }

    fn toml(&self, path: &Path) -> Result<String> {
        let beside = path.with_extension("toml");
        let own = || Ok(self.model.toml().unwrap_or_default().to_owned());
        let toml = if beside.exists() { std::fs::read_to_string(&beside) } else { own() };
        toml.map_err(|e| Error::model(&beside, e))
    }

    /// What to calibrate on, at most [`MOST_SAMPLES`]: the folder's tensors, or its images where it has none.
    fn samples(&self, folder: &Path, report: &mut dyn FnMut(Error)) -> Result<Vec<Vec<Tensor>>> {
        let tensors = if folder.is_dir() { tensor::in_folder(folder)? } else { Vec::new() };
        if !tensors.is_empty() {
            let inputs = |file: &PathBuf| {
                sample(&self.model, &tensor::read(file)?).map_err(|e| Error::usage(format!("{}: {e}", file.display())))
            };
            return spread(&tensors).map(inputs).collect();
        }
        if self.model.inputs().len() > 1 {
            let names: Vec<&str> = self.model.inputs().iter().map(|port| port.name.as_str()).collect();
            let expected = format!("expected .npz files that each hold {}", names.join(", "));
            return Err(Error::usage(format!("{}: the model has several inputs; {expected}", folder.display())));
        }
        let (files, missing) = source::find(&[folder.into()]);
        if let Some(error) = missing.into_iter().next() {
            return Err(Error::usage(error));
        }
        let input = preprocess::input(&self.description);
        let channels = channels(&self.model, &self.description);
        let mut samples = Vec::new();
        for file in spread(&files) {
            let page = source::open(file)
                .and_then(|mut pages| pages.next().unwrap_or_else(|| Err(Error::input(file, "the file has no page"))));
            match page {
                Ok(image) => {
                    let sides = [image.height(), image.width()];
                    let tensor = preprocess::tensor(&image, &input, channels, sides);
                    samples.push(vec![tensor.map_err(Error::usage)?]);
                }
                Err(error) => report(error),
            }
        }
        if samples.is_empty() {
            return Err(Error::usage(format!("{}: no image to calibrate on could be read", folder.display())));
        }
        Ok(samples)
    }
}

/// At most [`MOST_SAMPLES`] of the files, at even steps.
fn spread(files: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    let count = files.len().min(MOST_SAMPLES);
    (0..count).map(move |index| &files[index * files.len() / count])
}

/// Names the way out where nothing was given to calibrate on.
fn uncalibrated(path: &Path, calibrate: Option<&Path>, error: CompilerError) -> Error {
    match error {
        CompilerError::Calibration(_) if calibrate.is_none() => {
            Error::model(path, format!("{error}; give a folder of images with --calibrate"))
        }
        error => Error::model(path, error),
    }
}
