//! Telling a particle that stays from one that is new, by overlap from frame to frame.
//!
//! Every object of a frame is compared with the tracks whose last pixels it covers. Pairs are taken in the order of their intersection
//! over union, from the best down, and an object without a partner begins a track. This is how stopped flow and stuck particles are; for things
//! that swim further than their own size between two frames it is none.
//!
//! Time and memory are those of a frame, however many tracks there were.

use std::collections::{BTreeMap, HashMap};

use crate::objects::Found;

/// When an object is one seen before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// Least intersection over union.
    pub overlap: f64,
    /// Frames that a track may miss in a row.
    pub missed: u32,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { overlap: 0.3, missed: 1 }
    }
}

/// An object's track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tracked {
    /// The track's number in the run, from 1.
    pub track: u32,
    /// Frames that it has been seen in, this one included.
    pub frames: u32,
}

#[derive(Debug, Clone, Copy)]
struct Track {
    area: u64,
    frames: u32,
    missed: u32,
}

/// The tracks of a run.
pub struct Tracker {
    rules: Rules,
    begun: u32,
    /// Tracks that may go on.
    open: BTreeMap<u32, Track>,
    /// The open track that had each pixel last; 0 is none.
    canvas: Vec<u32>,
}

impl Tracker {
    /// Nothing seen yet.
    pub fn new(rules: Rules) -> Self {
        Tracker { rules, begun: 0, open: BTreeMap::new(), canvas: Vec::new() }
    }

    /// Tracks begun so far.
    pub fn begun(&self) -> u32 {
        self.begun
    }

    /// The track of every object of the next frame. A frame with another number of pixels ends all tracks.
    pub fn see(&mut self, found: &Found) -> Vec<Tracked> {
        if self.canvas.len() != found.labels.len() {
            self.open.clear();
            self.canvas = vec![0; found.labels.len()];
        }
        let partners = self.partners(found);
        self.open.values_mut().for_each(|track| track.missed += 1);
        let mut tracked = Vec::with_capacity(found.objects.len());
        for (object, partner) in found.objects.iter().zip(partners) {
            let track = partner.unwrap_or_else(|| {
                self.begun += 1;
                self.begun
            });
            let entry = self.open.entry(track).or_insert(Track { area: 0, frames: 0, missed: 0 });
            *entry = Track { area: object.area().into(), frames: entry.frames + 1, missed: 0 };
            tracked.push(Tracked { track, frames: entry.frames });
        }
        self.open.retain(|_, track| track.missed <= self.rules.missed);
        for (pixel, &label) in self.canvas.iter_mut().zip(&found.labels) {
            *pixel = match usize::from(label).checked_sub(1) {
                Some(object) => tracked[object].track,
                // What was seen in this frame is where it is now; what was missed may still be where it was.
                None if self.open.get(pixel).is_some_and(|track| track.missed > 0) => *pixel,
                None => 0,
            };
        }
        tracked
    }

    /// The open track that every object goes on with.
    fn partners(&self, found: &Found) -> Vec<Option<u32>> {
        let mut shared: HashMap<(u32, u16), u64> = HashMap::new();
        for (&track, &label) in self.canvas.iter().zip(&found.labels) {
            if track != 0 && label != 0 {
                *shared.entry((track, label)).or_default() += 1;
            }
        }
        let mut pairs: Vec<(f64, u32, u16)> = shared
            .into_iter()
            .filter_map(|((track, label), both)| {
                let area = u64::from(found.objects[usize::from(label) - 1].area());
                let overlap = both as f64 / (self.open.get(&track)?.area + area - both) as f64;
                (overlap >= self.rules.overlap).then_some((overlap, track, label))
            })
            .collect();
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        let mut partners = vec![None; found.objects.len()];
        let mut taken = std::collections::HashSet::new();
        for (_, track, label) in pairs {
            let partner = &mut partners[usize::from(label) - 1];
            if partner.is_none() && taken.insert(track) {
                *partner = Some(track);
            }
        }
        partners
    }
}

