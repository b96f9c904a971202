//! One ONNX operator after another.

use std::rc::Rc;

use microtome_core::plan::{Coordinates, Nearest};
use tract_onnx::pb::{self, tensor_proto::DataType};

use super::attributes::{float, int, ints, text};
use super::{Importer, refuse};
use crate::error::Result;
use crate::expr::{Binary, Expr, Unary};
use crate::graph::{Bounds, Fill, Op, Quant};
use crate::model::{self, Tensor};

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
        proto.map(|t| model::initializer(t, self.model.directory.as_deref())).transpose()
    }

    /// The integers of input `index` at every size that was tried.
    fn integers(&self, node: &pb::NodeProto, index: usize) -> Result<Option<Vec<Vec<i64>>>> {
        let Some(name) = node.input.get(index).filter(|n| !n.is_empty()) else { return Ok(None) };
        Ok(Some(match self.initializer(name)? {
            Some(raw) => vec![model::integers(&raw)?; self.probe.count()],
            None => self.probe.integers(name)?,
        }))
    }

    /// Integers from an input or, in older opsets, an attribute; the same at every size.
    fn fixed_integers(&self, node: &pb::NodeProto, index: usize, attribute: &str) -> Result<Option<Vec<i64>>> {
        if let Some(values) = ints(node, attribute) {
            return Ok(Some(values));
        }
        match self.integers(node, index)?.as_deref() {
            None => Ok(None),
            Some([first, rest @ ..]) if rest.iter().all(|other| other == first) => Ok(Some(first.clone())),
            Some(_) => Err(refuse(node, format!("its {attribute} depend on the input's size"))),
        }
    }

    fn batch_norm(&mut self, node: &pb::NodeProto) -> Result<()> {
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

    fn concat(&mut self, node: &pb::NodeProto) -> Result<()> {
        let rank = self.probe.shapes(&node.input[0])?[0].len() as i64;
        let axis = int(node, "axis", 1);
        if axis.rem_euclid(rank.max(1)) != 1 {
            return Err(refuse(node, format!("it joins along axis {axis}, expected channels (1)")));
        }
        let inputs = (0..node.input.len()).map(|i| self.value(node, i)).collect::<Result<Vec<_>>>()?;
        self.push(node, Op::Concat, inputs).map(drop)
    }

    fn binary(&mut self, node: &pb::NodeProto, function: Binary) -> Result<()> {
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
    fn channel_constant(&self, node: &pb::NodeProto, index: usize) -> Result<Expr> {
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

    fn resize(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let mode = text(node, "mode", "nearest");
        let upsample = node.op_type == "Upsample" || self.opset() < 11;
        let transformation =
            if upsample { "asymmetric".into() } else { text(node, "coordinate_transformation_mode", "half_pixel") };
        let coordinates = match transformation.as_str() {
            "half_pixel" => Coordinates::HalfPixel,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            other => return Err(refuse(node, format!("core has no coordinate_transformation_mode {other}"))),
        };
        let rounding = if upsample { "floor".into() } else { text(node, "nearest_mode", "round_prefer_floor") };
        let nearest = match (mode.as_str(), rounding.as_str()) {
            ("linear", _) => None,
            ("nearest", "floor") => Some(Nearest::Floor),
            ("nearest", "ceil") => Some(Nearest::Ceil),
            ("nearest", "round_prefer_floor") => Some(Nearest::RoundPreferFloor),
            ("nearest", "round_prefer_ceil") => Some(Nearest::RoundPreferCeil),
            (mode, rounding) => {
                return Err(refuse(node, format!("core has no mode {mode} with nearest_mode {rounding}")));
            }
        };
        if int(node, "antialias", 0) != 0 {
            return Err(refuse(node, "core does not antialias"));
        }
        let output = self.define(&node.output[0])?;
        let (from, to) = (self.out.values[input].sizes.clone(), self.out.values[output].sizes.clone());
        if self.out.values[input].channels != self.out.values[output].channels {
            return Err(refuse(node, "it resizes channels"));
        }
        let mut ratio = [[1u16; 2]; 2];
        let mut sized = false;
        for axis in 0..2 {
            let (n, d) = (to[0][axis], from[0][axis]);
            let divisor = gcd(n, d);
            let (n, d) = (n / divisor, d / divisor);
            sized |= to.iter().zip(&from).any(|(t, f)| t[axis] != f[axis] * n / d) || n.max(d) > usize::from(u16::MAX);
            ratio[axis] = [n.min(65_535) as u16, d.min(65_535) as u16];
        }
        let mut inputs = vec![input];
        if sized {
            let same = self.out.values[..output].iter().position(|v| v.sizes == to);
            inputs.push(same.ok_or_else(|| {
                refuse(node, "its output size is neither a ratio of its input's nor another value's")
            })?);
        }
        self.push_node(node, Op::Resize { ratio, coordinates, nearest }, inputs, output);
        Ok(())
    }

    fn pad(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let pads = self.fixed_integers(node, 1, "pads")?.unwrap_or_default();
        let axes = self.integers(node, 3)?.map_or_else(|| (0..4).collect(), |runs| runs[0].clone());
        if pads.len() != 2 * axes.len() {
            return Err(refuse(node, format!("{} pads are given for {} axes", pads.len(), axes.len())));
        }
        let mut amounts = [0i64; 4];
        for (i, axis) in axes.iter().enumerate() {
            let (before, after) = (pads[i], pads[i + axes.len()]);
            match axis.rem_euclid(4) {
                axis @ 2..4 => (amounts[axis as usize - 2], amounts[axis as usize]) = (before, after),
                _ if before == 0 && after == 0 => {}
                axis => return Err(refuse(node, format!("it pads axis {axis}, expected rows and width only"))),
            }
        }
        if amounts.iter().any(|a| a.unsigned_abs() > 4096) {
            return Err(refuse(node, format!("its pads {amounts:?} exceed 4096")));
        }
        let fill = match text(node, "mode", "constant").as_str() {
            "constant" => match self.constant(node, 2)? {
                Some(value) => Fill::Constant(value.data.first().copied().unwrap_or(0.0)),
                None => Fill::Constant(float(node, "value", 0.0)),
            },
            "reflect" => Fill::Reflect,
            "edge" => Fill::Edge,
            other => return Err(refuse(node, format!("core has no mode {other}"))),
        };
        if amounts == [0; 4] {
            self.alias(node, input);
            return Ok(());
        }
        if amounts.iter().any(|a| *a < 0) {
            if amounts.iter().any(|a| *a > 0) {
                return Err(refuse(node, "it pads and crops at once"));
            }
            return self.push(node, Op::Slice(amounts.map(|a| -a as u16), 0), vec![input]).map(drop);
        }
        self.push(node, Op::Pad(amounts.map(|a| a as u16), fill), vec![input]).map(drop)
    }

    fn slice(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let shapes = self.probe.shapes(&node.input[0])?;
        let runs = self.probe.count();
        let list = |index, attribute| -> Result<Option<Vec<Vec<i64>>>> {
            match ints(node, attribute) {
                Some(values) => Ok(Some(vec![values; runs])),
                None => self.integers(node, index),
            }
        };
        let missing = || refuse(node, "its starts or ends are missing");
        let (starts, ends) = (list(1, "starts")?.ok_or_else(missing)?, list(2, "ends")?.ok_or_else(missing)?);
        let (axes, steps) = (list(3, "axes")?, list(4, "steps")?);
        let mut found = Vec::new();
        for (run, shape) in shapes.iter().enumerate() {
            let mut cut = vec![[0i64; 2]; shape.len()];
            for (i, (&start, &end)) in starts[run].iter().zip(&ends[run]).enumerate() {
                let axis = axes.as_ref().map_or(i as i64, |a| a[run].get(i).copied().unwrap_or(0));
                let axis = axis.rem_euclid(shape.len() as i64) as usize;
                if steps.as_ref().is_some_and(|s| s[run].get(i) != Some(&1)) {
                    return Err(refuse(node, "core slices with step 1 only"));
                }
                let side = shape[axis] as i64;
                let at = |v: i64| if v < 0 { v.saturating_add(side).clamp(0, side) } else { v.min(side) };
                cut[axis] = [at(start), side - at(end)];
            }
            found.push(cut);
        }
        if found.iter().any(|cut| cut != &found[0]) || found[0].len() != 4 || found[0][0] != [0, 0] {
            return Err(refuse(
                node,
                format!("what it cuts off ({found:?}) is not a fixed number of channels, rows and columns"),
            ));
        }
        let [_, [channel, _], [top, bottom], [left, right]] = found[0][..] else { return Err(missing()) };
        if [channel, top, left, bottom, right].iter().any(|&n| !(0..=4096).contains(&n)) {
            return Err(refuse(node, "it cuts off more than 4096"));
        }
        let crop = [top, left, bottom, right].map(|n| n as u16);
        self.push(node, Op::Slice(crop, channel as u16), vec![input]).map(drop)
    }

    fn split(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let rank = self.probe.shapes(&node.input[0])?[0].len() as i64;
        if int(node, "axis", 0).rem_euclid(rank.max(1)) != 1 {
            return Err(refuse(node, "expected a split along channels (axis 1)"));
        }
        let sizes = self.fixed_integers(node, 1, "split")?;
        let channels = self.out.values[input].channels;
        let equal = channels.div_ceil(node.output.len().max(1));
        let mut first = 0;
        for (i, name) in node.output.iter().enumerate() {
            let count =
                sizes.as_ref().map_or(equal, |s| s.get(i).map_or(0, |&n| n.max(0) as usize)).min(channels - first);
            if !name.is_empty() && self.probe.shapes(name).is_ok() {
                let output = self.define(name)?;
                if self.out.values[output].channels != count {
                    return Err(refuse(node, format!("output `{name}` has an unexpected number of channels")));
                }
                self.push_node(node, Op::Slice([0; 4], first as u16), vec![input], output);
            }
            first += count;
        }
        Ok(())
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

    /// Reshapes that only rename: all values stay in the channels of one pixel, or sides of 1 come and go.
    fn reshape(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let (from, to) = (self.probe.shapes(&node.input[0])?, self.probe.shapes(&node.output[0])?);
        let pixel = self.out.values[input].sizes.iter().all(|s| *s == [1, 1]);
        let channels = self.out.values[input].channels;
        let vector =
            |s: &Vec<usize>| matches!(s[..], [1, c, ref rest @ ..] if c == channels && rest.iter().all(|&n| n == 1));
        if from == to || (pixel && to.iter().all(vector)) {
            self.alias(node, input);
            return Ok(());
        }
        Err(refuse(node, format!("it turns {:?} into {:?}; only pooled vectors may change shape", from[0], to[0])))
    }

    /// QuantizeLinear: the value's integers are prescribed. uint8 becomes int8 by subtracting 128.
    fn quantize(&mut self, node: &pb::NodeProto) -> Result<()> {
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

    fn unary(&self, node: &pb::NodeProto) -> Result<Unary> {
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

    pub(super) fn opset(&self) -> i64 {
        let imports = &self.model.proto.opset_import;
        imports.iter().find(|o| o.domain.is_empty() || o.domain == "ai.onnx").map_or(0, |o| o.version)
    }
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}
