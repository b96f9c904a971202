//! A model, and its run by tract: the accuracy reference and the calibration's source (contract C5). It is read from an
//! ONNX file, or, once it is divided, from a [`container`](crate::container).
//!
//! tract runs the model for one concrete size of its inputs. Every value of the graph can be asked for, not only the
//! outputs: that is how the importer learns shapes and computed constants, and how calibration sees activations. What
//! tract panics about is caught here, at the boundary, and becomes an [`Error::Tract`].

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use prost::Message;
use sha2::{Digest, Sha256};
use tract_onnx::model::Onnx;
use tract_onnx::pb::{self, tensor_proto::DataLocation, tensor_shape_proto::dimension, type_proto};
use tract_onnx::prelude::*;
use tract_onnx::tract_hir::infer::InferenceModelExt;

use crate::bridge::{self, branches, check, functions, quantized, resize, sequences, widen};
use crate::container::{self, Container};
use crate::description::Description;
use crate::error::{Error, Result};
use crate::guard::guarded;
use crate::islands::operator;

/// Largest number of values in a float tensor that is taken, so that a mutated shape is an error and not an abort.
const MAX_VALUES: usize = 1 << 30;

/// The metadata of an ONNX file that holds its description.
const DESCRIPTION: &str = "microtome.description";

/// The metadata of an ONNX file that is compiled, though nothing of it was worth an island.
const FLOAT: &str = "microtome.float";

/// A dense tensor of real values, in ONNX's layout (NCHW for images).
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sides.
    pub shape: Vec<usize>,
    /// Values, the last side fastest.
    pub data: Vec<f32>,
}

impl Tensor {
    /// A tensor of this shape.
    ///
    /// # Errors
    /// The number of values does not fit the shape.
    pub fn new(shape: Vec<usize>, data: Vec<f32>) -> Result<Tensor> {
        let expected = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
        if expected != Some(data.len()) {
            return Err(Error::Model(format!("a tensor of shape {shape:?} cannot hold {} values", data.len())));
        }
        Ok(Tensor { shape, data })
    }
}

/// An input or output of a model: its name and its sides, `None` where they are free.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// ONNX's name.
    pub name: String,
    /// Sides; empty where the file does not tell.
    pub shape: Vec<Option<usize>>,
}

impl Port {
    /// The sides as `[1, 3, ?, ?]`.
    pub(crate) fn sides(&self) -> String {
        let side = |side: &Option<usize>| side.map_or("?".into(), |n| n.to_string());
        let sides: Vec<String> = self.shape.iter().map(side).collect();
        format!("[{}]", sides.join(", "))
    }
}

pub(crate) type Runnable = Arc<TypedRunnableModel>;

/// What a model was read from.
enum Source {
    Onnx { proto: Box<pb::ModelProto>, directory: Option<String> },
    Container(Box<Container>),
}

/// A model.
pub struct Model {
    source: Source,
    sha256: String,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// The last size that was run, ready to be run again.
    ready: Mutex<Option<(Vec<Vec<usize>>, Runnable)>>,
}

