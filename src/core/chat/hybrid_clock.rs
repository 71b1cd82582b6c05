//! Hybrid logical clocks (S. Kulkarni et al., "Logical Physical Clocks", 2014): dates as near to the wall clock as
//! possible, and never before a date already received. So an answer is dated after its question even when the clocks
//! disagree.
//!
//! | event on a device whose clock is 0.4 s late | wall clock | date |
//! |---|---|---|
//! | posts | 10.0 s | `(10.0, 0)` |
//! | receives a message dated `(10.5, 0)` | 10.1 s | |
//! | posts | 10.2 s | `(10.5, 1)` |
//! | posts | 10.7 s | `(10.7, 0)`: the wall clock has caught up |
//!
//! A received date advances the clock to at most [`DRAWN_MAX`] ahead of the wall clock. Otherwise one message dated five
//! minutes ahead, repeated each minute, would date all later messages ahead as well, and devices with a slow clock would
//! reject them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::limits::CLOCK_SKEW;
use crate::time::Timestamp;

/// How far others' dates draw a clock ahead of its wall clock at the most. Clocks that are set from a network differ by
/// less.
pub const DRAWN_MAX: Duration = Duration::from_secs(2);

/// A date: milliseconds of a wall clock, and a count of what happened at it. Ordered by both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HybridTime {
    pub wall: Timestamp,
    pub count: u32,
}

/// A date that is further ahead than clocks may differ; holds by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is dated {0:?} ahead of this device's clock")]
pub struct Ahead(pub Duration);

/// The clock of one device: the latest date it gave or received.
#[derive(Clone, Copy, Debug, Default)]
pub struct HybridClock {
    last: HybridTime,
}

impl HybridTime {
    /// Appends the date to canonical bytes.
    pub(crate) fn put(self, encoder: Encoder) -> Encoder {
        encoder.integer(self.wall.as_millis()).integer(self.count.into())
    }

    /// Reads a date; refuses one beyond [`Timestamp::LATEST`].
    pub(crate) fn get(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let wall = Timestamp::from_millis(decoder.integer()?);
        let count = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        if wall > Timestamp::LATEST { Err(DecodeError::OutOfRange) } else { Ok(Self { wall, count }) }
    }

    /// Refuses a date beyond [`CLOCK_SKEW`]: a clock that followed it would stay ahead of all others.
    pub fn check(self, now: Timestamp) -> Result<(), Ahead> {
        if self.wall > now.plus(CLOCK_SKEW) {
            return Err(Ahead(Duration::from_millis(self.wall.as_millis() - now.as_millis())));
        }
        Ok(())
    }

    /// The next date at the same wall time.
    fn next(self) -> Self {
        match self.count.checked_add(1) {
            Some(count) => Self { count, ..self },
            None => Self { wall: self.wall.plus(Duration::from_millis(1)), count: 0 },
        }
    }
}

impl HybridClock {
    /// Returns the date of a message posted now: later than everything posted or received before.
    pub fn tick(&mut self, now: Timestamp) -> HybridTime {
        self.last = if now > self.last.wall { HybridTime { wall: now, count: 0 } } else { self.last.next() };
        self.last
    }

    /// Advances the clock past a received date, by at most [`DRAWN_MAX`]; or fails and stays as it was if the date is too far
    /// ahead.
    pub fn observe(&mut self, heard: HybridTime, now: Timestamp) -> Result<(), Ahead> {
        heard.check(now)?;
        let farthest = HybridTime { wall: now.plus(DRAWN_MAX), count: 0 };
        self.last = self.last.max(heard.min(farthest));
        Ok(())
    }
}
