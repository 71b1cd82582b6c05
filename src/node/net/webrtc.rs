//! libp2p's `webrtc` (browser to browser), true to libp2p/specs: one data channel for each stream.
//!
//! It carries bytes and refuses frames that break the protocol; who may connect is decided elsewhere.
//!
//! - one connection: `connection`, `stream`, [`frame`]; how two come to it: `establish` (and `sync::signaling`); what the
//!   browser counts of it: `statistics`
//! - in a swarm: `transport` is what it dials and listens with, `behaviour` finds the relayed connection for each dial,
//!   `handler` arranges over it; which connections are too many: [`connection_table`]; handshakes of others: [`slots`]

pub mod connection_table;
pub mod frame;
pub mod slots;

#[cfg(target_arch = "wasm32")]
mod behaviour;
#[cfg(target_arch = "wasm32")]
pub mod connection;
#[cfg(target_arch = "wasm32")]
pub mod establish;
#[cfg(target_arch = "wasm32")]
mod handler;
#[cfg(target_arch = "wasm32")]
mod statistics;
#[cfg(target_arch = "wasm32")]
pub mod stream;
#[cfg(target_arch = "wasm32")]
mod transport;

#[cfg(target_arch = "wasm32")]
pub use behaviour::{Behaviour, Config, RELAYED_LINGER, SETTLED_AFTER, new};
#[cfg(target_arch = "wasm32")]
pub use statistics::Paths;
#[cfg(target_arch = "wasm32")]
pub use transport::{DialError, Transport};
