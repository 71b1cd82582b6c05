//! The name: choosing another, giving it up, or claiming one again. Says beforehand what happens to the old one.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::hooks::use_query_map;

use crate::action::ActionState;
use crate::app_state::{AppState, app_state};
use crate::components::field::{Submit, TextField};
use crate::components::modal::Modal;
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::model::own_name::{describe_claim, describe_rename, is_wanted};
use crate::model::people::format_username;
use crate::time;
use crate::widgets::claim_form::ClaimForm;
use crate::widgets::name_field::{NameChoice, NameField};
use gen_registry_api::{GivingUp, Me, NameKind, NameStatus, OwnName, ProfileChanges};

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
    let wanted = Memo::new(move |_| me.with(|me| is_wanted(me.name_status)));
    let next = Memo::new(move |_| me.with(|me| me.next_username.clone()));
    let others = Memo::new(move |_| me.with(|me| me.other_usernames.join(", ")));
    let ends = Memo::new(move |_| me.with(|me| me.giving_up));
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !choice.can_be_claimed() {
            return;
        }
        let client = app_state.client();
        let renamed = async move { client.rename(choice.text.get_untracked()).await };
        attempt.start(renamed, move |me| {
            choice.text.try_set(String::new());
            let said = describe_rename(&me);
            app_state.set_me(*me);
            app_state.shell.toasts.push_good(said);
        });
    };
    view! {
        {move || {
            if wanted.get() {
                view! {
                    <p data-testid="wanted">
                        "You asked for " <strong>{current()}</strong>
                        ". It is yours as soon as a witness of this network has seen it; until then only this device knows that you want it."
                    </p>
                }
                    .into_any()
            } else {
                view! {
                    <p>
                        "You are " <strong>{format_username(&current())}</strong>
                        ". A new name comes beside it: you go by the new one, and the old one stays yours until you give it up."
                    </p>
                }
                    .into_any()
            }
        }}
        {move || {
            next.get()
                .map(|next| {
                    view! {
                        <p data-testid="next-name">
                            "You asked for " <strong>{next}</strong>
                            ". You go by it as soon as a witness of this network has seen it."
                        </p>
                    }
                })
        }}
        {move || {
            Some(others.get())
                .filter(|others| !others.is_empty())
                .map(|others| view! { <p class="muted">"Also yours: " {others} "."</p> })
        }}
        {move || ends.get().map(|ends| view! { <GivingUpNotice name=current() ends /> })}
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
        <Show when=move || ends.get().is_none()>
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
        </Show>
        <Modal open=giving_up id="give-up-title" title="Give up your name?">
            {move || {
                let status = me.with(|me| me.name_status);
                view! { <GiveUp name=current() status leave=Callback::new(move |()| giving_up.set(false)) /> }
            }}
        </Modal>
    }
}

/// Says when the end of the name becomes final, and offers to take it back.
#[component]
fn GivingUpNotice(name: String, ends: GivingUp) -> impl IntoView {
    let app_state = app_state();
    let kept = name.clone();
    view! {
        <div data-testid="giving-up">
            <Notice tone=NoticeTone::Warning>
                <p>
                    <strong>{name}</strong>
                    " is being given up. "
                    {match ends.final_at {
                        Some(at) => format!("You can keep it until that is final: {}.", time::format_exact(at)),
                        None => "You can keep it until the witnesses of this network have seen that, and for a while after.".to_owned(),
                    }}
                </p>
                <div class="actions"><button
                    type="button"
                    class="button"
                    data-testid="keep-name"
                    on:click=move |_| keep(app_state, kept.clone())
                >
                    "Keep it"
                </button></div>
            </Notice>
        </div>
    }
}

/// Asks again, gives the name up, and offers to take it back.
#[component]
fn GiveUp(name: String, status: Option<NameStatus>, leave: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let old = StoredValue::new(name.clone());
    let to = RwSignal::new(String::new());
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, name) = (app_state.client(), old.get_value());
        let receiver = Some(to.get_untracked().trim().to_owned()).filter(|to| !to.is_empty());
        let own = OwnName { kind: NameKind::Username, name: name.clone() };
        let given_up = async move { client.give_up_name((!is_wanted(status)).then_some(own), receiver).await };
        attempt.start(given_up, move |me| {
            leave.try_run(());
            let said = match (is_wanted(status), me.giving_up) {
                (true, _) => format!("{name} is not wanted any more."),
                (false, Some(_)) => format!("{name} is being given up."),
                (false, None) => format!("{name} is given up."),
            };
            app_state.set_me(*me);
            let undo = Callback::new({
                let name = name.clone();
                move |()| claim_again(app_state, name.clone())
            });
            app_state.shell.toasts.push_with_undo(said, undo);
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>
                <strong>{name}</strong>
                {match status {
                    Some(NameStatus::Intent | NameStatus::Pending) => " is not yours yet. Nobody is asked for it any more.",
                    Some(NameStatus::Provisional) | None => " stays in your history, and anybody can claim it from then on.",
                    Some(NameStatus::Confirmed | NameStatus::Contested) => {
                        " stays yours for a while, three days in most networks, and you can take it back until then. Afterwards only you can claim it again at first, then anybody."
                    }
                }}
                " Your key, profile and history stay."
            </p>
            {(!is_wanted(status))
                .then(|| {
                    view! {
                        <TextField
                            id="give-up-to"
                            label="For whom"
                            value=to
                            hint="A username or an identity: then only that person can claim it at first. Empty: anybody."
                            testid="give-up-to"
                        />
                    }
                })}
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

/// Forbids the end of a name that was announced.
fn keep(app_state: AppState, name: String) {
    spawn_local(async move {
        let own = OwnName { kind: NameKind::Username, name: name.clone() };
        match app_state.client().veto_give_up(own).await {
            Ok(me) => {
                app_state.shell.toasts.push_good(format!("{name} stays yours."));
                app_state.set_me(*me);
            }
            Err(why) => app_state.shell.show_failure(&why),
        }
    });
}

/// Takes back a name that was just given up.
fn claim_again(app_state: AppState, name: String) {
    spawn_local(async move {
        match app_state.client().register_username(name.clone(), ProfileChanges::default()).await {
            Ok(me) => {
                app_state.shell.toasts.push_good(if is_wanted(me.name_status) {
                    describe_claim(&me)
                } else {
                    format!("{name} is yours again.")
                });
                app_state.set_me(*me);
            }
            Err(why) => app_state.shell.show_failure(&why),
        }
    });
}
