//! Conv, ConvTranspose, Gemm and MatMul: windows, weights, and the integers that a quantized model brings.

use microtome_core::shape::{Padding, Window};
use tract_onnx::pb::{self, tensor_proto::DataType};

use super::attributes::{float, int, ints, text};
use super::{Importer, refuse};
use crate::error::Result;
use crate::graph::{Bounds, Conv, Integers, Op};
use crate::model::{self, Tensor};

impl Importer<'_> {
    /// Kernel, strides, dilations, pads and auto_pad of a node; the kernel's shape is the weights' for Conv.
    pub(super) fn window(&self, node: &pb::NodeProto, weights: Option<&[usize]>) -> Result<Window> {
        let pair = |name: &str, default: [u16; 2]| -> Result<[u16; 2]> {
            match ints(node, name).as_deref() {
                None => Ok(default),
                Some(&[a, b]) if (1..=1024).contains(&a) && (1..=1024).contains(&b) => Ok([a as u16, b as u16]),
                Some(other) => Err(refuse(node, format!("its {name} {other:?} are not two numbers from 1 to 1024"))),
            }
        };
        let kernel = match weights {
            Some(&[_, _, h @ 1..=1024, w @ 1..=1024]) => [h as u16, w as u16],
            Some(shape) => {
                return Err(refuse(
                    node,
                    format!("its weights have shape {shape:?}, expected two kernel sides up to 1024"),
                ));
            }
            None => pair("kernel_shape", [0, 0])?,
        };
        if kernel == [0, 0] {
            return Err(refuse(node, "it has no kernel_shape"));
        }
        let padding = match text(node, "auto_pad", "NOTSET").as_str() {
            "VALID" => Padding::Explicit([0; 4]),
            "SAME_UPPER" => Padding::SameUpper,
            "SAME_LOWER" => Padding::SameLower,
            _ => match ints(node, "pads").as_deref() {
                None => Padding::Explicit([0; 4]),
                Some(&[t, l, b, r]) if [t, l, b, r].iter().all(|p| (0..=4096).contains(p)) => {
                    Padding::Explicit([t, l, b, r].map(|p| p as u16))
                }
                Some(other) => {
                    return Err(refuse(node, format!("its pads {other:?} are not four numbers from 0 to 4096")));
                }
            },
        };
        let ceil = int(node, "ceil_mode", 0) != 0;
        Ok(Window { kernel, stride: pair("strides", [1, 1])?, dilation: pair("dilations", [1, 1])?, padding, ceil })
    }

    pub(super) fn conv(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let weights = self.weights(node, 1)?;
        let window = self.window(node, Some(&weights.shape))?;
        let [outputs, per_group, _, _] = weights.shape[..] else {
            return Err(refuse(node, "its weights are not 4-dimensional"));
        };
        let group = self.group(node, self.out.values[input].channels, per_group, outputs)?;
        let integers = self.integer_weights(node, 1, 0, outputs)?;
        self.finish_conv(
            node,
            input,
            Conv {
                window,
                group,
                weights: weights.data,
                bias: vec![0.0; outputs],
                integers,
                bounds: Bounds::NONE,
                output_padding: None,
            },
        )
    }

    pub(super) fn conv_transpose(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let weights = self.weights(node, 1)?;
        let mut window = self.window(node, Some(&weights.shape))?;
        let [inputs, per_group, h, w] = weights.shape[..] else {
            return Err(refuse(node, "its weights are not 4-dimensional"));
        };
        if ints(node, "output_shape").is_some() || !matches!(window.padding, Padding::Explicit(_)) {
            // The pads follow from the sizes that the model was seen to make.
            let (from, to) = (self.out.values[input].sizes.clone(), self.probe.shapes(&node.output[0])?);
            let mut pads = [0u16; 4];
            for axis in 0..2 {
                let reach = (window.kernel[axis] as usize - 1) * window.dilation[axis] as usize + 1;
                let full = (from[0][axis] - 1) * window.stride[axis] as usize + reach;
                let total = full.checked_sub(to[0][axis + 2]).ok_or_else(|| refuse(node, "it pads its output"))?;
                let lower = text(node, "auto_pad", "NOTSET") == "SAME_LOWER";
                pads[axis] = if lower { total.div_ceil(2) } else { total / 2 } as u16;
                pads[axis + 2] = total as u16 - pads[axis];
            }
            window.padding = Padding::Explicit(pads);
        }
        let group = int(node, "group", 1);
        let channels = self.out.values[input].channels;
        if group < 1 || inputs != channels || !channels.is_multiple_of(group as usize) {
            return Err(refuse(
                node,
                format!("its weights take {inputs} channels in {group} groups, the input has {channels}"),
            ));
        }
        let group = group as usize;
        let (outputs, group_inputs) = (per_group * group, inputs / group);
        let output_padding = match ints(node, "output_padding").as_deref() {
            None => [0, 0],
            Some(&[a @ 0..=1024, b @ 0..=1024]) => [a as u16, b as u16],
            Some(other) => return Err(refuse(node, format!("its output_padding is {other:?}"))),
        };
        // ONNX has [input, output / group, kernel]; ours is [output, input / group, kernel].
        let source = |o: usize, i: usize| ((o / per_group * group_inputs + i) * per_group + o % per_group) * h * w;
        let places: Vec<usize> = (0..outputs)
            .flat_map(|o| (0..group_inputs).flat_map(move |i| (0..h * w).map(move |k| source(o, i) + k)))
            .collect();
        let integers = self.integer_weights(node, 1, 1, outputs)?.map(|mut integers| {
            integers.weights = places.iter().map(|&at| integers.weights[at]).collect();
            integers
        });
        let weights = places.iter().map(|&at| weights.data[at]).collect();
        self.finish_conv(
            node,
            input,
            Conv {
                window,
                group,
                weights,
                bias: vec![0.0; outputs],
                integers,
                bounds: Bounds::NONE,
                output_padding: Some(output_padding),
            },
        )
    }

    /// Gemm and MatMul on pooled vectors: a 1x1 Conv.
    pub(super) fn matrix(&mut self, node: &pb::NodeProto) -> Result<()> {
        let input = self.value(node, 0)?;
        let value = &self.out.values[input];
        let channels = value.channels;
        let weights = self.weights(node, 1)?;
        let transposed = node.op_type == "Gemm" && int(node, "transB", 0) != 0;
        let [a, b] = weights.shape[..] else {
            return Err(refuse(node, format!("its matrix has shape {:?}", weights.shape)));
        };
        let (inputs, outputs) = if transposed { (b, a) } else { (a, b) };
        if value.sizes.iter().any(|s| *s != [1, 1]) || inputs != channels || int(node, "transA", 0) != 0 {
            return Err(refuse(node, format!("expected a pooled vector of {inputs} values as its input")));
        }
        let alpha = if node.op_type == "Gemm" { float(node, "alpha", 1.0) } else { 1.0 };
        let at = |o: usize, i: usize| if transposed { o * inputs + i } else { i * outputs + o };
        let places: Vec<usize> = (0..outputs).flat_map(|o| (0..inputs).map(move |i| at(o, i))).collect();
        let integers =
            if alpha == 1.0 { self.integer_weights(node, 1, i64::from(!transposed), outputs)? } else { None };
        let integers = integers.map(|mut integers| {
            integers.weights = places.iter().map(|&at| integers.weights[at]).collect();
            integers
        });
        let weights = places.iter().map(|&at| alpha * weights.data[at]).collect();
        self.finish_conv(
            node,
            input,
            Conv {
                window: Window::UNIT,
                group: 1,
                weights,
                bias: vec![0.0; outputs],
                integers,
                bounds: Bounds::NONE,
                output_padding: None,
            },
        )
    }

    fn finish_conv(&mut self, node: &pb::NodeProto, input: usize, mut conv: Conv) -> Result<()> {
        let outputs = conv.bias.len();
        if let Some(bias) = self.constant(node, 2)? {
            let beta = if node.op_type == "Gemm" { float(node, "beta", 1.0) } else { 1.0 };
            match bias.data.len() {
                n if n == outputs => conv.bias = bias.data.iter().map(|b| beta * b).collect(),
                1 => conv.bias = vec![beta * bias.data[0]; outputs],
                n => return Err(refuse(node, format!("it has {n} biases for {outputs} output channels"))),
            }
            if let (Some(integers), true) = (&mut conv.integers, beta == 1.0) {
                integers.bias = self.integer_bias(node, outputs)?;
            }
        }
        if conv.weights.iter().chain(&conv.bias).any(|w| !w.is_finite()) {
            return Err(refuse(node, "its weights are not all finite"));
        }
        self.push(node, Op::Conv(conv), vec![input]).map(drop)
    }

    fn weights(&self, node: &pb::NodeProto, index: usize) -> Result<Tensor> {
        self.constant(node, index)?.filter(|t| !t.data.is_empty()).ok_or_else(|| refuse(node, "it has no weights"))
    }

    fn group(&self, node: &pb::NodeProto, channels: usize, per_group: usize, outputs: usize) -> Result<usize> {
        let group = int(node, "group", 1);
        let fits = group >= 1 && per_group * group as usize == channels && outputs.is_multiple_of(group as usize);
        if fits {
            Ok(group as usize)
        } else {
            Err(refuse(
                node,
                format!("its weights take {per_group} channels in each of {group} groups, the input has {channels}"),
            ))
        }
    }

    /// The int8 weights behind a DequantizeLinear, with one scale per output channel; `None` where the weights are real,
    /// or where their integers are not symmetric (they are then quantized anew).
    fn integer_weights(
        &self,
        node: &pb::NodeProto,
        index: usize,
        axis: i64,
        outputs: usize,
    ) -> Result<Option<Integers>> {
        let Some(maker) = self.dequantizer(node, index) else { return Ok(None) };
        let Some(raw) = self.initializer(&maker.input[0])? else { return Ok(None) };
        let shift = match self.element_type(maker, 0) {
            Some(DataType::Int8) => 0,
            Some(DataType::Uint8) => 128,
            _ => return Ok(None),
        };
        let zero = self.constant(maker, 2)?.map_or(vec![0.0], |t| t.data);
        if zero.iter().any(|&z| z != shift as f32) {
            return Ok(None);
        }
        let scales = self.constant(maker, 1)?.map_or(Vec::new(), |t| t.data);
        let rank = raw.shape().len() as i64;
        let scales = match scales.len() {
            1 => vec![scales[0]; outputs],
            n if n == outputs && int(maker, "axis", 1).rem_euclid(rank.max(1)) == axis => scales,
            _ => return Ok(None),
        };
        if scales.iter().any(|s| !s.is_finite() || *s <= 0.0) {
            return Err(refuse(maker, "its scales are not all positive"));
        }
        let weights = model::integers(&raw)?.iter().map(|w| (w - shift) as i8).collect();
        Ok(Some(Integers { weights, scales, bias: None }))
    }

    fn integer_bias(&self, node: &pb::NodeProto, outputs: usize) -> Result<Option<Vec<i32>>> {
        let Some(maker) = self.dequantizer(node, 2) else { return Ok(None) };
        let Some(raw) = self.initializer(&maker.input[0])? else { return Ok(None) };
        let bias: Vec<i32> = model::integers(&raw)?.iter().map(|&b| b as i32).collect();
        Ok((bias.len() == outputs && self.element_type(maker, 0) == Some(DataType::Int32)).then_some(bias))
    }

    fn dequantizer(&self, node: &pb::NodeProto, index: usize) -> Option<&pb::NodeProto> {
        let name = node.input.get(index)?;
        self.graph.node.iter().find(|n| n.op_type == "DequantizeLinear" && n.output.first() == Some(name))
    }
}
