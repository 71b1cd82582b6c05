//! How much one peer may ask for and send: token buckets that refill with time.
//!
//! | of one peer | beyond it |
//! |---|---|
//! | messages, announcements | it is flooding: a host sends fewer, whatever happens |
//! | work that its messages cause ([`WORK_BURST`]) | nothing more of it is read for a while; it is not at fault |
//!
//! Work is bounded without blame because an honest peer may cause much: somebody who joins a network of 100,000 people asks
//! for all of them, as fast as they come.

use std::time::Duration;

use crate::node_limits::NodeLimits;
pub use crate::node_limits::{
    ANNOUNCEMENTS_BURST, ANNOUNCEMENTS_PER_SECOND, MESSAGES_BURST, MESSAGES_PER_SECOND, NEWCOMERS_BURST,
    NEWCOMERS_PER_SECOND, WORK_BURST, WORK_PER_SECOND,
};
use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// How often a host sends news, and how many states at once: well below the rate at which they are taken
/// ([`ANNOUNCEMENTS_PER_SECOND`]). What is beyond is left to the next comparison.
pub const NEWS_EVERY: Duration = Duration::from_millis(200);
pub const NEWS_MAX: usize = 64;
/// How often a host that said nothing for a while sends news at once: what a person does is often several entries, one
/// right after the other.
pub const NEWS_BURST: u32 = 4;
const _: () = assert!((NEWS_MAX as u64) * 1_000 < ANNOUNCEMENTS_PER_SECOND * NEWS_EVERY.as_millis() as u64);
const MICROS_PER_SECOND: u64 = 1_000_000;
/// Work of reading an entry, and of checking one with its signatures.
pub const WORK_OF_ENTRY: usize = 8;
/// Work of putting together what is here of an identity, and of looking at what a peer says that it has of one.
pub const WORK_OF_DETAIL: usize = 4;
/// Bytes sent or received per unit of work.
pub const BYTES_OF_WORK: usize = 256;
/// Identities compared per unit of work.
pub const COMPARED_OF_WORK: usize = 16;

/// Bytes of details that wait in all exchanges of a node together, counted as in messages; in memory they take about twice
/// as many. Beyond these every exchange has [`WAITING_MIN_BYTES`] only. They are used up by many peers only: an exchange
/// fetches page by page what its details name.
pub const WAITING_MAX_BYTES: usize = 16 * 1024 * 1024;
/// Bytes that wait in one exchange whatever others use: those of some 2,000 identities.
pub const WAITING_MIN_BYTES: usize = 512 * 1024;

/// What all exchanges of a node share.
#[derive(Debug)]
pub struct NodeBudget {
    /// How many identities it still takes that were unknown to it and have no confirmed name. A name costs work, and
    /// witnesses sign only so many: who has one is taken at no charge.
    newcomers: Bucket,
    /// The bytes of details that wait.
    waiting: usize,
}

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

impl Default for NodeBudget {
    fn default() -> Self {
        Self::new(NEWCOMERS_BURST, NEWCOMERS_PER_SECOND)
    }
}

impl NodeBudget {
    /// An allowance of `burst` newcomers that gains `per_second`.
    pub const fn new(burst: u64, per_second: u64) -> Self {
        Self { newcomers: Bucket::new(burst, per_second), waiting: 0 }
    }

    /// Counts one more newcomer, if there is room.
    pub(in crate::sync) fn draw_newcomer(&mut self, now: Timestamp) -> bool {
        self.newcomers.draw(1, now)
    }

    /// Takes back that a newcomer was counted: it did not come.
    pub(in crate::sync) fn give_newcomer_back(&mut self) {
        self.newcomers.give_back(1);
    }

    /// Whether so many bytes more may wait in an exchange that has so many already.
    pub(in crate::sync) fn has_room(&self, bytes: usize, held: usize) -> bool {
        held + bytes <= WAITING_MIN_BYTES || self.waiting + bytes <= WAITING_MAX_BYTES
    }

