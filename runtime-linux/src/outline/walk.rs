//! The walk along boundaries.
//!
//! One scan finds an edge of each boundary that no walk has been along, and a walk follows the boundary from there, with the object on its right.
//! Each edge is walked once, so all objects of a frame together take time proportional to its pixels.

use std::collections::HashMap;

use super::{Corner, Polygon, Ring};

/// The polygons of every label of an image of `labels.len() / width` rows: those of label `l` at index `l - 1`, the piece whose first pixel
/// comes first in scan-line order first. A label without pixels has none.
///
/// # Panics
/// When `width` is zero.
pub fn outlines(labels: &[u16], width: usize) -> Vec<Vec<Polygon>> {
    let count = labels.iter().copied().max().unwrap_or(0);
    let mut walks = Walks::new(labels, width);
    let height = labels.len() / width;
    for y in 0..height {
        let row = &labels[y * width..][..width];
        let above = y.checked_sub(1).map(|y| &labels[y * width..][..width]);
        let below = labels.get((y + 1) * width..(y + 2) * width);
        // The piece that the run of equal labels up to here belongs to.
        let mut piece = NONE;
        let mut before = 0;
        for (x, &label) in row.iter().enumerate() {
            let starts = label != before;
            before = label;
            if label == 0 {
                continue;
            }
            if above.is_none_or(|above| above[x] != label) && !walks.been(x, y, Side::Top) {
                walks.boundary(x, y, Side::Top, NONE);
            }
            if starts {
                piece = walks.piece_left_of(x, y);
            }
            // A boundary whose first edge lies below its pixel is that of a hole.
            if below.is_none_or(|below| below[x] != label) && !walks.been(x, y, Side::Bottom) {
                walks.boundary(x, y, Side::Bottom, piece);
            }
        }
    }
    walks.sorted(count)
}

/// No piece.
const NONE: u32 = u32::MAX;

/// A side of a pixel, named by where it lies; walked with the pixel on the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Top,
    Right,
    Bottom,
    Left,
}

impl Side {
    /// The steps to the next pixel along the side, and to the pixel beyond it.
    fn steps(self) -> ([isize; 2], [isize; 2]) {
        match self {
            Side::Top => ([1, 0], [0, -1]),
            Side::Right => ([0, 1], [1, 0]),
            Side::Bottom => ([-1, 0], [0, 1]),
            Side::Left => ([0, -1], [-1, 0]),
        }
    }

    fn turned_right(self) -> Side {
        [Side::Right, Side::Bottom, Side::Left, Side::Top][self as usize]
    }

    fn turned_left(self) -> Side {
        [Side::Left, Side::Top, Side::Right, Side::Bottom][self as usize]
    }

    /// The corner where the side of pixel (`x`, `y`) ends.
    fn end(self, x: usize, y: usize) -> Corner {
        let [right, down] = [[1, 0], [1, 1], [0, 1], [0, 0]][self as usize];
        [x as u32 + right, y as u32 + down]
    }
}

struct Walks<'l> {
    labels: &'l [u16],
    width: usize,
    height: usize,
    /// For each pixel, a bit per side that has been walked.
    walked: Vec<u8>,
    /// For each pixel whose left side has been walked, its piece.
    left_of: Vec<u32>,
    /// The pieces found so far, with their labels.
    pieces: Vec<(u16, Polygon)>,
    /// The corners of the walk at hand, and whether the object lies across the corner as well.
    line: Vec<(Corner, bool)>,
}

impl<'l> Walks<'l> {
    fn new(labels: &'l [u16], width: usize) -> Self {
        Walks {
            labels,
            width,
            height: labels.len() / width,
            walked: vec![0; labels.len()],
            left_of: vec![0; labels.len()],
            pieces: Vec::new(),
            line: Vec::new(),
        }
    }

    fn been(&self, x: usize, y: usize, side: Side) -> bool {
        self.walked[y * self.width + x] & (1 << side as u8) != 0
    }

    fn piece_left_of(&self, x: usize, y: usize) -> u32 {
        self.left_of[y * self.width + x]
    }

    /// The label at a step from a pixel; 0 outside of the image.
    fn label(&self, x: usize, y: usize, step: [isize; 2]) -> u16 {
        let (x, y) = (x.wrapping_add_signed(step[0]), y.wrapping_add_signed(step[1]));
        if x < self.width && y < self.height { self.labels[y * self.width + x] } else { 0 }
    }

    /// Walks the boundary that begins with a side of pixel (`x`, `y`): that of a hole of `piece`, or of a new piece.
    fn boundary(&mut self, x: usize, y: usize, side: Side, piece: u32) {
        let label = self.labels[y * self.width + x];
        let number = if piece == NONE { self.pieces.len() as u32 } else { piece };
        self.walk(x, y, side, number);
        let mut holes = Vec::new();
        let mut outer = None;
        for ring in split(&self.line) {
            match ring.area() > 0 {
                true => outer = Some(ring),
                false => holes.push(ring),
            }
        }
        match outer {
            Some(outer) => {
                let bays = holes.len();
                self.pieces.push((label, Polygon { outer, holes, bays }))
            }
            None => self.pieces[piece as usize].1.holes.append(&mut holes),
        }
    }

    /// Fills `line` with the corners of the boundary.
    fn walk(&mut self, x: usize, y: usize, side: Side, piece: u32) {
        self.line.clear();
        let label = self.labels[y * self.width + x];
        let start = (x, y, side);
        let (mut x, mut y, mut side) = start;
        loop {
            let index = y * self.width + x;
            self.walked[index] |= 1 << side as u8;
            if side == Side::Left {
                self.left_of[index] = piece;
            }
            let (ahead, beyond) = side.steps();
            let across = [ahead[0] + beyond[0], ahead[1] + beyond[1]];
            let at = side.end(x, y);
            if self.label(x, y, ahead) != label {
                // Right, whatever lies across: pieces are 4-connected.
                self.line.push((at, self.label(x, y, across) == label));
                side = side.turned_right();
            } else if self.label(x, y, across) != label {
                (x, y) = (x.wrapping_add_signed(ahead[0]), y.wrapping_add_signed(ahead[1]));
            } else {
                self.line.push((at, false));
                (x, y) = (x.wrapping_add_signed(across[0]), y.wrapping_add_signed(across[1]));
                side = side.turned_left();
            }
            if (x, y, side) == start {
                break;
            }
        }
    }

    fn sorted(self, count: u16) -> Vec<Vec<Polygon>> {
        let mut sorted = vec![Vec::new(); count.into()];
        for (label, polygon) in self.pieces {
            sorted[usize::from(label) - 1].push(polygon);
        }
        sorted
    }
}

/// The simple rings of a closed walk, which meets itself only in corners that the object lies across of: each time it comes back to one, a
/// ring is complete.
fn split(line: &[(Corner, bool)]) -> Vec<Ring> {
    if line.iter().filter(|(_, across)| *across).count() < 2 {
        return vec![Ring(line.iter().map(|(corner, _)| *corner).collect())];
    }
    let mut rings = Vec::new();
    let mut open: Vec<Corner> = Vec::new();
    let mut seen: HashMap<Corner, usize> = HashMap::new();
    for &(corner, across) in line {
        if across && let Some(at) = seen.insert(corner, open.len()) {
            rings.push(Ring(open.split_off(at)));
            seen.insert(corner, at);
        }
        open.push(corner);
    }
    rings.push(Ring(open));
    rings
}
