//! Replacing the identity key by the next one of the words, or by one of new words; and lost words.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextArea};
use crate::components::modal::Modal;
use crate::components::notice::FailureNotice;
use crate::model::devices::{can_be_revoked, device_name, format_rotations};
use crate::reactive::select;
use crate::routes::{self, SettingsSection};
use crate::screens::devices::revoke::{LastGoodChoice, last_good};
use gen_registry_api::{DeviceEnd, DeviceList, DeviceRow, WordsForRotation};

/// The section: which key it is, and both ways out.
#[component]
pub(super) fn Keys(list: Memo<DeviceList>, refresh: Callback<()>) -> impl IntoView {
    let (rotating, replacing) = (RwSignal::new(false), RwSignal::new(false));
    let number = select(list, |list| list.key_number);
    let can_replace = select(list, |list| list.holds_key && !list.has_words && list.new_words.is_none());
    view! {
        <section class="card" aria-labelledby="keys-title" id="keys">
            <h2 id="keys-title">"Identity key"</h2>
            <p>
                "Your name belongs to your identity, and the identity to whoever has its key. The key "
                {move || format_rotations(number.get())} "."
            </p>
            <h3>"Somebody may have the key"</h3>
            <p class="muted">
                "A stolen profile has the present key, but not the next one, which only your 24 words give. Replacing the key ends everything that the old one could do."
            </p>
            <div class="actions">
                <button type="button" class="button button-danger-quiet" data-testid="rotate" on:click=move |_| rotating.set(true)>
                    "Replace the key…"
                </button>
            </div>
            <Show when=move || can_replace.get()>
                <h3>"The words are lost"</h3>
                <p class="muted">
                    "While a device still has the key, it can announce new words. They count after a wait in which the holder of the old ones could object."
                </p>
                <div class="actions">
                    <button type="button" class="button" data-testid="replace-words" on:click=move |_| replacing.set(true)>
                        "Make new words…"
                    </button>
                </div>
            </Show>
        </section>
        <Modal open=rotating id="rotate-title" title="Replace the identity key?" testid="rotate-dialog">
            {move || view! { <Rotate list=list.get_untracked() leave=Callback::new(move |()| rotating.set(false)) refresh /> }}
        </Modal>
        <Modal open=replacing id="replace-words-title" title="Make new recovery words?" testid="replace-words-dialog">
            {move || view! { <ReplaceWords leave=Callback::new(move |()| replacing.set(false)) refresh /> }}
        </Modal>
    }
}

#[component]
fn Rotate(list: DeviceList, leave: Callback<()>, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let phrase = RwSignal::new(String::new());
    let make_new = RwSignal::new(false);
    let needs_words = !list.has_words;
    let others: Vec<Other> = list.devices.into_iter().filter(can_be_revoked).map(Other::new).collect();
    let choices = StoredValue::new(others.clone());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let words = WordsForRotation {
            phrase: needs_words.then(|| phrase.get_untracked()),
            make_new: make_new.get_untracked(),
        };
        let ends = choices.with_value(|others| others.iter().filter_map(Other::end).collect());
        let has_new_words = words.make_new;
        attempt.start(async move { client.rotate_key(words, ends).await }, move |_| {
            phrase.try_set(String::new());
            leave.try_run(());
            refresh.try_run(());
            let said = if has_new_words {
                "The key is being replaced. Write down your new words now: Settings, Backup."
            } else {
                "The key is being replaced."
            };
            app_state.shell.toasts.push_good(said);
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>
                "What was signed with the old key and is not named here ends. Your name, modules and what witnesses have confirmed stay."
            </p>
            <Show when=move || needs_words>
                <TextArea
                    id="rotate-phrase"
                    label="Recovery words"
                    value=phrase
                    rows=3
                    hint="All 24, in order. They stay on this device."
                    testid="rotate-phrase"
                />
            </Show>
            <label class="switch">
                <input type="checkbox" data-testid="rotate-new-words" bind:checked=make_new />
                "Somebody may have the words, too: make new ones"
            </label>
            {(!others.is_empty()).then(|| view! { <h3>"Your other devices"</h3> })}
            {others.into_iter().map(Other::render).collect_view()}
            <FailureNotice failure />
            <div class="actions">
                <Submit
                    label="Replace the key"
                    working="Replacing…"
                    busy
                    class="button button-danger"
                    testid="rotate-confirm"
                    disabled=Signal::derive(move || needs_words && phrase.with(|text| text.trim().is_empty()))
                />
                <button type="button" class="button" on:click=move |_| leave.run(())>
                    "Keep it"
                </button>
            </div>
        </form>
    }
}

/// Another device, and what becomes of it.
#[derive(Clone)]
struct Other {
    row: DeviceRow,
    ends: RwSignal<bool>,
    last: RwSignal<String>,
}

impl Other {
    fn new(row: DeviceRow) -> Self {
        Self { row, ends: RwSignal::new(false), last: RwSignal::new(String::new()) }
    }

    /// Where it ends, if it does.
    fn end(&self) -> Option<DeviceEnd> {
        self.ends
            .get_untracked()
            .then(|| DeviceEnd { key: self.row.key.clone(), last_good: last_good(&self.last.get_untracked()) })
    }

    fn render(self) -> impl IntoView {
        let Self { row, ends, last } = self;
        let name = device_name(&row.words);
        let id = format!("rotate-last-{}", row.key);
        let row = StoredValue::new(row);
        view! {
            <div class="stack" data-testid="rotate-device">
                <label class="switch">
                    <input type="checkbox" bind:checked=ends />
                    {format!("{name} ends: it is not mine, or was stolen")}
                </label>
                <Show when=move || ends.get()>
                    <LastGoodChoice row=row.get_value() last id=id.clone() />
                </Show>
            </div>
        }
    }
}

#[component]
fn ReplaceWords(leave: Callback<()>, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        attempt.start(async move { client.replace_lost_words().await }, move |_| {
            leave.try_run(());
            refresh.try_run(());
            app_state.shell.toasts.push_good("New words are made. Write them down now: Settings, Backup.");
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>
                "New words are made on this device, for you to write down. Until the wait is over the old ones still count: whoever has them can stop this."
            </p>
            <p class="muted">
                "Found the old words again? Then leave this, or "
                <a href=routes::settings(SettingsSection::Backup)>"keep a backup file"</a> "."
            </p>
            <FailureNotice failure />
            <div class="actions">
                <Submit label="Make new words" working="Making them…" busy testid="replace-words-confirm" />
                <button type="button" class="button" on:click=move |_| leave.run(())>
                    "Not now"
                </button>
            </div>
        </form>
    }
}
