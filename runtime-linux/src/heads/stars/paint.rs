//! Polygons to pixels.

/// Gives every pixel of a frame of `[rows, width]` whose centre lies in the polygon, or on its outline, the `label`. Corners are
/// `[row, column]`; an outline that crosses itself encloses what lies an odd number of edges deep (as `skimage.draw.polygon` has it).
pub fn paint(corners: &[[f32; 2]], frame: [usize; 2], label: u32, labels: &mut [u32]) {
    let corners: Vec<[f64; 2]> = corners.iter().map(|corner| corner.map(f64::from)).collect();
    let rows = corners.iter().map(|corner| corner[0]);
    let (top, bottom) = (rows.clone().fold(f64::INFINITY, f64::min), rows.fold(f64::NEG_INFINITY, f64::max));
    let mut crossings = Vec::new();
    for row in whole(top, bottom, frame[0]) {
        let y = row as f64;
        // A corner on this very row counts as above it once and as below it once: what both enclose is the polygon with its outline.
        for is_below in [|at: f64, y: f64| at > y, |at: f64, y: f64| at >= y] {
            crossings.clear();
            for (index, &from) in corners.iter().enumerate() {
                let to = corners[(index + 1) % corners.len()];
                if is_below(from[0], y) != is_below(to[0], y) {
                    crossings.push(crossing(from, to, y));
                }
            }
            crossings.sort_by(f64::total_cmp);
            for span in crossings.as_chunks::<2>().0 {
                labels[row * frame[1]..][whole(span[0], span[1], frame[1])].fill(label);
            }
        }
    }
}

/// The whole numbers from `first` to `last`, those included, that are below `end`.
fn whole(first: f64, last: f64, end: usize) -> std::ops::Range<usize> {
    let after = (last.floor() + 1.0).max(0.0) as usize;
    let first = first.ceil().max(0.0) as usize;
    first.min(end)..after.min(end).max(first.min(end))
}

/// The column in which an edge meets row `y`.
fn crossing(from: [f64; 2], to: [f64; 2], y: f64) -> f64 {
    // Exact at both ends.
    if y == to[0] { to[1] } else { from[1] + (y - from[0]) * (to[1] - from[1]) / (to[0] - from[0]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn painted(corners: &[[f32; 2]]) -> Vec<String> {
        let mut labels = vec![0; 7 * 9];
        paint(corners, [7, 9], 1, &mut labels);
        labels.chunks(9).map(|row| row.iter().map(|&l| if l == 0 { '.' } else { '#' }).collect()).collect()
    }

    #[test]
    fn outlines_belong_to_the_polygon() {
        let square = painted(&[[1.0, 2.0], [1.0, 5.0], [4.0, 5.0], [4.0, 2.0]]);
        let row = "..####...";
        assert_eq!(square, [".........", row, row, row, row, ".........", "........."]);
        let diamond = painted(&[[3.0, 6.0], [5.0, 4.0], [3.0, 2.0], [1.0, 4.0]]);
        assert_eq!(
            diamond,
            [".........", "....#....", "...###...", "..#####..", "...###...", "....#....", "........."]
        );
    }

    #[test]
    fn what_lies_outside_of_the_frame_is_left_out() {
        let large = painted(&[[-3.0, -2.5], [-3.0, 4.5], [20.0, 4.5], [20.0, -2.5]]);
        assert_eq!(large, ["#####...."; 7]);
        assert!(painted(&[[-3.0, -3.0], [-3.0, -1.0], [-1.0, -1.0]]).concat().find('#').is_none());
        assert!(painted(&[[9.0, 20.0], [9.0, 30.0], [12.0, 30.0]]).concat().find('#').is_none());
    }

    #[test]
    fn notches_stay_open() {
        let arrow = painted(&[[0.5, 0.5], [3.0, 6.5], [0.5, 8.4], [5.5, 8.4], [5.5, 0.5]]);
        assert_eq!(arrow[0], ".........");
        assert_eq!(arrow[2], ".####...#");
        assert_eq!(arrow[5], ".########");
    }
}
