//! Operators that make each value of the output from the one value of each input at the same place.

use std::rc::Rc;

use tract_onnx::pb::{self, tensor_proto::DataType};

use super::attributes::{float, text};
use super::{Importer, refuse};
use crate::error::Result;
use crate::expr::{Binary, Expr, Unary};
use crate::graph::{Bounds, Op, Quant};

impl Importer<'_> {
    pub(super) fn batch_norm(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let channels = self.out.values[input].channels;
        let mut parameters = Vec::new();
        for index in 1..5 {
            let tensor = self.constant(node, index)?.filter(|t| t.data.len() == channels);
            parameters.push(
                tensor.ok_or_else(|| refuse(node, format!("its input {index} is not one number per channel")))?.data,
            );
        }
        let epsilon = float(node, "epsilon", 1e-5);
        let [gamma, beta, mean, var] = &parameters[..] else { return Ok(()) };
        let factor: Vec<f32> = gamma
            .iter()
            .zip(var)
            .map(|(g, v)| (f64::from(*g) / (f64::from(*v) + f64::from(epsilon)).sqrt()) as f32)
            .collect();
        let offset: Vec<f32> = beta.iter().zip(mean).zip(&factor).map(|((b, m), f)| b - m * f).collect();
        let scaled = Expr::Binary(Binary::Mul, Rc::new(Expr::X), Rc::new(Expr::Const(factor.into())));
        let expr = Expr::Binary(Binary::Add, Rc::new(scaled), Rc::new(Expr::Const(offset.into())));
        self.push(node, Op::Map(expr), vec![input]).map(drop)
    }

    pub(super) fn binary(&mut self, node: &pb::NodeProto, function: Binary) -> Result<()> {
        if node.input.len() != 2 {
            return Err(refuse(node, format!("it has {} inputs, expected 2", node.input.len())));
        }
        match (self.is_value(node, 0), self.is_value(node, 1)) {
            (true, true) => {
                let (a, b) = (self.value(node, 0)?, self.value(node, 1)?);
                self.push(node, Op::Combine(function, Bounds::NONE), vec![a, b]).map(drop)
            }
            (first, _) => {
                let input = self.value(node, usize::from(!first))?;
                let constant = self.channel_constant(node, usize::from(first))?;
                let (x, c) = (Rc::new(Expr::X), Rc::new(constant));
                let expr = if first { Expr::Binary(function, x, c) } else { Expr::Binary(function, c, x) };
                self.push(node, Op::Map(expr), vec![input]).map(drop)
            }
        }
    }

    /// A constant that broadcasts over rows and width: one number, or one per channel.
    pub(super) fn channel_constant(&self, node: &pb::NodeProto, index: usize) -> Result<Expr> {
        let tensor =
            self.constant(node, index)?.ok_or_else(|| refuse(node, format!("its input {index} is missing")))?;
        if tensor.data.len() == 1 {
            return Ok(Expr::Const(tensor.data.into()));
        }
        let other = self.probe.shapes(&node.input[1 - index])?;
        let (rank, channels) = (other[0].len(), self.out.values[self.value(node, 1 - index)?].channels);
        // PRelu broadcasts like the others since opset 9; its slope is [C, 1, 1] or [1, C, 1, 1].
        let mut shape = vec![1; rank.saturating_sub(tensor.shape.len())];
        shape.extend(&tensor.shape);
        let per_channel = shape.iter().enumerate().all(|(axis, &side)| side == if axis == 1 { channels } else { 1 });
        if !per_channel || rank == 3 {
            return Err(refuse(
                node,
                format!(
                    "its constant of shape {:?} is neither one number nor one per channel ({channels})",
                    tensor.shape
                ),
            ));
        }
        Ok(Expr::Const(tensor.data.into()))
    }

    /// QuantizeLinear: the value's integers are prescribed. uint8 becomes int8 by subtracting 128.
    pub(super) fn quantize(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let scale = self.constant(node, 1)?.filter(|t| t.data.len() == 1);
        let scale = scale.ok_or_else(|| refuse(node, "expected one scale for the whole activation"))?.data[0];
        let zero = self.constant(node, 2)?.map_or(0.0, |t| t.data.first().copied().unwrap_or(0.0));
        let shift = match self.element_type(node, 2) {
            Some(DataType::Int8) => 0.0,
            None | Some(DataType::Uint8) => 128.0,
            Some(other) => {
                return Err(refuse(node, format!("it makes {}, expected int8 or uint8", other.as_str_name())));
            }
        };
        if !scale.is_finite() || scale <= 0.0 {
            return Err(refuse(node, format!("its scale is {scale}")));
        }
        let quant = Quant { scale, zero_point: (zero - shift).clamp(-128.0, 127.0) as i8 };
        let value = self.fix(node, input, quant)?;
        self.alias(node, value);
        Ok(())
    }

    pub(super) fn unary(&self, node: &pb::NodeProto) -> Result<Unary> {
        let alpha = |default| float(node, "alpha", default);
        Ok(match node.op_type.as_str() {
            "Abs" => Unary::Abs,
            "Ceil" => Unary::Ceil,
            "Celu" => Unary::Celu(alpha(1.0)),
            "Clip" => {
                let bound = |index, name, default| -> Result<f32> {
                    let given = self.constant(node, index)?.and_then(|t| t.data.first().copied());
                    Ok(given.unwrap_or_else(|| float(node, name, default)))
                };
                Unary::Clip(bound(1, "min", f32::NEG_INFINITY)?, bound(2, "max", f32::INFINITY)?)
            }
            "Cos" => Unary::Cos,
            "Elu" => Unary::Elu(alpha(1.0)),
            "Erf" => Unary::Erf,
            "Exp" => Unary::Exp,
            "Floor" => Unary::Floor,
            "Gelu" => Unary::Gelu { tanh: text(node, "approximate", "none") == "tanh" },
            "HardSigmoid" => Unary::HardSigmoid(alpha(0.2), float(node, "beta", 0.5)),
            "HardSwish" => Unary::HardSwish,
            "LeakyRelu" => Unary::LeakyRelu(alpha(0.01)),
            "Log" => Unary::Log,
            "Mish" => Unary::Mish,
            "Neg" => Unary::Neg,
            "Reciprocal" => Unary::Reciprocal,
            "Relu" => Unary::Clip(0.0, f32::INFINITY),
            "Round" => Unary::Round,
            "Selu" => Unary::Selu(alpha(1.673_263_2), float(node, "gamma", 1.050_701)),
            "Sigmoid" => Unary::Sigmoid,
            "Sin" => Unary::Sin,
            "Softplus" => Unary::Softplus,
            "Softsign" => Unary::Softsign,
            "Sqrt" => Unary::Sqrt,
            "Tanh" => Unary::Tanh,
            "ThresholdedRelu" => Unary::ThresholdedRelu(alpha(1.0)),
            _ => return Err(refuse(node, "core has no such operator")),
        })
    }
}
