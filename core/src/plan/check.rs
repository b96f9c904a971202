//! Every rule that a plan must keep, checked once, so that nothing later can fail on it (contract C3).

use crc::{CRC_32_ISO_HDLC, Crc};
use zerocopy::IntoBytes;
use zerocopy::little_endian::F32;

use super::op::{Classify, Conv, Op, Operator, Pool};
use super::record;
use super::view::{Plan, Role, Tensor, kind_name};
use crate::error::{Place, PlanError};
use crate::quant::Clamp;
use crate::shape::{Padding, Window};

/// Largest kernel, stride and dilation, in pixels.
const MAX_WINDOW: i64 = 1024;
/// Largest pad or crop on one side, in pixels.
const MAX_PAD: i64 = 4096;
/// Largest factor of an edge's nearest upsampling.
const MAX_UPSAMPLE: i64 = 16;
/// Farthest that interiors grow back, in pixels.
const MAX_GROW: f32 = 4.0;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// First byte that the checksum covers: the one behind the checksum itself.
const COVERED: usize = core::mem::offset_of!(record::Header, checksum) + size_of::<u32>();

/// CRC-32 of all that follows the header's checksum field.
pub(super) fn checksum(plan: &[u8]) -> u32 {
    CRC.checksum(plan.get(COVERED..).unwrap_or(&[]))
}

/// The same of a header and the sections behind it.
pub(super) fn checksum_of(header: &record::Header, sections: &[&[u8]]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(header.as_bytes().get(COVERED..).unwrap_or(&[]));
    sections.iter().for_each(|section| digest.update(section));
    digest.finalize()
}

/// A [`PlanError::Field`].
pub(super) fn field(place: Place, field: &'static str, found: i64, rule: &'static str, limit: i64) -> PlanError {
    PlanError::Field { place, field, found, rule, limit }
}

fn exactly(place: Place, name: &'static str, found: usize, limit: usize) -> Result<(), PlanError> {
    if found == limit { Ok(()) } else { Err(field(place, name, found as i64, "exactly", limit as i64)) }
}

fn range(place: Place, name: &'static str, found: i64, low: i64, high: i64) -> Result<(), PlanError> {
    if found < low {
        return Err(field(place, name, found, "at least", low));
    }
    if found > high {
        return Err(field(place, name, found, "at most", high));
    }
    Ok(())
}

fn real(place: Place, name: &'static str, found: f32, ok: bool) -> Result<(), PlanError> {
    if found.is_finite() && ok { Ok(()) } else { Err(PlanError::Real { place, field: name, found }) }
}

pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    header(plan)?;
    for (index, tensor) in plan.tensors().enumerate() {
        let place = Place::Tensor(index as u16);
        range(place, "channels", tensor.channels.into(), 1, i64::MAX)?;
        range(place, "ring rows", tensor.ring.into(), 1, i64::MAX)?;
        real(place, "scale", tensor.scale, tensor.scale > 0.0)?;
    }
    let mut first_edge = 0;
    for (index, record) in plan.operators.iter().enumerate() {
        let place = Place::Operator(index as u16, kind_name(record.kind));
        exactly(place, "first edge", record.first_edge.get().into(), first_edge)?;
        first_edge += usize::from(record.edges.get());
        range(place, "edges", first_edge as i64, 0, plan.edges.len() as i64)?;
        let operator = plan.decode(index, record)?;
        range(place, "strip", operator.strip.into(), 1, i64::MAX)?;
        for edge in operator.inputs {
            range(place, "input tensor", edge.tensor.get().into(), 0, index as i64)?;
            let most = if matches!(operator.op, Op::Conv(_)) { MAX_UPSAMPLE } else { 1 };
            range(place, "upsampling", edge.upsample.into(), 1, most)?;
        }
        Rules { plan, place, operator, index }.check()?;
    }
    exactly(Place::Header, "edges", plan.edges.len(), first_edge)?;
    range(Place::Header, "outputs", plan.outputs.len() as i64, 1, i64::MAX)?;
    for index in 0..plan.outputs.len() {
        let place = Place::Output(index as u16);
        let output = plan.output(index)?;
        range(place, "tensor", output.tensor.into(), 0, plan.tensors.len() as i64 - 1)?;
        let channels = plan.tensor(output.tensor).map_or(0, |t| t.channels);
        if output.role == Role::Mask {
            exactly(place, "channels of the mask", channels.into(), 1)?;
        }
    }
    Ok(())
}

