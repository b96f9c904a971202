//! A measured object, and its figures as scikit-image's `regionprops` defines them.

use core::f64::consts::{FRAC_PI_4, PI, SQRT_2};

use super::moments::{BoundingBox, Brightness, Moments};
use super::perimeter::Contour;
use super::real::{atan2, sqrt};

/// A complete object: integers counted pixel by pixel, and the figures that follow from them.
///
/// Lengths are in px and areas in px² unless they come from [`in_um`](Self::in_um). A figure is computed when it is
/// asked for, in `f64`, from exact integers: the same bytes on every chip, and no time spent on what nobody reads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Object {
    pub(super) id: u32,
    pub(super) class: u8,
    pub(super) seed_area: u32,
    pub(super) touches_border: bool,
    pub(super) moments: Moments,
    pub(super) brightness: Brightness,
    pub(super) contour: Contour,
}

/// A position in the frame: pixel centres lie at whole numbers, the first pixel's at (0, 0).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Along the frame's height, downwards.
    pub row: f64,
    /// Along the frame's width, to the right.
    pub column: f64,
}

/// The ellipse with the same second central moments as the object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ellipse {
    /// Length of the major axis, tip to tip.
    pub major: f64,
    /// Length of the minor axis, tip to tip; 0 for a straight line of pixels.
    pub minor: f64,
    /// Angle from the row axis (downwards) to the major axis, counter-clockwise, in radians, in `(-π/2, π/2]`.
    /// Without a longer axis it is `-π/4`, as in scikit-image.
    pub orientation: f64,
    /// 0 for a circle, towards 1 for a line.
    pub eccentricity: f64,
}

/// Intensities under the object's pixels, in the units of the rows that were given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intensity {
    /// The smallest.
    pub min: i32,
    /// The mean.
    pub mean: f64,
    /// The largest.
    pub max: i32,
}

impl Object {
    /// The object's name in its frame. It grows with the position, in scan-line order, of the object's first pixel
    /// (with a border class: its first interior pixel), is never used twice in a frame, and leaves gaps; sorted by
    /// `id` and numbered from 1, objects get the labels that scikit-image's `label` gives them.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The class of the object's pixels (with a border class: of its interior).
    pub fn class(&self) -> u8 {
        self.class
    }

    /// Number of pixels.
    pub fn area(&self) -> u32 {
        self.moments.area
    }

    /// Number of pixels before growing: the interior alone. Equal to [`area`](Self::area) where nothing grows.
    pub fn interior_area(&self) -> u32 {
        self.seed_area
    }

    /// The smallest box around the object.
    pub fn bounding_box(&self) -> BoundingBox {
        self.moments.bounds
    }

    /// Whether a pixel of the object lies on the frame's first or last row or column.
    pub fn touches_border(&self) -> bool {
        self.touches_border
    }

    /// The mean position of the pixels.
    pub fn centroid(&self) -> Point {
        let area = f64::from(self.moments.area);
        Point { row: self.moments.row as f64 / area, column: self.moments.column as f64 / area }
    }

    /// The length of the contour through the centres of the edge pixels (`regionprops`' `perimeter`, 4-neighbourhood).
    ///
    /// Method: K. Benkrid, D. Crookes, "Design and FPGA implementation of a perimeter estimator", Queen's University of
    /// Belfast.
    pub fn perimeter(&self) -> f64 {
        let [straight, diagonal, corner] = self.contour.counts().map(f64::from);
        straight + diagonal * SQRT_2 + corner * ((1.0 + SQRT_2) / 2.0)
    }

    /// The centroid in hundredths of a px, row and column, rounded half up; in integers, as a machine without an FPU for
    /// `f64` would take 3 KiB of code for [`centroid`](Self::centroid).
    pub fn centroid_hundredths(&self) -> [u64; 2] {
        let area = u64::from(self.moments.area).max(1);
        [self.moments.row, self.moments.column].map(|sum| (200 * sum + area) / (2 * area))
    }

