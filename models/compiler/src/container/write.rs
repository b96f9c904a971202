//! A divided model to the bytes of a container.

use std::collections::HashSet;

use half::f16;
use tract_nnef::ProtoModel;
use tract_nnef::ast::dump::Dumper;
use tract_nnef::ast::{Document, Identifier, LValue};
use tract_nnef::ser::to_proto_model;
use tract_nnef::tensors::write_tensor;
use tract_onnx::prelude::{Datum, DatumType, TractResult, TypedModel};

use super::envelope::{self, Kind};
use super::facts::{Facts, Frames, Value};
use super::{NAME, framework, symbols};
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::islands::operator::{self, Operator};
use crate::model::{Model, Port, Tensor};
use crate::sides::{alignments, filled_up};

/// Smaller tensors are stored as they are.
const FEWEST: usize = 64;

/// Multiples that symbols are tried with at most: tract may need larger ones than the model to see that sides are equal.
const MOST_MULTIPLE: usize = 32;

/// How far outputs may be from those of the model, where its largest value is 1.
const TOLERANCE: f32 = 1e-6;

/// A container of a divided model, with the description `toml`: for frames of every size that the model takes, where tract
/// can do that and `frame` (rows and width) does not ask for one; else for inputs of `shapes`, or of `frame`, with sides
/// filled up to what the model takes. What it computes was compared with the model.
///
/// # Errors
/// NNEF cannot hold the model's remainder, or something else comes out.
pub fn write(model: &Model, toml: &str, shapes: &[Vec<usize>], frame: Option<[usize; 2]>) -> Result<Vec<u8>> {
    let ports = model.inputs();
    let fits = |(shape, port): (&Vec<usize>, &Port)| port.shape.is_empty() || port.shape.len() == shape.len();
    if shapes.len() != ports.len() || !shapes.iter().zip(ports).all(fits) {
        return Err(Error::Model(format!("inputs of {shapes:?} were given, the model takes {}", ports.len())));
    }
    let writer = Writer { model, toml, shapes, plans: plans(model)? };
    if frame.is_none()
        && let Some(file) = writer.of_all_sizes()
    {
        return Ok(file);
    }
    writer.of_one_size(frame)
}

struct Writer<'a> {
    model: &'a Model,
    toml: &'a str,
    shapes: &'a [Vec<usize>],
    /// Of the islands.
    plans: Vec<&'a [u8]>,
}

/// tract's graph in NNEF, and the names that its nodes had.
struct Graph {
    proto: ProtoModel,
    names: Vec<String>,
}

