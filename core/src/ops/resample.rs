//! Resize: where an output pixel lies on the input, in exact rationals; nearest copies, linear mixes four neighbours.
//!
//! Linear weights are integers of [`BITS`] fractional bits per axis, rounded half up from the exact position. The
//! weighted sum of four `value − zero point` is exact in i32 and is requantized once, by the one rounding rule. It is made
//! down first, over a whole row, and then across.

mod double;

use core::ops::Range;

use zerocopy::FromBytes;
use zerocopy::little_endian::I32;

use super::Context;
use crate::arch::{Isa, Work};
use crate::plan::{Coordinates, Nearest, Resize};
use crate::quant::{Clamp, requantize};
use crate::shape::{Affine, Size};

/// Fractional bits of a linear weight along one axis.
const BITS: u32 = 11;
const ONE: i32 = 1 << BITS;

/// One axis of a Resize, resolved for a frame.
pub(crate) struct Axis {
    /// Position on the input, as a rational.
    position: Affine,
    input: u32,
    nearest: Option<Nearest>,
}

impl Axis {
    /// `output` pixels over `input` pixels; the scale is the plan's ratio, or `output / input` where the size was
    /// given by another tensor.
    pub(crate) fn new(resize: &Resize, axis: usize, input: u32, output: u32, sized: bool) -> Axis {
        let [up, down] = if sized { [output, input] } else { resize.ratio[axis].map(u32::from) }.map(i64::from);
        let position = match resize.coordinates {
            Coordinates::PytorchHalfPixel if output == 1 => Affine { mul: 0, add: 0, div: 1 },
            // (x + 1/2)·down/up − 1/2
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => {
                Affine { mul: 2 * down, add: down - up, div: 2 * up }
            }
            Coordinates::AlignCorners if output == 1 => Affine { mul: 0, add: 0, div: 1 },
            Coordinates::AlignCorners => Affine { mul: i64::from(input) - 1, add: 0, div: i64::from(output) - 1 },
            Coordinates::Asymmetric => Affine { mul: down, add: 0, div: up },
        };
        Axis { position, input, nearest: resize.nearest }
    }

    /// The position rounded as the mode wants it: an affine map again.
    fn index(&self) -> Affine {
        let Affine { mul, add, div } = self.position;
        match self.nearest {
            None | Some(Nearest::Floor) => self.position,
            Some(Nearest::Ceil) => Affine { mul, add: add + div - 1, div },
            // ceil(p − 1/2) and floor(p + 1/2)
            Some(Nearest::RoundPreferFloor) => Affine { mul: 2 * mul, add: 2 * add + div - 1, div: 2 * div },
            Some(Nearest::RoundPreferCeil) => Affine { mul: 2 * mul, add: 2 * add + div, div: 2 * div },
        }
    }

    /// The first input pixel that an output pixel needs, and the constant of the same map for the last.
    pub(crate) fn reach(&self) -> (Affine, i64) {
        let index = self.index();
        match self.nearest {
            Some(_) => (index, index.add),
            None => (index, index.add + index.div),
        }
    }

    /// Whether output pixels come in pairs, a quarter of an input pixel before and behind each input pixel.
    fn doubles(&self) -> bool {
        let Affine { mul, add, div } = self.position;
        // (2x − 1) / 4
        mul * 4 == 2 * div && add * 4 == -div
    }

    /// The input pixel nearest to output pixel `x`.
    fn nearest(&self, x: u32) -> u32 {
        self.index().floor(x).min(i64::from(self.input) - 1).max(0) as u32
    }

    /// The two input pixels around output pixel `x`, and the weight of the second.
    fn linear(&self, x: u32) -> (u32, u32, i32) {
        let last = i64::from(self.input) - 1;
        let (numerator, div) = (self.position.numerator(x), self.position.div);
        let low = numerator.div_euclid(div);
        if low < 0 || low >= last {
            let edge = low.min(last).max(0) as u32;
            return (edge, edge, 0);
        }
        let weight = ((numerator - low * div) * i64::from(2 * ONE) + div) / (2 * div);
        (low as u32, low as u32 + 1, weight as i32)
    }
}

