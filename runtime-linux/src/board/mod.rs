//! Board I/O: the light, the trigger, the stepper and the status LED of an instrument, over embedded-hal's traits.
//!
//! ```text
//!     Pins ─▶ open ─▶ Board ─▶ Illumination   off, on, dimmed, for one exposure    SetDutyCycle
//!     which   this             Trigger        edges of an input, debounced         InputPin
//!     GPIOs   machine          Steps          pulses for a stage or a pump         OutputPin, DelayNs
//!                              Status         blink codes                          OutputPin
//! ```
//!
//! What a part does is written once, generic over the traits, and tested with mocked pins. `raspberry` has the pins of a Raspberry Pi, by
//! rppal; on every other machine [`open`] fails with one sentence, and whoever asked goes on without a board.
//!
//! Invariant: whatever ends a part, its output is left inactive (the light out, the motor without current), unless it was told to stay.

#[cfg(not(all(feature = "raspberry", target_os = "linux")))]
mod elsewhere;
mod light;
mod line;
mod pins;
#[cfg(all(feature = "raspberry", target_os = "linux"))]
mod raspberry;
mod status;
mod steps;
mod trigger;

#[cfg(not(all(feature = "raspberry", target_os = "linux")))]
pub use elsewhere::{Delay, Input, Lamp, Output, open};
pub use light::{Flash, Illumination, Level};
pub use line::Line;
pub use pins::{Part, Pins};
#[cfg(all(feature = "raspberry", target_os = "linux"))]
pub use raspberry::{Delay, Input, Lamp, Output, open};
pub use status::{Signal, Status};
pub use steps::{Pace, RATES, Steps};
pub use trigger::{Edge, Trigger};

use embedded_hal::digital::OutputPin;
use embedded_hal::pwm::SetDutyCycle;

/// The parts that an instrument has, of the pins `L` (light), `I` (inputs) and `O` (outputs), and the clock `D`.
pub struct Board<L: SetDutyCycle, I, O: OutputPin, D> {
    /// The machine, in a few words.
    pub machine: String,
    /// The light.
    pub light: Option<Illumination<L>>,
    /// The trigger input.
    pub trigger: Option<Trigger<I>>,
    /// The stepper of a stage or a pump.
    pub steps: Option<Steps<O, D>>,
    /// The status LED.
    pub status: Option<Status<O>>,
    /// The clock, for whoever has to wait.
    pub delay: D,
}

/// The board of the machine that this was built for.
pub type ThisBoard = Board<Lamp, Input, Output, Delay>;

/// What went wrong with a pin, in one sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

impl embedded_hal::pwm::Error for Fault {
    fn kind(&self) -> embedded_hal::pwm::ErrorKind {
        embedded_hal::pwm::ErrorKind::Other
    }
}
