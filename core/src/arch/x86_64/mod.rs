//! x86-64: staged values are unsigned (`x + 128`), as `vpdpbusd` multiplies unsigned by signed bytes.

mod avx512_vnni;

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
