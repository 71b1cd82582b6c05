//! Waiting times after failures: exponential backoff with jitter. Without jitter, all pages that lost a relay at the
//! same moment would return to it at the same moment, again and again.

use std::time::Duration;

/// Milliseconds since some beginning.
pub type Millis = u64;
/// Returns a random number below the given one.
pub type Random<'a> = &'a mut dyn FnMut(u64) -> u64;

/// The wait after the first failure, before it is spread at random.
const RETRY_FIRST: Duration = Duration::from_secs(1);

/// Returns how long to wait after this many failures in a row: 1 s, doubled after each failure up to `max`, then spread
/// between half and one and a half of it, so that nodes that failed together do not retry together.
pub(super) fn retry_delay(failures: u32, max: Duration, random: Random<'_>) -> Millis {
    let time = millis(RETRY_FIRST).saturating_mul(1 << failures.min(16)).min(millis(max));
    time / 2 + random(time)
}

/// Converts a duration, saturating.
pub(super) fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}
