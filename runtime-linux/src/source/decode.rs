//! Decoding files to frames.
//!
//! PNG and JPEG files hold one frame; a TIFF holds one per page. A frame is decoded only when its turn comes, so a stack of any length needs
//! the memory of a page. What a file is follows from its first bytes, not its name. Alpha is dropped: a camera has none.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use image::{DynamicImage, ImageReader};
use tiff::ColorType;
use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;

use super::{Channels, Image, Samples};
use crate::error::{Error, Result};

/// The frames of one file, in order.
///
/// After a page that cannot be decoded the following pages are still handed out, as long as the file says where they are.
pub struct Pages {
    path: PathBuf,
    reader: Reader,
    next: usize,
}

enum Reader {
    Picture(Box<ImageReader<BufReader<File>>>),
    Stack(Box<Decoder<BufReader<File>>>),
    End,
}

/// Opens the image or stack at `path`.
///
/// # Errors
/// When the file cannot be read or is none of PNG, JPEG and TIFF. Errors inside a frame come from the iterator.
pub fn open(path: &Path) -> Result<Pages> {
    let bad = |e: &dyn std::fmt::Display| Error::input(path, e);
    let mut file = BufReader::new(File::open(path).map_err(|e| bad(&e))?);
    let head = file.fill_buf().map_err(|e| bad(&e))?;
    let is_tiff = [&b"II*\0"[..], b"MM\0*", b"II+\0", b"MM\0+"].iter().any(|magic| head.starts_with(magic));
    let reader = if is_tiff {
        Reader::Stack(Box::new(Decoder::new(file).map_err(|e| bad(&e))?))
    } else {
        let reader = ImageReader::new(file).with_guessed_format().map_err(|e| bad(&e))?;
        if reader.format().is_none() {
            return Err(Error::input(path, "not an image (expected PNG, JPEG or TIFF)"));
        }
        Reader::Picture(Box::new(reader))
    };
    Ok(Pages { path: path.into(), reader, next: 0 })
}

impl Pages {
    /// Whether further frames follow the ones handed out so far.
    pub fn more(&self) -> bool {
        match &self.reader {
            Reader::Picture(_) => true,
            Reader::Stack(decoder) => self.next == 0 || decoder.more_images(),
            Reader::End => false,
        }
    }

    /// Passes over the next frame without decoding it.
    pub fn pass(&mut self) {
        match &mut self.reader {
            // An error here is one that the following page meets too.
            Reader::Stack(decoder) if self.next > 0 => _ = decoder.next_image(),
            Reader::Stack(_) | Reader::End => {}
            Reader::Picture(_) => self.reader = Reader::End,
        }
        self.next += 1;
    }

    /// How many frames follow the ones handed out so far. Of a stack every directory is read, and no pixel.
    pub fn left(&self) -> usize {
        match &self.reader {
            Reader::Picture(_) => 1,
            Reader::End => 0,
            Reader::Stack(_) => pages(&self.path).saturating_sub(self.next),
        }
    }

    fn page_error(&self, reason: impl std::fmt::Display) -> Error {
        match self.next {
            0 => Error::input(&self.path, reason),
            page => Error::input(&self.path, format!("page {}: {reason}", page + 1)),
        }
    }
}

impl Iterator for Pages {
    type Item = Result<Image>;

    fn next(&mut self) -> Option<Self::Item> {
        if !self.more() {
            return None;
        }
        let page = match std::mem::replace(&mut self.reader, Reader::End) {
            Reader::End => return None,
            Reader::Picture(picture) => {
                let decoded = picture.decode().map_err(|e| e.to_string());
                decoded.and_then(from_picture).map_err(|e| self.page_error(e))
            }
            Reader::Stack(mut decoder) => {
                let found = if self.next > 0 { decoder.next_image().map_err(|e| e.to_string()) } else { Ok(()) };
                // Without a readable directory nothing tells where further pages are.
                let (page, goes_on) = match found {
                    Err(e) => (Err(e), false),
                    Ok(()) => (from_page(&mut decoder), true),
                };
                if goes_on {
                    self.reader = Reader::Stack(decoder);
                }
                page.map_err(|e| self.page_error(e))
            }
        };
        self.next += 1;
        Some(page)
    }
}

