//! How sharp a frame, or an object in it, is.
//!
//! The score is the root of the mean squared gradient over the variance of the brightness, the gradient by Sobel's operator: Tenengrad
//! (Krotkov, "Focusing", International Journal of Computer Vision 1, 1987; one of the gradient measures that Pertuz et al. compare
//! in "Analysis of focus measure operators for shape-from-focus", Pattern Recognition 46, 2013), divided by the contrast. By Parseval's
//! theorem it is the root mean square of the spatial frequencies in the picture, in rad per px. So it depends on neither the gain nor the
//! offset of the brightness, and blur, which weakens high frequencies more than low ones, lowers it.
//!
//! Noise has high frequencies too: a frame of nothing else scores 0.61. Scores compare frames of one kind of sample.
//!
//! Sums are integers, so that a score is the same on every machine.

use microtome_core::measure::Object;

use super::plane::Plane;

/// Pixels around an object's box that are looked at with it: its edge is what blurs.
const MARGIN: usize = 3;

/// Sobel's weights sum up to 8 steps of one pixel.
const SOBEL: u64 = 8;

#[derive(Default)]
struct Sums {
    pixels: u64,
    values: u64,
    squares: u128,
    gradients: u128,
}

impl Sums {
    /// Adds those pixels of `columns` in `row` that `counts` says to; neither may touch the frame's edge.
    fn add(&mut self, plane: &Plane, row: usize, columns: std::ops::Range<usize>, counts: impl Fn(usize) -> bool) {
        let width = plane.width;
        let [above, own, below] = [row - 1, row, row + 1].map(|y| &plane.values[y * width..][..width]);
        let (mut squares, mut gradients) = (0_u64, 0_u64);
        for x in columns {
            if !counts(row * width + x) {
                continue;
            }
            let at = |line: &[u16], x: usize| i64::from(line[x]);
            let [left, right] = [x - 1, x + 1].map(|x| at(above, x) + 2 * at(own, x) + at(below, x));
            let [up, down] = [above, below].map(|line| at(line, x - 1) + 2 * at(line, x) + at(line, x + 1));
            let value = u64::from(own[x]);
            self.pixels += 1;
            self.values += value;
            squares += value * value;
            // A row of 65,535 pixels adds up to 2⁵³ at most.
            gradients += ((right - left) * (right - left) + (down - up) * (down - up)) as u64;
        }
        self.squares += u128::from(squares);
        self.gradients += u128::from(gradients);
    }

    fn score(&self) -> f64 {
        let n = u128::from(self.pixels);
        // n² times the variance, exactly.
        let spread = n * self.squares - u128::from(self.values) * u128::from(self.values);
        if spread == 0 {
            return 0.0;
        }
        ((n * self.gradients) as f64 / (u128::from(SOBEL * SOBEL) * spread) as f64).sqrt()
    }
}

/// The score of all of a frame, in rad per px; 0 where it is of one brightness, or less than three pixels wide or high.
pub fn frame(plane: &Plane) -> f64 {
    let mut sums = Sums::default();
    for row in 1..plane.height.saturating_sub(1) {
        sums.add(plane, row, 1..plane.width.saturating_sub(1), |_| true);
    }
    sums.score()
}

/// The score of every object, over its box and a margin, without the pixels of other objects. `labels` and `objects` as in
/// [`Found`](crate::objects::Found).
pub fn objects(plane: &Plane, labels: &[u16], objects: &[Object]) -> Vec<f64> {
    let span = |start: u16, end: u16, side: usize| {
        usize::from(start).saturating_sub(MARGIN).max(1)..(usize::from(end) + MARGIN).min(side.saturating_sub(1))
    };
    let score = |(object, label): (&Object, u16)| {
        let bounds = object.bounding_box();
        let columns = span(bounds.left, bounds.right, plane.width);
        let mut sums = Sums::default();
        for row in span(bounds.top, bounds.bottom, plane.height) {
            sums.add(plane, row, columns.clone(), |pixel| labels[pixel] == 0 || labels[pixel] == label);
        }
        sums.score()
    };
    objects.iter().zip(1..=u16::MAX).map(score).collect()
}

#[cfg(test)]
mod tests {
    use microtome_core::measure::Task;

