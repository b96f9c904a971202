//! The threshold of a plan's mask, set in place.

use microtome_core::plan::Post;
use microtome_core::plan::strips::Strips;
use microtome_core::plan::threshold::Compared;

use crate::heads::Method;

pub(super) const NONE: &str = "this model chooses classes without a threshold that could be set";

/// Has pixels be an object's above `probability`, between 0 and 1; returns what the plan says of its masks then.
///
/// # Errors
/// One sentence when the plan is none, or chooses classes without a threshold.
pub(super) fn set(plan: &mut [u8], probability: f32) -> Result<Post, String> {
    let mut strips = Strips::of(plan).map_err(|e| e.to_string())?;
    let value = match strips.compared() {
        None if Method::of(strips.plan().provenance())?.is_some() => probability,
        None => return Err(NONE.into()),
        Some(Compared::Probability) => probability,
        Some(Compared::Logit) => (probability / (1.0 - probability)).ln(),
    };
    strips.set_threshold(probability, value);
    Ok(strips.finish().post())
}

/// Parses a probability, as options give it.
///
/// # Errors
/// What was expected.
pub(super) fn probability(text: &str) -> Result<f32, String> {
    match text.parse() {
        Ok(probability) if 0.0 < probability && probability < 1.0 => Ok(probability),
        _ => Err("expected a probability above 0 and below 1, such as 0.5".into()),
    }
}
