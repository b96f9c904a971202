//! A convolution's weights in the order of its [`Recipe`], with all else that kernels read beside them.

use zerocopy::little_endian::{F32, I32, U32};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::recipe::{Form, Recipe, SegmentShape};
use crate::arch::job::{Layout, ROWS, Requantize};
use crate::plan::{Conv, PACKED_ALIGNMENT};

/// What a scaled accumulator stays below to be held in 16 bits, with any zero point, and however an f32 of it is rounded.
const MAX_SMALL: f32 = ((1u32 << 15) - 256) as f32;

/// What packed weights start with.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    /// 1 if some weight is −128.
    extreme: U32,
    /// 1 if all sums stay small once they are scaled.
    small: U32,
}

/// Packed weights, taken apart.
pub(super) struct Packed<'a> {
    pub extreme: bool,
    small: bool,
    pub bias: &'a [I32],
    pub scales: &'a [F32],
    pub weights: &'a [u8],
}

impl<'a> Packed<'a> {
    /// `count` biases and scales, and the weights.
    pub fn new(bytes: &'a [u8], count: usize) -> Option<Packed<'a>> {
        let (head, rest) = Head::ref_from_prefix(bytes).ok()?;
        let (bias, rest) = <[I32]>::ref_from_prefix_with_elems(rest, count).ok()?;
        let (scales, weights) = <[F32]>::ref_from_prefix_with_elems(rest, count).ok()?;
        Some(Packed { extreme: head.extreme.get() != 0, small: head.small.get() != 0, bias, scales, weights })
    }

    pub fn requantize(&self, zero_point: i8, conv: &Conv) -> Requantize<'a> {
        let Packed { bias, scales, small, .. } = *self;
        Requantize { bias, scales, small, zero_point, clamp: conv.clamp }
    }
}

impl Recipe {
    /// Bytes of the packed weights.
    pub fn packed_len(&self) -> usize {
        let head = size_of::<Head>() + self.count() * (size_of::<I32>() + size_of::<F32>());
        (head + self.weights_len() * if self.pairs { 2 } else { 1 }).next_multiple_of(PACKED_ALIGNMENT)
    }

    /// Packs the weights into `bytes` ([`Recipe::packed_len`] of them), for an input with this zero point: those of a Conv,
    /// or of one kernel row of a ConvTranspose.
    pub fn pack(&self, conv: &Conv, kernel_row: Option<usize>, zero_point: i8, bytes: &mut [u8]) -> Option<()> {
        let weights_of = Source { recipe: self, conv, kernel_row };
        let count = self.count();
        let (head, rest) = Head::mut_from_prefix(bytes).ok()?;
        let (bias, rest) = <[I32]>::mut_from_prefix_with_elems(rest, count).ok()?;
        let (scales, weights) = <[F32]>::mut_from_prefix_with_elems(rest, count).ok()?;
        head.extreme = u32::from(conv.weights.contains(&i8::MIN)).into();
        head.small = 1.into();
        let farthest = u32::from(zero_point.abs_diff(i8::MIN).max(zero_point.abs_diff(i8::MAX)));
        // Staged values are `x + flip`, so Σ w·(x − zero) = Σ w·staged − (zero + flip)·Σ w.
        let zero = i32::from(zero_point) + i32::from(self.layout.flip);
        let depthwise = self.form == Form::Depthwise;
        for (index, (bias, scale)) in bias.iter_mut().zip(scales).enumerate() {
            let output = if depthwise { index % self.outputs } else { index };
            if output >= self.outputs {
                (*bias, *scale) = (0.into(), 1.0.into());
                continue;
            }
            let (mut sum, mut magnitude) = (0, 0);
            let mut add = |weight: i8| {
                sum += i32::from(weight);
                magnitude += u32::from(weight.unsigned_abs());
            };
            if depthwise {
                conv.weights[output..].iter().step_by(self.outputs).for_each(|&w| add(w));
            } else {
                for segment in &self.segments {
                    (0..segment.all_values()).for_each(|value| add(weights_of.weight(output, segment, value, 0)));
                }
            }
            // The same channel of the plan for each of a transposed convolution's columns.
            let channel = output % conv.bias.len();
            *bias = conv.bias[channel].get().wrapping_sub(zero.wrapping_mul(sum)).into();
            *scale = conv.scales[channel];
            // The plan's check saw to it that this fits 31 bits.
            let most = magnitude.wrapping_mul(farthest).wrapping_add(conv.bias[channel].get().unsigned_abs());
            if most as f32 * scale.get() >= MAX_SMALL {
                head.small = 0.into();
            }
        }
        let (first, second) = weights.split_at_mut_checked(self.weights_len())?;
        let all = [first, second];
        for (below, out) in all.into_iter().enumerate().take(if self.pairs { 2 } else { 1 }) {
            if depthwise { self.pack_depthwise(conv, below, out) } else { self.pack_blocks(&weights_of, below, out) }
        }
        Some(())
    }