impl Model {
    /// Reads an ONNX file, and its external data where it has any, or a container.
    ///
    /// # Errors
    /// The file cannot be read, or is neither.
    pub fn load(path: impl AsRef<Path>) -> Result<Model> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| Error::Read { path: PathBuf::from(path), source })?;
        Model::parse(&bytes, path.parent())
    }

    /// Reads a model from memory; `directory` is where an ONNX model's external data lies, if it has any.
    ///
    /// # Errors
    /// The bytes are neither an ONNX model nor a container.
    pub fn parse(bytes: &[u8], directory: Option<&Path>) -> Result<Model> {
        if bytes.starts_with(&container::MAGIC) {
            let container = Container::parse(bytes)?;
            let (sha256, inputs, outputs) = (container.sha256().into(), container.inputs(), container.outputs());
            return Ok(Model {
                source: Source::Container(Box::new(container)),
                sha256,
                inputs,
                outputs,
                ready: Mutex::new(None),
            });
        }
        let proto = guarded("read the file", || tract_onnx::onnx().proto_model_for_read(&mut &bytes[..]))
            .map_err(|error| Error::NotOnnx(error.to_string()))?;
        Model::of(proto, directory.map(|d| d.to_string_lossy().into_owned()), hex(&Sha256::digest(bytes)))
    }

    fn of(mut proto: pb::ModelProto, directory: Option<String>, sha256: String) -> Result<Model> {
        let graph = proto.graph.as_ref().ok_or_else(|| Error::NotOnnx("it holds no graph".into()))?;
        if graph.node.is_empty() || graph.output.is_empty() {
            return Err(Error::NotOnnx("its graph has no nodes, or no outputs".into()));
        }
        check::opset(&proto)?;
        functions::inline(&mut proto)?;
        if let Some(graph) = &mut proto.graph {
            sequences::unpack(graph, |graph, name| constant(graph, name, directory.as_deref()));
        }
        let graph = proto.graph.as_ref().ok_or_else(|| Error::NotOnnx("it holds no graph".into()))?;
        check::graph(graph, directory.as_deref())?;
        let initialized: Vec<&str> = graph.initializer.iter().map(|t| t.name.as_str()).collect();
        let inputs = graph.input.iter().filter(|i| !initialized.contains(&i.name.as_str())).map(port).collect();
        let outputs = graph.output.iter().map(port).collect();
        let source = Source::Onnx { proto: Box::new(proto), directory };
        Ok(Model { source, sha256, inputs, outputs, ready: Mutex::new(None) })
    }

    /// The ONNX file, with what `Model::of` did to it.
    ///
    /// # Errors
    /// It was read from a container.
    pub(crate) fn proto(&self) -> Result<&pb::ModelProto> {
        match &self.source {
            Source::Onnx { proto, .. } => Ok(proto),
            Source::Container(_) => Err(Error::Model("it is compiled already: it holds islands, and no ONNX".into())),
        }
    }

    /// Its graph.
    ///
    /// # Errors
    /// It was read from a container.
    pub(crate) fn graph(&self) -> Result<&pb::GraphProto> {
        self.proto()?.graph.as_ref().ok_or_else(|| Error::NotOnnx("it holds no graph".into()))
    }

    /// Where an ONNX model's external data lies.
    pub(crate) fn directory(&self) -> Option<&str> {
        match &self.source {
            Source::Onnx { directory, .. } => directory.as_deref(),
            Source::Container(_) => None,
        }
    }

    /// A model whose graph is this one's, edited; it is known by the same file.
    pub(crate) fn edited(&self, edit: impl FnOnce(&mut pb::GraphProto)) -> Result<Model> {
        self.with_graph(|graph| {
            let mut graph = graph.clone();
            edit(&mut graph);
            graph
        })
    }

    /// A model whose graph is made of this one's; it is known by the same file.
    pub(crate) fn with_graph(&self, make: impl FnOnce(&pb::GraphProto) -> pb::GraphProto) -> Result<Model> {
        let from = self.proto()?;
        let proto = pb::ModelProto {
            ir_version: from.ir_version,
            opset_import: from.opset_import.clone(),
            producer_name: from.producer_name.clone(),
            producer_version: from.producer_version.clone(),
            domain: from.domain.clone(),
            model_version: from.model_version,
            doc_string: from.doc_string.clone(),
            graph: from.graph.as_ref().map(make),
            metadata_props: from.metadata_props.clone(),
            training_info: Vec::new(),
            functions: from.functions.clone(),
        };
        Model::of(proto, self.directory().map(String::from), self.sha256.clone())
    }

    /// Inputs that must be given.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// The place among the inputs of the image: the first that has, or may have, `[1, channels, rows, width]`.
    ///
    /// # Errors
    /// There is none.
    pub fn image(&self) -> Result<usize> {
        self.inputs.iter().position(|port| port.shape.len() == 4).ok_or_else(|| {
            let [port, ..] = &self.inputs[..] else { return Error::Model("it has no input".into()) };
            let (name, sides) = (&port.name, port.sides());
            Error::Model(format!("input `{name}` is {sides}, expected [1, channels, rows, width]"))
        })
    }

    /// Outputs.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Whether it was [divided](crate::islands): it holds islands, or it is known that none is worth it.
    pub fn is_divided(&self) -> bool {
        let Source::Onnx { proto, .. } = &self.source else { return true };
        proto.metadata_props.iter().any(|entry| entry.key == FLOAT) || self.has_islands()
    }

    fn has_islands(&self) -> bool {
        self.nodes().any(|node| node.op_type == operator::NAME)
    }

    /// The description that the file carries, if it does.
    ///
    /// # Errors
    /// It is wrong.
    pub fn description(&self) -> Result<Option<Description>> {
        self.toml().map(Description::parse).transpose()
    }

    /// The text of the description that the file carries, if it does.
    pub fn toml(&self) -> Option<&str> {
        match &self.source {
            Source::Onnx { proto, .. } => {
                let found = proto.metadata_props.iter().find(|entry| entry.key == DESCRIPTION);
                found.map(|entry| entry.value.as_str())
            }
            Source::Container(container) => container.toml(),
        }
    }

    /// The bytes of an ONNX file of this model, which carries the description `toml`, and all weights.
    ///
    /// # Errors
    /// It was read from a container, or weights that lie in another file cannot be read.
    pub fn to_onnx(&self, toml: &str) -> Result<Vec<u8>> {
        let mut proto = self.proto()?.clone();
        proto.metadata_props.retain(|entry| entry.key != DESCRIPTION);
        proto.metadata_props.push(pb::StringStringEntryProto { key: DESCRIPTION.into(), value: toml.into() });
        let domain = operator::DOMAIN;
        if self.has_islands() && !proto.opset_import.iter().any(|opset| opset.domain == domain) {
            proto.opset_import.push(pb::OperatorSetIdProto { domain: domain.into(), version: 1 });
        }
        for tensor in proto.graph.iter_mut().flat_map(|graph| &mut graph.initializer) {
            if tensor.data_location == Some(DataLocation::External as i32) {
                tensor.raw_data = initializer(tensor, self.directory())?.as_bytes().to_vec();
                tensor.external_data.clear();
                tensor.data_location = None;
            }
        }
        Ok(proto.encode_to_vec())
    }

    /// The model as one of which nothing is worth an island, so that it need not be divided again.
    pub(crate) fn in_float(&self) -> Result<Model> {
        let mut model = self.edited(|_| {})?;
        let entry = pb::StringStringEntryProto { key: FLOAT.into(), value: "nothing is worth an island".into() };
        if let Source::Onnx { proto, .. } = &mut model.source {
            proto.metadata_props.push(entry);
        }
        Ok(model)
    }

    /// SHA-256 of the file, in hexadecimal.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// Runs the model in float through tract, with one tensor per input, and returns one per output. The optimized
    /// model is kept for the next call with inputs of the same shapes.
    ///
    /// # Errors
    /// tract cannot run the model on inputs of these shapes.
    pub fn run_float(&self, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
        let runnable = self.runnable(inputs)?;
        run(&runnable, inputs)?.iter().map(real).collect()
    }

    /// The optimized model for inputs of these shapes, which is kept.
    pub(crate) fn runnable(&self, inputs: &[Tensor]) -> Result<Runnable> {
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|t| t.shape.clone()).collect();
        let kept = self.ready.lock().ok().and_then(|ready| ready.clone());
        match kept {
            Some((of, runnable)) if of == shapes => Ok(runnable),
            _ => {
                let runnable = self.prepare(&shapes, None)?;
                if let Ok(mut ready) = self.ready.lock() {
                    *ready = Some((shapes, Arc::clone(&runnable)));
                }
                Ok(runnable)
            }
        }
    }

    /// The model with other values as its outputs, for inputs of these shapes.
    pub(crate) fn values(&self, shapes: &[Vec<usize>], names: &[String]) -> Result<Values> {
        Ok(Values { runnable: self.prepare(shapes, Some(names))?, names: names.to_vec() })
    }

    /// The type of an input: integers, as timesteps are, stay integers; f16 becomes f32 here as everywhere.
    pub(crate) fn datum_type(&self, input: &str) -> DatumType {
        let graph = self.graph().ok();
        let info = graph.into_iter().flat_map(|graph| &graph.input).find(|info| info.name == input);
        let value = info.and_then(|info| info.r#type.as_ref()?.value.as_ref());
        let Some(type_proto::Value::TensorType(tensor)) = value else { return f32::datum_type() };
        let kind = pb::tensor_proto::DataType::try_from(tensor.elem_type).ok();
        let kind = kind.filter(|kind| !widen::is_narrow(*kind as i32));
        kind.and_then(|kind| DatumType::try_from(kind).ok()).unwrap_or(f32::datum_type())
    }

    /// # Errors
    /// Inputs of these shapes are not the model's, or too large.
    pub(crate) fn fits(&self, shapes: &[Vec<usize>]) -> Result<()> {
        if shapes.len() != self.inputs.len() {
            let (found, expected) = (shapes.len(), self.inputs.len());
            return Err(Error::Model(format!("{found} inputs were given, the model takes {expected}")));
        }
        for (shape, port) in shapes.iter().zip(&self.inputs) {
            let fits = |(found, expected): (&usize, &Option<usize>)| expected.is_none_or(|e| e == *found);
            let sides = port.shape.is_empty() || port.shape.len() == shape.len();
            let values = shape.iter().try_fold(1usize, |n, &side| n.checked_mul(side));
            if !sides || !shape.iter().zip(&port.shape).all(fits) || values.is_none_or(|n| n > MAX_VALUES) {
                let (name, expected) = (&port.name, port.sides());
                let most = if values.is_none_or(|n| n > MAX_VALUES) { ", and at most 2^30 values" } else { "" };
                return Err(Error::Model(format!("input `{name}` is {shape:?}, expected {expected}{most}")));
            }
        }
        Ok(())
    }

    fn prepare(&self, shapes: &[Vec<usize>], outputs: Option<&[String]>) -> Result<Runnable> {
        self.fits(shapes)?;
        if let Source::Container(container) = &self.source {
            return container.prepare(shapes);
        }
        let typed = self.typed(shapes, outputs)?;
        guarded("prepare the model", || resize::by_factors(typed)?.into_optimized()?.into_runnable())
    }

    /// tract's model of an ONNX file, decluttered, for inputs of these shapes; with other values as its outputs, if they are
    /// given.
    pub(crate) fn typed(&self, shapes: &[Vec<usize>], outputs: Option<&[String]>) -> Result<TypedModel> {
        let mut proto = self.proto()?.clone();
        if let (Some(names), Some(graph)) = (outputs, proto.graph.as_mut()) {
            graph.output =
                names.iter().map(|name| pb::ValueInfoProto { name: name.clone(), ..Default::default() }).collect();
        }
        let onnx = bridge::onnx();
        guarded("prepare the model", || {
            if let Some(graph) = &mut proto.graph {
                quantized::unfold(graph);
                widen::widen(graph, &|tensor| load(tensor, self.directory()))?;
            }
            let sized = |proto: &pb::ModelProto| self.sized(&onnx, proto, shapes);
            branches::take(&mut proto, |asked| answers(sized(asked)?))?;
            sized(&proto)?.into_typed()?.into_decluttered()
        })
    }

    /// Whether the file tells how its values are quantized, so that no samples are needed for it.
    pub fn is_quantized(&self) -> bool {
        self.nodes().any(|node| node.op_type == "QuantizeLinear")
    }

    fn nodes(&self) -> impl Iterator<Item = &pb::NodeProto> {
        self.graph().into_iter().flat_map(|graph| &graph.node)
    }

    /// A model of tract's for inputs of these shapes.
    fn sized(&self, onnx: &Onnx, proto: &pb::ModelProto, shapes: &[Vec<usize>]) -> TractResult<InferenceModel> {
        let mut model = onnx.parse(proto, self.directory())?.model;
        for (shape, port) in shapes.iter().zip(&self.inputs) {
            let outlets = model.input_outlets()?.to_vec();
            let place = outlets.iter().position(|o| model.node(o.node).name == port.name);
            let fact = InferenceFact::dt_shape(self.datum_type(&port.name), shape);
            model.set_input_fact(place.unwrap_or(0), fact)?;
        }
        Ok(model)
    }
}

