//! Gen Registry: a local-first, peer-to-peer registry of usernames and WebAssembly modules that runs in a browser.
//!
//! This crate holds the page's programs; everything else is in the crates that it re-exports.

pub use gen_registry_api as api;
pub use gen_registry_core as core;
pub use gen_registry_node as node;