    use super::*;
    use crate::engine::Mask;
    use crate::objects::find;
    use crate::simulate::{Field, Random, Settings, scene};
    use crate::source::{Channels, Image, Samples};

    const SIDES: (usize, usize) = (120, 160);

    fn image(field: &Field, gain: f64, offset: f64) -> Image {
        let samples = field.values.iter().map(|value| (gain * value + offset).round() as u16).collect();
        Image::new(field.height, field.width, Channels::Grey, Samples::U16(samples)).unwrap()
    }

    /// The light of a simulated scene, without noise.
    fn light() -> (Field, Vec<u16>) {
        let scene = scene(Settings { seed: 5, height: SIDES.0, width: SIDES.1 }, 0).unwrap();
        let mut field = Field::flat(SIDES.0, SIDES.1, 1.0);
        field.values.iter_mut().zip(&scene.labels).for_each(|(v, &label)| *v += 9.0 * f64::from(u8::from(label != 0)));
        (field, scene.labels)
    }

    #[test]
    fn blur_lowers_every_score() {
        let (field, labels) = light();
        let mut last: Option<(f64, Vec<f64>)> = None;
        for sigma in [0.7, 1.0, 1.5, 2.0, 3.0, 4.0] {
            let image = image(&field.blurred(sigma), 1000.0, 0.0);
            let classes = labels.iter().map(|&label| u8::from(label != 0)).collect();
            let mask = Mask { height: SIDES.0, width: SIDES.1, classes };
            let found = find(Task::Components { min_area: 1 }, &mask, &image).unwrap();
            let plane = Plane::of(&image);
            let scores = (frame(&plane), objects(&plane, &found.labels, &found.objects));
            assert!(scores.1.len() >= 5);
            if let Some((frame, objects)) = &last {
                assert!(scores.0 < *frame, "{sigma}: {} after {frame}", scores.0);
                for (now, before) in scores.1.iter().zip(objects) {
                    assert!(now < before, "{sigma}: {now} after {before}");
                }
            }
            last = Some(scores);
        }
    }

    #[test]
    fn brightness_does_not_matter() {
        let (field, _) = light();
        let score = |gain, offset| frame(&Plane::of(&image(&field.blurred(1.5), gain, offset)));
        let reference = score(1000.0, 0.0);
        for (gain, offset) in [(500.0, 0.0), (5000.0, 0.0), (1000.0, 20_000.0), (-1000.0, 60_000.0)] {
            assert!((score(gain, offset) / reference - 1.0).abs() < 0.002, "{gain} {offset}");
        }
    }

    #[test]
    fn a_wave_scores_its_frequency() {
        // 24 px per period; Sobel's difference over two pixels sees sin(ω) for ω.
        let omega = std::f64::consts::TAU / 24.0;
        let mut field = Field::flat(242, 242, 0.0);
        field.values.iter_mut().enumerate().for_each(|(p, v)| *v = (omega * (p % 242) as f64).sin());
        let found = frame(&Plane::of(&image(&field, 30_000.0, 30_000.0)));
        assert!((found - omega.sin()).abs() < 0.001, "{found} for {omega}");
    }

    #[test]
    fn nothing_and_noise() {
        let flat = |height, width| image(&Field::flat(height, width, 7.0), 1.0, 0.0);
        for (height, width) in [(1, 1), (2, 9), (9, 2), (9, 9)] {
            assert_eq!(frame(&Plane::of(&flat(height, width))), 0.0);
        }
        let mut random = Random::new(1, 0);
        let mut field = Field::flat(300, 300, 0.0);
        field.values.iter_mut().for_each(|v| *v = random.normal());
        let score = frame(&Plane::of(&image(&field, 1000.0, 30_000.0)));
        assert!((score - 0.61).abs() < 0.01, "{score}");
    }

    #[test]
    fn the_largest_samples_do_not_overflow() {
        let samples = (0..65_535 * 3).map(|p| if p % 65_535 % 4 < 2 { 0 } else { u16::MAX }).collect();
        let image = Image::new(3, 65_535, Channels::Grey, Samples::U16(samples)).unwrap();
        assert!((frame(&Plane::of(&image)) - 1.0).abs() < 0.001);
    }
}
