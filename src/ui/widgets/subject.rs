//! What can be done about a person, a peer or a module from where it is shown: follow it, block it, trust it.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::{AppState, app_state};
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use gen_registry_api::Decision;

/// Says what happened; undoing it brings back what was there before, with its note.
pub fn decide(app_state: AppState, attempt: ActionState, subject: String, verdict: Decision, message: &'static str) {
    let client = app_state.client();
    let wanted = subject.clone();
    let act = async move {
        let before = client.lists().await?.rows.into_iter().find(|row| row.subject == wanted);
        client.decide(wanted, verdict, None).await?;
        Ok(before.map_or((Decision::Neither, None), |row| (row.verdict, row.note)))
    };
    attempt.start(act, move |(verdict, note)| {
        let undo = move |()| {
            let (client, subject, note) = (app_state.client(), subject.clone(), note.clone());
            leptos::task::spawn_local(async move {
                if let Err(failure) = client.decide(subject, verdict, note).await {
                    app_state.shell.show_failure(&failure);
                }
            });
        };
        app_state.shell.toasts.push_with_undo(message, Callback::new(undo));
    });
}

/// Blocks or unblocks, with a message that can take it back.
#[component]
pub fn BlockButton(
    /// `person:…`, `peer:…` or `module:…`.
    subject: String,
    /// Whether it is blocked now.
    #[prop(into)]
    blocked: Signal<bool>,
    /// What is blocked: “this person”.
    what: &'static str,
) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let label = move || if blocked.get() { "Unblock" } else { "Block" };
    let toggle = move |_| {
        let (verdict, message) = if blocked.get_untracked() {
            (Decision::Neither, "No longer blocked.")
        } else {
            (Decision::Block, "Blocked. Settings › Blocklist lists it.")
        };
        decide(app_state, attempt, subject.clone(), verdict, message);
    };
    view! {
        <button
            type="button"
            class="button button-small button-quiet"
            data-testid="block"
            disabled=move || attempt.busy.get()
            aria-label=move || format!("{} {what}", label())
            on:click=toggle
        >
            {icon(Icon::Block)}
            {label}
        </button>
        <FailureNotice failure=attempt.failure />
    }
}

/// Follows, or ends it; whether it is followed is asked for.
#[component]
pub fn FollowButton(
    /// `person:…`, `module:…` or `tag:…`.
    subject: String,
    /// What it is, as part of the button's label: “this person”.
    what: &'static str,
) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let wanted = subject.clone();
    let is_followed =
        Memo::new(move |_| app_state.live.follows.with(|follows| follows.iter().any(|row| row.subject == wanted)));
    let label = move || if is_followed.get() { "Following" } else { "Follow" };
    let toggle = move |_| {
        let (client, subject, follow) = (app_state.client(), subject.clone(), !is_followed.get_untracked());
        attempt.start(async move { client.follow(subject, follow).await }, move |follows| {
            app_state.live.follows.set(follows);
            app_state.shell.announce(if follow { "Followed" } else { "No longer followed" });
        });
    };
    view! {
        <button
            type="button"
            class="button button-small"
            data-testid="follow"
            aria-pressed=move || is_followed.get().to_string()
            aria-label=move || format!("{} {what}", label())
            disabled=move || attempt.busy.get()
            on:click=toggle
        >
            {icon(Icon::Bell)}
            {label}
        </button>
        <FailureNotice failure=attempt.failure />
    }
}
