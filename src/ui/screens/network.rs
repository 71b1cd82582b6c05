//! The peers and relays of this device, and what its network is.

mod genesis;
mod steps;

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::network::describe_peer;
use crate::model::sentences::describe_rejection;
use crate::model::subject::SubjectRef;
use crate::query::use_network_report;
use crate::reactive::{keyed_list, query_view, select, slice_view};
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::widgets::reputation::ReputationView;
use crate::widgets::subject::{BlockButton, decide};
use crate::{dom, text};
use gen_registry_api::{ConnectionState, Decision, NetworkReport, PeerEntry, Rejection, RelayEntry};
use genesis::{Genesis, render_genesis, render_left_aside};

/// The page. It follows peers and relays that come and go.
#[component]
pub fn Network() -> impl IntoView {
    let report = use_network_report();
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Network".to_owned()) />
            {query_view(report, render_report)}
        </div>
    }
}

/// All sections; each is rendered again only when its own part changed.
fn render_report(report: Memo<NetworkReport>) -> impl IntoView {
    let peers = select(report, |report| report.peers.clone());
    let is_alone = select(report, |report| report.connection == ConnectionState::Alone);
    let relays = select(report, |report| report.relays.clone());
    view! {
        {slice_view(report, |report| report.left_aside.clone(), render_left_aside)}
        <p class="lead" data-testid="connection">
            {slice_view(
                report,
                |report| (report.connection, report.peers.len() as u64),
                |(connection, peers)| describe_connection(connection, peers),
            )}
        </p>
        {slice_view(report, |report| report.unsent, |unsent| {
            (unsent > 0)
                .then(|| {
                    let what = text::format_count(unsent, "change waits", "changes wait");
                    view! { <p>{format!("{what} on this device for the first peer.")}</p> }
                })
        })}
        <section class="card" aria-labelledby="peers-title">
            <div class="network-head">
                <h2 id="peers-title">"Peers"</h2>
                <div class="actions">
                    <Copy report />
                    <Show when=move || !is_alone.get()>
                        <RetryConnections />
                    </Show>
                </div>
            </div>
            <Show
                when=move || !peers.with(Vec::is_empty)
                fallback=move || view! { <steps::WhyUnconnected report /> }
            >
                <ul class="network-list" data-testid="peers">{keyed_list(peers, |peer| peer.id.clone(), render_peer)}</ul>
            </Show>
        </section>
        <section class="card" aria-labelledby="relays-title">
            <h2 id="relays-title">"Relays"</h2>
            <p class="muted">
                "A relay brings browsers together. Once two are connected it is no longer needed, and it never sees what they exchange."
            </p>
            <Show
                when=move || !relays.with(Vec::is_empty)
                fallback=|| view! { <p>"None is known: the server of this page named none."</p> }
            >
                <ul class="network-list">{keyed_list(relays, |relay| relay.address.clone(), render_relay)}</ul>
            </Show>
        </section>
        {slice_view(report, |report| report.rejections.clone(), |rejections| {
            (!rejections.is_empty())
                .then(|| {
                    view! {
                        <section class="card" aria-labelledby="rejections-title">
                            <h2 id="rejections-title">"Refused"</h2>
                            <p class="muted">"What peers sent against the rules since this page was opened. None of it was taken in."</p>
                            {render_rejections(rejections)}
                        </section>
                    }
                })
        })}
        {slice_view(report, Genesis::of, render_genesis)}
    }
}

/// How far this device is connected, as a sentence.
fn describe_connection(connection: ConnectionState, peers: u64) -> String {
    match connection {
        ConnectionState::Alone => "This device is by itself. Everything works; nobody else hears of it.".to_owned(),
        ConnectionState::Offline => {
            "No relay answers and no peer is connected. What you change is kept and told to the first peer.".to_owned()
        }
        ConnectionState::Waiting => "A relay answers. Nobody else is here right now.".to_owned(),
        ConnectionState::Connected => format!("Connected directly to {}.", text::format_count(peers, "peer", "peers")),
    }
}

/// A button that looks for peers now.
#[component]
fn RetryConnections() -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let retry = move |_| {
        attempt.start(async move { app_state.client().retry_connections().await }, move |_| {
            app_state.shell.announce("Looking for peers");
        });
    };
    view! {
        <button type="button" class="button button-small" on:click=retry disabled=move || attempt.busy.get()>
            {icon(Icon::Refresh)}
            "Look now"
        </button>
    }
}

