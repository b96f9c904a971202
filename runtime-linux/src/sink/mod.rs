//! Where results go: pictures, tables, archives and plans, each written whole or not at all.
//!
//! ```text
//!     Item ─▶ Results ─▶ a writer per format ─▶ Batch ─▶ files under their names
//!     frame, labels,     outlines, figures      fsync,
//!     what is known      computed once          rename
//! ```
//!
//! What is under their names is what a [`Journal`] may know of, so that a run which was interrupted can be gone on with.
//!
//! A further format is a [`Format`], a module here and a line in `results.rs`; a further figure of core's is a line in `figures.rs`, and one that
//! something else measures is an [`Extra`] of its frame: no writer has to change for either.

mod archive;
mod atomic;
mod coco;
mod ecotaxa;
mod figures;
mod format;
mod geojson;
mod imagej;
mod item;
mod journal;
mod lines;
mod ome_tiff;
#[cfg(feature = "zarr")]
mod ome_zarr;
mod overlay;
mod picture;
mod results;
mod table;

pub use atomic::{Batch, write_whole};
pub use ecotaxa::Metadata;
pub use figures::{Columns, Value};
pub use format::Format;
pub use item::{Extra, Item, Page};
pub use journal::{Interrupted, Journal};
pub use lines::{CsvLines, JsonLines};
pub use overlay::{Stretch, encode as encode_overlay};
pub use picture::{LabelFormat, frame, labels};
pub use results::{Results, Settings};

#[cfg(test)]
mod tests {
    use microtome_core::measure::Task;

    use super::*;
    use crate::engine::Mask;
    use crate::objects::{Found, find};
    use crate::source::{Channels, Image, Samples};

    /// A small frame with three objects: one with a hole, one in two pieces that meet at a corner, a single pixel of class 2.
    pub struct Sample {
        pub image: Image,
        pub mask: Mask,
        pub found: Found,
    }

    impl Sample {
        pub fn new() -> Self {
            let rows = ["111000", "101010", "111001", "000020"];
            let (height, width) = (rows.len(), rows[0].len());
            let classes: Vec<u8> = rows.concat().bytes().map(|b| b - b'0').collect();
            let samples = (0..height * width).map(|v| 10 * v as u8).collect();
            let image = Image::new(height, width, Channels::Grey, Samples::U8(samples)).unwrap();
            let mask = Mask { height, width, classes };
            let found = find(Task::Components { min_area: 1 }, &mask, &image).unwrap();
            assert_eq!(found.objects.len(), 3);
            Sample { image, mask, found }
        }

        pub fn item<'s>(&'s self, name: &'s str) -> Item<'s> {
            Item::new(name, &self.image, &self.mask, &self.found)
        }

        pub fn extra(&self, name: &str, value: f64) -> Vec<Extra> {
            vec![Extra { name: name.into(), values: vec![value; self.found.objects.len()] }]
        }
    }

    #[test]
    fn results_can_be_written_by_another_thread() {
        fn can_move<T: Send>(_: T) {}
        let dir = tempfile::tempdir().unwrap();
        can_move(Results::open(dir.path(), &Settings::default()).unwrap());
    }

    #[test]
    fn a_column_must_be_announced() {
        let dir = tempfile::tempdir().unwrap();
        let sample = Sample::new();
        let settings = Settings { formats: vec![Format::Csv, Format::Csv], ..Settings::default() };
        let mut results = Results::open(dir.path(), &settings).unwrap();
        let extra = sample.extra("focus", 1.0);
        let mut item = sample.item("a");
        item.extra = &extra;
        assert!(results.frame(&item).unwrap_err().to_string().contains("`focus`"));
        item.extra = &[];
        results.frame(&item).unwrap();
        assert_eq!(results.finish().unwrap(), [dir.path().join("objects.csv")]);
    }
}
