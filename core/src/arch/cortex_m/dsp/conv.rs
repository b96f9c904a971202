//! Convolutions: what a row is to the assembly of [`tile`](super::tile), two channels at a time.

use core::mem::MaybeUninit;

use super::tile::{
    ALIGNED_STEP, Last, Part, STEPS, Tiles, UNALIGNED_STEP, Walk, aligned, finish, finish_clamped, tiles, unaligned,
};
use crate::arch::job::{ConvRow, MAX_SEGMENTS, Segment};
use crate::quant::Clamp;

/// A row of a convolution.
pub(super) fn row(row: &ConvRow, out: &mut [i8]) {
    row.check(out);
    assert!(row.segments.len() <= MAX_SEGMENTS);
    if row.pixels == 0 {
        return;
    }
    let block_len = row.steps() * row.layout.step();
    let requantize = &row.requantize;
    let finish = if requantize.clamp == Clamp::FULL { finish as *const () } else { finish_clamped as *const () };
    let last = Last {
        out: out.as_mut_ptr(),
        out_stride: row.out_stride,
        zero_point: requantize.zero_point.into(),
        entry: finish as usize,
        end: out.as_mut_ptr(),
        second: 1,
        low: halves(requantize.clamp.low),
        high: halves(requantize.clamp.high),
    };
    let mut walk = Walk { parts: [const { MaybeUninit::uninit() }; MAX_SEGMENTS], last };
    let unused = MAX_SEGMENTS - row.segments.len();
    for block in 0..row.layout.blocks(row.outputs) {
        let weights = row.weights[block * block_len..].as_ptr();
        for (part, segment) in walk.parts[unused..].iter_mut().zip(row.segments) {
            part.write(self::part(segment, weights));
        }
        let channel = 2 * block;
        let single = channel + 1 == row.outputs;
        let pairs = row.pixels / 2;
        let place = out[channel..].as_mut_ptr();
        walk.last.out = place;
        walk.last.out_stride = row.out_stride;
        walk.last.end = place.wrapping_add(2 * pairs * row.out_stride);
        walk.last.second = usize::from(!single);
        let tiles_of = |walk: &mut Walk| Tiles {
            weights,
            bias: [requantize.bias[channel].get(), requantize.bias[channel + 1].get()],
            parts: (&raw mut *walk).cast::<Part>().wrapping_add(unused),
            scales: [requantize.scales[channel].get(), requantize.scales[channel + 1].get()],
        };
        // SAFETY: `check` saw to all that is read and written: segments reach over all pixels, rounded up to more than 2;
        // weights are there for every step; `out` has both channels of every pixel, or one twice. What is left of an odd
        // row is written to a tile of its own.
        unsafe {
            if pairs > 0 {
                tiles(&tiles_of(&mut walk));
            }
            if row.pixels % 2 == 1 {
                let mut odd = [0i8; 4];
                (walk.last.out, walk.last.out_stride) = (odd.as_mut_ptr(), 2);
                walk.last.end = odd.as_mut_ptr().wrapping_add(4);
                tiles(&tiles_of(&mut walk));
                let left = &mut out[(row.pixels - 1) * row.out_stride + channel..];
                left[0] = odd[0];
                if !single {
                    left[1] = odd[1];
                }
            }
        }
    }
}

/// A value in both halves of a word.
fn halves(value: i8) -> u32 {
    u32::from(i16::from(value) as u16) * 0x1_0001
}

/// A segment, and how it is gone through.
fn part(segment: &Segment, weights: *const u8) -> Part {
    let (input, stride) = (segment.input.as_ptr(), segment.stride);
    let fast = (input.addr() | stride | weights.addr()).is_multiple_of(4);
    let (round, step) =
        if fast { (aligned as *const (), ALIGNED_STEP) } else { (unaligned as *const (), UNALIGNED_STEP) };
    let rounds = segment.steps.div_ceil(STEPS);
    Part { input, stride, rounds, entry: round as usize + (rounds * STEPS - segment.steps) * step }
}
