//! Which frames are kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// When the next frame is kept.
#[derive(Debug, Clone, Default)]
pub enum Due {
    /// Every frame.
    #[default]
    Always,
    /// The first, and one per interval since. A frame that comes late moves none after it.
    Every {
        /// The interval.
        interval: Duration,
        /// When the next is due; not before the first was kept.
        next: Option<Instant>,
    },
    /// One each time that something raises this flag.
    Raised(Arc<AtomicBool>),
}

impl Due {
    /// One frame per interval.
    pub fn every(interval: Duration) -> Self {
        Due::Every { interval, next: None }
    }

    /// Whether the frame that came at `now` is kept.
    pub fn takes(&mut self, now: Instant) -> bool {
        match self {
            Due::Always => true,
            Due::Every { interval, next } => {
                let due = next.unwrap_or(now);
                if now < due {
                    return false;
                }
                // Whole intervals that were missed are left out.
                let missed = (now - due).as_nanos() / interval.as_nanos().max(1);
                *next = Some(due + *interval * u32::try_from(missed + 1).unwrap_or(u32::MAX));
                true
            }
            Due::Raised(flag) => flag.swap(false, Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_frames_move_none_after_them() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut due = Due::every(Duration::from_millis(100));
        let kept: Vec<u64> =
            [0, 40, 99, 130, 199, 200, 520, 590, 600].into_iter().filter(|&ms| due.takes(at(ms))).collect();
        assert_eq!(kept, [0, 130, 200, 520, 600]);
    }

    #[test]
    fn a_trigger_takes_one_frame() {
        let flag = Arc::new(AtomicBool::new(false));
        let mut due = Due::Raised(Arc::clone(&flag));
        let now = Instant::now();
        assert!(!due.takes(now));
        flag.store(true, Ordering::Relaxed);
        assert!(due.takes(now) && !due.takes(now));
    }
}
