//! The reference: whole images, flood fill, and every figure from its definition. It shares no code with `core` and takes
//! no care of memory, time or rounding beyond f64's.

use std::f64::consts::{PI, SQRT_2};

use microtome_core::measure::{Object, Task};

use crate::stream::{Image, Streamed};

/// What `regionprops` would say of one object.
#[derive(Debug, Default)]
pub struct Figures {
    pub class: u8,
    pub area: u32,
    pub interior: u32,
    /// top, left, bottom, right
    pub bounds: [usize; 4],
    pub touches_border: bool,
    pub centroid: [f64; 2],
    pub perimeter: f64,
    pub major: f64,
    pub minor: f64,
    pub orientation: f64,
    pub eccentricity: f64,
    pub diameter: f64,
    pub min: i32,
    pub mean: f64,
    pub max: i32,
}

/// Labels (from 1, in scan-line order of the first pixel) and figures of a mask's objects.
pub fn measure(task: Task, mask: &Image<u8>, intensities: &Image<u16>) -> (Vec<u32>, Vec<Figures>) {
    let (seeds, grown, min_area) = match task {
        Task::Components { min_area } => {
            let seeds = flood(mask, |class| class != 0);
            (seeds.clone(), seeds, min_area)
        }
        Task::InteriorBorder { object, border, grow_px, min_area } => {
            let seeds = flood(mask, |class| class == object);
            let grown = grow(mask, &seeds, border, f64::from(grow_px));
            (seeds, grown, min_area)
        }
    };
    let count = seeds.iter().copied().max().unwrap_or(0) as usize;
    let (mut interiors, mut classes) = (vec![0; count + 1], vec![0; count + 1]);
    for (&label, &class) in seeds.iter().zip(&mask.pixels) {
        interiors[label as usize] += 1;
        classes[label as usize] = class;
    }
    let mut numbers = vec![0; count + 1];
    let mut kept = Vec::new();
    for label in 1..=count {
        if interiors[label] >= min_area {
            kept.push(label);
            numbers[label] = kept.len() as u32;
        }
    }
    let labels: Vec<u32> = grown.iter().map(|&label| numbers[label as usize]).collect();
    let mut pixels = vec![Vec::new(); kept.len() + 1];
    for (n, &label) in labels.iter().enumerate() {
        pixels[label as usize].push((n / mask.width, n % mask.width));
    }
    let figures = kept.iter().zip(1..).map(|(&seed, label)| {
        let shape = figures(&labels, label, &pixels[label as usize], mask, intensities);
        Figures { class: classes[seed], interior: interiors[seed], ..shape }
    });
    let figures = figures.collect();
    (labels, figures)
}

fn flood(mask: &Image<u8>, wanted: impl Fn(u8) -> bool) -> Vec<u32> {
    let (height, width) = (mask.height as isize, mask.width as isize);
    let mut labels = vec![0; mask.pixels.len()];
    let mut count = 0;
    for start in 0..mask.pixels.len() {
        let class = mask.pixels[start];
        if labels[start] != 0 || !wanted(class) {
            continue;
        }
        count += 1;
        labels[start] = count;
        let mut queue = vec![start];
        while let Some(pixel) = queue.pop() {
            let (y, x) = (pixel as isize / width, pixel as isize % width);
            for (dy, dx) in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)] {
                let (y, x) = (y + dy, x + dx);
                if y < 0 || x < 0 || y >= height || x >= width {
                    continue;
                }
                let next = (y * width + x) as usize;
                if labels[next] == 0 && mask.pixels[next] == class {
                    labels[next] = count;
                    queue.push(next);
                }
            }
        }
    }
    labels
}

/// Every border pixel to the nearest seed pixel of all that are near enough; the first in scan-line order of the nearest.
fn grow(mask: &Image<u8>, seeds: &[u32], border: u8, limit: f64) -> Vec<u32> {
    let mut grown = seeds.to_vec();
    let reach = limit.ceil() as usize;
    for (n, label) in grown.iter_mut().enumerate().filter(|(n, _)| mask.pixels[*n] == border) {
        let (y, x) = (n / mask.width, n % mask.width);
        let mut nearest = f64::INFINITY;
        for sy in y.saturating_sub(reach)..mask.height.min(y + reach + 1) {
            for sx in x.saturating_sub(reach)..mask.width.min(x + reach + 1) {
                let distance = (sy as f64 - y as f64).hypot(sx as f64 - x as f64);
                let seed = seeds[sy * mask.width + sx];
                if seed != 0 && distance <= limit && distance < nearest {
                    nearest = distance;
                    *label = seed;
                }
            }
        }
    }
    grown
}

