//! Peers that may be dialled.

use std::collections::BTreeMap;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

use super::backoff::Millis;

/// Peers that are stored as candidates.
pub const CANDIDATES_MAX: usize = 256;
/// Addresses of one candidate.
pub const ADDRESSES_MAX: usize = 4;
pub const ADDRESS_MAX_BYTES: usize = 512;

pub(super) type Candidates = BTreeMap<PeerId, DialCandidate>;

/// The states of a candidate are explained at the [connection manager](super).
#[derive(Debug, Default)]
pub(super) struct DialCandidate {
    pub(super) addresses: Vec<Multiaddr>,
    /// Failures in a row.
    pub(super) failures: u32,
    /// When the backoff is over.
    pub(super) not_before: Millis,
    pub(super) dialling: bool,
    /// When it was connected last.
    pub(super) reached_at: Option<Millis>,
    /// 0 if it is not banned.
    pub(super) banned_until: Millis,
}

impl DialCandidate {
    pub(super) fn is_banned(&self) -> bool {
        self.banned_until != 0
    }

    /// Whether it is neither being dialled nor banned, and not waiting after a failure.
    pub(super) fn may_be_dialled(&self, now: Millis) -> bool {
        !self.dialling && !self.is_banned() && self.not_before <= now
    }
}

/// Returns the relay through which an address leads, if it does.
pub(super) fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let circuit = parts.iter().position(|part| matches!(part, Protocol::P2pCircuit))?;
    match circuit.checked_sub(1).and_then(|at| parts.get(at)) {
        Some(Protocol::P2p(relay)) => Some(*relay),
        _ => None,
    }
}

/// Returns those addresses that lead through no relay, or through a connected one.
pub(super) fn usable_addresses<'a>(
    candidate: &'a DialCandidate,
    connected_relays: &'a [(PeerId, Multiaddr)],
) -> impl Iterator<Item = &'a Multiaddr> {
    let is_connected = |relay: PeerId| connected_relays.iter().any(|(connected, _)| *connected == relay);
    candidate.addresses.iter().filter(move |address| relay_of(address).is_none_or(is_connected))
}
