//! A page that only gives and fetches files, for measuring (`make bench-blocks`): the node, the store and the network are
//! the real ones, there are no screens. An example, so that nothing ships it.

#[cfg(target_arch = "wasm32")]
mod page;

/// In a page everything begins with a call from its script.
fn main() {}
