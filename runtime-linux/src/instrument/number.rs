//! Numbers that a profile or an option may hold, each in its range by construction.

use serde::Deserialize;

/// A number above 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(try_from = "f64")]
pub struct Positive(pub(super) f64);

/// More than 0, less than 1.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Share(pub(super) f64);

/// 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(try_from = "f64")]
pub struct Percent(pub(super) f64);

/// 1 to 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "u32")]
pub struct Bits(pub(super) u32);

/// An odd number of frames, 3 to [`Window::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "usize")]
pub struct Window(usize);

impl Window {
    /// As many frames as are kept at most.
    pub const MOST: usize = 15;

    /// Frames.
    pub fn frames(self) -> usize {
        self.0
    }
}

impl TryFrom<f64> for Positive {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if value.is_finite() && value > 0.0 {
            Ok(Positive(value))
        } else {
            Err(format!("{value} (expected a positive number)"))
        }
    }
}

impl std::str::FromStr for Positive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Positive::try_from(text.parse::<f64>().map_err(|_| "expected a positive number".to_owned())?)
    }
}

impl TryFrom<f64> for Share {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        let fits = value > 0.0 && value < 1.0;
        if fits { Ok(Share(value)) } else { Err(format!("{value} (expected more than 0 and less than 1)")) }
    }
}

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, String> {
        if (0.0..=100.0).contains(&value) { Ok(Percent(value)) } else { Err(format!("{value} (expected 0 to 100)")) }
    }
}

impl TryFrom<u32> for Bits {
    type Error = String;

    fn try_from(value: u32) -> Result<Self, String> {
        if (1..=16).contains(&value) { Ok(Bits(value)) } else { Err(format!("{value} bits (expected 1 to 16)")) }
    }
}

impl TryFrom<usize> for Window {
    type Error = String;

    fn try_from(value: usize) -> Result<Self, String> {
        if (3..=Self::MOST).contains(&value) && value % 2 == 1 {
            Ok(Window(value))
        } else {
            Err(format!("a median of {value} frames (expected an odd number, 3 to {})", Self::MOST))
        }
    }
}
