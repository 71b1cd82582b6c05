//! The native program: serves the built page, with relay, witness and catalogue beside it.
//!
//! It decides nothing about names, and stores nothing of people but what the relay's Kademlia server and the witness
//! keep.
//!
//! - `serve`: start-up, shutdown, and the page; `http`: its listener; `status`: `/network.json`, `/health`, `/metrics`;
//!   `dashboard`: the page for operators; `counts`: what the server counts;
//!   `limits`: what operators may set
//! - `network`: which network it founds, joins or keeps; `keys`: the secret keys of a network in the data folder
//! - `witness`: the witness's files and thread; `catalogue_node`: the node that publishes the starter `catalogue`; `names`:
//!   the file of the relay's Kademlia

pub mod catalogue;
pub mod catalogue_node;
pub mod counts;
mod dashboard;
pub mod http;
pub mod keys;
pub mod limits;
mod names;
pub mod network;
pub mod serve;
pub mod site;
mod status;
pub mod witness;
