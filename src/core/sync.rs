//! The protocols between peers as pure state machines: an input and the time go in, outputs come out.
//!
//! Nothing here does I/O, reads a clock or draws randomness; a host (the node, or a test's swarm) moves the messages.
//!
//! - replication: [`wire`] is the messages, [`version_vector`] what a replica holds, [`session`] the exchange with one
//!   peer
//! - blocks of files by their hash, from several peers: [`blocks`]
//! - presence and channels: [`chat`]
//! - receipts for claims: [`witness`]
//! - replication and receipts of the second format: [`exchange`], [`asking`]
//! - how two browsers come to a direct connection: [`signaling`]
//! - broken rules: [`rejection`]; what follows from them: [`reputation`]
//! - a network that exists only in memory: [`simulator`]

pub mod asking;
pub mod blocks;
pub mod chat;
pub mod exchange;
pub mod rejection;
pub mod reputation;
pub mod session;
pub mod signaling;
pub mod simulator;
pub mod version_vector;
pub mod wire;
pub mod witness;
