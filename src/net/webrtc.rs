//! libp2p's `webrtc` (browser to browser), true to libp2p/specs: one data channel for each stream.
//!
//! It carries bytes and refuses frames that break the protocol; who may connect is decided elsewhere.

pub mod book;
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
pub mod stream;
#[cfg(target_arch = "wasm32")]
mod transport;

#[cfg(target_arch = "wasm32")]
pub use behaviour::{Behaviour, Config, RELAYED_LINGER, new};
#[cfg(target_arch = "wasm32")]
pub use transport::{DialError, Transport};
