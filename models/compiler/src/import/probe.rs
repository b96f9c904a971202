//! The run that shows shapes and computed constants: every value of the graph, at one or two input sizes.

use std::collections::HashMap;
use std::sync::Arc;

use tract_onnx::prelude::Tensor as Raw;

use crate::error::{Error, Result};
use crate::model::{self, Model, Port, Tensor};

/// Pairs of sizes (rows, width) that are tried first: multiples of 64, of 128, and odd ones.
const SIZES: [[[usize; 2]; 2]; 4] =
    [[[64, 128], [128, 192]], [[256, 320], [320, 384]], [[256, 384], [384, 512]], [[65, 97], [129, 161]]];

/// What is tried then: valid convolutions of up to five levels take sides that are something beyond a multiple of 32.
const BEYOND: std::ops::Range<usize> = 0..32;

/// Length of an axis that is free and no side of an image.
const SOME: usize = 8;

/// What models that attend are tried with before: their scores have the square of a frame's pixels, for each head, and at
/// [`SIZES`] they took 20 GiB of a tiny Stable Diffusion U-Net.
const ATTENDING: [[usize; 2]; 2] = [[64, 32], [32, 96]];

/// All pairs of sizes, in turn.
fn sizes(model: &Model) -> impl Iterator<Item = [[usize; 2]; 2]> {
    let beyond = |more: usize| [[192 + more, 224 + more], [224 + more, 256 + more]];
    attends(model).then_some(ATTENDING).into_iter().chain(SIZES).chain(BEYOND.map(beyond))
}

/// Whether some product has no constant operand.
fn attends(model: &Model) -> bool {
    let Ok(graph) = model.graph() else { return false };
    let stored = graph.initializer.iter().map(|tensor| tensor.name.as_str());
    let constants = graph.node.iter().filter(|node| node.op_type == "Constant").flat_map(|node| &node.output);
    let known: std::collections::HashSet<&str> = stored.chain(constants.map(String::as_str)).collect();
    let mut products = graph.node.iter().filter(|node| matches!(node.op_type.as_str(), "MatMul" | "Einsum"));
    products.any(|node| node.input.len() > 1 && !node.input.iter().any(|name| known.contains(name.as_str())))
}

/// What the runs showed.
#[derive(Debug)]
pub struct Probe {
    runs: Vec<HashMap<String, Arc<Raw>>>,
}

impl Probe {
    /// Runs the model at the first pair of sizes that it takes; all inputs that are images have the same size.
    pub fn run(model: &Model) -> Result<Probe> {
        let names = names(model);
        let mut first_error = None;
        for pair in sizes(model) {
            let mut shapes = pair.iter().map(|size| shapes(model, *size)).collect::<Result<Vec<_>>>()?;
            shapes.dedup();
            let count = shapes.len();
            match shapes.into_iter().map(|shapes| probe(model, shapes, &names)).collect::<Result<Vec<_>>>() {
                Ok(runs) => return Ok(Probe { runs }),
                Err(error) => first_error = first_error.or(Some(error)),
            }
            if count == 1 {
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

/// Shapes of a model's inputs for images of a size.
fn shapes(model: &Model, size: [usize; 2]) -> Result<Vec<Vec<usize>>> {
    let image = model.image()?;
    let port = |(index, port): (usize, &Port)| {
        let name = &port.name;
        if port.shape.len() != 4 {
            // Sequences and the like: one of a batch, and a few of whatever else is free.
            let free = |(axis, side): (usize, &Option<usize>)| side.unwrap_or(if axis == 0 { 1 } else { SOME });
            return Ok(port.shape.iter().enumerate().map(free).collect());
        }
        if port.shape[0].is_some_and(|n| n != 1) {
            return Err(Error::Model(format!("input `{name}` is {}, expected a batch of 1", port.sides())));
        }
        let channels = port.shape[1].or((index != image).then_some(1));
        let channels =
            channels.ok_or_else(|| Error::Model(format!("input `{name}` does not tell its number of channels")))?;
        Ok(vec![1, channels, port.shape[2].unwrap_or(size[0]), port.shape[3].unwrap_or(size[1])])
    };
    model.inputs().iter().enumerate().map(port).collect()
}

/// Every value that `names` has, for inputs of these shapes.
fn probe(model: &Model, shapes: Vec<Vec<usize>>, names: &[String]) -> Result<HashMap<String, Arc<Raw>>> {
    model.fits(&shapes)?;
    let inputs = shapes.iter().map(|shape| Tensor::new(shape.clone(), vec![0.5; shape.iter().product()]));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let mut values = model.values(&shapes, names)?.run(&inputs)?;
    for (port, shape) in model.inputs().iter().zip(&shapes) {
        let input = Raw::zero::<f32>(shape).map_err(|e| Error::Model(e.to_string()))?;
        values.insert(port.name.clone(), Arc::new(input));
    }
    Ok(values)
}

fn get<'a>(run: &'a HashMap<String, Arc<Raw>>, name: &str) -> Result<&'a Raw> {
    run.get(name).map(|t| &**t).ok_or_else(|| Error::Model(format!("value `{name}` is used but never made")))
}

/// Every value that a node makes and somebody uses.
fn names(model: &Model) -> Vec<String> {
    let Ok(graph) = model.graph() else { return Vec::new() };
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