fn header(plan: &Plan) -> Result<(), PlanError> {
    let header = plan.header();
    exactly(Place::Header, "tensors", plan.tensors.len(), plan.operators.len() + 1)?;
    for (multiple, remainder) in header.multiple.iter().zip(&header.remainder) {
        range(Place::Header, "alignment", multiple.get().into(), 1, MAX_PAD)?;
        range(Place::Header, "alignment's remainder", remainder.get().into(), 0, i64::from(multiple.get()) - 1)?;
    }
    plan.text(header.classes, Place::Header)?;
    plan.text(header.provenance, Place::Header)?;
    plan.text(header.packing, Place::Header)?;
    plan.bytes(header.packed, Place::Header, "packed weights")?;
    if header.packing.len.get() == 0 {
        exactly(Place::Header, "packed weights' bytes", header.packed.len.get() as usize, 0)?;
    }

    let input = &header.input;
    range(Place::Input, "normalization", input.policy.into(), 0, 2)?;
    range(Place::Input, "channel order", input.order.into(), 0, 1)?;
    let (low, high) = (input.low.get(), input.high.get());
    let percent = input.policy != 0;
    real(Place::Input, "low", low, !percent || low >= 0.0)?;
    real(Place::Input, "high", high, high > low && (!percent || high <= 100.0))?;
    for (gain, offset) in input.gain.iter().zip(&input.offset) {
        real(Place::Input, "gain", gain.get(), true)?;
        real(Place::Input, "offset", offset.get(), true)?;
    }

    let post = &header.post;
    range(Place::Post, "task", post.task.into(), 0, 2)?;
    let (grow, threshold) = (post.grow.get(), post.threshold.get());
    real(Place::Post, "grow", grow, (0.0..=MAX_GROW).contains(&grow))?;
    real(Place::Post, "threshold", threshold, true)
}

/// One operator's rules.
struct Rules<'p, 'a> {
    plan: &'p Plan<'a>,
    place: Place,
    operator: Operator<'a>,
    index: usize,
}

