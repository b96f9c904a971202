//! What a container takes and makes, in words: TOML.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::Port;

/// See the fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// SHA-256 of the ONNX file that it was made of, in hexadecimal.
    pub sha256: String,
    /// Version of the compiler.
    pub compiler: String,
    /// Labels of the graph's tensors, in the order of their sections. Those in `halved` were f32, whose values f16 holds
    /// exactly.
    pub tensors: Vec<String>,
    /// See `tensors`.
    pub halved: Vec<String>,
    /// The names that nodes had where the graph has [`NAME`](super::NAME) and a place here.
    pub names: Vec<String>,
    /// Which frames it takes, where their size is free.
    pub frames: Option<Frames>,
    /// Inputs, in order.
    pub inputs: Vec<Value>,
    /// Outputs, in order.
    pub outputs: Vec<Value>,
}

/// An input or output.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Value {
    /// ONNX's name.
    pub name: String,
    /// Sides, 0 where they are free; empty where they are not known.
    pub shape: Vec<usize>,
}

/// The frames that an input takes: for rows and width, each a multiple, at least one, and what is added to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frames {
    /// Place of the input.
    pub input: usize,
    /// Of rows and width.
    pub multiple: [usize; 2],
    /// See `multiple`.
    pub remainder: [usize; 2],
}

impl Frames {
    /// How many multiples a frame's rows and width are.
    ///
    /// # Errors
    /// They are none.
    pub fn count(&self, shape: &[usize]) -> Result<[usize; 2]> {
        let count = |axis: usize| {
            let side = shape.get(2 + axis)?.checked_sub(self.remainder[axis])?;
            let multiple = self.multiple[axis];
            (multiple > 0 && side > 0 && side % multiple == 0).then(|| side / multiple)
        };
        match (count(0), count(1)) {
            (Some(rows), Some(width)) => Ok([rows, width]),
            _ => Err(Error::Model(format!("a frame is {shape:?}, expected {self}"))),
        }
    }
}

impl std::fmt::Display for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let side = |axis: usize| match (self.multiple[axis], self.remainder[axis]) {
            (1, 0) => "any number".to_owned(),
            (multiple, 0) => format!("a multiple of {multiple}"),
            (multiple, remainder) => format!("a multiple of {multiple} plus {remainder}"),
        };
        write!(f, "{} of rows, {} of pixels in each", side(0), side(1))
    }
}

impl Value {
    /// As a port.
    pub fn port(&self) -> Port {
        let shape = self.shape.iter().map(|&side| Some(side).filter(|&side| side > 0)).collect();
        Port { name: self.name.clone(), shape }
    }
}

impl Facts {
    /// Reads TOML.
    ///
    /// # Errors
    /// It is wrong.
    pub fn parse(text: &str) -> Result<Facts> {
        let facts: Facts = toml::from_str(text).map_err(|e| {
            Error::Container(format!("its facts are wrong: {}", e.to_string().trim().replace('\n', " ")))
        })?;
        let image = |frames: &Frames| facts.inputs.get(frames.input).is_some_and(|input| input.shape.len() == 4);
        if facts.inputs.is_empty() || facts.outputs.is_empty() || !facts.frames.iter().all(image) {
            return Err(Error::Container("its facts are wrong: no inputs or outputs, or frames of none".into()));
        }
        Ok(facts)
    }

    /// The TOML.
    ///
    /// # Errors
    /// A number is too large.
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(self).map_err(|e| Error::Container(e.to_string()))
    }
}
