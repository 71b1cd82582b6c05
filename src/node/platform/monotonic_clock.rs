//! A clock that never goes back, whatever is done to the system's: for how long something takes, not for when it is.

use std::cell::Cell;

use gen_registry_core::time::Timestamp;

#[derive(Debug, Default)]
pub struct MonotonicClock {
    last: Cell<u64>,
    added: Cell<u64>,
}

impl MonotonicClock {
    /// Milliseconds, as the system's clock has them until it is set back for the first time.
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
