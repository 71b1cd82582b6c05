//! Notices about what the person follows; what is followed; and system notifications.

use leptos::prelude::*;
use web_sys::NotificationPermission;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::notices::format_notice;
use crate::model::people::format_holder;
use crate::model::subject::SubjectRef;
use crate::notify;
use crate::query::use_query;
use crate::reactive::{keyed_list, query_view, select, slice_view};
use crate::routes;
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::widgets::subject::FollowButton;
use gen_registry_api::{FollowRow, Notice, NoticeKind, NoticeList};

/// The page. Leaving it marks all notices as read.
#[component]
pub fn Notices() -> impl IntoView {
    let app_state = app_state();
    let list = use_query(
        || (),
        move || app_state.invalidation.notices.track(),
        move |()| {
            let client = app_state.client();
            async move { client.notices().await }
        },
    );
    // What is on show has been seen once the person leaves.
    on_cleanup(move || app_state.mark_notices_read());
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Notifications".to_owned()) />
            <SystemToo />
            {query_view(list, render_notices)}
            <section class="card" aria-labelledby="follows-title">
                <h2 id="follows-title">"Followed"</h2>
                <p class="muted">
                    "People, modules and tags. What you installed is followed by itself. The list stays on this device."
                </p>
                <Show
                    when=move || app_state.live.follows.with(|follows| !follows.is_empty())
                    fallback=|| view! { <p>"Nothing yet."</p> }
                >
                    <ul class="notices" data-testid="follows">{keyed_list(app_state.live.follows, |row| row.subject.clone(), render_follow)}</ul>
                </Show>
            </section>
        </div>
    }
}

/// The list, with a button that clears it.
fn render_notices(list: Memo<NoticeList>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let notices = select(list, |list| list.notices.clone());
    let clear = move |_| {
        let client = app_state.client();
        attempt.start(async move { client.clear_notices().await }, move |_| app_state.refresh_notices());
    };
    view! {
        <Show when=move || !notices.with(Vec::is_empty) fallback=render_nothing_new>
            <section class="card" aria-label="News">
                <ul class="notices" data-testid="notices">
                    {keyed_list(notices, |notice| notice.id.to_string(), render_notice)}
                </ul>
                <div class="actions">
                    <button
                        type="button"
                        class="button button-small"
                        on:click=clear
                        disabled=move || attempt.busy.get()
                    >
                        {icon(Icon::Trash)}
                        "Clear all"
                    </button>
                </div>
                <FailureNotice failure=attempt.failure />
            </section>
        </Show>
    }
}

/// What is shown in place of the list.
fn render_nothing_new() -> impl IntoView {
    view! {
        <div class="empty">
            {icon(Icon::Bell)}
            <p>"Nothing new."</p>
            <p class="muted">"Follow a module, a tag or a person on their page, and what happens there is listed here."</p>
            <a class="button" href=routes::MODULES>
                "Look at all modules"
            </a>
        </div>
    }
}

/// A notice, which links to the module or the person it is about.
fn render_notice(notice: Memo<Notice>) -> impl IntoView {
    let href = move || {
        notice.with(|notice| match &notice.module {
            Some(module) => routes::module(module),
            None => routes::identity(&notice.who.did),
        })
    };
    let mark = notice.with_untracked(|notice| match notice.kind {
        NoticeKind::Release => Icon::Module,
        NoticeKind::Yank | NoticeKind::Compromised | NoticeKind::Advisory => Icon::Warning,
        NoticeKind::Username | NoticeKind::ModuleName => Icon::Seal,
    });
    let unread = select(notice, |notice| !notice.read);
    view! {
        <li class="notices-row" data-unread=move || unread.get().then_some("true")>
            {icon(mark)}
            <div>
                <a href=href>{move || notice.with(format_notice)}</a>
                <p class="muted">
                    {slice_view(notice, |notice| notice.at, |at| view! { <Moment at /> })}
                    " "
                    <Show when=move || unread.get()>
                        <span class="badge badge-accent">"New"</span>
                    </Show>
                </p>
            </div>
        </li>
    }
}

/// One that is followed.
fn render_follow(row: Memo<FollowRow>) -> impl IntoView {
    let subject = row.with_untracked(|row| row.subject.clone());
    let parsed = SubjectRef::parse(&subject);
    let href = parsed.as_ref().and_then(routes::subject).unwrap_or_default();
    let name = move || match &parsed {
        Some(SubjectRef::Module(name)) => name.clone(),
        Some(SubjectRef::Tag(tag)) => format!("#{tag}"),
        Some(SubjectRef::Person(id) | SubjectRef::Peer(id)) => {
            row.with(|row| format_holder(row.username.as_deref(), id))
        }
        None => String::new(),
    };
    view! {
        <li class="notices-follow">
            <span>
                <a href=href>{name}</a>
                <span class="muted">" since " {slice_view(row, |row| row.since, |at| view! { <Moment at /> })}</span>
            </span>
            <FollowButton subject what="this" />
        </li>
    }
}

/// The offer of system notifications; nothing where the browser can't or the person declined.
#[component]
fn SystemToo() -> impl IntoView {
    let permission = RwSignal::new_local(notify::permission());
    let ask = move |_| {
        leptos::task::spawn_local(async move {
            let answer = notify::request_permission().await;
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
