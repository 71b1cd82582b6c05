//! The root of the page: the router's table, and how it is put into the document.

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{ParamSegment, StaticSegment};

use crate::app_state::AppState;
use crate::components::shell::Shell;
use gen_registry_api::client::Client;
use crate::screens::{
    blocklist, channel, channels, guide, home, installed, me, module, modules, network, not_found, notices, people,
    person, publish, settings, statistics, welcome,
};

/// Puts the page in place of the loading screen. Call it once the node runs.
pub fn mount(client: Client) {
    leptos::mount::mount_to_body(move || {
        let app_state = AppState::start(client);
        provide_context(app_state);
        provide_context(crate::preferences::Preferences::load());
        provide_context(crate::pwa::Pwa::listen());
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
