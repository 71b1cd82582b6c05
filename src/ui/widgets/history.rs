//! The story of somebody's names, newest first.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::model::sentences::describe_loss;
use crate::widgets::moment::Moment;
use gen_registry_api::{HistoryEntry, HistoryOutcome};

/// All names that somebody has claimed, the newest first; a sentence if there is none.
#[component]
pub fn History(entries: Vec<HistoryEntry>) -> impl IntoView {
    if entries.is_empty() {
        return view! { <p class="muted">"No name has been claimed yet."</p> }.into_any();
    }
    let steps = entries.into_iter().rev().map(render_step).collect_view();
    view! {
        <ol class="history" data-testid="history" reversed>
            {steps}
        </ol>
    }
    .into_any()
}

/// One claim: whether it holds, when it was made and given up, and why it does not count.
fn render_step(entry: HistoryEntry) -> impl IntoView {
    let HistoryEntry { username, claimed_at, released_at, outcome } = entry;
    let (mark, class, word) = match &outcome {
        HistoryOutcome::Held => (Icon::Check, "history-step history-held", "Holds it"),
        HistoryOutcome::Released => (Icon::Arrow, "history-step", "Given up"),
        HistoryOutcome::Lost { .. } => (Icon::Cross, "history-step history-lost", "Never held"),
        HistoryOutcome::Pending => (Icon::Clock, "history-step", "Waiting"),
    };
    let reason = match outcome {
        HistoryOutcome::Lost { reason } => Some(describe_loss(reason)),
        HistoryOutcome::Pending => Some("Not enough of the network’s witnesses have signed it yet."),
        _ => None,
    };
    view! {
        <li class=class>
            <span class="history-mark">{icon(mark)}</span>
            <div>
                <p class="history-name">
                    <strong>{username}</strong>
                    <span class="badge">{word}</span>
                </p>
                <p class="muted">
                    "Claimed " <Moment at=claimed_at />
                    {released_at.map(|at| view! { ", given up " <Moment at /> })}
                </p>
                {reason.map(|reason| view! { <p>{reason}</p> })}
            </div>
        </li>
    }
}
