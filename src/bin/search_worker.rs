//! The search index's own program: a page starts it in a worker at its first search.

#[cfg(target_arch = "wasm32")]
fn main() {
    use gen_registry_node::platform::browser::{log, search_worker};

    log::start();
    search_worker::serve();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This runs in a worker of the page; build it with `trunk build`. The native program is `gen-registry`.");
}
