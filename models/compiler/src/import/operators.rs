//! One ONNX operator after another.

use std::rc::Rc;

use tract_onnx::pb;

use super::attributes::int;
use super::{Importer, refuse};
use crate::error::Result;
use crate::expr::{Binary, Expr};
use crate::graph::{Op, Quant};

/// Operators that may touch an activation.
pub const SUPPORTED: &[&str] = &[
    "Abs",
    "Add",
    "ArgMax",
    "AveragePool",
    "BatchNormalization",
    "Cast",
    "Ceil",
    "Celu",
    "Clip",
    "Concat",
    "Conv",
    "ConvTranspose",
    "Cos",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Flatten",
    "Floor",
    "Gelu",
    "Gemm",
    "GlobalAveragePool",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Log",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pad",
    "Pow",
    "QuantizeLinear",
    "Reciprocal",
    "ReduceMean",
    "Relu",
    "Reshape",
    "Resize",
    "Round",
    "Selu",
    "Sigmoid",
    "Sin",
    "Slice",
    "Softmax",
    "Softplus",
    "Softsign",
    "Split",
    "Sqrt",
    "Squeeze",
    "Sub",
    "Tanh",
    "ThresholdedRelu",
    "Unsqueeze",
    "Upsample",
];

impl Importer<'_> {
    /// Adds one node.
    pub(super) fn node(&mut self, node: &pb::NodeProto) -> Result<()> {
        match node.op_type.as_str() {
            "Conv" => self.conv(node),
            "ConvTranspose" => self.conv_transpose(node),
            "Gemm" | "MatMul" => self.matrix(node),
            "BatchNormalization" => self.batch_norm(node),
            "MaxPool" => {
                let window = self.window(node, None)?;
                let input = self.value(node, 0)?;
                self.push(node, Op::MaxPool(window), vec![input]).map(drop)
            }
            "AveragePool" => {
                let window = self.window(node, None)?;
                let count_include_pad = int(node, "count_include_pad", 0) != 0;
                let input = self.value(node, 0)?;
                self.push(node, Op::AveragePool { window, count_include_pad }, vec![input]).map(drop)
            }
            "GlobalAveragePool" => {
                let input = self.value(node, 0)?;
                self.push(node, Op::GlobalAveragePool, vec![input]).map(drop)
            }
            "ReduceMean" => self.reduce_mean(node),
            "Resize" | "Upsample" => self.resize(node),
            "Concat" => self.concat(node),
            "Add" => self.binary(node, Binary::Add),
            "Sub" => self.binary(node, Binary::Sub),
            "Mul" => self.binary(node, Binary::Mul),
            "Div" => self.binary(node, Binary::Div),
            "Max" => self.binary(node, Binary::Max),
            "Min" => self.binary(node, Binary::Min),
            "Pow" => self.binary(node, Binary::Pow),
            "PRelu" => self.binary(node, Binary::PRelu),
            "Pad" => self.pad(node),
            "Slice" => self.slice(node),
            "Split" => self.split(node),
            "Softmax" => self.softmax(node),
            "ArgMax" => self.arg_max(node),
            "QuantizeLinear" => self.quantize(node),
            "Identity" | "Dropout" | "Cast" | "DequantizeLinear" => {
                let input = self.value(node, 0)?;
                self.alias(node, input);
                Ok(())
            }
            "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => self.reshape(node),
            _ => {
                let function = self.unary(node)?;
                let input = self.value(node, 0)?;
                let expr = Expr::Unary(function, Rc::new(Expr::X));
                self.push(node, Op::Map(expr), vec![input]).map(drop)
            }
        }
    }

    fn reduce_mean(&mut self, node: &pb::NodeProto) -> Result<()> {
        let axes = self.fixed_integers(node, 1, "axes")?.unwrap_or_default();
        let mut axes: Vec<i64> = axes.iter().map(|a| a.rem_euclid(4)).collect();
        axes.sort_unstable();
        let shapes = self.probe.shapes(&node.input[0])?;
        if axes != [2, 3] || shapes.iter().any(|s| s.len() != 4) {
            return Err(refuse(node, format!("it reduces axes {axes:?}, expected rows and width ([2, 3])")));
        }
        let input = self.value(node, 0)?;
        self.push(node, Op::GlobalAveragePool, vec![input]).map(drop)
    }

    fn softmax(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let default = if self.opset() < 13 { 1 } else { -1 };
        let axis = int(node, "axis", default);
        let sizes = &self.out.values[input].sizes;
        let flat = self.opset() < 13 && sizes.iter().any(|s| *s != [1, 1]);
        let rank = self.probe.shapes(&node.input[0])?[0].len() as i64;
        if axis.rem_euclid(rank.max(1)) != 1 || flat {
            return Err(refuse(node, "it normalizes over more than channels (axis 1, opset 13 or later)"));
        }
        self.push(node, Op::Softmax, vec![input]).map(drop)
    }

    fn arg_max(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let rank = self.probe.shapes(&node.input[0])?[0].len() as i64;
        if int(node, "axis", 0).rem_euclid(rank.max(1)) != 1 || int(node, "select_last_index", 0) != 0 {
            return Err(refuse(node, "expected the first maximum over channels (axis 1)"));
        }
        if self.out.values[input].channels > 128 {
            return Err(refuse(node, "core picks from at most 128 channels"));
        }
        let output = self.push(node, Op::ArgMax, vec![input])?;
        self.out.values[output].channels = 1;
        self.out.values[output].fixed = Some(Quant { scale: 1.0, zero_point: 0 });
        Ok(())
    }
}
