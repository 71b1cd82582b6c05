//! Content between peers, in `/gen/blocks/1`: blocks are asked for by their hash, and believed by nothing else.
//!
//! The side that opens a stream asks, the other one answers; each side opens its own stream to ask.
//!
//! - what is said: [`wire`]; from several peers at once: [`fetch`]; to one peer: [`serve`]

pub mod fetch;
pub mod serve;
pub mod wire;
