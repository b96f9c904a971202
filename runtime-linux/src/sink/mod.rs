//! Where results go: pictures, tables and plans, each written whole or not at all.

mod atomic;
mod overlay;
mod picture;
mod table;

pub use atomic::write_whole;
pub use overlay::{Stretch, encode_overlay, overlay};
pub use picture::{LabelFormat, frame, labels, mask};
pub use table::{ObjectTable, Record};
