//! A clock that never goes back, even if the system's does: for durations, not for dates.
//!
//! `std::time::Instant` does not exist in a page, and a test moves the clock by hand; so this is computed from the
//! environment's time. For example, with a system clock at 1000, 1500, then set back to 200, and 300, it yields 1000,
//! 1500, 1500, 1600.

use std::cell::Cell;

use gen_registry_core::time::Timestamp;

/// The clock.
#[derive(Debug, Default)]
pub struct MonotonicClock {
    /// The last time that was returned.
    last: Cell<u64>,
    /// The sum of all steps back.
    added: Cell<u64>,
}

impl MonotonicClock {
    /// Returns milliseconds, equal to the system's time until that is set back for the first time.
    pub fn millis(&self, now: Timestamp) -> u64 {
        let now = now.as_millis();
        let behind = self.last.get().saturating_sub(now.saturating_add(self.added.get()));
        self.added.set(self.added.get() + behind);
        self.last.set(now.saturating_add(self.added.get()));
        self.last.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monotonic_clock_continues_after_the_clock_was_set_back() {
        let steady = MonotonicClock::default();
        let shown = [1_000, 1_500, 200, 300, 250, 9_000].map(|now| steady.millis(Timestamp::from_millis(now)));
        assert_eq!(shown, [1_000, 1_500, 1_500, 1_600, 1_600, 10_350]);
    }
}
