//! The peers with a direct connection, as the host sees them.
//!
//! A peer may have two direct connections for a moment, when both sides dialled at once. It is listed from its first to
//! its last one, so that the host sees neither an end nor a beginning when one of the two is closed.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::{LocalBoxFuture, pending};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use libp2p::PeerId;

use crate::net::mesh::types::PeerView;
use crate::net::transport::Paths;
use gen_registry_api::ConnectionPath;

/// Characters of a peer's agent version that are shown.
const AGENT_MAX_CHARS: usize = 64;

/// A peer with at least one direct connection.
struct ConnectedPeer {
    /// When its first connection was made, in milliseconds.
    since: u64,
    /// Whether this side dialled the first one.
    dialled: bool,
    /// Direct connections. There may be two for a moment.
    connections: usize,
    /// The agent version that identify received, cut to [`AGENT_MAX_CHARS`].
    agent: Option<String>,
    /// The last round trip that ping measured.
    round_trip: Option<Duration>,
    /// The last measurement of the connection's path; pages only.
    path: Option<ConnectionPath>,
    /// Whether a measurement is under way, so that a slow one is not started again at every ping.
    measuring: bool,
}

/// The connected peers and the measurements of their connections.
pub(super) struct ConnectedPeers {
    peers: BTreeMap<PeerId, ConnectedPeer>,
    /// Measures connections, where the platform can.
    paths: Paths,
    /// Measurements under way, one for each peer at most.
    measurements: FuturesUnordered<LocalBoxFuture<'static, (PeerId, Option<ConnectionPath>)>>,
}

impl ConnectedPeers {
    /// Creates an empty list.
    pub(super) fn new(paths: Paths) -> Self {
        Self { peers: BTreeMap::new(), paths, measurements: FuturesUnordered::new() }
    }

    /// Whether there is a direct connection to the peer.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// Returns the connected peers.
    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> {
        self.peers.keys().copied()
    }

    /// Adds a connection. Returns whether it is the first one to this peer.
    pub(super) fn on_connected(&mut self, peer: PeerId, dialled: bool, now: u64) -> bool {
        let state = self.peers.entry(peer).or_insert_with(|| ConnectedPeer {
            since: now,
            dialled,
            connections: 0,
            agent: None,
            round_trip: None,
            path: None,
            measuring: false,
        });
        state.connections += 1;
        state.connections == 1
    }

    /// Removes a connection. Returns how many remain, or `None` if the peer is not listed.
    pub(super) fn on_disconnected(&mut self, peer: &PeerId) -> Option<usize> {
        let state = self.peers.get_mut(peer)?;
        state.connections = state.connections.saturating_sub(1);
        let remaining = state.connections;
        if remaining == 0 {
            self.peers.remove(peer);
        }
        Some(remaining)
    }

    /// Removes a peer although it is connected. Returns whether it was listed.
    pub(super) fn remove(&mut self, peer: &PeerId) -> bool {
        self.peers.remove(peer).is_some()
    }

    /// Stores the agent version of a connected peer.
    pub(super) fn on_identified(&mut self, peer: &PeerId, agent: &str) {
        if let Some(state) = self.peers.get_mut(peer) {
            state.agent = Some(agent.chars().take(AGENT_MAX_CHARS).collect());
        }
    }

    /// Stores a round trip time, and begins to measure the path of the connection.
    pub(super) fn on_pong(&mut self, peer: PeerId, round_trip: Duration) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.round_trip = Some(round_trip);
        if !std::mem::replace(&mut state.measuring, true) {
            let paths = self.paths.clone();
            self.measurements.push(async move { (peer, paths.measure(peer).await) }.boxed_local());
        }
    }

    /// Waits for a measurement and stores it. Never ends while none is under way.
    pub(super) async fn measured(&mut self) {
        let Some((peer, path)) = self.measurements.next().await else { return pending().await };
        if let Some(state) = self.peers.get_mut(&peer) {
            (state.measuring, state.path) = (false, path);
        }
    }

    /// Returns the peers for the host's view.
    pub(super) fn views(&self) -> Vec<PeerView> {
        let views = self.peers.iter().map(|(peer, state)| PeerView {
            peer: (*peer).into(),
            since: state.since,
            dialled: state.dialled,
            agent: state.agent.clone(),
            round_trip: state.round_trip,
            path: state.path,
        });
        views.collect()
    }
}
