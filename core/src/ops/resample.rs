//! Resize: where an output pixel lies on the input, in exact rationals; nearest copies, linear mixes four neighbours.
//!
//! Linear weights are integers of [`BITS`] fractional bits per axis, rounded half up from the exact position. The
//! weighted sum of four `value − zero point` is exact in i32 and is requantized once, by the one rounding rule.

use super::Context;
use crate::plan::{Coordinates, Nearest, Resize};
use crate::quant::{Clamp, requantize};
use crate::shape::Affine;

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

    /// The input pixel nearest to output pixel `x`.
    fn nearest(&self, x: u32) -> u32 {
        self.index().floor(x).clamp(0, i64::from(self.input) - 1) as u32
    }

    /// The two input pixels around output pixel `x`, and the weight of the second.
    fn linear(&self, x: u32) -> (u32, u32, i32) {
        let last = i64::from(self.input) - 1;
        let (numerator, div) = (self.position.numerator(x), self.position.div);
        let low = numerator.div_euclid(div);
        if low < 0 || low >= last {
            let edge = low.clamp(0, last) as u32;
            return (edge, edge, 0);
        }
        let weight = ((numerator - low * div) * i64::from(2 * ONE) + div) / (2 * div);
        (low as u32, low as u32 + 1, weight as i32)
    }
}

/// One row of a Resize.
pub(super) fn row(cx: &Context, resize: &Resize, y: u32, out: &mut [i8]) {
    let (input, output) = (cx.size(0), cx.output_size());
    let sized = cx.edges.len() == 2;
    let rows = Axis::new(resize, 0, input.rows, output.rows, sized);
    let columns = Axis::new(resize, 1, input.width, output.width, sized);
    let channels = usize::from(cx.output().channels);
    if resize.nearest.is_some() {
        let row = cx.row(0, rows.nearest(y));
        for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
            let at = columns.nearest(x) as usize * channels;
            pixel.copy_from_slice(&row[at..at + channels]);
        }
        return;
    }
    let (above, below, down) = rows.linear(y);
    let (above, below) = (cx.row(0, above), cx.row(0, below));
    let (zero_in, zero_out) = (i32::from(cx.input(0).zero_point), cx.output().zero_point);
    let scale = resize.factor / (ONE * ONE) as f32;
    for (x, pixel) in (cx.columns.start..).zip(out.chunks_exact_mut(channels)) {
        let (left, right, across) = columns.linear(x);
        let (left, right) = (left as usize * channels, right as usize * channels);
        let weights = [(ONE - down) * (ONE - across), (ONE - down) * across, down * (ONE - across), down * across];
        for (c, value) in pixel.iter_mut().enumerate() {
            let corners = [above[left + c], above[right + c], below[left + c], below[right + c]];
            let sum: i32 = corners.iter().zip(weights).map(|(&v, w)| (i32::from(v) - zero_in) * w).sum();
            *value = requantize(sum, scale, zero_out, Clamp::FULL);
        }
    }
}
