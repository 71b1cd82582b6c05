//! Removing the key from this device, behind a typed confirmation.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextField};
use crate::components::modal::Modal;
use crate::components::notice::{FailureNotice, Notice, NoticeTone};

/// Typed by people without a name.
const WORD: &str = "forget";

/// The section, with a button that opens the confirmation.
#[component]
pub fn Danger(has_key: Memo<bool>) -> impl IntoView {
    let open = RwSignal::new(false);
    view! {
        <section class="card card-danger" id="danger" aria-labelledby="danger-title">
            <h2 id="danger-title">"Forget"</h2>
            <p>"Removes your key from this device. What you have made public stays public; without a backup you can never change it again."</p>
            <button
                type="button"
                class="button button-danger"
                data-testid="forget"
                disabled=move || !has_key.get()
                on:click=move |_| open.set(true)
            >
                "Forget my identity…"
            </button>
            <Modal open id="forget-title" title="Forget your identity?">
                <Confirm leave=Callback::new(move |()| open.set(false)) />
            </Modal>
        </section>
    }
}

/// The form: the name has to be typed before the key is removed.
#[component]
fn Confirm(leave: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let (did, name, safe) = app_state.live.me.with_untracked(|me| {
        me.as_ref().map_or((String::new(), None, false), |me| {
            (me.did.clone().unwrap_or_default(), me.username.clone(), me.phrase_checked || me.last_backup_at.is_some())
        })
    });
    let expected = name.unwrap_or_else(|| WORD.to_owned());
    let typed = RwSignal::new(String::new());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let matches = {
        let expected = expected.clone();
        Signal::derive(move || typed.with(|typed| typed.trim() == expected))
    };
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !matches.get_untracked() {
            return;
        }
        let (client, did) = (app_state.client(), did.clone());
        attempt.start(async move { client.forget_identity(did).await }, move |me| {
            leave.try_run(());
            app_state.set_me(*me);
            app_state.shell.toasts.push_good("Forgotten. This device has no key any more.");
        });
    };
    view! {
        <form class="stack" on:submit=send>
            {(!safe)
                .then(|| {
                    view! {
                        <Notice tone=NoticeTone::Bad>
                            <p>
                                <strong>"You have no backup."</strong>
                                " Your name would be lost for ever."
                            </p>
                        </Notice>
                    }
                })}
            <p>"There is no way back without the 24 words or a backup file."</p>
            <TextField
                id="forget-confirm"
                label=format!("Type {expected} to confirm")
                value=typed
                testid="forget-confirm"
            />
            <FailureNotice failure />
            <div class="actions">
                <Submit
                    label="Forget it"
                    working="Forgetting…" busy
                    disabled=Signal::derive(move || !matches.get())
                    class="button button-danger"
                    testid="forget-submit"
                />
                <button type="button" class="button" on:click=move |_| leave.run(())>
                    "Keep it"
                </button>
            </div>
        </form>
    }
}
