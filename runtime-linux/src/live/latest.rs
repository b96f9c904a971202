//! The newest of a sequence of values, for any number of watchers.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// A place for the newest value. Putting never waits; watchers wait for a newer value than the one they had.
pub struct Latest<T> {
    inner: Mutex<Inner<T>>,
    changed: Condvar,
}

struct Inner<T> {
    /// Values put so far: the newest one's number.
    number: u64,
    value: Option<Arc<T>>,
    closed: bool,
}

impl<T> Default for Latest<T> {
    fn default() -> Self {
        Latest { inner: Mutex::new(Inner { number: 0, value: None, closed: false }), changed: Condvar::new() }
    }
}

impl<T> Latest<T> {
    /// Replaces the value.
    pub fn put(&self, value: Arc<T>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.number += 1;
        inner.value = Some(value);
        drop(inner);
        self.changed.notify_all();
    }

    /// No value will follow.
    pub fn close(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.changed.notify_all();
    }

    /// The newest value, with its number, if it is newer than number `than`; waits for one up to `timeout`.
    pub fn newer(&self, than: u64, timeout: Duration) -> Option<(u64, Arc<T>)> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let nothing_yet = |inner: &mut Inner<T>| inner.number <= than && !inner.closed;
        let waited = self.changed.wait_timeout_while(inner, timeout, nothing_yet);
        let inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        let value = inner.value.as_ref().filter(|_| inner.number > than)?;
        Some((inner.number, Arc::clone(value)))
    }

    /// Whether the sequence has ended.
    pub fn is_closed(&self) -> bool {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn watchers_see_each_value_once_and_only_the_newest() {
        let latest = Latest::default();
        assert_eq!(latest.newer(0, SOON), None);
        latest.put(Arc::new("a"));
        latest.put(Arc::new("b"));
        let (number, value) = latest.newer(0, SOON).unwrap();
        assert_eq!((number, *value), (2, "b"));
        assert_eq!(latest.newer(number, SOON), None);
    }

    #[test]
    fn the_last_value_outlives_the_end() {
        let latest = Latest::default();
        latest.put(Arc::new(7));
        latest.close();
        assert_eq!(latest.newer(0, SOON).map(|(_, value)| *value), Some(7));
        assert_eq!(latest.newer(1, Duration::from_secs(20)), None);
    }
}
