//! How slowly the sensor has to read out, so that the network keeps up: there is no frame buffer to wait in.
//!
//! The network takes a row of the frame whenever it is done with the one before, and some rows make more work than
//! others: those that complete a row of the deeper levels. The ring of lines evens that out; a [`Rehearsal`] on a frame
//! from memory finds the shortest time between lines that it suffices for, and the [`Pace`] sets the sensor to it.
//!
//! A line is made longer by two means. Dummy pixels are a pause behind it (EXHCH, EXHCL: 12 bits, in pixel times); the
//! divider of the clock (CLKRC) makes its pixels themselves longer. Few and long pauses are better, as rows are then read
//! out fast, so the least division that will do is taken.

use microtome_app::camera::Register;

use crate::ov7725::{CLKRC, EXHCH, EXHCL, Resolution};
use crate::{HEIGHT, LINES};

/// The clock that the sensor is given, in Hz (data sheet: 10 to 48 MHz; OpenMV's is the same).
pub const XCLK: u32 = 12_000_000;

/// Clocks of the output per pixel: Y, and U or V.
const CLOCKS_PER_PIXEL: u32 = 2;
/// Most dummy pixels.
const DUMMIES: u32 = 0xfff;
/// Largest divider that CLKRC holds: 2 · (63 + 1).
const MAX_DIVIDER: u32 = 128;

/// Longest frame, in µs: two of them must pass before the watchdog runs out (see [`Pace::patience_us`]).
pub const LONGEST_FRAME_US: u32 = 11_000_000;

/// The time from one line to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    resolution: Resolution,
    divider: u32,
    dummies: u32,
}

impl Pace {
    /// The fastest that is used: with the PLL bypassed and no pauses.
    pub const fn fastest(resolution: Resolution) -> Pace {
        Pace { resolution, divider: 2, dummies: 0 }
    }

    /// The fastest with at least so many µs from line to line; `None` if frames would be longer than
    /// [`LONGEST_FRAME_US`].
    pub fn at_least(resolution: Resolution, line_us: u32) -> Option<Pace> {
        let dividers = (2..=MAX_DIVIDER).step_by(2);
        let pace = dividers.into_iter().find_map(|divider| {
            let clocks = u64::from(line_us) * u64::from(XCLK) / 1_000_000 / u64::from(divider);
            let pixels = clocks.div_ceil(CLOCKS_PER_PIXEL.into()) + 1;
            let dummies = pixels.saturating_sub(resolution.line_pixels().into());
            (dummies <= DUMMIES.into()).then_some(Pace { resolution, divider, dummies: dummies as u32 })
        })?;
        (pace.frame_us() <= LONGEST_FRAME_US).then_some(pace)
    }

    /// A quarter slower, for a network that did not keep up; `None` as with [`at_least`](Self::at_least).
    pub fn slower(self) -> Option<Pace> {
        Pace::at_least(self.resolution, self.line_us() + self.line_us() / 4 + 1)
    }

    /// From line to line, in µs.
    pub fn line_us(self) -> u32 {
        let pixels = u64::from(self.resolution.line_pixels() + self.dummies);
        (pixels * u64::from(CLOCKS_PER_PIXEL * self.divider) * 1_000_000 / u64::from(XCLK)) as u32
    }

    /// From frame to frame, in µs.
    pub fn frame_us(self) -> u32 {
        self.line_us().saturating_mul(self.resolution.frame_lines())
    }

    /// How long to wait for a frame's first line, in µs: the frame under way, the partly lit one, and a quarter more.
    pub fn patience_us(self) -> u32 {
        let frame = self.frame_us();
        2 * frame + frame / 4 + 100_000
    }

    /// How long to wait for any other line, in µs.
    pub fn line_patience_us(self) -> u32 {
        4 * self.line_us() + 10_000
    }

    /// What to write into the sensor. Bit 7 of CLKRC is reserved and set (Linux); bit 6, no division, is not.
    pub fn registers(self) -> [Register; 3] {
        let divider = (self.divider / 2 - 1) as u8;
        let [low, high, ..] = self.dummies.to_le_bytes();
        [(CLKRC, 0x80 | divider), (EXHCH, high << 4), (EXHCL, low)]
    }
}

/// Finds the shortest time between lines, from when the network asks for them if they are always there.
///
/// Let the network wait for line `i`, and ask for line `j` a time `t` later, without waiting in between. With lines `p`
/// apart, `1 + t / p` of them have come since, and `j − i` were taken. The ring holds `LINES`, one of which is being
/// written: so `p · (j − i + LINES − 2) ≥ t`, for every `i` and `j`.
#[derive(Clone, Copy, Debug)]
pub struct Rehearsal {
    /// When each line was asked for, in µs.
    asked: [u32; HEIGHT],
    lines: usize,
}

