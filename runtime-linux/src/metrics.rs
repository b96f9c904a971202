//! The scores of `eval`: how well found objects and foreground agree with annotated ones.
//!
//! Sums are kept in integers per frame and added up over a data set; every ratio is taken of the sums ("pooled"), so that a frame counts
//! by its objects and pixels. [`Mean`] is the other convention, the mean of the frames' own ratios.
//!
//! A ratio without anything to judge (no foreground, no objects, on either side) is 1: finding nothing where there is nothing is right.

use std::collections::HashMap;
use std::ops::AddAssign;

use serde::Serialize;

/// Counts of one frame, or the sum of several.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames.
    pub frames: u64,
    /// Foreground pixels in both.
    pub both: u64,
    /// Foreground pixels found.
    pub found_pixels: u64,
    /// Foreground pixels annotated.
    pub true_pixels: u64,
    /// Found objects that match an annotated one.
    pub matched: u64,
    /// Objects found.
    pub found: u64,
    /// Objects annotated.
    pub truth: u64,
    /// Sum over frames of |found − annotated|.
    pub miscounted: u64,
}

/// The ratios of some [`Counts`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// Foreground intersection over union.
    pub iou: f64,
    /// Foreground Dice coefficient, 2·both / (found + annotated).
    pub dice: f64,
    /// TP / (TP + FP + FN) over objects that match at IoU 0.5.
    pub ap50: f64,
    /// 2·TP / (2·TP + FP + FN) over the same.
    pub f1: f64,
    /// Sum over frames of |found − annotated|, over the number annotated.
    pub count_error: f64,
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

impl Counts {
    /// Compares two label images of the same size (0: no object).
    ///
    /// Objects match one to one, at an IoU of at least 0.5. Above 0.5 an object has at most one partner; at exactly 0.5 it may have two
    /// halves, and takes the one with the smaller label. No other choice gives more matches.
    pub fn of(found: &[u16], truth: &[u32]) -> Self {
        let mut areas: [HashMap<u32, u64>; 2] = Default::default();
        let mut shared: HashMap<(u32, u32), u64> = HashMap::new();
        let mut counts = Counts { frames: 1, ..Counts::default() };
        for (&f, &t) in found.iter().zip(truth) {
            let f = u32::from(f);
            if f != 0 {
                *areas[0].entry(f).or_default() += 1;
                counts.found_pixels += 1;
            }
            if t != 0 {
                *areas[1].entry(t).or_default() += 1;
                counts.true_pixels += 1;
            }
            if f != 0 && t != 0 {
                *shared.entry((t, f)).or_default() += 1;
                counts.both += 1;
            }
        }
        let [found_areas, true_areas] = areas;
        let mut pairs: Vec<(u32, u32)> = shared
            .into_iter()
            // both / (f + t − both) ≥ 1/2, in integers
            .filter(|((t, f), both)| 3 * both >= found_areas[f] + true_areas[t])
            .map(|(pair, _)| pair)
            .collect();
        pairs.sort_unstable();
        let mut taken = [std::collections::HashSet::new(), std::collections::HashSet::new()];
        for (t, f) in pairs {
            if !taken[0].contains(&t) && taken[1].insert(f) {
                taken[0].insert(t);
                counts.matched += 1;
            }
        }
        counts.found = found_areas.len() as u64;
        counts.truth = true_areas.len() as u64;
        counts.miscounted = counts.found.abs_diff(counts.truth);
        counts
    }

    /// The ratios.
    pub fn scores(&self) -> Scores {
        Scores {
            iou: ratio(self.both, self.found_pixels + self.true_pixels - self.both),
            dice: ratio(2 * self.both, self.found_pixels + self.true_pixels),
            ap50: ratio(self.matched, self.found + self.truth - self.matched),
            f1: ratio(2 * self.matched, self.found + self.truth),
            count_error: self.miscounted as f64 / self.truth.max(1) as f64,
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.both += other.both;
        self.found_pixels += other.found_pixels;
        self.true_pixels += other.true_pixels;
        self.matched += other.matched;
        self.found += other.found;
        self.truth += other.truth;
        self.miscounted += other.miscounted;
    }
}

/// The mean of the frames' own ratios.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mean {
    frames: u64,
    sums: [f64; 5],
}

impl Mean {
    /// Adds a frame.
    pub fn add(&mut self, scores: Scores) {
        self.frames += 1;
        let Scores { iou, dice, ap50, f1, count_error } = scores;
        for (sum, value) in self.sums.iter_mut().zip([iou, dice, ap50, f1, count_error]) {
            *sum += value;
        }
    }

    /// The means; `None` of no frames.
    pub fn scores(&self) -> Option<Scores> {
        let [iou, dice, ap50, f1, count_error] = self.sums.map(|sum| sum / self.frames as f64);
        (self.frames > 0).then_some(Scores { iou, dice, ap50, f1, count_error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_by_hand() {
        // Object 1: 4 px annotated, 3 of them found and nothing else: IoU 0.75. Object 2: missed. Found 2: spurious, 1 px.
        let truth = [1, 1, 1, 1, 0, 0, 2, 2];
        let found = [1, 1, 1, 0, 0, 2, 0, 0];
        let counts = Counts::of(&found, &truth);
        assert_eq!(
            counts,
            Counts {
                frames: 1,
                both: 3,
                found_pixels: 4,
                true_pixels: 6,
                matched: 1,
                found: 2,
                truth: 2,
                miscounted: 0
            }
        );
        let scores = counts.scores();
        assert_eq!((scores.iou, scores.dice), (3.0 / 7.0, 0.6));
        assert_eq!((scores.ap50, scores.f1, scores.count_error), (1.0 / 3.0, 0.5, 0.0));
    }

    #[test]
    fn exactly_half_matches_once() {
        // Two found halves of one annotated object: IoU 0.5 each.
        let counts = Counts::of(&[1, 1, 2, 2], &[7, 7, 7, 7]);
        assert_eq!((counts.matched, counts.found, counts.truth, counts.miscounted), (1, 2, 1, 1));
        assert_eq!(Counts::of(&[1, 1, 2, 0], &[7, 7, 7, 7]).matched, 1);
        assert_eq!(Counts::of(&[1, 0, 0, 0], &[7, 7, 7, 0]).matched, 0);
    }

    #[test]
    fn one_found_over_two_annotated_halves() {
        let counts = Counts::of(&[1, 1, 1, 1], &[7, 7, 8, 8]);
        assert_eq!((counts.matched, counts.scores().ap50), (1, 0.5));
    }

    #[test]
    fn nothing_found_where_nothing_is_is_right() {
        let scores = Counts::of(&[0; 4], &[0; 4]).scores();
        assert_eq!((scores.iou, scores.dice, scores.ap50, scores.f1, scores.count_error), (1.0, 1.0, 1.0, 1.0, 0.0));
        assert_eq!(Counts::of(&[1; 4], &[0; 4]).scores().ap50, 0.0);
    }

    #[test]
    fn pooled_and_mean_differ() {
        let (large, small) = (Counts::of(&[1, 1, 1, 2], &[1, 1, 1, 2]), Counts::of(&[0], &[1]));
        let mut sum = large;
        sum += small;
        assert_eq!(sum.scores().ap50, 2.0 / 3.0);
        let mut mean = Mean::default();
        assert!(mean.scores().is_none());
        mean.add(large.scores());
        mean.add(small.scores());
        assert_eq!(mean.scores().unwrap().ap50, 0.5);
        assert_eq!((sum.frames, sum.scores().count_error), (2, 1.0 / 3.0));
    }
}
