//! Objects from mask rows, as they come: counted, measured, and outlined by whoever paints their runs.
//!
//! ```text
//! mask row ─▶ label ─▶ rows of owners ─▶ grow ─▶ measure ─▶ trace ─▶ close ─▶ objects
//!               │      (a ring of nine)    │        │          │
//!               ▼                          ▼        ▼          ▼
//!        open components ◀──────────────── sums, contours, seams
//! ```
//!
//! A frame is never held. What is held is a ring of nine rows, in which each pixel names the component that owns it, and
//! a table of the components that are open. Each pushed row goes through five steps:
//!
//! 1. **Label** (`components`). The new row is cut into runs of one class. A run joins every component of its class that
//!    it touches in the row above, corners included (8-connectivity), and opens a new one if there is none. If it
//!    touches two, they were one all along: union-find keeps the earlier, adds up their sums, and turns the other's slot
//!    into an alias.
//! 2. **Grow** (`grow`, only with a border class). The row that now has `reach` rows below it, so all the interior that
//!    its border pixels could belong to, hands each of them to the nearest.
//! 3. **Measure** (`moments`). The runs of that row are final. Each adds its pixel count, coordinate sums, bounding box
//!    and intensities to its component, in closed form and in integers.
//! 4. **Trace** (`perimeter`). Two rows further up, the 5x5 neighbourhood that decides what a pixel contributes to the
//!    perimeter is complete. Where two components touch that may yet turn out to be one, `seams` keeps the difference.
//! 5. **Close**. A component that the rows in memory no longer name cannot change. It is handed out, its slot freed.
//!
//! # What can be relied on
//!
//! - Figures are those of scikit-image's `label(connectivity=2)` and `regionprops`, computed from exact integers in a
//!   fixed order: the same bytes on every chip. The order of events depends on the mask alone.
//! - Every pixel is in one run, or none; an object's runs, with merged ids renamed, are the pixels it was measured from.
//! - A U is one object, and a ring has its inner contour, however late their lobes meet: sums do not depend on where a
//!   component was cut, and seams settle the contour. What would have to hold all of the frame to be known is defined
//!   otherwise: of two equally near interiors, a border pixel goes to the one whose pixel comes first in scan-line
//!   order, which is not always the one whose object does.
//! - One case is not exact: where *more than six* open components of one class, all still apart, own pixels of one 5x5
//!   neighbourhood, a pixel knows five of the others. If the rest merge with its own later on, it may count as an edge
//!   in vain or be missed, which is off by at most √2 px per such pixel. Masks have to be made up for it; without a
//!   border class, it cannot happen, because components that touch are one.
//! - Memory is bounded, and so is the work per row. A frame that needs more is refused with a [`MeasureError`] that says
//!   what to raise; nothing is left out in silence.
//!
//! # Intensities
//!
//! A mask row leaves the network many rows after its camera row went in, and is measured a few rows later still. So
//! intensities are not pushed along with the mask: [`Objects::push`] asks for the row it is about to measure. On Linux
//! the frame is in memory and answers; a microcontroller keeps as many rows as the two delays add up to, or none, and
//! gets everything but intensities.
//!
//! ```
//! use microtome_core::measure::{Event, MeasureError, Objects, Pixels, Task};
//!
//! let mask: [[i8; 6]; 3] = [[1, 1, 0, 0, 1, 0], [1, 2, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0]];
//! let frame: [[u8; 6]; 3] = [[90, 80, 3, 4, 70, 5], [70, 60, 6, 7, 80, 8], [9, 9, 9, 9, 90, 9]];
//!
//! let task = Task::InteriorBorder { object: 1, border: 2, grow_px: 2.5, min_area: 2 };
//! let mut objects = Objects::<640, 256>::new(task, 3, 6)?;
//! let intensity = |row: u32| Some(Pixels::U8(&frame[row as usize]));
//! let mut areas_um = Vec::new();
//! let mut report = |event: Event<'_>| {
//!     if let Event::Closed(object) = event {
//!         areas_um.push(object.in_um(0.5).area());
//!     }
//! };
//! for row in &mask {
//!     objects.push(row, intensity, &mut report)?;
//! }
//! objects.finish(intensity, &mut report)?;
//! assert_eq!(areas_um, [1.0, 0.75]);
//! # Ok::<(), MeasureError>(())
//! ```

mod components;
mod error;
mod event;
mod grow;
mod moments;
mod object;
mod objects;
mod perimeter;
mod real;
mod rows;
mod seams;
mod task;

pub use error::MeasureError;
pub use event::{Event, Pixels};
pub use moments::{BoundingBox, MAX_PIXELS, MAX_SIDE};
pub use object::{Ellipse, InUm, Intensity, Object, Point};
pub use objects::Objects;
pub use task::Task;

#[cfg(test)]
mod tests;
