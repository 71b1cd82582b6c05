//! What is true about the network and the store right now, in two words; and in a popover, what that means.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::routes;
use crate::text;
use gen_registry_api::{ConnectionState, Status};

/// A button with the state of the connection; it opens the popover and asks for the status again.
#[component]
pub fn StatusChip() -> impl IntoView {
    let app_state = app_state();
    let network = move || {
        let status = app_state.live.status.get();
        status.map_or((ConnectionState::Alone, 0, false), |status| (status.connection, status.peers, status.syncing))
    };
    let words = move || match network() {
        (ConnectionState::Connected, _, true) => "Syncing".to_owned(),
        (ConnectionState::Connected, peers, false) => text::format_count(peers, "peer", "peers"),
        (ConnectionState::Waiting, ..) => "No peers".to_owned(),
        (ConnectionState::Offline | ConnectionState::Alone, ..) => "Offline".to_owned(),
    };
    let mark = move || match network() {
        (ConnectionState::Connected, _, true) => Icon::Refresh,
        (ConnectionState::Connected, ..) => Icon::Peers,
        (ConnectionState::Waiting, ..) => Icon::Device,
        (ConnectionState::Offline | ConnectionState::Alone, ..) => Icon::Offline,
    };
    let connected = move || network().0 == ConnectionState::Connected;
    view! {
        <button
            type="button"
            class="status-chip"
            popovertarget="status-popover"
            data-testid="status-chip"
            data-connected=move || connected().to_string()
            on:click=move |_| app_state.refresh_status()
        >
            {move || icon(mark())}
            <span class="status-words">{words}</span>
        </button>
        <div class="popover" id="status-popover" popover="auto" role="group" aria-label="Store and network">
            <p>
                <strong>{words}</strong>
            </p>
            <p>
                {move || {
                    if connected() {
                        "What you change is saved on this device and offered to the peers connected now."
                    } else {
                        "Nothing is lost: what you change is saved on this device, and reading works without any network."
                    }
                }}
            </p>
            {move || app_state.live.status.get().map(render_facts)}
            <p>
                <a href=routes::NETWORK>"Peers and relays"</a> " · " <a href=routes::BLOCKLIST>"Blocklist"</a>
            </p>
        </div>
    }
}

/// What is stored here, how much room it takes, and whether this tab writes.
fn render_facts(status: Status) -> impl IntoView {
    let used = match (status.storage_used, status.storage_quota) {
        (Some(used), Some(quota)) => format!("{} of {}", text::format_size(used), text::format_size(quota)),
        (Some(used), None) => text::format_size(used),
        _ => "The browser does not tell".to_owned(),
    };
    let persisted = match status.persisted {
        Some(true) => "Yes",
        Some(false) => "Not promised",
        None => "The browser does not tell",
    };
    let rows = [
        ("Names known here", text::format_number(status.names)),
        ("Other people’s registries", text::format_number(status.registries)),
        ("Storage used", used),
        ("Kept for good", persisted.to_owned()),
        ("This tab", if status.writer { "Writes" } else { "Shows; another tab writes" }.to_owned()),
    ];
    view! {
        <dl class="facts">
            {rows
                .into_iter()
                .map(|(name, value)| {
                    view! {
                        <div>
                            <dt>{name}</dt>
                            <dd>{value}</dd>
                        </div>
                    }
                })
                .collect_view()}
        </dl>
    }
}
