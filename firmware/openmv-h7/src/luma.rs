//! The grey values among the bytes of a line.
//!
//! The sensor sends Y U Y V …, the camera interface packs four bytes into a word, the first in the lowest bits (RM0433,
//! DCMI data register), and the CPU is little-endian: of each word, bytes 0 and 2 are luma.

/// Takes the luma out of a line: two pixels a word.
pub fn extract(words: &[u32], pixels: &mut [u8]) {
    for (pair, word) in pixels.as_chunks_mut().0.iter_mut().zip(words) {
        let [first, _, second, _] = word.to_le_bytes();
        *pair = [first, second];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_second_byte_is_luma() {
        let bytes: [u8; 16] = [10, 128, 11, 128, 12, 1, 13, 2, 254, 0, 255, 0, 0, 77, 1, 78];
        let words: [u32; 4] = core::array::from_fn(|at| u32::from_le_bytes(bytes.as_chunks().0[at]));
        let mut pixels = [0; 8];
        extract(&words, &mut pixels);
        assert_eq!(pixels, [10, 11, 12, 13, 254, 255, 0, 1]);
    }

    #[test]
    fn a_line_fills_a_row() {
        let mut row = [0xa5; crate::WIDTH];
        extract(&[0x0102_0304; crate::LINE_WORDS], &mut row);
        assert!(row.as_chunks().0.iter().all(|pair| *pair == [4, 2]));
    }
}
