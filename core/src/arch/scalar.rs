//! Portable Rust, in a form that compilers vectorize: the definition of every result.

use core::ops::Range;

use super::job::{ConvRow, DepthwiseRow, Layout};
use super::{Isa, Work};

/// Runs everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scalar;

impl Scalar {
    /// Every CPU runs it.
    pub const NEW: Scalar = Scalar;
}

impl Isa for Scalar {
    const NAME: &'static str = "scalar";

    fn layout(self, _: usize) -> Option<Layout> {
        None
    }

    // Never called, as there is no layout.
    fn conv(self, _: &ConvRow, _: &mut [i8]) {}

    fn depthwise(self, _: &DepthwiseRow, _: &mut [i8]) {}
}

#[inline(always)]
pub(super) fn dot<const P: usize>(patches: [&[i16]; P], weights: &[i8]) -> [i32; P] {
    // One weight serves P products; slices of one length spare the checks inside.
    let patches = patches.map(|patch| &patch[..weights.len()]);
    let mut sums = [0; P];
    for (i, &weight) in weights.iter().enumerate() {
        for (sum, patch) in sums.iter_mut().zip(patches) {
            *sum += i32::from(patch[i]) * i32::from(weight);
        }
    }
    sums
}

#[inline(always)]
pub(super) fn multiply_add(sums: &mut [i32], values: &[i8], zero_point: i8, weights: &[i8]) {
    for ((sum, &value), &weight) in sums.iter_mut().zip(values).zip(weights) {
        *sum += (i32::from(value) - i32::from(zero_point)) * i32::from(weight);
    }
}

/// See [`Isa::stage`].
pub(super) struct Stage<'a> {
    pub from: &'a [i8],
    pub layout: &'a Layout,
    pub to: &'a mut [u8],
}

impl Work for Stage<'_> {
    #[inline(always)]
    fn run(self) {
        let flip = self.layout.flip;
        if self.layout.value == 1 {
            for (to, &from) in self.to.iter_mut().zip(self.from) {
                *to = from as u8 ^ flip;
            }
        } else {
            for (to, &from) in self.to.as_chunks_mut::<2>().0.iter_mut().zip(self.from) {
                *to = i16::from(from ^ flip as i8).to_le_bytes();
            }
        }
    }
}

/// See [`Isa::stage_plane`].
pub(super) fn stage_plane(from: &[i8], channels: usize, plane: Range<usize>, to: &mut [u8]) {
    let pixels = from.chunks_exact(channels);
    let width = to.len() / pixels.len().max(1);
    for (pixel, to) in pixels.zip(to.chunks_exact_mut(width.max(1))) {
        for (to, &from) in to.iter_mut().zip(&pixel[plane.clone()]) {
            *to = from as u8;
        }
    }
}

/// See [`Isa::interleave`].
pub(super) struct Interleave<'a> {
    pub rows: [&'a [i8]; 4],
    pub flip: u8,
    pub to: &'a mut [u8],
}

impl Work for Interleave<'_> {
    #[inline(always)]
    fn run(self) {
        let count = self.to.len() / 4;
        let rows = self.rows.map(|row| &row[..count]);
        for (i, to) in self.to.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            *to = [rows[0][i], rows[1][i], rows[2][i], rows[3][i]].map(|value| value as u8 ^ self.flip);
        }
    }
}

/// See [`Isa::squares`].
pub(super) fn squares<I: Isa>(isa: I, [a, b]: [&[i8]; 2], channels: usize, out: &mut [i8]) {
    match channels {
        8 if I::KNOWN_CHANNELS => isa.vectorize(SquaresOf8 { a, b, out }),
        16 if I::KNOWN_CHANNELS => isa.vectorize(Squares::<16> { a, b, out }),
        32 if I::KNOWN_CHANNELS => isa.vectorize(Squares::<32> { a, b, out }),
        64 if I::KNOWN_CHANNELS => isa.vectorize(Squares::<64> { a, b, out }),
        _ => {
            let pairs = a.chunks_exact(2 * channels).zip(b.chunks_exact(2 * channels));
            for (out, (a, b)) in out.chunks_exact_mut(channels).zip(pairs) {
                for (c, out) in out.iter_mut().enumerate() {
                    *out = a[c].max(a[c + channels]).max(b[c].max(b[c + channels]));
                }
            }
        }
    }
}

/// Squares of four pixels, side by side.
struct Squares<'a, const C: usize> {
    a: &'a [i8],
    b: &'a [i8],
    out: &'a mut [i8],
}

impl<const C: usize> Work for Squares<'_, C> {
    #[inline(always)]
    fn run(self) {
        let [a, b] = [self.a, self.b].map(|row| row.as_chunks::<C>().0.as_chunks::<2>().0);
        for (out, (a, b)) in self.out.as_chunks_mut::<C>().0.iter_mut().zip(a.iter().zip(b)) {
            // Made in registers, then stored: so the compiler need not fear that it overwrites its inputs.
            let mut values = [0; C];
            for c in 0..C {
                values[c] = a[0][c].max(a[1][c]).max(b[0][c].max(b[1][c]));
            }
            *out = values;
        }
    }
}

/// The same for pixels of 8 channels, two squares at a time: of an array of 8 bytes the compiler makes a number, with shifts.
struct SquaresOf8<'a> {
    a: &'a [i8],
    b: &'a [i8],
    out: &'a mut [i8],
}

impl Work for SquaresOf8<'_> {
    #[inline(always)]
    fn run(self) {
        let [(a, a_rest), (b, b_rest)] = [self.a, self.b].map(|row| row.as_chunks::<32>());
        let (out, out_rest) = self.out.as_chunks_mut::<16>();
        for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
            let mut values = [0; 16];
            for (i, value) in values.iter_mut().enumerate() {
                let at = i + i / 8 * 8;
                *value = a[at].max(b[at]).max(a[at + 8].max(b[at + 8]));
            }
            *out = values;
        }
        Squares::<8> { a: a_rest, b: b_rest, out: out_rest }.run();
    }
}

pub(super) fn look_up(table: &[i8; 256], from: &[i8], out: &mut [i8]) {
    for (value, &v) in out.iter_mut().zip(from) {
        *value = table[usize::from(v as u8 ^ 0x80)];
    }
}
