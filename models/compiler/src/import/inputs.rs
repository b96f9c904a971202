//! Several inputs: a plan has one frame, and others whose sides are a share of its.

/// The sides of one value over those of another, the same at all sizes that were tried: `[[rows numerator, denominator],
/// [width numerator, denominator]]`, with a numerator of 0 for a side that is always 1. `None` where there is no such
/// ratio.
pub(crate) fn ratio(of: &[[usize; 2]], sides: &[[usize; 2]]) -> Option<[[u16; 2]; 2]> {
    let axis = |axis: usize| {
        let pairs = || of.iter().zip(sides).map(|(of, sides)| (of[axis], sides[axis]));
        if pairs().all(|(_, side)| side == 1) && pairs().any(|(of, _)| of != 1) {
            return Some([0, 1]);
        }
        let (of, side) = pairs().next()?;
        let divisor = gcd(of, side);
        let (up, down) = (side / divisor, of / divisor);
        let holds = pairs().all(|(of, side)| of * up == side * down);
        holds.then_some([u16::try_from(up).ok()?, u16::try_from(down).ok()?])
    };
    Some([axis(0)?, axis(1)?])
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a.max(1) } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_frame() {
        let frames = [[64, 128], [128, 192]];
        assert_eq!(ratio(&frames, &[[16, 64], [32, 96]]), Some([[1, 4], [1, 2]]));
        assert_eq!(ratio(&frames, &[[96, 256], [192, 384]]), Some([[3, 2], [2, 1]]));
        assert_eq!(ratio(&frames, &[[1, 1], [1, 1]]), Some([[0, 1]; 2]));
        assert_eq!(ratio(&[[64, 1]], &[[64, 1]]), Some([[1, 1]; 2]));
    }

    #[test]
    fn what_is_no_share() {
        assert_eq!(ratio(&[[64, 64], [65, 65]], &[[32, 32], [33, 33]]), None);
        assert_eq!(ratio(&[[64, 64], [128, 128]], &[[24, 24], [24, 24]]), None);
    }
}
