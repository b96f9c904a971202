//! A group of nodes as a model of its own, and what is left of the whole.

use std::collections::{BTreeSet, HashMap, HashSet};

use tract_onnx::pb::{self, tensor_shape_proto::dimension, type_proto};

use super::operator;
use super::partition::Group;
use crate::bridge::proto::{in_order, keep_needed};
use crate::error::Result;
use crate::import::Verdict;
use crate::import::inputs::ratio;
use crate::import::probe::Probe;
use crate::model::Model;

/// Where things are in a model's graph.
pub struct Places<'a> {
    pub graph: &'a pb::GraphProto,
    pub verdicts: &'a [Verdict],
    pub probe: &'a Probe,
    /// The node that makes a value.
    producers: HashMap<&'a str, usize>,
    initializers: HashSet<&'a str>,
}

/// A node that keeps its group from being a model, and why.
pub struct Refusal {
    pub node: usize,
    pub reason: String,
}

/// A value that a group reads.
pub struct Input {
    pub name: String,
    pub channels: usize,
    /// Rows and width, where they are always 1.
    pub pixel: bool,
}

/// A group as a model.
pub struct Part {
    /// The values that it reads: the one with most pixels, which the others' sides are a share of, and those.
    pub inputs: Vec<Input>,
    /// The values that others read.
    pub outputs: Vec<String>,
    /// Its nodes, and those that compute sizes and constants for them.
    nodes: BTreeSet<usize>,
    /// Its Resizes whose sizes come from elsewhere, and the factors of rows and width that they amount to.
    scaled: HashMap<usize, [f32; 2]>,
}

