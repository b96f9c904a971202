//! x86-64. Where there is VNNI, staged values are unsigned (`x + 128`), as `vpdpbusd` multiplies unsigned by signed bytes;
//! without it they are i16.

mod avx2;
mod avx512_vnni;
mod avx_vnni;
mod vector256;

pub use avx_vnni::{Avx512VlVnni, AvxVnni};
pub use avx2::Avx2;
pub use avx512_vnni::Avx512Vnni;

/// Whether this CPU has all of these features; without `std`, whether the target promises them.
macro_rules! detected {
    ($($feature:tt),*) => {{
        #[cfg(feature = "std")]
        { true $(&& std::arch::is_x86_feature_detected!($feature))* }
        #[cfg(not(feature = "std"))]
        { true $(&& cfg!(target_feature = $feature))* }
    }};
}
use detected;
