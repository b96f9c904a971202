//! Models that no plan can hold whole: what core can run in int8 becomes *islands*, and tract runs the rest in float
//! (contract C5).
//!
//! | module | what |
//! | --- | --- |
//! | [`partition`] | which nodes go together |
//! | [`extract`] | a group of nodes as a model of its own, and what is left of the whole |
//! | [`island`] | a plan that takes and makes real values |
//! | [`precision`] | how much of it int8 serves well |
//! | [`operator`] | the tract operator that an island is |
//!
//! A divided model is an ONNX file whose islands are nodes of the domain `microtome` that hold their plans, so it is one
//! file, and is read like any other; a [`container`](crate::container) is the same, made ready for a quick start.
//!
//! **What an island must be worth.** At its borders every value is rounded to int8, or made real again, and its rows are
//! transposed. tract's float convolutions make some 20 billion products a second where core makes more than 100, so a
//! product saves about 0.04 ns; a value that tract's Resize makes takes it about 15 ns, as long as [`RESAMPLING`] products
//! save; and a value at the border costs about 1 ns. An island is made if there are at least [`WORTH`] products for each
//! value at its borders.

mod extract;
mod island;
pub(crate) mod operator;
mod partition;
mod precision;

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use microtome_core::plan::Alignment;
use serde::Serialize;
use tract_onnx::pb;

use crate::bench::{Runs, fit};
use crate::compiler::Compiler;
use crate::description::{Description, Output, Task};
use crate::error::{Error, Result};
use crate::import::attributes::label;
use crate::import::probe::Probe;
use crate::import::{self, Verdict};
use crate::model::{Model, Tensor};
use crate::options::Options;
use extract::{Part, Places, Refusal};
use partition::{Group, Step, partition};
pub use precision::{Divided, precise};

/// Products per value at its borders that make an island worth it.
pub const WORTH: usize = 32;

/// Products that a resampled value is worth.
pub const RESAMPLING: usize = 256;

/// Longest side of these: the middle of larger frames is taken.
const MOST_SIDE: usize = 256;

/// Most samples whose activations islands are calibrated on.
const MOST_SAMPLES: usize = 48;

/// An island to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// The values that it reads.
    pub inputs: Vec<String>,
    /// The values that it makes for others.
    pub outputs: Vec<String>,
    /// Labels of its nodes.
    pub nodes: Vec<String>,
    /// Products, values that a Resize makes, and values at its borders, for a frame of [`Division::frame`].
    pub products: usize,
    /// See `products`.
    pub resampled: usize,
    /// See `products`.
    pub border: usize,
}

/// An operator that stays in float.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Left {
    /// ONNX's name of the operator.
    pub operator: String,
    /// The node's label.
    pub node: String,
    /// Why.
    pub reason: String,
}

/// How a model is divided.
#[derive(Clone, Debug, Serialize)]
pub struct Division {
    /// The islands, in order.
    pub islands: Vec<Outline>,
    /// The operators that depend on the image and stay in float, in order.
    pub left: Vec<Left>,
    /// Rows and width of the frame that costs are for.
    pub frame: [usize; 2],
    #[serde(skip)]
    verdicts: Vec<Verdict>,
    #[serde(skip)]
    probe: Arc<Probe>,
}

/// What an island is compiled with: it makes no mask.
fn description() -> Description {
    Description { output: Output { task: Some(Task::None), ..Output::default() }, ..Description::default() }
}

/// Divides a model.
///
/// # Errors
/// tract cannot run the model, or it has no input of `[1, channels, rows, width]`.
pub fn divide(model: &Model) -> Result<Division> {
    Divider::new(model)?.divide(&Float::default())
}

/// What must stay in float, although a plan could hold it.
#[derive(Clone, Debug, Default)]
struct Float {
    /// The nodes before this one,
    cut: usize,
    /// but for these.
    but: Vec<Range<usize>>,
    /// Why.
    why: String,
}

impl Float {
    fn before(cut: usize, why: &str) -> Float {
        Float { cut, but: Vec::new(), why: why.to_owned() }
    }

    fn has(&self, node: usize) -> bool {
        node < self.cut && !self.but.iter().any(|range| range.contains(&node))
    }
}

/// Divides a model in several ways.
struct Divider<'a> {
    model: &'a Model,
    graph: &'a pb::GraphProto,
    /// What the importer says of the nodes.
    verdicts: Vec<Verdict>,
    probe: Arc<Probe>,
    /// The nodes of groups that were found to make plans.
    checked: HashSet<Vec<usize>>,
}

