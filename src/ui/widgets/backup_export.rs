//! Makes the encrypted backup file and hands it to the person, or to a script to which the person gives it.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{PassphraseField, Submit};
use crate::components::modal::Modal;
use crate::components::notice::FailureNotice;
use crate::dom;
use gen_registry_api::BackupFile;
use gen_registry_api::failure::{Failure, FailureCode};

/// Opens when a script asks for a backup. Closing it lets the script have none.
#[component]
pub fn BackupRequestDialog() -> impl IntoView {
    let app_state = app_state();
    let gate = app_state.backup_gate;
    let open = gate.is_asking;
    // However it was closed: scripts that wait must get an answer.
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now {
            gate.settle(None);
        }
        now
    });
    let give = move |file: BackupFile| {
        gate.settle(Some(file));
        Ok("The file was given to the program that asked for it.".to_owned())
    };
    view! {
        <Modal open id="backup-request-title" title="Give out a backup?" testid="backup-request">
            <div class="stack">
                <p>
                    "A program on this page asks for a backup of your identity. It gets the file, and can’t open it without the passphrase that you choose here. If you did not expect this, refuse."
                </p>
                <BackupForm
                    id="given-backup-passphrase"
                    label="Give it the file"
                    deliver=Callback::new(give)
                    leave=Callback::new(move |()| open.set(false))
                />
            </div>
        </Modal>
    }
}

/// A form for the file's passphrase. `on_saved` runs once the file was handed to the browser.
#[component]
pub fn BackupExport(#[prop(optional, into)] on_saved: Option<Callback<()>>) -> impl IntoView {
    let save = move |file: BackupFile| {
        if !dom::save_file(&file.file_name, &file.bytes) {
            return Err(Failure::new(
                FailureCode::Internal,
                "The browser did not take the file.",
                "Allow downloads for this page and try again.",
            ));
        }
        if let Some(on_saved) = on_saved {
            on_saved.try_run(());
        }
        Ok(format!("{} was handed to the browser to save.", file.file_name))
    };
    view! { <BackupForm id="backup-passphrase" label="Save backup file" deliver=Callback::new(save) /> }
}

/// The form. `deliver` takes the file and returns what to tell the person.
#[component]
fn BackupForm(
    /// The id of its field, unique on the page.
    id: &'static str,
    label: &'static str,
    deliver: Callback<BackupFile, Result<String, Failure>>,
    #[prop(optional, into)] leave: Option<Callback<()>>,
) -> impl IntoView {
    let app_state = app_state();
    let passphrase = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let export = async move {
            let file = client.export_backup(passphrase.get_untracked()).await?;
            deliver.try_run(file).unwrap_or_else(|| Ok(String::new()))
        };
        attempt.start(export, move |told| {
            app_state.shell.toasts.push_good(told);
            app_state.refresh_me();
            passphrase.try_set(String::new());
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <PassphraseField
                id
                label="Passphrase for the file"
                value=passphrase
                fresh=true
                hint="Needed to open the file again. Nobody can reset it: choose several words that you will remember."
                testid="backup-export-passphrase"
            />
            <FailureNotice failure />
            <div class="actions">
                <Submit
                    label
                    working="Sealing…"
                    busy
                    testid="backup-export"
                    disabled=Signal::derive(move || passphrase.with(String::is_empty))
                />
                {leave
                    .map(|leave| {
                        view! {
                            <button type="button" class="button" on:click=move |_| leave.run(())>
                                "Refuse"
                            </button>
                        }
                    })}
            </div>
        </form>
    }
}
