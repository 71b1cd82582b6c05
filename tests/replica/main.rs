//! A native node that is asked over its standard input: `replica FOLDER NETWORK QUOTA LIMITS`, an example so that nothing ships
//! it. NETWORK is a file as a server's `/network.json`, QUOTA how many strangers it keeps, and LIMITS its other limits as JSON.
//!
//! Where the network names public nodes, it connects to them; otherwise it listens. Its first line says where. After that each line of the input is a command and each line of the output its
//! answer. It ends with its input.
#![allow(clippy::unwrap_used, reason = "a program of tests")]

#[cfg(target_arch = "wasm32")]
fn main() {}

#[cfg(not(target_arch = "wasm32"))]
mod replica;

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    replica::main();
}
