//! What is known of peers and relays: the newest view of the mesh, and what each peer brought or broke.
//!
//! Services ask this table instead of the mesh: an answer is at hand at once, and is the same for all until the next
//! view.

pub(crate) mod report;

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::net::key::NetPeerId;
use crate::net::mesh::connection_manager::dial_targets::DIAL_TARGETS_MAX;
use crate::net::mesh::connection_manager::relay_pool::RELAYS_TARGET;
use crate::net::mesh::{MeshHandle, MeshView};
use crate::network::ParametersError;
use crate::relay_renewal::Relays;
use gen_registry_api::ConnectionState;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::time::Timestamp;

/// Peers whose statistics are remembered.
const PEERS_REMEMBERED: usize = 256;
/// The time between two recorded numbers of peers; within it, a newer number replaces the older one.
const PEER_COUNTS_EVERY: Duration = Duration::from_secs(60);
/// Recorded numbers: at least four hours. The oldest are removed.
const PEER_COUNTS_MAX: usize = 240;

/// The service that knows who is connected. It sends nothing itself; [`PeerTable::mesh`] does.
#[derive(Default)]
pub(crate) struct PeerTable {
    /// The handle of the mesh, while the node takes part in a network.
    mesh: RefCell<Option<MeshHandle>>,
    /// The newest view.
    view: RefCell<MeshView>,
    /// The statistics of connected peers, and of some earlier ones.
    stats: RefCell<BTreeMap<NetPeerId, PeerStats>>,
    /// Broken rules of all peers since the start.
    rejections: RefCell<BTreeMap<Rejection, u64>>,
    /// Own changes written while no peer was connected.
    unsent: Cell<u64>,
    /// Why the parameters of the page's server were refused, if they were.
    server_fault: RefCell<Option<ParametersError>>,
    /// The number of peers, and since when.
    peer_counts: RefCell<VecDeque<(Timestamp, u64)>>,
}

/// What one peer did while it was connected.
#[derive(Clone, Default)]
pub(crate) struct PeerStats {
    /// Whether a comparison with it is under way.
    pub(crate) syncing: bool,
    /// Changes it brought that were admitted.
    pub(crate) brought: u64,
    /// The rules it broke, and how often.
    pub(crate) rejections: BTreeMap<Rejection, u64>,
}

/// What differs in a new view.
pub(crate) struct ViewChanges {
    /// Whether the peers for the next start differ.
    pub(crate) known_changed: bool,
    /// Whether a further relay that this node uses is connected.
    pub(crate) relay_came: bool,
}

impl PeerTable {
    /// Records that the node takes part in a network.
    pub(crate) fn join(&self, mesh: MeshHandle) {
        *self.mesh.borrow_mut() = Some(mesh);
    }

    /// Records whether the server's parameters were refused. Returns whether that changed.
    pub(crate) fn note_server_fault(&self, fault: Option<ParametersError>) -> bool {
        let changed = *self.server_fault.borrow() != fault;
        self.server_fault.replace(fault);
        changed
    }

    /// Returns why they were refused, if they were.
    pub(crate) fn server_fault(&self) -> Option<ParametersError> {
        self.server_fault.borrow().clone()
    }

    /// Records that the node left its network.
    pub(crate) fn leave(&self) {
        let mut view = self.view.borrow_mut();
        view.peers.clear();
        view.relays.iter_mut().for_each(|relay| (relay.connected, relay.reserved) = (false, false));
        self.stats.borrow_mut().values_mut().for_each(|stats| stats.syncing = false);
        *self.mesh.borrow_mut() = None;
    }

    /// Returns the handle of the mesh, or `None` while the node takes part in no network.
    pub(crate) fn mesh(&self) -> Option<MeshHandle> {
        self.mesh.borrow().clone()
    }

