//! How often something is asked for: counted in fixed windows, of all peers together or of each.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::net::key::NetPeerId;
use gen_registry_core::time::Timestamp;

/// The length of the fixed window in which requests are counted, for each peer.
pub const ASKED_TIME: Duration = Duration::from_secs(60);
/// Peers whose windows are remembered, as long as windows of others have not passed.
const PEERS_REMEMBERED: usize = 256;

/// A count that begins again when its window has passed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    since: Timestamp,
    count: u32,
}

impl Window {
    /// Counts one more in a window of this length. Returns false if that is more than `most`.
    pub(crate) fn count(&mut self, most: u32, length: Duration, now: Timestamp) -> bool {
        if self.has_passed(length, now) {
            *self = Self { since: now, count: 0 };
        }
        self.count = self.count.saturating_add(1);
        self.count <= most
    }

    /// A clock that was set back ends the window, too: otherwise it would last until the old time comes again.
    fn has_passed(&self, length: Duration, now: Timestamp) -> bool {
        self.since.plus(length) <= now || now < self.since
    }
}

/// The requests of each peer.
pub(crate) struct RequestRates {
    most: u32,
    windows: RefCell<BTreeMap<NetPeerId, Window>>,
}

impl RequestRates {
    /// At most so many requests of one peer in each [`ASKED_TIME`].
    pub(crate) fn new(most: u32) -> Self {
        Self { most, windows: RefCell::default() }
    }

    /// Counts a request. Returns false if it is over the rate.
    pub(crate) fn count(&self, peer: NetPeerId, now: Timestamp) -> bool {
        let mut windows = self.windows.borrow_mut();
        if windows.len() >= PEERS_REMEMBERED && !windows.contains_key(&peer) {
            windows.retain(|_, window| !window.has_passed(ASKED_TIME, now));
        }
        windows.entry(peer).or_default().count(self.most, ASKED_TIME, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_anew_in_each_window() {
        let (mut window, start, most) = (Window::default(), Timestamp::from_millis(1_000_000), 200);
        let mut count_at = |millis| {
            let now = start.plus(Duration::from_millis(millis));
            (0..2 * most).filter(|_| window.count(most, Duration::from_secs(1), now)).count() as u32
        };
        assert_eq!([0, 999, 1_000, 5_000].map(&mut count_at), [most, 0, most, most]);
        assert_eq!(count_at(0), most, "a clock set back shuts nobody out");
    }
}
