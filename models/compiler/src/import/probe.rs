//! The run that shows shapes and computed constants: every value of the graph, at one or two input sizes.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::prelude::Tensor as Raw;

use crate::error::{Error, Result};
use crate::model::{self, Model, Tensor};

/// Pairs of sizes (rows, width) that are tried first: multiples of 64, and odd ones.
const SIZES: [[[usize; 2]; 2]; 3] = [[[64, 128], [128, 192]], [[256, 320], [320, 384]], [[65, 97], [129, 161]]];

/// What is tried then: valid convolutions of up to five levels take sides that are something beyond a multiple of 32.
const BEYOND: std::ops::Range<usize> = 0..32;

/// All pairs of sizes, in turn.
fn sizes() -> impl Iterator<Item = [[usize; 2]; 2]> {
    let beyond = |more: usize| [[192 + more, 224 + more], [224 + more, 256 + more]];
    SIZES.into_iter().chain(BEYOND.map(beyond))
}

/// What the runs showed.
pub struct Probe {
    runs: Vec<HashMap<String, Arc<Raw>>>,
}

impl Probe {
    /// Runs the model at the first pair of sizes that it takes.
    pub fn run(model: &Model) -> Result<Probe> {
        let port = &model.inputs()[0];
        let [batch, channels, rows, width] = port.shape[..] else {
            let shape = &port.shape;
            return Err(Error::Model(format!(
                "input `{}` has shape {shape:?}, expected [1, channels, rows, width]",
                port.name
            )));
        };
        if batch.is_some_and(|n| n != 1) {
            return Err(Error::Model(format!("input `{}` has a batch of {batch:?}, expected 1", port.name)));
        }
        let channels = channels
            .ok_or_else(|| Error::Model(format!("input `{}` does not tell its number of channels", port.name)))?;
        let names = names(model);
        let mut first_error = None;
        for pair in sizes() {
            let mut sizes: Vec<[usize; 2]> =
                pair.iter().map(|[r, w]| [rows.unwrap_or(*r), width.unwrap_or(*w)]).collect();
            sizes.dedup();
            let run = |&[r, w]: &[usize; 2]| {
                let shape = vec![1, channels, r, w];
                let values = model.values(std::slice::from_ref(&shape), &names)?;
                let mut values = values.run(&[Tensor::new(shape, vec![0.5; channels * r * w])?])?;
                let input = Raw::zero::<f32>(&[1, channels, r, w]).map_err(|e| Error::Model(e.to_string()))?;
                values.insert(port.name.clone(), Arc::new(input));
                Ok(values)
            };
            match sizes.iter().map(run).collect::<Result<Vec<_>>>() {
                Ok(runs) => return Ok(Probe { runs }),
                Err(error) => first_error = first_error.or(Some(error)),
            }
            if rows.is_some() && width.is_some() {
                break;
            }
        }
        Err(first_error.unwrap_or_else(|| Error::Model("it could not be run at any size".into())))
    }

    /// How many sizes were run.
    pub fn count(&self) -> usize {
        self.runs.len()
    }

    /// The shape of a value in every run.
    pub fn shapes(&self, name: &str) -> Result<Vec<Vec<usize>>> {
        self.runs.iter().map(|run| Ok(get(run, name)?.shape().to_vec())).collect()
    }

    /// The integers of a computed constant in every run.
    pub fn integers(&self, name: &str) -> Result<Vec<Vec<i64>>> {
        self.runs.iter().map(|run| model::integers(get(run, name)?)).collect()
    }

    /// A computed constant that is the same in every run.
    pub fn constant(&self, name: &str) -> Result<Tensor> {
        let all = self.runs.iter().map(|run| model::reals(get(run, name)?)).collect::<Result<Vec<_>>>()?;
        match &all[..] {
            [first, rest @ ..] if rest.iter().all(|other| other == first) => Ok(first.clone()),
            _ => Err(Error::Model(format!("the constant `{name}` depends on the input's size"))),
        }
    }
}

fn get<'a>(run: &'a HashMap<String, Arc<Raw>>, name: &str) -> Result<&'a Raw> {
    run.get(name).map(|t| &**t).ok_or_else(|| Error::Model(format!("value `{name}` is used but never made")))
}

/// Every value that a node makes and somebody uses.
fn names(model: &Model) -> Vec<String> {
    let Some(graph) = &model.proto.graph else { return Vec::new() };
    let used: std::collections::HashSet<&str> = graph
        .node
        .iter()
        .flat_map(|n| n.input.iter())
        .chain(graph.output.iter().map(|o| &o.name))
        .map(String::as_str)
        .collect();
    let made = graph.node.iter().flat_map(|n| &n.output);
    made.filter(|name| !name.is_empty() && used.contains(name.as_str())).cloned().collect()
}
