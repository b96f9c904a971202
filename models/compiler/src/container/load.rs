//! A container's bytes to tract's graph, ready to run.

use std::collections::HashMap;
use std::sync::Arc;

use tract_nnef::ProtoModel;
use tract_nnef::ast::parse::parse_document;
use tract_nnef::ast::{Document, Identifier};
use tract_nnef::internal::Resource;
use tract_nnef::tensors::read_tensor;
use tract_onnx::prelude::*;

use super::envelope::{self, Kind};
use super::facts::Facts;
use super::framework::{self, ISLANDS, Islands};
use super::{NAME, symbols};
use crate::bridge::resize;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::islands::operator::Operator;
use crate::model::Port;

/// A container, read and checked; its graph is built for the size of a frame.
pub struct Container {
    toml: String,
    facts: Facts,
    graph: Document,
    tensors: HashMap<Identifier, Arc<Tensor>>,
    islands: Islands,
}

impl Container {
    /// Reads a container.
    ///
    /// # Errors
    /// The bytes are no container, or a damaged one.
    pub fn parse(bytes: &[u8]) -> Result<Container> {
        let sections = envelope::parse(bytes)?;
        let facts = Facts::parse(text(&sections, Kind::Facts)?)?;
        let graph = text(&sections, Kind::Graph)?;
        let graph = guarded("read the graph", || parse_document(graph))?;
        let all = |kind: Kind| sections.iter().filter(move |section| section.0 == kind).map(|section| section.1);
        let count = all(Kind::Tensor).count();
        if count != facts.tensors.len() {
            let expected = facts.tensors.len();
            return Err(Error::Container(format!("it holds {count} tensors, and names {expected}")));
        }
        let tensors = guarded("read the weights", || {
            let named = facts.tensors.iter().zip(all(Kind::Tensor));
            named.map(|(label, bytes)| Ok((Identifier(label.clone()), tensor(label, bytes, &facts)?))).collect()
        })?;
        let islands = Islands(all(Kind::Plan).map(Operator::new).collect::<Result<_>>()?);
        Ok(Container { toml: text(&sections, Kind::Description)?.to_owned(), facts, graph, tensors, islands })
    }

    /// SHA-256 of the ONNX file that it was made of, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.facts.sha256
    }

    /// The text of the description, if there is one.
    pub fn toml(&self) -> Option<&str> {
        Some(self.toml.as_str()).filter(|text| !text.is_empty())
    }

    /// Inputs.
    pub fn inputs(&self) -> Vec<Port> {
        self.facts.inputs.iter().map(super::facts::Value::port).collect()
    }

    /// Outputs.
    pub fn outputs(&self) -> Vec<Port> {
        self.facts.outputs.iter().map(super::facts::Value::port).collect()
    }

    /// tract's model for inputs of these shapes, which fit the ports.
    ///
    /// # Errors
    /// A frame is of another size than it takes, or tract cannot build its graph.
    pub fn prepare(&self, shapes: &[Vec<usize>]) -> Result<Arc<TypedRunnableModel>> {
        let mut doc = self.graph.clone();
        if let Some(frames) = &self.facts.frames {
            symbols::replace(&mut doc, frames.count(shapes.get(frames.input).map_or(&[], Vec::as_slice))?);
        }
        let islands: Arc<dyn Resource> = Arc::new(self.islands.clone());
        let proto = ProtoModel {
            doc,
            tensors: self.tensors.clone(),
            quantization: None,
            resources: HashMap::from([(ISLANDS.to_owned(), islands)]),
        };
        guarded("prepare the model", || {
            let mut typed = framework::reader().translate(&proto, TypedModel::default()).map_err(|(_, error)| error)?;
            self.rename(&mut typed);
            resize::by_factors(typed)?.into_optimized()?.into_runnable()
        })
    }

    /// Gives nodes the names again that they had.
    fn rename(&self, model: &mut TypedModel) {
        for node in &mut model.nodes {
            let Some(rest) = node.name.strip_prefix(NAME) else { continue };
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            if let Some(name) = rest[..digits].parse().ok().and_then(|place: usize| self.facts.names.get(place)) {
                node.name = format!("{name}{}", &rest[digits..]);
            }
        }
    }
}

/// The only section of its kind, which is a text.
pub fn text<'a>(sections: &[(Kind, &'a [u8])], kind: Kind) -> Result<&'a str> {
    let mut found = sections.iter().filter(|section| section.0 == kind);
    let (Some((_, bytes)), None) = (found.next(), found.next()) else {
        return Err(Error::Container(format!("it has none, or several, of the section {kind:?}")));
    };
    std::str::from_utf8(bytes).map_err(|_| Error::Container(format!("the section {kind:?} is not UTF-8")))
}

fn tensor(label: &String, bytes: &[u8], facts: &Facts) -> TractResult<Arc<Tensor>> {
    let tensor = read_tensor(bytes)?;
    if facts.halved.contains(label) {
        return Ok(tensor.cast_to::<f32>()?.into_owned().into_arc_tensor());
    }
    Ok(tensor.into_arc_tensor())
}
