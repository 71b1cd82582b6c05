//! A network of the size of a town, made beforehand and served by native nodes of one process, for measuring what a page
//! makes of it. An example so that nothing ships it:
//!
//! ```text
//! town make  FOLDER PEOPLE MODULES   makes the people and the nodes' profiles; FOLDER/server has the founded network
//! town serve FOLDER NETWORK          runs the nodes until its input ends; NETWORK is a server's /network.json
//! ```
//!
//! The people's names are confirmed with the key of the network's witness. `nodes.json` says where the nodes will listen, and
//! `names.txt` and `modules.txt` what can be looked up.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a program of tests")]

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod town;

#[cfg(not(target_arch = "wasm32"))]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    town::main()
}
