//! ONNX models: compiled on the fly, or kept in float.

use std::path::Path;

use microtome_compiler::compiler::Progress;
use microtome_compiler::description::Borders;
use microtome_compiler::{
    Compiled, Compiler, Description, Error as CompilerError, Memory, Model as Onnx, Options, Tensor, mirrored,
};

use super::float::{FloatEngine, channels};
use super::preprocess;
use crate::error::{Error, Result};
use crate::source;

/// Most calibration images; of a larger folder, as many are taken at even steps through its names.
pub const MOST_IMAGES: usize = 48;

/// An ONNX model and its description, ready to be compiled or run.
pub struct OnnxModel {
    model: Onnx,
    description: Description,
}

impl OnnxModel {
    /// Reads the model at `path` and, if there is one, the description beside it (the same name, `.toml`); `tile` has frames
    /// mirrored beyond their borders, also where the description does not ask for it.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn open(path: &Path, tile: bool) -> Result<Self> {
        let model = Onnx::load(path).map_err(|e| Error::model(path, e))?;
        let description = Description::beside(path).map_err(|e| Error::model(path, e))?;
        let model = if tile || description.input.borders == Borders::Mirror {
            mirrored(&model).map_err(|e| Error::model(path, e))?
        } else {
            model
        };
        Ok(OnnxModel { model, description })
    }

    /// The float engine.
    pub fn into_float(self) -> FloatEngine {
        FloatEngine::new(self.model, &self.description)
    }

    /// Compiles the model to a plan, calibrated on the images of the folder `calibrate`, with as many rows per step as `memory` allows.
    /// Images that cannot be read go to `report`.
    ///
    /// # Errors
    /// The compiler's sentence; [`Error::Usage`] when no image is left.
    pub fn compile(
        &self,
        path: &Path,
        calibrate: Option<&Path>,
        memory: Option<Memory>,
        progress: impl FnMut(Progress),
        report: &mut dyn FnMut(Error),
    ) -> Result<Compiled> {
        let images = calibrate.map_or(Ok(Vec::new()), |folder| self.images(folder, report))?;
        let compiler = Compiler::new(&self.model, &self.description, Options { memory, ..Options::default() });
        compiler.calibrate(images).on_progress(progress).compile().map_err(|error| match error {
            CompilerError::Calibration(_) if calibrate.is_none() => {
                Error::model(path, format!("{error}; give a folder of images with --calibrate"))
            }
            error => Error::model(path, error),
        })
    }

    fn images(&self, folder: &Path, report: &mut dyn FnMut(Error)) -> Result<Vec<Tensor>> {
        let (files, missing) = source::find(&[folder.into()]);
        if let Some(error) = missing.into_iter().next() {
            return Err(Error::usage(error));
        }
        let count = files.len().min(MOST_IMAGES);
        let input = preprocess::input(&self.description);
        let channels = channels(&self.model, &self.description);
        let mut images = Vec::with_capacity(count);
        for index in 0..count {
            let file = &files[index * files.len() / count];
            let page = source::open(file)
                .and_then(|mut pages| pages.next().unwrap_or_else(|| Err(Error::input(file, "the file has no page"))));
            match page {
                Ok(image) => {
                    let sides = [image.height(), image.width()];
                    let tensor = preprocess::tensor(&image, &input, channels, sides);
                    images.push(tensor.map_err(Error::usage)?);
                }
                Err(error) => report(error),
            }
        }
        if images.is_empty() {
            return Err(Error::usage(format!("{}: no image to calibrate on could be read", folder.display())));
        }
        Ok(images)
    }
}
