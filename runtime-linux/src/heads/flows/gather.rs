//! Where pixels ended, and which ended together: the peaks of their histogram, each extended to the bins around it.

/// Bins added on each side of the frame, so that no neighbourhood leaves the histogram.
const PAD: usize = 20;

/// A peak is the largest bin within so many of it.
const PEAK_REACH: usize = 2;

/// A peak has more pixels.
const LEAST_PEAK: u32 = 10;

/// A bin that a peak extends to has more pixels.
const LEAST_BIN: u32 = 2;

/// How far a peak extends, in bins.
const REACH: usize = 5;

/// A label that covers more of the frame is none.
const MOST_OF_FRAME: f64 = 0.4;

/// The label of each of `ends`, row and column in a frame of `[rows, width]`, 0 where it is part of nothing; and how many there are. Those that
/// gathered more come later, and where two extend to the same bin it is theirs.
pub fn gather(ends: &[[usize; 2]], frame: [usize; 2]) -> (Vec<u32>, usize) {
    let [height, width] = frame.map(|side| side + 2 * PAD);
    let bin = |end: &[usize; 2]| (end[0] + PAD) * width + end[1] + PAD;
    let mut bins = vec![0_u32; height * width];
    ends.iter().for_each(|end| bins[bin(end)] += 1);
    let mut peaks: Vec<usize> = (0..bins.len()).filter(|&at| is_peak(&bins, width, at)).collect();
    peaks.sort_by_key(|&at| bins[at]);
    let mut owner = vec![0_u32; bins.len()];
    for (&peak, label) in peaks.iter().zip(1..) {
        extend(&bins, width, peak).into_iter().for_each(|at| owner[at] = label);
    }
    let mut labels: Vec<u32> = ends.iter().map(|end| owner[bin(end)]).collect();
    let count = without_large(&mut labels, peaks.len(), MOST_OF_FRAME * (frame[0] * frame[1]) as f64);
    (labels, count)
}

fn is_peak(bins: &[u32], width: usize, at: usize) -> bool {
    // Bins with pixels lie within the padding, so their neighbours exist.
    bins[at] > LEAST_PEAK
        && (0..=2 * PEAK_REACH).all(|row| {
            let first = at - PEAK_REACH * width - PEAK_REACH + row * width;
            bins[first..=first + 2 * PEAK_REACH].iter().all(|&other| other <= bins[at])
        })
}

/// The bins that a peak reaches over its neighbours, corners included, in [`REACH`] steps.
fn extend(bins: &[u32], width: usize, peak: usize) -> Vec<usize> {
    let mut reached = vec![peak];
    let mut begin = 0;
    for _ in 0..REACH {
        let end = reached.len();
        for at in begin..end {
            for next in around(reached[at], width) {
                if bins[next] > LEAST_BIN && !reached.contains(&next) {
                    reached.push(next);
                }
            }
        }
        begin = end;
    }
    reached
}

/// A bin and the eight around it.
fn around(bin: usize, width: usize) -> impl Iterator<Item = usize> {
    [bin - width, bin, bin + width].into_iter().flat_map(|middle| middle - 1..=middle + 1)
}

/// Drops labels with more pixels than `most`, or none, and closes up; returns how many are left.
fn without_large(labels: &mut [u32], count: usize, most: f64) -> usize {
    let mut areas = vec![0_usize; count + 1];
    labels.iter().for_each(|&label| areas[label as usize] += 1);
    let mut left = 0;
    let mut names = vec![0; count + 1];
    for label in 1..=count {
        if areas[label] > 0 && areas[label] as f64 <= most {
            left += 1;
            names[label] = left;
        }
    }
    labels.iter_mut().for_each(|label| *label = names[*label as usize]);
    left as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(end: [usize; 2], count: usize) -> impl Iterator<Item = [usize; 2]> {
        std::iter::repeat_n(end, count)
    }

    #[test]
    fn peaks_gather_what_ended_near_them() {
        let ends: Vec<[usize; 2]> = times([0, 0], 12)
            .chain(times([1, 1], 3))
            .chain(times([2, 2], 2))
            .chain(times([30, 30], 40))
            .chain(times([30, 32], 11))
            .chain(times([30, 37], 10))
            .chain(times([39, 49], 20))
            .collect();
        let (labels, count) = gather(&ends, [40, 50]);
        assert_eq!(count, 3);
        let of = |range: std::ops::Range<usize>| {
            let first = labels[range.start];
            assert!(labels[range].iter().all(|&label| label == first));
            first
        };
        // The bin of two is too small to be reached, those apart from a peak are not, and a peak of ten is none.
        assert_eq!([of(0..12), of(12..15), of(15..17)], [1, 1, 0]);
        assert_eq!([of(17..57), of(57..68), of(68..78), of(78..98)], [3, 0, 0, 2]);
    }

    #[test]
    fn the_larger_peak_takes_what_both_reach() {
        let row = (0..7).flat_map(|x| {
            times(
                [10, 10 + x],
                if x == 0 {
                    50
                } else if x == 6 {
                    40
                } else {
                    3
                },
            )
        });
        let (labels, count) = gather(&row.collect::<Vec<_>>(), [40, 50]);
        assert_eq!(count, 2);
        assert_eq!(labels[..50 + 15], [2; 65]);
        assert_eq!(labels[65..], [1; 40]);
    }

    #[test]
    fn what_covers_the_frame_is_no_object() {
        let ends: Vec<[usize; 2]> = times([5, 5], 50).chain(times([15, 5], 30)).collect();
        assert_eq!(gather(&ends, [20, 6]).1, 1);
        assert_eq!(gather(&[], [20, 6]), (Vec::new(), 0));
    }
}
