//! How a node reaches others: the transports of its platform, and what turns relayed connections into direct ones.
//!
//! Both platforms give the same names. It speaks no protocol of the network and decides nothing.

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
pub use browser::{Carrier, CarrierError, CarrierOptions, Upgrade, listening, open, swarm_config};
