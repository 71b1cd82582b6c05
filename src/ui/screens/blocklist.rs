//! The people, peers and modules this person blocks or trusts.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::people::format_holder;
use crate::model::subject::SubjectRef;
use crate::query::use_query;
use crate::reactive::{keyed_list, query_view, select, slice_view};
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::widgets::subject::decide;
use crate::{routes, text};
use gen_registry_api::{BlockListReport, BlockListRow, Decision};

/// The page. It follows people, modules and the network, for names of those on the list may become known later.
#[component]
pub fn Blocklist() -> impl IntoView {
    let app_state = app_state();
    let lists = use_query(
        || (),
        move || {
            app_state.invalidation.people.track();
            app_state.invalidation.modules.track();
            app_state.invalidation.network.track();
        },
        move |()| {
            let client = app_state.client();
            async move { client.lists().await }
        },
    );
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Blocklist".to_owned()) />
            {query_view(lists, render_lists)}
        </div>
    }
}

/// Where the list is kept, who is blocked, and who is trusted.
fn render_lists(lists: Memo<BlockListReport>) -> impl IntoView {
    let of_verdict = move |verdict: Decision| {
        select(lists, move |lists| lists.rows.iter().filter(|row| row.verdict == verdict).cloned().collect::<Vec<_>>())
    };
    let (blocked, allowed) = (of_verdict(Decision::Block), of_verdict(Decision::Allow));
    let shared = select(lists, |lists| lists.shared);
    let travels = move || {
        if shared.get() {
            "Your other devices get this list, sealed: nobody else can read it."
        } else {
            "The list is on this device only, until you have a key and it is unlocked."
        }
    };
    view! {
        <p class="muted">{travels}</p>
        <section class="card" aria-labelledby="blocked-title">
            <h2 id="blocked-title">"Blocked"</h2>
            <Show
                when=move || !blocked.with(Vec::is_empty)
                fallback=|| {
                    view! {
                        <p>"Nobody and nothing."</p>
                        <p class="muted">"A person, a module or a peer is blocked on its own page. Blocked people keep their names; you just see nothing of them."</p>
                    }
                }
            >
                {render_rows(blocked, "blocked")}
            </Show>
        </section>
        <Show when=move || !allowed.with(Vec::is_empty)>
            <section class="card" aria-labelledby="allowed-title">
                <h2 id="allowed-title">"Trusted"</h2>
                <p class="muted">"Kept, whatever else speaks against it."</p>
                {render_rows(allowed, "allowed")}
            </section>
        </Show>
    }
}

/// The rows of one verdict.
fn render_rows(all: Memo<Vec<BlockListRow>>, testid: &'static str) -> impl IntoView {
    view! {
        <ul class="notices" data-testid=testid>
            {keyed_list(all, |row| row.subject.clone(), |row| view! { <Row row /> })}
        </ul>
    }
}

/// What is blocked or trusted, since when and why, and the button that takes it off the list.
#[component]
fn Row(row: Memo<BlockListRow>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let subject = row.with_untracked(|row| row.subject.clone());
    let parsed = SubjectRef::parse(&subject);
    let (mark, what) = match &parsed {
        Some(SubjectRef::Person(_)) => (Icon::Person, "Person"),
        Some(SubjectRef::Module(_)) => (Icon::Module, "Module"),
        _ => (Icon::Peers, "Peer"),
    };
    let href = parsed.as_ref().and_then(routes::subject);
    // Of somebody who is not known here yet, the name comes later.
    let name = Memo::new(move |_| match &parsed {
        Some(SubjectRef::Person(did)) => row.with(|row| format_holder(row.username.as_deref(), did)),
        Some(SubjectRef::Module(name)) => name.clone(),
        Some(SubjectRef::Peer(id) | SubjectRef::Tag(id)) => text::shorten_node(id),
        None => text::shorten_node(""),
    });
    let remove = move |_| decide(app_state, attempt, subject.clone(), Decision::Neither, "Taken off the list.");
    view! {
        <li class="notices-follow">
            <span class="notices-subject">
                {icon(mark)}
                <span>
                    {match href {
                        Some(href) => view! { <a href=href>{name}</a> }.into_any(),
                        None => view! { <code>{name}</code> }.into_any(),
                    }}
                    <span class="muted">" " {what} " · " {slice_view(row, |row| row.at, |at| view! { <Moment at /> })}</span>
                    {slice_view(row, |row| row.note.clone(), |note| note.map(|note| view! { <span class="muted">" · " {note}</span> }))}
                </span>
            </span>
            <button
                type="button"
                class="button button-small"
                aria-label=move || format!("Take off {}", name.get())
                on:click=remove
                disabled=move || attempt.busy.get()
            >
                "Take off"
            </button>
            <FailureNotice failure=attempt.failure />
        </li>
    }
}
