//! Why no peer is connected: what is in order, what is not, and what to do about it.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::reactive::slice_view;
use gen_registry_api::NetworkReport;

/// How far the way to others is open.
#[derive(Clone, Copy, PartialEq)]
struct Way {
    named: bool,
    /// A hint only: a browser without a network often says that it has one.
    online: bool,
    answers: bool,
    listed: bool,
}

#[component]
pub fn WhyNobody(report: Memo<NetworkReport>) -> impl IntoView {
    let way = |report: &NetworkReport| Way {
        named: !report.relays.is_empty(),
        online: dom::is_online(),
        answers: report.relays.iter().any(|relay| relay.connected),
        listed: report.relays.iter().any(|relay| relay.reserved),
    };
    view! {
        <div data-testid="why-nobody">
            <p>"Nobody is connected. Step by step:"</p>
            {slice_view(report, way, steps)}
        </div>
    }
}

/// Up to the first one that is not in order: whatever follows depends on it.
fn steps(way: Way) -> impl IntoView {
    let Way { named, online, answers, listed } = way;
    let checks = [
        (
            named,
            "The server of this page names a relay.",
            "The server of this page names no relay, so there is no way to others. Open the page of a network that has one.",
        ),
        (
            online,
            "The browser has a network.",
            "The browser says that this device is offline. Everything works; the rest goes on by itself once the network is back.",
        ),
        (
            answers,
            "A relay answers.",
            "No relay answers. It may be down, or a firewall keeps this page from it. It is tried again by itself; “Look now” tries at once.",
        ),
        (
            listed,
            "Others can find this device there.",
            "The relay has not listed this device yet. That takes a few seconds; one that is full is asked again.",
        ),
    ];
    let broken = checks.iter().position(|(in_order, ..)| !in_order);
    let keyed_list = checks
        .into_iter()
        .take(broken.map_or(checks.len(), |broken| broken + 1))
        .map(|(in_order, good, bad)| if in_order { step(Icon::Check, good) } else { step(Icon::Warning, bad) });
    let rest = "Nobody else of this network is here right now, or no direct way to them was found. Whoever comes is connected by itself.";
    view! {
        <ol class="network-list">
            {keyed_list.collect_view()}
            {broken.is_none().then(|| step(Icon::Clock, rest))}
        </ol>
    }
}

fn step(mark: Icon, words: &'static str) -> impl IntoView {
    view! {
        <li class="network-item">
            {icon(mark)}
            <p class="network-words">{words}</p>
        </li>
    }
}
