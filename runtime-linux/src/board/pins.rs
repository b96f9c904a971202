//! Which pin is what: the `[board]` table of an instrument's profile, or the command line.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The pins of an instrument, by their GPIO (BCM) numbers; what is not given is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, clap::Args)]
#[serde(deny_unknown_fields, default)]
pub struct Pins {
    /// The light, dimmed by pulses that the program makes
    #[arg(global = true, long = "light-pin", value_name = "GPIO", conflicts_with = "light_pwm")]
    pub light: Option<u8>,
    /// The light on a hardware PWM channel, which does not flicker
    #[arg(global = true, long = "light-pwm", value_name = "CHANNEL")]
    pub light_pwm: Option<u8>,
    /// Pulses per second of a dimmed light [default: 20000 by hardware, 1000 by program]
    #[arg(global = true, long = "light-hz", value_name = "HZ", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub light_hz: Option<u32>,
    /// The trigger input
    #[arg(global = true, long = "trigger-pin", value_name = "GPIO")]
    pub trigger: Option<u8>,
    /// Milliseconds that a level of the trigger has to hold [default: 2]
    #[arg(global = true, long = "trigger-hold", value_name = "MS")]
    pub trigger_hold_ms: Option<u64>,
    /// Step pulses to the driver of a stage or a pump
    #[arg(global = true, long = "step-pin", value_name = "GPIO")]
    pub step: Option<u8>,
    /// The driver's direction
    #[arg(global = true, long = "direction-pin", value_name = "GPIO")]
    pub direction: Option<u8>,
    /// Switches the driver's current
    #[arg(global = true, long = "enable-pin", value_name = "GPIO")]
    pub enable: Option<u8>,
    /// The status LED
    #[arg(global = true, long = "status-pin", value_name = "GPIO")]
    pub status: Option<u8>,
    /// Parts that are on when their pin is low; such a trigger is pulled up, any other down
    #[arg(global = true, long = "active-low", value_name = "PART", value_enum, value_delimiter = ',')]
    pub active_low: Vec<Part>,
}

/// What a pin is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The light
    Light,
    /// The trigger input
    Trigger,
    /// Step pulses
    Step,
    /// The direction of steps
    Direction,
    /// The current of the driver
    Enable,
    /// The status LED
    Status,
}

impl Pins {
    /// The pins that are there.
    pub fn used(&self) -> impl Iterator<Item = (Part, u8)> {
        let all = [
            (Part::Light, self.light),
            (Part::Trigger, self.trigger),
            (Part::Step, self.step),
            (Part::Direction, self.direction),
            (Part::Enable, self.enable),
            (Part::Status, self.status),
        ];
        all.into_iter().filter_map(|(part, pin)| Some((part, pin?)))
    }

    /// Whether a part is on when its pin is low.
    pub fn is_active_low(&self, part: Part) -> bool {
        self.active_low.contains(&part)
    }

    /// How long a level of the trigger has to hold.
    pub fn trigger_hold(&self) -> Duration {
        Duration::from_millis(self.trigger_hold_ms.unwrap_or(2))
    }

    /// The period of a dimmed light's pulses.
    pub fn light_period(&self) -> Duration {
        let hz = self.light_hz.unwrap_or(if self.light_pwm.is_some() { 20_000 } else { 1000 });
        Duration::from_secs(1) / hz.max(1)
    }

    /// Finds pins that cannot be meant so.
    ///
    /// # Errors
    /// One sentence that names them.
    pub fn check(&self) -> Result<(), String> {
        let used: Vec<(Part, u8)> = self.used().collect();
        for (i, (part, pin)) in used.iter().enumerate() {
            if let Some((other, _)) = used[..i].iter().find(|(_, earlier)| earlier == pin) {
                return Err(format!("board: GPIO {pin} cannot be both {other} and {part}"));
            }
        }
        if self.light.is_some() && self.light_pwm.is_some() {
            return Err("board: the light is either on a GPIO (light) or on a PWM channel (light_pwm)".into());
        }
        if self.step.is_none() && (self.direction.is_some() || self.enable.is_some()) {
            return Err("board: direction and enable are nothing without step".into());
        }
        Ok(())
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Part::Light => "light",
            Part::Trigger => "trigger",
            Part::Step => "step",
            Part::Direction => "direction",
            Part::Enable => "enable",
            Part::Status => "status",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_pins_is_read() {
        let pins: Pins = toml::from_str("light = 18\nstep = 20\nenable = 16\nactive_low = ['enable']").unwrap();
        assert_eq!(pins.used().collect::<Vec<_>>(), [(Part::Light, 18), (Part::Step, 20), (Part::Enable, 16)]);
        assert!(pins.is_active_low(Part::Enable) && !pins.is_active_low(Part::Light));
        assert_eq!((pins.light_period(), pins.trigger_hold()), (Duration::from_millis(1), Duration::from_millis(2)));
        assert_eq!(pins.check(), Ok(()));
        assert!(toml::from_str::<Pins>("lamp = 18").is_err());
    }

    #[test]
    fn pins_that_contradict_each_other_are_named() {
        let error = |text: &str| toml::from_str::<Pins>(text).unwrap().check().unwrap_err();
        assert_eq!(error("light = 18\nstatus = 18"), "board: GPIO 18 cannot be both light and status");
        assert!(error("light = 18\nlight_pwm = 0").contains("light_pwm"));
        assert!(error("direction = 5").contains("without step"));
    }
}
