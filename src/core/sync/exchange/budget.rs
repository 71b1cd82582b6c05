//! How much one peer may ask for and send: token buckets that refill with time. A peer that draws on an empty one is
//! flooding.

use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// Messages of one peer in a burst, and the lasting rate per second.
pub const MESSAGES_BURST: u64 = 2_000;
pub const MESSAGES_PER_SECOND: u64 = 500;
/// Announcements of one peer in a burst, and the lasting rate per second.
pub const ANNOUNCEMENTS_BURST: u64 = 50;
pub const ANNOUNCEMENTS_PER_SECOND: u64 = 10;
/// Announcements of others that a node forwards, over all peers: less than each receiver accepts from one peer, so that
/// no node is marked down for a flood that another began. What is left out comes with the next comparison.
pub const PASSED_ON_BURST: u64 = 30;
pub const PASSED_ON_PER_SECOND: u64 = 6;
const _: () = assert!(PASSED_ON_BURST < ANNOUNCEMENTS_BURST && PASSED_ON_PER_SECOND < ANNOUNCEMENTS_PER_SECOND);
/// Bytes of changes served to one peer in a burst, and the lasting rate per second.
pub const BYTES_BURST: u64 = 64 * 1024 * 1024;
pub const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// A token bucket. The level is in thousandths of a token, so that milliseconds fill it evenly.
#[derive(Debug)]
pub(in crate::sync) struct Bucket {
    level: u64,
    burst: u64,
    per_second: u64,
    filled_at: Option<Timestamp>,
}

impl Bucket {
    /// A full bucket of `burst` tokens that gains `per_second` tokens.
    pub(in crate::sync) const fn new(burst: u64, per_second: u64) -> Self {
        Self { level: burst * 1000, burst, per_second, filled_at: None }
    }

    /// Takes `amount` tokens if there are as many; otherwise takes none and returns false.
    pub(in crate::sync) fn draw(&mut self, amount: u64, now: Timestamp) -> bool {
        let last = self.filled_at.unwrap_or(now);
        // A clock set back fills nothing.
        let passed = now.as_millis().saturating_sub(last.as_millis());
        self.filled_at = Some(now);
        self.level = self.level.saturating_add(passed.saturating_mul(self.per_second)).min(self.burst * 1000);
        match self.level.checked_sub(amount.saturating_mul(1000)) {
            Some(left) => {
                self.level = left;
                true
            }
            None => false,
        }
    }

    /// Puts back tokens that were drawn and not used.
    pub(in crate::sync) fn give_back(&mut self, amount: u64) {
        self.level = self.level.saturating_add(amount.saturating_mul(1000)).min(self.burst * 1000);
    }
}

/// The rate at which this node forwards announcements of others, over all peers.
#[derive(Debug)]
pub struct PassingOn(Bucket);

impl Default for PassingOn {
    fn default() -> Self {
        Self(Bucket::new(PASSED_ON_BURST, PASSED_ON_PER_SECOND))
    }
}

impl PassingOn {
    /// Returns whether one more may be forwarded now, and counts it.
    pub fn takes_one(&mut self, now: Timestamp) -> bool {
        self.0.draw(1, now)
    }
}

/// All buckets of one peer.
#[derive(Debug)]
pub(in crate::sync) struct Budget {
    messages: Bucket,
    announcements: Bucket,
    bytes: Bucket,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            messages: Bucket::new(MESSAGES_BURST, MESSAGES_PER_SECOND),
            announcements: Bucket::new(ANNOUNCEMENTS_BURST, ANNOUNCEMENTS_PER_SECOND),
            bytes: Bucket::new(BYTES_BURST, BYTES_PER_SECOND),
        }
    }
}

impl Budget {
    /// Counts one message of the peer.
    pub(in crate::sync) fn message(&mut self, now: Timestamp) -> Result<(), Rejection> {
        self.messages.draw(1, now).then_some(()).ok_or(Rejection::TooManyMessages)
    }

    /// Counts one announcement of the peer.
    pub(in crate::sync) fn announcement(&mut self, now: Timestamp) -> Result<(), Rejection> {
        self.announcements.draw(1, now).then_some(()).ok_or(Rejection::TooManyAnnouncements)
    }

    /// Counts bytes of changes served to the peer.
    pub(in crate::sync) fn sent(&mut self, bytes: usize, now: Timestamp) -> Result<(), Rejection> {
        self.bytes.draw(bytes as u64, now).then_some(()).ok_or(Rejection::TooManyBytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn rejects_more_than_each_burst() {
        let mut budget = Budget::default();
        for _ in 0..MESSAGES_BURST {
            assert_eq!(budget.message(at(0)), Ok(()));
        }
        assert_eq!(budget.message(at(0)), Err(Rejection::TooManyMessages));
        for _ in 0..ANNOUNCEMENTS_BURST {
            assert_eq!(budget.announcement(at(0)), Ok(()));
        }
        assert_eq!(budget.announcement(at(0)), Err(Rejection::TooManyAnnouncements));
        assert_eq!(budget.sent(BYTES_BURST as usize, at(0)), Ok(()));
        assert_eq!(budget.sent(1, at(0)), Err(Rejection::TooManyBytes));
    }

    #[test]
    fn forwards_less_than_a_receiver_accepts() {
        let (mut passing, mut listener) = (PassingOn::default(), Budget::default());
        // A flood of a minute, which arrives in one heap each second.
        for millis in 0..60_000 {
            if passing.takes_one(at(millis)) {
                assert_eq!(listener.announcement(at(millis / 1_000 * 1_000)), Ok(()), "{millis}");
            }
            if millis == PASSED_ON_BURST {
                assert!(!passing.takes_one(at(millis)), "a flood ends here");
            }
        }
    }

    #[test]
    fn refills_with_time_and_not_when_the_clock_is_set_back() {
        let mut budget = Budget::default();
        while budget.announcement(at(5_000)).is_ok() {}
        assert_eq!(budget.announcement(at(0)), Err(Rejection::TooManyAnnouncements));
        assert_eq!(budget.announcement(at(99)), Err(Rejection::TooManyAnnouncements));
        assert_eq!(budget.announcement(at(100)), Ok(()));
        assert_eq!(budget.announcement(at(100)), Err(Rejection::TooManyAnnouncements));
    }
}
