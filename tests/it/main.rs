//! The native tests, one program: what each part promises, seen from outside.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

/// Two hundred nodes in one process spend a third of their time in the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod admission;
mod claims;
mod convergence;
mod crowd;
mod direct;
mod layers;
mod mesh;
mod ownership;
mod pack;
mod people;
mod profile;
mod relay;
mod replication;
mod serve;
mod stores;
mod swarm;
mod verdicts;
mod witness;
