//! What only the native program does: serve the built page (with the relay and the witness beside it), and finish a build
//! so that it can be served.
//!
//! Nothing here decides about names.

pub mod pack;
pub mod serve;
mod status;
pub mod witness;
