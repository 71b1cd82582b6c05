//! The native tests, one program: what each part promises, seen from outside.
#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

/// Two hundred nodes in one process spend a third of their time in the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod admission;
mod announcements;
mod breaking_points;
mod catalogue;
mod checkpoints;
mod conflicts;
mod content;
mod convergence;
mod crowd;
mod devices;
mod direct;
mod figures;
mod forked;
#[cfg(unix)]
mod front_running;
mod guests;
mod guide;
mod held;
mod hostile;
mod installing;
mod layers;
mod limits;
mod lookup;
mod map;
mod mesh;
mod modules;
mod networks;
mod opinions;
mod pack;
mod packages;
mod pool_figures;
mod prepared;
mod presence;
mod private_lists;
mod profile;
mod publishing;
mod relay;
mod relay_pool;
mod replication;
mod requirements;
mod resolver;
mod retention;
mod rounds;
mod safety;
mod searching;
mod serve;
mod simulator;
mod statistics;
mod stored_keys;
mod stores;
mod streams;
mod successions;
#[path = "../support/mod.rs"]
mod support;
mod talk;
mod tampered;
mod thief;
mod typings;
mod verdicts;
mod work;
mod wrong_clock;
