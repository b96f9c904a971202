//! Divided models as containers: the same values as from ONNX, and a sentence for every file that is none.

mod common;

use microtome_compiler::container::{self, Contents};
use microtome_compiler::islands::divide;
use microtome_compiler::{Model, Tensor};
use tract_onnx::pb::{self, attribute_proto::AttributeType, tensor_proto::DataType};

/// In islands, calibrated on these samples.
fn divided(model: &Model, samples: &[Vec<Tensor>]) -> Model {
    let division = divide(model).unwrap();
    println!("{division}");
    division.compile(model, samples, |_| {}).unwrap()
}

fn images(channels: usize, rows: usize, width: usize) -> Vec<Vec<Tensor>> {
    common::images(channels, rows, width, 3).into_iter().map(|image| vec![image]).collect()
}

fn shapes(inputs: &[Tensor]) -> Vec<Vec<usize>> {
    inputs.iter().map(|input| input.shape.clone()).collect()
}

/// The container of a model, for all sizes or for this one.
fn packed(model: &Model, shapes: &[Vec<usize>], frame: Option<[usize; 2]>) -> (Vec<u8>, Contents) {
    let file = container::write(model, "[output]\nmin_area = 3\n", shapes, frame).unwrap_or_else(|e| panic!("{e}"));
    let contents = Contents::of(&file).unwrap();
    println!("{contents}");
    (file, contents)
}

/// Holds a container to the model that it was made of.
fn same(model: &Model, loaded: &Model, inputs: &[Tensor]) {
    let (expected, found) = (model.run_float(inputs).unwrap(), loaded.run_float(inputs).unwrap());
    assert_eq!(expected.len(), found.len());
    for (expected, found) in expected.iter().zip(&found) {
        assert_eq!(expected.shape, found.shape);
        let largest = expected.data.iter().fold(0f32, |most, value| most.max(value.abs()));
        let off = expected.data.iter().zip(&found.data).fold(0f32, |most, (a, b)| most.max((a - b).abs()));
        assert!(largest > 0.0 && off <= 1e-6 * largest, "off by {off} of {largest}, {:?}", shapes(inputs));
    }
}

#[test]
fn attention_takes_frames_of_all_sizes() {
    let model = common::load("family/attention");
    let samples = images(1, 64, 80);
    let divided = divided(&model, &samples);
    let (file, contents) = packed(&divided, &shapes(&samples[0]), None);
    assert_eq!(contents.islands.len(), 2);
    assert_eq!(contents.frames.as_ref().unwrap().multiple, [4; 2]);
    assert!(contents.left.contains_key("softmax"), "{contents}");
    let loaded = Model::parse(&file, None).unwrap();
    assert_eq!(loaded.toml(), Some("[output]\nmin_area = 3\n"));
    assert_eq!(loaded.inputs(), divided.inputs());
    assert_eq!(loaded.sha256(), divided.sha256());
    for [rows, width] in [[32, 48], [4, 8], [100, 36], [64, 80]] {
        same(&divided, &loaded, &common::images(1, rows, width, 1));
    }
    let error = loaded.run_float(&common::images(1, 30, 48, 1)).unwrap_err().to_string();
    assert!(error.contains("a multiple of 4"), "{error}");
    // The same, of one size.
    let (file, contents) = packed(&divided, &shapes(&samples[0]), Some([30, 48]));
    assert_eq!((contents.frames, &contents.inputs[0].shape[..]), (None, &[1, 1, 32, 48][..]));
    let loaded = Model::parse(&file, None).unwrap();
    same(&divided, &loaded, &common::images(1, 32, 48, 1));
    let error = loaded.run_float(&common::images(1, 64, 80, 1)).unwrap_err().to_string();
    assert!(error.contains("[1, 1, 64, 80], expected [1, 1, 32, 48]"), "{error}");
}

/// A node of one output, its name.
fn node(operator: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) -> pb::NodeProto {
    let attribute = |&(name, ints): &(&str, &[i64])| pb::AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints as i32,
        ints: ints.to_vec(),
        ..Default::default()
    };
    pb::NodeProto {
        op_type: operator.into(),
        name: output.into(),
        input: inputs.iter().map(|&name| name.to_owned()).collect(),
        output: vec![output.into()],
        attribute: attributes.iter().map(attribute).collect(),
        ..Default::default()
    }
}

/// A convolution of 3x3, padded by one.
fn conv(inputs: &[&str], output: &str) -> pb::NodeProto {
    node("Conv", inputs, output, &[("pads", &[1; 4]), ("kernel_shape", &[3; 2])])
}

