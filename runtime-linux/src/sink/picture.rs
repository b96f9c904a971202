//! Masks and labels as pictures that other programs read back unchanged.

use std::io::{Seek, Write};
use std::path::Path;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use tiff::encoder::{TiffEncoder, colortype};

use super::write_whole;
use crate::engine::Mask;
use crate::error::Result;
use crate::source::{Channels, Image, Samples};

/// The file format of label images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LabelFormat {
    /// 16-bit grey PNG
    Png,
    /// 16-bit grey TIFF
    Tiff,
}

/// Writes a frame as a PNG of its own depth and channels.
///
/// # Errors
/// When the file cannot be written.
pub fn frame(path: &Path, image: &Image) -> Result<()> {
    write_whole(path, |w| encode_frame(w, image))
}

/// A frame as a PNG of its own depth and channels.
pub(super) fn encode_frame(to: impl Write, image: &Image) -> image::ImageResult<()> {
    let (width, height) = (image.width() as u32, image.height() as u32);
    let (bytes, colour) = match (image.samples(), image.channels()) {
        (Samples::U8(v), Channels::Grey) => (v.clone(), ExtendedColorType::L8),
        (Samples::U8(v), Channels::Rgb) => (v.clone(), ExtendedColorType::Rgb8),
        // The encoder takes samples in the machine's order and writes PNG's.
        (Samples::U16(v), Channels::Grey) => (v.iter().flat_map(|v| v.to_ne_bytes()).collect(), ExtendedColorType::L16),
        (Samples::U16(v), Channels::Rgb) => {
            (v.iter().flat_map(|v| v.to_ne_bytes()).collect(), ExtendedColorType::Rgb16)
        }
    };
    PngEncoder::new(to).write_image(&bytes, width, height, colour)
}

/// A class mask as an 8-bit grey PNG whose values are the class indices.
pub(super) fn encode_mask(to: impl Write, mask: &Mask) -> image::ImageResult<()> {
    PngEncoder::new(to).write_image(&mask.classes, mask.width as u32, mask.height as u32, ExtendedColorType::L8)
}

/// Writes a label image of 16 bits, `labels.len() / width` rows.
///
/// # Errors
/// When the file cannot be written.
pub fn labels(path: &Path, labels: &[u16], width: usize, format: LabelFormat) -> Result<()> {
    write_whole(path, |w| encode_labels(w, labels, width, format))
}

/// A label image of 16 bits, `labels.len() / width` rows.
pub(super) fn encode_labels(
    to: impl Write + Seek,
    labels: &[u16],
    width: usize,
    format: LabelFormat,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let (width, height) = (width as u32, (labels.len() / width) as u32);
    match format {
        LabelFormat::Png => {
            let bytes: Vec<u8> = labels.iter().flat_map(|v| v.to_ne_bytes()).collect();
            PngEncoder::new(to).write_image(&bytes, width, height, ExtendedColorType::L16)?;
        }
        LabelFormat::Tiff => TiffEncoder::new(to)?.write_image::<colortype::Gray16>(width, height, labels)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{open, read_labels};

    #[test]
    fn labels_and_masks_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = [0, 1, 300, 65535, 2, 0];
        for format in [LabelFormat::Png, LabelFormat::Tiff] {
            let path = dir.path().join(format!("{format:?}"));
            labels(&path, &wanted, 3, format).unwrap();
            assert_eq!(read_labels(&path).unwrap(), (2, 3, wanted.map(u32::from).to_vec()));
        }
        let path = dir.path().join("mask.png");
        let mask = Mask { height: 1, width: 3, classes: vec![0, 1, 2] };
        write_whole(&path, |w| encode_mask(w, &mask)).unwrap();
        assert_eq!(open(&path).unwrap().next().unwrap().unwrap().samples(), &Samples::U8(vec![0, 1, 2]));
    }
}
