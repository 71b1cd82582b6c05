//! The network as people and scripts are shown it.

use std::collections::BTreeMap;

use crate::context::Context;
use crate::net::mesh::PeerView;
use crate::peers::PeerTable;
use crate::registry::Registry;
use crate::reputation::{Actor, ReputationTracker};
use gen_registry_api::*;
use gen_registry_core::digest::hex;

/// Everything that is known of relays and peers now. A new peer is listed last, so that rows which are being read stay
/// in place.
pub(crate) fn network_report(
    context: &Context,
    registry: &Registry,
    peers: &PeerTable,
    reputation: &ReputationTracker,
) -> NetworkReport {
    let view = peers.view();
    let relays = view.relays.iter().map(|relay| RelayEntry {
        address: relay.address.clone(),
        used: relay.kept,
        connected: relay.connected,
        reserved: relay.reserved,
    });
    let mut entries: Vec<PeerEntry> = view.peers.iter().map(|peer| peer_entry(peers, reputation, peer)).collect();
    entries.sort_by_key(|peer| peer.since);
    let read_model = registry.read_model();
    let history = read_model.registry().history();
    let (genesis, set) = (history.genesis(), history.set());
    NetworkReport {
        connection: peers.connection(),
        node: peers.mesh().map(|mesh| mesh.local_peer_id().to_string()),
        name: genesis.name.clone(),
        topic: context.network.topic.into(),
        created_at: genesis.created_at.as_millis(),
        for_tests: genesis.parameters.are_for_tests(),
        witnesses: set.witnesses.iter().map(|witness| hex(witness.as_bytes())).collect(),
        threshold: u64::from(set.threshold),
        may_lose: set.may_lose() as u64,
        may_lie: set.may_lie() as u64,
        changes: history.changes().iter().map(|change| change.digest().to_string()).collect(),
        relays: relays.collect(),
        peers: entries,
        unsent: peers.unsent(),
        rejections: rejection_counts(&peers.rejections()),
        left_aside: peers.server_fault(),
        newest: history.newest().to_string(),
        // What only the host of several networks can tell.
        networks: Vec::new(),
        linked: None,
        earlier_profile: false,
    }
}

fn peer_entry(peers: &PeerTable, reputation: &ReputationTracker, peer: &PeerView) -> PeerEntry {
    let stats = peers.stats(peer.peer);
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
        rejections: rejection_counts(&stats.rejections),
        reputation: reputation.report(actor),
        trusted: reputation.is_trusted(&actor),
    }
}

fn rejection_counts(rejections: &BTreeMap<Rejection, u64>) -> Vec<(Rejection, u64)> {
    rejections.iter().map(|(why, count)| (*why, *count)).collect()
}
