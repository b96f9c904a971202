//! Work on bytes that every AArch64 CPU does alike.

use core::arch::aarch64::*;

use crate::arch::Work;
use crate::arch::scalar;

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
