//! Public nodes: reachable without a relay. Pure.
//!
//! Each page is connected to some of them from its start: they are there when relays are not, and who uses different
//! relays meets at them.

use std::collections::BTreeSet;

use libp2p::{Multiaddr, PeerId};

use super::relay_pool::weight;
use crate::net::address::peer_of;

/// Public nodes that one node is connected to, of a network that has more: each chooses its own ones, as it chooses its
/// relays, so that not all nodes are at all of them.
pub(super) const PUBLIC_NODES_DIALLED_MAX: usize = 4;

/// The public nodes of the network.
#[derive(Debug, Default)]
pub(super) struct PublicNodes {
    addresses: Vec<Multiaddr>,
    /// Those that are dialled.
    chosen: Vec<PeerId>,
}

impl PublicNodes {
    /// Chooses those to be dialled.
    pub(super) fn new(local_peer_id: PeerId, addresses: Vec<Multiaddr>) -> Self {
        let ids: BTreeSet<PeerId> =
            addresses.iter().filter_map(peer_of).filter(|peer| *peer != local_peer_id).collect();
        let mut chosen: Vec<PeerId> = ids.into_iter().collect();
        chosen.sort_by_key(|peer| std::cmp::Reverse(weight(&local_peer_id, peer)));
        chosen.truncate(PUBLIC_NODES_DIALLED_MAX);
        Self { addresses, chosen }
    }

    /// Returns their addresses, each with its peer id at the end.
    pub(super) fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }

    /// Returns the addresses of one of them.
    pub(super) fn addresses_of(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.addresses.iter().filter(|address| peer_of(address) == Some(*peer)).cloned().collect()
    }

    /// Returns those that are dialled whatever else is connected.
    pub(super) fn chosen(&self) -> Vec<PeerId> {
        self.chosen.clone()
    }

    /// Whether this is one of those that are dialled.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.chosen.contains(peer)
    }
}
