//! Connections to other nodes, over rust-libp2p. Independent of names, identities and documents; implements no protocol
//! that libp2p has, but for the server of rendezvous, which has to forget peers that left.
//!
//! - a public server for nodes that can't be dialled: `relay` (native only)
//! - a node among others: [`mesh`]; its key and peer id: [`key`]; its transports: [`transport`]; STUN and TURN servers:
//!   [`ice`]
//! - direct connections between browsers: [`webrtc`]; a browser's connections to relays: `websocket` (browser only) and
//!   its [`buffer`]; restricting a behaviour to direct connections: [`direct`]; statistics of a connection: [`path`]
//! - streams of protocols that are not libp2p's: [`streams`]
//! - look-ups beyond connected peers: [`kademlia`]
//! - multiaddresses: [`address`]
//! - for servers: by what connections are counted, `origin`; room that many share, `shares`; what a proxy says, `forwarded`
//!
//! This file has the protocol names and terms that all nodes must share.

pub mod address;
pub mod buffer;
pub mod direct;
#[cfg(not(target_arch = "wasm32"))]
pub mod forwarded;
pub mod ice;
pub mod kademlia;
pub mod key;
pub mod mesh;
#[cfg(not(target_arch = "wasm32"))]
pub mod origin;
pub mod path;
#[cfg(not(target_arch = "wasm32"))]
pub mod relay;
#[cfg(not(target_arch = "wasm32"))]
pub mod shares;
pub mod streams;
pub mod transport;
pub mod webrtc;
#[cfg(target_arch = "wasm32")]
pub mod websocket;

/// The protocol version that identify sends.
pub const IDENTIFY_PROTOCOL: &str = "/gen/1";
/// A Kademlia of its own: records of other networks are useless here, and the other way round.
pub const KADEMLIA_PROTOCOL: &str = "/gen/kad/1";
/// The most relays of a network at which one node has a place.
pub const RELAYS_MAX: usize = 3;
/// How long a registration at a relay is valid for, in seconds. It is renewed after half of that.
pub const REGISTRATION_SECONDS: u64 = 20 * 60;
/// The agent version that identify sends.
pub const AGENT: &str = concat!("gen-registry/", env!("CARGO_PKG_VERSION"));