impl Rules<'_, '_> {
    fn check(&self) -> Result<(), PlanError> {
        match &self.operator.op {
            Op::Conv(conv) => self.conv(conv),
            Op::ConvTranspose { conv, output_padding } => {
                self.inputs(1, 1)?;
                range(
                    self.place,
                    "output padding",
                    i64::from(output_padding[0].max(output_padding[1])),
                    0,
                    MAX_WINDOW,
                )?;
                self.conv(conv)
            }
            Op::MaxPool(window) => {
                self.pool(window)?;
                self.same_quantization()
            }
            Op::AveragePool(Pool { window, factor, .. }) => {
                self.pool(window)?;
                self.factor(*factor)
            }
            Op::GlobalAveragePool(factor) => {
                self.inputs(1, 1)?;
                self.same_channels()?;
                self.factor(*factor)
            }
            Op::Resize(resize) => {
                self.inputs(1, 2)?;
                self.same_channels()?;
                for ratio in resize.ratio.as_flattened().iter().filter(|_| self.operator.inputs.len() == 1) {
                    range(self.place, "ratio", (*ratio).into(), 1, i64::MAX)?;
                }
                if resize.nearest.is_some() { self.same_quantization() } else { self.factor(resize.factor) }
            }
            Op::Concat { tables } => {
                self.inputs(1, i64::MAX)?;
                exactly(self.place, "output channels", self.output().channels.into(), self.input_channels())?;
                if tables.is_empty() {
                    self.same_quantization()
                } else {
                    exactly(self.place, "tables' bytes", tables.len(), 256 * self.operator.inputs.len())
                }
            }
            Op::Add { factor, clamp } => {
                self.binary(*clamp)?;
                factor.iter().try_for_each(|&f| real(self.place, "factor", f, true))
            }
            Op::Mul { factor, clamp } => {
                self.binary(*clamp)?;
                self.factor(*factor)
            }
            Op::Table(table) => {
                self.inputs(1, 1)?;
                self.same_channels()?;
                let channels = if table.len() == 256 { 1 } else { usize::from(self.output().channels) };
                exactly(self.place, "table's bytes", table.len(), 256 * channels)
            }
            Op::Pad { pads, .. } => {
                self.inputs(1, 1)?;
                self.same_channels()?;
                self.amounts(pads)?;
                self.same_quantization()
            }
            Op::Slice { crop, channel } => {
                self.inputs(1, 1)?;
                self.amounts(crop)?;
                let end = i64::from(*channel) + i64::from(self.output().channels);
                range(self.place, "last channel", end, 1, self.input_channels() as i64)?;
                self.same_quantization()
            }
            Op::ArgMax => {
                self.inputs(1, 1)?;
                range(self.place, "input channels", self.input_channels() as i64, 1, 128)?;
                exactly(self.place, "output channels", self.output().channels.into(), 1)
            }
            Op::Softmax(exponentials) => {
                self.inputs(1, 1)?;
                self.same_channels()?;
                exactly(self.place, "exponentials", exponentials.len(), 256)?;
                for (index, value) in exponentials.iter().enumerate() {
                    range(self.place, "exponential", value.get().into(), i64::from(index == 0), 65_536)?;
                }
                Ok(())
            }
            Op::Classify(classify) => {
                self.inputs(1, 1)?;
                exactly(self.place, "output channels", self.output().channels.into(), 1)?;
                let channels = match classify {
                    Classify::InteriorBorder { object, border, .. } => {
                        range(self.place, "object class", (*object).into(), 1, 2)?;
                        range(self.place, "border class", (*border).into(), 1, 2)?;
                        3
                    }
                    Classify::Above { .. } => 1,
                };
                exactly(self.place, "input channels", self.input_channels(), channels)
            }
        }
    }

    fn output(&self) -> Tensor {
        self.tensor(self.index as u16 + 1)
    }

    fn input(&self, index: usize) -> Tensor {
        self.tensor(self.operator.inputs.get(index).map_or(0, |edge| edge.tensor.get()))
    }

    fn tensor(&self, index: u16) -> Tensor {
        const ABSENT: Tensor = Tensor { channels: 0, scale: 1.0, zero_point: 0, ring: 1 };
        self.plan.tensor(index).unwrap_or(ABSENT)
    }

    fn input_channels(&self) -> usize {
        (0..self.operator.inputs.len()).map(|i| usize::from(self.input(i).channels)).sum()
    }

    fn inputs(&self, low: i64, high: i64) -> Result<(), PlanError> {
        range(self.place, "number of inputs", self.operator.inputs.len() as i64, low, high)
    }

    fn same_channels(&self) -> Result<(), PlanError> {
        exactly(self.place, "output channels", self.output().channels.into(), self.input(0).channels.into())
    }

    /// For operators that copy values: all inputs hold the output's.
    fn same_quantization(&self) -> Result<(), PlanError> {
        let out = self.output();
        let data = if matches!(self.operator.op, Op::Resize(_)) { 1 } else { self.operator.inputs.len() };
        (0..data).try_for_each(|i| self.quantized_as(i, out))
    }

    fn quantized_as(&self, input: usize, other: Tensor) -> Result<(), PlanError> {
        let tensor = self.input(input);
        let (found, expected) = (tensor.zero_point.into(), other.zero_point.into());
        if found != expected {
            return Err(field(self.place, "input's zero point", found, "exactly", expected));
        }
        real(self.place, "input's scale", tensor.scale, tensor.scale == other.scale)
    }

