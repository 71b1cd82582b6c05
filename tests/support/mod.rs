//! What tests share: nodes, relays, people, modules and the ways to disturb them. No test is here.
//!
//! - one profile: `profile` (without a network), `node` (with real libp2p), `clock`, `store`
//! - around it: `network`, `relay`, `relay_client` (a plain libp2p client), `memory_network`, `server` (the real program)
//! - `addresses`: clients of several addresses on one machine
//! - beside one: `neighbour`, which replicates and looks at every page before it admits it
//! - what is said: `people` (facts), `modules` (files and drafts), `pictures`, `crowd` (ten thousand people); `liar`
//! - for a page's store: `records`
//! - many nodes on a simulated network: `simulator`, and `swarm` with its liars
//! - `wait`: running a story and waiting in it; `pipe`: two ends of a stream; `verdicts`: what both platforms must decide

pub mod addresses;
pub mod asker;
pub mod clock;
pub mod liar;
pub mod memory_network;
pub mod modules;
pub mod neighbour;
pub mod network;
pub mod node;
pub mod people;
pub mod pictures;
pub mod pipe;
pub mod profile;
pub mod records;
pub mod relay;
pub mod relay_client;
pub mod server;
pub mod simulator;
pub mod store;
pub mod swarm;
pub mod wait;
