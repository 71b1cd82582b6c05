//! What a node travels on: transports, and the behaviours that belong to them. A page and a native program differ
//! here and nowhere else.

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

/// The transport and the two behaviours belong into one swarm.
pub struct TransportStack {
    pub transport: Boxed<(PeerId, StreamMuxerBox)>,
    pub relay: relay::client::Behaviour,
    pub upgrade: Upgrade,
    pub reach: Reachability,
}

/// Where a node on this carrier goes, and is reached.
pub struct Reachability {
    /// Where to listen besides relays' circuits.
    pub listening: Vec<Multiaddr>,
    /// Whether others are reached there directly.
    pub is_direct: fn(&Multiaddr) -> bool,
    /// How a peer that has a place at this relay, whose name ends its address, is reached directly.
    pub circuit: fn(&Multiaddr, PeerId) -> Option<Multiaddr>,
    /// Whether it may go there because somebody said that a question is answered there.
    pub may_ask: fn(&Multiaddr) -> bool,
    /// What is known of the connections that stand.
    pub paths: Paths,
}

#[derive(Clone, Debug, Default)]
pub struct TransportOptions {
    /// Without any, only peers of the same network come together.
    pub ice_servers: Vec<IceServer>,
}
