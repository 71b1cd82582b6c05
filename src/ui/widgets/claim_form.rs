//! Claiming the first name of this profile: one field, one button. The key is made on the way, silently.

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::action::ActionState;
use crate::app_state::{AppState, app_state};
use crate::components::field::Submit;
use crate::components::forked::ForkedNotice;
use crate::components::notice::FailureNotice;
use crate::dom;
use crate::model::own_name::describe_claim;
use crate::model::sentences::describe_loss;
use crate::widgets::name_field::{NameChoice, NameField};
use gen_registry_api::failure::{Failure, FailureCode};
use gen_registry_api::{Me, ProfileChanges};

/// `claimed` runs once the name is safely kept.
#[component]
pub fn ClaimForm(#[prop(optional, into)] suggested: String, on_claimed: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let choice = NameChoice::new(suggested);
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    Effect::new(move |_| {
        choice.text.track();
        failure.set(None);
    });
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if choice.text.with_untracked(|text| text.trim().is_empty()) {
            return;
        }
        let name = choice.text.get_untracked();
        let claiming = async move {
            let outcome = claim(app_state, name).await;
            if outcome.is_err() {
                // The person may exist now, without the name.
                app_state.refresh_me();
            }
            outcome
        };
        attempt.start(claiming, move |me| {
            let said = describe_claim(&me);
            // First, for this form may leave the page with the next answer.
            on_claimed.try_run(());
            app_state.set_me(me);
            app_state.shell.has_just_claimed.set(true);
            app_state.shell.toasts.push_good(said);
            spawn_local(async move {
                // Still within what the person asked for with the button.
                let _shown_in_settings = dom::persist_storage().await;
                app_state.refresh_status();
            });
        });
    };
    view! {
        <Show when=move || !app_state.live.is_forked() fallback=ForkedNotice>
            <form class="claim-form" on:submit=send>
                <NameField choice id="claim-name" label="Your name" />
                <FailureNotice failure />
                <Submit
                    label="Claim this name"
                    working="Claiming…"
                    busy
                    testid="claim"
                    disabled=Signal::derive(move || !choice.can_be_claimed())
                />
            </form>
        </Show>
    }
}

/// Claims a name, and makes the key on the way if there is none yet.
///
/// Fails also if the profile was made but the name went to somebody else.
async fn claim(app_state: AppState, name: String) -> Result<Me, Failure> {
    let client = app_state.client();
    let has_key = app_state.live.me.with_untracked(|me| me.as_ref().is_some_and(|me| me.did.is_some()));
    if has_key {
        return client.register_username(name, ProfileChanges::default()).await.map(|me| *me);
    }
    let me = client.setup_user(Some(name.clone()), ProfileChanges::default()).await?;
    match (&me.username, &me.lost_name) {
        (Some(_), _) => Ok(*me),
        (None, Some(lost)) => Err(Failure::new(
            FailureCode::NameTaken,
            format!("{} is somebody else’s. {}", lost.name, describe_loss(lost.reason)),
            "Your profile is ready, without a name. Choose another one.",
        )),
        (None, None) => Err(Failure::new(
            FailureCode::NameTaken,
            format!("{name} could not be claimed."),
            "Your profile is ready, without a name. Choose another one.",
        )),
    }
}
