//! Bytes copied, widened to i16, in their order, and compared by fours.
//!
//! `sxtb16` widens every second byte of a word, so that four bytes come as the pairs (0, 2) and (1, 3); `pkhbt` and `pkhtb`
//! make (0, 1) and (2, 3) of these, or pairs of two rows.
//!
//! Single words are loaded and stored wherever they lie, which these CPUs allow.

use core::arch::asm;

/// Most bytes for which [`copy`] is as fast as a call of `memcpy`: a pixel.
const SHORT: usize = 64;

/// See [`crate::arch::Isa::copy`].
pub(super) fn copy(from: &[i8], to: &mut [i8]) {
    let count = from.len().min(to.len());
    if count > SHORT {
        return to.copy_from_slice(from);
    }
    // SAFETY: so many bytes are there: words, as long as there are whole ones, and then bytes.
    unsafe {
        asm!(
            "subs {count}, #4",
            "blo 3f",
            "2:",
            "ldr {word}, [{from}], #4",
            "str {word}, [{to}], #4",
            "subs {count}, #4",
            "bhs 2b",
            "3:",
            "adds {count}, #4",
            "beq 5f",
            "4:",
            "ldrb {word}, [{from}], #1",
            "strb {word}, [{to}], #1",
            "subs {count}, #1",
            "bne 4b",
            "5:",
            from = inout(reg) from.as_ptr() => _,
            to = inout(reg) to.as_mut_ptr() => _,
            count = inout(reg) count => _,
            word = out(reg) _,
            options(nostack),
        );
    }
}

/// Widens the words a and b.
macro_rules! widen {
    ($load:literal, $store_a:literal, $store_b:literal) => {
        concat!(
            $load,
            "
            sxtb16 {c}, {a}
            sxtb16 {a}, {a}, ror #8
            pkhbt {d}, {c}, {a}, lsl #16
            pkhtb {a}, {a}, {c}, asr #16
            ",
            $store_a,
            "
            sxtb16 {c}, {b}
            sxtb16 {b}, {b}, ror #8
            pkhbt {d}, {c}, {b}, lsl #16
            pkhtb {b}, {b}, {c}, asr #16
            ",
            $store_b
        )
    };
}

/// The same, where all addresses are multiples of 4.
macro_rules! widen_aligned {
    () => {
        widen!("ldrd {a}, {b}, [{from}], #8", "strd {d}, {a}, [{to}], #8", "strd {d}, {b}, [{to}], #8")
    };
}

/// A loop of `count` times these instructions, from `from` to `to`.
macro_rules! widening {
    ($from:expr, $to:expr, $count:expr, $($instructions:expr),*) => {
        asm!(
            "2:",
            $($instructions,)*
            "subs {count}, #1",
            "bne 2b",
            from = inout(reg) $from => _,
            to = inout(reg) $to => _,
            count = inout(reg) $count => _,
            a = out(reg) _, b = out(reg) _, c = out(reg) _, d = out(reg) _,
            options(nostack),
        )
    };
}

/// See [`crate::arch::Isa::stage`]: two bytes for each.
pub(super) fn stage(from: &[i8], to: &mut [u8]) {
    let count = from.len().min(to.len() / 2);
    let (source, place) = (from.as_ptr(), to.as_mut_ptr());
    let aligned = source.addr().is_multiple_of(4) && place.addr().is_multiple_of(4);
    // How many times 16 values are done, and then how many times 8.
    let pairs = if aligned { count / 16 } else { 0 };
    let whole = count / 8;
    // SAFETY: so many values, and two bytes for each, are there.
    unsafe {
        if pairs > 0 {
            widening!(source, place, pairs, widen_aligned!(), widen_aligned!());
        }
        if whole > 2 * pairs {
            widening!(
                source.add(16 * pairs),
                place.add(32 * pairs),
                whole - 2 * pairs,
                widen!(
                    "ldr {a}, [{from}], #4
                    ldr {b}, [{from}], #4",
                    "str {d}, [{to}], #4
                    str {a}, [{to}], #4",
                    "str {d}, [{to}], #4
                    str {b}, [{to}], #4"
                )
            );
        }
    }
    let places = to.as_chunks_mut::<2>().0;
    for (to, &from) in places[8 * whole..].iter_mut().zip(&from[8 * whole..]) {
        *to = i16::from(from).to_le_bytes();
    }
}

