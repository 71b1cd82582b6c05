//! Makes the encrypted backup file and hands it to the person.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::node::failure::{Failure, FailureCode};
use crate::ui::components::field::{PassphraseField, Submit};
use crate::ui::components::notice::FailureNotice;
use crate::ui::dom;
use crate::ui::session::session;

#[component]
pub fn BackupExport(#[prop(optional, into)] saved: Option<Callback<()>>) -> impl IntoView {
    let session = session();
    let passphrase = RwSignal::new(String::new());
    let busy = RwSignal::new(false);
    let failure = RwSignal::new(None::<Failure>);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        busy.set(true);
        failure.set(None);
        spawn_local(async move {
            let outcome = session.client().export_backup(passphrase.get_untracked()).await;
            busy.try_set(false);
            match outcome {
                Ok(file) if dom::save_file(&file.file_name, &file.bytes) => {
                    session.toasts.good(format!("{} was handed to the browser to save.", file.file_name));
                    session.refresh_me();
                    passphrase.try_set(String::new());
                    if let Some(saved) = saved {
                        saved.try_run(());
                    }
                }
                Ok(_) => {
                    failure.try_set(Some(Failure::new(
                        FailureCode::Internal,
                        "The browser did not take the file.",
                        "Allow downloads for this page and try again.",
                    )));
                }
                Err(why) => {
                    failure.try_set(Some(why));
                }
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
