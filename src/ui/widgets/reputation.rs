//! What a peer or a person earned with this device: the number, and the reasons for it.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::text;
use crate::widgets::moment::Moment;
use gen_registry_api::{Reputation, ReputationKind, ReputationReason};

/// The score between 0 and 1, a mark if it is low, and what it was earned with.
#[component]
pub fn ReputationView(reputation: Reputation) -> impl IntoView {
    let Reputation { score, low, reasons } = reputation;
    let number = format!("{score:.2}");
    view! {
        <div class="earned" data-testid="reputation">
            <p class="earned-score">
                <span>"Reputation " <strong>{number.clone()}</strong></span>
                <meter min="0" max="1" low="0.5" optimum="1" value=number.clone() aria-label=format!("Reputation {number} of 1")></meter>
                {low.then(|| view! { <span class="badge badge-warning">{icon(Icon::Warning)} "Low"</span> })}
            </p>
            {if reasons.is_empty() {
                view! { <p class="muted">"Nothing happened yet: everybody begins at 0.50."</p> }.into_any()
            } else {
                view! { <ul class="earned-reasons">{reasons.into_iter().map(render_reason).collect_view()}</ul> }.into_any()
            }}
        </div>
    }
}

/// One kind of behaviour, how often it occurred and when last.
fn render_reason(reason: ReputationReason) -> impl IntoView {
    let ReputationReason { kind, times, last_at } = reason;
    let times = |what: &str| format!("{what} {}", text::format_count(times, "time", "times"));
    let words = match kind {
        ReputationKind::Brought => times("brought news that this profile has a use for,"),
        ReputationKind::Served => format!("gave {}", text::format_count(reason.times, "block", "blocks")),
        ReputationKind::Late => times("did not give what it has, or too late,"),
        ReputationKind::Unruly => times("said what can’t be read or has no place there"),
        ReputationKind::Abusive => times("sent or asked for too much"),
        ReputationKind::False => times("passed something off as what it is not"),
    };
    view! { <li>{words} ", last " <Moment at=last_at /></li> }
}
