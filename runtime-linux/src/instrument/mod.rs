//! What a microscope adds to a segmentation: a scale, an even light, and a volume to count in.
//!
//! ```text
//!     profile + options ─▶ setup ─▶ analysis ─▶ objects that count, columns per object, figures per frame, totals
//! ```
//!
//! [`Analysis`] is the entry: `run`, and whatever else shows frames, gives it one after another. Each of its steps is a module that knows
//! nothing of the others: [`correct`] the frame, [`split`] and [`filter`] its objects, tell how sharp they are ([`focus`]), whether they were
//! seen before ([`track`]), how many there are in a mL ([`density`]), and whether the light is still the same ([`drift`]).

pub mod analysis;
pub mod correct;
pub mod density;
pub mod drift;
pub mod filter;
pub mod focus;
pub mod number;
pub mod options;
pub mod plane;
pub mod profile;
pub mod split;
pub mod track;

pub use analysis::{Analysed, Analysis, Column, Figures, Seen, Setup, Steps};
pub use density::Totals;
pub use drift::Alarm;
pub use options::Options;
