//! A message near what it is about: what happened, and what can be done.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use gen_registry_api::failure::Failure;

/// How urgent a message is: its colour and its mark.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NoticeTone {
    Info,
    Good,
    Warning,
    Bad,
}

/// A message in a box, with the mark of its tone.
#[component]
pub fn Notice(tone: NoticeTone, children: Children) -> impl IntoView {
    let (class, mark) = match tone {
        NoticeTone::Info => ("notice", Icon::Info),
        NoticeTone::Good => ("notice notice-good", Icon::Check),
        NoticeTone::Warning => ("notice notice-warning", Icon::Warning),
        NoticeTone::Bad => ("notice notice-bad", Icon::Warning),
    };
    view! {
        <div class=class>
            {icon(mark)} <div class="notice-text">{children()}</div>
        </div>
    }
}

/// A failure in place of what was to be shown.
pub fn render_failure(failure: Failure) -> AnyView {
    view! {
        <Notice tone=NoticeTone::Bad>
            <p>
                <strong>{failure.message}</strong>
            </p>
            <p>{failure.advice}</p>
        </Notice>
    }
    .into_any()
}

/// The last failure of the control beside it, announced at once.
#[component]
pub fn FailureNotice(#[prop(into)] failure: Signal<Option<Failure>>) -> impl IntoView {
    view! {
        <div class="failure-slot" role="alert">
            {move || {
                failure.get().map(render_failure)
            }}
        </div>
    }
}