/// Bytes of scratch: a row of the input, mixed, and a pixel more on either side.
pub(super) fn scratch_len(resize: &Resize, size: Size, channels: usize) -> usize {
    if resize.nearest.is_some() { 0 } else { (size.width as usize + 2) * channels * size_of::<i32>() }
}

/// One row of a Resize.
pub(super) fn row<I: Isa>(isa: I, cx: &Context, resize: &Resize, y: u32, out: &mut [i8], scratch: &mut [u8]) {
    let (input, output) = (cx.size(0), cx.place.size());
    let sized = cx.edges.len() == 2;
    let rows = Axis::new(resize, 0, input.rows, output.rows, sized);
    let columns = Axis::new(resize, 1, input.width, output.width, sized);
    let channels = usize::from(cx.output.channels.get());
    if resize.nearest.is_some() {
        let row = cx.row(0, rows.nearest(y));
        for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
            let at = columns.nearest(x) as usize * channels;
            pixel.copy_from_slice(&row[at..at + channels]);
        }
        return;
    }
    let (above, below, weight) = rows.linear(y);
    let mix = Mix { above: cx.row(0, above), below: cx.row(0, below), weight, zero: cx.input(0).zero_point.into() };
    let (zero_point, factor) = (cx.output.zero_point, resize.factor);
    let ends = |span: &Range<u32>| (columns.linear(span.start).0, columns.linear(span.end.saturating_sub(1)).1);
    if let Some(mix) = mix.in_quarters().filter(|_| columns.doubles() && double::exact(factor)) {
        return double::row(isa, &mix, factor, zero_point, cx.columns.clone(), channels, scratch, out);
    }
    let (first, last) = ends(&cx.columns);
    let values = first as usize * channels..(last as usize + 1) * channels;
    let Ok((mixed, _)) = <[I32]>::mut_from_prefix_with_elems(scratch, values.len()) else { return };
    isa.vectorize(MixRows { mix: mix.part(values), mixed });
    let scale = factor / (ONE * ONE) as f32;
    for (x, out) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
        let (left, right, weight) = columns.linear(x);
        let at = |column: u32| &mixed[(column - first) as usize * channels..][..channels];
        isa.vectorize(MixPixels { left: at(left), right: at(right), weight, scale, zero_point, out });
    }
}

/// Two rows of the input and the weight of the second, in 2048ths (or, for [`double`], in quarters).
#[derive(Clone, Copy)]
struct Mix<'a> {
    above: &'a [i8],
    below: &'a [i8],
    weight: i32,
    zero: i32,
}

impl<'a> Mix<'a> {
    /// With the weight in quarters, if it is so many.
    fn in_quarters(&self) -> Option<Mix<'a>> {
        (self.weight % (ONE / 4) == 0).then_some(Mix { weight: self.weight / (ONE / 4), ..*self })
    }

    /// Some of the values.
    fn part(&self, values: Range<usize>) -> Mix<'a> {
        Mix { above: &self.above[values.clone()], below: &self.below[values], ..*self }
    }
}

/// One row of two, weighted: values less their zero point, times [`ONE`].
struct MixRows<'a> {
    mix: Mix<'a>,
    mixed: &'a mut [I32],
}

impl Work for MixRows<'_> {
    #[inline(always)]
    fn run(self) {
        let Mix { above, below, weight, zero } = self.mix;
        for ((mixed, &above), &below) in self.mixed.iter_mut().zip(above).zip(below) {
            mixed.set((i32::from(above) - zero) * (ONE - weight) + (i32::from(below) - zero) * weight);
        }
    }
}

/// One pixel of two.
struct MixPixels<'a> {
    left: &'a [I32],
    right: &'a [I32],
    weight: i32,
    scale: f32,
    zero_point: i8,
    out: &'a mut [i8],
}

impl Work for MixPixels<'_> {
    #[inline(always)]
    fn run(self) {
        for ((out, left), right) in self.out.iter_mut().zip(self.left).zip(self.right) {
            let sum = left.get() * (ONE - self.weight) + right.get() * self.weight;
            *out = requantize(sum, self.scale, self.zero_point, Clamp::FULL);
        }
    }
}
