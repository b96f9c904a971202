//! What the computer asks for, in lines: `plan LENGTH`, followed by the plan's bytes when the board says `# ready`;
//! `exposure MICROSECONDS`, `gain TIMES`; and `bootloader`.

/// A line that was understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// So many bytes of a plan are to come.
    Plan {
        /// Bytes.
        len: usize,
    },
    /// Expose rows for so long.
    Exposure {
        /// µs.
        us: u32,
    },
    /// Amplify so many times.
    Gain {
        /// 1 to 31.
        times: u32,
    },
    /// Restart into OpenMV's bootloader, to be flashed.
    Bootloader,
}

impl Command {
    /// Understands a line.
    pub fn parse(line: &str) -> Option<Command> {
        let mut words = line.split_ascii_whitespace();
        let command = match (words.next()?, words.next()) {
            ("plan", Some(len)) => Command::Plan { len: len.parse().ok()? },
            ("exposure", Some(us)) => Command::Exposure { us: us.parse().ok()? },
            ("gain", Some(times)) => {
                Command::Gain { times: times.parse().ok().filter(|times| (1..32).contains(times))? }
            }
            ("bootloader", None) => Command::Bootloader,
            _ => return None,
        };
        words.next().is_none().then_some(command)
    }
}

/// Longest line, in bytes.
const LONGEST: usize = 32;

/// A line as it comes in, byte by byte.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    bytes: [u8; LONGEST],
    len: usize,
}

impl Line {
    /// Takes a byte; hands out the line that it ends, if that is not empty. One that is too long, or no text, is handed
    /// out as `?`.
    pub fn push(&mut self, byte: u8) -> Option<&str> {
        if !matches!(byte, b'\r' | b'\n') {
            if let Some(place) = self.bytes.get_mut(self.len) {
                *place = byte;
            }
            self.len = self.len.saturating_add(1);
            return None;
        }
        let len = core::mem::take(&mut self.len);
        let line = self.bytes.get(..len).and_then(|line| str::from_utf8(line).ok());
        (len > 0).then_some(line.unwrap_or("?"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> [Option<Option<Command>>; 4] {
        let mut line = Line::default();
        let mut found = [None; 4];
        let mut next = 0;
        for &byte in text {
            if let Some(line) = line.push(byte) {
                found[next] = Some(Command::parse(line));
                next += 1;
            }
        }
        found
    }

    #[test]
    fn commands_are_understood_line_by_line() {
        let plan = Some(Some(Command::Plan { len: 11_264 }));
        assert_eq!(
            lines(b"plan 11264\r\n\r\nbootloader\nplan 11264"),
            [plan, Some(Some(Command::Bootloader)), None, None]
        );
    }

    #[test]
    fn what_is_no_command_is_said_to_be_none() {
        assert_eq!(lines(b"plan\nplan -1 2\ngain 32\nbootloader now\n"), [Some(None); 4]);
        assert_eq!(lines(b"0123456789012345678901234567890123456789\n\xff\n"), [Some(None), Some(None), None, None]);
        let after = b"0123456789012345678901234567890123456789\nplan 5\n";
        assert_eq!(lines(after), [Some(None), Some(Some(Command::Plan { len: 5 })), None, None]);
    }
}
