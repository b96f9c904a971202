//! Pixels of a row, copied to places further apart: how rows are interleaved.

use crate::arch::Isa;

/// Copies pixels of `channels` values, one behind the other, to `out`: the first to value `start`, each other `stride` values
/// further on, as far as there is room.
pub(super) fn spread<I: Isa>(isa: I, from: &[i8], channels: usize, (start, stride): (usize, usize), out: &mut [i8]) {
    let Some(out) = out.get_mut(start..) else { return };
    match channels {
        8 if I::KNOWN_CHANNELS => spread_by::<8>(from, stride, out),
        16 if I::KNOWN_CHANNELS => spread_by::<16>(from, stride, out),
        32 if I::KNOWN_CHANNELS => spread_by::<32>(from, stride, out),
        64 if I::KNOWN_CHANNELS => spread_by::<64>(from, stride, out),
        _ => {
            for (place, pixel) in out.chunks_mut(stride).zip(from.chunks_exact(channels)) {
                if let Some(place) = place.get_mut(..channels) {
                    isa.copy(pixel, place);
                }
            }
        }
    }
}

/// The same, where the compiler knows the channels.
fn spread_by<const C: usize>(from: &[i8], stride: usize, out: &mut [i8]) {
    for (place, pixel) in out.chunks_mut(stride).zip(from.as_chunks::<C>().0) {
        if let Some(place) = place.first_chunk_mut() {
            *place = *pixel;
        }
    }
}
