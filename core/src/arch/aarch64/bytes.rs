//! Work on bytes that every AArch64 CPU does alike.

use core::arch::aarch64::*;
use core::arch::asm;
use core::ops::Range;

use zerocopy::IntoBytes;

use crate::arch::Work;
use crate::arch::scalar;

/// See [`crate::arch::Isa::stage_plane`].
pub(super) fn stage_plane(from: &[i8], channels: usize, plane: Range<usize>, to: &mut [u8]) {
    let pixels = from.len() / channels;
    let width = to.len() / pixels.max(1);
    // Whole planes, eight pixels at a time.
    let whole = match (width, plane.len()) {
        (16, 16) | (8, 8) => pixels / 8 * 8,
        _ => 0,
    };
    assert!(plane.end <= channels);
    // SAFETY: the plane is inside every pixel, and `to` has its width for each.
    unsafe {
        let (from, to) = (from.as_ptr().add(plane.start), to.as_mut_ptr());
        if width == 16 {
            copy_8_x_16(from, channels, to, whole / 8);
        } else {
            copy_8_x_8(from, channels, to, whole / 8);
        }
    }
    if whole < pixels {
        scalar::stage_plane(&from[whole * channels..], channels, plane, &mut to[whole * width..]);
    }
}

/// `count` times 16 bytes of each of eight pixels, `stride` apart, into consecutive bytes.
///
/// # Safety
/// They are there, as are their places.
unsafe fn copy_8_x_16(mut from: *const i8, stride: usize, mut to: *mut u8, count: usize) {
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "ld1 {{v0.16b}}, [{from}], {stride}",
                "ld1 {{v1.16b}}, [{from}], {stride}",
                "ld1 {{v2.16b}}, [{from}], {stride}",
                "ld1 {{v3.16b}}, [{from}], {stride}",
                "ld1 {{v4.16b}}, [{from}], {stride}",
                "ld1 {{v5.16b}}, [{from}], {stride}",
                "ld1 {{v6.16b}}, [{from}], {stride}",
                "ld1 {{v7.16b}}, [{from}], {stride}",
                "st1 {{v0.16b-v3.16b}}, [{to}], #64",
                "st1 {{v4.16b-v7.16b}}, [{to}], #64",
                from = inout(reg) from, stride = in(reg) stride, to = inout(reg) to,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// The same for 8 bytes of each.
///
/// # Safety
/// As above.
unsafe fn copy_8_x_8(mut from: *const i8, stride: usize, mut to: *mut u8, count: usize) {
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "ld1 {{v0.8b}}, [{from}], {stride}",
                "ld1 {{v0.d}}[1], [{from}], {stride}",
                "ld1 {{v1.8b}}, [{from}], {stride}",
                "ld1 {{v1.d}}[1], [{from}], {stride}",
                "ld1 {{v2.8b}}, [{from}], {stride}",
                "ld1 {{v2.d}}[1], [{from}], {stride}",
                "ld1 {{v3.8b}}, [{from}], {stride}",
                "ld1 {{v3.d}}[1], [{from}], {stride}",
                "st1 {{v0.16b-v3.16b}}, [{to}], #64",
                from = inout(reg) from, stride = in(reg) stride, to = inout(reg) to,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// See [`crate::arch::Isa::stage`]: a copy, of rows of a few KiB.
pub(super) fn stage(from: &[i8], to: &mut [u8]) {
    let (chunks, rest) = from.as_bytes().as_chunks::<128>();
    let (to_chunks, to_rest) = to.split_at_mut(128 * chunks.len());
    // SAFETY: so many bytes are there, and so many places.
    unsafe { copy_128(from.as_ptr(), to_chunks.as_mut_ptr(), chunks.len()) };
    if !rest.is_empty() {
        to_rest.copy_from_slice(rest);
    }
}

/// Copies `count` times 128 bytes.
///
/// # Safety
/// They are there, as are their places.
unsafe fn copy_128(mut from: *const i8, mut to: *mut u8, count: usize) {
    for _ in 0..count {
        // SAFETY: the caller's promise.
        unsafe {
            asm!(
                "ld1 {{v0.16b-v3.16b}}, [{from}], #64",
                "ld1 {{v4.16b-v7.16b}}, [{from}], #64",
                "st1 {{v0.16b-v3.16b}}, [{to}], #64",
                "st1 {{v4.16b-v7.16b}}, [{to}], #64",
                from = inout(reg) from, to = inout(reg) to,
                out("v0") _, out("v1") _, out("v2") _, out("v3") _,
                out("v4") _, out("v5") _, out("v6") _, out("v7") _,
                options(nostack, preserves_flags),
            );
        }
    }
}

/// See [`crate::arch::Isa::interleave`]; `flip` is 0 here.
pub(super) fn interleave(rows: [&[i8]; 4], to: &mut [u8]) {
    let count = to.len() / 4;
    let [a, b, c, d] = rows.map(|row| row[..count].as_chunks::<16>());
    let (chunks, rest) = to.as_chunks_mut::<64>();
    for ((((to, a), b), c), d) in chunks.iter_mut().zip(a.0).zip(b.0).zip(c.0).zip(d.0) {
        // SAFETY: 16 values of every row, and their places.
        unsafe {
            let values = [a, b, c, d].map(|row| vld1q_s8(row.as_ptr()));
            vst4q_s8(to.as_mut_ptr().cast(), int8x16x4_t(values[0], values[1], values[2], values[3]));
        }
    }
    scalar::Interleave { rows: [a.1, b.1, c.1, d.1], flip: 0, to: rest }.run();
}

/// See [`crate::arch::Isa::look_up`].
pub(super) fn look_up(table: &[i8; 256], from: &[i8], out: &mut [i8]) {
    let (from, from_rest) = from.as_chunks::<16>();
    let (chunks, rest) = out.as_chunks_mut::<16>();
    // SAFETY: the quarters of the table, and 16 values each.
    unsafe {
        let [a, b, c, d] = [0, 64, 128, 192].map(|at| vld1q_s8_x4(table.as_ptr().add(at)));
        for (out, from) in chunks.iter_mut().zip(from) {
            // The table starts with the entry of −128. A look-up beyond its quarter leaves what is there.
            let at = veorq_u8(vreinterpretq_u8_s8(vld1q_s8(from.as_ptr())), vdupq_n_u8(0x80));
            let found = vqtbl4q_s8(a, at);
            let found = vqtbx4q_s8(found, b, veorq_u8(at, vdupq_n_u8(0x40)));
            let found = vqtbx4q_s8(found, c, veorq_u8(at, vdupq_n_u8(0x80)));
            let found = vqtbx4q_s8(found, d, veorq_u8(at, vdupq_n_u8(0xc0)));
            vst1q_s8(out.as_mut_ptr(), found);
        }
    }
    scalar::look_up(table, from_rest, rest);
}
