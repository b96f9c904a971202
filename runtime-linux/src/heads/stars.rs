//! Star-convex polygons, as StarDist has them (Schmidt, Weigert, Broaddus, Myers: Cell Detection with Star-Convex Polygons, MICCAI 2018,
//! arXiv:1806.03535), to labels.
//!
//! For each place of a grid the network says the probability that it is in an object, and the distances to the object's border along rays:
//! the first to the right, and on clockwise, as rows go down; in pixels of the frame. Places above the threshold, from the most probable on,
//! become objects unless they share too much with one that did. These are painted, the most probable on top.
//!
//! Rules and roundings are those of the package's version 0.9 (`stardist.nms`, `stardist.geometry`), down to corners that are cut to
//! whole pixels where areas are compared, and places next to the field's edge that are left out: thresholds were chosen with them.
//! `tests/fixtures/heads` holds what it gives. There the polygons that two share have whole corners, too, which makes a difference for small
//! ones: of 7,000 stars that remained of ragged ones at random places, 1 % were others. Of equally probable places, which int8 makes, the one
//! with the longest shortest ray comes first: it is in the middle.

mod paint;
mod star;
mod suppress;

use self::paint::paint;
use self::star::Star;
use self::suppress::survivors;
use super::{Field, Labels, channels};

/// Fewest rays that enclose an area.
const FEWEST_RAYS: usize = 3;

/// Places so near the field's edge are not looked at.
const MARGIN: usize = 2;

/// The stars of a frame of `[rows, width]`: those more probable than `threshold`, of which none shares more than `overlap` of its own or the
/// other's area with another.
///
/// # Errors
/// One sentence when the fields are no probability and distances for such a frame.
pub fn labels(fields: &[Field], frame: [usize; 2], threshold: f32, overlap: f32) -> Result<Labels, String> {
    let heads = Outputs::of(fields)?;
    let stride = heads.probability.stride(frame)?;
    let longest = (frame[0] + frame[1]) as f32;
    let star = |[row, column]: [usize; 2]| {
        Star::new([row * stride[0], column * stride[1]], &heads.distances([row, column], longest))
    };
    let mut stars: Vec<(f32, Star)> =
        heads.candidates(threshold)?.into_iter().map(|(probability, place)| (probability, star(place))).collect();
    stars.sort_by(|(p, a), (q, b)| q.total_cmp(p).then(b.inner.total_cmp(&a.inner)));
    let stars: Vec<Star> = stars.into_iter().map(|(_, star)| star).collect();
    let kept = survivors(&stars, stride, [heads.rows(), heads.width()], overlap);
    let mut labels = vec![0; frame[0] * frame[1]];
    for (index, &star) in kept.iter().enumerate().rev() {
        let centre = stars[star].centre;
        let place = [centre[0] / stride[0], centre[1] / stride[1]];
        paint(&star::outline(centre, &heads.distances(place, longest)), frame, index as u32 + 1, &mut labels);
    }
    Ok(Labels { labels, count: kept.len() })
}

/// The two heads, wherever they are.
struct Outputs<'f> {
    probability: &'f Field,
    radial: &'f Field,
    /// Where distances begin among the channels of `radial`.
    first: usize,
}

impl<'f> Outputs<'f> {
    /// The field of one channel is the probability, that of more the distances; one of both begins with the probability.
    fn of(fields: &'f [Field]) -> Result<Self, String> {
        if let [both] = fields
            && both.channels > FEWEST_RAYS
        {
            return Ok(Outputs { probability: both, radial: both, first: 1 });
        }
        let probability = fields.iter().find(|field| field.channels == 1);
        let radial = fields.iter().find(|field| field.channels >= FEWEST_RAYS);
        let expected = "star-convex needs a probability, of one channel, and the distances along at least 3 rays";
        let (Some(probability), Some(radial)) = (probability, radial) else {
            return Err(format!("the model has {}; {expected}", channels(fields)));
        };
        if (probability.rows, probability.width) != (radial.rows, radial.width) {
            let (p, r) = (probability, radial);
            return Err(format!(
                "the probability is {}x{} and the distances are {}x{}; expected the same sides",
                p.width, p.rows, r.width, r.rows
            ));
        }
        Ok(Outputs { probability, radial, first: 0 })
    }

    fn rows(&self) -> usize {
        self.probability.rows
    }

    fn width(&self) -> usize {
        self.probability.width
    }

    /// The places above `threshold`, row and column, with their probability.
    fn candidates(&self, threshold: f32) -> Result<Vec<(f32, [usize; 2])>, String> {
        let values = self.probability.plane(0);
        // Quantization may round up a little.
        if let Some(wrong) = values.iter().find(|v| !(-0.01..=1.01).contains(*v)) {
            return Err(format!("a probability of {wrong}; expected 0 to 1, as a Sigmoid gives"));
        }
        let of = |[row, column]: [usize; 2]| values[row * self.width() + column];
        let rows = MARGIN..self.rows().saturating_sub(MARGIN);
        let columns = MARGIN..self.width().saturating_sub(MARGIN);
        let all = rows.flat_map(|row| columns.clone().map(move |column| [row, column]));
        Ok(all.map(|place| (of(place), place)).filter(|(probability, _)| *probability > threshold).collect())
    }

    /// The distances at a place, none shorter than a thousandth of a pixel or longer than `longest`.
    fn distances(&self, [row, column]: [usize; 2], longest: f32) -> Vec<f32> {
        let at = |channel: usize| self.radial.plane(channel)[row * self.width() + column];
        (self.first..self.radial.channels).map(|channel| at(channel).max(1e-3).min(longest)).collect()
    }
}

#[cfg(test)]
mod tests;
