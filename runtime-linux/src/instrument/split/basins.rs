//! A watershed of one object: its lobes, where it has several.
//!
//! Pixels are flooded from the deepest inside outwards. A pixel without flooded neighbours begins a lobe; one between two lobes decides
//! whether they are two. They stay apart if the neck, the distance to the outside where they meet, is narrow against the smaller lobe's own
//! radius; otherwise the smaller becomes part of the larger. This is the watershed of the distance transform with seeds chosen by their
//! dynamics (Grimaud, "A new measure of contrast: the dynamics", Image Algebra and Morphological Image Processing III, 1992), in one pass
//! and with a threshold that scales with the object, so that large objects with rough outlines stay whole.
//!
//! Invariant: lobes are 8-connected, every pixel is in one, and they depend on the shape alone.

use super::Rules;
use super::distance::{STEPS_PER_PX, distances};
use crate::objects::shape::{filled, neighbours};

/// The lobes of the shape `inside`, rows of `width`: a number from 1 for every pixel of it, 0 outside, and how many there are. Holes count as
/// inside when distances are taken, so that a gap in the middle of an object makes no necks around it.
pub fn lobes(inside: &[bool], width: usize, rules: &Rules) -> (Vec<u32>, u32) {
    let levels = distances(&filled(inside, width), width);
    let mut order: Vec<usize> = (0..inside.len()).filter(|&pixel| inside[pixel]).collect();
    order.sort_by_key(|&pixel| std::cmp::Reverse(levels[pixel]));
    let mut basins = Basins::default();
    let mut basin_of = vec![0_u32; inside.len()];
    for pixel in order {
        let mut highest: Option<u32> = None;
        let mut steepest: Option<(u32, u32)> = None;
        let mut meeting = [0_u32; 8];
        let mut met = 0;
        for neighbour in neighbours(pixel, width, inside.len()) {
            if basin_of[neighbour] == 0 {
                continue;
            }
            let basin = basins.root(basin_of[neighbour]);
            if !meeting[..met].contains(&basin) {
                meeting[met] = basin;
                met += 1;
            }
            // Of equal ones, the basin that began first.
            if highest.is_none_or(|best| basins.rank(basin) > basins.rank(best)) {
                highest = Some(basin);
            }
            if steepest.is_none_or(|(level, _)| levels[neighbour] > level) {
                steepest = Some((levels[neighbour], basin));
            }
        }
        basin_of[pixel] = match (highest, steepest) {
            (Some(highest), Some((_, steepest))) => {
                for &basin in &meeting[..met] {
                    if basin != highest && !rules.apart(basins.peak(basin), levels[pixel]) {
                        basins.merge(basin, highest);
                    }
                }
                steepest
            }
            _ => basins.begin(levels[pixel]),
        };
    }
    basins.number(basin_of)
}

/// Lobes so far; those that turned out to be part of another point to it.
#[derive(Default)]
struct Basins {
    parents: Vec<u32>,
    peaks: Vec<u32>,
}

impl Basins {
    fn begin(&mut self, peak: u32) -> u32 {
        self.peaks.push(peak);
        self.parents.push(self.peaks.len() as u32);
        self.peaks.len() as u32
    }

    fn root(&mut self, mut basin: u32) -> u32 {
        while self.parents[basin as usize - 1] != basin {
            let parent = self.parents[basin as usize - 1];
            self.parents[basin as usize - 1] = self.parents[parent as usize - 1];
            basin = parent;
        }
        basin
    }

    fn peak(&self, basin: u32) -> u32 {
        self.peaks[basin as usize - 1]
    }

    /// Higher peaks first, earlier ones among equals.
    fn rank(&self, basin: u32) -> (u32, std::cmp::Reverse<u32>) {
        (self.peak(basin), std::cmp::Reverse(basin))
    }

    fn merge(&mut self, from: u32, into: u32) {
        self.parents[from as usize - 1] = into;
    }

    /// Names the basins that are left from 1 on, in the order of their first pixels.
    fn number(mut self, mut basin_of: Vec<u32>) -> (Vec<u32>, u32) {
        let mut names = vec![0; self.parents.len()];
        let mut count = 0;
        for basin in basin_of.iter_mut().filter(|basin| **basin != 0) {
            let name = &mut names[self.root(*basin) as usize - 1];
            if *name == 0 {
                count += 1;
                *name = count;
            }
            *basin = *name;
        }
        (basin_of, count)
    }
}

impl Rules {
    /// Whether a lobe whose inner radius is `peak` stays apart from one that it meets where the distance to the outside is `level`; both
    /// in 1/16 px.
    fn apart(&self, peak: u32, level: u32) -> bool {
        let px = f64::from(STEPS_PER_PX);
        f64::from(peak) >= self.least_radius_px.0 * px && f64::from(level) < self.neck.0 * f64::from(peak)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::number::Positive;

    fn shape(lines: &[&str]) -> (Vec<bool>, usize) {
        (lines.concat().bytes().map(|b| b == b'#').collect(), lines[0].len())
    }

    #[test]
    fn a_narrow_neck_parts_two_lobes() {
        let lines = [".###.....###.", "#####...#####", "#############", "#####...#####", ".###.....###."];
        let (inside, width) = shape(&lines);
        let rules = Rules { least_radius_px: Positive(2.0), ..Rules::default() };
        let (lobes, count) = lobes(&inside, width, &rules);
        assert_eq!(count, 2);
        assert_eq!((lobes[2 * width], lobes[2 * width + 12]), (1, 2));
        assert!(lobes.iter().zip(&inside).all(|(&lobe, &inside)| (lobe != 0) == inside));
        let wide = Rules { least_radius_px: Positive(9.0), ..Rules::default() };
        assert_eq!(super::lobes(&inside, width, &wide).1, 1);
    }

    #[test]
    fn holes_make_no_necks() {
        let mut lines = vec!["###############"; 15];
        lines[6] = "######....#####";
        lines[7] = "######.....####";
        lines[8] = "#######...#####";
        let (inside, width) = shape(&lines);
        assert_eq!(lobes(&inside, width, &Rules::default()).1, 1);
        let filled = filled(&inside, width);
        assert!(filled.iter().all(|&inside| inside));
    }

    #[test]
    fn pixels_have_up_to_eight_neighbours() {
        let of = |pixel| neighbours(pixel, 3, 9).collect::<Vec<_>>();
        assert_eq!(of(4), [0, 1, 2, 3, 5, 6, 7, 8]);
        assert_eq!((of(0), of(2), of(6), of(8)), (vec![1, 3, 4], vec![1, 4, 5], vec![3, 4, 7], vec![4, 5, 7]));
        assert_eq!(neighbours(0, 1, 1).count(), 0);
    }
}
