//! Asks for the passphrase when something needs the locked key; what was asked for then goes on by itself.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{PassphraseField, Submit};
use crate::components::modal::Modal;
use crate::components::notice::FailureNotice;

/// Opens when a command waits for the passphrase. Closing it lets the command fail.
#[component]
pub fn UnlockDialog() -> impl IntoView {
    let app_state = app_state();
    let open = app_state.node.gate.is_asking;
    // However it was closed: waiting commands must end.
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now {
            app_state.node.gate.settle(None);
        }
        now
    });
    view! {
        <Modal open id="unlock-title" title="Unlock your key" testid="unlock">
            <UnlockForm
                id="unlock-passphrase"
                done=Callback::new(move |()| app_state.node.gate.settle(Some(())))
                leave=Callback::new(move |()| open.set(false))
            />
        </Modal>
    }
}

/// The form of the dialog, and of the settings. `done` runs once the key is unlocked; `leave` adds a button that
/// gives up.
#[component]
pub fn UnlockForm(
    /// Unique on the page.
    id: &'static str,
    done: Callback<()>,
    #[prop(optional, into)] leave: Option<Callback<()>>,
) -> impl IntoView {
    let app_state = app_state();
    let passphrase = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let unlocking = async move { client.unlock(passphrase.get_untracked()).await };
        attempt.start(unlocking, move |me| {
            app_state.set_me(*me);
            done.try_run(());
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>"Your key is locked on this device. Changing anything needs your passphrase; reading does not."</p>
            <PassphraseField id label="Passphrase" value=passphrase testid="unlock-passphrase" />
            <FailureNotice failure />
            <div class="actions">
                <Submit label="Unlock" working="Unlocking…" busy testid="unlock-submit" />
                {leave
                    .map(|leave| {
                        view! {
                            <button type="button" class="button" on:click=move |_| leave.run(())>
                                "Not now"
                            </button>
                        }
                    })}
            </div>
        </form>
    }
}
