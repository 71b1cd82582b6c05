//! Everything about this device: looks, safety, storage, and the way out.

mod app;
mod backup;
mod danger;
mod lock;
mod looks;
mod presence;
mod restore;
mod storage;

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::page_head::PageHead;

const SECTIONS: [(&str, &str); 8] = [
    ("looks", "Looks and keys"),
    ("presence", "Presence"),
    ("lock", "Passphrase"),
    ("backup", "Backup"),
    ("restore", "Bring back"),
    ("storage", "Storage"),
    ("app", "App"),
    ("danger", "Forget"),
];

#[component]
pub fn Settings() -> impl IntoView {
    let app_state = app_state();
    let has_key = Memo::new(move |_| app_state.me.with(|me| me.as_ref().is_some_and(|me| me.did.is_some())));
    view! {
        <div class="page settings">
            <PageHead title=Signal::stored("Settings".to_owned()) />
            <nav class="settings-index" aria-label="Sections">
                <ul>
                    {SECTIONS
                        .map(|(id, title)| {
                            view! {
                                <li>
                                    <a href=format!("/settings#{id}")>{title}</a>
                                </li>
                            }
                        })}
                    <li>
                        <a href="/blocklist">"Blocklist"</a>
                    </li>
                </ul>
            </nav>
            <div class="settings-sections">
                <looks::Looks />
                <presence::Presence />
                <lock::Lock has_key />
                <backup::Backup has_key />
                <restore::Restore has_key />
                <storage::Storage />
                <app::App />
                <danger::Danger has_key />
            </div>
        </div>
    }
}