    /// `below` rows further down than the interleaved ones start.
    fn pack_blocks(&self, weights_of: &Source, below: usize, out: &mut [u8]) {
        let Layout { value, depth, channels, .. } = self.layout;
        let mut places = out.chunks_exact_mut(value);
        for block in 0..self.layout.blocks(self.outputs) {
            for segment in &self.segments {
                let values = segment.values as usize;
                let planes = 0..usize::from(segment.planes);
                for (plane, step) in planes.flat_map(|p| (0..self.layout.steps(values)).map(move |step| (p, step))) {
                    for output in block * channels..(block + 1) * channels {
                        for v in step * depth..(step + 1) * depth {
                            let inside = output < self.outputs && v < values;
                            let w =
                                if inside { weights_of.weight(output, segment, plane * values + v, below) } else { 0 };
                            let Some(place) = places.next() else { return };
                            place.copy_from_slice(&i16::from(w).to_le_bytes()[..value]);
                        }
                    }
                }
            }
        }
    }

    /// The same of a depthwise convolution.
    fn pack_depthwise(&self, conv: &Conv, below: usize, out: &mut [u8]) {
        let [rows, columns] = self.kernel;
        let mut places = out.chunks_exact_mut(self.layout.interleaved);
        for group in 0..self.groups() {
            for column in 0..columns {
                for position in 0..self.period() {
                    for row in group * ROWS..(group + 1) * ROWS {
                        let row = row.checked_sub(below).filter(|&row| row < rows);
                        let at = |row| (row * columns + column) * self.outputs + position % self.outputs;
                        let Some(place) = places.next() else { return };
                        let weight = i16::from(row.map_or(0, |row| conv.weights[at(row)]));
                        place.copy_from_slice(&weight.to_le_bytes()[..self.layout.interleaved]);
                    }
                }
            }
        }
    }
}

/// The plan's weights in the order of a recipe.
struct Source<'r> {
    recipe: &'r Recipe,
    conv: &'r Conv<'r>,
    /// For a ConvTranspose, of which output `column · channels + channel` of the 1x1 convolution is a channel of a column.
    kernel_row: Option<usize>,
}

impl Source<'_> {
    /// The weight of a value of a segment; where rows are interleaved, `below` rows further down than they start.
    fn weight(&self, output: usize, segment: &SegmentShape, value: usize, below: usize) -> i8 {
        let Recipe { form, kernel: [rows, columns], inputs, .. } = *self.recipe;
        let block = rows * columns * inputs;
        let at = if form == Form::Interleaved {
            let row = (usize::from(segment.row) * ROWS + value % ROWS).checked_sub(below).filter(|&row| row < rows);
            row.map(|row| output * block + row * columns * inputs + value / ROWS)
        } else {
            segment.source(value).map(|(tap, channel)| match self.kernel_row {
                None => output * block + segment.start as usize + tap * usize::from(segment.channels) + channel,
                Some(row) => {
                    let [rows, columns] = self.conv.window.kernel.map(usize::from);
                    let channels = self.conv.bias.len();
                    (((output % channels) * rows + row) * columns + output / channels) * inputs + channel
                }
            })
        };
        at.map_or(0, |at| self.conv.weights[at])
    }
}
