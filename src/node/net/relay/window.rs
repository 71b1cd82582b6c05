//! A fixed window: counts events per key; all counts start over when the window ends.

use std::collections::HashMap;
use std::hash::Hash;

use super::limits::RATE_TIME;

/// Bounded by what is counted: the stretch is [`RATE_TIME`].
#[derive(Debug)]
pub(super) struct Window<K> {
    lately: HashMap<K, u32>,
    /// Milliseconds since 1970: when it began.
    since: u64,
}

impl<K> Default for Window<K> {
    fn default() -> Self {
        Self { lately: HashMap::new(), since: 0 }
    }
}

impl<K: Eq + Hash> Window<K> {
    /// How often so far; `now` in milliseconds since 1970.
    pub(super) fn of(&mut self, key: K, now: u64) -> &mut u32 {
        if now >= self.since.saturating_add(RATE_TIME.as_millis() as u64) {
            (self.lately, self.since) = (HashMap::new(), now);
        }
        self.lately.entry(key).or_default()
    }
}
