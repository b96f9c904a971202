//! What can be wrong with a plan, a frame or an arena: small values that say where, what, and what was expected.
//!
//! Integers of 8 and 16 bits are printed as `u32`: what prints a type is 200 bytes of a microcontroller's flash.

use core::fmt;

/// A place in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The header.
    Header,
    /// The preprocessing.
    Input,
    /// The post-processing.
    Post,
    /// A tensor, by index.
    Tensor(u16),
    /// An operator, by index, and the name of its kind.
    Operator(u16, &'static str),
    /// An output, by index.
    Output(u16),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Header => f.write_str("header"),
            Place::Input => f.write_str("input"),
            Place::Post => f.write_str("post-processing"),
            Place::Tensor(index) => write!(f, "tensor {}", u32::from(*index)),
            Place::Operator(index, kind) => write!(f, "operator {} ({kind})", u32::from(*index)),
            Place::Output(index) => write!(f, "output {}", u32::from(*index)),
        }
    }
}

/// Why bytes are not a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PlanError {
    /// The file does not start with the magic.
    NotAPlan,
    /// Written by another version of the format.
    Version {
        /// The file's version.
        found: u16,
    },
    /// The file is shorter or longer than its header says.
    Length {
        /// Bytes there are.
        found: usize,
        /// Bytes that the header, or the header itself, wants.
        expected: usize,
    },
    /// The contents were changed after they were written.
    Checksum {
        /// CRC-32 of the contents.
        found: u32,
        /// CRC-32 in the header.
        expected: u32,
    },
    /// A field holds what it must not.
    Field {
        /// Whose field.
        place: Place,
        /// Which.
        field: &'static str,
        /// Its value.
        found: i64,
        /// The rule.
        rule: &'static str,
        /// The rule's number.
        limit: i64,
    },
    /// A real number that is not finite, or not positive where it must be.
    Real {
        /// Whose.
        place: Place,
        /// Which.
        field: &'static str,
        /// Its value.
        found: f32,
    },
    /// A text that is not UTF-8.
    Text {
        /// Whose.
        place: Place,
    },
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::NotAPlan => f.write_str("plan: the file does not start with MTM1; expected a .mtm plan"),
            PlanError::Version { found } => {
                write!(
                    f,
                    "plan: format version {}, expected {}; compile the model again",
                    u32::from(*found),
                    u32::from(crate::plan::record::VERSION)
                )
            }
            PlanError::Length { found, expected } => write!(f, "plan: the file has {found} bytes, expected {expected}"),
            PlanError::Checksum { found, expected } => {
                write!(f, "plan: the contents' checksum is {found:08x}, expected {expected:08x}: the file is damaged")
            }
            PlanError::Field { place, field, found, rule, limit } => {
                write!(f, "plan: {place}: {field} is {found}, expected {rule} {limit}")
            }
            PlanError::Real { place, field, found } => {
                write!(f, "plan: {place}: {field} is {}, expected a finite number in its range", Real(*found))
            }
            PlanError::Text { place } => write!(f, "plan: {place}: the text is not UTF-8"),
        }
    }
}

impl core::error::Error for PlanError {}

/// Why a session cannot be opened, or a row not be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// A frame side that no session takes.
    Frame {
        /// Rows of the frame.
        height: u32,
        /// Pixels in a row.
        width: u32,
        /// Longest side allowed, padding included.
        limit: u32,
    },
    /// The network cannot take a frame of this size.
    Shape {
        /// Operator's index.
        operator: u16,
        /// Operator's kind.
        kind: &'static str,
        /// What does not fit.
        what: &'static str,
        /// The size there is.
        found: u32,
        /// The size it must match, or the smallest it can be.
        expected: u32,
    },
    /// The arena is too small.
    ArenaTooShort {
        /// Its length in bytes.
        found: usize,
        /// [`Plan::arena_len`](crate::plan::Plan::arena_len) in bytes.
        expected: usize,
    },
    /// The program was built without code for an operator of the plan.
    NoOperator {
        /// Operator's index.
        operator: u16,
        /// Operator's kind.
        kind: &'static str,
    },
    /// The rings do not fit this machine's address space.
    TooLarge,
    /// A ring is too short for the network's schedule: the plan's compiler and this crate disagree.
    RingTooShort {
        /// Tensor.
        tensor: u16,
        /// Rows of its ring.
        rows: u32,
    },
    /// A row of the wrong length.
    RowLength {
        /// Values in the row.
        found: usize,
        /// Values expected: width times the frame's channels.
        expected: usize,
    },
    /// Values for another number of inputs than the plan has.
    Inputs {
        /// Inputs given, the frame among them.
        found: usize,
        /// The plan's.
        expected: usize,
    },
    /// More rows than the frame has.
    TooManyRows {
        /// The frame's height.
        height: u32,
    },
    /// `finish` before the frame's last row.
    TooFewRows {
        /// Rows pushed.
        found: u32,
        /// The frame's height.
        height: u32,
    },
    /// Camera rows for a network whose input is not one or three channels.
    NotACamera {
        /// Channels of the network's input.
        channels: u16,
    },
}

