//! Looks up a name that is not known on this device: at connected peers, then in the wider network. It
//! says where it looked, who answered, and what can be done without an answer.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::notice::{Notice, NoticeTone, render_failure};
use crate::model::lookup::describe_unanswered;
use crate::query::use_query;
use crate::text;
use crate::widgets::did::DidChip;
use crate::widgets::moment::Moment;
use gen_registry_api::{AnsweredBy, ConnectionState, FindReport, FoundName, FoundRelease, NameKind, NameStatus};

/// Searches as soon as it is on show, again when the connection changes, and on demand.
///
/// Shows which peers it asks, then what was found and who answered.
#[component]
pub fn NetworkLookup(
    /// Whether a person or a module is searched for.
    kind: NameKind,
    /// The name, as it was typed or linked to.
    name: String,
    /// Gets what it came to, for a page that goes by it; none while the answer is awaited.
    #[prop(optional)]
    report_to: Option<RwSignal<Option<FindReport>>>,
) -> impl IntoView {
    let app_state = app_state();
    let tries = RwSignal::new(0_u32);
    // Asked again once there is somebody else to ask.
    let connection =
        Memo::new(move |_| app_state.live.status.with(|status| status.as_ref().map(|status| status.connection)));
    let report = use_query(
        move || tries.get(),
        move || connection.track(),
        move |_| {
            let (client, name) = (app_state.client(), name.clone());
            async move { client.find(kind, name).await }
        },
    );
    if let Some(report_to) = report_to {
        Effect::new(move |_| report_to.set(report.get().and_then(Result::ok).map(|report| *report)));
    }
    let again = move |_| tries.update(|tries| *tries += 1);
    view! {
        <section class="farther" aria-label="Looking further" aria-live="polite" data-testid="farther">
            {move || match report.get() {
                None => view! { <p role="status">{describe_progress(connection.get())}</p> }.into_any(),
                Some(Err(failure)) => render_failure(failure),
                Some(Ok(report)) => {
                    let found = report.found.is_some();
                    view! {
                        {render_outcome(*report)}
                        {(!found)
                            .then(|| {
                                view! {
                                    <button type="button" class="button" on:click=again>
                                        "Look again"
                                    </button>
                                }
                            })}
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

/// What is being done while the answer is awaited.
fn describe_progress(connection: Option<ConnectionState>) -> &'static str {
    match connection {
        Some(ConnectionState::Connected) => "Asking connected peers, then the wider network…",
        Some(ConnectionState::Waiting) => "Asking the wider network…",
        _ => "Waiting for a peer or a relay to ask…",
    }
}

/// What was found and proven; when the name is free again; or who was asked in vain.
fn render_outcome(report: FindReport) -> AnyView {
    let source = report.answered_by.map(source);
    match (report.found, report.free_at) {
        (Some(found), _) => {
            let rest = match (report.answered_by, report.sought) {
                (Some(AnsweredBy::Network), 0) => {
                    "Whoever has the rest is not online. It comes here once they are met; look again later."
                }
                (Some(AnsweredBy::Network), _) => {
                    "Whoever has the rest is being connected to; it appears here by itself."
                }
                _ => "The rest is on its way; it appears here by itself.",
            };
            view! {
                <Notice tone=NoticeTone::Good>
                    <Found found />
                    <p data-testid="answered-by">{source}</p>
                    <p class="muted">{rest}</p>
                </Notice>
            }
            .into_any()
        }
        (None, Some(free_at)) => view! {
            <Notice tone=NoticeTone::Info>
                <p>"It was given up, and is free for everyone " <Moment at=free_at /> "."</p>
                <p data-testid="answered-by">{source}</p>
            </Notice>
        }
        .into_any(),
        (None, None) => {
            let message = describe_unanswered(report.peers_asked, report.network_asked, text::format_number);
            view! { <p>{message}</p> }.into_any()
        }
    }
}

/// Who gave the answer, as a sentence.
fn source(by: AnsweredBy) -> &'static str {
    match by {
        AnsweredBy::Device => "Known on this device.",
        AnsweredBy::Peers => "Answered by connected peers.",
        AnsweredBy::Network => "Answered by the wider network.",
    }
}

/// The holder of the name, and the newest version if it is a module.
#[component]
fn Found(found: FoundName) -> impl IntoView {
    let FoundName { name, did, registered_at, status, release, .. } = found;
    let status = match status {
        NameStatus::Confirmed => "Confirmed by witnesses",
        NameStatus::Intent | NameStatus::Pending => "Pending",
        NameStatus::Provisional => "Provisional",
        NameStatus::Contested => "Contested",
    };
    view! {
        <p>
            <strong data-testid="found-name">{name}</strong>
            " belongs to "
            <DidChip did />
        </p>
        <p>{status} ", since " <Moment at=registered_at /> "."</p>
        {release
            .map(|FoundRelease { version, size, published_at, withdrawn, .. }| {
                view! {
                    <p>
                        "Newest version " <strong data-testid="found-version">{version}</strong> ", " {text::format_size(size)}
                        ", published " <Moment at=published_at /> {withdrawn.then_some(", withdrawn since")} "."
                    </p>
                }
            })}
    }
}