impl Writer<'_> {
    /// For every size, if that is possible.
    fn of_all_sizes(&self) -> Option<Vec<u8>> {
        let input = self.model.image().ok()?;
        if self.model.inputs()[input].shape[2..].iter().any(Option::is_some) {
            return None;
        }
        let runs = |&alignment: &(usize, usize)| {
            self.tried(input, alignment).iter().all(|shapes| self.model.run_float(&samples(shapes)).is_ok())
        };
        let (multiple, remainder) = alignments().find(runs)?;
        let mut multiples = vec![multiple];
        while let Some(more) = multiples.last().map(|last| last * 2).filter(|&m| remainder == 0 && m <= MOST_MULTIPLE) {
            multiples.push(more);
        }
        multiples.into_iter().find_map(|multiple| {
            let frames = Frames { input, multiple: [multiple; 2], remainder: [remainder; 2] };
            let file = self.free(frames).ok()??;
            let tried = self.tried(input, (multiple, remainder));
            tried.iter().all(|shapes| self.check(&file, shapes).is_ok()).then_some(file)
        })
    }

    /// For these frames, unless graphs differ in more than rows and width.
    fn free(&self, frames: Frames) -> Result<Option<Vec<u8>>> {
        let Frames { input, multiple: [multiple, _], remainder: [remainder, _] } = frames;
        let sizes = symbols::sizes(multiple);
        let graph = |size: &[usize; 2]| {
            let mut shapes = self.shapes.to_vec();
            for (side, count) in shapes[input][2..].iter_mut().zip(size) {
                *side = multiple * count + remainder;
            }
            self.graph(&shapes)
        };
        let mut graphs = sizes.iter().map(graph).collect::<Result<Vec<_>>>()?;
        let documents: Vec<Document> = graphs.iter().map(|graph| graph.proto.doc.clone()).collect();
        let mut first = graphs.swap_remove(0);
        if graphs.iter().any(|other| other.proto.tensors != first.proto.tensors) {
            return Ok(None);
        }
        let Some(document) = symbols::find(&documents, &sizes) else { return Ok(None) };
        first.proto.doc = document;
        self.file(first, Some(frames), self.shapes).map(Some)
    }

    /// For one size.
    fn of_one_size(&self, frame: Option<[usize; 2]>) -> Result<Vec<u8>> {
        let mut shapes = self.shapes.to_vec();
        if let Ok(input) = self.model.image() {
            let port = &self.model.inputs()[input].shape;
            let shape = &mut shapes[input];
            let [rows, width] = frame.unwrap_or([shape[2], shape[3]]);
            let wanted = [port[2].unwrap_or(rows), port[3].unwrap_or(width)];
            let filled = |alignment| {
                let mut shapes = self.shapes.to_vec();
                for axis in 0..2 {
                    shapes[input][2 + axis] = port[2 + axis].unwrap_or(filled_up(wanted[axis], alignment));
                }
                shapes
            };
            let mut all = alignments().map(filled);
            let runs = |shapes: &Vec<Vec<usize>>| self.model.run_float(&samples(shapes)).is_ok();
            shapes = all.find(runs).unwrap_or_else(|| filled((1, 0)));
        }
        let file = self.file(self.graph(&shapes)?, None, &shapes)?;
        self.check(&file, &shapes)?;
        Ok(file)
    }

    /// Two sizes of frames of an alignment, and of no larger one.
    fn tried(&self, input: usize, (multiple, remainder): (usize, usize)) -> [Vec<Vec<usize>>; 2] {
        let side = |about: usize| multiple * ((about / multiple) | 1) + remainder;
        [[96, 128], [160, 64]].map(|[rows, width]| {
            let mut shapes = self.shapes.to_vec();
            (shapes[input][2], shapes[input][3]) = (side(rows), side(width));
            shapes
        })
    }

    /// Whether a file computes what the model does.
    fn check(&self, file: &[u8], shapes: &[Vec<usize>]) -> Result<()> {
        let inputs = samples(shapes);
        let (expected, found) = (self.model.run_float(&inputs)?, Model::parse(file, None)?.run_float(&inputs)?);
        for ((expected, found), port) in expected.iter().zip(&found).zip(self.model.outputs()) {
            let largest = expected.data.iter().fold(0f32, |most, value| most.max(value.abs()));
            let pairs = expected.data.iter().zip(&found.data);
            let off = pairs.filter(|(a, b)| a != b).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
            if expected.shape != found.shape || off.is_nan() || off > TOLERANCE * largest {
                let name = &port.name;
                return Err(Error::Container(format!(
                    "output `{name}` is off by {off}, its largest value is {largest}"
                )));
            }
        }
        Ok(())
    }

    /// The graph for inputs of these shapes.
    fn graph(&self, shapes: &[Vec<usize>]) -> Result<Graph> {
        let islands = self.plans.iter().map(|plan| Operator::new(plan)).collect::<Result<Vec<_>>>()?;
        let mut typed = self.model.typed(shapes, None)?;
        let (proto, names) = guarded("write it as NNEF", || {
            let names = rename(&mut typed);
            let mut proto = to_proto_model(&framework::writer(islands), &typed)?;
            strip(&mut proto);
            Ok((proto, names))
        })?;
        if proto.quantization.is_some() || !proto.resources.is_empty() {
            return Err(Error::Container("it has quantized values outside of islands, or models within".into()));
        }
        Ok(Graph { proto, names })
    }

    fn file(
        &self,
        Graph { mut proto, names }: Graph,
        frames: Option<Frames>,
        shapes: &[Vec<usize>],
    ) -> Result<Vec<u8>> {
        let mut graph = Vec::new();
        guarded("write it as NNEF", || Dumper::new(&framework::reader(), &mut graph).document(&proto.doc))?;
        let mut tensors: Vec<_> = proto.tensors.drain().map(|(label, tensor)| (label.0, tensor)).collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let mut sections = vec![(Kind::Description, self.toml.as_bytes().to_vec())];
        let (mut stored, mut halved) = (Vec::new(), Vec::new());
        for (label, tensor) in &tensors {
            let half = guarded("store the weights", || half(tensor))?;
            let mut bytes = Vec::new();
            guarded("store the weights", || write_tensor(&mut bytes, half.as_ref().unwrap_or(tensor)))?;
            stored.push((Kind::Tensor, bytes));
            halved.extend(half.map(|_| label.clone()));
        }
        let facts = Facts {
            sha256: self.model.sha256().to_owned(),
            compiler: env!("CARGO_PKG_VERSION").to_owned(),
            tensors: tensors.into_iter().map(|(label, _)| label).collect(),
            halved,
            names,
            inputs: self.inputs(frames.as_ref(), shapes),
            outputs: self.model.outputs().iter().map(value).collect(),
            frames,
        };
        sections.push((Kind::Facts, facts.to_toml()?.into_bytes()));
        sections.push((Kind::Graph, graph));
        sections.extend(stored);
        sections.extend(self.plans.iter().map(|plan| (Kind::Plan, plan.to_vec())));
        Ok(envelope::emit(&sections))
    }

    fn inputs(&self, frames: Option<&Frames>, shapes: &[Vec<usize>]) -> Vec<Value> {
        let inputs = self.model.inputs().iter().zip(shapes).enumerate();
        let value = |(index, (port, shape)): (usize, (&Port, &Vec<usize>))| {
            let mut shape = shape.clone();
            if frames.is_some_and(|frames| frames.input == index) {
                shape[2..].fill(0);
            }
            Value { name: port.name.clone(), shape }
        };
        inputs.map(value).collect()
    }
}