/// The truth values among the outputs of a model that are known before it runs.
fn answers(model: InferenceModel) -> TractResult<Vec<Option<bool>>> {
    let model = model.into_typed()?.into_decluttered()?;
    let facts = (0..model.output_outlets()?.len()).map(|output| model.output_fact(output));
    facts.map(|fact| fact?.konst.as_ref().map(|value| value.cast_to_scalar::<bool>()).transpose()).collect()
}

/// The integers of an initializer, or of a Constant, and how many sides they have.
fn constant(graph: &pb::GraphProto, name: &str, directory: Option<&str>) -> Option<(Vec<i64>, usize)> {
    let made = || graph.node.iter().find(|node| node.op_type == "Constant" && node.output.iter().any(|o| o == name));
    let stored = graph.initializer.iter().find(|tensor| tensor.name == name);
    let tensor = stored.or_else(|| made()?.attribute.iter().find_map(|attribute| attribute.t.as_ref()))?;
    let tensor = initializer(tensor, directory).ok()?;
    Some((integers(&tensor).ok()?, tensor.rank()))
}

/// A model that hands out chosen values of its graph.
pub(crate) struct Values {
    runnable: Runnable,
    names: Vec<String>,
}

impl Values {
    /// The values' tensors by name, in tract's own types (shape arithmetic is integer).
    pub fn run(&self, inputs: &[Tensor]) -> Result<HashMap<String, Arc<tract_onnx::prelude::Tensor>>> {
        let values = run(&self.runnable, inputs)?;
        Ok(self.names.iter().cloned().zip(values.into_iter().map(TValue::into_arc_tensor)).collect())
    }
}

