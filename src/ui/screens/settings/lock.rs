//! The passphrase that seals the key on this device: set, change, take away, lock and unlock.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{PassphraseField, Submit};
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::widgets::unlock::UnlockForm;
use gen_registry_api::Protection;

/// The section: what can be done depends on how the key is protected.
#[component]
pub fn Lock(has_key: Memo<bool>) -> impl IntoView {
    let app_state = app_state();
    let protection =
        Memo::new(move |_| app_state.live.me.with(|me| me.as_ref().map_or(Protection::None, |me| me.protection)));
    view! {
        <section class="card" id="lock" aria-labelledby="lock-title">
            <h2 id="lock-title">"Passphrase"</h2>
            {move || {
                if !has_key.get() {
                    return view! { <p class="muted">"There is no key on this device yet. It is made when you claim a name."</p> }
                        .into_any();
                }
                match protection.get() {
                    Protection::None => view! {
                        <p data-testid="protection">
                            "Your key is stored as it is, since this browser keeps no keys for this address: whoever can read the browser’s data can use your name."
                        </p>
                        <FirstPassphrase />
                    }
                        .into_any(),
                    Protection::Browser => view! {
                        <p data-testid="protection">
                            "Your key is sealed: this browser keeps what opens it, and shows it to no program. Whoever can use this browser, or copies all its data, can still use your name. A passphrase prevents that."
                        </p>
                        <FirstPassphrase />
                    }
                        .into_any(),
                    Protection::Unlocked => view! { <Open /> }.into_any(),
                    Protection::Locked => {
                        view! { <UnlockForm id="lock-unlock-passphrase" done=Callback::new(move |()| app_state.shell.toasts.push_good("Unlocked for this visit.")) /> }
                            .into_any()
                    }
                }
            }}
        </section>
    }
}

/// For a key that has no passphrase yet.
#[component]
fn FirstPassphrase() -> impl IntoView {
    view! { <SetPassphrase label="New passphrase" action="Lock the key with it" done="Your key is sealed now." /> }
}

/// For a key that is unlocked: lock it, change the passphrase, or take it away.
#[component]
fn Open() -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let run = move |remove: bool| {
        let client = app_state.client();
        let changed = async move { if remove { client.set_passphrase(None).await } else { client.lock().await } };
        attempt.start(changed, move |me| {
            app_state.set_me(*me);
            app_state.shell.toasts.push_good(if remove { "The passphrase is taken away." } else { "Locked." });
        });
    };
    view! {
        <p>"Your key is sealed with a passphrase and open for this visit."</p>
        <div class="actions">
            <button
                type="button"
                class="button button-main"
                disabled=move || busy.get()
                data-testid="lock-now"
                on:click=move |_| run(false)
            >
                {icon(Icon::Lock)}
                "Lock now"
            </button>
            <button
                type="button"
                class="button"
                disabled=move || busy.get()
                data-testid="passphrase-remove"
                on:click=move |_| run(true)
            >
                "Take the passphrase away"
            </button>
        </div>
        <FailureNotice failure />
        <details>
            <summary>"Change the passphrase"</summary>
            <SetPassphrase label="New passphrase" action="Change it" done="The passphrase is changed." />
        </details>
    }
}

/// The form for a passphrase. `action` is its button, `done` the message afterwards.
#[component]
fn SetPassphrase(label: &'static str, action: &'static str, done: &'static str) -> impl IntoView {
    let app_state = app_state();
    let passphrase = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let sealed = async move { client.set_passphrase(Some(passphrase.get_untracked())).await };
        attempt.start(sealed, move |me| {
            passphrase.try_set(String::new());
            app_state.set_me(*me);
            app_state.shell.toasts.push_good(done);
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <PassphraseField
                id="lock-passphrase"
                label=label
                value=passphrase
                fresh=true
                hint="Asked for before anything is changed, once per visit. It can’t be reset: keep a backup too."
                testid="passphrase-new"
            />
            <FailureNotice failure />
            <Submit
                label=action
                working="Sealing…"
                busy
                testid="passphrase-set"
                disabled=Signal::derive(move || passphrase.with(String::is_empty))
            />
        </form>
    }
}
