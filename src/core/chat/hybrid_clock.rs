//! Hybrid logical time (Kulkarni et al., "Logical Physical Clocks", 2014): as near to the clock as may be, and never
//! before what was already received. An answer is dated after its question even when the clocks disagree.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::canonical::{DecodeError, Decoder, Encoder};
use crate::limits::CLOCK_SKEW;
use crate::time::Timestamp;

/// A date and a count of what happened at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HybridTime {
    pub wall: Timestamp,
    pub count: u32,
}

/// It is dated further ahead than clocks may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is dated {0:?} ahead of this device's clock")]
pub struct Ahead(pub Duration);

/// The clock of one device.
#[derive(Clone, Copy, Debug, Default)]
pub struct HybridClock {
    last: HybridTime,
}

impl HybridTime {
    pub(crate) fn put(self, encoder: Encoder) -> Encoder {
        encoder.integer(self.wall.as_millis()).integer(self.count.into())
    }

    pub(crate) fn get(decoder: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        let wall = Timestamp::from_millis(decoder.integer()?);
        let count = u32::try_from(decoder.integer()?).map_err(|_| DecodeError::OutOfRange)?;
        if wall > Timestamp::LATEST { Err(DecodeError::OutOfRange) } else { Ok(Self { wall, count }) }
    }

    /// Refuses what lies beyond [`CLOCK_SKEW`]: a clock that followed it would never come back.
    pub fn check(self, now: Timestamp) -> Result<(), Ahead> {
        if self.wall > now.plus(CLOCK_SKEW) {
            return Err(Ahead(Duration::from_millis(self.wall.as_millis() - now.as_millis())));
        }
        Ok(())
    }

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

    /// Advances the clock past a received date.
    pub fn observe(&mut self, heard: HybridTime, now: Timestamp) -> Result<(), Ahead> {
        heard.check(now)?;
        self.last = self.last.max(heard);
        Ok(())
    }
}
