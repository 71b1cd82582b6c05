//! Everything about this device: looks, safety, storage, upload, and the way out.

mod app;
mod backup;
mod danger;
mod lock;
mod looks;
mod presence;
mod restore;
mod storage;
mod upload;

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::routes::{self, SettingsSection};
use crate::widgets::page_head::PageHead;

/// The text of the link to a section.
fn section_title(section: SettingsSection) -> &'static str {
    match section {
        SettingsSection::Looks => "Looks and keys",
        SettingsSection::Presence => "Presence",
        SettingsSection::Lock => "Passphrase",
        SettingsSection::Backup => "Backup",
        SettingsSection::Restore => "Bring back",
        SettingsSection::Storage => "Storage",
        SettingsSection::Upload => "Upload",
        SettingsSection::App => "App",
        SettingsSection::Danger => "Forget",
    }
}

/// The page: links to its sections, then the sections.
#[component]
pub fn Settings() -> impl IntoView {
    let app_state = app_state();
    let has_key = Memo::new(move |_| app_state.live.has_key());
    view! {
        <div class="page settings">
            <PageHead title=Signal::stored("Settings".to_owned()) />
            <nav class="settings-index" aria-label="Sections">
                <ul>
                    {SettingsSection::ALL
                        .map(|section| {
                            view! {
                                <li>
                                    <a href=routes::settings(section)>{section_title(section)}</a>
                                </li>
                            }
                        })}
                    <li>
                        <a href=routes::DEVICES>"Devices and keys"</a>
                    </li>
                    <li>
                        <a href=routes::BLOCKLIST>"Blocklist"</a>
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
                <upload::Upload />
                <app::App />
                <danger::Danger has_key />
            </div>
        </div>
    }
}
