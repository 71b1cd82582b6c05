//! Peers that the host wants a connection to, besides those that the connection manager chooses.
//!
//! The same limits hold for them: on dials at once, on bans, on backoff and on connections. But they come first, and
//! are dialled even if there are connections enough.
//!
//! For example, a person opens the page of a module whose only provider is Carol. The host asks for Carol with
//! `connect_to`: her addresses are unknown, so her page is dialled through both connected relays at once; one of them
//! may have her reservation. The other relays of the network are asked for her addresses meanwhile. After 30 s without
//! success the host may ask again.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::backoff::{Millis, millis};
use super::candidates::{ADDRESSES_MAX, DialCandidate, Ways, usable_addresses};

/// Targets at once; further ones are refused until one is connected or expires.
pub const DIAL_TARGETS_MAX: usize = 4;
/// A target that is not connected within this time expires.
pub const DIAL_TARGET_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the address of a direct connection to a peer that is negotiated over this relay, if the platform has such.
pub type Circuit = fn(&Multiaddr, PeerId) -> Option<Multiaddr>;

/// The targets of the host.
#[derive(Debug)]
pub(super) struct DialTargets {
    /// When each of them expires.
    expiry: BTreeMap<PeerId, Millis>,
    /// How a target without a known address is dialled through a relay.
    circuit: Circuit,
}

impl DialTargets {
    /// Creates an empty list of targets.
    pub(super) fn new(circuit: Circuit) -> Self {
        Self { expiry: BTreeMap::new(), circuit }
    }

    /// Adds a target. Returns false if there are too many.
    pub(super) fn add(&mut self, peer: PeerId, now: Millis) -> bool {
        if self.expiry.len() >= DIAL_TARGETS_MAX {
            return false;
        }
        self.expiry.insert(peer, now + millis(DIAL_TARGET_TIMEOUT));
        true
    }

    /// Whether the host waits for this peer.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.expiry.contains_key(peer)
    }

    /// Removes a target, because it is connected.
    pub(super) fn remove(&mut self, peer: &PeerId) {
        self.expiry.remove(peer);
    }

    /// Removes the targets whose time is over.
    pub(super) fn expire(&mut self, now: Millis) {
        self.expiry.retain(|_, until| *until > now);
    }

    /// Returns the targets, in the order of their ids.
    pub(super) fn peers(&self) -> Vec<PeerId> {
        self.expiry.keys().copied().collect()
    }

    /// Returns where to dial a target: at its known addresses; without any, or after a failure because they may be
    /// outdated, also through every connected relay.
    pub(super) fn addresses(&self, peer: PeerId, candidate: Option<&DialCandidate>, ways: &Ways<'_>) -> Vec<Multiaddr> {
        let usable = candidate.into_iter().flat_map(|found| usable_addresses(found, ways));
        let mut addresses: Vec<Multiaddr> = usable.cloned().collect();
        if addresses.is_empty() || candidate.is_some_and(|found| found.failures > 0) {
            let circuits = ways.connected.iter().filter_map(|(_, relay)| (self.circuit)(relay, peer));
            let others: Vec<Multiaddr> = circuits.filter(|address| !addresses.contains(address)).collect();
            addresses.extend(others);
        }
        addresses.truncate(ADDRESSES_MAX);
        addresses
    }
}
