//! What is looked up: unary functions and requantization, alone or on the way into a Concat.

use super::Context;
use super::pixels::spread;
use crate::arch::Isa;

/// One table for all channels, or one for each.
pub(super) fn map<I: Isa>(isa: I, cx: &Context, tables: &[i8], y: u32, out: &mut [i8]) {
    let row = cx.span(0, y);
    let (tables, _) = tables.as_chunks::<256>();
    if let [table] = tables {
        return isa.look_up(table, row, out);
    }
    let channels = usize::from(cx.output.channels.get());
    for (pixel, values) in out.chunks_exact_mut(channels).zip(row.chunks_exact(channels)) {
        for ((value, &v), table) in pixel.iter_mut().zip(values).zip(tables) {
            *value = table[usize::from(v as u8 ^ 0x80)];
        }
    }
}

/// Bytes of scratch: a row of one input, looked up.
pub(super) fn scratch_len(tables: &[i8], width: usize, channels: usize) -> usize {
    if tables.is_empty() { 0 } else { width * channels }
}

/// The channels of all inputs side by side, each through its table if there are any.
pub(super) fn concat<I: Isa>(isa: I, cx: &Context, tables: &[i8], y: u32, out: &mut [i8], scratch: &mut [u8]) {
    let total = usize::from(cx.output.channels.get());
    let (tables, _) = tables.as_chunks::<256>();
    let found: &mut [i8] = zerocopy::transmute_mut!(scratch);
    let mut start = 0;
    for index in 0..cx.edges.len() {
        let channels = usize::from(cx.input(index).channels.get());
        let row = cx.span(index, y);
        let row = match (tables.get(index), found.get_mut(..row.len())) {
            (Some(table), Some(found)) => {
                isa.look_up(table, row, found);
                &*found
            }
            _ => row,
        };
        spread(isa, row, channels, (start, total), out);
        start += channels;
    }
}
