//! Blocks of files between peers (`/gen/blocks/1`). A block is asked for by its SHA-256 hash and accepted if its bytes
//! have that hash; the sender needs no trust.
//!
//! The side that opens a stream asks, the other one answers; each side opens its own stream to ask.
//!
//! - the messages: [`wire`]; asking several peers at once: [`fetch`]; answering one peer: [`serve`]; how much all peers
//!   together are given: [`upload`]

pub mod fetch;
pub mod serve;
pub mod upload;
pub mod wire;
