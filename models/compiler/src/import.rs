//! From ONNX to the [graph](crate::graph).
//!
//! The file's own nodes are read, through tract's protobuf types, so that names, attributes and layout survive. What an
//! exporter computes (Shape → Gather → Concat → Resize sizes, folded or not, by either PyTorch exporter) is not
//! interpreted here: tract runs the model at two sizes with every value as an output, and the importer reads shapes and
//! computed constants off that run. What holds at both sizes is taken as the rule: a Resize becomes a ratio, a Slice
//! a crop.

pub(crate) mod attributes;
mod convolutions;
mod elementwise;
mod geometry;
pub(crate) mod inputs;
mod operands;
mod operators;
pub(crate) mod probe;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tract_onnx::pb;

use crate::error::{Error, Result};
use crate::graph::{Graph, Node, Op, Quant, Value, ValueId};
use crate::model::{Model, Port};
use attributes::{describe, label};
use probe::Probe;

/// Reads the model's graph; `probe` is what tract's runs of it showed, or of a model that it is a part of, and is made where
/// it is not given.
///
/// # Errors
/// An operator that a plan cannot hold, or a model that tract cannot run.
pub(crate) fn import(model: &Model, probe: Option<Arc<Probe>>) -> Result<Graph> {
    let graph = model.graph()?;
    // A part of a model is an island, which gets all of its inputs at once.
    if let (None, found @ 2..) = (&probe, model.inputs().len()) {
        return Err(Error::Model(format!("a plan has one input, the model has {found}")));
    }
    let dependent = dependent(graph, model);
    for node in graph.node.iter().filter(|n| n.output.iter().any(|o| dependent.contains(o.as_str()))) {
        if !operators::SUPPORTED.contains(&node.op_type.as_str()) {
            return Err(refuse(node, "core has no such operator"));
        }
    }
    let probe = probe.map_or_else(|| Probe::run(model).map(Arc::new), Ok)?;
    let mut importer = Importer { model, graph, probe, out: Graph::default(), env: HashMap::new() };
    importer.inputs()?;
    for node in &graph.node {
        if node.output.iter().any(|o| dependent.contains(o.as_str())) {
            importer.node(node)?;
        }
    }
    for output in &graph.output {
        let value = importer.env.get(&output.name).copied();
        let value =
            value.ok_or_else(|| Error::Model(format!("output `{}` does not depend on the input", output.name)))?;
        importer.out.outputs.push((output.name.clone(), value));
    }
    importer.out.prune();
    Ok(importer.out)
}

/// What the importer says of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does not depend on the image's values.
    Constant,
    /// A plan can hold it.
    Int8,
    /// It stays in float, for this reason.
    Float(String),
}

/// Asks the importer about every node of a model; what one of them makes that stays in float is taken as given.
///
/// # Errors
/// tract cannot run the model.
pub(crate) fn survey(model: &Model, probe: &Arc<Probe>) -> Result<Vec<Verdict>> {
    let graph = model.graph()?;
    let dependent = dependent(graph, model);
    let mut importer = Importer { model, graph, probe: Arc::clone(probe), out: Graph::default(), env: HashMap::new() };
    for port in model.inputs() {
        // Those without rows and columns are no activations.
        let _ = importer.define(&port.name);
    }
    let verdicts = graph.node.iter().map(|node| {
        if !node.output.iter().any(|o| dependent.contains(o.as_str())) {
            return Verdict::Constant;
        }
        match importer.attempt(node) {
            Ok(()) => Verdict::Int8,
            Err(reason) => {
                for output in node.output.iter().filter(|name| !name.is_empty()) {
                    // Where it has no rows and columns, those who read it are refused.
                    let _ = importer.define(output);
                }
                Verdict::Float(reason)
            }
        }
    });
    Ok(verdicts.collect())
}

/// Names of the values that depend on the inputs' values, not only on their sizes.
pub(crate) fn dependent<'a>(graph: &'a pb::GraphProto, model: &'a Model) -> HashSet<&'a str> {
    let mut names: HashSet<&str> = model.inputs().iter().map(|port| port.name.as_str()).collect();
    for node in &graph.node {
        if !matches!(node.op_type.as_str(), "Shape" | "Size") && node.input.iter().any(|i| names.contains(i.as_str())) {
            names.extend(node.output.iter().filter(|o| !o.is_empty()).map(String::as_str));
        }
    }
    names
}

/// `node`, refused.
fn refuse(node: &pb::NodeProto, reason: impl Into<String>) -> Error {
    Error::Operator {
        operator: node.op_type.clone(),
        node: label(node),
        attributes: describe(node),
        reason: reason.into(),
    }
}

/// The state of an import.
struct Importer<'a> {
    model: &'a Model,
    graph: &'a pb::GraphProto,
    probe: Arc<Probe>,
    out: Graph,
    /// Our value of each ONNX name; several names may share one.
    env: HashMap<String, ValueId>,
}

