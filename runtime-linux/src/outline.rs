//! From a label image to polygons along the edges of its pixels.
//!
//! Corners are integers: the pixel in row `y` and column `x` is the square from `[x, y]` to `[x + 1, y + 1]`, so the shoelace formula gives an
//! object's area as its number of pixels, exactly. A piece of an object is 4-connected; pixels that meet at a corner only are two polygons.
//! Every ring is simple: it visits no corner twice, and rings of one polygon meet at single corners at most, as OGC's simple features (JTS,
//! GEOS, QuPath) demand.

mod walk;

pub use walk::outlines;

/// A corner between pixels: column, row.
pub type Corner = [u32; 2];

/// A closed, simple line: the last corner joins the first, which is not repeated. Only corners where the line turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring(Vec<Corner>);

impl Ring {
    /// The corners, in order.
    pub fn corners(&self) -> &[Corner] {
        &self.0
    }

    /// Enclosed pixels; negative where the ring is walked counter-clockwise (rows downwards), as holes are.
    pub fn area(&self) -> i64 {
        let next = self.0.iter().cycle().skip(1);
        let twice: i64 = self
            .0
            .iter()
            .zip(next)
            .map(|(a, b)| i64::from(a[0]) * i64::from(b[1]) - i64::from(b[0]) * i64::from(a[1]))
            .sum();
        twice / 2
    }

    /// Whether the pixel below and right of `corner` lies within: whether a line from it to the left crosses the ring an odd number of times.
    fn surrounds(&self, corner: Corner) -> bool {
        let next = self.0.iter().cycle().skip(1);
        let crossings = self.0.iter().zip(next).filter(|(a, b)| {
            let rows = a[1].min(b[1])..a[1].max(b[1]);
            a[0] <= corner[0] && rows.contains(&corner[1])
        });
        crossings.count() % 2 == 1
    }
}

/// One piece of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Polygon {
    /// Its boundary, clockwise.
    pub outer: Ring,
    /// The boundaries of its holes, counter-clockwise.
    pub holes: Vec<Ring>,
    /// How many of the holes, the first ones, are bays: they meet what is outside in a corner.
    bays: usize,
}

impl Polygon {
    /// Pixels of the piece.
    pub fn area(&self) -> i64 {
        self.outer.area() + self.holes.iter().map(Ring::area).sum::<i64>()
    }

    /// A pixel of the piece: the first in scan-line order.
    fn first_pixel(&self) -> Corner {
        self.outer.0.iter().copied().min_by_key(|corner| (corner[1], corner[0])).unwrap_or_default()
    }
}