fn run(runnable: &Runnable, inputs: &[Tensor]) -> Result<TVec<TValue>> {
    guarded("run the model", || runnable.run(tensors(runnable, inputs)?))
}

/// Inputs as tract's, of the types that the model takes.
pub(crate) fn tensors(runnable: &Runnable, inputs: &[Tensor]) -> TractResult<TVec<TValue>> {
    let tensor = |(index, t): (usize, &Tensor)| {
        let kind = runnable.model().input_fact(index)?.datum_type;
        let tensor = tract_onnx::prelude::Tensor::from_shape(&t.shape, &t.data)?;
        let tensor = if kind == f32::datum_type() { tensor } else { tensor.cast_to_dt(kind)?.into_owned() };
        Ok(tensor.into_tvalue())
    };
    inputs.iter().enumerate().map(tensor).collect()
}

/// A tract tensor as real values.
pub(crate) fn real(value: &TValue) -> Result<Tensor> {
    reals(value)
}

/// A tract tensor as real values.
pub(crate) fn reals(value: &tract_onnx::prelude::Tensor) -> Result<Tensor> {
    guarded("convert a value to float", || {
        let cast = value.cast_to::<f32>()?;
        let view = cast.to_plain_array_view::<f32>()?;
        let data = view.as_slice().map_or_else(|| view.iter().copied().collect(), <[f32]>::to_vec);
        Ok(Tensor { shape: value.shape().to_vec(), data })
    })
}

