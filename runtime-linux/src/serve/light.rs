//! The lamp, as the page sees it.

/// A lamp of which one thing can be set.
pub trait Light: Send {
    /// How bright it is, 0 (dark) to 1.
    fn level(&self) -> f32;

    /// Makes it so bright, 0 to 1.
    ///
    /// # Errors
    /// What the board says, in one sentence.
    fn set_level(&mut self, level: f32) -> Result<(), String>;
}
