//! How often a node says that it is still there: the share that all nodes together may say stays the same, however many
//! they are (RFC 3550, 6.2), and nodes don't fall into step (6.3.1).

use std::time::Duration;

use crate::digest::Digest;
use crate::time::Timestamp;

/// Between two heartbeats of one node where there are few.
pub const INTERVAL_MIN: Duration = Duration::from_secs(20);
/// And at most.
pub const INTERVAL_MAX: Duration = Duration::from_secs(5 * 60);
/// Heartbeats of all nodes together in a second, once they are many.
pub const HEARTBEATS_PER_SECOND: u32 = 5;
/// A heartbeat holds for so many intervals: two may be lost.
pub const VALID_INTERVALS: u32 = 3;
/// The longest that a heartbeat may hold.
pub const VALID_MAX: Duration = Duration::from_secs(3 * 5 * 60);
/// The shortest: less could not be kept up.
pub const VALID_MIN: Duration = Duration::from_secs(3);

/// Heartbeats that one node may send at once (joins and leaves), and the rate at which one more becomes available.
pub const HEARTBEATS_BURST: u32 = 20;
pub const HEARTBEATS_EVERY: Duration = Duration::from_secs(2);

/// How many heartbeats of one node were taken lately.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// When everything taken is forgotten: [`HEARTBEATS_EVERY`] for each.
    until: Timestamp,
}

impl Taken {
    /// Whether one more is taken; it counts as taken.
    pub(super) fn takes_one(self, now: Timestamp) -> Option<Self> {
        let most = now.plus(HEARTBEATS_EVERY * HEARTBEATS_BURST);
        // It is further away only where the clock was set back.
        let until = self.until.min(most).max(now).plus(HEARTBEATS_EVERY);
        (until <= most).then_some(Self { until })
    }
}

/// Among so many nodes.
pub fn interval(nodes: usize) -> Duration {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    Duration::from_secs(u64::from(nodes.div_ceil(HEARTBEATS_PER_SECOND))).clamp(INTERVAL_MIN, INTERVAL_MAX)
}

pub fn valid_for(interval: Duration) -> Duration {
    (interval * VALID_INTERVALS).clamp(VALID_MIN, VALID_MAX)
}

/// The interval, a quarter longer or shorter; by the hash of what was said last, which no two nodes share.
pub fn spread(interval: Duration, last: &Digest) -> Duration {
    let drawn = u32::from(u16::from_be_bytes([last.as_bytes()[0], last.as_bytes()[1]]));
    interval * 3 / 4 + interval / 2 * drawn / u32::from(u16::MAX)
}
