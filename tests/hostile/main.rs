//! A program that misbehaves towards one node, in one way. It is an example so that nothing ships it.
//!
//! Natively: `hostile-peer ACT TOPIC NAME RELAY…` says what it got out. In a page the same is in the query
//! (`?act=…&topic=…&peer=…&relay=…`), and `globalThis.hostile` says how far it is. It attacks only the victim that is named.
#![allow(clippy::unwrap_used, reason = "a program of tests")]

mod acts;
mod peer;

#[cfg(target_arch = "wasm32")]
mod page;
#[cfg(target_arch = "wasm32")]
use page::attack;
#[cfg(not(target_arch = "wasm32"))]
mod terminal;
#[cfg(not(target_arch = "wasm32"))]
use terminal::attack;

fn main() {
    attack();
}
