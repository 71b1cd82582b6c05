//! Why no peer is connected: what is in order, what is not, and what to do about it.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::model::network::ConnectionSteps;
use crate::reactive::slice_view;
use gen_registry_api::NetworkReport;

/// The steps that are needed for a connection, up to the one that fails.
#[component]
pub fn WhyUnconnected(report: Memo<NetworkReport>) -> impl IntoView {
    let way = |report: &NetworkReport| ConnectionSteps::of(report, dom::is_online());
    view! {
        <div data-testid="why-nobody">
            <p>"Nobody is connected. Step by step:"</p>
            {slice_view(report, way, steps)}
        </div>
    }
}

/// Up to the first one that is not in order: what follows depends on it.
fn steps(way: ConnectionSteps) -> impl IntoView {
    const CHECKS: [(&str, &str); 4] = [
        (
            "A relay of this network is known.",
            "The server of this page names no relay, so there is no way to others. Open the page of a network that has one.",
        ),
        (
            "The browser has a network.",
            "The browser says that this device is offline. Everything works; the rest goes on by itself once the network is back.",
        ),
        (
            "A relay answers.",
            "No relay answers. It may be down, or a firewall keeps this page from it. It is tried again by itself; “Look now” tries at once.",
        ),
        (
            "Others can find this device there.",
            "The relay has not listed this device yet. That takes a few seconds; one that is full is asked again.",
        ),
    ];
    let steps = way.steps();
    let all_in_order = steps.iter().all(|in_order| *in_order);
    let rows = CHECKS.into_iter().zip(steps).map(|((good, bad), in_order)| {
        if in_order { render_step(Icon::Check, good) } else { render_step(Icon::Warning, bad) }
    });
    let rest = "Nobody else of this network is here right now, or no direct way to them was found. Whoever comes is connected by itself.";
    view! {
        <ol class="network-list">
            {rows.collect_view()}
            {all_in_order.then(|| render_step(Icon::Clock, rest))}
        </ol>
    }
}

/// A line of the list with its mark.
fn render_step(mark: Icon, words: &'static str) -> impl IntoView {
    view! {
        <li class="network-item">
            {icon(mark)}
            <p class="network-words">{words}</p>
        </li>
    }
}