/// The pages of a stack, as far as they can be reached.
fn pages(path: &Path) -> usize {
    let decoder = File::open(path).ok().and_then(|file| Decoder::new(BufReader::new(file)).ok());
    let Some(mut decoder) = decoder else { return 0 };
    let mut pages = 1;
    while decoder.more_images() && decoder.next_image().is_ok() {
        pages += 1;
    }
    pages
}

fn from_picture(picture: DynamicImage) -> Result<Image, String> {
    let (height, width) = (picture.height() as usize, picture.width() as usize);
    let (channels, samples) = match picture {
        DynamicImage::ImageLuma8(p) => (Channels::Grey, Samples::U8(p.into_raw())),
        DynamicImage::ImageLuma16(p) => (Channels::Grey, Samples::U16(p.into_raw())),
        DynamicImage::ImageLumaA8(p) => (Channels::Grey, Samples::U8(without_alpha(&p, 2))),
        DynamicImage::ImageLumaA16(p) => (Channels::Grey, Samples::U16(without_alpha(&p, 2))),
        DynamicImage::ImageRgb8(p) => (Channels::Rgb, Samples::U8(p.into_raw())),
        DynamicImage::ImageRgb16(p) => (Channels::Rgb, Samples::U16(p.into_raw())),
        DynamicImage::ImageRgba8(p) => (Channels::Rgb, Samples::U8(without_alpha(&p, 4))),
        DynamicImage::ImageRgba16(p) => (Channels::Rgb, Samples::U16(without_alpha(&p, 4))),
        other => return Err(format!("{:?} samples (expected 8 or 16 bits, grey or RGB)", other.color())),
    };
    Image::new(height, width, channels, samples)
}

fn from_page(decoder: &mut Decoder<BufReader<File>>) -> Result<Image, String> {
    let (width, height) = decoder.dimensions().map_err(|e| e.to_string())?;
    let color = decoder.colortype().map_err(|e| e.to_string())?;
    let (stored, channels) = match color {
        ColorType::Gray(8 | 16) => (1, Channels::Grey),
        ColorType::GrayA(8 | 16) => (2, Channels::Grey),
        ColorType::RGB(8 | 16) => (3, Channels::Rgb),
        ColorType::RGBA(8 | 16) => (4, Channels::Rgb),
        other => return Err(format!("{other:?} samples (expected 8 or 16 bits, grey or RGB)")),
    };
    let planar = decoder.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(|e| e.to_string())? == Some(2);
    let mut result = DecodingResult::U8(Vec::new());
    decoder.read_image_to_buffer(&mut result).map_err(|e| e.to_string())?;
    let (height, width) = (height as usize, width as usize);
    let tidy = Tidy { pixels: height * width, stored, wanted: channels.count(), planar };
    let samples = match result {
        DecodingResult::U8(v) => Samples::U8(tidy.apply(v)?),
        DecodingResult::U16(v) => Samples::U16(tidy.apply(v)?),
        _ => return Err("signed or floating-point samples (expected unsigned integers of 8 or 16 bits)".into()),
    };
    Image::new(height, width, channels, samples)
}

/// From a page's samples to interleaved ones without alpha.
struct Tidy {
    pixels: usize,
    stored: usize,
    wanted: usize,
    planar: bool,
}

impl Tidy {
    fn apply<T: Copy>(&self, samples: Vec<T>) -> Result<Vec<T>, String> {
        let expected = self.pixels * self.stored;
        if samples.len() != expected {
            return Err(format!("{} samples where the page's size needs {expected}", samples.len()));
        }
        Ok(match (self.planar && self.stored > 1, self.stored == self.wanted) {
            (true, _) => (0..self.pixels)
                .flat_map(|p| (0..self.wanted).map(move |c| (p, c)))
                .map(|(p, c)| samples[c * self.pixels + p])
                .collect(),
            (false, true) => samples,
            (false, false) => without_alpha(&samples, self.stored),
        })
    }
}

