//! Text of a bounded length, without a heap.

use core::fmt;

/// At most so many bytes.
const MOST: usize = 256;

/// A line.
pub struct Line {
    bytes: [u8; MOST],
    len: usize,
}

impl Default for Line {
    fn default() -> Line {
        Line { bytes: [0; MOST], len: 0 }
    }
}

impl Line {
    /// What was written.
    pub fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.len]).expect("text was written")
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len + text.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
