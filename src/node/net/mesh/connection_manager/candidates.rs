//! Peers that may be dialled. What is known of them was reported by others (rendezvous, identify, peer exchange), so it
//! is bounded here, and believed only once the dialled peer has proved its id.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};

use super::backoff::Millis;
use crate::net::address::relay_of;

/// Peers that are stored as candidates. For a further one, an idle candidate with failures is evicted.
pub const CANDIDATES_MAX: usize = 256;
/// Peers that are banned at the same time, so that bans leave room for others. For a further one, the ban that would end
/// first ends.
pub const BANS_MAX: usize = CANDIDATES_MAX / 2;
/// Addresses of one candidate: a page has one for each relay where it has a reservation.
pub const ADDRESSES_MAX: usize = 4;
/// Bytes of one address; longer ones are ignored. An address over a relay takes about 120.
pub const ADDRESS_MAX_BYTES: usize = 512;

/// The candidates by peer id.
pub(super) type Candidates = BTreeMap<PeerId, DialCandidate>;

/// One candidate. Its states are explained at the [connection manager](super).
#[derive(Debug, Default)]
pub(super) struct DialCandidate {
    /// Where it may be dialled, each address with its peer id at the end. Empty for a peer that is only banned.
    pub(super) addresses: Vec<Multiaddr>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When the backoff is over.
    pub(super) not_before: Millis,
    /// Whether a dial is under way.
    pub(super) dialling: bool,
    /// When it was connected last.
    pub(super) reached_at: Option<Millis>,
    /// 0 if it is not banned.
    pub(super) banned_until: Millis,
}

impl DialCandidate {
    /// Whether it is banned; also after the ban's end, until the ban is taken back.
    pub(super) fn is_banned(&self) -> bool {
        self.banned_until != 0
    }

    /// Whether it is neither being dialled nor banned, and not waiting after a failure.
    pub(super) fn may_be_dialled(&self, now: Millis) -> bool {
        !self.dialling && !self.is_banned() && self.not_before <= now
    }
}

/// The ways to candidates that a dial may take now.
pub(super) struct Ways<'a> {
    /// The connected relays with their addresses.
    pub(super) connected: &'a [(PeerId, Multiaddr)],
    /// Whether a relay may be used; one that is not connected would be for the dial.
    pub(super) leads_on: &'a dyn Fn(&PeerId) -> bool,
}

impl Ways<'_> {
    /// Whether an address leads through no relay, or through a connected one.
    fn is_open(&self, address: &Multiaddr) -> bool {
        let is_connected = |relay: PeerId| self.connected.iter().any(|(connected, _)| *connected == relay);
        relay_of(address).is_none_or(is_connected)
    }
}

/// Returns those addresses that lead through no relay, or through a connected one. If there is none, returns one through
/// another relay of the network that may be connected for it, after a failure the next one: a dial takes all of its
/// addresses at once, and should not connect several relays.
pub(super) fn usable_addresses<'a>(candidate: &'a DialCandidate, ways: &Ways<'_>) -> Vec<&'a Multiaddr> {
    let open: Vec<&Multiaddr> = candidate.addresses.iter().filter(|address| ways.is_open(address)).collect();
    if !open.is_empty() {
        return open;
    }
    let is_possible = |address: &&Multiaddr| relay_of(address).is_some_and(|relay| (ways.leads_on)(&relay));
    let possible: Vec<&Multiaddr> = candidate.addresses.iter().filter(is_possible).collect();
    let turn = candidate.failures as usize % possible.len().max(1);
    possible.get(turn).copied().into_iter().collect()
}