    /// Returns the newest view.
    pub(crate) fn view(&self) -> Ref<'_, MeshView> {
        self.view.borrow()
    }

    /// Returns the recorded numbers of peers: since when (milliseconds since 1970) and how many.
    pub(crate) fn peer_counts(&self) -> Vec<(u64, u64)> {
        self.peer_counts.borrow().iter().map(|(at, peers)| (at.as_millis(), *peers)).collect()
    }

    /// Records the number of peers if it changed.
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
    pub(crate) fn update(&self, view: &MeshView, now: Timestamp) -> ViewChanges {
        let up = |view: &MeshView| view.relays.iter().filter(|relay| relay.kept && relay.connected).count();
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

    /// Records whether a comparison with a peer is under way. Returns whether that changed.
    pub(crate) fn set_syncing(&self, peer: NetPeerId, syncing: bool) -> bool {
        let mut all = self.stats.borrow_mut();
        let stats = all.entry(peer).or_default();
        std::mem::replace(&mut stats.syncing, syncing) != syncing
    }

    /// Counts admitted changes of a peer.
    pub(crate) fn note_brought(&self, peer: NetPeerId, changes: u64) {
        self.stats.borrow_mut().entry(peer).or_default().brought += changes;
    }

    /// Counts a broken rule of a peer.
    pub(crate) fn note_rejection(&self, peer: NetPeerId, why: Rejection) {
        *self.rejections.borrow_mut().entry(why).or_default() += 1;
        *self.stats.borrow_mut().entry(peer).or_default().rejections.entry(why).or_default() += 1;
    }

    /// Returns how often peers broke which rule, since the start.
    pub(crate) fn rejections(&self) -> Ref<'_, BTreeMap<Rejection, u64>> {
        self.rejections.borrow()
    }

    /// Returns the statistics of a peer.
    pub(crate) fn stats(&self, peer: NetPeerId) -> PeerStats {
        self.stats.borrow().get(&peer).cloned().unwrap_or_default()
    }

    /// Counts an own change if no peer is connected to get it.
    pub(crate) fn count_unsent(&self) {
        if self.view.borrow().peers.is_empty() {
            self.unsent.set(self.unsent.get() + 1);
        }
    }

    /// Returns the number of own changes that no peer got yet, as far as is known.
    pub(crate) fn unsent(&self) -> u64 {
        self.unsent.get()
    }

    /// Returns the number of peers with a direct connection.
    pub(crate) fn count(&self) -> u64 {
        self.view.borrow().peers.len() as u64
    }

    /// Returns the peers with a direct connection.
    pub(crate) fn connected(&self) -> Vec<NetPeerId> {
        self.view.borrow().peers.iter().map(|peer| peer.peer).collect()
    }

    /// Dials some of these peers that are not connected. Returns how many were asked for.
    pub(crate) fn connect_to_some(&self, mesh: &MeshHandle, wanted: impl IntoIterator<Item = NetPeerId>) -> u64 {
        let connected = self.connected();
        let me = mesh.local_peer_id();
        let away = wanted.into_iter().filter(|peer| *peer != me && !connected.contains(peer));
        away.take(DIAL_TARGETS_MAX).map(|peer| mesh.connect_to(peer)).count() as u64
    }

    /// Whether a relay is connected.
    pub(crate) fn has_relay(&self) -> bool {
        self.view.borrow().relays.iter().any(|relay| relay.connected)
    }

    /// Returns which of the relays that this node uses are connected.
    pub(crate) fn relays(&self) -> Relays {
        let view = self.view.borrow();
        let used = view.relays.iter().filter(|relay| relay.kept);
        let connected = used.clone().filter(|relay| relay.connected).count();
        match connected {
            0 => Relays::None,
            _ if connected < used.count().min(RELAYS_TARGET) => Relays::Some,
            _ => Relays::Enough,
        }
    }

    /// Whether a comparison with any peer is under way.
    pub(crate) fn is_syncing(&self) -> bool {
        self.stats.borrow().values().any(|stats| stats.syncing)
    }

    /// Returns the state that the page shows in a word.
    pub(crate) fn connection(&self) -> ConnectionState {
        match (&*self.mesh.borrow(), self.count(), self.has_relay()) {
            (None, _, _) => ConnectionState::Alone,
            (_, 0, true) => ConnectionState::Waiting,
            (_, 0, false) => ConnectionState::Offline,
            _ => ConnectionState::Connected,
        }
    }
}