impl<'a> Places<'a> {
    pub fn new(graph: &'a pb::GraphProto, verdicts: &'a [Verdict], probe: &'a Probe) -> Places<'a> {
        let made = graph.node.iter().enumerate().flat_map(|(i, n)| n.output.iter().map(move |o| (o.as_str(), i)));
        let producers = made.filter(|(name, _)| !name.is_empty()).collect();
        let initializers = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
        Places { graph, verdicts, probe, producers, initializers }
    }

    /// The values that somebody outside of the groups reads, directly or to make something that is handed out.
    pub fn needed(&self, groups: &[Group]) -> HashSet<String> {
        let group_of: HashMap<usize, &Group> =
            groups.iter().flat_map(|group| group.nodes.iter().map(move |node| (*node, group))).collect();
        let mut needed: HashSet<String> = self.graph.output.iter().map(|output| output.name.clone()).collect();
        for (index, node) in self.graph.node.iter().enumerate().rev() {
            if !node.output.iter().any(|name| needed.contains(name)) {
                continue;
            }
            match group_of.get(&index) {
                Some(group) => {
                    needed.extend(group.inputs.iter().map(|&name| name.to_owned()));
                }
                None => needed.extend(node.input.iter().cloned()),
            }
        }
        needed
    }

    /// A group as a model.
    pub fn part(&self, group: &Group, needed: &HashSet<String>) -> Result<Part, Refusal> {
        let refuse = |node: usize, reason: &str| Refusal { node, reason: reason.to_owned() };
        let inputs = self.inputs(group)?;
        let mut made: HashSet<&str> = group.inputs.iter().copied().collect();
        let mut nodes = BTreeSet::new();
        let mut scaled = HashMap::new();
        let mut outputs = Vec::new();
        for &index in &group.nodes {
            let node = &self.graph.node[index];
            let mut with = nodes.clone();
            let inputs = node.input.iter().filter(|name| !name.is_empty());
            match inputs.map(|name| self.collect(name, &made, &mut with)).collect::<Option<()>>() {
                Some(()) => nodes = with,
                None => {
                    let scales = self.scales(node).filter(|_| made.contains(node.input[0].as_str()));
                    let scales = scales.ok_or_else(|| refuse(index, "its sizes come from outside of its island"))?;
                    scaled.insert(index, scales);
                }
            }
            nodes.insert(index);
            made.extend(node.output.iter().map(String::as_str));
            for name in node.output.iter().filter(|name| needed.contains(*name)) {
                if self.shape(name).is_none() {
                    return Err(refuse(index, "what it hands out has no rows and columns"));
                }
                outputs.push(name.clone());
            }
        }
        Ok(Part { inputs, outputs, nodes, scaled })
    }

    /// What a group reads, the value with most pixels first.
    fn inputs(&self, group: &Group) -> Result<Vec<Input>, Refusal> {
        let mut shapes = Vec::new();
        for &name in &group.inputs {
            let Some([1, channels, rows, width]) = self.shape(name) else {
                return Err(self.refuse_reader(group, name, "what it reads has no rows and columns".into()));
            };
            shapes.push((name, channels, rows * width));
        }
        // The first of those that are largest.
        shapes.sort_by_key(|&(_, _, pixels)| std::cmp::Reverse(pixels));
        let sides = |name: &str| -> Vec<[usize; 2]> {
            let shapes = self.probe.shapes(name).unwrap_or_default();
            shapes.iter().map(|shape| [shape[2], shape[3]]).collect()
        };
        let frame = shapes.first().map_or(Vec::new(), |(name, ..)| sides(name));
        let input = |&(name, channels, _): &(&str, usize, usize)| match ratio(&frame, &sides(name)) {
            Some(ratio) => Ok(Input { name: name.to_owned(), channels, pixel: ratio == [[0, 1]; 2] }),
            None => {
                let reason =
                    format!("the sides of `{name}`, which it reads, are no share of those of `{}`", shapes[0].0);
                Err(self.refuse_reader(group, name, reason))
            }
        };
        shapes.iter().map(input).collect()
    }

    /// Refuses the first node of a group that reads `name`.
    fn refuse_reader(&self, group: &Group, name: &str, reason: String) -> Refusal {
        let reads = |&&node: &&usize| self.graph.node[node].input.iter().any(|input| input == name);
        let node = group.nodes.iter().find(reads).or(group.nodes.first());
        Refusal { node: node.copied().unwrap_or(0), reason }
    }

    /// Adds what computes a constant; `None` if that takes a value of the image that the group does not have.
    fn collect(&self, name: &str, made: &HashSet<&str>, nodes: &mut BTreeSet<usize>) -> Option<()> {
        if made.contains(name) || self.initializers.contains(name) {
            return Some(());
        }
        let &producer = self.producers.get(name)?;
        if self.verdicts[producer] != Verdict::Constant {
            return None;
        }
        if nodes.insert(producer) {
            let inputs = self.graph.node[producer].input.iter().filter(|name| !name.is_empty());
            inputs.map(|name| self.collect(name, made, nodes)).collect::<Option<()>>()?;
        }
        Some(())
    }

    /// The factors of rows and width of a Resize, where they are the same at all sizes that were tried.
    fn scales(&self, node: &pb::NodeProto) -> Option<[f32; 2]> {
        if node.op_type != "Resize" {
            return None;
        }
        let (from, to) = (self.probe.shapes(node.input.first()?).ok()?, self.probe.shapes(node.output.first()?).ok()?);
        let mut scales = None;
        for (from, to) in from.iter().zip(&to) {
            let (&[_, _, rows, width], &[_, _, to_rows, to_width]) = (&from[..], &to[..]) else { return None };
            let found = [to_rows as f32 / rows as f32, to_width as f32 / width as f32];
            // Other factors are not exact, and might end a row too early.
            let exact = found.iter().all(|scale| scale.fract() == 0.0 || (1.0 / scale).fract() == 0.0);
            if !exact || *scales.get_or_insert(found) != found {
                return None;
            }
        }
        scales
    }

    /// `[1, channels, rows, width]` of a value, at the first size that was tried.
    pub fn shape(&self, name: &str) -> Option<[usize; 4]> {
        let shapes = self.probe.shapes(name).ok()?;
        <[usize; 4]>::try_from(shapes.first()?.as_slice()).ok()
    }

    /// Elements of a constant.
    pub fn constant_len(&self, name: &str) -> usize {
        let initializer = self.graph.initializer.iter().find(|tensor| tensor.name == name);
        match initializer {
            Some(tensor) => tensor.dims.iter().map(|&n| n.max(0) as usize).product(),
            None => self.probe.shapes(name).ok().and_then(|s| Some(s.first()?.iter().product())).unwrap_or(0),
        }
    }
}

impl Part {
    /// The part of `model`.
    pub fn model(&self, model: &Model) -> Result<Model> {
        model.with_graph(|whole| {
            let mut graph = pb::GraphProto { name: whole.name.clone(), ..Default::default() };
            for &index in &self.nodes {
                let mut node = whole.node[index].clone();
                if let Some(scales) = self.scaled.get(&index) {
                    let name = format!("{}.scales", node.output[0]);
                    node.input.truncate(1);
                    // tract does not take an omitted region before opset 13.
                    let region = format!("{}.region", node.output[0]);
                    node.input.extend([region.clone(), name.clone()]);
                    graph.initializer.extend([reals(region, &[]), reals(name, &[1.0, 1.0, scales[0], scales[1]])]);
                }
                graph.node.push(node);
            }
            let used: HashSet<&str> = graph.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
            let kept = whole.initializer.iter().filter(|tensor| used.contains(tensor.name.as_str()));
            graph.initializer.extend(kept.cloned());
            graph.input = self.inputs.iter().map(image).collect();
            graph.output = self.outputs.iter().map(|name| named(name)).collect();
            graph
        })
    }
}

/// `model` with each group as one operator that holds its plan.
pub fn remainder(model: &Model, groups: &[Group], parts: &[Part], plans: &[Vec<u8>]) -> Result<Model> {
    let group_of: HashMap<usize, usize> =
        groups.iter().enumerate().flat_map(|(g, group)| group.nodes.iter().map(move |node| (*node, g))).collect();
    model.edited(|graph| {
        let all = std::mem::take(&mut graph.node);
        let mut nodes = Vec::new();
        for (index, node) in all.into_iter().enumerate() {
            match group_of.get(&index) {
                None => nodes.push(node),
                Some(&g) if groups[g].nodes[0] == index => nodes.push(island(g, &parts[g], &plans[g])),
                Some(_) => {}
            }
        }
        // There is no circle: the stages of what islands read never fall.
        let order = in_order(&nodes).unwrap_or_else(|_| (0..nodes.len()).collect());
        graph.node = order.into_iter().map(|place| std::mem::take(&mut nodes[place])).collect();
        graph.value_info.clear();
        keep_needed(graph);
        keep_used(graph);
    })
}

fn island(index: usize, part: &Part, plan: &[u8]) -> pb::NodeProto {
    let plan = pb::AttributeProto {
        name: operator::PLAN.into(),
        r#type: pb::attribute_proto::AttributeType::String as i32,
        s: plan.to_vec(),
        ..Default::default()
    };
    pb::NodeProto {
        op_type: operator::NAME.into(),
        domain: operator::DOMAIN.into(),
        name: format!("island_{index}"),
        input: part.inputs.iter().map(|input| input.name.clone()).collect(),
        output: part.outputs.clone(),
        attribute: vec![plan],
        ..Default::default()
    }
}

/// Drops initializers that no node reads.
fn keep_used(graph: &mut pb::GraphProto) {
    let used: HashSet<&str> = graph.node.iter().flat_map(|node| &node.input).map(String::as_str).collect();
    graph.initializer.retain(|tensor| used.contains(tensor.name.as_str()));
}

/// A constant of these values.
fn reals(name: String, values: &[f32]) -> pb::TensorProto {
    pb::TensorProto {
        name,
        dims: vec![values.len() as i64],
        data_type: pb::tensor_proto::DataType::Float as i32,
        float_data: values.to_vec(),
        ..Default::default()
    }
}

fn named(name: &str) -> pb::ValueInfoProto {
    pb::ValueInfoProto { name: name.to_owned(), ..Default::default() }
}

/// A value of `[1, channels, rows, width]`, of any rows and width, or of one pixel.
fn image(input: &Input) -> pb::ValueInfoProto {
    let side = |value| pb::tensor_shape_proto::Dimension { value: Some(value), ..Default::default() };
    let fixed = |n: usize| side(dimension::Value::DimValue(n as i64));
    let free = |of: &str| match input.pixel {
        true => fixed(1),
        false => side(dimension::Value::DimParam(format!("{}.{of}", input.name))),
    };
    let shape = pb::TensorShapeProto { dim: vec![fixed(1), fixed(input.channels), free("rows"), free("width")] };
    let tensor = type_proto::Tensor { elem_type: pb::tensor_proto::DataType::Float as i32, shape: Some(shape) };
    let value = Some(type_proto::Value::TensorType(tensor));
    pb::ValueInfoProto { r#type: Some(pb::TypeProto { value, ..Default::default() }), ..named(&input.name) }
}
