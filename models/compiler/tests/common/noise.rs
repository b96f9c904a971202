//! Whole networks without their weights: `models/family/weightless.py` left noise to be made in their place.

use microtome_compiler::Model;
use prost::Message;
use tract_onnx::pb::{ModelProto, TensorProto, tensor_proto::DataLocation};

/// A fixture, its weights made.
pub fn load(name: &str) -> Model {
    let bytes = std::fs::read(super::path(&format!("{name}.onnx"))).unwrap();
    let mut proto = ModelProto::decode(&bytes[..]).unwrap();
    let external = |tensor: &&mut TensorProto| tensor.data_location == Some(DataLocation::External as i32);
    let initializers = &mut proto.graph.as_mut().unwrap().initializer;
    initializers.iter_mut().filter(external).for_each(fill);
    Model::parse(&proto.encode_to_vec(), None).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Makes the values of an initializer.
fn fill(tensor: &mut TensorProto) {
    let entry =
        |key: &str| tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str());
    assert_eq!(entry("location"), Some("noise"), "{}", tensor.name);
    let seed: u32 = entry("seed").unwrap().parse().unwrap();
    let [middle, reach] = ["middle", "reach"].map(|key| entry(key).unwrap().parse::<f32>().unwrap());
    let count = tensor.dims.iter().product::<i64>() as u32;
    tensor.raw_data = (0..count).flat_map(|index| (middle + reach * unit(seed, index)).to_le_bytes()).collect();
    tensor.external_data.clear();
    tensor.data_location = None;
}

/// Value `index` of a seed, uniform in [-1, 1): 24 bits of a hash of 32.
fn unit(seed: u32, index: u32) -> f32 {
    let mut x = index.wrapping_add(seed.wrapping_mul(0x9E37_79B9));
    for (shift, factor) in [(16, 0x7FEB_352D), (15, 0x846C_A68B_u32)] {
        x = (x ^ (x >> shift)).wrapping_mul(factor);
    }
    let bits = (x ^ (x >> 16)) >> 8;
    (bits as i32 - (1 << 23)) as f32 / (1 << 23) as f32
}
