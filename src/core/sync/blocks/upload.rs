//! How many bytes of blocks are given to all peers together in a time, where the person set a limit.
//!
//! The host lets peers take turns, one block each. A block may go out once those before it have had their time at the
//! limit (generic cell rate algorithm, ITU-T I.371). An example at 256 KiB per second, with blocks of 256 KiB:
//!
//! | time | input | what comes out |
//! |---|---|---|
//! | 0 s | `wait` for the block of peer 1 | none: it goes out, `give(262144)` |
//! | 0 s | `wait` for the block of peer 2 | a second |
//! | 1 s | `wait` again | none |
//! | 1 s | `has_room(11)`, for a peer that would be the twelfth to wait | no: it is told that the block is missing, and asks others |

use std::time::Duration;

use crate::limits::BLOCK_MAX_BYTES;
use crate::time::Timestamp;

/// The lowest limit, in bytes per second: a block then takes eight seconds. A peer that waits for one block thirty seconds
/// leaves ([`ANSWER_PATIENCE`](super::fetch::ANSWER_PATIENCE)).
pub const UPLOAD_MIN_BYTES_PER_SECOND: u32 = 32 * 1024;
/// A peer whose block would go out later than this is told that it is missing, so that it asks others.
pub const WAIT_MAX: Duration = Duration::from_secs(10);

/// A limit below [`UPLOAD_MIN_BYTES_PER_SECOND`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a limit is at least {UPLOAD_MIN_BYTES_PER_SECOND} bytes per second")]
pub struct TooLow;

/// The limit, and until when it is used up.
#[derive(Debug, Default)]
pub struct UploadLimit {
    bytes_per_second: Option<u32>,
    free_at: Timestamp,
}

impl UploadLimit {
    /// Returns the limit in bytes per second; `None` is no limit.
    pub fn bytes_per_second(&self) -> Option<u32> {
        self.bytes_per_second
    }

    /// Sets or removes the limit.
    pub fn set(&mut self, bytes_per_second: Option<u32>) -> Result<(), TooLow> {
        if bytes_per_second.is_some_and(|limit| limit < UPLOAD_MIN_BYTES_PER_SECOND) {
            return Err(TooLow);
        }
        self.bytes_per_second = bytes_per_second;
        Ok(())
    }

    /// Returns how long the next block has to wait: never longer than a block takes, whatever the clock does.
    pub fn wait(&self, now: Timestamp) -> Duration {
        let left = self.free_at.as_millis().saturating_sub(now.as_millis());
        Duration::from_millis(left).min(self.time_of(BLOCK_MAX_BYTES))
    }

    /// Counts bytes that go out now.
    pub fn give(&mut self, bytes: usize, now: Timestamp) {
        self.free_at = now.plus(self.time_of(bytes));
    }

    /// Returns whether another peer may wait behind so many.
    pub fn has_room(&self, waiting: usize) -> bool {
        let waiting = u32::try_from(waiting).unwrap_or(u32::MAX);
        self.time_of(BLOCK_MAX_BYTES).saturating_mul(waiting) <= WAIT_MAX
    }

    /// Returns how long bytes take at the limit.
    fn time_of(&self, bytes: usize) -> Duration {
        let Some(limit) = self.bytes_per_second else { return Duration::ZERO };
        Duration::from_millis((bytes as u64 * 1_000).div_ceil(u64::from(limit)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn limited(bytes_per_second: u32) -> UploadLimit {
        let mut limit = UploadLimit::default();
        limit.set(Some(bytes_per_second)).expect("it is high enough");
        limit
    }

    #[test]
    fn blocks_go_out_at_the_limit_in_any_order_of_sizes() {
        let mut limit = limited(256 * 1024);
        let (mut now, mut given) = (1_000_000, 0);
        for nth in 0..1_000 {
            now += limit.wait(at(now)).as_millis() as u64;
            let bytes = [BLOCK_MAX_BYTES, 1, 77_000][nth % 3];
            limit.give(bytes, at(now));
            given += bytes as u64;
        }
        let rate = given * 1_000 / (now - 1_000_000);
        assert!((255 * 1024..=258 * 1024).contains(&rate), "{rate} bytes per second");
    }

    #[test]
    fn nothing_is_saved_up_and_a_clock_set_back_stops_nothing() {
        let mut limit = limited(256 * 1024);
        assert_eq!(limit.wait(at(9_000_000)), Duration::ZERO);
        limit.give(BLOCK_MAX_BYTES, at(9_000_000));
        assert_eq!(limit.wait(at(9_000_000)), Duration::from_secs(1), "an idle day allows no burst");
        assert_eq!(limit.wait(at(5)), Duration::from_secs(1), "the clock was set back");
    }

    #[test]
    fn limits_are_inclusive_and_none_is_no_limit() {
        let mut limit = UploadLimit::default();
        assert_eq!(limit.set(Some(UPLOAD_MIN_BYTES_PER_SECOND - 1)), Err(TooLow));
        assert_eq!(limit.bytes_per_second(), None, "a refused limit changes nothing");
        limit.give(BLOCK_MAX_BYTES, at(0));
        assert!(limit.wait(at(0)).is_zero() && limit.has_room(usize::MAX));
        assert_eq!(limit.set(Some(UPLOAD_MIN_BYTES_PER_SECOND)), Ok(()));
        assert!(limit.has_room(1) && !limit.has_room(2), "eight seconds for each");
        assert_eq!(limit.set(None), Ok(()));
        assert!(limit.has_room(2));
    }
}
