//! Answers connected peers that ask for a name: with the name proof of it, as far as it is known here.

use crate::lookup::{Lookups, decode_request, key_of};
use crate::net::key::NetPeerId;
use gen_registry_core::sync::rejection::Rejection;

impl Lookups {
    /// Returns the answer, which is empty if nothing is known, or `None` if no answer is due: the peer asked too often
    /// or sent something malformed.
    pub(crate) fn answer_find(&self, peer: NetPeerId, request: &[u8]) -> Option<Vec<u8>> {
        if !self.request_rates.count(peer, self.context.now()) {
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
}