    /// The perimeter in hundredths of a px, likewise: the [`perimeter`](Self::perimeter) to within 3·10⁻¹⁰ of it, rounded
    /// half up.
    pub fn perimeter_hundredths(&self) -> u64 {
        const ONE: i64 = 1 << 24;
        /// What a passage adds, in hundredths, times `ONE`.
        const UNITS: [i64; 3] =
            [100 * ONE, (100.0 * SQRT_2 * ONE as f64 + 0.5) as i64, (50.0 * (1.0 + SQRT_2) * ONE as f64 + 0.5) as i64];
        let sum: i64 = self.contour.counts().iter().zip(UNITS).map(|(&count, unit)| i64::from(count) * unit).sum();
        ((sum + ONE / 2).max(0) >> 24) as u64
    }

    /// The diameter of the circle with the same area.
    pub fn equivalent_diameter(&self) -> f64 {
        sqrt(4.0 * f64::from(self.moments.area) / PI)
    }

    /// The ellipse with the same second central moments.
    pub fn ellipse(&self) -> Ellipse {
        let covariances = self.moments.scaled_covariances();
        let [row, mixed, column] = covariances.map(|scaled| {
            let area = f64::from(self.moments.area);
            scaled as f64 / (area * area)
        });
        let mean = (row + column) / 2.0;
        let half_gap = (row - column) / 2.0;
        let spread = sqrt(half_gap * half_gap + mixed * mixed);
        let large = mean + spread;
        // Rounding may leave a line's width a hair below zero.
        let small = (mean - spread).max(0.0);
        let orientation = match (covariances[0] == covariances[2], covariances[1] > 0) {
            (true, true) => FRAC_PI_4,
            (true, false) => -FRAC_PI_4,
            (false, _) => 0.5 * atan2(2.0 * mixed, row - column),
        };
        Ellipse {
            major: 4.0 * sqrt(large),
            minor: 4.0 * sqrt(small),
            orientation,
            eccentricity: if large > 0.0 { sqrt(1.0 - small / large) } else { 0.0 },
        }
    }

    /// The intensities under the object; `None` unless all of its rows came with intensities.
    pub fn intensity(&self) -> Option<Intensity> {
        let Brightness { known, sum, min, max } = self.brightness;
        (known == self.moments.area).then(|| Intensity { min, mean: sum as f64 / f64::from(known), max })
    }

    /// The same figures in µm and µm², for square pixels of side `pixel_size_um`.
    pub fn in_um(&self, pixel_size_um: f64) -> InUm<'_> {
        InUm { object: self, pixel_size_um }
    }
}

/// An object's figures in µm: see [`Object::in_um`]. What has no length (eccentricity, orientation, intensity) is the
/// object's own.
#[derive(Debug, Clone, Copy)]
pub struct InUm<'o> {
    object: &'o Object,
    pixel_size_um: f64,
}

impl InUm<'_> {
    /// Area in µm².
    pub fn area(&self) -> f64 {
        f64::from(self.object.area()) * (self.pixel_size_um * self.pixel_size_um)
    }

    /// Mean position in µm from the first pixel's centre.
    pub fn centroid(&self) -> Point {
        let Point { row, column } = self.object.centroid();
        Point { row: row * self.pixel_size_um, column: column * self.pixel_size_um }
    }

    /// Perimeter in µm.
    pub fn perimeter(&self) -> f64 {
        self.object.perimeter() * self.pixel_size_um
    }

    /// Diameter of the circle with the same area, in µm.
    pub fn equivalent_diameter(&self) -> f64 {
        self.object.equivalent_diameter() * self.pixel_size_um
    }

    /// The ellipse with its axes in µm.
    pub fn ellipse(&self) -> Ellipse {
        let ellipse = self.object.ellipse();
        Ellipse { major: ellipse.major * self.pixel_size_um, minor: ellipse.minor * self.pixel_size_um, ..ellipse }
    }
}
