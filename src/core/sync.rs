//! The protocols between peers as pure state machines: an input and the time go in, outputs come out.
//!
//! Nothing here does I/O, reads a clock or draws randomness; a host (the node, or a test's swarm) moves the messages.
//!
//! - replication: [`exchange`] is the comparison with one peer
//! - blocks of files by their hash, from several peers: [`blocks`]
//! - presence and channels: [`chat`]
//! - receipts: [`asking`]
//! - modules that peers know: [`search`]
//! - how two browsers come to a direct connection: [`signaling`]
//! - broken rules: [`rejection`]; what follows from them: [`reputation`]

pub mod asking;
pub mod blocks;
pub mod chat;
pub mod exchange;
pub mod rejection;
pub mod reputation;
pub mod search;
pub mod signaling;
