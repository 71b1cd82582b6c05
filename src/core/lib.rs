//! What can be said in the registry, and what follows from it: statements, documents, the rules over them, and the
//! protocols between peers.
//!
//! Pure: no I/O, no clock, no randomness, no async, no platform. Time and entropy arrive as arguments. Everything here
//! gives the same answer on every peer, in whatever order the facts arrived.
//!
//! # Where to start
//! - Trust: [`network`] says who witnesses, [`keys`] and [`statement`] who speaks for an identity.
//! - What is said: [`log`] has the entries and how they follow each other, [`canonical`] fixes the bytes, [`document`] holds
//!   what may change, [`signed`] what is said for a while.
//! - Witnesses: [`slot`] and [`receipt`] are what they sign, [`book`] what they may sign now.
//! - What follows: [`registry`] with [`standing`] and [`outcome`] decides who acts for whom and who holds a name, [`modules`]
//!   which releases count, [`resolver`] which versions fit together. [`read_model`] answers questions about it all.
//! - Protocols: [`sync`] has one state machine for each; [`presence`] and [`chat`] hold what its chat protocol carries.
//! - Bounds: [`limits`] names those that all peers share, [`node_limits`] those that a node is started with.
//!
//! State machines have one shape: `handle(input, now)` returns outputs. The caller owns the clock, the store and the
//! sockets, so a test can replay any order of events.

#[cfg(any(test, feature = "actors"))]
pub mod actors;
pub mod archive;
pub mod artifact;
#[cfg(test)]
mod attacks;
pub mod block_list;
pub mod book;
pub mod canonical;
pub mod chat;
pub mod device_request;
pub mod digest;
pub mod document;
mod few;
#[cfg(test)]
mod format;
pub mod guide;
pub mod identity;
pub mod jobs;
pub mod keys;
pub mod limits;
pub mod list_keys;
pub mod lockfile;
pub mod log;
pub mod markdown;
pub mod modules;
pub mod name;
pub mod name_proof;
pub mod network;
pub mod node_limits;
pub mod outcome;
pub mod picture;
pub mod presence;
pub mod proof_of_work;
pub mod random;
pub mod read_model;
pub mod receipt;
pub mod registry;
pub mod resolver;
pub mod retention;
pub mod ring;
pub mod sealing;
#[cfg(feature = "search")]
pub mod search;
pub mod signed;
pub mod slot;
pub mod standing;
pub mod statement;
pub mod statistics;
pub mod sync;
pub mod time;
pub mod validation;
pub mod visible_text;
