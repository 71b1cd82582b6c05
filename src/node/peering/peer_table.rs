//! What is known of peers and relays, for people and scripts.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::Node;
use crate::net::key::NetPeerId;
use crate::net::mesh::{MeshHandle, MeshView};
use crate::network::ParametersError;
use crate::reputation::Actor;
use gen_registry_api::*;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::session::budget::PassingOn;
use gen_registry_core::time::Timestamp;

/// Peers whose statistics are remembered.
const PEERS_REMEMBERED: usize = 256;

#[derive(Default)]
pub(crate) struct PeerTable {
    mesh: Option<MeshHandle>,
    view: MeshView,
    stats: BTreeMap<NetPeerId, PeerStats>,
    rejections: BTreeMap<Rejection, u64>,
    unsent: u64,
    passing_on: PassingOn,
    server: Option<ParametersError>,
    /// How many peers there were, and since when.
    peer_counts: VecDeque<(Timestamp, u64)>,
}

/// Of changes that follow each other sooner, the last is noted.
const PEER_COUNTS_EVERY: Duration = Duration::from_secs(60);
const PEER_COUNTS_MAX: usize = 240;

#[derive(Default)]
struct PeerStats {
    syncing: bool,
    brought: u64,
    rejections: BTreeMap<Rejection, u64>,
}

/// What a new view brought.
pub(super) struct ViewChanges {
    pub(super) known_changed: bool,
    pub(super) relay_came: bool,
}

impl PeerTable {
    pub(super) fn join(&mut self, mesh: MeshHandle) {
        self.mesh = Some(mesh);
    }

    /// Whether that is something else than before.
    pub(super) fn note_server(&mut self, fault: Option<ParametersError>) -> bool {
        std::mem::replace(&mut self.server, fault) != fault
    }

    pub(super) fn leave(&mut self) {
        self.view.peers.clear();
        self.view.relays.iter_mut().for_each(|relay| (relay.connected, relay.reserved) = (false, false));
        self.stats.values_mut().for_each(|stats| stats.syncing = false);
        self.mesh = None;
    }

    pub(crate) fn mesh(&self) -> Option<MeshHandle> {
        self.mesh.clone()
    }

    pub(crate) fn peer_counts(&self) -> impl Iterator<Item = (u64, u64)> {
        self.peer_counts.iter().map(|(at, peers)| (at.as_millis(), *peers))
    }

    fn count_peers(&mut self, now: Timestamp) {
        let peers = self.view.peers.len() as u64;
        match self.peer_counts.back_mut() {
            Some((_, last)) if *last == peers => {}
            Some((at, last)) if at.plus(PEER_COUNTS_EVERY) > now => *last = peers,
            _ => self.peer_counts.push_back((now, peers)),
        }
        if self.peer_counts.len() > PEER_COUNTS_MAX {
            self.peer_counts.pop_front();
        }
    }

    pub(super) fn take_in(&mut self, view: &MeshView, now: Timestamp) -> ViewChanges {
        let up = |view: &MeshView| view.relays.iter().filter(|relay| relay.connected).count();
        let news = ViewChanges {
            known_changed: self.view.remembered_peers != view.remembered_peers && !view.remembered_peers.is_empty(),
            relay_came: up(view) > up(&self.view),
        };
        self.view = view.clone();
        self.count_peers(now);
        let here = |peer: &NetPeerId| view.peers.iter().any(|known| known.peer == *peer);
        if self.stats.len() > PEERS_REMEMBERED {
            self.stats.retain(|peer, _| here(peer));
        }
        self.stats.iter_mut().filter(|(peer, _)| !here(peer)).for_each(|(_, stats)| stats.syncing = false);
        if !view.peers.is_empty() {
            // Their first comparison brings them what they missed.
            self.unsent = 0;
        }
        news
    }

    pub(super) fn set_syncing(&mut self, peer: NetPeerId, syncing: bool) -> bool {
        let stats = self.stats.entry(peer).or_default();
        std::mem::replace(&mut stats.syncing, syncing) != syncing
    }

