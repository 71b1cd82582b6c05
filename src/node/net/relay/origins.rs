//! The origins of connected peers, for all parts that limit by them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use libp2p::{Multiaddr, PeerId};

use crate::net::origin::Origin;

/// The connected peers with their origins. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Origins {
    /// Whether origins are told apart; not behind an unknown proxy.
    by_address: bool,
    peers: Arc<Mutex<HashMap<PeerId, Option<Origin>>>>,
}

impl Origins {
    /// Begins without peers. Without `by_address` nobody has an origin.
    pub(super) fn new(by_address: bool) -> Self {
        Self { by_address, peers: Arc::default() }
    }

    /// Returns the origin of an address, if origins are told apart.
    pub(super) fn of(&self, address: &Multiaddr) -> Option<Origin> {
        Origin::of(address).filter(|_| self.by_address)
    }

    /// Notes a connection. A peer with several has the origin of its newest.
    pub(super) fn on_connected(&self, peer: PeerId, address: &Multiaddr) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).insert(peer, self.of(address));
    }

    /// Forgets a peer that has no connection any more.
    pub(super) fn on_disconnected(&self, peer: &PeerId) {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).remove(peer);
    }

    /// Returns the origin of a peer: `None` if it is not connected, `Some(None)` if it has none.
    pub(super) fn of_connected(&self, peer: &PeerId) -> Option<Option<Origin>> {
        self.peers.lock().unwrap_or_else(PoisonError::into_inner).get(peer).copied()
    }

    /// Returns the origin of a peer, if it is connected and has one.
    pub(super) fn of_peer(&self, peer: &PeerId) -> Option<Origin> {
        self.of_connected(peer).flatten()
    }
}
