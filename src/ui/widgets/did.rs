//! An identity as a short chip with a button that copies the whole of it.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::app_state;
use crate::app_state::toasts::Tone;
use crate::components::icon::{Icon, icon};
use crate::dom;
use crate::text;

/// The two ends of an identity; the whole of it is the title and what the button copies.
#[component]
pub fn DidChip(#[prop(into)] did: String) -> impl IntoView {
    let short = text::shorten_did(&did);
    let title = did.clone();
    view! {
        <span class="did">
            <code class="did-text" title=title>
                {short}
            </code>
            <CopyButton value=did label="Copy identity" />
        </span>
    }
}

/// Says by text, not by colour alone, that it has copied.
#[component]
pub fn CopyButton(#[prop(into)] value: String, label: &'static str) -> impl IntoView {
    let app_state = app_state();
    let copied = RwSignal::new(false);
    let copy = move |_| {
        let value = value.clone();
        spawn_local(async move {
            if dom::copy(&value).await {
                copied.try_set(true);
                app_state.shell.announce("Copied.");
                set_timeout(
                    move || {
                        copied.try_set(false);
                    },
                    Duration::from_secs(2),
                );
            } else {
                app_state
                    .shell
                    .toasts
                    .push(Tone::Bad, format!("The browser did not allow copying. Here it is: {value}"));
            }
        });
    };
    view! {
        <button type="button" class="button button-quiet button-small" on:click=copy>
            {move || icon(if copied.get() { Icon::Check } else { Icon::Copy })}
            {move || if copied.get() { "Copied" } else { label }}
        </button>
    }
}