#[cfg(test)]
mod tests {
    use microtome_core::measure::Task;

    use super::*;
    use crate::engine::Mask;
    use crate::objects::find;
    use crate::source::{Channels, Image, Samples};

    const SIDES: (usize, usize) = (30, 60);

    /// Squares of side 8 with these top left corners.
    fn frame(squares: &[(usize, usize)]) -> Found {
        let (height, width) = SIDES;
        let mut classes = vec![0; height * width];
        for &(top, left) in squares {
            for row in top..top + 8 {
                classes[row * width + left..][..8].fill(1);
            }
        }
        let image = Image::new(height, width, Channels::Grey, Samples::U8(vec![0; height * width])).unwrap();
        find(Task::Components { min_area: 1 }, &Mask { height, width, classes }, &image).unwrap()
    }

    fn tracks(tracker: &mut Tracker, squares: &[(usize, usize)]) -> Vec<(u32, u32)> {
        tracker.see(&frame(squares)).iter().map(|t| (t.track, t.frames)).collect()
    }

    #[test]
    fn a_particle_that_stays_is_counted_once() {
        let mut tracker = Tracker::new(Rules::default());
        for step in 0..10 {
            // One stays, one drifts by 2 px per frame, one jumps further than its size.
            let found = tracks(&mut tracker, &[(2, 2), (12, 2 + 2 * step), (21, 10 * (step % 5))]);
            let frames = step as u32 + 1;
            assert_eq!(found[..2], [(1, frames), (2, frames)]);
            assert_eq!(found[2], (3 + step as u32, 1));
        }
        assert_eq!(tracker.begun(), 12);
    }

    #[test]
    fn one_frame_may_miss_it() {
        let mut tracker = Tracker::new(Rules::default());
        assert_eq!(tracks(&mut tracker, &[(2, 2)]), [(1, 1)]);
        assert_eq!(tracks(&mut tracker, &[]), []);
        assert_eq!(tracks(&mut tracker, &[(2, 3)]), [(1, 2)]);
        assert_eq!(tracks(&mut tracker, &[]), []);
        assert_eq!(tracks(&mut tracker, &[]), []);
        assert_eq!(tracks(&mut tracker, &[(2, 3)]), [(2, 1)]);
    }

    #[test]
    fn the_best_overlap_wins() {
        let mut tracker = Tracker::new(Rules { overlap: 0.05, missed: 1 });
        tracks(&mut tracker, &[(2, 10)]);
        // Both overlap it; the second by more.
        assert_eq!(tracks(&mut tracker, &[(2, 4), (2, 13)]), [(2, 1), (1, 2)]);
        // A grazing overlap is none by the usual rule.
        let mut tracker = Tracker::new(Rules::default());
        tracks(&mut tracker, &[(2, 10)]);
        assert_eq!(tracks(&mut tracker, &[(2, 15)]), [(2, 1)]);
    }

    #[test]
    fn what_moved_on_leaves_nothing_behind() {
        let mut tracker = Tracker::new(Rules::default());
        tracks(&mut tracker, &[(2, 10)]);
        tracks(&mut tracker, &[(2, 13)]);
        // Only columns 10 to 12 are the old place.
        assert!(tracker.canvas[3 * SIDES.1 + 10..][..3].iter().all(|&track| track == 0));
        assert!(tracker.canvas[3 * SIDES.1 + 13..][..8].iter().all(|&track| track == 1));
    }

    #[test]
    fn frames_of_another_size_begin_anew() {
        let mut tracker = Tracker::new(Rules::default());
        tracks(&mut tracker, &[(2, 10)]);
        let other = Found { labels: vec![0; 9], objects: Vec::new() };
        assert_eq!(tracker.see(&other), []);
        assert_eq!(tracks(&mut tracker, &[(2, 10)]), [(2, 1)]);
    }
}
