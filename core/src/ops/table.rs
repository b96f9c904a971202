//! What is looked up: unary functions and requantization, alone or on the way into a Concat.

use super::Context;

fn look_up(table: &[i8], value: i8) -> i8 {
    table[(i32::from(value) + 128) as usize]
}

/// One table for all channels, or one for each.
pub(super) fn map(cx: &Context, tables: &[i8], y: u32, out: &mut [i8]) {
    let row = cx.span(0, y);
    if tables.len() == 256 {
        for (value, &v) in out.iter_mut().zip(row) {
            *value = look_up(tables, v);
        }
        return;
    }
    let channels = usize::from(cx.output().channels);
    for (pixel, values) in out.chunks_exact_mut(channels).zip(row.chunks_exact(channels)) {
        for ((value, &v), table) in pixel.iter_mut().zip(values).zip(tables.chunks_exact(256)) {
            *value = look_up(table, v);
        }
    }
}

/// The channels of all inputs side by side, each through its table if there are any.
pub(super) fn concat(cx: &Context, tables: &[i8], y: u32, out: &mut [i8]) {
    let total = usize::from(cx.output().channels);
    let mut start = 0;
    for index in 0..cx.edges.len() {
        let channels = usize::from(cx.input(index).channels);
        let row = cx.span(index, y);
        let table = tables.get(256 * index..256 * (index + 1));
        for (pixel, values) in out.chunks_exact_mut(total).zip(row.chunks_exact(channels)) {
            let place = &mut pixel[start..start + channels];
            match table {
                None => place.copy_from_slice(values),
                Some(table) => {
                    for (value, &v) in place.iter_mut().zip(values) {
                        *value = look_up(table, v);
                    }
                }
            }
        }
        start += channels;
    }
}
