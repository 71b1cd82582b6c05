//! libp2p's `webrtc` transport (browser to browser), as in libp2p/specs: one data channel for each stream.
//!
//! Carries bytes and refuses frames that break the protocol. Which peers may connect is decided elsewhere.
//!
//! - one connection: `connection`, `stream`, [`frame`], [`unread`]; its handshake: [`offer`], `establish` and
//!   [`candidates`], which decides what addresses are tried (and `core::sync::signaling`); its statistics: `statistics`
//! - in a swarm: `transport` dials and listens, `behaviour` finds or dials the relayed connection for each dial, and
//!   `handler` runs the handshake over it; superfluous connections: [`connection_table`]; limits on incoming
//!   handshakes: [`slots`]
//!
//! How one direct connection comes about, from the swarm's dial to the first stream:
//!
//! ```text
//!   Alice's swarm dials /…/p2p/R/p2p-circuit/webrtc/p2p/B
//!     transport   DialRequest ─► behaviour: is there a relayed connection to Bob? if not, dial it
//!     behaviour   Negotiate ─► handler of that connection: open /webrtc-signaling/0.0.1
//!     handler     establish(Offerer) ◄─── offer, answer, candidates ───► establish(Answerer)     Bob's handler
//!     transport   ◄─ Connection                                          IncomingConnection ─►   Bob's transport
//!   2 s later     behaviour: the relayed connection is superfluous, and closed once no handshake uses it
//! ```

pub mod candidates;
pub mod connection_table;
pub mod frame;
pub mod offer;
pub mod slots;
pub mod unread;

#[cfg(target_arch = "wasm32")]
mod behaviour;
#[cfg(target_arch = "wasm32")]
pub mod connection;
#[cfg(target_arch = "wasm32")]
pub mod establish;
#[cfg(target_arch = "wasm32")]
mod handler;
#[cfg(target_arch = "wasm32")]
mod statistics;
#[cfg(target_arch = "wasm32")]
pub mod stream;
#[cfg(target_arch = "wasm32")]
mod transport;

#[cfg(target_arch = "wasm32")]
pub use behaviour::{Behaviour, Config, RELAYED_LINGER, SETTLED_AFTER, new};
#[cfg(target_arch = "wasm32")]
pub use statistics::Paths;
#[cfg(target_arch = "wasm32")]
pub use transport::{DialError, Transport};
