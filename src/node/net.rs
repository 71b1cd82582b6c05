//! ChatPeers to other nodes, over rust-libp2p.
//!
//! Protocol names that both peers must share. It
//! knows no name, no identity and no document, and implements no protocol that libp2p has.
//!
//! - the node everybody can reach, for those who can't be reached: `relay` (native only)
//! - a node among others: [`mesh`]; who it is: [`key`]; what it travels on: [`transport`];
//!   who helps it through: [`ice`]
//! - direct connections between browsers: [`webrtc`]; how a browser reaches a relay: `websocket` (browser only); what
//!   only uses direct connections: [`direct`]; which way one goes: [`path`]
//! - streams of protocols that are not libp2p's: [`streams`]
//! - looking things up beyond the neighbourhood: [`kademlia`]

pub mod address;
pub mod buffer;
pub mod direct;
pub mod ice;
pub mod kademlia;
pub mod key;
pub mod mesh;
pub mod path;
#[cfg(not(target_arch = "wasm32"))]
pub mod relay;
pub mod streams;
pub mod transport;
pub mod webrtc;
#[cfg(target_arch = "wasm32")]
pub mod websocket;

/// What identify says this network speaks.
pub const IDENTIFY_PROTOCOL: &str = "/gen/1";
/// Its own Kademlia: entries of other networks are of no use here, and ours of none there.
pub const KADEMLIA_PROTOCOL: &str = "/gen/kad/1";
/// How long a node asks a relay to list it, in seconds. It says so again after half of it.
pub const REGISTRATION_SECONDS: u64 = 20 * 60;
/// What a node calls its program when others ask.
pub const AGENT: &str = concat!("gen-registry/", env!("CARGO_PKG_VERSION"));
