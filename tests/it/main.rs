//! The native tests, one program: what each part promises, seen from outside.

mod layers;
mod pack;
mod serve;
