#![doc = include_str!("ARCHITECTURE.md")]
//!
//! # This crate
//!
//! Holds the page's programs; everything else is in the crates that it re-exports.

pub use gen_registry_api as api;
pub use gen_registry_core as core;
pub use gen_registry_node as node;
