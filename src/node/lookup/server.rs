//! Answers connected peers that ask for a name: with the name proof of it, as far as it is known here.

use std::time::Duration;

use crate::lookup::{Lookups, decode_request, key_of};
use crate::net::key::NetPeerId;
use gen_registry_core::sync::rejection::Rejection;

/// The length of the fixed window in which requests are counted, for each peer.
pub const ASKED_TIME: Duration = Duration::from_secs(60);
/// Peers whose rate limits are remembered.
const PEERS_REMEMBERED: usize = 256;

impl Lookups {
    /// Returns the answer, which is empty if nothing is known, or `None` if no answer is due: the peer asked too often
    /// or sent something malformed.
    pub(crate) fn answer_find(&self, peer: NetPeerId, request: &[u8]) -> Option<Vec<u8>> {
        if !self.may_ask(peer) {
            self.reputation.note_rejection(peer, Rejection::TooManyRequests);
            return None;
        }
        match decode_request(request) {
            Ok(name) => {
                let record = self.registry.read_model().name_proof(&key_of(&name));
                Some(record.map(|record| record.bytes().to_vec()).unwrap_or_default())
            }
            Err(error) => {
                self.reputation.note_rejection(peer, Rejection::Malformed(error));
                None
            }
        }
    }

    /// Counts a request. Returns false if it is over the rate.
    fn may_ask(&self, peer: NetPeerId) -> bool {
        let now = self.context.now();
        let mut counts = self.request_counts.borrow_mut();
        if counts.len() >= PEERS_REMEMBERED && !counts.contains_key(&peer) {
            counts.retain(|_, (since, _)| since.plus(ASKED_TIME) > now);
        }
        let (since, count) = counts.entry(peer).or_insert((now, 0));
        if since.plus(ASKED_TIME) <= now {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= self.context.limits.lookups_per_minute
    }
}