    pub(super) fn note_brought(&mut self, peer: NetPeerId, changes: u64) {
        self.stats.entry(peer).or_default().brought += changes;
    }

    pub(crate) fn note_rejection(&mut self, peer: NetPeerId, why: Rejection) {
        *self.rejections.entry(why).or_default() += 1;
        *self.stats.entry(peer).or_default().rejections.entry(why).or_default() += 1;
    }

    pub(super) fn may_pass_on(&mut self, now: Timestamp) -> bool {
        self.passing_on.takes_one(now)
    }

    pub(super) fn count_unsent(&mut self) {
        if self.view.peers.is_empty() {
            self.unsent += 1;
        }
    }

    pub(crate) fn peers(&self) -> u64 {
        self.view.peers.len() as u64
    }

    /// Everybody with a direct connection.
    pub(crate) fn connected(&self) -> Vec<NetPeerId> {
        self.view.peers.iter().map(|peer| peer.peer).collect()
    }

    pub(crate) fn has_relay(&self) -> bool {
        self.view.relays.iter().any(|relay| relay.connected)
    }

    pub(crate) fn is_syncing(&self) -> bool {
        self.stats.values().any(|stats| stats.syncing)
    }

    pub(crate) fn connection(&self) -> ConnectionState {
        match (&self.mesh, self.view.peers.is_empty(), self.has_relay()) {
            (None, _, _) => ConnectionState::Alone,
            (_, false, _) => ConnectionState::Connected,
            (_, true, true) => ConnectionState::Waiting,
            (_, true, false) => ConnectionState::Offline,
        }
    }

    fn peer_entries(&self, node: &Node) -> Vec<PeerEntry> {
        let none = PeerStats::default();
        let entry = |peer: &crate::net::mesh::PeerView| {
            let stats = self.stats.get(&peer.peer).unwrap_or(&none);
            let actor = Actor::Peer(peer.peer);
            PeerEntry {
                id: peer.peer.to_string(),
                since: peer.since,
                dialled: peer.dialled,
                agent: peer.agent.clone(),
                round_trip_millis: peer.round_trip.map(|time| time.as_secs_f64() * 1_000.0),
                path: peer.path,
                syncing: stats.syncing,
                brought: stats.brought,
                rejections: told(&stats.rejections),
                reputation: node.reputation(actor),
                trusted: node.is_trusted(&actor),
            }
        };
        let mut entries: Vec<PeerEntry> = self.view.peers.iter().map(entry).collect();
        // A new peer is listed last, so rows that are being read stay in place.
        entries.sort_by_key(|peer| peer.since);
        entries
    }
}

fn told(rejections: &BTreeMap<Rejection, u64>) -> Vec<(String, u64)> {
    rejections.iter().map(|(why, count)| (why.to_string(), *count)).collect()
}

impl Node {
    pub(crate) fn network_report(&self) -> NetworkReport {
        let known = self.peering.borrow();
        let relays = known.view.relays.iter().map(|relay| RelayEntry {
            address: relay.address.clone(),
            connected: relay.connected,
            reserved: relay.reserved,
        });
        NetworkReport {
            connection: known.connection(),
            node: known.mesh.as_ref().map(|mesh| mesh.local_peer_id().to_string()),
            topic: self.network.topic.into(),
            witnesses: self.network.rules.witnesses.iter().map(ToString::to_string).collect(),
            threshold: self.network.rules.threshold as u64,
            relays: relays.collect(),
            peers: known.peer_entries(self),
            unsent: known.unsent,
            rejections: told(&known.rejections),
            left_aside: known.server.map(|fault| fault.to_string()),
        }
    }

    pub(crate) fn retry_connections(&self) -> NetworkReport {
        if let Some(mesh) = self.peering.borrow().mesh() {
            mesh.retry_connections();
        }
        self.network_report()
    }
}
