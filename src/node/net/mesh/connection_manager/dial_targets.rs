//! Peers that the host wants a connection to, besides those that the connection manager chooses.
//!
//! The same limits hold for them: on dials at once, on bans, on backoff and on connections. But they come first, and
//! are dialled even if there are connections enough.
//!
//! For example, a person opens the page of a module whose only provider is Carol. The host asks for Carol with
//! `connect_to`: her addresses are unknown, so her page is dialled through both connected relays at once; one of them
//! may have her reservation. The other relays of the network are asked for her addresses meanwhile. After 30 s without
//! success the host may ask again. Should Carol's node close the connection within [`SETTLED_AFTER`], as one does that has
//! no room at this moment, she remains a target and is dialled again after the usual wait.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};

use super::backoff::{Millis, millis};
use super::candidates::{ADDRESSES_MAX, DialCandidate, Ways, usable_addresses};

/// Targets at once; further ones are refused until one is connected or expires.
pub const DIAL_TARGETS_MAX: usize = 4;
/// A target that is not connected within this time expires.
pub const DIAL_TARGET_TIMEOUT: Duration = Duration::from_secs(30);

/// Once it has been connected for so long, a target is none any more. A node without room closes a connection at once.
pub const SETTLED_AFTER: Duration = Duration::from_secs(3);

/// Returns the address of a direct connection to a peer that is negotiated over this relay, if the platform has such.
pub type Circuit = fn(&Multiaddr, PeerId) -> Option<Multiaddr>;

/// One target.
#[derive(Clone, Copy, Debug)]
struct DialTarget {
    expires_at: Millis,
    /// Since when it is connected.
    connected_at: Option<Millis>,
}

/// The targets of the host.
#[derive(Debug)]
pub(super) struct DialTargets {
    targets: BTreeMap<PeerId, DialTarget>,
    /// How a target without a known address is dialled through a relay.
    circuit: Circuit,
}

impl DialTargets {
    /// Creates an empty list of targets.
    pub(super) fn new(circuit: Circuit) -> Self {
        Self { targets: BTreeMap::new(), circuit }
    }

    /// Adds a target. Returns false if there are too many.
    pub(super) fn add(&mut self, peer: PeerId, now: Millis) -> bool {
        if self.waiting().count() >= DIAL_TARGETS_MAX {
            return false;
        }
        self.targets.insert(peer, DialTarget { expires_at: now + millis(DIAL_TARGET_TIMEOUT), connected_at: None });
        true
    }

    /// Whether the host waits for this peer.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.waiting().any(|waiting| waiting == *peer)
    }

    /// Records that a target is connected. Another peer is ignored.
    pub(super) fn connected(&mut self, peer: &PeerId, now: Millis) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.connected_at.get_or_insert(now);
        }
    }

    /// Records that the last connection with a target ended. If that was soon, the host waits for it again.
    pub(super) fn disconnected(&mut self, peer: &PeerId, now: Millis) {
        self.expire(now);
        if let Some(target) = self.targets.get_mut(peer) {
            target.connected_at = None;
        }
    }

    /// Removes the targets whose time is over, and those that stayed connected.
    pub(super) fn expire(&mut self, now: Millis) {
        let has_settled = |at: Millis| at + millis(SETTLED_AFTER) <= now;
        self.targets.retain(|_, target| target.expires_at > now && !target.connected_at.is_some_and(has_settled));
    }

    /// Returns the targets that are not connected, in the order of their ids.
    pub(super) fn peers(&self) -> Vec<PeerId> {
        self.waiting().collect()
    }

    fn waiting(&self) -> impl Iterator<Item = PeerId> {
        self.targets.iter().filter(|(_, target)| target.connected_at.is_none()).map(|(peer, _)| *peer)
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
