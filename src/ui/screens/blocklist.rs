//! Whom and what this person blocks or trusts.

use leptos::prelude::*;

use crate::node::api::{ListRow, ListVerdict, ListsReport};
use crate::ui::attempt::Attempt;
use crate::ui::components::icon::{Icon, icon};
use crate::ui::components::module_row::module_href;
use crate::ui::components::notice::{FailureNotice, failed};
use crate::ui::components::page_head::PageHead;
use crate::ui::components::subject::decide;
use crate::ui::fetch::fetched;
use crate::ui::session::session;
use crate::ui::text;
use crate::ui::time::Moment;

#[component]
pub fn Blocklist() -> impl IntoView {
    let session = session();
    let lists = fetched(
        || (),
        move || {
            session.people_changed.track();
            session.modules_changed.track();
            session.network_changed.track();
        },
        move |()| {
            let client = session.client();
            async move { client.lists().await }
        },
    );
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Blocklist".to_owned()) />
            {move || match lists.get() {
                None => view! { <p class="muted" role="status">"Looking…"</p> }.into_any(),
                Some(Err(failure)) => failed(failure),
                Some(Ok(lists)) => shown(lists).into_any(),
            }}
        </div>
    }
}

fn shown(lists: ListsReport) -> impl IntoView {
    let (blocked, allowed): (Vec<ListRow>, Vec<ListRow>) =
        lists.rows.into_iter().partition(|row| row.verdict == ListVerdict::Block);
    let travels = if lists.shared {
        "Your other devices get this list, sealed: nobody else can read it."
    } else {
        "The list is on this device only, until you have a key and it is unlocked."
    };
    view! {
        <p class="muted">{travels}</p>
        <section class="card" aria-labelledby="blocked-title">
            <h2 id="blocked-title">"Blocked"</h2>
            {if blocked.is_empty() {
                view! {
                    <p>"Nobody and nothing."</p>
                    <p class="muted">"A person, a module or a peer is blocked on its own page. Blocked people keep their names; you just see nothing of them."</p>
                }
                    .into_any()
            } else {
                list(blocked, "blocked").into_any()
            }}
        </section>
        {(!allowed.is_empty())
            .then(|| {
                view! {
                    <section class="card" aria-labelledby="allowed-title">
                        <h2 id="allowed-title">"Trusted"</h2>
                        <p class="muted">"Kept, whatever else speaks against it."</p>
                        {list(allowed, "allowed")}
                    </section>
                }
            })}
    }
}

fn list(rows: Vec<ListRow>, testid: &'static str) -> impl IntoView {
    view! {
        <ul class="notices" data-testid=testid>
            {rows.into_iter().map(|row| view! { <Row row /> }).collect_view()}
        </ul>
    }
}

#[component]
fn Row(row: ListRow) -> impl IntoView {
    let session = session();
    let attempt = Attempt::new();
    let ListRow { subject, note, at, username, verdict: _ } = row;
    let (kind, id) = subject.split_once(':').map(|(kind, id)| (kind.to_owned(), id.to_owned())).unwrap_or_default();
    let (mark, what, name, href) = match kind.as_str() {
        "person" => {
            let name = username.unwrap_or_else(|| text::shortened(&id));
            (Icon::Person, "Person", name, Some(format!("/id/{id}")))
        }
        "module" => (Icon::Module, "Module", id.clone(), Some(module_href(&id))),
        _ => (Icon::Peers, "Peer", text::node(&id), None),
    };
    let label = format!("Take off {name}");
    let take_off = move |_| decide(session, attempt, subject.clone(), ListVerdict::Neither, "Taken off the list.");
    view! {
        <li class="notices-follow">
            <span class="notices-subject">
                {icon(mark)}
                <span>
                    {match href {
                        Some(href) => view! { <a href=href>{name}</a> }.into_any(),
                        None => view! { <code>{name}</code> }.into_any(),
                    }}
                    <span class="muted">" " {what} " · " <Moment at /></span>
                    {note.map(|note| view! { <span class="muted">" · " {note}</span> })}
                </span>
            </span>
            <button type="button" class="button button-small" aria-label=label on:click=take_off disabled=move || attempt.busy.get()>
                "Take off"
            </button>
            <FailureNotice failure=attempt.failure />
        </li>
    }
}
