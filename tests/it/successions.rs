//! A network changes its witnesses: what operators type, what they are refused, and what becomes of names.

mod commands;
mod lost_disk;
mod operators;
