//! Makes the encrypted backup file and hands it to the person.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{PassphraseField, Submit};
use crate::components::notice::FailureNotice;
use crate::dom;
use gen_registry_api::failure::{Failure, FailureCode};

/// A form for the file's passphrase. `on_saved` runs once the file was handed to the browser.
#[component]
pub fn BackupExport(#[prop(optional, into)] on_saved: Option<Callback<()>>) -> impl IntoView {
    let app_state = app_state();
    let passphrase = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let export = async move {
            let file = client.export_backup(passphrase.get_untracked()).await?;
            match dom::save_file(&file.file_name, &file.bytes) {
                true => Ok(file.file_name),
                false => Err(Failure::new(
                    FailureCode::Internal,
                    "The browser did not take the file.",
                    "Allow downloads for this page and try again.",
                )),
            }
        };
        attempt.start(export, move |file_name| {
            app_state.shell.toasts.push_good(format!("{file_name} was handed to the browser to save."));
            app_state.refresh_me();
            passphrase.try_set(String::new());
            if let Some(on_saved) = on_saved {
                on_saved.try_run(());
            }
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <PassphraseField
                id="backup-passphrase"
                label="Passphrase for the file"
                value=passphrase
                fresh=true
                hint="Needed to open the file again. Nobody can reset it: choose several words that you will remember."
                testid="backup-export-passphrase"
            />
            <FailureNotice failure />
            <Submit
                label="Save backup file"
                working="Sealing…"
                busy
                testid="backup-export"
                disabled=Signal::derive(move || passphrase.with(String::is_empty))
            />
        </form>
    }
}
