//! The two irrational functions that measuring needs, from IEEE operations alone.
//!
//! `core` has no square root and no arc tangent, and a platform's libm may round them its own way. These use integer
//! arithmetic and `+ - * /` in a fixed order, so an object's figures are the same bytes on every chip (contract C1).

use core::f64::consts::{FRAC_PI_2, PI};

/// The square root of `x`, correctly rounded (the same value as IEEE 754's `squareRoot`); 0 for anything not above 0.
pub(super) fn sqrt(x: f64) -> f64 {
    if x.is_nan() || x <= 0.0 {
        return 0.0;
    }
    if x.is_infinite() {
        return x;
    }
    // x = mantissa * 2^exponent
    let field = (x.to_bits() >> 52) as i32;
    let fraction = x.to_bits() & ((1 << 52) - 1);
    let (mantissa, exponent) = match field {
        0 => (fraction, -1074),
        _ => (fraction | 1 << 52, field - 1075),
    };
    // Widen to 109 or 110 bits, whichever leaves an even exponent: the root then has 55, two more than f64 keeps.
    let length = (u64::BITS - mantissa.leading_zeros()) as i32;
    let mut shift = 110 - length;
    if (exponent - shift) % 2 != 0 {
        shift -= 1;
    }
    let wide = u128::from(mantissa) << shift;
    let mut root = wide.isqrt();
    if root * root != wide {
        root |= 1; // sticky: below the rounding bit, so the conversion rounds as if it saw every digit
    }
    let half = (exponent - shift) / 2;
    root as u64 as f64 * f64::from_bits(((1023 + half) as u64) << 52)
}

/// The angle of the point `(x, y)`, in `(-π, π]`; 0 for the origin. Within 1e-15 of the exact angle.
pub(super) fn atan2(y: f64, x: f64) -> f64 {
    let (across, along) = (x.abs(), y.abs());
    if across == 0.0 && along == 0.0 {
        return 0.0;
    }
    let acute =
        if along <= across { atan_of_fraction(along / across) } else { FRAC_PI_2 - atan_of_fraction(across / along) };
    let upper = if x < 0.0 { PI - acute } else { acute };
    if y < 0.0 { -upper } else { upper }
}

/// The arc tangent of `x` in `[0, 1]`.
///
/// Halving the angle twice, `atan x = 2 atan(x / (1 + sqrt(1 + x²)))`, brings the argument below tan(π/16) = 0.1989;
/// twelve terms of the Taylor series leave less than 0.1989²⁵ / 25 < 2e-19.
fn atan_of_fraction(x: f64) -> f64 {
    const TERMS: i32 = 12;
    let half = x / (1.0 + sqrt(1.0 + x * x));
    let quarter = half / (1.0 + sqrt(1.0 + half * half));
    let square = quarter * quarter;
    let mut sum = 0.0;
    for term in (0..TERMS).rev() {
        sum = 1.0 / f64::from(2 * term + 1) - square * sum;
    }
    4.0 * (quarter * sum)
}

#[cfg(test)]
mod tests {
    use super::{atan2, sqrt};

    /// Bit patterns spread over all exponents and mantissas, the same in every run.
    fn patterns() -> impl Iterator<Item = f64> {
        (0u64..20_000).map(|n| f64::from_bits(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1))
    }

    #[test]
    fn sqrt_is_correctly_rounded() {
        extern crate std;
        for x in patterns().filter(|x| x.is_finite()) {
            assert_eq!(sqrt(x), x.sqrt(), "sqrt({x:e})");
        }
        for n in 0..=1000u32 {
            assert_eq!(sqrt(f64::from(n * n)), f64::from(n));
            assert_eq!(sqrt(f64::from(n)), f64::from(n).sqrt());
        }
        assert_eq!(sqrt(f64::from_bits(1)), f64::from_bits(1).sqrt());
        assert_eq!(sqrt(f64::MAX), f64::MAX.sqrt());
        assert_eq!(sqrt(-1.0), 0.0);
        assert_eq!(sqrt(f64::NAN), 0.0);
        assert_eq!(sqrt(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn atan2_is_within_its_stated_error() {
        extern crate std;
        for y in -60..=60 {
            for x in -60..=60 {
                let (y, x) = (f64::from(y) * 1.37, f64::from(x) * 0.91);
                let found = atan2(y, x);
                assert!((found - y.atan2(x)).abs() < 1e-15, "atan2({y}, {x}) = {found}");
            }
        }
        assert_eq!(atan2(0.0, 0.0), 0.0);
        assert!((atan2(1e-300, 1e300)).abs() < 1e-15);
    }
}