impl fmt::Display for SessionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionError::Frame { height, width, limit } => {
                write!(f, "session: the frame is {width}x{height}, expected sides from 1 to {limit}")
            }
            SessionError::Shape { operator, kind, what, found, expected } => {
                write!(
                    f,
                    "session: operator {} ({kind}): {what} is {found}, expected {expected}: the network does not fit this frame size",
                    u32::from(*operator)
                )
            }
            SessionError::ArenaTooShort { found, expected } => {
                write!(f, "session: the arena has {found} bytes, expected {expected}")
            }
            SessionError::NoOperator { operator, kind } => {
                write!(f, "session: operator {}: this program was built without {kind}", u32::from(*operator))
            }
            SessionError::TooLarge => f.write_str("session: the rings do not fit this machine's address space"),
            SessionError::RingTooShort { tensor, rows } => {
                write!(
                    f,
                    "session: tensor {}: a ring of {rows} rows stalls the schedule; compile the model again",
                    u32::from(*tensor)
                )
            }
            SessionError::RowLength { found, expected } => {
                write!(f, "session: the row has {found} values, expected {expected}")
            }
            SessionError::Inputs { found, expected } => {
                write!(f, "session: {found} inputs were given, the plan has {expected}")
            }
            SessionError::TooManyRows { height } => write!(f, "session: a row too many, expected {height}"),
            SessionError::TooFewRows { found, height } => {
                write!(f, "session: the frame ended after {found} rows, expected {height}")
            }
            SessionError::NotACamera { channels } => {
                let channels = u32::from(*channels);
                write!(f, "session: the network's input has {channels} channels, expected 1 or 3 for camera rows")
            }
        }
    }
}

impl core::error::Error for SessionError {}

/// A real number to about six digits, as `1.25`, or `1.25e-7` where it is very small or very large.
///
/// The language's own formatting is exact, which takes a microcontroller 12 KiB of code.
pub(crate) struct Real(pub f32);

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Real(value) = *self;
        if value.is_nan() {
            return f.write_str("NaN");
        }
        if value.is_sign_negative() {
            f.write_str("-")?;
        }
        let mut value = value.abs();
        if value.is_infinite() {
            return f.write_str("inf");
        }
        let mut exponent = 0;
        if value != 0.0 && !(1e-3..1e6).contains(&value) {
            while value >= 10.0 {
                (value, exponent) = (value / 10.0, exponent + 1);
            }
            while value < 1.0 {
                (value, exponent) = (value * 10.0, exponent - 1);
            }
        }
        let mut parts = (value * 1e6 + 0.5) as u64;
        let mut decimals = 6;
        while decimals > 0 && parts.is_multiple_of(10) {
            (parts, decimals) = (parts / 10, decimals - 1);
        }
        let unit = 10u64.pow(decimals);
        write!(f, "{}", parts / unit)?;
        if decimals > 0 {
            write!(f, ".{:0digits$}", parts % unit, digits = decimals as usize)?;
        }
        if exponent == 0 { Ok(()) } else { write!(f, "e{exponent}") }
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString;

    use super::Real;

    #[test]
    fn reals_are_readable() {
        let shown =
            [0.0, -0.5, 1.25, 4.0, 300.0, 0.001, 1.5e-9, -2e12, f32::INFINITY, f32::NAN].map(|v| Real(v).to_string());
        assert_eq!(shown, ["0", "-0.5", "1.25", "4", "300", "0.001", "1.5e-9", "-2e12", "inf", "NaN"]);
        assert_eq!(Real(f32::MIN_POSITIVE).to_string(), "1.175494e-38");
    }
}
