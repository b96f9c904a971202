//! The streaming side: pushes a mask through `Objects` and paints what it says.

use std::collections::HashMap;

use microtome_core::measure::{Event, MeasureError, Object, Objects, Pixels, Task};

/// A whole image, for the tests alone.
pub struct Image<T> {
    pub height: usize,
    pub width: usize,
    pub pixels: Vec<T>,
}

impl<T> Image<T> {
    pub fn rows(&self) -> std::slice::ChunksExact<'_, T> {
        self.pixels.chunks_exact(self.width)
    }

    pub fn row(&self, y: usize) -> &[T] {
        &self.pixels[y * self.width..][..self.width]
    }
}

/// Objects in the order of their ids, and the picture painted from the events: 0, or one more than the object's place
/// in that order.
pub struct Streamed {
    pub objects: Vec<Object>,
    pub labels: Vec<u32>,
}

/// The sizes that all tests but those of the limits use: no mask here needs more.
pub type Roomy = Objects<2048, 8192>;

/// Runs `mask` through a session's worth of events.
pub fn stream(task: Task, mask: &Image<u8>, intensities: &Image<u16>) -> Result<Streamed, MeasureError> {
    // The measuring side is large, and test threads have small stacks.
    std::thread::scope(|scope| {
        let run = || {
            let mut measuring = Roomy::new(task, mask.height as u32, mask.width as u32)?;
            stream_with(&mut measuring, mask, intensities)
        };
        let thread = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, run);
        thread.expect("a thread").join().expect("no panic")
    })
}

/// Runs `mask` through `measuring`, which is at the beginning of a frame.
pub fn stream_with<const WIDTH: usize, const OPEN: usize>(
    measuring: &mut Objects<WIDTH, OPEN>,
    mask: &Image<u8>,
    intensities: &Image<u16>,
) -> Result<Streamed, MeasureError> {
    let mut painted = vec![0u32; mask.pixels.len()];
    let mut merged = HashMap::new();
    let mut objects: Vec<Object> = Vec::new();
    let mut last = (0, 0);
    let mut on = |event: Event<'_>| match event {
        Event::Run { row, columns, id } => {
            let start = row as usize * mask.width;
            assert!((row, columns.start) >= last, "runs come in scan-line order");
            last = (row, columns.end);
            assert!(!merged.contains_key(&id), "a merged id is not named again");
            painted[start..][columns].fill(id);
        }
        Event::Merge { from, into } => {
            assert!(into < from, "the earlier id stays");
            assert_eq!(merged.insert(from, into), None, "an id merges once");
        }
        Event::Closed(object) => objects.push(*object),
        Event::Dropped { .. } => {}
    };
    let mut asked = 0;
    let mut intensity = |row: u32| {
        assert_eq!(row, asked, "intensities are asked for once a row, in order");
        asked += 1;
        Some(Pixels::U16(intensities.row(row as usize)))
    };
    for row in mask.rows() {
        measuring.push(row, &mut intensity, &mut on)?;
    }
    measuring.finish(&mut intensity, &mut on)?;
    assert_eq!(asked as usize, mask.height);

    objects.sort_by_key(Object::id);
    let places: HashMap<u32, u32> = objects.iter().map(Object::id).zip(1..).collect();
    assert_eq!(places.len(), objects.len(), "every object has an id of its own");
    let name = |mut id: u32| {
        while let Some(&into) = merged.get(&id) {
            id = into;
        }
        places.get(&id).copied().unwrap_or(0)
    };
    Ok(Streamed { objects, labels: painted.into_iter().map(name).collect() })
}

/// A 16-bit image with all values, without a pattern that objects could hide in; `generate.py` has the same.
pub fn intensities(height: usize, width: usize) -> Image<u16> {
    let value = |y: usize, x: usize| (y * 7919 + x * 10473 + (y * x) % 251 * 57) as u16;
    let pixels = (0..height * width).map(|n| value(n / width, n % width)).collect();
    Image { height, width, pixels }
}
