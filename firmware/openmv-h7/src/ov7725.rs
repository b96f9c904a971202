//! The sensor OV7725: the registers that are written, and what is known of them.
//!
//! Names are the data sheet's (OmniVision, OV7725 Color CMOS VGA CameraChip, "Register Set"). A value's source stands
//! beside it:
//!
//! - *data sheet*: bits as the register set describes them;
//! - *Linux*: `drivers/media/i2c/ov772x.c`, which gives the windows and the meaning of bits;
//! - *OpenMV*: `drivers/sensors/ov7725.c` of OpenMV's firmware, which runs on this very board.
//!
//! Registers that are not here keep their reset values, as they do under Linux.

use microtome_app::camera::Register;

/// I²C address, 7 bits: the data sheet writes it as 0x42 for writing, 0x43 for reading.
pub const ADDRESS: u8 = 0x21;

/// Product and version number: what a sensor must answer in [`PID`] and [`VER`] (data sheet; Linux: 0x7721).
pub const IDENTITY: [u8; 2] = [0x77, 0x21];
/// Product ID number, MSB.
pub const PID: u8 = 0x0a;
/// Product ID number, LSB.
pub const VER: u8 = 0x0b;

/// Gain.
pub const GAIN: u8 = 0x00;
/// Exposure in lines, MSBs.
pub const AECH: u8 = 0x08;
/// Exposure in lines, LSBs.
pub const AEC: u8 = 0x10;
/// Common control 3: flips, order of output, test pattern.
pub const COM3: u8 = 0x0c;
/// Common control 4: PLL.
pub const COM4: u8 = 0x0d;
/// Common control 5: frame rate in the dark.
pub const COM5: u8 = 0x0e;
/// Internal clock.
pub const CLKRC: u8 = 0x11;
/// Common control 7: reset, resolution, format.
pub const COM7: u8 = 0x12;
/// Common control 8: what is automatic.
pub const COM8: u8 = 0x13;
/// Common control 10: polarities.
pub const COM10: u8 = 0x15;
/// Horizontal start of the window, in 4 pixels.
pub const HSTART: u8 = 0x17;
/// Width of the window, in 4 pixels.
pub const HSIZE: u8 = 0x18;
/// Vertical start of the window, in 2 rows.
pub const VSTART: u8 = 0x19;
/// Height of the window, in 2 rows.
pub const VSIZE: u8 = 0x1a;
/// Width of the output, in 4 pixels.
pub const HOUTSIZE: u8 = 0x29;
/// Dummy pixels, four MSBs; and the low bits of the output's size.
pub const EXHCH: u8 = 0x2a;
/// Dummy pixels, eight LSBs.
pub const EXHCL: u8 = 0x2b;
/// Height of the output, in 2 rows.
pub const VOUTSIZE: u8 = 0x2c;
/// Low bits of the window.
pub const HREF: u8 = 0x32;
/// Common control 12; reserved.
pub const COM12: u8 = 0x3d;
/// What the signal processor does.
pub const DSP_CTRL1: u8 = 0x64;
/// Order of chroma, test pattern of the signal processor.
pub const DSP_CTRL3: u8 = 0x66;
/// Output format of the signal processor.
pub const DSP_CTRL4: u8 = 0x67;
/// Scaling.
pub const SCAL0: u8 = 0xa0;
/// Horizontal scaling.
pub const SCAL1: u8 = 0xa1;
/// Vertical scaling.
pub const SCAL2: u8 = 0xa2;
/// What the signal processor decides by itself.
pub const DSPAUTO: u8 = 0xac;

/// Resets all registers (data sheet: COM7 bit 7). 1 ms later, at the latest, the sensor answers again (Linux).
pub const RESET: Register = (COM7, 0x80);

/// Sizes that the sensor reads out without scaling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// 320x240, every second pixel.
    Qvga,
    /// 640x480, all pixels.
    Vga,
}

/// Number of registers that [`Resolution::registers`] writes.
pub const REGISTERS: usize = 22;

impl Resolution {
    /// What this program is built for.
    pub const BUILT: Resolution = if cfg!(feature = "vga") { Resolution::Vga } else { Resolution::Qvga };

    /// Pixel times of a line, its pause included (OpenMV, `get_exposure_us`; Linux has 576 and 748).
    pub const fn line_pixels(self) -> u32 {
        match self {
            Resolution::Qvga => 320 + 256,
            Resolution::Vga => 640 + 144,
        }
    }

    /// Lines of a frame, its pause included (Linux, `ov772x_win_sizes`).
    pub const fn frame_lines(self) -> u32 {
        match self {
            Resolution::Qvga => 278,
            Resolution::Vga => 510,
        }
    }

