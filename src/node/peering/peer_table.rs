//! What is known of peers and relays: the newest view of the mesh, and what each peer brought or broke.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::net::key::NetPeerId;
use crate::net::mesh::connection_manager::dial_targets::DIAL_TARGETS_MAX;
use crate::net::mesh::{MeshHandle, MeshView};
use crate::network::ParametersError;
use gen_registry_api::ConnectionState;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::session::budget::PassingOn;
use gen_registry_core::time::Timestamp;

/// Peers whose statistics are remembered.
const PEERS_REMEMBERED: usize = 256;
/// Of changes that follow each other sooner, the last is noted.
const PEER_COUNTS_EVERY: Duration = Duration::from_secs(60);
const PEER_COUNTS_MAX: usize = 240;

/// The service that knows who is connected. It speaks to no peer itself; [`PeerTable::mesh`] is the way to them.
#[derive(Default)]
pub(crate) struct PeerTable {
    mesh: RefCell<Option<MeshHandle>>,
    view: RefCell<MeshView>,
    stats: RefCell<BTreeMap<NetPeerId, PeerStats>>,
    rejections: RefCell<BTreeMap<Rejection, u64>>,
    unsent: Cell<u64>,
    passing_on: RefCell<PassingOn>,
    server_fault: Cell<Option<ParametersError>>,
    /// How many peers there were, and since when.
    peer_counts: RefCell<VecDeque<(Timestamp, u64)>>,
}

/// What one peer did while it was connected.
#[derive(Clone, Default)]
pub(super) struct PeerStats {
    pub(super) syncing: bool,
    pub(super) brought: u64,
    pub(super) rejections: BTreeMap<Rejection, u64>,
}

/// What a new view brought.
pub(super) struct ViewChanges {
    pub(super) known_changed: bool,
    pub(super) relay_came: bool,
}

impl PeerTable {
    pub(super) fn join(&self, mesh: MeshHandle) {
        *self.mesh.borrow_mut() = Some(mesh);
    }

    /// Notes whether what the server says of the network is left aside. Returns whether that changed.
    pub(super) fn note_server_fault(&self, fault: Option<ParametersError>) -> bool {
        self.server_fault.replace(fault) != fault
    }

    pub(super) fn server_fault(&self) -> Option<ParametersError> {
        self.server_fault.get()
    }

    /// Notes that the node left its network.
    pub(super) fn leave(&self) {
        let mut view = self.view.borrow_mut();
        view.peers.clear();
        view.relays.iter_mut().for_each(|relay| (relay.connected, relay.reserved) = (false, false));
        self.stats.borrow_mut().values_mut().for_each(|stats| stats.syncing = false);
        *self.mesh.borrow_mut() = None;
    }

    /// The way to peers; none while the node takes part in no network.
    pub(crate) fn mesh(&self) -> Option<MeshHandle> {
        self.mesh.borrow().clone()
    }