/// See [`crate::arch::Isa::interleave`]: 8 bytes for each position.
pub(super) fn interleave(rows: [&[i8]; 4], to: &mut [u8]) {
    let count = to.len() / 8;
    let rows = rows.map(|row| &row[..count]);
    let whole = count / 4;
    if whole > 0 {
        for pair in 0..2 {
            let (even, odd) = (rows[2 * pair], rows[2 * pair + 1]);
            // SAFETY: so many times 4 bytes of either row, and 32 for them, are there; of these, every other word is
            // written.
            unsafe {
                asm!(
                    "2:",
                    "ldr {a}, [{even}], #4",
                    "ldr {b}, [{odd}], #4",
                    "sxtb16 {c}, {a}",
                    "sxtb16 {d}, {b}",
                    "sxtb16 {a}, {a}, ror #8",
                    "sxtb16 {b}, {b}, ror #8",
                    "pkhbt {e}, {c}, {d}, lsl #16",
                    "str {e}, [{to}], #8",
                    "pkhbt {e}, {a}, {b}, lsl #16",
                    "str {e}, [{to}], #8",
                    "pkhtb {e}, {d}, {c}, asr #16",
                    "str {e}, [{to}], #8",
                    "pkhtb {e}, {b}, {a}, asr #16",
                    "str {e}, [{to}], #8",
                    "subs {count}, #1",
                    "bne 2b",
                    even = inout(reg) even.as_ptr() => _,
                    odd = inout(reg) odd.as_ptr() => _,
                    to = inout(reg) to.as_mut_ptr().add(4 * pair) => _,
                    count = inout(reg) whole => _,
                    a = out(reg) _, b = out(reg) _, c = out(reg) _, d = out(reg) _, e = out(reg) _,
                    options(nostack),
                );
            }
        }
    }
    for (i, to) in to.as_chunks_mut::<8>().0.iter_mut().enumerate().skip(4 * whole) {
        for (to, row) in to.as_chunks_mut::<2>().0.iter_mut().zip(rows) {
            *to = i16::from(row[i]).to_le_bytes();
        }
    }
}

/// See [`crate::arch::Isa::squares`]: pixels of a multiple of four channels. `ssub8` notes which of four differences are not
/// negative, and `sel` picks by that.
pub(super) fn squares([a, b]: [&[i8]; 2], channels: usize, out: &mut [i8]) {
    let pixels = out.len() / channels;
    assert!(channels.is_multiple_of(4) && a.len() >= 2 * out.len() && b.len() >= 2 * out.len());
    if pixels > 0 {
        // SAFETY: either row has two pixels for each of the output, of so many whole words.
        unsafe {
            asm!(
                "2:",
                "lsr {words}, {channels}, #2",
                "3:",
                "ldr {p}, [{a}, {channels}]",
                "ldr {q}, [{a}], #4",
                "ssub8 {t}, {p}, {q}",
                "sel {p}, {p}, {q}",
                "ldr {q}, [{b}, {channels}]",
                "ssub8 {t}, {p}, {q}",
                "sel {p}, {p}, {q}",
                "ldr {q}, [{b}], #4",
                "ssub8 {t}, {p}, {q}",
                "sel {p}, {p}, {q}",
                "str {p}, [{out}], #4",
                "subs {words}, #1",
                "bne 3b",
                "add {a}, {channels}",
                "add {b}, {channels}",
                "subs {pixels}, #1",
                "bne 2b",
                a = inout(reg) a.as_ptr() => _,
                b = inout(reg) b.as_ptr() => _,
                out = inout(reg) out.as_mut_ptr() => _,
                pixels = inout(reg) pixels => _,
                channels = in(reg) channels,
                words = out(reg) _, p = out(reg) _, q = out(reg) _, t = out(reg) _,
                options(nostack),
            );
        }
    }
}
