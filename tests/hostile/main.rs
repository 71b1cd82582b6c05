//! A program that misbehaves towards one node, in one way. It is an example so that nothing ships it.
//!
//! Natively: `hostile-peer ACT TOPIC NAME RELAY…` says what it got out, and `hostile-peer ACT ADDRESS FROM COUNT` attacks a
//! server. In a page the same is in the query (`?act=…&topic=…&peer=…&count=…&relay=…`), and `globalThis.hostile` says how far
//! it is. It attacks only the victim that is named.
#![allow(clippy::unwrap_used, reason = "a program of tests")]

mod acts;
mod answers;
mod crowd;
mod floods;
mod peer;
mod siege;

#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
use page::{attack, crowd_bytes, crowd_entries, now, run_beside};
#[cfg(not(target_arch = "wasm32"))]
#[path = "../support/addresses.rs"]
#[allow(dead_code, reason = "stories use the rest")]
mod addresses;
#[cfg(not(target_arch = "wasm32"))]
mod crowd_files;
#[cfg(not(target_arch = "wasm32"))]
use crowd_files::{crowd_bytes, crowd_entries};
#[cfg(not(target_arch = "wasm32"))]
mod server;
#[cfg(not(target_arch = "wasm32"))]
mod signaling;
#[cfg(not(target_arch = "wasm32"))]
mod terminal;
#[cfg(not(target_arch = "wasm32"))]
use terminal::{attack, now, run_beside};

fn main() {
    attack();
}