    /// Counts bytes of details that wait from now on.
    pub(in crate::sync) fn hold(&mut self, bytes: usize) {
        self.waiting += bytes;
    }

    /// Takes back bytes that wait no more.
    pub(in crate::sync) fn release(&mut self, bytes: usize) {
        self.waiting = self.waiting.saturating_sub(bytes);
    }

    /// Returns the bytes of details that wait in all exchanges.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

/// All buckets of one peer.
#[derive(Debug)]
pub(in crate::sync) struct Budget {
    messages: Bucket,
    announcements: Bucket,
    work: Work,
}

/// The work that a peer caused, as the moment at which it would be done at the lasting rate (generic cell rate algorithm,
/// ITU-T I.371), in microseconds since 1970.
#[derive(Debug)]
struct Work {
    done_at: u64,
    per_second: u64,
    /// How long the burst takes at the lasting rate.
    burst_micros: u64,
}

impl Work {
    fn new(burst: u64, per_second: u64) -> Self {
        let per_second = per_second.max(1);
        Self { done_at: 0, per_second, burst_micros: burst.saturating_mul(MICROS_PER_SECOND) / per_second }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(&NodeLimits::default())
    }
}

impl Budget {
    /// The full buckets of a peer of a node with these limits.
    pub(in crate::sync) fn new(limits: &NodeLimits) -> Self {
        Self {
            messages: Bucket::new(limits.messages_burst, limits.messages_per_second),
            announcements: Bucket::new(limits.announcements_burst, limits.announcements_per_second),
            work: Work::new(limits.work_burst, limits.work_per_second),
        }
    }

    /// Counts one message of the peer.
    pub(in crate::sync) fn message(&mut self, now: Timestamp) -> Result<(), Rejection> {
        self.messages.draw(1, now).then_some(()).ok_or(Rejection::TooManyMessages)
    }

    /// Counts states that the peer announces.
    pub(in crate::sync) fn announcements(&mut self, count: usize, now: Timestamp) -> Result<(), Rejection> {
        self.announcements.draw(count as u64, now).then_some(()).ok_or(Rejection::TooManyAnnouncements)
    }

    /// Counts work that a message of the peer caused. What is too much is waited for.
    pub(in crate::sync) fn work(&mut self, units: usize, now: Timestamp) {
        let from = self.work.done_at.max(micros(now));
        self.work.done_at = from + units as u64 * MICROS_PER_SECOND / self.work.per_second;
    }

    /// Returns whether nothing more is to be read of the peer for now.
    pub(in crate::sync) fn is_resting(&mut self, now: Timestamp) -> bool {
        let ahead = self.work.done_at.saturating_sub(micros(now));
        if ahead > self.work.burst_micros.saturating_mul(2) {
            // No message causes so much: the clock was set back.
            self.work.done_at = 0;
            return false;
        }
        ahead > self.work.burst_micros
    }
}

fn micros(time: Timestamp) -> u64 {
    time.as_millis().saturating_mul(1000)
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
    }

    #[test]
    fn rests_for_as_long_as_it_worked_too_much() {
        let mut budget = Budget::default();
        budget.work(WORK_BURST as usize, at(100_000));
        assert!(!budget.is_resting(at(100_000)), "all of the burst");
        budget.work(WORK_PER_SECOND as usize, at(100_000));
        budget.work(WORK_PER_SECOND as usize / 2, at(100_000));
        assert!(budget.is_resting(at(101_499)) && !budget.is_resting(at(101_500)), "a second and a half");
        budget.work(WORK_PER_SECOND as usize, at(101_500));
        assert!(
            budget.is_resting(at(102_499)) && !budget.is_resting(at(102_500)),
            "the burst does not come back by that"
        );
        assert!(!budget.is_resting(at(50_000)), "a clock that is set back keeps nobody waiting");
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
