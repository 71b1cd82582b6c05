//! The program for long work and for what only that needs: a page starts it in a worker, once for each job.

#[cfg(target_arch = "wasm32")]
fn main() {
    use gen_registry_node::platform::browser::{job_worker, log};

    log::start();
    job_worker::serve();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This runs in a worker of the page; build it with `trunk build`. The native program is `gen-registry`.");
}
