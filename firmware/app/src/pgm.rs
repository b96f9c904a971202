//! The header of a PGM file (`P5`, binary, 8 bit), the simplest file that every image program writes.

use microtome_core::Frame;

use crate::source::SourceError;

/// Longest header that is looked at, comments included.
pub const MAX_HEADER: usize = 512;

/// Reads the header at the start of `bytes`: the frame, and where its pixels start.
///
/// # Errors
/// It is no 8-bit binary PGM, or its header is longer than `bytes`.
pub fn header(bytes: &[u8]) -> Result<(Frame, usize), SourceError> {
    if !bytes.starts_with(b"P5") {
        return Err(SourceError::Format("no PGM file: it does not start with P5"));
    }
    let mut at = 2;
    let [width, height, most] = [number(bytes, &mut at)?, number(bytes, &mut at)?, number(bytes, &mut at)?];
    if !(1..=255).contains(&most) {
        return Err(SourceError::Format("a PGM file of more than 8 bits"));
    }
    if !bytes.get(at).is_some_and(u8::is_ascii_whitespace) {
        return Err(SourceError::Format("a PGM file whose header does not end"));
    }
    Ok((Frame::grey(height, width), at + 1))
}

/// The next number, behind blanks and comments.
fn number(bytes: &[u8], at: &mut usize) -> Result<u32, SourceError> {
    let mut comment = false;
    while let Some(&byte) = bytes.get(*at) {
        if comment {
            comment = byte != b'\n';
        } else if byte == b'#' {
            comment = true;
        } else if !byte.is_ascii_whitespace() {
            break;
        }
        *at += 1;
    }
    let mut value = None;
    while let Some(digit) = bytes.get(*at).filter(|byte| byte.is_ascii_digit()) {
        let digit = u32::from(digit - b'0');
        value = Some(
            value
                .unwrap_or(0u32)
                .checked_mul(10)
                .and_then(|tens| tens.checked_add(digit))
                .ok_or(SourceError::Format("a PGM file with a number that is too large"))?,
        );
        *at += 1;
    }
    value.ok_or(SourceError::Format("a PGM file without three numbers in its header"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_as_programs_write_them() {
        assert_eq!(header(b"P5\n640 480\n255\nxxxx"), Ok((Frame::grey(480, 640), 15)));
        assert_eq!(header(b"P5 # GIMP\n# two\n96\t64 255 x"), Ok((Frame::grey(64, 96), 26)));
    }

    #[test]
    fn what_is_not_one() {
        let headers: [&[u8]; 8] = [
            b"",
            b"P6 1 1 255 ",
            b"P5 1 1 65535 ",
            b"P5 1 1",
            b"P5 1 1 255",
            b"P5 99999999999 1 255 ",
            b"P5 # no end",
            b"P5 -1 1 255 ",
        ];
        for bytes in headers {
            assert!(header(bytes).is_err(), "{bytes:?}");
        }
    }
}
