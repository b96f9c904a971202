//! Regions for ImageJ's ROI manager: a zip with one `.roi` per object, for each frame, or for each stack with the regions on their slices.
//!
//! The format is that of `ij.io.RoiEncoder`, version 228: big-endian, a header, coordinates, a second header, the name. An object in one piece
//! without holes is a traced region of integer corners, whose area in ImageJ is its number of pixels; any other is a composite.

use std::io;
use std::path::{Path, PathBuf};

use microtome_core::measure::Object;

use super::archive::Archive;
use super::results::Writer;
use super::{Batch, Item};
use crate::error::{Error, Result};
use crate::outline::{Polygon, Ring};

pub(super) struct Rois {
    folder: PathBuf,
    /// The regions of the stack at hand.
    open: Option<Archive>,
}

impl Rois {
    pub fn new(folder: &Path) -> Self {
        Rois { folder: folder.into(), open: None }
    }
}

impl Writer for Rois {
    fn frame(&mut self, item: &Item<'_>, files: &mut Batch) -> Result<()> {
        let stem = item.page.map_or(item.name, |page| page.stack);
        let path = self.folder.join(format!("{stem}_rois.zip"));
        let mut archive = match self.open.take() {
            Some(archive) if archive.path() == path => archive,
            other => {
                other.map_or(Ok(()), |archive| archive.finish(files))?;
                Archive::new(&path)?
            }
        };
        for (label, object) in item.objects() {
            let name = match item.page {
                Some(page) => format!("{:04}-{label:05}", page.number),
                None => format!("{label:05}"),
            };
            let slice = item.page.map_or(0, |page| page.number as u32);
            let bytes = region(&name, slice, object, item.polygons(label)).map_err(|e| Error::output(&path, e))?;
            archive.store(&format!("{name}.roi"), &bytes)?;
        }
        match item.page {
            Some(_) => self.open = Some(archive),
            None => archive.finish(files)?,
        }
        Ok(())
    }

    fn finish(self: Box<Self>, files: &mut Batch) -> Result<()> {
        self.open.map_or(Ok(()), |archive| archive.finish(files))
    }
}

/// Lengths of the two headers.
const HEADERS: [usize; 2] = [64, 64];
const VERSION: u16 = 228;
/// The kinds of regions: a composite is a rectangle with a shape.
const RECTANGLE: u8 = 1;
const TRACED: u8 = 8;
/// Segments of a shape.
const MOVE_TO: f32 = 0.0;
const LINE_TO: f32 = 1.0;
const CLOSE: f32 = 4.0;

/// A `.roi` file; `slice` counts from 1, 0 is none.
fn region(name: &str, slice: u32, object: &Object, polygons: &[Polygon]) -> io::Result<Vec<u8>> {
    let bounds = object.bounding_box();
    let side = |at: u16| {
        i16::try_from(at).map_err(|_| {
            io::Error::other(format!("object {name} reaches to {at} px, where ImageJ's regions end at {} px", i16::MAX))
        })
    };
    let [top, left, bottom, right] = [side(bounds.top)?, side(bounds.left)?, side(bounds.bottom)?, side(bounds.right)?];
    let mut bytes = vec![0; HEADERS[0]];
    let mut put = |at: usize, field: &[u8]| bytes[at..at + field.len()].copy_from_slice(field);
    put(0, b"Iout");
    put(4, &VERSION.to_be_bytes());
    for (at, side) in (8..).step_by(2).zip([top, left, bottom, right]) {
        put(at, &side.to_be_bytes());
    }
    put(56, &slice.to_be_bytes());
    match polygons {
        [polygon] if polygon.holes.is_empty() => {
            let corners = polygon.outer.corners();
            put(6, &[TRACED]);
            // A count beyond 16 bits is 0 there, and elsewhere.
            match u16::try_from(corners.len()) {
                Ok(count) => put(16, &count.to_be_bytes()),
                Err(_) => put(18, &(corners.len() as u32).to_be_bytes()),
            }
            for (axis, origin) in [(0, bounds.left), (1, bounds.top)] {
                bytes.extend(
                    corners.iter().flat_map(|corner| ((corner[axis] - u32::from(origin)) as u16).to_be_bytes()),
                );
            }
        }
        _ => {
            let shape: Vec<f32> = polygons
                .iter()
                .flat_map(|polygon| std::iter::once(&polygon.outer).chain(&polygon.holes))
                .flat_map(path)
                .collect();
            put(6, &[RECTANGLE]);
            put(36, &(shape.len() as u32).to_be_bytes());
            bytes.extend(shape.iter().flat_map(|value| value.to_be_bytes()));
        }
    }
    let second = bytes.len();
    bytes[60..64].copy_from_slice(&(second as u32).to_be_bytes());
    bytes.resize(second + HEADERS[1], 0);
    let characters: Vec<u16> = name.encode_utf16().collect();
    let at = bytes.len() as u32;
    bytes[second + 16..][..4].copy_from_slice(&at.to_be_bytes());
    bytes[second + 20..][..4].copy_from_slice(&(characters.len() as u32).to_be_bytes());
    bytes.extend(characters.iter().flat_map(|character| character.to_be_bytes()));
    Ok(bytes)
}

/// A ring as segments of a shape.
fn path(ring: &Ring) -> impl Iterator<Item = f32> {
    let corners = ring.corners().iter().enumerate();
    corners
        .flat_map(|(index, corner)| [if index == 0 { MOVE_TO } else { LINE_TO }, corner[0] as f32, corner[1] as f32])
        .chain([CLOSE])
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sample;
    use super::*;

    #[test]
    fn the_bytes_of_a_pixel() {
        let sample = Sample::new();
        let item = sample.item("f");
        let (label, object) = item.objects().nth(2).unwrap();
        let bytes = region("ab", 7, object, item.polygons(label)).unwrap();
        // Row 3, column 4.
        assert_eq!(bytes[..20], *b"Iout\0\xe4\x08\0\0\x03\0\x04\0\x04\0\x05\0\x04\0\0");
        assert_eq!(bytes[56..80], *b"\0\0\0\x07\0\0\0\x50\0\x01\0\x01\0\0\0\0\0\0\0\x01\0\x01\0\0");
        assert_eq!(bytes[0x50 + 16..][..8], *b"\0\0\0\x90\0\0\0\x02");
        assert_eq!(bytes[0x90..], *b"\0a\0b");
    }

    #[test]
    fn holes_and_pieces_make_composites() {
        let sample = Sample::new();
        let item = sample.item("f");
        for (label, object) in item.objects().take(2) {
            let bytes = region("x", 0, object, item.polygons(label)).unwrap();
            let floats = u32::from_be_bytes(bytes[36..40].try_into().unwrap()) as usize;
            // Two rings of four corners.
            assert_eq!((bytes[6], floats), (RECTANGLE, 2 * (4 * 3 + 1)));
            assert_eq!(bytes.len(), 64 + 4 * floats + 64 + 2);
        }
    }
}
