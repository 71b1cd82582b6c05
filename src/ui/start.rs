//! Puts the page into the document.

use leptos::prelude::*;

use crate::app::App;
use crate::app_state::AppState;
use crate::preferences::Preferences;
use crate::pwa::Pwa;
use gen_registry_api::client::Client;

/// Puts the page in place of the loading screen. Call it once the node runs.
pub fn mount(client: Client) {
    leptos::mount::mount_to_body(move || {
        provide_context(AppState::start(client));
        provide_context(Preferences::load());
        provide_context(Pwa::listen());
        view! { <App /> }
    });
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
}
