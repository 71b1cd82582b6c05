//! What is true about the network and the store right now, in two words; and in a popover, what that means.

use leptos::ev;
use leptos::prelude::*;

use crate::node::api::Status;
use crate::ui::components::icon::{Icon, icon};
use crate::ui::session::session;
use crate::ui::{dom, text};

#[component]
pub fn StatusChip() -> impl IntoView {
    let session = session();
    let online = RwSignal::new(dom::maybe_online());
    let gone = window_event_listener(ev::offline, move |_| online.set(false));
    let back = window_event_listener(ev::online, move |_| online.set(true));
    on_cleanup(move || {
        gone.remove();
        back.remove();
    });
    let peers = move || session.status.with(|status| status.as_ref().map_or(0, |status| status.peers));
    let words = move || match (peers(), online.get()) {
        (0, false) => "Offline".to_owned(),
        (0, true) => "No peers".to_owned(),
        (peers, _) => text::count(peers, "peer", "peers"),
    };
    let mark = move || match (peers(), online.get()) {
        (0, false) => Icon::Offline,
        (0, true) => Icon::Device,
        _ => Icon::Peers,
    };
    view! {
        <button
            type="button"
            class="status-chip"
            popovertarget="status-popover"
            data-testid="status-chip"
            data-connected=move || (peers() > 0).to_string()
            on:click=move |_| session.refresh_status()
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
                    if peers() > 0 {
                        "What you change is saved on this device and offered to the peers connected now."
                    } else {
                        "Nothing is lost: what you change is saved on this device, and reading works without any network."
                    }
                }}
            </p>
            {move || session.status.get().map(facts)}
        </div>
    }
}

fn facts(status: Status) -> impl IntoView {
    let used = match (status.storage_used, status.storage_quota) {
        (Some(used), Some(quota)) => format!("{} of {}", text::size(used), text::size(quota)),
        (Some(used), None) => text::size(used),
        _ => "The browser does not tell".to_owned(),
    };
    let kept = match status.persisted {
        Some(true) => "Yes",
        Some(false) => "Not promised",
        None => "The browser does not tell",
    };
    let rows = [
        ("Names known here", text::number(status.names)),
        ("Other people’s registries", text::number(status.registries)),
        ("Storage used", used),
        ("Kept for good", kept.to_owned()),
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
