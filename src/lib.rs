//! Gen Registry: a local-first, peer-to-peer registry of usernames and WebAssembly modules that runs in a browser.
//!
//! # Where to start
//! - what is said and signed: [`registry`]; who holds a name: `registry::ownership`
//! - what can be asked of a running registry: [`node::api`]
//! - the page: `ui` (browser only); the native program: `src/bin/gen-registry.rs`
//!
//! # Layers
//! | layer | may import |
//! |---|---|
//! | [`registry`] | nothing else of the crate |
//! | `platform` | `registry` time values only |
//! | `store` | registry, platform |
//! | [`node`] | registry, store, platform; never ui |
//! | `ui` | `node`'s commands, answers and events; never store |
//! | `bin` | node, store |
//!
//! `tests/it/layers.rs` holds this table true.

#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod node;
pub mod registry;
#[cfg(target_arch = "wasm32")]
pub mod ui;
