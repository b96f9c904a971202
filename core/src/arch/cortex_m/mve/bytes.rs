//! Bytes copied, and interleaved.

use core::arch::asm;

use crate::arch::{Work, scalar};

/// See [`crate::arch::Isa::stage`]: a copy.
pub(super) fn stage(from: &[i8], to: &mut [u8]) {
    let count = from.len().min(to.len());
    // SAFETY: so many bytes are there, and the loop is of no more; none where the count is 0.
    unsafe {
        asm!(
            "wlstp.8 lr, {count}, 3f",
            "2:",
            "vldrb.u8 q0, [{from}], #16",
            "vstrb.8 q0, [{to}], #16",
            "letp lr, 2b",
            "3:",
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_mut_ptr() => _,
            count = in(reg) count,
            out("lr") _, out("q0") _,
            options(nostack),
        );
    }
}

/// See [`crate::arch::Isa::interleave`]; nothing is flipped here.
pub(super) fn interleave(rows: [&[i8]; 4], to: &mut [u8]) {
    let count = to.len() / 4;
    let [a, b, c, d] = rows.map(|row| &row[..count]);
    let whole = count / 16;
    if whole > 0 {
        // SAFETY: so many times 16 bytes of every row, and 64 for them, are there.
        unsafe {
            asm!(
                "dls lr, {whole}",
                "2:",
                "vldrb.u8 q0, [{a}], #16",
                "vldrb.u8 q1, [{b}], #16",
                "vldrb.u8 q2, [{c}], #16",
                "vldrb.u8 q3, [{d}], #16",
                "vst40.8 {{q0, q1, q2, q3}}, [{to}]",
                "vst41.8 {{q0, q1, q2, q3}}, [{to}]",
                "vst42.8 {{q0, q1, q2, q3}}, [{to}]",
                "vst43.8 {{q0, q1, q2, q3}}, [{to}]!",
                "le lr, 2b",
                a = inout(reg) a.as_ptr() => _,
                b = inout(reg) b.as_ptr() => _,
                c = inout(reg) c.as_ptr() => _,
                d = inout(reg) d.as_ptr() => _,
                to = inout(reg) to.as_mut_ptr() => _,
                whole = in(reg) whole,
                out("lr") _, out("q0") _, out("q1") _, out("q2") _, out("q3") _,
                options(nostack),
            );
        }
    }
    let rest = [a, b, c, d].map(|row| &row[16 * whole..]);
    scalar::Interleave { rows: rest, flip: 0, to: &mut to[64 * whole..4 * count] }.run();
}
