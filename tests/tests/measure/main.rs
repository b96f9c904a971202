//! `microtome_core::measure` against scikit-image, and against a reference that holds the whole image.
//!
//! - `fixtures`: masks and figures that `tests/fixtures/measure/generate.py` made with scikit-image; also those in the folder
//!   that MICROTOME_MEASURE_FIXTURES names (made by the same script from real labels).
//! - `random`: random masks against `naive`.
//! - `limits`: the largest frame, and the one case that is not exact.
//! - `real`: masks made of real label images against `naive`, where there are any: in the folder that MICROTOME_DATA names,
//!   or in shared/data beside the repository.

mod fixtures;
mod limits;
mod naive;
mod random;
mod real;
mod stream;
