//! What only the native program does: serve the built page (with the relay beside it), and finish a build so that it can be served.
//!
//! Nothing here knows what a name or an identity is.

pub mod pack;
pub mod serve;
mod status;
