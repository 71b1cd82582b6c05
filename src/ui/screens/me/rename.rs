//! The name: choosing another, giving it up, or claiming one again. Says beforehand what happens to the old one.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_query_map;

use crate::action::ActionState;
use crate::app_state::{AppState, app_state};
use crate::components::field::Submit;
use crate::components::modal::Modal;
use crate::components::notice::FailureNotice;
use crate::widgets::claim_form::ClaimForm;
use crate::widgets::name_field::{NameChoice, NameField};
use gen_registry_api::{Me, ProfileChanges};

/// Changes the name, or claims one if there is none.
#[component]
pub fn NameSection(me: Memo<Me>) -> impl IntoView {
    let named = Memo::new(move |_| me.with(|me| me.username.is_some()));
    view! {
        <section class="card" id="rename" aria-labelledby="name-title">
            <h2 id="name-title">"Name"</h2>
            {move || {
                if named.get() {
                    view! { <Rename me /> }.into_any()
                } else {
                    view! {
                        <p>"You hold no name at the moment. Your profile and your history stay as they are."</p>
                        <ClaimForm on_claimed=Callback::new(|()| {}) />
                    }
                        .into_any()
                }
            }}
        </section>
    }
}

/// The form for another name, and the button that gives the name up.
#[component]
fn Rename(me: Memo<Me>) -> impl IntoView {
    let app_state = app_state();
    let query = use_query_map();
    let choice = NameChoice::new(query.with_untracked(|query| query.get("rename")).unwrap_or_default());
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let giving_up = RwSignal::new(false);
    Effect::new(move |_| {
        choice.text.track();
        failure.set(None);
    });
    let current = move || me.with(|me| me.username.clone()).unwrap_or_default();
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !choice.can_be_claimed() {
            return;
        }
        let client = app_state.client();
        let renamed = async move { client.rename(choice.text.get_untracked()).await };
        attempt.start(renamed, move |me| {
            let name = me.username.clone().unwrap_or_default();
            choice.text.try_set(String::new());
            app_state.set_me(*me);
            app_state.shell.toasts.push_good(format!("You are {name} now. Your old name leads here."));
        });
    };
    view! {
        <p>
            "You are "
            <strong>{current}</strong>
            ". With a new name the old one is given up: it leads to your new name until somebody else holds it. Others can claim it after 30 days; you can take it back at any time before."
        </p>
        <form class="stack" on:submit=send>
            <NameField choice id="rename-name" label="New name" />
            <FailureNotice failure />
            <Submit
                label="Change my name"
                working="Changing…"
                busy
                testid="rename"
                disabled=Signal::derive(move || !choice.can_be_claimed())
            />
        </form>
        <div class="card-foot">
            <button
                type="button"
                class="button button-danger-quiet"
                data-testid="release"
                on:click=move |_| giving_up.set(true)
            >
                "Give up my name…"
            </button>
        </div>
        <Modal open=giving_up id="give-up-title" title="Give up your name?">
            <GiveUp name=current() leave=Callback::new(move |()| giving_up.set(false)) />
        </Modal>
    }
}

/// Asks again, gives the name up, and offers to take it back.
#[component]
fn GiveUp(name: String, leave: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let old = StoredValue::new(name.clone());
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, name) = (app_state.client(), old.get_value());
        attempt.start(async move { client.release_username().await }, move |me| {
            leave.try_run(());
            app_state.set_me(*me);
            let undo = Callback::new({
                let name = name.clone();
                move |()| claim_again(app_state, name.clone())
            });
            app_state.shell.toasts.push_with_undo(format!("{name} is given up."), undo);
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>
                <strong>{name}</strong>
                " stays in your history. For 30 days only you can claim it again; after that anybody can. Your key, profile and history stay."
            </p>
            <FailureNotice failure />
            <div class="actions">
                <Submit
                    label="Give it up"
                    working="Giving it up…" busy
                    class="button button-danger"
                    testid="release-confirm"
                />
                <button type="button" class="button" on:click=move |_| leave.run(())>
                    "Keep it"
                </button>
            </div>
        </form>
    }
}

/// Takes back a name that was just given up.
fn claim_again(app_state: AppState, name: String) {
    spawn_local(async move {
        match app_state.client().register_username(name, ProfileChanges::default()).await {
            Ok(me) => {
                app_state
                    .shell
                    .toasts
                    .push_good(format!("{} is yours again.", me.username.clone().unwrap_or_default()));
                app_state.set_me(*me);
            }
            Err(why) => app_state.shell.show_failure(&why),
        }
    });
}
