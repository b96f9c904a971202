//! How far every pixel of a shape is from its outside.
//!
//! The exact Euclidean distance in linear time: Meijster, Roerdink, Hesselink, "A general algorithm for computing distance transforms in linear
//! time", Mathematical Morphology and its Applications to Image and Signal Processing, 2000. Integers throughout.

/// Distances are counted in this part of a pixel.
pub const STEPS_PER_PX: u32 = 16;

/// The distance of every pixel of `inside`, rows of `width`, to the centre of the nearest pixel outside, in 1/16 px, rounded down; 0 outside.
/// What lies beyond the rectangle is outside.
pub fn distances(inside: &[bool], width: usize) -> Vec<u32> {
    let height = inside.len() / width;
    let columns = to_outside_in_column(inside, width);
    let mut distances = vec![0; inside.len()];
    // Two columns more: beyond the sides.
    let mut line = vec![0_i64; width + 2];
    let mut envelope: Vec<(i64, i64)> = Vec::with_capacity(width + 2);
    for row in 0..height {
        let at = row * width..(row + 1) * width;
        line[1..=width].iter_mut().zip(&columns[at.clone()]).for_each(|(to, &from)| *to = i64::from(from));
        lower_envelope(&line, &mut envelope);
        let mut piece = envelope.len() - 1;
        for column in (0..width).rev() {
            let x = column as i64 + 1;
            while envelope[piece].1 > x {
                piece -= 1;
            }
            let (apex, depth) = (envelope[piece].0, line[envelope[piece].0 as usize]);
            let squared = ((x - apex) * (x - apex) + depth * depth) as u64;
            distances[at.start + column] = (squared * u64::from(STEPS_PER_PX * STEPS_PER_PX)).isqrt() as u32;
        }
    }
    distances
}

/// For every pixel, rows to the nearest pixel outside in its column.
fn to_outside_in_column(inside: &[bool], width: usize) -> Vec<u32> {
    let mut rows = vec![0_u32; inside.len()];
    for pixel in 0..inside.len() {
        if inside[pixel] {
            rows[pixel] = 1 + pixel.checked_sub(width).map_or(0, |above| rows[above]);
        }
    }
    for pixel in (0..inside.len()).rev() {
        if inside[pixel] {
            rows[pixel] = rows[pixel].min(1 + rows.get(pixel + width).copied().unwrap_or(0));
        }
    }
    rows
}

/// The parabolas `(x - i)² + line[i]²` that are lowest somewhere: their apex `i`, and the first `x` at which they are.
fn lower_envelope(line: &[i64], envelope: &mut Vec<(i64, i64)>) {
    envelope.clear();
    let height = |apex: i64, x: i64| (x - apex) * (x - apex) + line[apex as usize] * line[apex as usize];
    for apex in 0..line.len() as i64 {
        while envelope.last().is_some_and(|&(last, from)| height(last, from) > height(apex, from)) {
            envelope.pop();
        }
        let from = match envelope.last() {
            None => 0,
            Some(&(last, _)) => {
                let rise = apex * apex - last * last + line[apex as usize].pow(2) - line[last as usize].pow(2);
                1 + rise.div_euclid(2 * (apex - last))
            }
        };
        if from < line.len() as i64 {
            envelope.push((apex, from));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::Random;

    fn by_definition(inside: &[bool], width: usize) -> Vec<u32> {
        let height = inside.len() / width;
        let is_inside = |y: i64, x: i64| {
            (0..height as i64).contains(&y) && (0..width as i64).contains(&x) && inside[y as usize * width + x as usize]
        };
        let mut distances = Vec::new();
        for y in 0..height as i64 {
            for x in 0..width as i64 {
                let mut nearest = i64::MAX;
                for v in -1..=height as i64 {
                    for u in -1..=width as i64 {
                        if !is_inside(v, u) {
                            nearest = nearest.min((y - v) * (y - v) + (x - u) * (x - u));
                        }
                    }
                }
                distances.push((nearest as u64 * 256).isqrt() as u32);
            }
        }
        distances
    }

    #[test]
    fn distances_are_exact() {
        let mut random = Random::new(11, 0);
        for (height, width) in [(1, 1), (1, 9), (9, 1), (13, 17), (20, 11)] {
            for density in [0.5, 0.9, 0.98, 1.1] {
                let inside: Vec<bool> = (0..height * width).map(|_| random.between(0.0, 1.0) < density).collect();
                assert_eq!(distances(&inside, width), by_definition(&inside, width), "{height}x{width} {density}");
            }
        }
    }
}