/// A tract tensor as integers.
pub(crate) fn integers(value: &tract_onnx::prelude::Tensor) -> Result<Vec<i64>> {
    guarded("convert a value to integers", || bridge::integers(value))
}

fn load(proto: &pb::TensorProto, directory: Option<&str>) -> TractResult<tract_onnx::prelude::Tensor> {
    tract_onnx::tensor::load_tensor(&tract_onnx::data_resolver::MmapDataResolver, proto, directory)
}

/// An initializer's tensor.
pub(crate) fn initializer(proto: &pb::TensorProto, directory: Option<&str>) -> Result<tract_onnx::prelude::Tensor> {
    guarded("read an initializer", || load(proto, directory))
}

fn port(info: &pb::ValueInfoProto) -> Port {
    let Some(type_proto::Value::TensorType(tensor)) = info.r#type.as_ref().and_then(|t| t.value.as_ref()) else {
        return Port { name: info.name.clone(), shape: Vec::new() };
    };
    let side = |d: &pb::tensor_shape_proto::Dimension| match d.value {
        Some(dimension::Value::DimValue(n)) if n > 0 => Some(n as usize),
        _ => None,
    };
    let shape = tensor.shape.as_ref().map(|s| s.dim.iter().map(side).collect()).unwrap_or_default();
    Port { name: info.name.clone(), shape }
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
