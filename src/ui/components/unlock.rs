//! Asks for the passphrase when something needs the locked key; what was asked for then goes on by itself.

use leptos::prelude::*;

use crate::ui::attempt::Attempt;
use crate::ui::components::field::{PassphraseField, Submit};
use crate::ui::components::modal::Modal;
use crate::ui::components::notice::FailureNotice;
use crate::ui::session::session;

#[component]
pub fn UnlockDialog() -> impl IntoView {
    let session = session();
    let open = session.gate.asking;
    // However it was closed: whoever waits must be told.
    Effect::new(move |before: Option<bool>| {
        let now = open.get();
        if before == Some(true) && !now {
            session.gate.settle(false);
        }
        now
    });
    view! {
        <Modal open id="unlock-title" title="Unlock your key" testid="unlock">
            <UnlockForm id="unlock-passphrase" done=Callback::new(move |()| session.gate.settle(true)) leave=Callback::new(move |()| open.set(false)) />
        </Modal>
    }
}

#[component]
pub fn UnlockForm(
    /// Unique on the page.
    id: &'static str,
    done: Callback<()>,
    #[prop(optional, into)] leave: Option<Callback<()>>,
) -> impl IntoView {
    let session = session();
    let passphrase = RwSignal::new(String::new());
    let attempt = Attempt::new();
    let Attempt { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = session.client();
        let opened = async move { client.unlock(passphrase.get_untracked()).await };
        attempt.start(opened, move |me| {
            session.became(*me);
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
