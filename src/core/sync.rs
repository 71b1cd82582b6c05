//! ChatPeers to peers as pure machines: `State::handle(event, now) -> events`.
//!
//! Nothing here does I/O, asks a clock or draws randomness; a host (the node, or a test's swarm) moves the events.
//!
//! - what is said: [`wire`]; what a replica holds: [`version_vector`]; one peer: [`session`]
//! - content by its hash, from several peers: [`blocks`]
//! - what peers do wrong: [`rejection`]; what they have earned: [`reputation`]
//! - who is here and what they say: [`chat`]
//! - how two browsers come to a direct connection: [`signaling`]
//! - receipts for claims, and how they are asked for: [`witness`]; a network that exists only in memory: [`simulator`]

pub mod blocks;
pub mod chat;
pub mod rejection;
pub mod reputation;
pub mod session;
pub mod signaling;
pub mod simulator;
pub mod version_vector;
pub mod wire;
pub mod witness;
