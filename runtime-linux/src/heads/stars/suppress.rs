//! Non-maximum suppression: which of many stars, most of them of the same objects, remain.
//!
//! Stars come from places of a grid, so those that one could reach are looked up in the grid around it. Most of what an object has of them goes
//! because its centre lies within the remaining star's shortest ray, which takes no polygons.

use super::star::Star;

/// The indices of those `stars` that remain. They are sorted, the most probable first; each lies at a place of a grid of `[rows, width]` places,
/// `stride` pixels apart. Of two that share more than `overlap` of the smaller one, the first remains.
pub fn survivors(stars: &[Star], stride: [usize; 2], grid: [usize; 2], overlap: f32) -> Vec<usize> {
    let place = |star: &Star| [star.centre[0] / stride[0], star.centre[1] / stride[1]];
    let mut at = vec![None; grid[0] * grid[1]];
    for (index, star) in stars.iter().enumerate() {
        let [row, column] = place(star);
        at[row * grid[1] + column] = Some(index);
    }
    // The longest ray from each star on.
    let mut longest: Vec<f32> = stars.iter().map(|star| star.outer).collect();
    (1..longest.len()).rev().for_each(|index| longest[index - 1] = longest[index - 1].max(longest[index]));

    let mut gone = vec![false; stars.len()];
    let mut kept = Vec::new();
    for (index, star) in stars.iter().enumerate() {
        if gone[index] {
            continue;
        }
        kept.push(index);
        let reach = star.outer + longest.get(index + 1).copied().unwrap_or(0.0);
        let around = |axis: usize| {
            let (middle, far) = (place(star)[axis], (reach / stride[axis] as f32) as usize + 1);
            middle.saturating_sub(far)..(middle + far + 1).min(grid[axis])
        };
        for row in around(0) {
            let places = row * grid[1] + around(1).start..row * grid[1] + around(1).end;
            for other in at[places].iter().flatten().copied() {
                if other > index && !gone[other] {
                    gone[other] = is_covered(&stars[other], star, overlap);
                }
            }
        }
    }
    kept
}

/// Whether a star is too much the same as a more probable one.
fn is_covered(star: &Star, by: &Star, overlap: f32) -> bool {
    let apart = [0, 1].map(|axis| star.centre[axis] as f32 - by.centre[axis] as f32);
    let square = apart[0] * apart[0] + apart[1] * apart[1];
    let reach = star.outer + by.outer;
    square <= reach * reach && (square < by.inner * by.inner || by.overlap(star) > f64::from(overlap))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_remain_and_doubles_go() {
        let star = |row: usize, column: usize, radius: f32| Star::new([2 * row, 2 * column], &[radius; 32]);
        // A double in the middle, one that shares two thirds, a neighbour that shares little, one far away, a small one inside.
        let stars = [
            star(20, 20, 10.0),
            star(21, 21, 10.0),
            star(20, 23, 10.0),
            star(20, 28, 10.0),
            star(20, 60, 10.0),
            star(24, 20, 2.0),
        ];
        assert_eq!(survivors(&stars, [2, 2], [50, 80], 0.5), [0, 3, 4]);
        // By another measure two thirds are not too much; a centre within the shortest ray always is.
        assert_eq!(survivors(&stars[2..4], [2, 2], [50, 80], 0.9), [0, 1]);
        assert_eq!(survivors(&stars[..2], [2, 2], [50, 80], 1.0), [0]);
        assert!(survivors(&[], [2, 2], [50, 80], 0.5).is_empty());
    }
}
