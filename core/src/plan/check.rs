//! Every rule that a plan must keep, checked once, so that nothing later can fail on it (contract C3).

use crc::{CRC_32_ISO_HDLC, Crc};
use zerocopy::IntoBytes;
use zerocopy::little_endian::F32;

use super::inspector::{Broken, Inspector};
use super::op::{Classify, Conv, Op, Operator, Pool, kind_name};
use super::record;
use super::view::{Plan, Role, Tensor};
use crate::error::{Place, PlanError};
use crate::quant::Clamp;
use crate::shape::{Padding, Window};

/// Largest kernel, stride and dilation, in pixels.
const MAX_WINDOW: usize = 1024;
/// Largest pad or crop on one side, in pixels.
const MAX_PAD: usize = 4096;
/// Largest factor of an edge's nearest upsampling.
const MAX_UPSAMPLE: usize = 16;
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

/// Everything about a plan whose sections fit its bytes.
pub(super) fn check(plan: &Plan) -> Result<(), PlanError> {
    let inspector = Inspector::new();
    all(plan, &inspector).map_err(|Broken| inspector.found())
}

fn all(plan: &Plan, inspector: &Inspector) -> Result<(), Broken> {
    header(plan, inspector)?;
    for (index, tensor) in plan.tensors().enumerate() {
        inspector.at(Place::Tensor(index as u16));
        inspector.at_least("channels", tensor.channels.into(), 1)?;
        inspector.at_least("ring rows", tensor.ring as usize, 1)?;
        inspector.real("scale", tensor.scale, tensor.scale > 0.0)?;
    }
    let mut first_edge = 0;
    for (index, record) in plan.operators.iter().enumerate() {
        inspector.at(Place::Operator(index as u16, kind_name(record.kind)));
        inspector.exactly("first edge", record.first_edge.get().into(), first_edge)?;
        first_edge += usize::from(record.edges.get());
        inspector.at_most("edges", first_edge, plan.edges.len())?;
        let operator = plan.decode(record, inspector)?;
        inspector.at_least("strip", operator.strip.into(), 1)?;
        for edge in operator.inputs {
            inspector.at_most("input tensor", edge.tensor.get().into(), index)?;
            let most = if matches!(operator.op, Op::Conv(_)) { MAX_UPSAMPLE } else { 1 };
            inspector.range("upsampling", edge.upsample.into(), 1, most)?;
        }
        Rules { plan, inspector, operator, index }.check()?;
    }
    inspector.at(Place::Header);
    inspector.exactly("edges", plan.edges.len(), first_edge)?;
    inspector.at_least("outputs", plan.outputs.len(), 1)?;
    for (index, record) in plan.outputs.iter().enumerate() {
        inspector.at(Place::Output(index as u16));
        let output = plan.decode_output(record, inspector)?;
        inspector.at_most("tensor", output.tensor.into(), plan.tensors.len() - 1)?;
        let channels = plan.tensor(output.tensor).map_or(0, |t| t.channels);
        if output.role == Role::Mask {
            inspector.exactly("channels of the mask", channels.into(), 1)?;
        }
    }
    Ok(())
}

fn header(plan: &Plan, inspector: &Inspector) -> Result<(), Broken> {
    let header = plan.header();
    inspector.exactly("tensors", plan.tensors.len(), plan.operators.len() + 1)?;
    for (multiple, remainder) in header.multiple.iter().zip(&header.remainder) {
        let multiple = usize::from(multiple.get());
        inspector.range("alignment", multiple, 1, MAX_PAD)?;
        inspector.at_most("alignment's remainder", remainder.get().into(), multiple - 1)?;
    }
    for span in [header.classes, header.provenance, header.packing] {
        plan.text(span, inspector)?;
    }
    plan.bytes(header.packed, "packed weights", inspector)?;
    if header.packing.len.get() == 0 {
        inspector.exactly("packed weights' bytes", header.packed.len.get() as usize, 0)?;
    }

    inspector.at(Place::Input);
    let input = &header.input;
    inspector.at_most("normalization", input.policy.into(), 2)?;
    inspector.at_most("channel order", input.order.into(), 1)?;
    let (low, high) = (input.low.get(), input.high.get());
    let percent = input.policy != 0;
    inspector.real("low", low, !percent || low >= 0.0)?;
    inspector.real("high", high, high > low && (!percent || high <= 100.0))?;
    for (name, values) in [("gain", &input.gain), ("offset", &input.offset)] {
        values.iter().try_for_each(|value| inspector.real(name, value.get(), true))?;
    }

    inspector.at(Place::Post);
    let post = &header.post;
    inspector.at_most("task", post.task.into(), 2)?;
    let (grow, threshold) = (post.grow.get(), post.threshold.get());
    inspector.real("grow", grow, (0.0..=MAX_GROW).contains(&grow))?;
    inspector.real("threshold", threshold, true)
}

