//! Bytes copied, interleaved, compared, and looked up.

use core::arch::asm;

use crate::arch::{Work, scalar};

/// See [`crate::arch::Isa::copy`].
#[inline(always)]
pub(super) fn copy(from: &[i8], to: &mut [i8]) {
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

/// See [`crate::arch::Isa::squares`]: up to 16 channels at a time, pixel after pixel.
pub(super) fn squares([a, b]: [&[i8]; 2], channels: usize, out: &mut [i8]) {
    let pixels = out.len() / channels;
    assert!(a.len() >= 2 * pixels * channels && b.len() >= 2 * pixels * channels);
    if pixels == 0 {
        return;
    }
    if channels == 8 {
        // SAFETY: either row has 16 bytes, two pixels, for each pixel of the output.
        unsafe { squares_of_8([a.as_ptr(), b.as_ptr()], out.as_mut_ptr(), pixels) };
        return;
    }
    for first in (0..channels).step_by(16) {
        let count = 16.min(channels - first);
        // SAFETY: either row has two pixels for each of the output; of each, `count` channels from `first` on are read and
        // written, as the predicate says.
        unsafe {
            asm!(
                "vctp.8 {count}",
                "dls lr, {pixels}",
                "2:",
                "vpstttt",
                "vldrbt.u8 q0, [{a}]",
                "vldrbt.u8 q1, [{a_next}]",
                "vldrbt.u8 q2, [{b}]",
                "vldrbt.u8 q3, [{b_next}]",
                "add {a}, {two}",
                "vmax.s8 q0, q0, q1",
                "add {a_next}, {two}",
                "vmax.s8 q2, q2, q3",
                "add {b}, {two}",
                "vmax.s8 q0, q0, q2",
                "add {b_next}, {two}",
                "vpst",
                "vstrbt.8 q0, [{out}]",
                "add {out}, {channels}",
                "le lr, 2b",
                count = in(reg) count,
                pixels = in(reg) pixels,
                two = in(reg) 2 * channels,
                channels = in(reg) channels,
                a = inout(reg) a.as_ptr().add(first) => _,
                a_next = inout(reg) a.as_ptr().add(first + channels) => _,
                b = inout(reg) b.as_ptr().add(first) => _,
                b_next = inout(reg) b.as_ptr().add(first + channels) => _,
                out = inout(reg) out.as_mut_ptr().add(first) => _,
                out("lr") _, out("q0") _, out("q1") _, out("q2") _, out("q3") _,
                options(nostack),
            );
        }
    }
}

/// See [`crate::arch::Isa::look_up`]: a gathering load has 16 bytes as offsets into the table.
pub(super) fn look_up(table: &[i8; 256], from: &[i8], out: &mut [i8]) {
    let count = from.len().min(out.len());
    // SAFETY: so many bytes are there, and the loop is of no more; none where the count is 0. Any offset is in the table.
    unsafe {
        asm!(
            "vmov.i8 q1, #0x80",
            "wlstp.8 lr, {count}, 3f",
            "2:",
            "vldrb.u8 q0, [{from}], #16",
            "veor q0, q0, q1",
            "vldrb.u8 q2, [{table}, q0]",
            "vstrb.8 q2, [{out}], #16",
            "letp lr, 2b",
            "3:",
            table = in(reg) table.as_ptr(),
            from = inout(reg) from.as_ptr() => _,
            out = inout(reg) out.as_mut_ptr() => _,
            count = in(reg) count,
            out("lr") _, out("q0") _, out("q1") _, out("q2") _,
            options(nostack),
        );
    }
}

/// [`squares`] of 8 channels, where a register holds two pixels.
///
/// # Safety
/// The CPU has Helium; there are `pixels` pixels, at least one, in `out`, and twice as many in both rows.
unsafe fn squares_of_8([a, b]: [*const i8; 2], out: *mut i8, pixels: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        asm!(
            "vctp.8 {count}",
            "dls lr, {pixels}",
            "2:",
            "vldrb.u8 q0, [{a}], #16",
            "vldrb.u8 q1, [{b}], #16",
            "vmax.s8 q0, q0, q1",
            "vmov {low}, {high}, d1",
            "vmov d2, {low}, {high}",
            "vmax.s8 q0, q0, q1",
            "vpst",
            "vstrbt.8 q0, [{out}], #8",
            "le lr, 2b",
            count = in(reg) 8,
            pixels = in(reg) pixels,
            a = inout(reg) a => _,
            b = inout(reg) b => _,
            out = inout(reg) out => _,
            low = out(reg) _,
            high = out(reg) _,
            out("lr") _, out("q0") _, out("q1") _,
            options(nostack),
        );
    }
}
