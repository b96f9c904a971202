//! Sides of frames that models take.

/// What sides of frames may have to be, `(multiple, remainder)`, in the order in which they are tried: up to five poolings,
/// and then what valid convolutions take.
pub fn alignments() -> impl Iterator<Item = (usize, usize)> {
    let powers = || (0..=5).map(|log| 1 << log);
    powers()
        .map(|multiple| (multiple, 0))
        .chain(powers().flat_map(|multiple| (1..multiple).map(move |r| (multiple, r))))
}

/// The next side of an alignment.
pub fn filled_up(side: usize, (multiple, remainder): (usize, usize)) -> usize {
    side + (remainder + multiple - side % multiple) % multiple
}
