//! Puts the page into the document, and the script interface beside it.

use leptos::prelude::*;

use crate::app::App;
use crate::app_state::AppState;
use crate::js_api;
use crate::preferences::Preferences;
use crate::pwa::Pwa;
use gen_registry_api::client::Client;

/// Puts the page in place of the loading screen. Call it once the node runs.
pub fn mount(client: Client) {
    leptos::mount::mount_to_body(move || {
        let app_state = AppState::start(client.clone());
        js_api::install(client, app_state.backup_gate);
        provide_context(app_state);
        provide_context(Preferences::load());
        provide_context(Pwa::listen());
        view! { <App /> }
    });
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
}
