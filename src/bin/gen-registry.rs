//! Native entry.
fn main() {}
