//! The router's table: which screen is at which address. The addresses are those of [`crate::routes`].

use leptos::prelude::*;
use leptos_router::components::{FlatRoutes, Route, Router};
use leptos_router::{ParamSegment, StaticSegment};

use crate::routes;
use crate::screens::{
    blocklist, channel, channels, devices, guide, home, installed, me, module, modules, network, not_found, notices,
    people, person, publish, settings, statistics, welcome,
};
use crate::widgets::shell::Shell;

/// The frame, and in it the screen of the current address.
#[component]
pub fn App() -> impl IntoView {
    view! {
        <Router>
            <Shell>
                <FlatRoutes fallback=|| view! { <not_found::NotFound /> }>
                    <Route path=StaticSegment("") view=home::Home />
                    <Route path=StaticSegment(routes::WELCOME) view=welcome::Welcome />
                    <Route path=StaticSegment(routes::PEOPLE) view=people::People />
                    <Route path=(StaticSegment(routes::PERSON), ParamSegment("name")) view=person::PersonByName />
                    <Route path=(StaticSegment(routes::IDENTITY), ParamSegment("did")) view=person::PersonByDid />
                    <Route path=StaticSegment(routes::MODULES) view=modules::Modules />
                    <Route path=(StaticSegment(routes::MODULE), ParamSegment("name")) view=module::Module />
                    <Route path=StaticSegment(routes::INSTALLED) view=installed::Installed />
                    <Route path=StaticSegment(routes::PUBLISH) view=publish::Publish />
                    <Route path=StaticSegment(routes::ME) view=me::MyProfile />
                    <Route path=StaticSegment(routes::CHANNELS) view=channels::Channels />
                    <Route path=(StaticSegment(routes::CHANNEL), ParamSegment("name")) view=channel::Channel />
                    <Route
                        path=(
                            StaticSegment(routes::CHANNEL),
                            StaticSegment(routes::MODULE_CHANNEL),
                            ParamSegment("module"),
                        )
                        view=channel::Channel
                    />
                    <Route path=StaticSegment(routes::SETTINGS) view=settings::Settings />
                    <Route path=StaticSegment(routes::NETWORK) view=network::Network />
                    <Route path=StaticSegment(routes::STATISTICS) view=statistics::Statistics />
                    <Route path=StaticSegment(routes::NOTICES) view=notices::Notices />
                    <Route path=StaticSegment(routes::GUIDE) view=guide::Guide />
                    <Route path=(StaticSegment(routes::GUIDE), ParamSegment("page")) view=guide::Guide />
                    <Route path=StaticSegment(routes::DEVICES) view=devices::Devices />
                    <Route path=StaticSegment(routes::BLOCKLIST) view=blocklist::Blocklist />
                </FlatRoutes>
            </Shell>
        </Router>
    }
}