    fn factor(&self, factor: f32) -> Result<(), PlanError> {
        real(self.place, "factor", factor, factor > 0.0)
    }

    fn clamp(&self, clamp: Clamp) -> Result<(), PlanError> {
        range(self.place, "lowest output", clamp.low.into(), i8::MIN.into(), clamp.high.into())
    }

    fn amounts(&self, amounts: &[u16; 4]) -> Result<(), PlanError> {
        amounts.iter().try_for_each(|&amount| range(self.place, "pads", amount.into(), 0, MAX_PAD))
    }

    fn window(&self, window: &Window) -> Result<(), PlanError> {
        for (name, pair) in [("kernel", window.kernel), ("stride", window.stride), ("dilation", window.dilation)] {
            pair.iter().try_for_each(|&value| range(self.place, name, value.into(), 1, MAX_WINDOW))?;
        }
        match &window.padding {
            Padding::Explicit(pads) => self.amounts(pads),
            Padding::SameUpper | Padding::SameLower => Ok(()),
        }
    }

    fn pool(&self, window: &Window) -> Result<(), PlanError> {
        self.inputs(1, 1)?;
        self.same_channels()?;
        self.window(window)
    }

    fn binary(&self, clamp: Clamp) -> Result<(), PlanError> {
        self.inputs(2, 2)?;
        self.same_channels()?;
        self.clamp(clamp)?;
        let (found, channels) = (self.input(1).channels, self.output().channels);
        if found == 1 { Ok(()) } else { exactly(self.place, "second input's channels", found.into(), channels.into()) }
    }

    fn conv(&self, conv: &Conv) -> Result<(), PlanError> {
        let place = self.place;
        self.inputs(1, i64::MAX)?;
        self.window(&conv.window)?;
        self.clamp(conv.clamp)?;
        let (group, inputs, outputs) =
            (usize::from(conv.group), self.input_channels(), usize::from(self.output().channels));
        range(place, "group", group as i64, 1, inputs as i64)?;
        if group > 1 {
            exactly(place, "inputs of a grouped convolution", self.operator.inputs.len(), 1)?;
        }
        exactly(place, "input channels beyond whole groups", inputs % group, 0)?;
        exactly(place, "output channels beyond whole groups", outputs % group, 0)?;
        (1..self.operator.inputs.len()).try_for_each(|i| self.quantized_as(i, self.input(0)))?;
        let taps = usize::from(conv.window.kernel[0]) * usize::from(conv.window.kernel[1]);
        let per_output = taps * (inputs / group);
        exactly(place, "biases", conv.bias.len(), outputs)?;
        exactly(place, "scales", conv.scales.len(), outputs)?;
        exactly(place, "weights", conv.weights.len(), outputs.saturating_mul(per_output))?;
        let positive = |scale: &F32| real(place, "scale", scale.get(), scale.get() > 0.0);
        conv.scales.iter().try_for_each(positive)?;
        let depthwise = conv.is_depthwise(inputs, outputs);
        for (output, bias) in conv.bias.iter().enumerate() {
            // The worst input is 255 steps from its zero point at every tap.
            let magnitude = |w: &i8| i64::from(w.unsigned_abs());
            let weights: i64 = if depthwise {
                conv.weights[output..].iter().step_by(outputs).map(magnitude).sum()
            } else {
                conv.weights[output * per_output..][..per_output].iter().map(magnitude).sum()
            };
            let worst = weights * 255 + i64::from(bias.get()).abs();
            range(place, "largest accumulator", worst, 0, i32::MAX.into())?;
        }
        Ok(())
    }
}

impl Conv<'_> {
    /// Whether each channel is convolved by itself, with the weights stored channels last.
    pub fn is_depthwise(&self, inputs: usize, outputs: usize) -> bool {
        let group = usize::from(self.group);
        group > 1 && group == inputs && group == outputs
    }
}
