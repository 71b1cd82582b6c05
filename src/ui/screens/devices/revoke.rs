//! The dialog that ends a device, and the choice of its last good entry.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::Submit;
use crate::components::modal::Modal;
use crate::components::notice::FailureNotice;
use crate::model::devices::{describe_entry, device_name};
use crate::time;
use gen_registry_api::{DeviceRow, LastGood};

/// The value of the choice that nothing counts.
const NOTHING: &str = "nothing";

/// The device that is to be revoked, and whether its dialog is on show.
#[derive(Clone, Copy)]
pub(super) struct Revocation {
    chosen: RwSignal<Option<DeviceRow>>,
    open: RwSignal<bool>,
}

impl Revocation {
    pub(super) fn new() -> Self {
        Self { chosen: RwSignal::new(None), open: RwSignal::new(false) }
    }

    /// Shows the dialog for a device.
    pub(super) fn begin(self, row: DeviceRow) {
        self.chosen.set(Some(row));
        self.open.set(true);
    }
}

/// The dialog for the device that was chosen.
#[component]
pub(super) fn Revoke(revocation: Revocation, refresh: Callback<()>) -> impl IntoView {
    let Revocation { chosen, open } = revocation;
    view! {
        <Modal open id="revoke-title" title="Revoke a device?" testid="revoke-dialog">
            {move || {
                let row = chosen.get_untracked();
                row.map(|row| view! { <Form row leave=Callback::new(move |()| open.set(false)) refresh /> })
            }}
        </Modal>
    }
}

#[component]
fn Form(row: DeviceRow, leave: Callback<()>, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let last = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let (key, name) = (row.key.clone(), device_name(&row.words));
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, key) = (app_state.client(), key.clone());
        let last_good = last_good(&last.get_untracked());
        attempt.start(async move { client.revoke_device(key, last_good).await }, move |_| {
            leave.try_run(());
            refresh.try_run(());
            app_state.shell.toasts.push_good("The device is revoked.");
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>
                <strong>{name}</strong>
                " can’t write in your name any more, on whichever machine its key is. This can’t be undone; the device can be added again with a new key."
            </p>
            <LastGoodChoice row last id="revoke-last".to_owned() />
            <FailureNotice failure />
            <div class="actions">
                <Submit label="Revoke it" working="Revoking…" busy class="button button-danger" testid="revoke-confirm" />
                <button type="button" class="button" on:click=move |_| leave.run(())>
                    "Keep it"
                </button>
            </div>
        </form>
    }
}

/// Which entry of a device was the last good one. An empty choice keeps everything.
#[component]
pub(super) fn LastGoodChoice(row: DeviceRow, last: RwSignal<String>, id: String) -> impl IntoView {
    let option = |entry: &gen_registry_api::DeviceEntry| {
        let at = entry.at.map(time::format_exact).unwrap_or_else(|| "no date".to_owned());
        let seal = if entry.confirmed { ", confirmed" } else { "" };
        view! { <option value=entry.id.clone()>{format!("{at}: {}{seal}", describe_entry(entry))}</option> }
    };
    view! {
        <div class="field">
            <label class="field-label" for=id.clone()>
                "The last thing on it that was yours"
            </label>
            <select class="input" id=id data-testid="last-good" bind:value=last>
                <option value="">"Everything until now"</option>
                {row.entries.iter().map(option).collect_view()}
                <option value=NOTHING>"Nothing"</option>
            </select>
            <p class="field-hint">
                "What comes after it does not count. What witnesses have confirmed stays; versions among it are marked as compromised, and nobody new gets them."
            </p>
        </div>
    }
}

/// The choice as a command has it.
pub(super) fn last_good(choice: &str) -> LastGood {
    match choice {
        "" => LastGood::Everything,
        NOTHING => LastGood::Nothing,
        id => LastGood::Entry { id: id.to_owned() },
    }
}
