//! The browser program. It starts the node, the JavaScript API and the screens. What is heavy stands in programs
//! of their own (`src/bin/gen-registry-work.rs`, `gen-registry-search.rs`).

#[cfg(target_arch = "wasm32")]
fn main() {
    use std::rc::Rc;

    use gen_registry::node::client::Client;
    use gen_registry::node::tabs::Tab;
    use gen_registry::platform::browser::{log, tabs};

    log::start();
    tabs::stop_at_panic();
    let client = Client::new(Rc::new(Tab::open()));
    gen_registry::js_api::install(client.clone());
    gen_registry::ui::mount(client);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This is the browser program; build it with `trunk build`. The native one is `gen-registry`.");
}
