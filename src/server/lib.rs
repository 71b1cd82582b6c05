//! The native program: serves the built page, with relay, witness and catalogue beside it.
//!
//! It decides nothing about names, and stores nothing of people but what the relay's Kademlia server and the witness
//! keep.
//!
//! - `serve`: start-up, shutdown, and HTTP; `status`: `/network.json`, `/health`, `/metrics`
//! - `witness`: the witness's files and thread; `catalogue_node`: the node that publishes the starter `catalogue`

pub mod catalogue;
pub mod catalogue_node;
pub mod serve;
pub mod site;
mod status;
pub mod witness;
