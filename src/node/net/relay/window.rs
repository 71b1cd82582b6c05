//! A fixed window: counts events by key. All counts start again from zero when the window ends.
//!
//! A peer may use its limit at the end of one window and again at the start of the next: twice the limit in a moment.
//! The limits have room for that; a token bucket for each key would have to store a time with each.

use std::collections::HashMap;
use std::hash::Hash;

use super::limits::RATE_TIME;

/// The counts of one [`RATE_TIME`]. As many entries as events in that time, which other limits bound.
#[derive(Debug)]
pub(super) struct Window<K> {
    /// The count of each key in the current window.
    counts: HashMap<K, u32>,
    /// When the window began, in milliseconds since 1970.
    since: u64,
}

impl<K> Default for Window<K> {
    fn default() -> Self {
        Self { counts: HashMap::new(), since: 0 }
    }
}

impl<K: Eq + Hash> Window<K> {
    /// Returns the count of a key in the window of `now`, in milliseconds since 1970.
    pub(super) fn count_mut(&mut self, key: K, now: u64) -> &mut u32 {
        if now >= self.since.saturating_add(RATE_TIME.as_millis() as u64) {
            (self.counts, self.since) = (HashMap::new(), now);
        }
        self.counts.entry(key).or_default()
    }
}