impl Importer<'_> {
    /// The model's inputs: the first is the frame, the others have a share of its sides.
    fn inputs(&mut self) -> Result<()> {
        let model = self.model;
        let [frame, others @ ..] = model.inputs() else { return Err(Error::Model("it has no input".into())) };
        let frame = self.define(&frame.name)?;
        for Port { name, .. } in others {
            let value = self.define(name)?;
            let sizes = |id: ValueId| &self.out.values[id].sizes;
            let ratio = inputs::ratio(sizes(frame), sizes(value)).ok_or_else(|| {
                let (found, of) = (sizes(value)[0], sizes(frame)[0]);
                Error::Model(format!("input `{name}` is {found:?} for a frame of {of:?}, at other sizes another share"))
            })?;
            let source = ("Input".to_owned(), String::new());
            let node = Node { name: name.clone(), source, op: Op::Input(ratio), inputs: vec![frame], output: value };
            self.out.nodes.push(node);
        }
        Ok(())
    }

    /// Adds a node, or leaves everything as it was and says why.
    fn attempt(&mut self, node: &pb::NodeProto) -> Result<(), String> {
        if !operators::SUPPORTED.contains(&node.op_type.as_str()) {
            return Err("core has no such operator".into());
        }
        let (nodes, env) = (self.out.nodes.len(), self.env.clone());
        let fixed: Vec<_> = self.out.values.iter().map(|value| value.fixed).collect();
        self.node(node).map_err(|error| {
            self.out.nodes.truncate(nodes);
            self.out.values.truncate(fixed.len());
            self.out.values.iter_mut().zip(fixed).for_each(|(value, fixed)| value.fixed = fixed);
            self.env = env;
            match error {
                Error::Operator { reason, .. } => reason,
                other => other.to_string(),
            }
        })
    }

    /// Makes a value for the ONNX name `name`.
    fn define(&mut self, name: &str) -> Result<ValueId> {
        let shapes = self.probe.shapes(name)?;
        let mut sizes = Vec::new();
        let mut channels = 0;
        for shape in &shapes {
            let (c, size) = match shape[..] {
                [1, c, h, w] => (c, [h, w]),
                [1, c] => (c, [1, 1]),
                [1, h, w] => (1, [h, w]),
                _ => {
                    return Err(Error::Model(format!(
                        "value `{name}` has shape {shape:?}, expected [1, channels, rows, width]"
                    )));
                }
            };
            channels = c;
            sizes.push(size);
        }
        let id = self.push_value(name, channels, sizes)?;
        self.env.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Makes a value that the ONNX graph has no name for (or a second one for a name).
    fn push_value(&mut self, name: &str, channels: usize, sizes: Vec<[usize; 2]>) -> Result<ValueId> {
        if channels == 0 || channels > usize::from(u16::MAX) || sizes.iter().flatten().any(|&side| side == 0) {
            return Err(Error::Model(format!("value `{name}` has {channels} channels and sides {sizes:?}")));
        }
        self.out.values.push(Value { name: name.to_owned(), channels, sizes, fixed: None, unit: Vec::new() });
        Ok(self.out.values.len() - 1)
    }

    /// The value behind input `index` of `node`.
    fn value(&self, node: &pb::NodeProto, index: usize) -> Result<ValueId> {
        let name = node.input.get(index).map_or("", String::as_str);
        self.env
            .get(name)
            .copied()
            .ok_or_else(|| refuse(node, format!("its input {index} (`{name}`) is not an activation")))
    }

    /// Whether input `index` of `node` is an activation.
    fn is_value(&self, node: &pb::NodeProto, index: usize) -> bool {
        node.input.get(index).is_some_and(|name| self.env.contains_key(name))
    }

    /// Adds an operator that makes output 0 of `node`.
    fn push(&mut self, node: &pb::NodeProto, op: Op, inputs: Vec<ValueId>) -> Result<ValueId> {
        let name = node.output.first().ok_or_else(|| refuse(node, "it has no output"))?;
        let output = self.define(name)?;
        self.push_node(node, op, inputs, output);
        Ok(output)
    }

    fn push_node(&mut self, node: &pb::NodeProto, op: Op, inputs: Vec<ValueId>, output: ValueId) {
        let source = (node.op_type.clone(), describe(node));
        self.out.nodes.push(Node { name: label(node), source, op, inputs, output });
    }

    /// Output 0 of `node` is `value` under another name.
    fn alias(&mut self, node: &pb::NodeProto, value: ValueId) {
        node.output.first().iter().for_each(|name| {
            self.env.insert((*name).clone(), value);
        });
    }

    /// Prescribes the quantization of `value`; a second, different one makes a requantized copy.
    fn fix(&mut self, node: &pb::NodeProto, value: ValueId, quant: Quant) -> Result<ValueId> {
        match self.out.values[value].fixed {
            None => {
                self.out.values[value].fixed = Some(quant);
                Ok(value)
            }
            Some(found) if found == quant => Ok(value),
            Some(_) => {
                let Value { name, channels, sizes, .. } = self.out.values[value].clone();
                let copy = self.push_value(&name, channels, sizes)?;
                self.out.values[copy].fixed = Some(quant);
                self.push_node(node, Op::Map(crate::expr::Expr::X), vec![value], copy);
                Ok(copy)
            }
        }
    }
}