/// One operator's rules.
struct Rules<'p, 'a> {
    plan: &'p Plan<'a>,
    inspector: &'p Inspector,
    operator: Operator<'a>,
    index: usize,
}

impl Rules<'_, '_> {
    fn check(&self) -> Result<(), Broken> {
        let inspector = self.inspector;
        match &self.operator.op {
            Op::Conv(conv) => self.conv(conv),
            Op::ConvTranspose { conv, output_padding: [rows, columns] } => {
                self.inputs(1)?;
                inspector.at_most("output padding", (*rows.max(columns)).into(), MAX_WINDOW)?;
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
                self.map()?;
                self.factor(*factor)
            }
            Op::Resize(resize) => {
                let inputs = self.operator.inputs.len();
                inspector.range("number of inputs", inputs, 1, 2)?;
                self.same_channels()?;
                if inputs == 1 {
                    let ratios = resize.ratio.as_flattened();
                    ratios.iter().try_for_each(|&ratio| inspector.at_least("ratio", ratio.into(), 1))?;
                }
                if resize.nearest.is_some() { self.same_quantization() } else { self.factor(resize.factor) }
            }
            Op::Concat { tables } => {
                inspector.at_least("number of inputs", self.operator.inputs.len(), 1)?;
                self.output_channels(self.input_channels())?;
                if tables.is_empty() {
                    self.same_quantization()
                } else {
                    inspector.exactly("tables' bytes", tables.len(), 256 * self.operator.inputs.len())
                }
            }
            Op::Add { factor, clamp } => {
                self.binary(*clamp)?;
                factor.iter().try_for_each(|&f| inspector.real("factor", f, true))
            }
            Op::Mul { factor, clamp } => {
                self.binary(*clamp)?;
                self.factor(*factor)
            }
            Op::Table(table) => {
                self.map()?;
                let channels = if table.len() == 256 { 1 } else { usize::from(self.output().channels) };
                inspector.exactly("table's bytes", table.len(), 256 * channels)
            }
            Op::Pad { pads, .. } => {
                self.map()?;
                self.amounts(pads)?;
                self.same_quantization()
            }
            Op::Slice { crop, channel } => {
                self.inputs(1)?;
                self.amounts(crop)?;
                let end = usize::from(*channel) + usize::from(self.output().channels);
                inspector.range("last channel", end, 1, self.input_channels())?;
                self.same_quantization()
            }
            Op::ArgMax => {
                self.inputs(1)?;
                inspector.range("input channels", self.input_channels(), 1, 128)?;
                self.output_channels(1)
            }
            Op::Softmax(exponentials) => {
                self.map()?;
                inspector.exactly("exponentials", exponentials.len(), 256)?;
                exponentials.iter().enumerate().try_for_each(|(index, value)| {
                    inspector.range("exponential", value.get() as usize, usize::from(index == 0), 65_536)
                })
            }
            Op::Classify(classify) => {
                self.inputs(1)?;
                self.output_channels(1)?;
                let channels = match classify {
                    Classify::InteriorBorder { object, border, .. } => {
                        inspector.range("object class", (*object).into(), 1, 2)?;
                        inspector.range("border class", (*border).into(), 1, 2)?;
                        3
                    }
                    Classify::Above { .. } => 1,
                };
                inspector.exactly("input channels", self.input_channels(), channels)
            }
            Op::Input(ratio) => {
                self.inputs(1)?;
                ratio.iter().try_for_each(|&[_, down]| inspector.at_least("ratio's denominator", down.into(), 1))
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

    fn inputs(&self, count: usize) -> Result<(), Broken> {
        self.inspector.range("number of inputs", self.operator.inputs.len(), count, count)
    }

    fn output_channels(&self, expected: usize) -> Result<(), Broken> {
        self.inspector.exactly("output channels", self.output().channels.into(), expected)
    }

    fn same_channels(&self) -> Result<(), Broken> {
        self.output_channels(self.input(0).channels.into())
    }

    /// One input, of as many channels as the output.
    fn map(&self) -> Result<(), Broken> {
        self.inputs(1)?;
        self.same_channels()
    }

    /// For operators that copy values: all inputs hold the output's.
    fn same_quantization(&self) -> Result<(), Broken> {
        let out = self.output();
        let data = if matches!(self.operator.op, Op::Resize(_)) { 1 } else { self.operator.inputs.len() };
        (0..data).try_for_each(|i| self.quantized_as(i, out))
    }

    fn quantized_as(&self, input: usize, other: Tensor) -> Result<(), Broken> {
        let tensor = self.input(input);
        let (found, expected) = (tensor.zero_point.into(), other.zero_point.into());
        if found != expected {
            return Err(self.inspector.field("input's zero point", found, "exactly", expected));
        }
        self.inspector.real("input's scale", tensor.scale, tensor.scale == other.scale)
    }

    fn factor(&self, factor: f32) -> Result<(), Broken> {
        self.inspector.real("factor", factor, factor > 0.0)
    }

    fn clamp(&self, Clamp { low, high }: Clamp) -> Result<(), Broken> {
        if low <= high {
            Ok(())
        } else {
            Err(self.inspector.field("lowest output", low.into(), "at most", high.into()))
        }
    }

    fn amounts(&self, amounts: &[u16; 4]) -> Result<(), Broken> {
        amounts.iter().try_for_each(|&amount| self.inspector.at_most("pads", amount.into(), MAX_PAD))
    }

    fn window(&self, window: &Window) -> Result<(), Broken> {
        for (name, pair) in [("kernel", window.kernel), ("stride", window.stride), ("dilation", window.dilation)] {
            pair.iter().try_for_each(|&value| self.inspector.range(name, value.into(), 1, MAX_WINDOW))?;
        }
        match &window.padding {
            Padding::Explicit(pads) => self.amounts(pads),
            Padding::SameUpper | Padding::SameLower => Ok(()),
        }
    }

    fn pool(&self, window: &Window) -> Result<(), Broken> {
        self.map()?;
        self.window(window)
    }

    fn binary(&self, clamp: Clamp) -> Result<(), Broken> {
        self.inputs(2)?;
        self.same_channels()?;
        self.clamp(clamp)?;
        let (found, channels) = (self.input(1).channels, self.output().channels);
        if found == 1 {
            return Ok(());
        }
        self.inspector.exactly("second input's channels", found.into(), channels.into())
    }

    fn conv(&self, conv: &Conv) -> Result<(), Broken> {
        let inspector = self.inspector;
        inspector.at_least("number of inputs", self.operator.inputs.len(), 1)?;
        self.window(&conv.window)?;
        self.clamp(conv.clamp)?;
        let (group, inputs, outputs) =
            (usize::from(conv.group), self.input_channels(), usize::from(self.output().channels));
        inspector.range("group", group, 1, inputs)?;
        if group > 1 {
            inspector.exactly("inputs of a grouped convolution", self.operator.inputs.len(), 1)?;
        }
        inspector.exactly("input channels beyond whole groups", inputs % group, 0)?;
        inspector.exactly("output channels beyond whole groups", outputs % group, 0)?;
        (1..self.operator.inputs.len()).try_for_each(|i| self.quantized_as(i, self.input(0)))?;
        let taps = usize::from(conv.window.kernel[0]) * usize::from(conv.window.kernel[1]);
        let per_output = taps * (inputs / group);
        inspector.exactly("biases", conv.bias.len(), outputs)?;
        inspector.exactly("scales", conv.scales.len(), outputs)?;
        inspector.exactly("weights", conv.weights.len(), outputs.saturating_mul(per_output))?;
        let positive = |scale: &F32| inspector.real("scale", scale.get(), scale.get() > 0.0);
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
            if worst > i32::MAX.into() {
                return Err(inspector.field("largest accumulator", worst, "at most", i32::MAX.into()));
            }
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
