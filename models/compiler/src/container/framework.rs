//! NNEF, with tract's operators of ONNX and those that are ours.

use std::any::TypeId;

use tract_nnef::internal::{FromTract, ModelBuilder, Nnef, Registry, ResolvedInvocation, Resource, TypeName, Value};
use tract_nnef::internal::{invocation, numeric};
use tract_nnef::ser::array;
use tract_onnx::WithOnnx;
use tract_onnx::tract_core::ops::nn::GeluExact;
use tract_onnx::tract_hir::internal::*;

use crate::bridge;
use crate::islands::operator::Operator;

/// The name of an island's fragment.
pub const ISLAND: &str = "microtome_island";

/// The resource that holds the islands.
pub const ISLANDS: &str = "islands";

/// The islands of a container, which its graph calls by their places.
#[derive(Clone, Debug)]
pub struct Islands(pub Vec<Operator>);

impl Resource for Islands {}

/// A reader of graphs whose islands are the resource [`ISLANDS`].
pub fn reader() -> Nnef {
    framework(registry())
}

/// A writer of graphs with these islands.
pub fn writer(islands: Vec<Operator>) -> Nnef {
    let mut registry = registry();
    let dump: FromTract = Box::new(move |ast, node| {
        let place = node.op_as::<Operator>().and_then(|op| islands.iter().position(|island| island == op));
        let place = place.ok_or_else(|| format_err!("an island that is not the model's"))?;
        let inputs: Vec<_> = node.inputs.iter().map(|input| ast.mapping[input].as_ref().clone()).collect();
        Ok(Some(invocation(ISLAND, &[], &[("inputs", array(inputs)), ("place", numeric(place))])))
    });
    registry.from_tract.insert(TypeId::of::<Operator>(), dump);
    framework(registry)
}

fn framework(registry: Registry) -> Nnef {
    let mut nnef = tract_nnef::nnef().with_onnx().with_registry(registry);
    // Names are ONNX's.
    nnef.allow_extended_identifier_syntax(true);
    nnef
}

fn registry() -> Registry {
    let mut registry = Registry::new("microtome");
    bridge::register(&mut registry);
    // tract finds it in graphs, but has no word for it.
    registry.register_unit_element_wise("microtome_gelu", &GeluExact {});
    let parameters = [TypeName::Scalar.tensor().array().named("inputs"), TypeName::Integer.named("place")];
    registry.register_primitive(ISLAND, &parameters, &[("output", TypeName::Scalar.tensor())], island);
    registry
}

fn island(builder: &mut ModelBuilder, call: &ResolvedInvocation) -> TractResult<Value> {
    let inputs: TVec<OutletId> = call.named_arg_as(builder, "inputs")?;
    let place: usize = call.named_arg_as(builder, "place")?;
    let islands = builder.proto_model.resources.get(ISLANDS).and_then(|all| all.downcast_ref::<Islands>());
    let operator = islands.and_then(|all| all.0.get(place)).cloned();
    builder.wire(operator.ok_or_else(|| format_err!("there is no island {place}"))?, &inputs)
}
