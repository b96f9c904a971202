//! Growing interiors back over the border class.
//!
//! A border pixel goes to the interior pixel nearest to it, if that is within the task's distance; among equally near
//! ones to the first in scan-line order (the upper, then the left one). The rule looks at pixels, not at objects, so it
//! can be decided `reach` rows later without knowing which interiors will turn out to be one.

use super::rows::{Cell, Rows};

/// The farthest that interiors can grow, in px and rows.
pub(super) const MAX_REACH: usize = 4;

/// A step to a neighbour.
#[derive(Clone, Copy)]
struct Step {
    rows: i8,
    columns: i8,
    /// Squared length.
    square: u8,
}

const SIDE: usize = 2 * MAX_REACH + 1;

/// Every step within a square of `MAX_REACH`, shortest first, equal ones in scan-line order.
const STEPS: [Step; SIDE * SIDE] = {
    let reach = MAX_REACH as i8;
    let mut steps = [Step { rows: 0, columns: 0, square: 0 }; SIDE * SIDE];
    let mut count = 0;
    let mut square = 0;
    while count < steps.len() {
        let mut rows = -reach;
        while rows <= reach {
            let mut columns = -reach;
            while columns <= reach {
                if (rows * rows + columns * columns) as u8 == square {
                    steps[count] = Step { rows, columns, square };
                    count += 1;
                }
                columns += 1;
            }
            rows += 1;
        }
        square += 1;
    }
    steps
};

/// How far interiors grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Distance {
    /// The longest allowed distance, squared and rounded down: squared distances between pixels are whole.
    square: u32,
    /// The same in whole rows.
    reach: u8,
}

impl Distance {
    pub const NONE: Self = Self { square: 0, reach: 0 };

    /// The distance `px`, if it lies in `0..=MAX_REACH`.
    pub fn new(px: f32) -> Option<Self> {
        if !(0.0..=MAX_REACH as f32).contains(&px) {
            return None;
        }
        // Exact: from 1 on, an f32 has no bits below 2⁻²³, and the square of what is smaller is rounded down to 0.
        let fixed = u64::from((px * (1 << 23) as f32) as u32);
        let square = ((fixed * fixed) >> 46) as u32;
        Some(Self { square, reach: (1..=MAX_REACH as u32).take_while(|reach| reach * reach <= square).count() as u8 })
    }

    /// Rows above and below a pixel that its growing depends on.
    pub fn reach(self) -> i32 {
        i32::from(self.reach)
    }
}

/// Grows over the border pixels of row `y`; the rows up to `y + reach` must be there.
pub(super) fn grow_row<const WIDTH: usize>(rows: &mut Rows<WIDTH>, y: i32, width: usize, distance: Distance) {
    if distance.reach == 0 {
        return;
    }
    for x in 0..width {
        if rows.row(y)[x] != Cell::BORDER {
            continue;
        }
        let nearest = STEPS.iter().take_while(|step| u32::from(step.square) <= distance.square).find_map(|step| {
            let x = x.checked_add_signed(step.columns.into())?;
            rows.row(y + i32::from(step.rows)).get(x)?.seed_of()
        });
        if let Some(slot) = nearest {
            rows.row_mut(y)[x] = Cell::grown(slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Distance, STEPS, grow_row};
    use crate::measure::components::SlotId;
    use crate::measure::rows::{Cell, Rows};

    #[test]
    fn steps_are_all_there_and_in_order() {
        for (n, step) in STEPS.iter().enumerate() {
            assert_eq!(step.square, (step.rows * step.rows + step.columns * step.columns) as u8);
            for later in &STEPS[n + 1..] {
                assert!((step.square, step.rows, step.columns) < (later.square, later.rows, later.columns));
            }
        }
    }

    #[test]
    fn distances_are_bounded() {
        assert_eq!(Distance::new(0.0), Some(Distance::NONE));
        assert_eq!(Distance::new(2.5), Some(Distance { square: 6, reach: 2 }));
        assert_eq!(Distance::new(4.0), Some(Distance { square: 16, reach: 4 }));
        for px in [-1.0, 4.01, f32::NAN, f32::INFINITY] {
            assert_eq!(Distance::new(px), None);
        }
    }

    #[test]
    fn equally_near_interiors_go_by_scan_line_order() {
        let (left, right, above) = (SlotId(0), SlotId(1), SlotId(2));
        let mut rows = Rows::<3>::EMPTY;
        rows.row_mut(4).copy_from_slice(&[Cell::seed(left), Cell::BORDER, Cell::seed(right)]);
        grow_row(&mut rows, 4, 3, Distance { square: 1, reach: 1 });
        assert_eq!(rows.row(4)[1], Cell::grown(left));

        rows.row_mut(4)[1] = Cell::BORDER;
        rows.row_mut(3)[1] = Cell::seed(above);
        grow_row(&mut rows, 4, 3, Distance { square: 1, reach: 1 });
        assert_eq!(rows.row(4)[1], Cell::grown(above));
    }
}
