//! The running registry: commands in, answers and events out.
pub mod api;
pub mod client;
pub mod failure;
