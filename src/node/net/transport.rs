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

/// A transport and the two behaviours that must be in the same swarm.
pub struct TransportStack {
    pub transport: Boxed<(PeerId, StreamMuxerBox)>,
    pub relay: relay::client::Behaviour,
    pub upgrade: Upgrade,
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

#[derive(Clone, Debug, Default)]
pub struct TransportOptions {
    /// STUN and TURN servers. Without any, only peers of the same local network can connect.
    pub ice_servers: Vec<IceServer>,
}
