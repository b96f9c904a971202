//! What a program that panicked leaves behind, in memory that outlives the reset, for the next start to report.
//!
//! In words of 32 bits only, and with one more at the end: an STM32H7's memories have error correction, and the last
//! part of a word that was written may still wait in front of it when the reset comes (RM0433, "RAM ECC").

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// Words of text.
const WORDS: usize = 60;
/// Bytes of text.
pub const ROOM: usize = WORDS * size_of::<u32>();

/// The place of the last words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct LastWords {
    text: [u32; WORDS],
    len: u32,
    check: u32,
    /// Written last, never read.
    pad: [u32; 2],
}

impl LastWords {
    /// None.
    pub const NONE: LastWords = LastWords { text: [0; WORDS], len: 0, check: 0, pad: [0; 2] };

    /// What is to be said; what there is no room for is cut off.
    pub fn of(what: impl fmt::Display) -> LastWords {
        let mut text = Text { bytes: [0; ROOM], len: 0 };
        // Cut, which is not worth more words.
        let _ = fmt::write(&mut text, format_args!("{what}"));
        let mut words = LastWords::NONE;
        words
            .text
            .iter_mut()
            .zip(text.bytes.as_chunks().0)
            .for_each(|(word, bytes)| *word = u32::from_le_bytes(*bytes));
        words.len = text.len as u32;
        words.check = check(&text.bytes, words.len);
        words
    }

    /// What was said, in `room`; `None` if nothing was, or memory did not hold it.
    pub fn text<'r>(&self, room: &'r mut [u8; ROOM]) -> Option<&'r str> {
        room.as_chunks_mut().0.iter_mut().zip(self.text).for_each(|(bytes, word)| *bytes = word.to_le_bytes());
        if self.len == 0 || check(room, self.len) != self.check {
            return None;
        }
        // A character that was cut in two is left out.
        let bytes = room.get(..self.len as usize)?;
        match str::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => str::from_utf8(bytes.get(..error.valid_up_to())?).ok(),
        }
    }
}

fn check(text: &[u8; ROOM], len: u32) -> u32 {
    let mut digest = CRC.digest();
    digest.update(text);
    digest.update(&len.to_le_bytes());
    digest.finalize()
}

/// Text with an end. Line ends become blanks: it is reported in one line.
struct Text {
    bytes: [u8; ROOM],
    len: usize,
}

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            *self.bytes.get_mut(self.len).ok_or(fmt::Error)? = if byte == b'\n' { b' ' } else { byte };
            self.len += 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_again_in_one_line() {
        let words = LastWords::of(format_args!("panicked at {}:\nindex {}", "src/main.rs:12:3", 7));
        assert_eq!(words.text(&mut [0; ROOM]), Some("panicked at src/main.rs:12:3: index 7"));
    }

    #[test]
    fn memory_after_power_on_holds_none() {
        assert_eq!(LastWords::NONE.text(&mut [0; ROOM]), None);
        let noise = LastWords { text: [0x5a5a_1234; WORDS], len: 0xdead_beef, check: 0x0bad_f00d, pad: [1; 2] };
        assert_eq!(noise.text(&mut [0; ROOM]), None);
        let mut changed = LastWords::of("a fault");
        changed.text[0] ^= 1 << 9;
        assert_eq!(changed.text(&mut [0; ROOM]), None);
    }

    #[test]
    fn long_words_are_cut_between_characters() {
        let long: &str = "µ".repeat_to(ROOM);
        let words = LastWords::of(format_args!("x{long}"));
        let mut room = [0; ROOM];
        let text = words.text(&mut room).expect("the beginning");
        assert_eq!(text.len(), ROOM - 1);
        assert!(text.ends_with('µ'));
    }

    trait Repeat {
        fn repeat_to(&self, len: usize) -> &'static str;
    }

    impl Repeat for str {
        fn repeat_to(&self, len: usize) -> &'static str {
            static TEXT: [u8; 2 * ROOM] = {
                let mut text = [0xc2; 2 * ROOM];
                let mut at = 1;
                while at < text.len() {
                    text[at] = 0xb5;
                    at += 2;
                }
                text
            };
            assert_eq!(self, "µ");
            str::from_utf8(&TEXT[..2 * len]).expect("two bytes each")
        }
    }
}
