//! Whether a label's shape asks for the flows that made it.
//!
//! Heat that enters at a label's middle and spreads over it has a gradient that leads back there: that is how the flows were made that the
//! network learned from. Where these differ from the network's, the label is an artefact of the flows.

#[cfg(test)]
use super::SCALE;
use super::{Vectors, boxes};

/// A pixel and the eight around it, by rows and columns, as the package has them: first itself, then above, below, left, right.
const AROUND: [[isize; 2]; 9] = [[0, 0], [-1, 0], [1, 0], [0, -1], [0, 1], [-1, -1], [-1, 1], [1, -1], [1, 1]];

/// For each label from 1 to `count`, whether its flows are at most `most` from those of `vectors`: the mean of the squared distance, in units
/// of a vector of length 1.
pub fn consistent(labels: &[u32], count: usize, vectors: &Vectors, most: f64) -> Vec<bool> {
    let shape = [vectors.rows, vectors.width];
    let mut sums = vec![(0.0, 0_u32); count];
    for (pixel, [down, right]) in flows(labels, count, shape) {
        let apart = [down - f64::from(vectors.down[pixel]), right - f64::from(vectors.right[pixel])];
        let (sum, pixels) = &mut sums[labels[pixel] as usize - 1];
        *sum += apart[0] * apart[0] + apart[1] * apart[1];
        *pixels += 1;
    }
    sums.into_iter().map(|(sum, pixels)| sum / f64::from(pixels.max(1)) <= most).collect()
}

/// The vectors of length 1 that lead to the middle of each label, for every pixel of one: down and to the right.
fn flows(labels: &[u32], count: usize, [rows, width]: [usize; 2]) -> Vec<(usize, [f64; 2])> {
    let padded = width + 2;
    let place = |pixel: usize| (pixel / width + 1) * padded + pixel % width + 1;
    let pixels: Vec<usize> = (0..labels.len()).filter(|&pixel| labels[pixel] != 0).collect();
    let mut label_at = vec![0; (rows + 2) * padded];
    pixels.iter().for_each(|&pixel| label_at[place(pixel)] = labels[pixel]);
    let beside = |place: usize, step: [isize; 2]| place.wrapping_add_signed(step[0] * padded as isize + step[1]);
    // Place 0 is always cold: it stands for neighbours that are part of something else.
    let sources: Vec<[u32; 9]> = pixels
        .iter()
        .map(|&pixel| {
            let here = place(pixel);
            AROUND
                .map(|step| if label_at[beside(here, step)] == label_at[here] { beside(here, step) as u32 } else { 0 })
        })
        .collect();
    let bounds = boxes(labels, count, width);
    let middles: Vec<usize> = (1..)
        .zip(&bounds)
        .filter_map(|(label, bounds)| middle(labels, label, bounds.as_ref()?, width))
        .map(place)
        .collect();
    let extent = bounds.iter().flatten().map(|[rows, columns]| rows.len() + columns.len() + 2).max().unwrap_or(0);

    let mut heat = vec![0.0_f64; label_at.len()];
    let mut next = vec![0.0_f64; pixels.len()];
    for _ in 0..2 * extent {
        middles.iter().for_each(|&middle| heat[middle] += 1.0);
        for (next, sources) in next.iter_mut().zip(&sources) {
            *next = sources.iter().map(|&source| heat[source as usize]).sum::<f64>() / AROUND.len() as f64;
        }
        pixels.iter().zip(&next).for_each(|(&pixel, &warm)| heat[place(pixel)] = warm);
    }
    let of = |&pixel: &usize| {
        let [above, below, left, right] = [1, 2, 3, 4].map(|step| heat[beside(place(pixel), AROUND[step])]);
        let (down, right) = (below - above, right - left);
        let length = 1e-60 + (down * down + right * right).sqrt();
        (pixel, [down / length, right / length])
    };
    pixels.iter().map(of).collect()
}

/// The pixel of a label that is nearest to the mean of all of them, or at it.
fn middle(labels: &[u32], label: u32, [rows, columns]: &[std::ops::Range<usize>; 2], width: usize) -> Option<usize> {
    let inside = || {
        let all = rows.clone().flat_map(|row| columns.clone().map(move |column| [row, column]));
        all.filter(|[row, column]| labels[row * width + column] == label)
    };
    let count = inside().count() as f64;
    let mean = [0, 1].map(|axis| (inside().map(|place| place[axis]).sum::<usize>() as f64 / count).round_ties_even());
    let square = |place: &[usize; 2]| {
        let apart = [0, 1].map(|axis| place[axis] as f64 - mean[axis]);
        apart[0] * apart[0] + apart[1] * apart[1]
    };
    let nearest = inside().min_by(|a, b| square(a).total_cmp(&square(b)))?;
    Some(nearest[0] * width + nearest[1])
}

/// The flows of labels as a network is taught them, `[down, right]` for each pixel, in units of [`SCALE`].
#[cfg(test)]
pub fn taught(labels: &[u32], count: usize, shape: [usize; 2]) -> [Vec<f32>; 2] {
    let mut taught = [vec![0.0; labels.len()], vec![0.0; labels.len()]];
    for (pixel, flow) in flows(labels, count, shape) {
        taught.iter_mut().zip(flow).for_each(|(plane, part)| plane[pixel] = SCALE * part as f32);
    }
    taught
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flows_lead_to_the_middle() {
        let (rows, width) = (31, 41);
        let disc = |row: i32, column: i32| (row - 15).pow(2) + (column - 18).pow(2) <= 81;
        let labels: Vec<u32> = (0..rows * width).map(|pixel| u32::from(disc(pixel / width, pixel % width))).collect();
        let shape = [rows as usize, width as usize];
        let [down, right] = taught(&labels, 1, shape);
        for (pixel, _) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
            let towards = [15 - (pixel / shape[1]) as i32, 18 - (pixel % shape[1]) as i32].map(f64::from);
            let far = towards[0].hypot(towards[1]);
            let along = (towards[0] * f64::from(down[pixel]) + towards[1] * f64::from(right[pixel])) / 5.0;
            assert!(far == 0.0 || along > 0.85 * far, "{towards:?}: {along}");
        }
        let scaled = |plane: Vec<f32>| plane.into_iter().map(|v| v / SCALE).collect();
        let own = Vectors { rows: shape[0], width: shape[1], down: scaled(down), right: scaled(right) };
        assert_eq!(consistent(&labels, 1, &own, 1e-6), [true]);
        // No flow at all is as far as vectors of length 1 are long; the middle has none.
        let still = Vectors { down: vec![0.0; labels.len()], right: vec![0.0; labels.len()], ..own };
        assert_eq!(consistent(&labels, 1, &still, 0.99), [false]);
        assert_eq!(consistent(&labels, 1, &still, 1.0), [true]);
    }

    #[test]
    fn the_middle_of_a_ring_is_on_it() {
        let labels = [1, 1, 1, 1, 0, 1, 1, 1, 1];
        assert_eq!(middle(&labels, 1, &[0..3, 0..3], 3), Some(1));
    }
}
