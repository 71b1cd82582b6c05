//! Gen Registry: a local-first, peer-to-peer registry of usernames and WebAssembly modules that runs in a browser.
//!
//! # Where to start
//! - what is said and signed: [`registry`]; who holds a name: [`registry::ownership`]
//! - how two replicas become one: [`sync::session`]
//! - what can be asked of a running registry: [`node::api`]
//! - the page: `ui`, started by `src/main.rs`; its script interface: `js_api` (both browser only)
//! - the native program: `native`, started by `src/bin/gen-registry.rs`
//! - how nodes reach each other: [`net`]
//!
//! # Layers
//! | layer | may import |
//! |---|---|
//! | [`registry`] | nothing else of the crate; pure |
//! | [`sync`] | registry |
//! | [`platform`] | `registry`'s time values, [`registry::jobs`] and [`registry::search::desk`] |
//! | [`store`] | registry, platform |
//! | [`net`] | [`sync::wire`], [`sync::blocks::wire`], [`sync::signaling`], platform |
//! | [`node`] | registry, sync, store, net, platform; never ui |
//! | `js_api` | `node`'s commands, answers and events |
//! | `ui` | `node`'s commands, answers and events; never store or registry |
//! | `native` | registry, node, store, net, platform |
//!
//! `tests/it/layers.rs` holds this table true, and which module alone may use which foreign crate.

#[cfg(target_arch = "wasm32")]
pub mod js_api;
#[cfg(not(target_arch = "wasm32"))]
pub mod native;
pub mod net;
pub mod node;
pub mod platform;
pub mod registry;
pub mod store;
pub mod sync;
#[cfg(target_arch = "wasm32")]
pub mod ui;