    pub(super) fn view(&self) -> Ref<'_, MeshView> {
        self.view.borrow()
    }

    /// How many peers there were: since when (milliseconds) and how many.
    pub(crate) fn peer_counts(&self) -> Vec<(u64, u64)> {
        self.peer_counts.borrow().iter().map(|(at, peers)| (at.as_millis(), *peers)).collect()
    }

    fn note_peer_count(&self, peers: u64, now: Timestamp) {
        let mut counts = self.peer_counts.borrow_mut();
        match counts.back_mut() {
            Some((_, last)) if *last == peers => {}
            Some((at, last)) if at.plus(PEER_COUNTS_EVERY) > now => *last = peers,
            _ => counts.push_back((now, peers)),
        }
        if counts.len() > PEER_COUNTS_MAX {
            counts.pop_front();
        }
    }

    /// Takes over a newer view of the mesh.
    pub(super) fn update(&self, view: &MeshView, now: Timestamp) -> ViewChanges {
        let up = |view: &MeshView| view.relays.iter().filter(|relay| relay.connected).count();
        let before = self.view.replace(view.clone());
        let changes = ViewChanges {
            known_changed: before.remembered_peers != view.remembered_peers && !view.remembered_peers.is_empty(),
            relay_came: up(view) > up(&before),
        };
        self.note_peer_count(view.peers.len() as u64, now);
        let is_here = |peer: &NetPeerId| view.peers.iter().any(|known| known.peer == *peer);
        let mut stats = self.stats.borrow_mut();
        if stats.len() > PEERS_REMEMBERED {
            stats.retain(|peer, _| is_here(peer));
        }
        stats.iter_mut().filter(|(peer, _)| !is_here(peer)).for_each(|(_, stats)| stats.syncing = false);
        if !view.peers.is_empty() {
            // Their first comparison brings them what they missed.
            self.unsent.set(0);
        }
        changes
    }

    /// Returns whether that changed.
    pub(super) fn set_syncing(&self, peer: NetPeerId, syncing: bool) -> bool {
        let mut all = self.stats.borrow_mut();
        let stats = all.entry(peer).or_default();
        std::mem::replace(&mut stats.syncing, syncing) != syncing
    }

    pub(super) fn note_brought(&self, peer: NetPeerId, changes: u64) {
        self.stats.borrow_mut().entry(peer).or_default().brought += changes;
    }

    pub(crate) fn note_rejection(&self, peer: NetPeerId, why: Rejection) {
        *self.rejections.borrow_mut().entry(why).or_default() += 1;
        *self.stats.borrow_mut().entry(peer).or_default().rejections.entry(why).or_default() += 1;
    }

    /// How often peers broke which rule, since the start.
    pub(super) fn rejections(&self) -> Ref<'_, BTreeMap<Rejection, u64>> {
        self.rejections.borrow()
    }

    pub(super) fn stats(&self, peer: NetPeerId) -> PeerStats {
        self.stats.borrow().get(&peer).cloned().unwrap_or_default()
    }

    /// Whether one more gossip message may be passed on now; it counts as passed on then.
    pub(super) fn take_gossip_permit(&self, now: Timestamp) -> bool {
        self.passing_on.borrow_mut().takes_one(now)
    }

    /// Counts an own change that no peer is there to get.
    pub(super) fn count_unsent(&self) {
        if self.view.borrow().peers.is_empty() {
            self.unsent.set(self.unsent.get() + 1);
        }
    }

    pub(super) fn unsent(&self) -> u64 {
        self.unsent.get()
    }

    /// How many peers have a direct connection.
    pub(crate) fn count(&self) -> u64 {
        self.view.borrow().peers.len() as u64
    }

    /// Everybody with a direct connection.
    pub(crate) fn connected(&self) -> Vec<NetPeerId> {
        self.view.borrow().peers.iter().map(|peer| peer.peer).collect()
    }

    /// Dials some of these who are not connected yet. Returns how many are dialled.
    pub(crate) fn connect_to_some(&self, mesh: &MeshHandle, wanted: impl IntoIterator<Item = NetPeerId>) -> u64 {
        let connected = self.connected();
        let me = mesh.local_peer_id();
        let away = wanted.into_iter().filter(|peer| *peer != me && !connected.contains(peer));
        away.take(DIAL_TARGETS_MAX).map(|peer| mesh.connect_to(peer)).count() as u64
    }

    pub(crate) fn has_relay(&self) -> bool {
        self.view.borrow().relays.iter().any(|relay| relay.connected)
    }

    pub(crate) fn is_syncing(&self) -> bool {
        self.stats.borrow().values().any(|stats| stats.syncing)
    }

    pub(crate) fn connection(&self) -> ConnectionState {
        match (&*self.mesh.borrow(), self.count(), self.has_relay()) {
            (None, _, _) => ConnectionState::Alone,
            (_, 0, true) => ConnectionState::Waiting,
            (_, 0, false) => ConnectionState::Offline,
            _ => ConnectionState::Connected,
        }
    }
}
