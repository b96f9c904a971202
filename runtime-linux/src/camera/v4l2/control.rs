//! Exposure, gain and the like: a camera's controls, by name.

use std::path::Path;
use std::str::FromStr;

use moq_v4l::control::Value;
use moq_v4l::sys;

use super::devices;

/// Names that people know, and the kernel's numbers.
const NAMES: [(&str, u32); 10] = [
    ("auto_exposure", sys::V4L2_CID_EXPOSURE_AUTO),
    ("exposure", sys::V4L2_CID_EXPOSURE_ABSOLUTE),
    ("gain", sys::V4L2_CID_GAIN),
    ("brightness", sys::V4L2_CID_BRIGHTNESS),
    ("contrast", sys::V4L2_CID_CONTRAST),
    ("saturation", sys::V4L2_CID_SATURATION),
    ("auto_white_balance", sys::V4L2_CID_AUTO_WHITE_BALANCE),
    ("white_balance", sys::V4L2_CID_WHITE_BALANCE_TEMPERATURE),
    ("auto_focus", sys::V4L2_CID_FOCUS_AUTO),
    ("focus", sys::V4L2_CID_FOCUS_ABSOLUTE),
];

/// A control and its value, in the control's own units: exposure in 100 µs, `auto_exposure` 1 for manual and 3 for automatic, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    name: String,
    id: u32,
    value: i64,
}

impl FromStr for Control {
    type Err = String;

    /// `NAME=VALUE`, where a number such as 0x98091f names a control that has no name here.
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || NAMES.map(|(name, _)| name).join(", ");
        let (name, value) = text.split_once('=').ok_or("expected CONTROL=VALUE, such as exposure=100")?;
        let number = || u32::from_str_radix(name.strip_prefix("0x")?, 16).ok();
        let id = NAMES.iter().find(|(known, _)| *known == name).map(|(_, id)| *id).or_else(number);
        let id =
            id.ok_or_else(|| format!("{name} is not known; there are {}, and numbers such as 0x980913", known()))?;
        let value = value.parse().map_err(|_| format!("{name}: expected a whole number, not {value}"))?;
        Ok(Control { name: name.into(), id, value })
    }
}

/// Sets a control; it stays so until somebody changes it or the camera loses its power.
///
/// # Errors
/// One sentence: the device cannot be opened, has no such control, or not this value.
pub fn set(path: &Path, control: &Control) -> Result<(), String> {
    let device = devices::open(path)?;
    let set = moq_v4l::Control { id: control.id, value: Value::Integer(control.value) };
    device.set_control(set).map_err(|error| match error.kind() {
        std::io::ErrorKind::InvalidInput => format!("{}: the camera has no control {}", path.display(), control.name),
        _ => format!("{}, {}={}", devices::fault(path, &error), control.name, control.value),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_named_or_numbered() {
        let id = |text: &str| text.parse::<Control>().map(|control| (control.id, control.value));
        assert_eq!(id("exposure=100"), Ok((0x009a_0902, 100)));
        assert_eq!(id("gain=-3"), Ok((0x0098_0913, -3)));
        assert_eq!(id("0xf0f041=1"), Ok((0x00f0_f041, 1)));
        for bad in ["exposure", "exposure=bright", "zoom=3", "=1", "0xzz=1"] {
            assert!(id(bad).is_err(), "{bad}");
        }
    }
}
