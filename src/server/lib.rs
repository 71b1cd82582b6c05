//! What only the native program does: serve the built page (with relay, witness and catalogue beside it), and finish a build
//! so that it can be served.
//!
//! Nothing here decides about names.

pub mod catalogue;
pub mod catalogue_node;
pub mod serve;
mod status;
pub mod witness;