impl Rehearsal {
    /// Nothing asked for yet.
    pub const NEW: Rehearsal = Rehearsal { asked: [0; HEIGHT], lines: 0 };

    /// A frame begins; what was asked before does not count.
    pub fn begin(&mut self) {
        self.lines = 0;
    }

    /// The network asks for a line, at this time in µs, which may wrap.
    pub fn ask(&mut self, now_us: u32) {
        if let Some(asked) = self.asked.get_mut(self.lines) {
            *asked = now_us;
            self.lines += 1;
        }
    }

    /// µs between lines that suffice.
    pub fn line_us(&self) -> u32 {
        let asked = self.asked.get(..self.lines).unwrap_or(&[]);
        let from = |(i, &first): (usize, &u32)| {
            let after = asked.iter().enumerate().skip(i + 1);
            after.map(move |(j, &asked)| asked.wrapping_sub(first).div_ceil((j - i + LINES - 2) as u32)).max()
        };
        asked.iter().enumerate().filter_map(from).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Resolution; 2] = [Resolution::Qvga, Resolution::Vga];

    #[test]
    fn lines_are_never_shorter_than_asked_and_hardly_longer() {
        for resolution in BOTH {
            for line_us in [0, 1, 200, 499, 1000, 3_333, 9_999, 15_000, 20_000] {
                let pace = Pace::at_least(resolution, line_us).expect("a pace");
                let found = pace.line_us();
                let fastest = Pace::fastest(resolution).line_us();
                assert!(found >= line_us, "{resolution:?} {line_us}: {found}");
                assert!(found <= fastest.max(line_us + line_us / 20 + 10), "{resolution:?} {line_us}: {found}");
            }
        }
    }

    #[test]
    fn the_fastest_line_is_what_the_data_sheets_clocks_make() {
        // 576 pixels of two clocks at 6 MHz.
        assert_eq!(Pace::fastest(Resolution::Qvga).line_us(), 192);
        assert_eq!(Pace::fastest(Resolution::Vga).line_us(), 261);
        assert_eq!(Pace::fastest(Resolution::Qvga).registers(), [(CLKRC, 0x80), (EXHCH, 0), (EXHCL, 0)]);
    }

    #[test]
    fn registers_hold_the_dummy_pixels() {
        for resolution in BOTH {
            for line_us in (200..20_000).step_by(77) {
                let pace = Pace::at_least(resolution, line_us).expect("a pace");
                let [(_, clkrc), (_, high), (_, low)] = pace.registers();
                assert_eq!(u32::from(high >> 4) << 8 | u32::from(low), pace.dummies);
                assert_eq!((u32::from(clkrc & 0x3f) + 1) * 2, pace.divider);
                // The low bits of the output's size share a register, and are 0.
                assert_eq!((clkrc & 0x40, high & 0x0f), (0, 0));
            }
        }
    }

    #[test]
    fn slower_ends_before_the_watchdog_does() {
        for resolution in BOTH {
            let mut pace = Pace::fastest(resolution);
            let mut steps = 0;
            while let Some(slower) = pace.slower() {
                assert!(slower.line_us() > pace.line_us());
                assert!(slower.patience_us() < 26_000_000);
                pace = slower;
                steps += 1;
            }
            assert!((10..40).contains(&steps), "{steps}");
        }
    }

    #[test]
    fn an_even_network_needs_a_little_less_than_its_own_time() {
        let mut rehearsal = Rehearsal::NEW;
        rehearsal.begin();
        (0..HEIGHT as u32).for_each(|line| rehearsal.ask((u32::MAX - 5000).wrapping_add(line * 1000)));
        // At the end of the frame, the ring holds 30 lines back.
        let lines = HEIGHT as u32 - 1;
        assert_eq!(rehearsal.line_us(), (lines * 1000).div_ceil(lines + 30));
    }

    #[test]
    fn a_ring_fed_at_the_pace_never_overflows() {
        // Every eighth row makes ten times the work; or all of the work is at the end.
        let works: [fn(u64) -> u64; 2] = [
            |line| if line % 8 == 7 { 10_000 } else { 1_000 },
            |line| if line > HEIGHT as u64 - 70 { 5_000 } else { 100 },
        ];
        for work in works {
            let mut rehearsal = Rehearsal::NEW;
            let mut now = 0;
            for line in 0..HEIGHT as u64 {
                rehearsal.ask(now as u32);
                now += work(line);
            }
            let pace = u64::from(rehearsal.line_us());
            // Line i is there at (i + 1) · pace. The network takes it when it is done with the one before, or waits.
            let (mut free, mut most) = (0, 0);
            for line in 0..HEIGHT as u64 {
                let taken = ((line + 1) * pace).max(free);
                most = most.max(taken / pace - line);
                free = taken + work(line);
            }
            assert!((LINES as u64 / 2..LINES as u64).contains(&most), "{most} lines in the ring");
        }
    }
}
