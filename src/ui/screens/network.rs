//! Who this device exchanges registries with, through whom it finds them, and the rules of the network.

use leptos::prelude::*;

use crate::node::api::{Connection, ListVerdict, NetworkReport, PeerEntry, RelayEntry};
use crate::ui::attempt::Attempt;
use crate::ui::components::did::DidChip;
use crate::ui::components::icon::{Icon, icon};
use crate::ui::components::notice::{FailureNotice, Notice, NoticeTone, failed};
use crate::ui::components::page_head::PageHead;
use crate::ui::components::reputation::Earned;
use crate::ui::components::subject::{BlockButton, decide};
use crate::ui::fetch::fetched;
use crate::ui::session::session;
use crate::ui::text;
use crate::ui::time::Moment;

#[component]
pub fn Network() -> impl IntoView {
    let session = session();
    let report = fetched(
        || (),
        move || session.network_changed.track(),
        move |()| {
            let client = session.client();
            async move { client.network().await }
        },
    );
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Network".to_owned()) />
            {move || match report.get() {
                None => view! { <p class="muted" role="status">"Looking…"</p> }.into_any(),
                Some(Err(failure)) => failed(failure),
                Some(Ok(report)) => shown(report).into_any(),
            }}
        </div>
    }
}

fn shown(report: NetworkReport) -> impl IntoView {
    let NetworkReport { connection, node, topic, witnesses, threshold, relays, peers, unsent, rejections, left_aside } =
        report;
    view! {
        {left_aside
            .map(|why| {
                view! {
                    <div data-testid="left-aside">
                        <Notice tone=NoticeTone::Warning>
                            <p>
                                "What the server of this page says about its network is left aside: " {why}
                                ". You stay in your own network, with everything you have."
                            </p>
                        </Notice>
                    </div>
                }
            })}
        <p class="lead" data-testid="connection">{state(connection, peers.len() as u64)}</p>
        {(unsent > 0)
            .then(|| {
                let what = text::count(unsent, "change waits", "changes wait");
                view! { <p>{format!("{what} on this device for the first peer.")}</p> }
            })}
        <section class="card" aria-labelledby="peers-title">
            <div class="network-head">
                <h2 id="peers-title">"Peers"</h2>
                {(connection != Connection::Alone).then(|| view! { <LookAround /> })}
            </div>
            {if peers.is_empty() {
                view! { <p class="muted">{nobody(connection)}</p> }.into_any()
            } else {
                view! { <ul class="network-list" data-testid="peers">{peers.into_iter().map(peer).collect_view()}</ul> }
                    .into_any()
            }}
        </section>
        <section class="card" aria-labelledby="relays-title">
            <h2 id="relays-title">"Relays"</h2>
            <p class="muted">
                "A relay brings browsers together. Once two are connected it is no longer needed, and it never sees what they exchange."
            </p>
            {if relays.is_empty() {
                view! { <p>"The server of this page named none."</p> }.into_any()
            } else {
                view! { <ul class="network-list">{relays.into_iter().map(relay).collect_view()}</ul> }.into_any()
            }}
        </section>
        {(!rejections.is_empty())
            .then(|| {
                view! {
                    <section class="card" aria-labelledby="rejections-title">
                        <h2 id="rejections-title">"Refused"</h2>
                        <p class="muted">"What peers sent against the rules since this page was opened. None of it was taken in."</p>
                        {broken(rejections)}
                    </section>
                }
            })}
        <section class="card" aria-labelledby="rules-title">
            <h2 id="rules-title">"The rules of this network"</h2>
            <p>{rules(witnesses.len(), threshold)}</p>
            <ul class="network-list">
                {witnesses.into_iter().map(|did| view! { <li><DidChip did /></li> }).collect_view()}
            </ul>
            <dl class="facts">
                <div>
                    <dt>"Topic"</dt>
                    <dd>
                        <code class="network-code">{topic}</code>
                    </dd>
                </div>
                {node
                    .map(|node| {
                        view! {
                            <div>
                                <dt>"This device’s node"</dt>
                                <dd>
                                    <code class="network-code">{node}</code>
                                </dd>
                            </div>
                        }
                    })}
            </dl>
        </section>
    }
}

