//! The model's inputs: what a step, a condition and guidance are to an ONNX file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use microtome_compiler::description::Diffusion;
use microtome_compiler::{Description, Model, Port, Tensor};

use crate::error::{Error, Result};

/// What pictures shall show.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The values of the model's conditions; empty where it has none.
    pub condition: Vec<f32>,
    /// How far to go from what the network says without the condition to what it says with it, and beyond: 1 asks only
    /// with it.
    pub guidance: f64,
}

/// A denoising network: float, or with islands of int8.
pub struct Network {
    path: PathBuf,
    model: Model,
    trained: Diffusion,
    sample: [usize; 3],
    /// What the remaining inputs are given, with the condition and without.
    constants: HashMap<String, [Tensor; 2]>,
}

impl Network {
    /// Takes the model of the file `path`, which is for messages, and what its description says.
    ///
    /// # Errors
    /// [`Error::Model`] when it is not described as a denoising network, or is not one.
    pub fn new(path: &Path, model: Model, description: &Description) -> Result<Self> {
        let bad = |reason: String| Error::model(path, reason);
        let trained = description.diffusion.clone().ok_or_else(|| {
            let toml = path.with_extension("toml");
            bad(format!(
                "no table [diffusion] in {} or in the file; it says how the network was trained",
                toml.display()
            ))
        })?;
        let port = |name: &str| {
            let names = || model.inputs().iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
            let found = model.inputs().iter().find(|port| port.name == name);
            found.ok_or_else(|| format!("no input `{name}`; the model's inputs are {}", names()))
        };
        let check = || {
            port(&trained.inputs.timestep)?;
            if !trained.condition.is_empty() {
                port(&trained.inputs.condition)?;
            }
            sides(port(&trained.inputs.sample)?, &trained)
        };
        let sample = check().map_err(bad)?;
        Ok(Network { path: path.into(), model, trained, sample, constants: HashMap::new() })
    }

    /// How it was trained.
    pub fn trained(&self) -> &Diffusion {
        &self.trained
    }

    /// Channels, rows and width of a sample.
    pub fn sample(&self) -> [usize; 3] {
        self.sample
    }

    /// Values of a sample.
    pub fn len(&self) -> usize {
        self.sample.iter().product()
    }

    /// Whether a sample has no values, which no model is taken with.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Names of the model's inputs, in its order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.model.inputs().iter().map(|port| port.name.as_str())
    }

    /// Gives the input `name` the same tensor at every step, and `free` where guidance leaves the condition out: the
    /// hidden states of a prompt, and those of an empty one.
    ///
    /// # Errors
    /// [`Error::Usage`] when the model has no such input, or it is not a constant one.
    pub fn give(&mut self, name: &str, values: Tensor, free: Tensor) -> Result<()> {
        let inputs = &self.trained.inputs;
        if name == inputs.sample || name == inputs.timestep || !self.names().any(|input| input == name) {
            let all = self.names().collect::<Vec<_>>().join(", ");
            return Err(Error::usage(format!("`{name}` is no input to be given; the model's inputs are {all}")));
        }
        self.constants.insert(name.into(), [values, free]);
        Ok(())
    }

    /// The values of the conditions `asked` by name; what is not asked is as the description presets it.
    ///
    /// # Errors
    /// [`Error::Usage`] when the model has no such condition, or it cannot be so.
    pub fn condition(&self, asked: &HashMap<String, String>) -> Result<Vec<f32>> {
        let conditions = &self.trained.condition;
        if let Some(name) = asked.keys().find(|name| !conditions.iter().any(|condition| condition.name == **name)) {
            let names: Vec<&str> = conditions.iter().map(|condition| condition.name.as_str()).collect();
            let known = if names.is_empty() { "none".into() } else { names.join(", ") };
            return Err(Error::usage(format!("no condition `{name}`; the model's conditions: {known}")));
        }
        let mut values = Vec::new();
        for condition in conditions {
            let setting = asked.get(&condition.name).cloned().unwrap_or_else(|| condition.preset());
            values.extend(condition.encode(&setting).map_err(Error::usage)?);
        }
        Ok(values)
    }

    /// The inputs of one run, in the model's order: `sample` `[1, channels, rows, width]` at `time`, with the request's
    /// condition, or `free` of it.
    ///
    /// # Errors
    /// [`Error::Usage`] when an input was not [given](Network::give), [`Error::Model`] when a shape is wrong.
    pub fn inputs(&self, sample: &[f32], time: f64, request: &Request, free: bool) -> Result<Vec<Tensor>> {
        let names = &self.trained.inputs;
        let [channels, rows, width] = self.sample;
        let tensor = |port: &Port| {
            if let Some(constant) = self.constants.get(&port.name) {
                return Ok(constant[usize::from(free)].clone());
            }
            let (shape, data) = if port.name == names.sample {
                (vec![1, channels, rows, width], sample.to_vec())
            } else if port.name == names.timestep {
                (vec![1; port.shape.len()], vec![time as f32])
            } else if port.name == names.condition && !self.trained.condition.is_empty() {
                let values: Vec<f32> =
                    if free { vec![0.0; request.condition.len()] } else { request.condition.clone() };
                (vec![1, values.len()], values)
            } else {
                let name = &port.name;
                return Err(Error::usage(format!(
                    "the model's input `{name}` is missing; give --input {name}=FILE.npy"
                )));
            };
            Tensor::new(shape, data).map_err(|e| Error::model(&self.path, e))
        };
        self.model.inputs().iter().map(tensor).collect()
    }

    /// The network's answer to `inputs`, as long as a sample.
    ///
    /// # Errors
    /// [`Error::Model`].
    pub fn run(&self, inputs: &[Tensor]) -> Result<Vec<f32>> {
        let outputs = self.model.run_float(inputs).map_err(|e| Error::model(&self.path, e))?;
        let shape = [&[1][..], &self.sample].concat();
        match outputs.into_iter().next() {
            Some(output) if output.shape == shape => Ok(output.data),
            found => {
                let found = found.map(|output| output.shape).unwrap_or_default();
                Err(Error::model(
                    &self.path,
                    format!("the first output is {found:?}, expected that of a sample, {shape:?}"),
                ))
            }
        }
    }
}

/// Channels, rows and width of the input `port`.
fn sides(port: &Port, trained: &Diffusion) -> Result<[usize; 3], String> {
    let name = &port.name;
    let [batch, sides @ ..] = &port.shape[..] else { return Err(format!("the shape of `{name}` is not told")) };
    if sides.len() != 3 || batch.is_some_and(|n| n != 1) {
        return Err(format!("`{name}` has shape {:?}, expected [1, channels, rows, width]", port.shape));
    }
    let mut found = [0; 3];
    for (axis, side) in sides.iter().enumerate() {
        let described = trained.sample.map(|sides| sides[axis]);
        found[axis] = side.or(described).ok_or_else(|| {
            format!("`{name}` has open sides; the description must say `sample = [channels, rows, width]`")
        })?;
        if described.is_some_and(|side| side != found[axis]) {
            return Err(format!("side {axis} of `{name}` is {}, the description says {described:?}", found[axis]));
        }
    }
    Ok(found)
}
