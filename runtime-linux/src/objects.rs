//! From a class mask, or [labels](labelled), to labelled, measured objects.
//!
//! Objects are found by core's streaming measurement. The label image is painted from the very runs that it counted, so a label's pixels
//! and the area in the table are the same pixels.

pub mod labelled;
pub mod shape;

use std::collections::HashMap;

use microtome_core::measure::{Event, MeasureError, Object, Objects as Measure, Pixels, Task};

use crate::engine::Mask;
use crate::source::{Channels, Image, Samples};

/// The objects of a frame.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// `height × width` labels; 0 is no object.
    pub labels: Vec<u16>,
    /// The objects; the one at index `i` has label `i + 1`. In the order of their first pixels; the pieces of one that was split stand in its
    /// place.
    pub objects: Vec<Object>,
}

impl Found {
    /// Keeps the objects that `keep` says to; the others leave no pixels, and labels close up.
    pub fn retain(&mut self, mut keep: impl FnMut(&Object) -> bool) {
        let mut labels = vec![0];
        let mut kept = 0;
        self.objects.retain(|object| {
            let stays = keep(object);
            kept += u16::from(stays);
            labels.push(if stays { kept } else { 0 });
            stays
        });
        if usize::from(kept) + 1 < labels.len() {
            self.labels.iter_mut().for_each(|label| *label = labels[usize::from(*label)]);
        }
    }
}

/// Finds the objects of `mask`, with the intensities of `image` (luma, where it has colour).
///
/// # Errors
/// One sentence when the frame has more objects than core or a 16-bit label image can hold.
pub fn find(task: Task, mask: &Mask, image: &Image) -> Result<Found, String> {
    let luma = Luma::of(image);
    // core's tables are of fixed size; most frames fit the first, and whatever does not is measured again in the next.
    let sizes = [find_in::<1024, 1024>, find_in::<4096, 8192>, find_in::<65_535, 32_766>];
    let mut last = String::new();
    for find_in in sizes {
        use MeasureError::{Frame, TooManyOpen, TooManySeams};
        match find_in(task, mask, &luma) {
            Ok(painter) => return painter.finish(mask),
            Err(Failure::Measure(error @ (Frame { .. } | TooManyOpen { .. } | TooManySeams { .. }))) => {
                last = error.to_string()
            }
            Err(Failure::Measure(error)) => return Err(error.to_string()),
            Err(Failure::Thread(reason)) => return Err(format!("cannot start a thread to measure in: {reason}")),
        }
    }
    Err(last)
}

/// Runs [`measure`] where there is stack enough: core's tables are values, and a Rust value is made on the stack before it is moved.
fn find_in<const WIDTH: usize, const OPEN: usize>(
    task: Task,
    mask: &Mask,
    luma: &Luma<'_>,
) -> Result<Painter, Failure> {
    const COPIES: usize = 6;
    let stack = COPIES * size_of::<Measure<WIDTH, OPEN>>() + (1 << 20);
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new()
            .stack_size(stack)
            .spawn_scoped(scope, || measure::<WIDTH, OPEN>(task, mask, luma));
        let worker = worker.map_err(|e| Failure::Thread(e.to_string()))?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(Failure::Measure)
    })
}

enum Failure {
    Measure(MeasureError),
    Thread(String),
}

fn measure<const WIDTH: usize, const OPEN: usize>(
    task: Task,
    mask: &Mask,
    luma: &Luma<'_>,
) -> Result<Painter, MeasureError> {
    let mut painter = Painter::default();
    let mut objects = Box::new(Measure::<WIDTH, OPEN>::new(task, mask.height as u32, mask.width as u32)?);
    for row in mask.classes.chunks_exact(mask.width) {
        objects.push(row, |y| Some(luma.row(y as usize, mask.width)), |event| painter.take(event))?;
    }
    objects.finish(|y| Some(luma.row(y as usize, mask.width)), |event| painter.take(event))?;
    Ok(painter)
}

