//! Frames out of the bytes that cameras and video programs write.
//!
//! Brightness is read where it lies: of YUV it is the Y samples as they are, with no detour through RGB. Colour, where it was asked for, is
//! ITU-R BT.601 with Y from 16 to 235, what webcams and `rpicam-vid` send.

use super::{PixelFormat, Size};
use crate::source::{Channels, Image, Samples};

/// A frame of `size` from `bytes` in rows `stride` bytes apart (of the first plane); `stride` 0 means that rows follow each other.
///
/// # Errors
/// One sentence when there are too few bytes, or the format is none of raw samples.
pub fn frame(format: PixelFormat, size: Size, stride: usize, bytes: &[u8], colour: bool) -> Result<Image, String> {
    let Size { width, height } = size;
    let pixel = match format {
        PixelFormat::Grey | PixelFormat::Yuv420 => 1,
        PixelFormat::Y16 | PixelFormat::Yuyv => 2,
        PixelFormat::Mjpeg => return Err("a JPEG where raw samples were expected".into()),
    };
    let stride = if stride == 0 { row_bytes(format, width) } else { stride };
    let needed = match format {
        PixelFormat::Yuv420 if colour => stride * height + 2 * stride.div_ceil(2) * height.div_ceil(2),
        _ => stride * (height - 1) + pixel * width,
    };
    if bytes.len() < needed || stride < pixel * width {
        return Err(format!("a frame of {} bytes; {size} pixels take {needed}", bytes.len()));
    }
    let rows = (0..height).map(|y| &bytes[y * stride..][..pixel * width]);
    let samples = match format {
        PixelFormat::Y16 => Samples::U16(
            rows.flat_map(|row| row.as_chunks::<2>().0).map(|&sample| u16::from_le_bytes(sample)).collect(),
        ),
        PixelFormat::Yuyv if colour => return Image::new(height, width, Channels::Rgb, Samples::U8(packed(rows))),
        PixelFormat::Yuv420 if colour => {
            let rgb = Planes { width, height, stride, bytes }.rgb();
            return Image::new(height, width, Channels::Rgb, Samples::U8(rgb));
        }
        PixelFormat::Yuyv => Samples::U8(rows.flat_map(|row| row.iter().step_by(2)).copied().collect()),
        _ => Samples::U8(rows.flatten().copied().collect()),
    };
    Image::new(height, width, Channels::Grey, samples)
}

/// Bytes of a row (of the first plane) of `width` pixels.
fn row_bytes(format: PixelFormat, width: usize) -> usize {
    match format {
        PixelFormat::Yuyv => 2 * width.next_multiple_of(2),
        PixelFormat::Y16 => 2 * width,
        _ => width,
    }
}

/// Bytes of a whole frame whose rows follow each other.
pub fn frame_bytes(format: PixelFormat, Size { width, height }: Size) -> usize {
    let first = row_bytes(format, width) * height;
    match format {
        PixelFormat::Yuv420 => first + 2 * width.div_ceil(2) * height.div_ceil(2),
        _ => first,
    }
}

/// RGB of rows of packed 4:2:2; a last odd pixel has the chroma of the pair it begins.
fn packed<'b>(rows: impl Iterator<Item = &'b [u8]>) -> Vec<u8> {
    rows.flat_map(|row| {
        row.chunks_exact(2).enumerate().flat_map(move |(x, pixel)| {
            let pair = 4 * (x / 2);
            let u = row[pair + 1];
            rgb(pixel[0], u, row.get(pair + 3).copied().unwrap_or(u))
        })
    })
    .collect()
}

/// Planar 4:2:0.
struct Planes<'b> {
    width: usize,
    height: usize,
    stride: usize,
    bytes: &'b [u8],
}

impl Planes<'_> {
    fn rgb(&self) -> Vec<u8> {
        let half = self.stride.div_ceil(2);
        let (luma, chroma) = self.bytes.split_at(self.stride * self.height);
        let (u, v) = chroma.split_at(half * self.height.div_ceil(2));
        let pixels = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (y, x)));
        pixels
            .flat_map(|(y, x)| {
                let at = y / 2 * half + x / 2;
                rgb(luma[y * self.stride + x], u[at], v[at])
            })
            .collect()
    }
}

/// BT.601, in 8 bits of fraction.
fn rgb(y: u8, u: u8, v: u8) -> [u8; 3] {
    let y = 298 * (i32::from(y) - 16);
    let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
    [y + 409 * v, y - 100 * u - 208 * v, y + 516 * u].map(|value| ((value + 128) >> 8).clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { width: 2, height: 2 };

    #[test]
    fn luma_is_taken_where_it_lies() {
        let yuyv = [1, 90, 2, 91, 0, 0, 3, 92, 4, 93, 0, 0];
        let image = frame(PixelFormat::Yuyv, SIZE, 6, &yuyv, false).unwrap();
        assert_eq!(image.samples(), &Samples::U8(vec![1, 2, 3, 4]));
        let planar = frame(PixelFormat::Yuv420, SIZE, 0, &[1, 2, 3, 4, 128, 128], false).unwrap();
        assert_eq!(planar.samples(), image.samples());
        let deep = frame(PixelFormat::Y16, SIZE, 0, &[1, 2, 3, 4, 5, 6, 7, 8], false).unwrap();
        assert_eq!(deep.samples(), &Samples::U16(vec![0x0201, 0x0403, 0x0605, 0x0807]));
    }

    #[test]
    fn colours_are_bt_601() {
        // Red, green and blue at full strength, from the standard's own coefficients.
        for (yuv, wanted) in [([81, 90, 240], [255, 0, 0]), ([145, 54, 34], [0, 255, 0]), ([41, 240, 110], [0, 0, 255])]
        {
            let [y, u, v] = yuv;
            let near = |image: &Image| (0..12).all(|i| image.sample(i).abs_diff(wanted[i % 3]) <= 2);
            let planar = frame(PixelFormat::Yuv420, SIZE, 0, &[y, y, y, y, u, v], true).unwrap();
            let packed = frame(PixelFormat::Yuyv, SIZE, 0, &[y, u, y, v, y, u, y, v], true).unwrap();
            assert!(near(&planar) && near(&packed), "{planar:?} {packed:?}");
        }
    }

    #[test]
    fn frames_cut_short_are_refused() {
        for format in [PixelFormat::Grey, PixelFormat::Y16, PixelFormat::Yuyv, PixelFormat::Yuv420] {
            let whole = vec![0; frame_bytes(format, SIZE)];
            for colour in [false, true] {
                assert!(frame(format, SIZE, 0, &whole, colour).is_ok());
            }
            assert!(frame(format, SIZE, 0, &whole[..3], false).is_err());
        }
        assert!(frame(PixelFormat::Mjpeg, SIZE, 0, &[0; 99], false).is_err());
    }
}
