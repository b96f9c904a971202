//! A star: a polygon with a corner on every ray from its centre.

use core::f64::consts::TAU;

/// A star as areas are compared: its corners are cut to whole pixels, `[row, column]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Star {
    /// Where its rays begin, in pixels of the frame.
    pub centre: [usize; 2],
    /// Its shortest ray.
    pub inner: f32,
    /// Its longest ray.
    pub outer: f32,
    corners: Vec<[i32; 2]>,
    least: [i32; 2],
    most: [i32; 2],
    /// In px².
    area: f64,
}

impl Star {
    /// The star around `centre` with a ray of each of these lengths, in px, at least 3.
    pub fn new(centre: [usize; 2], distances: &[f32]) -> Star {
        let corner = |(sine, cosine): (f32, f32), distance: f32| {
            [centre[0] as f32 + distance * sine, centre[1] as f32 + distance * cosine].map(|at| at as i32)
        };
        let directions = directions(distances.len()).map(|(sine, cosine)| (sine as f32, cosine as f32));
        let corners: Vec<[i32; 2]> = directions.zip(distances).map(|(towards, &far)| corner(towards, far)).collect();
        let extreme = |of: fn(i32, i32) -> i32, start: i32| {
            corners.iter().fold([start; 2], |so_far, corner| [of(so_far[0], corner[0]), of(so_far[1], corner[1])])
        };
        let points: Vec<[f64; 2]> = corners.iter().copied().map(real).collect();
        Star {
            centre,
            inner: distances.iter().copied().fold(f32::INFINITY, f32::min),
            outer: distances.iter().copied().fold(0.0, f32::max),
            least: extreme(i32::min, i32::MAX),
            most: extreme(i32::max, i32::MIN),
            area: signed_area(&points).abs(),
            corners,
        }
    }

    /// The part of the smaller one's area that both share.
    pub fn overlap(&self, other: &Star) -> f64 {
        let apart = |axis: usize| self.least[axis] > other.most[axis] || other.least[axis] > self.most[axis];
        if apart(0) || apart(1) {
            return 0.0;
        }
        self.shared(other) / (self.area.min(other.area) + 1e-10)
    }

    /// The area that both share, in px².
    ///
    /// The other is the sum of its triangles between centre and edge, each counted by the sense in which it turns; a triangle is convex, and
    /// cuts this star edge by edge (Sutherland, Hodgman: Reentrant Polygon Clipping, CACM 17, 1974). What the cut leaves along its lines has
    /// no area.
    fn shared(&self, other: &Star) -> f64 {
        let own: Vec<[f64; 2]> = self.corners.iter().copied().map(real).collect();
        let centre = [other.centre[0] as f64, other.centre[1] as f64];
        let mut sum = 0.0;
        let (mut part, mut rest) = (Vec::new(), Vec::new());
        for (index, &corner) in other.corners.iter().enumerate() {
            let triangle = [centre, real(corner), real(other.corners[(index + 1) % other.corners.len()])];
            let turn = signed_area(&triangle).signum();
            if signed_area(&triangle) == 0.0 {
                continue;
            }
            part.clone_from(&own);
            for (from, to) in [(0, 1), (1, 2), (2, 0)] {
                cut(&part, triangle[from], triangle[to], turn, &mut rest);
                std::mem::swap(&mut part, &mut rest);
            }
            sum += turn * signed_area(&part);
        }
        sum.abs()
    }
}

/// The corners of the star around `centre`, `[row, column]`, as it is painted.
pub fn outline(centre: [usize; 2], distances: &[f32]) -> Vec<[f32; 2]> {
    let corner = |(sine, cosine): (f64, f64), distance: f32| {
        let along = [sine, cosine].map(|part| (f64::from(distance) * part) as f32);
        [centre[0] as f32 + along[0], centre[1] as f32 + along[1]]
    };
    directions(distances.len()).zip(distances).map(|(towards, &far)| corner(towards, far)).collect()
}

/// Sine and cosine of each of so many rays: rows and columns per px of length.
fn directions(rays: usize) -> impl Iterator<Item = (f64, f64)> {
    (0..rays).map(move |ray| (TAU * ray as f64 / rays as f64).sin_cos())
}

fn real(corner: [i32; 2]) -> [f64; 2] {
    corner.map(f64::from)
}

