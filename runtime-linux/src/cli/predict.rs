//! `microtome predict`: raw tensors through a model, for parity checks against other runtimes.
//!
//! Tensors are what the ONNX model has: of any of NumPy's types on the way in, which become the model's own, and float32 on
//! the way out; for a plan `[N, C, rows, width]`. Its values are quantized and dequantized at its borders with
//! its own scales.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use microtome_core::Plan;
use ndarray::{Array4, Ix4};
use ndarray_npy::WriteNpyExt;

use super::{Outcome, complain, say};
use crate::engine::{Model, Options};
use crate::error::{Error, Result};
use crate::machine::{self, Machine};
use crate::sink::write_whole;
use crate::tensor::{Named, is_archive, read, run_plan, write_archive};

/// Arguments of `microtome predict`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model
    model: PathBuf,
    /// The input tensor (.npy, NCHW), or several by name (.npz)
    #[arg(long, value_name = "FILE")]
    input: PathBuf,
    /// Where to write the output (.npy), or all outputs by name (.npz)
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// Runs the command.
pub fn predict(args: &Args) -> Result<Outcome> {
    let archive = is_archive(&args.output)?;
    let machine = Arc::new(Machine::new(&args.machine)?);
    let model = Model::open(&args.model, &args.options, &mut complain)?;
    let inputs = read(&args.input)?;
    let outputs = match &model {
        Model::Plan(bytes) => {
            let image = only(&inputs, &args.input)?;
            Plan::parse(bytes).map_err(|e| Error::model(&args.model, e))?;
            run_plan(bytes, &image, &machine).map_err(|e| Error::usage(format!("{}: {e}", args.input.display())))?
        }
        #[cfg(feature = "onnx")]
        Model::Float(engine) => {
            engine.run(&inputs).map_err(|e| Error::usage(format!("{}: {e}", args.input.display())))?
        }
    };
    write(&args.output, archive, &outputs)?;
    for output in &outputs {
        say(format_args!("{}: {:?}", output.name, output.values.shape()))?;
    }
    Ok(Outcome::Done)
}

/// The one input that a plan has.
fn only(inputs: &[Named], path: &Path) -> Result<Array4<f32>> {
    let [input] = inputs else {
        return Err(Error::usage(format!("{}: {} tensors; a plan has one input", path.display(), inputs.len())));
    };
    let shape = input.values.shape().to_vec();
    let four = input.values.clone().into_dimensionality::<Ix4>();
    four.map_err(|_| {
        Error::usage(format!(
            "{}: a tensor of shape {shape:?}; expected four axes, [N, C, rows, width]",
            path.display()
        ))
    })
}

fn write(path: &Path, archive: bool, outputs: &[Named]) -> Result<()> {
    if archive {
        return write_archive(path, outputs);
    }
    // A class mask that the compiler put behind the model's own outputs is not what the ONNX model has.
    let own: Vec<&Named> = outputs.iter().filter(|output| !output.is_mask || outputs.len() == 1).collect();
    let [output] = own[..] else {
        let names: Vec<&str> = outputs.iter().map(|output| output.name.as_str()).collect();
        return Err(Error::usage(format!(
            "the model has {} outputs ({}); write them to a .npz file",
            own.len(),
            names.join(", ")
        )));
    };
    write_whole(path, |w| output.values.write_npy(w))
}

#[cfg(test)]
mod tests {
    use ndarray::{ArrayD, Axis};

    use super::*;

    #[test]
    fn archives_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npz");
        let tensor = |name: &str, value: f32| Named {
            name: name.into(),
            values: ArrayD::from_elem(vec![1, 2, 1, 1], value),
            is_mask: false,
        };
        write(&path, true, &[tensor("a", 1.0), tensor("b", 2.0)]).unwrap();
        let found = read(&path).unwrap();
        assert_eq!(found.iter().map(|t| (t.name.as_str(), t.values.len())).collect::<Vec<_>>(), [("a", 2), ("b", 2)]);
        assert!(only(&found, &path).unwrap_err().to_string().ends_with("2 tensors; a plan has one input"));
        assert_eq!(only(&found[..1], &path).unwrap().len_of(Axis(1)), 2);
    }
}
