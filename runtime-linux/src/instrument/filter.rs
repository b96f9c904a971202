//! Which objects count: those of the right size, and perhaps only whole ones.

use crate::objects::Found;

/// What an object must be.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Filter {
    /// Smallest equivalent spherical diameter (that of the circle with the object's area), in µm.
    pub min_esd_um: Option<f64>,
    /// Largest, in µm.
    pub max_esd_um: Option<f64>,
    /// Whether objects that the frame's edge cuts are left out. Large objects are cut more often, so this makes them rarer than they are.
    pub exclude_border: bool,
}

impl Filter {
    /// Whether it needs to know how large a pixel is.
    pub fn needs_pixel_size(&self) -> bool {
        self.min_esd_um.is_some() || self.max_esd_um.is_some()
    }

    /// Leaves in `found` what it lets through. Sizes are not looked at without `pixel_size_um`.
    pub fn apply(&self, found: &mut Found, pixel_size_um: Option<f64>) {
        if *self == Filter::default() {
            return;
        }
        let (min, max) = (self.min_esd_um.unwrap_or(0.0), self.max_esd_um.unwrap_or(f64::INFINITY));
        found.retain(|object| {
            let fits = pixel_size_um.is_none_or(|size| (min..=max).contains(&object.in_um(size).equivalent_diameter()));
            fits && !(self.exclude_border && object.touches_border())
        });
    }
}

#[cfg(test)]
mod tests {
    use microtome_core::measure::{Object, Task};

    use super::*;
    use crate::engine::Mask;
    use crate::objects::find;
    use crate::source::{Channels, Image, Samples};

    /// Squares of sides 2 (at the edge), 4 and 8.
    fn squares() -> Found {
        let (height, width) = (20, 30);
        let mut classes = vec![0; height * width];
        for (top, left, side) in [(0, 0, 2), (3, 3, 4), (10, 10, 8)] {
            for row in top..top + side {
                classes[row * width + left..][..side].fill(1);
            }
        }
        let image = Image::new(height, width, Channels::Grey, Samples::U8(vec![0; height * width])).unwrap();
        find(Task::Components { min_area: 1 }, &Mask { height, width, classes }, &image).unwrap()
    }

    fn areas(filter: Filter, pixel_size_um: Option<f64>) -> Vec<u32> {
        let mut found = squares();
        filter.apply(&mut found, pixel_size_um);
        for (object, label) in found.objects.iter().zip(1..) {
            assert_eq!(found.labels.iter().filter(|&&l| l == label).count(), object.area() as usize);
        }
        assert_eq!(found.labels.iter().max(), Some(&(found.objects.len() as u16)));
        found.objects.iter().map(Object::area).collect()
    }

    #[test]
    fn sizes_are_diameters_in_micrometres() {
        // Diameters of 2.26, 4.51 and 9.03 px.
        let filter = Filter { min_esd_um: Some(2.0), max_esd_um: Some(4.0), ..Filter::default() };
        assert_eq!(areas(filter, Some(1.0)), [4]);
        assert_eq!(areas(filter, Some(0.5)), [16]);
        assert_eq!(areas(Filter { min_esd_um: Some(2.3), ..Filter::default() }, Some(1.0)), [16, 64]);
        assert_eq!(areas(Filter { max_esd_um: Some(5.0), ..Filter::default() }, Some(1.0)), [4, 16]);
        assert_eq!(areas(filter, None), [4, 16, 64]);
        assert_eq!(areas(Filter::default(), Some(1.0)), [4, 16, 64]);
    }

    #[test]
    fn cut_objects_can_be_left_out() {
        assert_eq!(areas(Filter { exclude_border: true, ..Filter::default() }, None), [16, 64]);
    }
}