/// Twice the area of the triangle of three points, with a sign that tells how it turns.
fn turn(a: [f64; 2], b: [f64; 2], c: [f64; 2]) -> f64 {
    (b[1] - a[1]) * (c[0] - a[0]) - (b[0] - a[0]) * (c[1] - a[1])
}

fn signed_area(corners: &[[f64; 2]]) -> f64 {
    let Some((&first, rest)) = corners.split_first() else { return 0.0 };
    rest.windows(2).map(|edge| turn(first, edge[0], edge[1])).sum::<f64>() / 2.0
}

/// Leaves in `rest` what of `corners` lies on the side of the line from `from` to `to` that `side` tells the sign of.
fn cut(corners: &[[f64; 2]], from: [f64; 2], to: [f64; 2], side: f64, rest: &mut Vec<[f64; 2]>) {
    rest.clear();
    let Some(&last) = corners.last() else { return };
    let mut before = (last, side * turn(from, to, last));
    for &corner in corners {
        let here = (corner, side * turn(from, to, corner));
        if (before.1 < 0.0) != (here.1 < 0.0) {
            let share = before.1 / (before.1 - here.1);
            rest.push([0, 1].map(|axis| before.0[axis] + share * (corner[axis] - before.0[axis])));
        }
        if here.1 >= 0.0 {
            rest.push(corner);
        }
        before = here;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square: four rays.
    fn diamond(centre: [usize; 2], radius: f32) -> Star {
        Star::new(centre, &[radius; 4])
    }

    #[test]
    fn the_first_ray_points_right_and_the_next_down() {
        assert_eq!(outline([10, 20], &[1.0, 2.0, 3.0, 4.0])[..2], [[10.0, 21.0], [12.0, 20.0]]);
        let star = Star::new([10, 20], &[5.0, 3.0, 5.0, 3.0]);
        assert_eq!((star.least, star.most), ([7, 15], [13, 25]));
        assert_eq!((star.inner, star.outer, star.area), (3.0, 5.0, 30.0));
    }

    #[test]
    fn squares_overlap_as_they_should() {
        let square = diamond([50, 50], 10.0);
        assert_eq!(square.area, 200.0);
        assert!((square.overlap(&square) - 1.0).abs() < 1e-9);
        // Moved by half of a side along a side: half is shared. By a whole side: an edge.
        assert!((square.overlap(&diamond([55, 55], 10.0)) - 0.5).abs() < 1e-12);
        assert!(square.overlap(&diamond([60, 60], 10.0)) < 1e-12);
        assert_eq!(square.overlap(&diamond([50, 71], 10.0)), 0.0);
        // The smaller one lies in the larger.
        assert!((square.overlap(&diamond([51, 51], 4.0)) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_not_convex_is_cut_right() {
        // Every second ray is short: what two such stars share, counted by the pixel.
        let spiky = |turn: usize| -> Vec<f32> {
            (0..32).map(|ray| if (ray + turn) % 8 < 4 { 40.0 } else { 15.0 + turn as f32 }).collect()
        };
        for (turn, centre) in [(0, [104, 90]), (3, [92, 117]), (5, [100, 100])] {
            let (a, b) = (Star::new([100, 100], &spiky(1)), Star::new(centre, &spiky(turn)));
            let inside = |star: &Star, y: f64, x: f64| {
                let corners = &star.corners;
                (0..corners.len()).fold(false, |inside, at| {
                    let [from, to] = [corners[at], corners[(at + 1) % corners.len()]].map(real);
                    let crosses = (from[0] > y) != (to[0] > y);
                    inside != (crosses && x < from[1] + (y - from[0]) * (to[1] - from[1]) / (to[0] - from[0]))
                })
            };
            let steps = (0..800).map(|step| 40.0 + f64::from(step) * 0.15 + 0.0321);
            let both = steps.clone().flat_map(|y| steps.clone().map(move |x| (y, x)));
            let counted = both.filter(|&(y, x)| inside(&a, y, x) && inside(&b, y, x)).count() as f64 * 0.15 * 0.15;
            assert!((a.shared(&b) / counted - 1.0).abs() < 0.01, "{} {counted}", a.shared(&b));
            assert!((a.shared(&b) - b.shared(&a)).abs() < 1e-6);
        }
    }
}
