//! Bringing an identity to this device: from a backup file, or from the 24 words.

use leptos::html;
use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{PassphraseField, Submit, TextArea};
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::model::people::format_username;
use crate::{dom, text, time};
use gen_registry_api::failure::{Failure, FailureCode};

/// The section with both forms.
#[component]
pub fn Restore(has_key: Memo<bool>) -> impl IntoView {
    view! {
        <section class="card" id="restore" aria-labelledby="restore-title">
            <h2 id="restore-title">"Bring back"</h2>
            <Show when=move || has_key.get()>
                <Notice tone=NoticeTone::Info>
                    <p>"This device has an identity already. Another one can come here only after this one is forgotten. Your own words give this device the identity’s key, and your own backup can always be added."</p>
                </Notice>
            </Show>
            <h3>"From a backup file"</h3>
            <Import />
            <h3>"From the 24 words"</h3>
            <FromWords />
        </section>
    }
}

/// The form for a backup file and its passphrase.
#[component]
fn Import() -> impl IntoView {
    let app_state = app_state();
    let input = NodeRef::<html::Input>::new();
    let chosen = RwSignal::new(None::<String>);
    let passphrase = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let file = move || input.get_untracked().and_then(|input| input.files()).and_then(|files| files.get(0));
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(file) = file() else {
            return;
        };
        let client = app_state.client();
        let imported = async move {
            let bytes = dom::read_bytes(&file).await.map_err(|_| {
                Failure::new(
                    FailureCode::BackupDamaged,
                    "The browser could not read this file.",
                    "Choose it again, or try another copy.",
                )
            })?;
            client.import_backup(bytes, passphrase.get_untracked()).await
        };
        attempt.start(imported, move |imported| {
            passphrase.try_set(String::new());
            chosen.try_set(None);
            if let Some(Some(input)) = input.try_get_untracked() {
                input.set_value("");
            }
            let message = match imported.new_changes {
                0 => "The backup holds nothing that was not here already.".to_owned(),
                new => format!(
                    "{} from the backup of {} brought here.",
                    text::format_count(new, "change", "changes"),
                    time::format_exact(imported.exported_at),
                ),
            };
            app_state.set_me(*imported.me);
            app_state.shell.toasts.push_good(message);
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <div class="field">
                <label class="field-label" for="import-file">
                    "Backup file"
                </label>
                <input
                    class="file-input"
                    id="import-file"
                    type="file"
                    data-testid="backup-import-file"
                    node_ref=input
                    on:change=move |_| {
                        failure.set(None);
                        chosen.set(file().map(|file| file.name()));
                    }
                />
            </div>
            <PassphraseField
                id="import-passphrase"
                label="Its passphrase"
                value=passphrase
                testid="backup-import-passphrase"
            />
            <FailureNotice failure />
            <Submit
                label="Bring it here"
                working="Opening…"
                busy
                testid="backup-import"
                disabled=Signal::derive(move || chosen.with(Option::is_none))
            />
        </form>
    }
}

/// The form for the recovery words. It counts them while they are typed.
#[component]
fn FromWords() -> impl IntoView {
    let app_state = app_state();
    let phrase = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let words = Memo::new(move |_| phrase.with(|phrase| phrase.split_whitespace().count()));
    let restore = move |unheard: bool| {
        let client = app_state.client();
        let restored = async move { client.restore_from_phrase(phrase.get_untracked(), unheard).await };
        attempt.start(restored, move |me| {
            phrase.try_set(String::new());
            let message = match &me.username {
                Some(name) => format!("Welcome back, {}.", format_username(name)),
                None => {
                    "Your key is here. Your name follows once your registry arrives, from a backup file or from a peer."
                        .to_owned()
                }
            };
            app_state.set_me(*me);
            app_state.shell.toasts.push_good(message);
        });
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        restore(false);
    };
    let is_unknown =
        move || failure.with(|failure| failure.as_ref().is_some_and(|why| why.code == FailureCode::IdentityNotFound));
    view! {
        <form class="stack" on:submit=send>
            <TextArea
                id="restore-phrase"
                label="Recovery words"
                value=phrase
                testid="restore-phrase"
                rows=3
                hint="All 24, in order, with spaces between. They stay on this device."
            />
            <p class="muted" aria-live="polite">
                {move || text::format_count(words.get() as u64, "word", "words")}
            </p>
            <FailureNotice failure />
            <Show when=is_unknown>
                <p class="muted">
                    "Without the rest of your identity this device can’t know which devices you have. If really nobody has it any more, go on; what turns up later is joined."
                </p>
                <button type="button" class="button" data-testid="restore-unheard" on:click=move |_| restore(true)>
                    "Nobody can be asked: go on"
                </button>
            </Show>
            <Submit
                label="Bring my name back"
                working="Looking for it…"
                busy
                testid="restore"
                disabled=Signal::derive(move || words.get() == 0)
            />
        </form>
    }
}