impl<'a> Divider<'a> {
    fn new(model: &'a Model) -> Result<Divider<'a>> {
        model.image()?;
        let graph = model.graph()?;
        let probe = Arc::new(Probe::run(model)?);
        let mut verdicts = import::survey(model, &probe)?;
        for (verdict, node) in verdicts.iter_mut().zip(&graph.node) {
            if node.op_type == "ArgMax" && *verdict == Verdict::Int8 {
                *verdict = Verdict::Float("a class index is no real value".into());
            }
        }
        Ok(Divider { model, graph, verdicts, probe, checked: HashSet::new() })
    }

    /// The convolutions that int8 can have.
    fn cuts(&self) -> Vec<usize> {
        let is_conv = |&index: &usize| {
            matches!(self.graph.node[index].op_type.as_str(), "Conv" | "ConvTranspose")
                && self.verdicts[index] == Verdict::Int8
        };
        (0..self.verdicts.len()).filter(is_conv).collect()
    }

    /// The nodes around each of the `count` largest convolutions that stay in `float`, the largest first: what enlarges and
    /// joins its inputs, the convolution, and what follows until the next.
    fn largest(&self, float: &Float, count: usize) -> Vec<Range<usize>> {
        let places = Places::new(self.graph, &self.verdicts, &self.probe);
        let cuts = self.cuts();
        let mut found: Vec<(usize, Range<usize>)> = Vec::new();
        for (index, &cut) in cuts.iter().enumerate().filter(|(_, cut)| float.has(**cut)) {
            let before = if index == 0 { 0 } else { cuts[index - 1] + 1 };
            let joins = |&node: &usize| matches!(self.graph.node[node].op_type.as_str(), "Resize" | "Concat");
            let start = (before..cut).find(joins).unwrap_or(cut);
            found.push((
                products(&places, cut),
                start..cuts.get(index + 1).copied().unwrap_or(float.cut).min(float.cut),
            ));
        }
        found.sort_by_key(|(products, _)| std::cmp::Reverse(*products));
        found.into_iter().take(count).map(|(_, around)| around).collect()
    }

    /// The division in which `float` stays in float.
    fn divide(&mut self, float: &Float) -> Result<Division> {
        let mut verdicts = self.verdicts.clone();
        for (_, verdict) in verdicts.iter_mut().enumerate().filter(|(node, _)| float.has(*node)) {
            if *verdict == Verdict::Int8 {
                *verdict = Verdict::Float(float.why.clone());
            }
        }
        // Every pass leaves more nodes in float.
        loop {
            match attempt(self.model, self.graph, &verdicts, &self.probe, &mut self.checked)? {
                Ok(islands) => return self.division(islands, verdicts),
                Err(refusals) => {
                    for Refusal { node, reason } in refusals {
                        verdicts[node] = Verdict::Float(reason);
                    }
                }
            }
        }
    }

    fn division(&self, islands: Vec<Outline>, verdicts: Vec<Verdict>) -> Result<Division> {
        let left = self.graph.node.iter().zip(&verdicts).filter_map(|(node, verdict)| match verdict {
            Verdict::Float(reason) => {
                Some(Left { operator: node.op_type.clone(), node: label(node), reason: reason.clone() })
            }
            _ => None,
        });
        let left = left.collect();
        let input = &self.model.inputs()[self.model.image()?];
        let shape = self.probe.shapes(&input.name)?.swap_remove(0);
        Ok(Division { islands, left, frame: [shape[2], shape[3]], verdicts, probe: Arc::clone(&self.probe) })
    }
}

/// The islands, or all that must stay in float for there to be any. `checked` holds the nodes of groups that were found to
/// make plans.
fn attempt(
    model: &Model,
    graph: &pb::GraphProto,
    verdicts: &[Verdict],
    probe: &Arc<Probe>,
    checked: &mut HashSet<Vec<usize>>,
) -> Result<Result<Vec<Outline>, Vec<Refusal>>> {
    let steps = steps(model, graph, verdicts);
    let groups = partition(&steps);
    let places = Places::new(graph, verdicts, probe);
    let needed = places.needed(&groups);
    let (mut islands, mut refusals) = (Vec::new(), Vec::new());
    for group in &groups {
        let part = match places.part(group, &needed) {
            Ok(part) => part,
            Err(refusal) => {
                refusals.push(refusal);
                continue;
            }
        };
        if part.outputs.is_empty() {
            refusals.extend(all(group, "nothing that is handed out depends on it"));
            continue;
        }
        let outline = outline(&places, group, &part);
        if !outline.is_worth_it() {
            let Outline { products, resampled, border, .. } = outline;
            let reason = format!(
                "too small an island: {products} products and {resampled} resampled values for {border} values at its \
                 borders"
            );
            refusals.extend(all(group, &reason));
            continue;
        }
        if !checked.contains(&group.nodes) {
            let alone = part.model(model)?;
            if let Err(error) = Compiler::new(&alone, &description(), Options::default()).probed(probe).check() {
                refusals.extend(blame(graph, group, &error));
                continue;
            }
            checked.insert(group.nodes.clone());
        }
        islands.push(outline);
    }
    Ok(if refusals.is_empty() { Ok(islands) } else { Err(refusals) })
}

/// The nodes that depend on the image.
fn steps<'a>(model: &'a Model, graph: &'a pb::GraphProto, verdicts: &[Verdict]) -> Vec<Step<'a>> {
    let dependent = import::dependent(graph, model);
    let of = |(node, (proto, verdict)): (usize, (&'a pb::NodeProto, &Verdict))| Step {
        node,
        inputs: proto.input.iter().map(String::as_str).filter(|name| dependent.contains(name)).collect(),
        outputs: proto.output.iter().map(String::as_str).filter(|name| !name.is_empty()).collect(),
        int8: *verdict == Verdict::Int8,
    };
    let nodes = graph.node.iter().zip(verdicts).enumerate();
    nodes.filter(|(_, (_, verdict))| **verdict != Verdict::Constant).map(of).collect()
}

fn all(group: &Group, reason: &str) -> Vec<Refusal> {
    group.nodes.iter().map(|&node| Refusal { node, reason: reason.to_owned() }).collect()
}

/// The node that the compiler's error names, or all of them.
fn blame(graph: &pb::GraphProto, group: &Group, error: &Error) -> Vec<Refusal> {
    if let Error::Operator { node: name, reason, .. } = error
        && let Some(&node) = group.nodes.iter().find(|&&node| label(&graph.node[node]) == *name)
    {
        return vec![Refusal { node, reason: reason.clone() }];
    }
    all(group, &error.to_string())
}

fn outline(places: &Places, group: &Group, part: &Part) -> Outline {
    let elements = |name: &str| places.shape(name).map_or(0, |shape| shape.iter().product());
    let resampled = |&&index: &&usize| places.graph.node[index].op_type == "Resize";
    Outline {
        inputs: part.inputs.iter().map(|input| input.name.clone()).collect(),
        outputs: part.outputs.clone(),
        nodes: group.nodes.iter().map(|&node| label(&places.graph.node[node])).collect(),
        products: group.nodes.iter().map(|&node| products(places, node)).sum(),
        resampled: group.nodes.iter().filter(resampled).map(|&i| elements(&places.graph.node[i].output[0])).sum(),
        border: part.inputs.iter().map(|input| &input.name).chain(&part.outputs).map(|name| elements(name)).sum(),
    }
}

/// Products of a node, for a frame of the first size that was tried.
fn products(places: &Places, index: usize) -> usize {
    let node = &places.graph.node[index];
    let value =
        |names: &[String], index: usize| names.get(index).map_or([0; 4], |n| places.shape(n).unwrap_or_default());
    let weights = node.input.get(1).map_or(0, |name| places.constant_len(name));
    match node.op_type.as_str() {
        // Each weight is used once for every output pixel, or input pixel.
        "Conv" => {
            let [_, _, rows, width] = value(&node.output, 0);
            weights * rows * width
        }
        "ConvTranspose" => {
            let [_, _, rows, width] = value(&node.input, 0);
            weights * rows * width
        }
        "Gemm" | "MatMul" => weights,
        _ => 0,
    }
}

impl Outline {
    fn is_worth_it(&self) -> bool {
        self.products + RESAMPLING * self.resampled >= WORTH * self.border
    }
}

impl Division {
    /// Compiles the islands, calibrated on what the model makes of these samples, and puts them into the model. A sample
    /// is a tensor for each input of the model, in their order; an image alone is cut or padded to sides that the model
    /// takes. `progress` is told of each island before it is begun.
    ///
    /// # Errors
    /// tract cannot run the model on them, or there are none.
    pub fn compile(&self, model: &Model, samples: &[Vec<Tensor>], progress: impl FnMut(usize)) -> Result<Model> {
        self.compile_with(model, &fitted(model, samples)?, &Options::default(), progress)
    }

    /// The same for samples on sides that the model takes.
    fn compile_with(
        &self,
        model: &Model,
        samples: &[Vec<Tensor>],
        options: &Options,
        mut progress: impl FnMut(usize),
    ) -> Result<Model> {
        if self.islands.is_empty() {
            return model.in_float();
        }
        let graph = model.graph()?;
        if samples.is_empty() {
            return Err(Error::Calibration("no sample was given, but islands are quantized by what they see".into()));
        }
        let steps = steps(model, graph, &self.verdicts);
        let groups = partition(&steps);
        let places = Places::new(graph, &self.verdicts, &self.probe);
        let needed = places.needed(&groups);
        let parts = groups.iter().map(|group| places.part(group, &needed));
        let parts = parts.collect::<Result<Vec<_>, _>>().map_err(|refusal| Error::Model(refusal.reason))?;
        let activations = activations(model, &parts, samples)?;
        let mut plans = Vec::new();
        for (index, part) in parts.iter().enumerate() {
            progress(index);
            let alone = part.model(model)?;
            let seen = activations.iter().map(|values| part.inputs.iter().map(|i| values[&i.name].clone()).collect());
            let description = description();
            let compiler = Compiler::new(&alone, &description, options.clone()).probed(&self.probe);
            let compiled = compiler.calibrate_with(seen.collect()).compile()?;
            plans.push(compiled.plan);
        }
        extract::remainder(model, &groups, &parts, &plans)
    }
}

/// Images that are all that a model takes, on sides that it takes: multiples of what up to five poolings need, at best of
/// 32, as islands may be for these alone where the model pads others.
fn fitted(model: &Model, samples: &[Vec<Tensor>]) -> Result<Vec<Vec<Tensor>>> {
    if model.inputs().len() > 1 || samples.is_empty() {
        return Ok(samples.to_vec());
    }
    let port = &model.inputs()[0].shape;
    let fixed = [port.get(2).copied().flatten(), port.get(3).copied().flatten()];
    let mut first_error = None;
    for multiple in [32, 1, 2, 4, 8, 16] {
        let alignment = Alignment { multiple: [multiple; 2], remainder: [0; 2] };
        let images = samples.iter().flatten().map(|image| Ok(vec![fit(image, fixed, &alignment, MOST_SIDE)?]));
        let fitted = images.collect::<Result<Vec<_>>>()?;
        match model.run_float(&fitted[0]) {
            Ok(_) => return Ok(fitted),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| Error::Calibration("no size of images was found that it takes".into())))
}

/// What the islands read, for at most [`MOST_SAMPLES`].
fn activations(model: &Model, parts: &[Part], samples: &[Vec<Tensor>]) -> Result<Vec<HashMap<String, Tensor>>> {
    let is_made = |name: &&String| !model.inputs().iter().any(|port| port.name == **name);
    let read = parts.iter().flat_map(|part| &part.inputs).map(|input| &input.name);
    let mut made: Vec<String> = read.filter(is_made).cloned().collect();
    made.sort();
    made.dedup();
    let mut runs = Runs::new(model, made.clone());
    let values = |sample: &Vec<Tensor>| {
        let mut values = if made.is_empty() { HashMap::new() } else { runs.run(sample)? };
        values.extend(model.inputs().iter().zip(sample).map(|(port, value)| (port.name.clone(), value.clone())));
        Ok(values)
    };
    samples.iter().step_by(samples.len().div_ceil(MOST_SAMPLES)).map(values).collect()
}

impl fmt::Display for Division {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [rows, width] = self.frame;
        let (islands, left) = (self.islands.len(), self.left.len());
        writeln!(f, "{islands} islands in int8, {left} operators in float; for a frame of {width}x{rows}:")?;
        for (index, island) in self.islands.iter().enumerate() {
            let (nodes, millions) = (island.nodes.len(), island.products as f64 / 1e6);
            let (inputs, outputs) = (island.inputs.join(", "), island.outputs.join(", "));
            writeln!(
                f,
                "  island {index}: {nodes} operators, {millions:.1} MMAC, {} values at its borders",
                island.border
            )?;
            writeln!(f, "    reads {inputs}, makes {outputs}")?;
        }
        for Left { operator, node, reason } in &self.left {
            writeln!(f, "  float: {operator} `{node}`: {reason}")?;
        }
        Ok(())
    }
}
