//! Which of the sensor's frames is the first that was lit all along.
//!
//! The sensor never stops: a rolling shutter exposes the rows of the next frame while it reads out this one. When the
//! light goes on, the frame under way is lost, and so is the one after it, whose first rows were exposed before. The one
//! after that is good: its exposure began during the frame before.
//!
//! ```text
//! light    ____|‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾‾
//! VSYNC  __|‾|______|‾|______|‾|______
//! lines    under way   partly    good
//! ```
//!
//! The camera interface begins with the first frame that starts after it is told to capture (RM0433, DCMI snapshot
//! mode). It is told so as soon as a line of the partly lit frame comes: a whole frame's time before it matters.

/// Where we are since the light went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// In the frame that was under way.
    UnderWay,
    /// A frame has begun since.
    Partly,
    /// The next frame is captured, or already under capture.
    Armed,
}

impl Exposure {
    /// Goes on by what was seen since the last call: the start of a frame's pause, and lines, each only if it came after
    /// what was seen before. The second value says to capture from the next frame on.
    pub fn next(self, paused: bool, line: bool) -> (Exposure, bool) {
        match self {
            Exposure::UnderWay if paused => (Exposure::Partly, false),
            Exposure::Partly if line => (Exposure::Armed, true),
            same => (same, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_once_and_only_after_a_pause_and_a_line() {
        let seen = [(false, true), (false, false), (true, true), (false, false), (false, true), (true, true)];
        let mut exposure = Exposure::UnderWay;
        let armed = seen.map(|(paused, line)| {
            let (next, arm) = exposure.next(paused, line);
            exposure = next;
            arm
        });
        assert_eq!(armed, [false, false, false, false, true, false]);
        assert_eq!(exposure, Exposure::Armed);
    }
}
