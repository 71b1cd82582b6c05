//! The page: shows the node's answers and sends it commands.
//!
//! It decides nothing about names, keys or documents, and reaches them only through [`gen_registry_api::client::Client`].

#![cfg(target_arch = "wasm32")]

mod action;
mod app_state;
mod components;
mod dom;
pub mod js_api;
mod keys;
mod lock_gate;
mod notify;
mod picture;
mod preferences;
mod pwa;
mod query;
mod reactive;
mod screens;
mod text;
mod time;

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{ParamSegment, StaticSegment};

use app_state::AppState;
use components::shell::Shell;
use gen_registry_api::client::Client;
use screens::{
    blocklist, channel, channels, guide, home, installed, me, module, modules, network, not_found, notices, people,
    person, publish, settings, statistics, welcome,
};

/// Puts the page in place of the loading screen. Call it once the node runs.
pub fn mount(client: Client) {
    leptos::mount::mount_to_body(move || {
        let app_state = AppState::start(client);
        provide_context(app_state);
        provide_context(preferences::Preferences::load());
        provide_context(pwa::Pwa::listen());
        view! { <App /> }
    });
    if let Some(boot) = document().get_element_by_id("boot") {
        boot.remove();
    }
}

#[component]
fn App() -> impl IntoView {
    view! {
        <Router>
            <Shell>
                <FlatRoutes fallback=|| view! { <not_found::NotFound /> }>
                    <Route path=StaticSegment("") view=home::Home />
                    <Route path=StaticSegment("welcome") view=welcome::Welcome />
                    <Route path=StaticSegment("people") view=people::People />
                    <Route path=(StaticSegment("u"), ParamSegment("name")) view=person::PersonByName />
                    <Route path=(StaticSegment("id"), ParamSegment("did")) view=person::PersonByDid />
                    <Route path=StaticSegment("modules") view=modules::Modules />
                    <Route path=(StaticSegment("m"), ParamSegment("name")) view=module::Module />
                    <Route path=StaticSegment("installed") view=installed::Installed />
                    <Route path=StaticSegment("publish") view=publish::Publish />
                    <Route path=StaticSegment("me") view=me::MyProfile />
                    <Route path=StaticSegment("channels") view=channels::Channels />
                    <Route path=(StaticSegment("c"), ParamSegment("name")) view=channel::Channel />
                    <Route path=(StaticSegment("c"), StaticSegment("module"), ParamSegment("module")) view=channel::Channel />
                    <Route path=StaticSegment("settings") view=settings::Settings />
                    <Route path=StaticSegment("network") view=network::Network />
                    <Route path=StaticSegment("statistics") view=statistics::Statistics />
                    <Route path=StaticSegment("notices") view=notices::Notices />
                    <Route path=StaticSegment("guide") view=guide::Guide />
                    <Route path=(StaticSegment("guide"), ParamSegment("page")) view=guide::Guide />
                    <Route path=StaticSegment("blocklist") view=blocklist::Blocklist />
                </FlatRoutes>
            </Shell>
        </Router>
    }
}