fn figures(
    labels: &[u32],
    label: u32,
    pixels: &[(usize, usize)],
    mask: &Image<u8>,
    intensities: &Image<u16>,
) -> Figures {
    let (height, width) = (mask.height as isize, mask.width as isize);
    let inside = |y: isize, x: isize| {
        (0..height).contains(&y) && (0..width).contains(&x) && labels[(y * width + x) as usize] == label
    };
    let edge = |y: isize, x: isize| {
        inside(y, x) && !(inside(y - 1, x) && inside(y + 1, x) && inside(y, x - 1) && inside(y, x + 1))
    };

    let area = pixels.len() as f64;
    let mean = |f: &dyn Fn(f64, f64) -> f64| pixels.iter().map(|&(y, x)| f(y as f64, x as f64)).sum::<f64>() / area;
    let (row, column) = (mean(&|y, _| y), mean(&|_, x| x));
    let yy = mean(&|y, _| (y - row).powi(2));
    let xx = mean(&|_, x| (x - column).powi(2));
    let yx = mean(&|y, x| (y - row) * (x - column));
    let root = ((yy - xx).powi(2) + 4.0 * yx * yx).sqrt();
    let (large, small) = ((yy + xx + root) / 2.0, ((yy + xx - root) / 2.0).max(0.0));

    let mut perimeter = 0.0;
    for (y, x) in pixels.iter().map(|&(y, x)| (y as isize, x as isize)).filter(|&(y, x)| edge(y, x)) {
        let mut code = 1;
        for dy in -1..=1 {
            for dx in -1..=1 {
                if (dy, dx) != (0, 0) && edge(y + dy, x + dx) {
                    code += if dy == 0 || dx == 0 { 2 } else { 10 };
                }
            }
        }
        perimeter += match code {
            5 | 7 | 15 | 17 | 25 | 27 => 1.0,
            21 | 33 => SQRT_2,
            13 | 23 => (1.0 + SQRT_2) / 2.0,
            _ => 0.0,
        };
    }

    let rows = || pixels.iter().map(|p| p.0);
    let columns = || pixels.iter().map(|p| p.1);
    let bounds = [
        rows().min().unwrap_or(0),
        columns().min().unwrap_or(0),
        rows().max().map_or(0, |y| y + 1),
        columns().max().map_or(0, |x| x + 1),
    ];
    let values = || pixels.iter().map(|&(y, x)| i32::from(intensities.row(y)[x]));
    Figures {
        area: pixels.len() as u32,
        bounds,
        touches_border: pixels.iter().any(|&(y, x)| y == 0 || x == 0 || y + 1 == mask.height || x + 1 == mask.width),
        centroid: [row, column],
        perimeter,
        major: 4.0 * large.sqrt(),
        minor: 4.0 * small.sqrt(),
        orientation: 0.5 * (2.0 * yx).atan2(yy - xx),
        eccentricity: if large > 0.0 { (1.0 - small / large).sqrt() } else { 0.0 },
        diameter: (4.0 * area / PI).sqrt(),
        min: values().min().unwrap_or(0),
        mean: values().map(f64::from).sum::<f64>() / area,
        max: values().max().unwrap_or(0),
        ..Figures::default()
    }
}

/// The largest difference between two perimeters counted from the same pixels.
const PERIMETER: f64 = 1e-9;

/// Whether `found` is what was expected, and the painted labels too.
pub fn compare(found: &Streamed, labels: &[u32], expected: &[Figures]) -> Result<(), String> {
    if found.objects.len() != expected.len() {
        return Err(format!("{} objects, expected {}", found.objects.len(), expected.len()));
    }
    if let Some(n) = (0..labels.len()).find(|&n| found.labels[n] != labels[n]) {
        return Err(format!("pixel {n} is painted {}, expected {}", found.labels[n], labels[n]));
    }
    compare_figures(&found.objects, expected, PERIMETER)
}

/// Whether the figures of each object are those expected.
pub fn compare_figures(found: &[Object], expected: &[Figures], perimeter: f64) -> Result<(), String> {
    for (n, (object, figures)) in found.iter().zip(expected).enumerate() {
        let fail = |what: &str| Err(format!("object {} has another {what}: {object:?}, expected {figures:?}", n + 1));
        let bounds = object.bounding_box();
        let bounds = [bounds.top, bounds.left, bounds.bottom, bounds.right].map(usize::from);
        let counted = (object.class(), object.area(), object.interior_area(), object.touches_border(), bounds);
        if counted != (figures.class, figures.area, figures.interior, figures.touches_border, figures.bounds) {
            return fail("class, area or box");
        }
        let Some(intensity) = object.intensity() else {
            return fail("intensity");
        };
        if (intensity.min, intensity.max) != (figures.min, figures.max) {
            return fail("intensity");
        }
        let (centroid, ellipse) = (object.centroid(), object.ellipse());
        // A degenerate axis is the square root of a rounding error: 1e-16 of the other's square.
        let axis = 1e-7 * figures.major.max(1.0);
        for (what, found, expected, tolerance) in [
            ("mean intensity", intensity.mean, figures.mean, 1e-9 * figures.mean.max(1.0)),
            ("centroid row", centroid.row, figures.centroid[0], 1e-9),
            ("centroid column", centroid.column, figures.centroid[1], 1e-9),
            ("perimeter", object.perimeter(), figures.perimeter, perimeter),
            ("major axis", ellipse.major, figures.major, axis),
            ("minor axis", ellipse.minor, figures.minor, axis),
            ("diameter", object.equivalent_diameter(), figures.diameter, 1e-9 * figures.diameter),
            // Near a circle, eccentricity is the square root of a rounding error too.
            ("eccentricity", ellipse.eccentricity, figures.eccentricity, 1e-7),
        ] {
            let near = (found - expected).abs() <= tolerance;
            // A NaN is near nothing.
            if !near {
                return fail(what);
            }
        }
        // A circle has no orientation, and the two ends of an axis are the same.
        if figures.eccentricity > 1e-3 {
            let turn = (ellipse.orientation - figures.orientation).rem_euclid(PI);
            if turn.min(PI - turn) > 1e-7 {
                return fail("orientation");
            }
        }
    }
    Ok(())
}
