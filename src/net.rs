//! Talking to other nodes, over rust-libp2p.
//!
//! What stands here is what two nodes must agree on before they exchange a word: the names of their protocols. It
//! knows no name, no identity and no document, and implements no protocol that libp2p has.
//!
//! - the node everybody can reach, for those who can't be reached: `relay` (native only)
//! - direct connections between browsers: [`webrtc`]; how a browser reaches a relay: `websocket` (browser only)
//! - how a node of either kind reaches others: `carrier`; what only uses direct connections: [`direct`]

pub mod address;
pub mod buffer;
pub mod carrier;
pub mod direct;
#[cfg(not(target_arch = "wasm32"))]
pub mod relay;
pub mod webrtc;
#[cfg(target_arch = "wasm32")]
pub mod websocket;

/// What identify says this network speaks.
pub const IDENTIFY_PROTOCOL: &str = "/gen/1";
/// Its own Kademlia: entries of other networks are of no use here, and ours of none there.
pub const KADEMLIA_PROTOCOL: &str = "/gen/kad/1";
