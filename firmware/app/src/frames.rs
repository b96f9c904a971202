//! Frames that demos and tests share, on the host and on every board: one bundled frame of synthetic nuclei
//! (`microtome simulate --seed 7 --width 96 --height 96`), and scenes of any size made from it, row by row.

use microtome_core::Frame;

use crate::source::{RowSource, SourceError};

/// Rows and columns of the bundled frame.
pub const SIDE: usize = 96;

/// The bundled frame's pixels, row after row, grey.
pub static NUCLEI: &[u8; SIDE * SIDE] = include_bytes!("../frames/nuclei-96x96.grey");

/// The bundled frame's size.
pub fn size() -> Frame {
    Frame::grey(SIDE as u32, SIDE as u32)
}

/// What to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scene {
    /// The bundled frame, repeated as in a room of mirrors where it is too small.
    Nuclei,
    /// The same with rows and columns exchanged.
    Turned,
    /// The same with light and dark exchanged.
    Negative,
    /// Noise: every pixel by itself.
    Noise,
    /// Noughts and 255 in squares of eight pixels: as many objects as the mask can hold.
    Squares,
}

impl Scene {
    /// A printable name.
    pub fn name(self) -> &'static str {
        match self {
            Scene::Nuclei => "nuclei",
            Scene::Turned => "turned",
            Scene::Negative => "negative",
            Scene::Noise => "noise",
            Scene::Squares => "squares",
        }
    }

    /// A pixel.
    pub fn pixel(self, row: usize, column: usize) -> u8 {
        match self {
            Scene::Nuclei => mirrored(row, column),
            Scene::Turned => mirrored(column, row),
            Scene::Negative => 255 - mirrored(row, column),
            Scene::Noise => noise((row as u32) << 16 | column as u32),
            Scene::Squares => {
                if (row / 8).is_multiple_of(2) && (column / 8).is_multiple_of(2) {
                    255
                } else {
                    0
                }
            }
        }
    }
}

fn mirrored(row: usize, column: usize) -> u8 {
    let within = |at: usize| {
        let at = at % (2 * SIDE);
        at.min(2 * SIDE - 1 - at)
    };
    NUCLEI[within(row) * SIDE + within(column)]
}

/// A byte that looks like chance: the finalizer of MurmurHash3 (A. Appleby, public domain).
fn noise(seed: u32) -> u8 {
    let mut hash = seed.wrapping_mul(0x9e37_79b9);
    hash = (hash ^ hash >> 16).wrapping_mul(0x85eb_ca6b);
    hash = (hash ^ hash >> 13).wrapping_mul(0xc2b2_ae35);
    (hash ^ hash >> 16) as u8
}

/// One frame of a scene, up to `WIDTH` pixels wide, of which no more than a row is ever in memory.
#[derive(Clone, Debug)]
pub struct Synthetic<const WIDTH: usize> {
    scene: Scene,
    frame: Frame,
    given: bool,
    next: usize,
    row: [u8; WIDTH],
}

impl<const WIDTH: usize> Synthetic<WIDTH> {
    /// A frame of `height` rows of `width` pixels; `width` is at most `WIDTH`.
    pub fn new(scene: Scene, height: u32, width: u32) -> Self {
        let width = width.min(WIDTH as u32);
        Synthetic { scene, frame: Frame::grey(height, width), given: false, next: 0, row: [0; WIDTH] }
    }
}

impl<const WIDTH: usize> RowSource for Synthetic<WIDTH> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        self.next = 0;
        Ok((!core::mem::replace(&mut self.given, true)).then_some(self.frame))
    }

    fn again(&mut self) -> Result<(), SourceError> {
        self.next = 0;
        Ok(())
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        let row = &mut self.row[..self.frame.width as usize];
        row.iter_mut().enumerate().for_each(|(column, pixel)| *pixel = self.scene.pixel(self.next, column));
        self.next += 1;
        Ok(row)
    }
}
