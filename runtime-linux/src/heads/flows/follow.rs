//! Pixels along the flow: Euler steps of one, between pixels by bilinear interpolation.

use super::Vectors;

/// Where each of `pixels` is after `steps` steps, row and column; outside of `inside` nothing flows.
///
/// A place x of an axis of n pixels is read at x · n / (n − 1) − ½, between zeros beyond the frame: so does the package, by
/// `grid_sample(align_corners=False)`.
pub fn follow(vectors: &Vectors, inside: &[bool], pixels: &[usize], steps: u32) -> Vec<[usize; 2]> {
    let field = Padded::new(vectors, inside);
    let sides = [vectors.rows, vectors.width];
    let [last_row, last_column] = sides.map(|side| (side - 1) as f32);
    let [down, across] = sides.map(|side| side as f32 / (side as f32 - 1.0).max(1.0));
    let walk = |&pixel: &usize| {
        let (mut row, mut column) = ((pixel / vectors.width) as f32, (pixel % vectors.width) as f32);
        for _ in 0..steps {
            let [dy, dx] = field.at(row * down - 0.5, column * across - 0.5);
            if dy == 0.0 && dx == 0.0 {
                break;
            }
            row = (row + dy).clamp(0.0, last_row);
            column = (column + dx).clamp(0.0, last_column);
        }
        [row as usize, column as usize]
    };
    pixels.iter().map(walk).collect()
}

/// The vectors, down and to the right, with a border of zeros: reading needs no look at the sides.
struct Padded {
    width: usize,
    values: Vec<[f32; 2]>,
}

impl Padded {
    fn new(vectors: &Vectors, inside: &[bool]) -> Padded {
        let width = vectors.width + 2;
        let mut values = vec![[0.0; 2]; (vectors.rows + 2) * width];
        for pixel in (0..inside.len()).filter(|&pixel| inside[pixel]) {
            let (row, column) = (pixel / vectors.width, pixel % vectors.width);
            let both = [vectors.down[pixel], vectors.right[pixel]];
            // What is no number goes nowhere.
            values[(row + 1) * width + column + 1] = if both.iter().all(|v| v.is_finite()) { both } else { [0.0; 2] };
        }
        Padded { width, values }
    }

    /// Between four pixels; a place is at least −1, and less than the axis is long.
    fn at(&self, row: f32, column: f32) -> [f32; 2] {
        let (y, x) = (row + 1.0, column + 1.0);
        let (top, left) = (y as usize, x as usize);
        let (v, u) = (y - top as f32, x - left as f32);
        let first = top * self.width + left;
        let [a, b, c, d] = [first, first + 1, first + self.width, first + self.width + 1].map(|at| self.values[at]);
        let mix = |axis: usize| {
            a[axis] * (1.0 - v) * (1.0 - u) + b[axis] * (1.0 - v) * u + c[axis] * v * (1.0 - u) + d[axis] * v * u
        };
        [mix(0), mix(1)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_go_with_the_flow_and_stay_in_the_frame() {
        let (rows, width) = (21, 31);
        let all = vec![true; rows * width];
        let away = Vectors { rows, width, down: vec![-0.4; rows * width], right: vec![0.7; rows * width] };
        let pixels: Vec<usize> = (0..rows * width).collect();
        assert!(follow(&away, &all, &pixels, 200).iter().all(|end| *end == [0, 30]));
        // One step from the middle: by the vector, and cut to whole pixels.
        assert_eq!(follow(&away, &all, &[10 * width + 15], 1), [[9, 15]]);
        let nowhere = Vectors { down: vec![f32::NAN; rows * width], ..away };
        assert_eq!(follow(&nowhere, &all, &[10 * width + 15], 200), [[10, 15]]);
    }

    #[test]
    fn the_smallest_frames() {
        for (rows, width) in [(1, 1), (1, 4), (5, 1)] {
            let all = vec![true; rows * width];
            let flow = Vectors { rows, width, down: vec![0.5; rows * width], right: vec![0.5; rows * width] };
            assert_eq!(follow(&flow, &all, &[0], 50), [[rows - 1, width - 1]]);
        }
    }
}
