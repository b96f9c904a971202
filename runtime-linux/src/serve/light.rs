//! The lamp, as the page sees it.

use crate::board::{self, Illumination, Lamp, Level, Pins};

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

/// The light of this machine's board, which is out when this ends.
struct Wired {
    light: Illumination<Lamp>,
    level: f32,
}

impl Light for Wired {
    fn level(&self) -> f32 {
        self.level
    }

    fn set_level(&mut self, level: f32) -> Result<(), String> {
        let wanted = Level::new(level).ok_or("a level is from 0 to 1")?;
        self.light.set(wanted).map_err(|e| e.to_string())?;
        self.level = level;
        Ok(())
    }
}

/// The light at these pins.
///
/// # Errors
/// Why there is none, in one sentence.
pub fn open(pins: Option<&Pins>) -> Result<Box<dyn Light>, String> {
    let pins = pins.ok_or("no pins are known; start with an --instrument profile that has a [board] table")?;
    let light = board::open(pins)?.light.ok_or("the profile's [board] table names no pin for it")?;
    Ok(Box::new(Wired { light, level: 0.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_pins_there_is_a_reason() {
        assert!(open(None).err().unwrap().contains("--instrument"));
    }
}
