//! What counts as an object.

use super::error::MeasureError;
use super::grow::Distance;

/// What to make objects of. Class 0 is the background.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Task {
    /// Every 8-connected component of one class is an object, whatever the class, the background excepted.
    Components {
        /// Objects with fewer pixels are dropped.
        min_area: u32,
    },
    /// Every 8-connected component of the object class, grown back over the border class, is an object: so touching
    /// objects, which the network keeps apart by a border, count apart and keep their areas.
    InteriorBorder {
        /// The class of interiors.
        object: u8,
        /// The class of the pixels that interiors grow over, and that belong to no object otherwise.
        border: u8,
        /// A border pixel goes to the nearest interior pixel if that is at most so far away (between centres, in px,
        /// 0 to 4); of equally near ones, to the first in scan-line order.
        grow_px: f32,
        /// Objects whose interior has fewer pixels are dropped, with what they grew over.
        min_area: u32,
    },
}

/// A task, checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    /// The object and the border class; without, every class but the background makes objects.
    classes: Option<(u8, u8)>,
    pub distance: Distance,
    pub min_area: u32,
}

/// What a class means to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    Background,
    /// Objects are made of it.
    Object,
    /// Objects grow over it.
    Border,
}

impl Rules {
    pub fn new(task: Task) -> Result<Self, MeasureError> {
        match task {
            Task::Components { min_area } => Ok(Self { classes: None, distance: Distance::NONE, min_area }),
            Task::InteriorBorder { object, border, grow_px, min_area } => {
                if object == border || object == 0 || border == 0 {
                    return Err(MeasureError::Classes { object, border });
                }
                let distance = Distance::new(grow_px).ok_or(MeasureError::Grow { grow_px })?;
                Ok(Self { classes: Some((object, border)), distance, min_area })
            }
        }
    }

    pub fn meaning(&self, class: u8) -> Meaning {
        match self.classes {
            None if class == 0 => Meaning::Background,
            None => Meaning::Object,
            Some((object, _)) if class == object => Meaning::Object,
            Some((_, border)) if class == border => Meaning::Border,
            Some(_) => Meaning::Background,
        }
    }

    /// Most components that a row can name: they alternate with background, or with each other where there are classes.
    pub fn most_in_a_row(&self, width: usize) -> usize {
        match self.classes {
            None => width,
            Some(_) => width.div_ceil(2),
        }
    }
}
