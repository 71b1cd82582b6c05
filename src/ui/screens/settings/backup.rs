//! Two ways to keep the key safe: words on paper, a sealed file.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::widgets::backup_export::BackupExport;
use crate::widgets::moment::Moment;
use crate::widgets::recovery::RecoveryWords;

/// The section; without a key it says that there is nothing to keep safe.
#[component]
pub fn Backup(has_key: Memo<bool>) -> impl IntoView {
    let app_state = app_state();
    let checked = Memo::new(move |_| app_state.live.me.with(|me| me.as_ref().is_some_and(|me| me.phrase_checked)));
    let last = Memo::new(move |_| app_state.live.me.with(|me| me.as_ref().and_then(|me| me.last_backup_at)));
    view! {
        <section class="card" id="backup" aria-labelledby="backup-title">
            <h2 id="backup-title">"Backup"</h2>
            <Show
                when=move || has_key.get()
                fallback=|| view! { <p class="muted">"There is nothing to keep safe yet. Claim a name first."</p> }
            >
                <h3>"24 words on paper"</h3>
                <p class="muted">
                    {move || if checked.get() { "You have checked your words." } else { "You have not checked your words yet." }}
                </p>
                <RecoveryWords />
                <h3>"Encrypted file"</h3>
                <p class="muted">
                    {move || match last.get() {
                        Some(at) => view! { "Last saved " <Moment at /> "." }.into_any(),
                        None => "Never saved from this device.".into_any(),
                    }}
                </p>
                <BackupExport />
            </Show>
        </section>
    }
}
