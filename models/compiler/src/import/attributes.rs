//! Attributes of ONNX nodes, by name, and how they are shown.

use tract_onnx::pb::{self, attribute_proto::AttributeType};

/// The node's name, or its first output's where it has none.
pub fn label(node: &pb::NodeProto) -> String {
    if node.name.is_empty() { node.output.first().cloned().unwrap_or_default() } else { node.name.clone() }
}

/// All attributes as `name=value`, separated by commas; long ones are cut.
pub fn describe(node: &pb::NodeProto) -> String {
    let shown = |a: &pb::AttributeProto| {
        let value = match AttributeType::try_from(a.r#type) {
            Ok(AttributeType::Float) => a.f.to_string(),
            Ok(AttributeType::Int) => a.i.to_string(),
            Ok(AttributeType::String) => String::from_utf8_lossy(&a.s).into_owned(),
            Ok(AttributeType::Floats) => format!("{:?}", a.floats),
            Ok(AttributeType::Ints) => format!("{:?}", a.ints),
            _ => "…".into(),
        };
        let value: String = value.chars().take(60).collect();
        format!("{}={value}", a.name)
    };
    let all: Vec<String> = node.attribute.iter().map(shown).collect();
    if all.is_empty() { "no attributes".into() } else { all.join(", ") }
}

fn find<'a>(node: &'a pb::NodeProto, name: &str) -> Option<&'a pb::AttributeProto> {
    node.attribute.iter().find(|a| a.name == name)
}

/// An integer attribute.
pub fn int(node: &pb::NodeProto, name: &str, default: i64) -> i64 {
    find(node, name).map_or(default, |a| a.i)
}

/// A real attribute.
pub fn float(node: &pb::NodeProto, name: &str, default: f32) -> f32 {
    find(node, name).map_or(default, |a| a.f)
}

/// A text attribute.
pub fn text(node: &pb::NodeProto, name: &str, default: &str) -> String {
    find(node, name).map_or_else(|| default.to_owned(), |a| String::from_utf8_lossy(&a.s).into_owned())
}

/// A list of integers, `None` where it is absent.
pub fn ints(node: &pb::NodeProto, name: &str) -> Option<Vec<i64>> {
    find(node, name).map(|a| a.ints.clone())
}
