//! What can be said in the registry, and what follows from it.
//!
//! Pure: no I/O, no clock, no randomness, no async, no platform. Time and entropy arrive as arguments. Everything
//! here gives the same answer on every peer, in whatever order the facts arrived.

pub mod analytics;
pub mod artifact;
pub mod bundle;
pub mod channel;
pub mod digest;
pub mod document;
pub mod encoding;
pub mod fact;
pub mod guide;
pub mod identity;
pub mod index;
pub mod limits;
pub mod lists;
pub mod lockfile;
pub mod markdown;
pub mod modules;
pub mod name;
pub mod ownership;
pub mod picture;
pub mod presence;
pub mod record;
pub mod resolver;
pub mod seal;
pub mod search;
pub mod stamp;
pub mod time;
pub mod validation;
pub mod work;
