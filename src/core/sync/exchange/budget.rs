//! How much one peer may ask for and send: token buckets that refill with time. A peer that draws on an empty one is
//! flooding.

use std::time::Duration;

use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// Messages of one peer in a burst, and the lasting rate per second.
pub const MESSAGES_BURST: u64 = 2_000;
pub const MESSAGES_PER_SECOND: u64 = 500;
/// States that one peer announces as news in a burst, and the lasting rate per second. A host sends at most
/// [`NEWS_MAX`] of them each [`NEWS_EVERY`], well below the rate, after a pause up to [`NEWS_BURST`] times without
/// waiting, and leaves what is beyond to the next comparison.
pub const ANNOUNCEMENTS_BURST: u64 = 2_000;
pub const ANNOUNCEMENTS_PER_SECOND: u64 = 500;
/// How often a host sends news, and how many states at once.
pub const NEWS_EVERY: Duration = Duration::from_millis(200);
pub const NEWS_MAX: usize = 64;
/// How often a host that said nothing for a while sends news at once: what a person does is often several entries, one
/// right after the other.
pub const NEWS_BURST: u32 = 4;
const _: () = assert!((NEWS_MAX as u64) * 1_000 < ANNOUNCEMENTS_PER_SECOND * NEWS_EVERY.as_millis() as u64);
/// Bytes of changes served to one peer in a burst, and the lasting rate per second.
pub const BYTES_BURST: u64 = 64 * 1024 * 1024;
pub const BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;

/// Identities that a node takes in a burst though they prove nothing, and the lasting rate per second, from all its peers
/// together: identities cost nothing, and a peer comes back under another name. A first comparison fits into the burst.
pub const NEWCOMERS_BURST: u64 = 20_000;
pub const NEWCOMERS_PER_SECOND: u64 = 5;

/// How many identities a node still takes that were unknown to it and have no confirmed name. It is shared by all exchanges
/// of the node.
///
/// A name costs work, and witnesses sign only so many: who has one is taken at no charge.
#[derive(Debug)]
pub struct Newcomers(Bucket);

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

impl Default for Newcomers {
    fn default() -> Self {
        Self::new(NEWCOMERS_BURST, NEWCOMERS_PER_SECOND)
    }
}

impl Newcomers {
    /// An allowance of `burst` identities that gains `per_second`.
    pub const fn new(burst: u64, per_second: u64) -> Self {
        Self(Bucket::new(burst, per_second))
    }

    /// Counts one more, if there is room.
    pub(in crate::sync) fn draw(&mut self, now: Timestamp) -> bool {
        self.0.draw(1, now)
    }

    /// Takes back that one was counted: it did not come.
    pub(in crate::sync) fn give_back(&mut self) {
        self.0.give_back(1);
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

    /// Counts states that the peer announces.
    pub(in crate::sync) fn announcements(&mut self, count: usize, now: Timestamp) -> Result<(), Rejection> {
        self.announcements.draw(count as u64, now).then_some(()).ok_or(Rejection::TooManyAnnouncements)
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
        assert_eq!(budget.announcements(ANNOUNCEMENTS_BURST as usize, at(0)), Ok(()));
        assert_eq!(budget.announcements(1, at(0)), Err(Rejection::TooManyAnnouncements));
        assert_eq!(budget.sent(BYTES_BURST as usize, at(0)), Ok(()));
        assert_eq!(budget.sent(1, at(0)), Err(Rejection::TooManyBytes));
    }

    #[test]
    fn news_of_an_honest_host_are_within_the_rate() {
        let mut budget = Budget::default();
        for _ in 0..NEWS_BURST {
            assert_eq!(budget.announcements(NEWS_MAX, at(0)), Ok(()));
        }
        // A minute of news without a pause, which arrive in one heap each second.
        for millis in (0..60_000).step_by(NEWS_EVERY.as_millis() as usize) {
            assert_eq!(budget.announcements(NEWS_MAX, at(millis / 1_000 * 1_000)), Ok(()), "{millis}");
        }
    }

    #[test]
    fn refills_with_time_and_not_when_the_clock_is_set_back() {
        let mut budget = Budget::default();
        while budget.announcements(1, at(5_000)).is_ok() {}
        assert_eq!(budget.announcements(1, at(0)), Err(Rejection::TooManyAnnouncements));
        assert_eq!(budget.announcements(1, at(1)), Err(Rejection::TooManyAnnouncements));
        assert_eq!(budget.announcements(1, at(2)), Ok(()));
        assert_eq!(budget.announcements(1, at(2)), Err(Rejection::TooManyAnnouncements));
    }
}
