//! libp2p's `webrtc` (browser to browser), true to libp2p/specs: one data channel for each stream.
//!
//! It carries bytes and refuses frames that break the protocol; who may connect is decided elsewhere.

pub mod frame;

#[cfg(target_arch = "wasm32")]
pub mod connection;
#[cfg(target_arch = "wasm32")]
pub mod establish;
#[cfg(target_arch = "wasm32")]
pub mod stream;