/// The samples of pixels of `stored` samples each, without the last of each.
fn without_alpha<T: Copy>(samples: &[T], stored: usize) -> Vec<T> {
    samples.chunks_exact(stored).flat_map(|pixel| &pixel[..stored - 1]).copied().collect()
}

/// Reads a label image: one grey page whose values are object numbers, 0 for none. Returns rows, width and labels.
///
/// # Errors
/// When the file cannot be decoded or has colour.
pub fn read_labels(path: &Path) -> Result<(usize, usize, Vec<u32>)> {
    let image = open(path)?.next().ok_or_else(|| Error::input(path, "the file has no page"))??;
    if image.channels() != Channels::Grey {
        return Err(Error::input(path, "a label image must be grey (8 or 16 bits, one value per object), found RGB"));
    }
    let labels = (0..image.height() * image.width()).map(|p| image.sample(p).into()).collect();
    Ok((image.height(), image.width(), labels))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiff::encoder::{TiffEncoder, colortype};

    fn pages(path: &Path) -> Vec<Result<Image>> {
        open(path).unwrap().collect()
    }

    #[test]
    fn a_stack_of_mixed_pages() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("stack.tif");
        let mut tiff = TiffEncoder::new(File::create(&path).unwrap()).unwrap();
        tiff.write_image::<colortype::Gray16>(2, 1, &[0, 65535]).unwrap();
        tiff.write_image::<colortype::RGB8>(1, 2, &[1, 2, 3, 4, 5, 6]).unwrap();
        tiff.write_image::<colortype::Gray32Float>(1, 1, &[0.5]).unwrap();
        tiff.write_image::<colortype::RGBA16>(1, 1, &[7, 8, 9, 10]).unwrap();
        drop(tiff);
        let found = pages(&path);
        assert_eq!(found.len(), 4);
        assert_eq!(
            found[0].as_ref().unwrap(),
            &Image::new(1, 2, Channels::Grey, Samples::U16(vec![0, 65535])).unwrap()
        );
        assert_eq!(
            found[1].as_ref().unwrap(),
            &Image::new(2, 1, Channels::Rgb, Samples::U8(vec![1, 2, 3, 4, 5, 6])).unwrap()
        );
        let mut rest = open(&path).unwrap();
        assert_eq!(rest.left(), 4);
        rest.pass();
        rest.pass();
        assert_eq!(rest.left(), 2);
        assert!(rest.next().unwrap().is_err());
        assert_eq!(&rest.next().unwrap().unwrap(), found[3].as_ref().unwrap());
        assert!(rest.next().is_none());
        let message = found[2].as_ref().unwrap_err().to_string();
        assert!(message.contains("page 3: Gray(32) samples"), "{message}");
        assert_eq!(found[3].as_ref().unwrap(), &Image::new(1, 1, Channels::Rgb, Samples::U16(vec![7, 8, 9])).unwrap());
    }

    #[test]
    fn png_with_alpha_and_sixteen_bits() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.png");
        image::RgbaImage::from_raw(1, 1, vec![1, 2, 3, 4]).unwrap().save(&path).unwrap();
        assert_eq!(pages(&path)[0].as_ref().unwrap().samples(), &Samples::U8(vec![1, 2, 3]));
        image::ImageBuffer::<image::Luma<u16>, _>::from_raw(1, 1, vec![4660_u16]).unwrap().save(&path).unwrap();
        assert_eq!(pages(&path)[0].as_ref().unwrap().samples(), &Samples::U16(vec![4660]));
    }

    #[test]
    fn planes_are_interleaved() {
        let tidy = Tidy { pixels: 2, stored: 3, wanted: 3, planar: true };
        assert_eq!(tidy.apply(vec![1, 2, 11, 12, 21, 22]).unwrap(), [1, 11, 21, 2, 12, 22]);
    }

    #[test]
    fn not_an_image() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.png");
        std::fs::write(&path, "hello").unwrap();
        assert!(open(&path).err().unwrap().to_string().ends_with("not an image (expected PNG, JPEG or TIFF)"));
    }
}
