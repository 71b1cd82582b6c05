//! The transports of a node, and the behaviours that belong to them: the only place in `net` where a page and a native
//! program differ.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
pub use browser::*;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
pub use native::*;

use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::{Multiaddr, PeerId, relay};

use crate::net::ice::IceServer;
use gen_registry_core::node_limits::NodeLimits;

/// A transport and the two behaviours that must be in the same swarm.
pub struct TransportStack {
    /// The transport itself: yields authenticated, multiplexed connections.
    pub transport: Boxed<(PeerId, StreamMuxerBox)>,
    /// The client of circuit relay v2, which the relayed part of the transport needs.
    pub relay: relay::client::Behaviour,
    /// The behaviour that makes direct connections of relayed ones; a native node needs none.
    pub upgrade: Upgrade,
    /// Where this node dials, and how it is reached.
    pub reachability: Reachability,
}

/// Where a node with this transport dials, and how it is reached.
pub struct Reachability {
    /// Listening addresses, besides relayed ones.
    pub listening: Vec<Multiaddr>,
    /// Whether this is the address of a direct connection.
    pub is_direct: fn(&Multiaddr) -> bool,
    /// Returns how a peer with a reservation at this relay, whose peer id ends its address, is reached directly.
    pub circuit: fn(&Multiaddr, PeerId) -> Option<Multiaddr>,
    /// Whether a Kademlia query may dial an address that another peer reported.
    pub may_query: fn(&Multiaddr) -> bool,
    /// Measures the paths of open connections.
    pub paths: Paths,
}

/// What the transport is configured with.
#[derive(Clone, Debug, Default)]
pub struct TransportOptions {
    /// STUN and TURN servers. Without any, only peers of the same local network can connect.
    pub ice_servers: Vec<IceServer>,
    /// What the node bounds for itself.
    pub limits: NodeLimits,
}
