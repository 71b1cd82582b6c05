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
use libp2p::{PeerId, relay};

use crate::net::ice::IceServer;

/// The three belong into one swarm.
pub struct Carrier {
    pub transport: Boxed<(PeerId, StreamMuxerBox)>,
    pub relay: relay::client::Behaviour,
    pub upgrade: Upgrade,
}

#[derive(Clone, Debug, Default)]
pub struct CarrierOptions {
    /// Without any, only peers of the same network come together.
    pub ice_servers: Vec<IceServer>,
}
