//! The page's program. Starts the node, the screens and the script interface. What is heavy runs in programs
//! of their own (`src/bin/job_worker.rs`, `src/bin/search_worker.rs`).

#[cfg(target_arch = "wasm32")]
fn main() {
    use std::rc::Rc;

    use gen_registry_api::client::Client;
    use gen_registry_node::platform::browser::{log, tabs};
    use gen_registry_node::tabs::Tab;

    log::start();
    tabs::stop_at_panic();
    gen_registry_ui::mount(Client::new(Rc::new(Tab::open())));
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This is the browser program; build it with `trunk build`. The native one is `gen-registry`.");
}