fn state(connection: Connection, peers: u64) -> String {
    match connection {
        Connection::Alone => "This device is by itself. Everything works; nobody else hears of it.".to_owned(),
        Connection::Offline => {
            "No relay answers and no peer is connected. What you change is kept and told to the first peer.".to_owned()
        }
        Connection::Waiting => "A relay answers. Nobody else is here right now.".to_owned(),
        Connection::Connected => format!("Connected directly to {}.", text::count(peers, "peer", "peers")),
    }
}

fn nobody(connection: Connection) -> &'static str {
    match connection {
        Connection::Alone => "The server of this page names no way to others.",
        Connection::Offline => "It is tried again by itself, more often right after the connection comes back.",
        _ => "The first one who comes is connected by itself. Nothing needs to be done.",
    }
}

fn rules(witnesses: usize, threshold: u64) -> String {
    match threshold {
        0 => "There are no witnesses: of two claims to one name the one dated earlier counts.".to_owned(),
        _ => format!(
            "A name is confirmed once {threshold} of {} saw the claim. Until then it is provisional.",
            text::count(witnesses as u64, "witness", "witnesses"),
        ),
    }
}

#[component]
fn LookAround() -> impl IntoView {
    let session = session();
    let attempt = Attempt::new();
    let look = move |_| {
        attempt.start(async move { session.client().look_around().await }, move |_| session.say("Looking for peers"));
    };
    view! {
        <button type="button" class="button button-small" on:click=look disabled=move || attempt.busy.get()>
            {icon(Icon::Refresh)}
            "Look now"
        </button>
    }
}

fn peer(peer: PeerEntry) -> impl IntoView {
    let PeerEntry { id, since, dialled, agent, round_trip_millis, syncing, brought, rejections, reputation, trusted } =
        peer;
    let subject = format!("peer:{id}");
    let mut facts = vec![if dialled { "found by this device" } else { "found this device" }.to_owned()];
    facts.extend(round_trip_millis.map(|millis| format!("{millis:.0} ms away")));
    facts.extend((brought > 0).then(|| format!("brought {}", text::count(brought, "change", "changes"))));
    facts.extend(agent);
    view! {
        <li class="network-item">
            {icon(if syncing { Icon::Refresh } else { Icon::Peers })}
            <div class="network-words">
                <p>
                    <code class="network-code" title=id.clone()>{text::node(&id)}</code>
                    {syncing.then(|| view! { <span class="badge">"Exchanging"</span> })}
                </p>
                <p class="muted">"Connected " <Moment at=since /> " · " {facts.join(" · ")}</p>
                <Earned reputation />
                {(!rejections.is_empty()).then(|| broken(rejections))}
                <div class="actions">
                    <TrustButton subject=subject.clone() trusted />
                    <BlockButton subject blocked=false what="this peer" />
                </div>
            </div>
        </li>
    }
}

/// A trusted peer is never sent away for its number.
#[component]
fn TrustButton(subject: String, trusted: bool) -> impl IntoView {
    let session = session();
    let attempt = Attempt::new();
    let (label, verdict, told) = if trusted {
        ("Trust no more", ListVerdict::Neither, "No longer trusted.")
    } else {
        ("Trust", ListVerdict::Allow, "Trusted. Settings › Blocklist lists it.")
    };
    view! {
        <button
            type="button"
            class="button button-small button-quiet"
            data-testid="trust"
            disabled=move || attempt.busy.get()
            on:click=move |_| decide(session, attempt, subject.clone(), verdict, told)
        >
            {icon(Icon::Shield)}
            {label}
        </button>
        <FailureNotice failure=attempt.failure />
    }
}

fn relay(relay: RelayEntry) -> impl IntoView {
    let (mark, words) = match (relay.connected, relay.reserved) {
        (true, true) => (Icon::Check, "Connected; others can find you through it."),
        (true, false) => (Icon::Clock, "Connected; no place there yet."),
        _ => (Icon::Offline, "Does not answer. It is tried again by itself."),
    };
    view! {
        <li class="network-item">
            {icon(mark)}
            <div class="network-words">
                <p>
                    <code class="network-code">{relay.address}</code>
                </p>
                <p class="muted">{words}</p>
            </div>
        </li>
    }
}

fn broken(rejections: Vec<(String, u64)>) -> impl IntoView {
    let rows = rejections.into_iter().map(|(why, count)| {
        view! { <li>{text::count(count, "time", "times")} ": " {why}</li> }
    });
    view! { <ul class="network-broken">{rows.collect_view()}</ul> }
}