fn weights(name: &str, dims: &[i64]) -> pb::TensorProto {
    let count = dims.iter().product::<i64>();
    let float_data = (0..count).map(|i| (0.7 * i as f32 + dims[0] as f32).sin() * 0.3).collect();
    let data_type = DataType::Float as i32;
    pb::TensorProto { name: name.into(), dims: dims.to_vec(), data_type, float_data, ..Default::default() }
}

fn integers(name: &str, values: &[i64], rank: usize) -> pb::TensorProto {
    let (dims, data_type) = (vec![values.len() as i64; rank], DataType::Int64 as i32);
    pb::TensorProto { name: name.into(), dims, data_type, int64_data: values.to_vec(), ..Default::default() }
}

/// A model of an `image` of one channel, and of `mask`.
fn model(nodes: Vec<pb::NodeProto>, initializer: Vec<pb::TensorProto>, sides: Option<[i64; 2]>) -> Model {
    use prost::Message;
    use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value};
    let named = |name: &str| Value::DimParam(name.into());
    let free = [named("rows"), named("width")];
    let sides = sides.map_or(free, |sides| sides.map(Value::DimValue));
    let dims = [Value::DimValue(1), Value::DimValue(1)].into_iter().chain(sides);
    let dim = dims.map(|value| Dimension { value: Some(value), ..Default::default() }).collect();
    let shape = Some(pb::TensorShapeProto { dim });
    let tensor = pb::type_proto::Tensor { elem_type: DataType::Float as i32, shape };
    let value = Some(pb::type_proto::Value::TensorType(tensor));
    let kind = Some(pb::TypeProto { value, ..Default::default() });
    let graph = pb::GraphProto {
        node: nodes,
        initializer,
        input: vec![pb::ValueInfoProto { name: "image".into(), r#type: kind, ..Default::default() }],
        output: vec![pb::ValueInfoProto { name: "mask".into(), ..Default::default() }],
        ..Default::default()
    };
    let proto = pb::ModelProto {
        ir_version: 8,
        opset_import: vec![pb::OperatorSetIdProto { domain: String::new(), version: 18 }],
        graph: Some(graph),
        ..Default::default()
    };
    Model::parse(&proto.encode_to_vec(), None).unwrap()
}

#[test]
fn convolutions_around_a_sum_that_no_plan_has() {
    let nodes = vec![
        conv(&["image", "w0"], "first"),
        conv(&["first", "w1"], "second"),
        node("CumSum", &["second", "axis"], "sum's \"own\\name\"", &[]),
        node("Expand", &["sum's \"own\\name\"", "ones"], "expanded", &[]),
        conv(&["expanded", "w1"], "third"),
        conv(&["third", "w1"], "fourth"),
        conv(&["fourth", "w2"], "mask"),
    ];
    let weights = vec![
        weights("w0", &[16, 1, 3, 3]),
        weights("w1", &[16, 16, 3, 3]),
        weights("w2", &[2, 16, 3, 3]),
        integers("axis", &[3], 0),
        integers("ones", &[1; 4], 1),
    ];
    let samples = images(1, 48, 64);
    let divided = divided(&model(nodes, weights, None), &samples);
    let (file, contents) = packed(&divided, &shapes(&samples[0]), None);
    assert_eq!(contents.islands.len(), 2);
    assert_eq!(contents.frames.as_ref().unwrap().multiple, [1; 2]);
    assert_eq!((contents.left["cumsum"], contents.left["microtome_screen"]), (1, 1));
    let loaded = Model::parse(&file, None).unwrap();
    for [rows, width] in [[48, 64], [31, 7], [3, 101]] {
        same(&divided, &loaded, &common::images(1, rows, width, 1));
    }
}

#[test]
fn blocks_that_are_summed_at_one_size() {
    let nodes = vec![
        conv(&["image", "w0"], "first"),
        conv(&["first", "w1"], "second"),
        node("Reshape", &["second", "columns"], "blocks", &[]),
        node("Col2Im", &["blocks", "sides", "block"], "summed", &[("strides", &[2, 2])]),
        conv(&["summed", "w2"], "mask"),
    ];
    let weights = vec![
        weights("w0", &[16, 1, 3, 3]),
        weights("w1", &[16, 16, 3, 3]),
        weights("w2", &[2, 4, 3, 3]),
        integers("columns", &[1, 16, 256], 1),
        integers("sides", &[32, 32], 1),
        integers("block", &[2, 2], 1),
    ];
    let samples = images(1, 16, 16);
    let divided = divided(&model(nodes, weights, Some([16, 16])), &samples);
    let (file, contents) = packed(&divided, &shapes(&samples[0]), None);
    assert_eq!((contents.islands.is_empty(), contents.frames), (false, None));
    assert_eq!(contents.left["microtome_col2im"], 1);
    same(&divided, &Model::parse(&file, None).unwrap(), &common::images(1, 16, 16, 1));
}

#[test]
fn networks_of_several_inputs() {
    for name in ["ddpm", "condition"] {
        let model = common::load(&format!("family/{name}"));
        let channels = model.inputs()[0].shape[1].unwrap();
        let inputs = |time: f32, seed: usize| {
            let image = common::images(channels, 16, 16, seed + 1).remove(seed);
            let hidden = common::images(1, 3, 8, seed + 1).remove(seed).data;
            let time = Tensor::new(vec![1], vec![time]).unwrap();
            let all = vec![image, time, Tensor::new(vec![1, 3, 8], hidden).unwrap()];
            all.into_iter().take(model.inputs().len()).collect::<Vec<_>>()
        };
        let divided = divided(&model, &[inputs(3.0, 0), inputs(500.0, 1)]);
        let (file, contents) = packed(&divided, &shapes(&inputs(3.0, 0)), None);
        assert_eq!(contents.inputs.len(), model.inputs().len(), "{name}");
        let loaded = Model::parse(&file, None).unwrap();
        same(&divided, &loaded, &inputs(321.0, 2));
        let [early, late] = [20.0, 900.0].map(|time| loaded.run_float(&inputs(time, 2)).unwrap().remove(0));
        assert!(early != late, "{name}: the timestep counts");
    }
}

#[test]
fn weights_that_f16_holds_are_stored_in_it() {
    let rounded = |name: &str, dims: &[i64]| {
        let mut tensor = weights(name, dims);
        tensor.float_data.iter_mut().for_each(|value| *value = (*value * 64.0).round() / 64.0);
        tensor
    };
    let net = |w: pb::TensorProto| {
        let nodes = vec![node("CumSum", &["image", "axis"], "sum", &[]), conv(&["sum", "w"], "mask")];
        model(nodes, vec![w, integers("axis", &[3], 0)], None)
    };
    let shapes = [vec![1, 1, 20, 24]];
    let whole = net(weights("w", &[64, 1, 3, 3]));
    let half = net(rounded("w", &[64, 1, 3, 3]));
    let [whole_file, half_file] = [&whole, &half].map(|model| packed(model, &shapes, None).0);
    assert!(half_file.len() + 2 * 64 * 9 - 64 < whole_file.len(), "{} {}", half_file.len(), whole_file.len());
    same(&half, &Model::parse(&half_file, None).unwrap(), &common::images(1, 20, 24, 1));
}

#[test]
fn what_is_no_container_is_said_in_one_sentence() {
    let model = common::load("family/attention");
    let samples = images(1, 64, 80);
    let (file, _) = packed(&divided(&model, &samples), &shapes(&samples[0]), None);
    let refused = |bytes: &[u8]| match Model::parse(bytes, None) {
        Ok(_) => panic!("{} bytes were taken", bytes.len()),
        Err(error) => error.to_string(),
    };
    for len in (4..file.len()).step_by(61).chain([4, 8, 23, 24, 25, file.len() - 1]) {
        let error = refused(&file[..len]);
        assert!(error.starts_with("container: the file has ") && error.lines().count() == 1, "{len}: {error}");
        assert!(Contents::of(&file[..len]).is_err());
    }
    for at in (20..file.len()).step_by(97) {
        let mut damaged = file.clone();
        damaged[at] ^= 1 << (at % 8);
        assert!(refused(&damaged).contains("checksum"), "{at}");
    }
    let mut newer = file.clone();
    newer[4] = 2;
    assert_eq!(refused(&newer), "container: format version 2, expected 1; compile the model again");
    // Files whose checksum is right, but nothing else: no panic, whatever comes out.
    let image = common::images(1, 32, 48, 1);
    for at in (20..file.len()).step_by(211) {
        let mut forged = file.clone();
        forged[at] = forged[at].wrapping_add(1 + (at % 250) as u8);
        let checksum = crc32fast::hash(&forged[20..]);
        forged[16..20].copy_from_slice(&checksum.to_le_bytes());
        let _ = Contents::of(&forged);
        if let Ok(model) = Model::parse(&forged, None) {
            let _ = model.run_float(&image);
        }
    }
    let loaded = Model::parse(&file, None).unwrap();
    assert!(loaded.to_onnx("").is_err() && divide(&loaded).is_err() && microtome_compiler::halved(&loaded).is_err());
}
