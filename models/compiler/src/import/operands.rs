//! What a node's inputs hold besides activations: constants, computed sizes, types.

use tract_onnx::pb::{self, tensor_proto::DataType};

use super::attributes::ints;
use super::{Importer, refuse};
use crate::error::Result;
use crate::model::{self, Tensor};

impl Importer<'_> {
    /// An initializer, or what the probe computed.
    pub(super) fn constant(&self, node: &pb::NodeProto, index: usize) -> Result<Option<Tensor>> {
        let Some(name) = node.input.get(index).filter(|n| !n.is_empty()) else { return Ok(None) };
        if self.env.contains_key(name) {
            return Err(refuse(
                node,
                format!("its input {index} (`{name}`) is computed from the image, expected a constant"),
            ));
        }
        let tensor = match self.initializer(name)? {
            Some(raw) => model::reals(&raw)?,
            None => self.probe.constant(name).map_err(|e| refuse(node, e.to_string()))?,
        };
        Ok(Some(tensor))
    }

    pub(super) fn initializer(&self, name: &str) -> Result<Option<tract_onnx::prelude::Tensor>> {
        let proto = self.graph.initializer.iter().find(|t| t.name == name);
        proto.map(|t| model::initializer(t, self.model.directory())).transpose()
    }

    /// The integers of input `index` at every size that was tried.
    pub(super) fn integers(&self, node: &pb::NodeProto, index: usize) -> Result<Option<Vec<Vec<i64>>>> {
        let Some(name) = node.input.get(index).filter(|n| !n.is_empty()) else { return Ok(None) };
        Ok(Some(match self.initializer(name)? {
            Some(raw) => vec![model::integers(&raw)?; self.probe.count()],
            None => self.probe.integers(name)?,
        }))
    }

    /// Integers from an input or, in older opsets, an attribute; the same at every size.
    pub(super) fn fixed_integers(
        &self,
        node: &pb::NodeProto,
        index: usize,
        attribute: &str,
    ) -> Result<Option<Vec<i64>>> {
        if let Some(values) = ints(node, attribute) {
            return Ok(Some(values));
        }
        match self.integers(node, index)?.as_deref() {
            None => Ok(None),
            Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => Ok(Some(first.clone())),
            Some(_) => Err(refuse(node, format!("its {attribute} depend on the input's size"))),
        }
    }

    /// The element type of an initializer or Constant behind input `index`.
    pub(super) fn element_type(&self, node: &pb::NodeProto, index: usize) -> Option<DataType> {
        let name = node.input.get(index).filter(|n| !n.is_empty())?;
        let initializer = self.graph.initializer.iter().find(|t| t.name == *name);
        let constant = || {
            let maker = self.graph.node.iter().find(|n| n.output.contains(name))?;
            maker.attribute.iter().find_map(|a| a.t.as_ref())
        };
        DataType::try_from(initializer.or_else(constant)?.data_type).ok()
    }

    pub(super) fn opset(&self) -> i64 {
        let mut imports = self.model.proto().into_iter().flat_map(|proto| &proto.opset_import);
        imports.find(|o| o.domain.is_empty() || o.domain == "ai.onnx").map_or(0, |o| o.version)
    }
}
