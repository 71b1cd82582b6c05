//! Talking to other nodes, over rust-libp2p.
//!
//! What stands here is what two nodes must agree on before they exchange a word: the names of their protocols. It
//! knows no name, no identity and no document, and implements no protocol that libp2p has.
//!
//! - the node everybody can reach, for those who can't be reached: `relay` (native only)
//! - direct connections between browsers: [`webrtc`]

#[cfg(not(target_arch = "wasm32"))]
pub mod relay;
pub mod webrtc;

/// What identify says this network speaks.
pub const IDENTIFY_PROTOCOL: &str = "/gen/1";
/// Its own Kademlia: entries of other networks are of no use here, and ours of none there.
pub const KADEMLIA_PROTOCOL: &str = "/gen/kad/1";
