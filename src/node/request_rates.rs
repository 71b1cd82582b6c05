//! How often each peer asks, or is asked: counted in fixed windows.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use crate::net::key::NetPeerId;
use gen_registry_core::time::Timestamp;

/// The length of the fixed window in which requests are counted, for each peer.
pub const ASKED_TIME: Duration = Duration::from_secs(60);
/// Peers whose windows are remembered, as long as windows of others have not passed.
const PEERS_REMEMBERED: usize = 256;

/// The requests of each peer since its window began.
pub(crate) struct RequestRates {
    most: u32,
    /// When each peer's window began, and its requests since.
    counts: RefCell<BTreeMap<NetPeerId, (Timestamp, u32)>>,
}

impl RequestRates {
    /// At most so many requests of one peer in each [`ASKED_TIME`].
    pub(crate) fn new(most: u32) -> Self {
        Self { most, counts: RefCell::default() }
    }

    /// Counts a request. Returns false if it is over the rate.
    pub(crate) fn count(&self, peer: NetPeerId, now: Timestamp) -> bool {
        let mut counts = self.counts.borrow_mut();
        if counts.len() >= PEERS_REMEMBERED && !counts.contains_key(&peer) {
            counts.retain(|_, (since, _)| since.plus(ASKED_TIME) > now);
        }
        let (since, count) = counts.entry(peer).or_insert((now, 0));
        if since.plus(ASKED_TIME) <= now {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.most
    }
}
