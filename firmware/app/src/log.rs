//! Log macros: defmt's where the feature is on, nothing where it is not.

macro_rules! debug { ($($arg:tt)*) => {{ #[cfg(feature = "defmt")] defmt::debug!($($arg)*); }}; }
macro_rules! info { ($($arg:tt)*) => {{ #[cfg(feature = "defmt")] defmt::info!($($arg)*); }}; }
macro_rules! warn_ { ($($arg:tt)*) => {{ #[cfg(feature = "defmt")] defmt::warn!($($arg)*); }}; }

pub(crate) use {debug, info, warn_ as warn};