fn value(port: &Port) -> Value {
    Value { name: port.name.clone(), shape: port.shape.iter().map(|side| side.unwrap_or(0)).collect() }
}

/// Inputs to compare outputs on.
fn samples(shapes: &[Vec<usize>]) -> Vec<Tensor> {
    let value = |index: usize| 0.5 + 0.5 * (0.37 * index as f32).sin() * (0.011 * index as f32).cos();
    let sample =
        |shape: &Vec<usize>| Tensor { shape: shape.clone(), data: (0..shape.iter().product()).map(value).collect() };
    shapes.iter().map(sample).collect()
}

/// The plans of a model's islands, in order.
fn plans(model: &Model) -> Result<Vec<&[u8]>> {
    let islands = model.graph()?.node.iter().filter(|node| node.op_type == operator::NAME);
    let plans = islands.flat_map(|node| &node.attribute).filter(|attribute| attribute.name == operator::PLAN);
    Ok(plans.map(|plan| plan.s.as_slice()).collect())
}

/// Gives every node a short name of its own, whatever NNEF makes of it; returns those that they had.
fn rename(model: &mut TypedModel) -> Vec<String> {
    model.outlet_labels.clear();
    model.properties.clear();
    let nodes = model.nodes.iter_mut().enumerate();
    nodes.map(|(index, node)| std::mem::replace(&mut node.name, format!("{NAME}{index}"))).collect()
}

/// Takes out what tract writes of itself, which is read by nobody.
fn strip(proto: &mut ProtoModel) {
    let own = |name: &Identifier| name.0.starts_with("tract_nnef_");
    proto.doc.fragments.retain(|fragment| fragment.decl.id.0 != "tract_core_properties");
    proto.doc.graph_def.body.retain(|assignment| !matches!(&assignment.left, LValue::Identifier(name) if own(name)));
    proto.tensors.retain(|name, _| !own(name));
    let mut seen = HashSet::new();
    proto.doc.extension.retain(|extension| extension.0.0 == "tract_registry" && seen.insert(extension.clone()));
}

/// A tensor in 16 bits, if it is of f32 and nothing is lost by that.
fn half(tensor: &tract_onnx::prelude::Tensor) -> TractResult<Option<tract_onnx::prelude::Tensor>> {
    if tensor.datum_type() != f32::datum_type() || tensor.len() < FEWEST {
        return Ok(None);
    }
    let view = tensor.to_plain_array_view::<f32>()?;
    let exact = view.iter().all(|value| f16::from_f32(*value).to_f32().to_bits() == value.to_bits());
    exact.then(|| Ok(tensor.cast_to_dt(DatumType::F16)?.into_owned())).transpose()
}
