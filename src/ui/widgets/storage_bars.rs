//! Bars above the page about what is stored: nothing is kept, the browser took the data away, or the key can't be read.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::model::stored_key::is_key_damaged;
use crate::routes::{self, SettingsSection};
use gen_registry_api::Status;

/// Shows none, one or several bars.
#[component]
pub fn StorageBars() -> impl IntoView {
    let app_state = app_state();
    let status = app_state.live.status;
    let says = move |what: fn(&Status) -> bool| status.with(|status| status.as_ref().is_some_and(what));
    let is_volatile = move || says(|status| status.volatile);
    let is_withdrawn = move || says(|status| status.withdrawn);
    let is_rewritten = app_state.shell.storage_rewritten;
    let has_identity = move || app_state.live.has_key();
    let is_key_damaged = move || {
        let me = app_state.live.me;
        status.with(|status| me.with(|me| is_key_damaged(status.as_ref(), me.as_ref())))
    };
    view! {
        <Show when=is_volatile>
            <div class="bar" role="alert" data-testid="volatile-bar">
                {icon(Icon::Warning)}
                <p>
                    "This browser refuses to keep anything for this site. What you do here is gone when you close the page, unless you "
                    <a href=routes::settings(SettingsSection::Backup)>"save a backup file"</a> "."
                </p>
            </div>
        </Show>
        <Show when=is_withdrawn>
            <div class="bar bar-blocking" role="alert" data-testid="storage-lost-bar">
                {icon(Icon::Warning)}
                <p>
                    "The browser took this site’s storage away and does not give it back. This page still has your key and shows what it holds, but it can’t keep any change. Save a backup file now, then reload the page."
                </p>
                <a class="button button-main button-small" href=routes::settings(SettingsSection::Backup)>
                    "Save a backup"
                </a>
            </div>
        </Show>
        <Show when=move || is_rewritten.get() && !is_withdrawn()>
            <div class="bar" role="alert" data-testid="storage-lost-bar">
                {icon(Icon::Warning)}
                <p>
                    "The browser removed this site’s data. "
                    {move || {
                        if has_identity() {
                            "This page still had your key and what you wrote, and has stored them again. Modules, pictures and what others wrote come back from peers. Save a backup file, in case it happens again."
                        } else {
                            "There was no key here yet, so nothing of yours is lost. What others wrote comes back from peers."
                        }
                    }}
                </p>
                <Show when=has_identity>
                    <a class="button button-main button-small" href=routes::settings(SettingsSection::Backup)>
                        "Save a backup"
                    </a>
                </Show>
                <button type="button" class="button button-small" on:click=move |_| is_rewritten.set(false)>
                    "Close"
                </button>
            </div>
        </Show>
        <Show when=is_key_damaged>
            <div class="bar bar-blocking" role="alert" data-testid="key-damaged-bar">
                {icon(Icon::Warning)}
                <p>
                    "The key that is stored on this device can’t be read. It was set aside, and nothing is written over it. Bring your identity back with its recovery words or a backup file; a new name would belong to a new identity."
                </p>
                <a class="button button-main button-small" href=routes::settings(SettingsSection::Restore)>
                    "Restore"
                </a>
            </div>
        </Show>
    }
}
