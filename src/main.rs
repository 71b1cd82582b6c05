//! The browser program. In a page it starts the node, the JavaScript API and the screens; in a worker it does the one
//! job it was started for.

#[cfg(target_arch = "wasm32")]
fn main() {
    use std::rc::Rc;

    use gen_registry::node::client::Client;
    use gen_registry::node::tabs::Tab;
    use gen_registry::platform::browser::{log, worker};

    log::start();
    if worker::is_worker() {
        worker::serve();
        return;
    }
    let client = Client::new(Rc::new(Tab::open()));
    gen_registry::embed::install(client.clone());
    gen_registry::ui::mount(client);
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {
    eprintln!("This is the browser program; build it with `trunk build`. The native one is `gen-registry`.");
}