/// The brightness of every pixel.
enum Luma<'i> {
    U8(&'i [u8]),
    U16(&'i [u16]),
    Owned(Vec<u16>),
}

impl<'i> Luma<'i> {
    fn of(image: &'i Image) -> Self {
        match (image.channels(), image.samples()) {
            (Channels::Grey, Samples::U8(v)) => Luma::U8(v),
            (Channels::Grey, Samples::U16(v)) => Luma::U16(v),
            (Channels::Rgb, _) => {
                Luma::Owned((0..image.height() * image.width()).map(|pixel| image.luma(pixel)).collect())
            }
        }
    }

    fn row(&self, y: usize, width: usize) -> Pixels<'_> {
        let range = y * width..(y + 1) * width;
        match self {
            Luma::U8(v) => Pixels::U8(&v[range]),
            Luma::U16(v) => Pixels::U16(&v[range]),
            Luma::Owned(v) => Pixels::U16(&v[range]),
        }
    }
}

/// Remembers runs until it is known which object they belong to.
#[derive(Default)]
struct Painter {
    runs: Vec<(usize, std::ops::Range<usize>, u32)>,
    merged: HashMap<u32, u32>,
    closed: Vec<Object>,
}

impl Painter {
    fn take(&mut self, event: Event<'_>) {
        match event {
            Event::Run { row, columns, id } => self.runs.push((row as usize, columns, id)),
            Event::Merge { from, into } => {
                self.merged.insert(from, into);
            }
            Event::Closed(object) => self.closed.push(*object),
            Event::Dropped { .. } => {}
        }
    }

    fn finish(mut self, mask: &Mask) -> Result<Found, String> {
        self.closed.sort_by_key(Object::id);
        if self.closed.len() > usize::from(u16::MAX) {
            return Err(format!("{} objects; a 16-bit label image holds {}", self.closed.len(), u16::MAX));
        }
        let label_of: HashMap<u32, u16> =
            self.closed.iter().zip(1..).map(|(object, label)| (object.id(), label)).collect();
        let mut labels = vec![0; mask.height * mask.width];
        for (row, columns, mut id) in self.runs {
            while let Some(&into) = self.merged.get(&id) {
                id = into;
            }
            if let Some(&label) = label_of.get(&id) {
                labels[row * mask.width..][columns].fill(label);
            }
        }
        Ok(Found { labels, objects: self.closed })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rows: &[&str], task: Task) -> Found {
        let (height, width) = (rows.len(), rows[0].len());
        let classes: Vec<u8> = rows.concat().bytes().map(|b| b - b'0').collect();
        let image =
            Image::new(height, width, Channels::Grey, Samples::U8((0..height * width).map(|v| v as u8).collect()))
                .unwrap();
        find(task, &Mask { height, width, classes }, &image).unwrap()
    }

    #[test]
    fn labels_are_the_pixels_that_were_counted() {
        let rows = ["1010110", "1110020", "0000001", "3000000"];
        let found = found(&rows, Task::Components { min_area: 1 });
        assert_eq!(found.labels, [1, 0, 1, 0, 2, 2, 0, 1, 1, 1, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 5, 0, 0, 0, 0, 0, 0]);
        for (object, label) in found.objects.iter().zip(1_u16..) {
            assert_eq!(object.area() as usize, found.labels.iter().filter(|&&l| l == label).count());
        }
    }

    #[test]
    fn small_objects_leave_no_pixels() {
        let found = found(
            &["11001", "12020", "00000"],
            Task::InteriorBorder { object: 1, border: 2, grow_px: 2.5, min_area: 2 },
        );
        assert_eq!(found.objects.len(), 1);
        assert_eq!(found.labels[..10], [1, 1, 0, 0, 0, 1, 1, 0, 0, 0]);
    }

    #[test]
    fn labels_close_up_over_what_is_dropped() {
        let mut found = found(&["11010", "00011", "10000"], Task::Components { min_area: 1 });
        found.retain(|object| object.area() != 2);
        assert_eq!(found.labels, [0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0]);
        assert_eq!(found.objects.iter().map(Object::area).collect::<Vec<_>>(), [3, 1]);
    }

    #[test]
    fn a_crowd_overflows_into_larger_tables() {
        let width = 4000;
        let classes: Vec<u8> = (0..width).map(|x| (x % 2) as u8).collect();
        let image = Image::new(1, width, Channels::Grey, Samples::U8(vec![0; width])).unwrap();
        let found = find(Task::Components { min_area: 1 }, &Mask { height: 1, width, classes }, &image).unwrap();
        assert_eq!(found.objects.len(), 2000);
    }
}
