//! What can be said in the registry, and what follows from it.
//!
//! Pure: no I/O, no clock, no randomness, no async, no platform. Time and entropy arrive as arguments. Everything
//! here gives the same answer on every peer, in whatever order the facts arrived.

pub mod archive;
pub mod artifact;
pub mod block_list;
pub mod canonical;
pub mod chat;
pub mod digest;
pub mod document;
pub mod fact;
pub mod guide;
pub mod identity;
pub mod jobs;
pub mod limits;
pub mod lockfile;
pub mod markdown;
pub mod modules;
pub mod name;
pub mod name_proof;
pub mod ownership;
pub mod picture;
pub mod presence;
pub mod proof_of_work;
pub mod read_model;
pub mod resolver;
pub mod sealing;
#[cfg(feature = "search")]
pub mod search;
pub mod statistics;
pub mod sync;
pub mod time;
pub mod validation;
