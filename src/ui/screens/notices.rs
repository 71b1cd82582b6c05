//! What happened where the person follows; what is followed; and whether the system may tell, too.

use leptos::prelude::*;
use web_sys::NotificationPermission;

use crate::node::api::{FollowRow, Notice, NoticeKind, NoticeList};
use crate::ui::attempt::Attempt;
use crate::ui::components::icon::{Icon, icon};
use crate::ui::components::module_row::{module_href, tag_href};
use crate::ui::components::notice::{FailureNotice, failed};
use crate::ui::components::page_head::PageHead;
use crate::ui::components::subject::{FollowButton, told};
use crate::ui::fetch::fetched;
use crate::ui::notify;
use crate::ui::session::session;
use crate::ui::time::Moment;

#[component]
pub fn Notices() -> impl IntoView {
    let session = session();
    let list = fetched(
        || (),
        move || session.notices_changed.track(),
        move |()| {
            let client = session.client();
            async move { client.notices().await }
        },
    );
    // What is on show has been seen once the person leaves.
    on_cleanup(move || session.mark_notices_read());
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Notifications".to_owned()) />
            <SystemToo />
            {move || match list.get() {
                None => view! { <p class="muted" role="status">"Looking…"</p> }.into_any(),
                Some(Err(failure)) => failed(failure),
                Some(Ok(list)) => shown(list).into_any(),
            }}
            <section class="card" aria-labelledby="follows-title">
                <h2 id="follows-title">"Followed"</h2>
                <p class="muted">
                    "People, modules and tags. What you installed is followed by itself. The list stays on this device."
                </p>
                {move || follows(session.follows.get())}
            </section>
        </div>
    }
}

fn shown(list: NoticeList) -> impl IntoView {
    let session = session();
    let attempt = Attempt::new();
    if list.notices.is_empty() {
        return view! {
            <div class="empty">
                {icon(Icon::Bell)}
                <p>"Nothing new."</p>
                <p class="muted">"Follow a module, a tag or a person on their page, and what happens there is listed here."</p>
                <a class="button" href="/modules">
                    "Look at all modules"
                </a>
            </div>
        }
        .into_any();
    }
    let clear = move |_| {
        let client = session.client();
        attempt.start(async move { client.clear_notices().await }, move |_| session.refresh_notices());
    };
    view! {
        <section class="card" aria-label="News">
            <ul class="notices" data-testid="notices">
                {list.notices.into_iter().map(row).collect_view()}
            </ul>
            <div class="actions">
                <button type="button" class="button button-small" on:click=clear disabled=move || attempt.busy.get()>
                    {icon(Icon::Trash)}
                    "Clear all"
                </button>
            </div>
            <FailureNotice failure=attempt.failure />
        </section>
    }
    .into_any()
}

fn row(notice: Notice) -> impl IntoView {
    let words = told(&notice);
    let href = match &notice.module {
        Some(module) => module_href(module),
        None => format!("/id/{}", notice.who.did),
    };
    let mark = match notice.kind {
        NoticeKind::Release => Icon::Module,
        NoticeKind::Yank | NoticeKind::Advisory => Icon::Warning,
        NoticeKind::Username | NoticeKind::ModuleName => Icon::Seal,
    };
    view! {
        <li class="notices-row" data-unread=(!notice.read).then_some("true")>
            {icon(mark)}
            <div>
                <a href=href>{words}</a>
                <p class="muted">
                    <Moment at=notice.at />
                    " "
                    {(!notice.read).then(|| view! { <span class="badge badge-accent">"New"</span> })}
                </p>
            </div>
        </li>
    }
}

fn follows(rows: Vec<FollowRow>) -> AnyView {
    if rows.is_empty() {
        return view! { <p>"Nothing yet."</p> }.into_any();
    }
    let rows = rows.into_iter().map(|FollowRow { subject, since, username }| {
        let (kind, id) = subject.split_once(':').unwrap_or_default();
        let (href, name) = match kind {
            "module" => (module_href(id), id.to_owned()),
            "tag" => (tag_href(id), format!("#{id}")),
            _ => (format!("/id/{id}"), username.unwrap_or_else(|| crate::ui::text::shortened(id))),
        };
        view! {
            <li class="notices-follow">
                <span>
                    <a href=href>{name}</a>
                    <span class="muted">" since " <Moment at=since /></span>
                </span>
                <FollowButton subject what="this" />
            </li>
        }
    });
    view! { <ul class="notices" data-testid="follows">{rows.collect_view()}</ul> }.into_any()
}

/// The offer to let the system tell; nothing where the browser can't or the person said no.
#[component]
fn SystemToo() -> impl IntoView {
    let permission = RwSignal::new_local(notify::permission());
    let ask = move |_| {
        leptos::task::spawn_local(async move {
            let answer = notify::ask().await;
            permission.try_set(answer);
        });
    };
    view! {
        {move || match permission.get() {
            Some(NotificationPermission::Default) => {
                Some(
                    view! {
                        <p>
                            <button type="button" class="button" on:click=ask>
                                {icon(Icon::Bell)}
                                "Tell me outside of the page, too"
                            </button>
                        </p>
                    }
                        .into_any(),
                )
            }
            Some(NotificationPermission::Denied) => {
                Some(view! { <p class="muted">"The browser was told not to show this site’s notifications; they are listed here."</p> }.into_any())
            }
            _ => None,
        }}
    }
}
