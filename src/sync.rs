//! Talking to peers as pure machines: `State::handle(event, now) -> events`.
//!
//! Nothing here does I/O, asks a clock or draws randomness; a host (the node, or a test's swarm) moves the events.
//!
//! - what is said: [`wire`]; what a replica holds: [`vector`]; one peer: [`session`]
//! - content by its hash, from several peers: [`blocks`]
//! - what peers do wrong: [`rejection`]; what they have earned: [`reputation`]
//! - who is here and what they say: [`talk`]
//! - how two browsers come to a direct connection: [`signal`]
//! - receipts for claims, and how they are asked for: [`witness`]; a network that exists only in memory: [`sim`]

pub mod blocks;
pub mod rejection;
pub mod reputation;
pub mod session;
pub mod signal;
pub mod sim;
pub mod talk;
pub mod vector;
pub mod wire;
pub mod witness;