    /// Everything but the clock: after a reset, and before the [pace](crate::pace::Pace::registers).
    pub const fn registers(self) -> [Register; REGISTERS] {
        let (width, height): (u16, u16) = match self {
            Resolution::Qvga => (320, 240),
            Resolution::Vga => (640, 480),
        };
        // Windows: Linux's left 252, top 6 and 140, 14; OpenMV's registers are the same.
        let (com7, left, top, auto): (u8, u16, u16, u8) = match self {
            Resolution::Qvga => (0x40, 252, 6, 0xff),
            Resolution::Vga => (0x00, 140, 14, 0xf3),
        };
        [
            // OpenMV, from OmniVision's application note.
            (COM12, 0x03),
            // Resolution by bit 6, YUV by the others (data sheet).
            (COM7, com7),
            // Bit 4: Y before U and V (Linux, YUYV).
            (COM3, 0x10),
            // No YVYU, no test pattern; YUV out of the signal processor (Linux).
            (DSP_CTRL3, 0x00),
            (DSP_CTRL4, 0x00),
            // HREF high with data, VSYNC high in the pause, data good at the rising edge (data sheet; OpenMV's polarities).
            (COM10, 0x00),
            (HSTART, (left >> 2) as u8),
            (HSIZE, (width >> 2) as u8),
            (VSTART, (top >> 1) as u8),
            (VSIZE, (height >> 1) as u8),
            // No odd pixels or rows.
            (HREF, 0x00),
            (HOUTSIZE, (width >> 2) as u8),
            (VOUTSIZE, (height >> 1) as u8),
            // The factors of scaling are the signal processor's own at 320x240, and 1 at 640x480 (OpenMV).
            (DSPAUTO, auto),
            (SCAL0, 0x00),
            (SCAL1, 0x40),
            (SCAL2, 0x40),
            // OpenMV's 0xff less bit 2, gamma: networks are trained on linear frames.
            (DSP_CTRL1, 0xfb),
            // Bits 7..4 zero: frames do not get longer in the dark, as our pace counts on (data sheet). Bit 0 as at reset.
            (COM5, 0x01),
            // PLL bypassed; bits 3..0 as at reset (Linux: COM4_RESERVED). The pace only ever divides.
            (COM4, 0x01),
            // Nothing automatic: no gain (bit 2), white balance (1) or exposure (0). The light goes off between frames, and
            // control by the brightness of frames that are dark in part would run away.
            (COM8, 0xc0),
            // 0 until the pace says otherwise.
            (EXHCL, 0x00),
        ]
    }
}

/// How a frame is exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Light {
    /// For how long each row is, in µs.
    pub exposure_us: u32,
    /// How many times what was collected is amplified: 1 to 31.
    pub gain: u32,
}

impl Light {
    /// What a start begins with.
    pub const START: Light = Light { exposure_us: 20_000, gain: 1 };

    /// What to write into the sensor, which counts exposure in lines (OpenMV, `set_auto_exposure`), at a time per line in
    /// µs. At least one line, and less than a frame.
    ///
    /// Gain is two to the number of ones among bits 7 to 4, times one and as many sixteenths as bits 3 to 0 say (data
    /// sheet; OpenMV, `get_gain_db`).
    pub fn registers(self, resolution: Resolution, line_us: u32) -> [Register; 3] {
        let lines = (self.exposure_us / line_us.max(1)).clamp(1, resolution.frame_lines() - 4);
        let [low, high, ..] = lines.to_le_bytes();
        let gain = self.gain.clamp(1, 31);
        let doublings = gain.ilog2();
        let ones = (1 << doublings) - 1;
        let sixteenths = ((gain * 16) >> doublings) - 16;
        [(AECH, high), (AEC, low), (GAIN, (ones << 4 | sixteenths) as u8)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(resolution: Resolution, register: u8) -> u8 {
        let mut found = resolution.registers().into_iter().filter(|(name, _)| *name == register);
        let (_, value) = found.next().expect("the register is written");
        assert!(found.next().is_none(), "written twice: {register:#x}");
        value
    }

    #[test]
    fn windows_are_those_that_openmv_writes() {
        let window = |resolution| [HSTART, HSIZE, VSTART, VSIZE].map(|register| value(resolution, register));
        assert_eq!(window(Resolution::Qvga), [0x3f, 0x50, 0x03, 0x78]);
        assert_eq!(window(Resolution::Vga), [0x23, 0xa0, 0x07, 0xf0]);
    }

    #[test]
    fn output_is_as_large_as_the_frame() {
        for (resolution, width, height) in [(Resolution::Qvga, 320, 240), (Resolution::Vga, 640, 480)] {
            assert_eq!(u32::from(value(resolution, HOUTSIZE)) * 4, width);
            assert_eq!(u32::from(value(resolution, VOUTSIZE)) * 2, height);
        }
        let built = Resolution::BUILT;
        assert_eq!(usize::from(value(built, HOUTSIZE)) * 4, crate::WIDTH);
        assert_eq!(usize::from(value(built, VOUTSIZE)) * 2, crate::HEIGHT);
    }

    #[test]
    fn no_register_resets_the_sensor_or_is_written_twice() {
        for resolution in [Resolution::Qvga, Resolution::Vga] {
            for (register, _) in resolution.registers() {
                value(resolution, register);
            }
            assert_eq!(value(resolution, COM7) & 0x80, 0);
        }
    }

    #[test]
    fn exposure_is_in_lines_and_shorter_than_a_frame() {
        let lines = |exposure_us, line_us| {
            let [(_, high), (_, low), _] = Light { exposure_us, gain: 1 }.registers(Resolution::Vga, line_us);
            u16::from_be_bytes([high, low])
        };
        assert_eq!(
            [(0, 100), (99, 100), (20_000, 100), (20_000, 0)].map(|(all, line)| lines(all, line)),
            [1, 1, 200, 506]
        );
        assert_eq!(lines(100_000_000, 4_000), 506);
    }

    #[test]
    fn gain_reads_back_as_openmv_reads_it() {
        for gain in 1..32 {
            let [.., (_, value)] = Light { exposure_us: 0, gain }.registers(Resolution::Qvga, 100);
            let found = (1 << (value >> 4).count_ones()) as f64 * (1.0 + f64::from(value & 15) / 16.0);
            assert_eq!(found, f64::from(gain));
        }
    }
}