/// What this page shows, as text, for asking for help.
#[component]
fn Copy(report: Memo<NetworkReport>) -> impl IntoView {
    let app_state = app_state();
    let copy = move |_| {
        let text = report.with_untracked(dom::format_json);
        leptos::task::spawn_local(async move {
            app_state.shell.announce(if dom::copy(&text).await {
                "What this page shows is copied."
            } else {
                "The browser did not copy it."
            });
        });
    };
    view! {
        <button type="button" class="button button-small" on:click=copy data-testid="copy-network">
            {icon(Icon::Copy)}
            "Copy as text"
        </button>
    }
}

/// A peer: what is known of the connection, its reputation, and the buttons that trust or block it.
fn render_peer(peer: Memo<PeerEntry>) -> impl IntoView {
    let id = peer.with_untracked(|peer| peer.id.clone());
    let subject = SubjectRef::Peer(id.clone()).to_string();
    let syncing = select(peer, |peer| peer.syncing);
    view! {
        <li class="network-item">
            {move || icon(if syncing.get() { Icon::Refresh } else { Icon::Peers })}
            <div class="network-words">
                <p>
                    <code class="network-code" title=id>{text::shorten_node(&id)}</code>
                    <Show when=move || syncing.get()>
                        <span class="badge">"Exchanging"</span>
                    </Show>
                </p>
                <p class="muted">
                    "Connected " {slice_view(peer, |peer| peer.since, |at| view! { <Moment at /> })} " · " {move || peer.with(|peer| describe_peer(peer, text::format_number))}
                </p>
                {slice_view(peer, |peer| peer.reputation.clone(), |reputation| view! { <ReputationView reputation /> })}
                {slice_view(peer, |peer| peer.rejections.clone(), |rejections| {
                    (!rejections.is_empty()).then(|| render_rejections(rejections))
                })}
                <div class="actions">
                    <TrustButton subject=subject.clone() trusted=select(peer, |peer| peer.trusted) />
                    <BlockButton subject blocked=false what="this peer" />
                </div>
            </div>
        </li>
    }
}

/// A trusted peer is never sent away for its number.
#[component]
fn TrustButton(subject: String, trusted: Memo<bool>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let toggle = move |_| {
        let (verdict, message) = if trusted.get_untracked() {
            (Decision::Neither, "No longer trusted.")
        } else {
            (Decision::Allow, "Trusted. Settings › Blocklist lists it.")
        };
        decide(app_state, attempt, subject.clone(), verdict, message);
    };
    view! {
        <button
            type="button"
            class="button button-small button-quiet"
            data-testid="trust"
            disabled=move || attempt.busy.get()
            on:click=toggle
        >
            {icon(Icon::Shield)}
            {move || if trusted.get() { "Trust no more" } else { "Trust" }}
        </button>
        <FailureNotice failure=attempt.failure />
    }
}

/// A relay and whether others can find this device through it.
fn render_relay(relay: Memo<RelayEntry>) -> impl IntoView {
    let state = select(relay, |relay| match (relay.connected, relay.reserved) {
        _ if !relay.used => (Icon::Clock, "Not used by this device; asked for people now and then."),
        (true, true) => (Icon::Check, "Connected; others can find you through it."),
        (true, false) => (Icon::Clock, "Connected; no place there yet."),
        _ => (Icon::Offline, "Does not answer. It is tried again by itself."),
    });
    view! {
        <li class="network-item">
            {move || icon(state.get().0)}
            <div class="network-words">
                <p>
                    <code class="network-code">{relay.with_untracked(|relay| relay.address.clone())}</code>
                </p>
                <p class="muted">{move || state.get().1}</p>
            </div>
        </li>
    }
}

/// Broken rules, each with how often it was broken.
fn render_rejections(rejections: Vec<(Rejection, u64)>) -> impl IntoView {
    let rows = rejections.into_iter().map(|(why, count)| {
        view! { <li>{text::format_count(count, "time", "times")} ": " {describe_rejection(why)}</li> }
    });
    view! { <ul class="network-broken">{rows.collect_view()}</ul> }
}
