//! What is in a container, for people.

use std::collections::BTreeMap;
use std::fmt;

use microtome_core::Plan;
use serde::Serialize;
use tract_nnef::ast::parse::parse_document;
use tract_nnef::ast::{Document, RValue};

use super::envelope::{self, Kind};
use super::facts::{Facts, Frames, Value};
use super::framework::ISLAND;
use super::load::text;
use crate::error::Result;
use crate::guard::guarded;

/// See the fields.
#[derive(Clone, Debug, Serialize)]
pub struct Contents {
    /// Bytes of the file.
    pub bytes: usize,
    /// SHA-256 of the ONNX file that it was made of, in hexadecimal.
    pub sha256: String,
    /// Which frames it takes; `None` where that is said by the inputs' shapes.
    pub frames: Option<Frames>,
    /// Inputs; free sides are 0.
    pub inputs: Vec<Value>,
    /// Outputs; free sides are 0.
    pub outputs: Vec<Value>,
    /// Islands, in order.
    pub islands: Vec<Inlet>,
    /// What tract runs in float: NNEF's names of operators, and how many there are.
    pub left: BTreeMap<String, usize>,
    /// Bytes of what tract reads: the graph's text, and its tensors.
    pub graph: usize,
    /// See `graph`.
    pub tensors: usize,
}

/// An island.
#[derive(Clone, Debug, Serialize)]
pub struct Inlet {
    /// Bytes of its plan.
    pub bytes: usize,
    /// How many operators it has.
    pub operators: usize,
}

impl Contents {
    /// Reads the bytes of a container.
    ///
    /// # Errors
    /// They are none, or a damaged one.
    pub fn of(file: &[u8]) -> Result<Contents> {
        let sections = envelope::parse(file)?;
        let Facts { sha256, frames, inputs, outputs, .. } = Facts::parse(text(&sections, Kind::Facts)?)?;
        let graph = text(&sections, Kind::Graph)?;
        let document = guarded("read the graph", || parse_document(graph))?;
        let all = |kind: Kind| sections.iter().filter(move |section| section.0 == kind).map(|section| section.1);
        let island = |plan: &[u8]| Ok(Inlet { bytes: plan.len(), operators: Plan::parse(plan)?.operators().count() });
        Ok(Contents {
            bytes: file.len(),
            sha256,
            frames,
            inputs,
            outputs,
            islands: all(Kind::Plan).map(island).collect::<Result<_>>()?,
            left: operators(&document),
            graph: graph.len(),
            tensors: all(Kind::Tensor).map(<[u8]>::len).sum(),
        })
    }
}

/// How often each operator is called, but for islands, inputs and constants.
fn operators(document: &Document) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for assignment in &document.graph_def.body {
        if let RValue::Invocation(call) = &assignment.right
            && ![ISLAND, "variable", "external", "tract_core_external"].contains(&call.id.0.as_str())
        {
            let name = ["tract_core_", "tract_onnx_"].iter().find_map(|prefix| call.id.0.strip_prefix(prefix));
            *counts.entry(name.unwrap_or(&call.id.0).to_owned()).or_default() += 1;
        }
    }
    counts
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (islands, left) = (self.islands.len(), self.left.values().sum::<usize>());
        writeln!(f, "{islands} islands in int8, {left} operators in float; {} bytes", self.bytes)?;
        for (what, values) in [("takes", &self.inputs), ("makes", &self.outputs)] {
            for Value { name, shape } in values {
                let side = |side: &usize| if *side == 0 { "?".to_owned() } else { side.to_string() };
                let sides: Vec<String> = shape.iter().map(side).collect();
                writeln!(f, "  {what} `{name}` [{}]", sides.join(", "))?;
            }
        }
        if let Some(frames) = &self.frames {
            writeln!(f, "  frames: {frames}")?;
        }
        for (index, Inlet { bytes, operators }) in self.islands.iter().enumerate() {
            writeln!(f, "  island {index}: {operators} operators, a plan of {bytes} bytes")?;
        }
        for (name, count) in &self.left {
            writeln!(f, "  float: {count} {name}")?;
        }
        write!(f, "  tract's graph: {} bytes, and {} of weights", self.graph, self.tensors)
    }
}
