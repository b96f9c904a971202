//! Fluorescence frames with known truth.
//!
//! Nuclei are placed, shaped, textured and lit; the optics blur them (some lie out of focus), dim the corners and add a haze; the camera
//! counts photons and rounds. What each pixel belongs to is known, so a demo can show found against true, and tests need no data.
//!
//! Invariant: a frame depends on its [`Settings`] and number only, and is the same bytes on every machine. Randomness is ChaCha8;
//! arithmetic is f64 with IEEE operations and the `libm` crate's functions, never the platform's.

mod draw;
mod field;
mod nucleus;
mod optics;

pub use draw::{Scene, Settings, scene, slide};
#[cfg(test)]
pub(crate) use field::Field;
pub use field::Random;
pub use optics::falloff;
