//! How often a node sends heartbeats. All nodes together send about [`HEARTBEATS_PER_SECOND`], however many they are,
//! as RTCP shares its bandwidth among participants (RFC 3550, section 6.2); a random spread keeps nodes from falling
//! into step (section 6.3.1).
//!
//! With 50 nodes each sends every 20 seconds; with 1,000 every 200 seconds; from 1,500 on every 5 minutes.

use std::time::Duration;

use crate::digest::Digest;
use crate::time::Timestamp;

/// The interval between two heartbeats of one node in a small network.
pub const INTERVAL_MIN: Duration = Duration::from_secs(20);
/// The longest interval, however many nodes there are.
pub const INTERVAL_MAX: Duration = Duration::from_secs(5 * 60);
/// The heartbeats of all nodes together in one second, once there are enough nodes.
pub const HEARTBEATS_PER_SECOND: u32 = 5;
/// A heartbeat is valid for this many intervals, so two in a row may be lost.
pub const VALID_INTERVALS: u32 = 3;
/// The longest validity: [`VALID_INTERVALS`] of the longest interval.
pub const VALID_MAX: Duration = Duration::from_secs(3 * 5 * 60);
/// The shortest validity that is accepted. A node could not keep up a shorter one.
pub const VALID_MIN: Duration = Duration::from_secs(3);

/// Heartbeats that one node may send at once (each join and leave sends one).
pub const HEARTBEATS_BURST: u32 = 20;
/// The time after which one more becomes available.
pub const HEARTBEATS_EVERY: Duration = Duration::from_secs(2);

/// Rate limit for one node's heartbeats: a leaky bucket in the form of one date (GCRA), since there is one for each of
/// up to 10,000 nodes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    /// When the bucket will be empty: [`HEARTBEATS_EVERY`] from now for each heartbeat taken.
    until: Timestamp,
}

impl Taken {
    /// Returns the limit with one more heartbeat counted, or `None` if the burst is used up.
    pub(super) fn takes_one(self, now: Timestamp) -> Option<Self> {
        let most = now.plus(HEARTBEATS_EVERY * HEARTBEATS_BURST);
        // It is further away only where the clock was set back.
        let until = self.until.min(most).max(now).plus(HEARTBEATS_EVERY);
        (until <= most).then_some(Self { until })
    }
}

/// The interval between a node's heartbeats among `nodes` nodes.
pub fn interval(nodes: usize) -> Duration {
    let nodes = u32::try_from(nodes).unwrap_or(u32::MAX);
    Duration::from_secs(u64::from(nodes.div_ceil(HEARTBEATS_PER_SECOND))).clamp(INTERVAL_MIN, INTERVAL_MAX)
}

/// How long a heartbeat sent at this interval is valid.
pub fn valid_for(interval: Duration) -> Duration {
    (interval * VALID_INTERVALS).clamp(VALID_MIN, VALID_MAX)
}

/// The interval made up to a quarter longer or shorter. The hash of the heartbeat just sent serves as the random
/// number: no two nodes share it, and a replay of the same run gives the same result.
pub fn spread(interval: Duration, last: &Digest) -> Duration {
    let drawn = u32::from(u16::from_be_bytes([last.as_bytes()[0], last.as_bytes()[1]]));
    interval * 3 / 4 + interval / 2 * drawn / u32::from(u16::MAX)
}