/// The pixels of an object and of its holes, as `area_filled` of scikit-image counts them: bays are no holes, and a piece within a hole of
/// another counts with that hole.
pub fn filled_area(polygons: &[Polygon]) -> i64 {
    let within = |piece: &Polygon| {
        polygons.len() > 1
            && polygons
                .iter()
                .flat_map(|other| &other.holes[other.bays..])
                .any(|hole| hole.surrounds(piece.first_pixel()))
    };
    let filled = |piece: &Polygon| piece.outer.area() + piece.holes[..piece.bays].iter().map(Ring::area).sum::<i64>();
    polygons.iter().filter(|piece| !within(piece)).map(filled).sum()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;

    fn traced(rows: &[&str]) -> Vec<Vec<Polygon>> {
        let labels: Vec<u16> = rows.concat().bytes().map(|b| (b - b'0').into()).collect();
        outlines(&labels, rows[0].len())
    }

    #[test]
    fn a_pixel_is_a_square() {
        let found = traced(&["000", "010"]);
        assert_eq!(found, [[Polygon { outer: Ring(vec![[2, 1], [2, 2], [1, 2], [1, 1]]), holes: vec![], bays: 0 }]]);
    }

    #[test]
    fn pixels_that_meet_at_a_corner_are_two_polygons() {
        let found = traced(&["102", "010", "202"]);
        assert_eq!((found[0].len(), found[1].len()), (2, 3));
    }

    #[test]
    fn holes_belong_to_the_piece_around_them() {
        let found = traced(&["1110111", "1010131", "1110111"]);
        assert_eq!(found[0].iter().map(|p| (p.holes.len(), p.area())).collect::<Vec<_>>(), [(1, 8), (1, 8)]);
        assert_eq!(found[2][0].area(), 1);
        assert!(found[1].is_empty());
    }

    #[test]
    fn a_boundary_that_meets_itself_is_divided() {
        // A bay that closes at a corner, and two holes that meet at one.
        for (rows, areas) in
            [(["1110", "1011", "1101", "0111"], vec![-1, -1]), (["1111", "1011", "1101", "1111"], vec![-1, -1])]
        {
            let found = traced(&rows);
            assert_eq!(found[0].len(), 1, "{rows:?}");
            assert_eq!(found[0][0].holes.iter().map(Ring::area).collect::<Vec<_>>(), areas, "{rows:?}");
        }
        let found = traced(&["111", "101", "110"]);
        assert_eq!((found[0][0].outer.area(), found[0][0].holes.len()), (8, 1));
    }

    fn within(polygon: &Polygon, x: usize, y: usize) -> bool {
        let rings = std::iter::once(&polygon.outer).chain(&polygon.holes);
        rings.filter(|ring| ring.surrounds([x as u32, y as u32])).count() % 2 == 1
    }

    /// All that the background cannot reach from outside, in eight directions.
    fn filled(labels: &[u16], width: usize, label: u16) -> usize {
        let (wide, high) = (width + 2, labels.len() / width + 2);
        let inside = |x: usize, y: usize| {
            (1..=width).contains(&x) && (1..high - 1).contains(&y) && labels[(y - 1) * width + x - 1] == label
        };
        let mut reached = vec![false; wide * high];
        let mut open = vec![(0, 0)];
        while let Some((x, y)) = open.pop() {
            if x < wide && y < high && !inside(x, y) && !std::mem::replace(&mut reached[y * wide + x], true) {
                open.extend((0..9).map(|step| ((x + step % 3).wrapping_sub(1), (y + step / 3).wrapping_sub(1))));
            }
        }
        reached.iter().filter(|&&reached| !reached).count()
    }

    #[test]
    fn random_images_come_back_from_their_polygons() {
        let mut random = ChaCha8Rng::seed_from_u64(4);
        for round in 0..400 {
            let (height, width) = (1 + random.next_u32() as usize % 14, 1 + random.next_u32() as usize % 14);
            let kinds = 2 + round % 3;
            let labels: Vec<u16> = (0..height * width).map(|_| (random.next_u32() % kinds) as u16).collect();
            let found = outlines(&labels, width);
            let mut pixels: BTreeMap<u16, i64> = BTreeMap::new();
            labels.iter().for_each(|&label| *pixels.entry(label).or_default() += 1);
            for (polygons, label) in found.iter().zip(1..) {
                let area: i64 = polygons.iter().map(Polygon::area).sum();
                assert_eq!(area, pixels.get(&label).copied().unwrap_or(0));
                assert_eq!(filled_area(polygons) as usize, filled(&labels, width, label));
                for polygon in polygons {
                    assert!(polygon.outer.area() > 0 && polygon.holes.iter().all(|hole| hole.area() < 0));
                    for ring in std::iter::once(&polygon.outer).chain(&polygon.holes) {
                        assert_eq!(ring.0.iter().collect::<HashSet<_>>().len(), ring.0.len(), "visits a corner twice");
                        for (index, a) in ring.0.iter().enumerate() {
                            let [b, c] = [1, 2].map(|step| ring.0[(index + step) % ring.0.len()]);
                            assert!((a[0] == b[0]) != (a[1] == b[1]), "an edge that is not straight");
                            assert!((a[0] == b[0]) != (b[0] == c[0]), "a corner without a turn");
                        }
                    }
                }
                // Each pixel of the label lies within exactly one of its polygons, every other pixel within none.
                for (pixel, &found) in labels.iter().enumerate() {
                    let within = polygons.iter().filter(|p| within(p, pixel % width, pixel / width)).count();
                    assert_eq!(within, usize::from(found == label));
                }
            }
        }
    }

    #[test]
    fn a_boundary_meets_itself_a_hundred_thousand_times() {
        // Holes that meet in rows, from corner to corner.
        let side = 601;
        let labels: Vec<u16> = (0..side * side)
            .map(|p| {
                let (x, y) = (p % side, p / side);
                u16::from(x == 0 || y == 0 || x == side - 1 || y == side - 1 || (x + y) % 2 == 0 || x % 4 == 0)
            })
            .collect();
        let area: i64 = outlines(&labels, side)[0].iter().map(Polygon::area).sum();
        assert_eq!(area, labels.iter().map(|&l| i64::from(l)).sum::<i64>());
    }
}
