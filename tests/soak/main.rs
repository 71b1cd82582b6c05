//! The relay under the load of a hundred browsers that come and go: `make soak-relay CLIENTS=100 MINUTES=30`.
//!
//! It starts the real program, as `PROGRAM` names it, and clients over WebSocket that do what a page does but for WebRTC.
//! Each lives one to three minutes (`LIFE`); profiles come back. It prints what the relay's process takes, and whether that levels out.
#![allow(clippy::unwrap_used, reason = "a program of tests")]

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod client;
#[cfg(not(target_arch = "wasm32"))]
mod measure;
#[cfg(not(target_arch = "wasm32"))]
mod soak;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    soak::main();
}
