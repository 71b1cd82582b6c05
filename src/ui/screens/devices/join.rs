//! A device without an identity that wants to be added to one: its text goes out, and the answer comes in.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextArea};
use crate::components::modal::Modal;
use crate::components::notice::FailureNotice;
use crate::components::qr::QrCode;
use crate::model::devices::format_capabilities;
use crate::model::people::format_holder;
use crate::reactive::select;
use crate::routes::{self, SettingsSection, WelcomeStep};
use crate::widgets::did::CopyButton;
use gen_registry_api::{DeviceGrant, DeviceList};

/// The sections: before a text was made, and while it waits for its answer.
#[component]
pub(super) fn Join(list: Memo<DeviceList>, refresh: Callback<()>) -> impl IntoView {
    let request = select(list, |list| list.request.clone());
    view! {
        <section class="card" aria-labelledby="join-title">
            <h2 id="join-title">"Add this device to your identity"</h2>
            {move || match request.get() {
                None => view! { <Begin refresh /> }.into_any(),
                Some(text) => view! { <Waiting text refresh /> }.into_any(),
            }}
        </section>
        <p class="muted">
            "Have the 24 words or a backup file? "
            <a href=routes::settings(SettingsSection::Restore)>"Bring your identity here"</a> ". New here? "
            <a href=routes::welcome(WelcomeStep::Name)>"Claim a name"</a> "."
        </p>
    }
}

#[component]
fn Begin(refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let begin = move |_| {
        let client = app_state.client();
        attempt.start(async move { client.request_device().await }, move |_| {
            refresh.try_run(());
        });
    };
    view! {
        <div class="stack">
            <p>
                "Another device of yours lets this one act for you, without the words. This one makes a key of its own, and never gets the key of your identity."
            </p>
            <FailureNotice failure=attempt.failure />
            <div class="actions">
                <button
                    type="button"
                    class="button button-main"
                    data-testid="request-device"
                    disabled=move || attempt.busy.get()
                    on:click=begin
                >
                    "Show the text of this device"
                </button>
            </div>
        </div>
    }
}

#[component]
fn Waiting(text: String, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let grant = RwSignal::new(String::new());
    let shown = RwSignal::new(None::<DeviceGrant>);
    let is_open = RwSignal::new(false);
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let read = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let text = grant.get_untracked();
        attempt.start(async move { client.read_device_grant(text).await }, move |found| {
            shown.try_set(Some(found));
            is_open.try_set(true);
        });
    };
    let cancel = move |_| {
        let client = app_state.client();
        attempt.start(async move { client.cancel_device_request().await }, move |_| {
            refresh.try_run(());
        });
    };
    view! {
        <div class="stack">
            <p>"Bring this text to a device that has your identity key, under “Devices and keys”. It is no secret."</p>
            <QrCode text=text.clone() label="QR code of this device’s text" />
            <code class="device-text" data-testid="request-text">
                {text.clone()}
            </code>
            <div class="actions">
                <CopyButton value=text label="Copy the text" />
                <button type="button" class="button button-quiet" on:click=cancel>
                    "Forget it"
                </button>
            </div>
            <form class="stack" on:submit=read>
                <TextArea
                    id="device-grant"
                    label="The answer of the other device"
                    value=grant
                    rows=3
                    hint="It begins with gen-added:."
                    testid="device-grant"
                />
                <FailureNotice failure />
                <Submit
                    label="Look whose it is"
                    working="Reading…"
                    busy
                    testid="read-grant"
                    disabled=Signal::derive(move || grant.with(|text| text.trim().is_empty()))
                />
            </form>
        </div>
        <Modal open=is_open id="grant-title" title="Become a device of this identity?" testid="grant-dialog">
            {move || {
                shown.get().map(|found| view! { <Confirm found grant=grant.get_untracked() leave=Callback::new(move |()| is_open.set(false)) refresh /> })
            }}
        </Modal>
    }
}

/// Shows whose device this becomes, before it does.
#[component]
fn Confirm(found: DeviceGrant, grant: String, leave: Callback<()>, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, grant) = (app_state.client(), grant.clone());
        let accepted = async move {
            client.accept_device_grant(grant).await?;
            client.who_am_i().await
        };
        attempt.start(accepted, move |me| {
            leave.try_run(());
            app_state.set_me(*me);
            refresh.try_run(());
            app_state.shell.toasts.push_good("This device acts for you now.");
        });
    };
    let who = format_holder(found.username.as_deref(), &found.did);
    view! {
        <form class="stack" on:submit=send>
            <p>
                "This becomes a device of " <strong>{who}</strong> ". It " {format_capabilities(&found.capabilities)}
                "."
            </p>
            <p class="muted">"The same words stand on the other device, on its profile page:"</p>
            <ol class="safety-words">
                {found.safety_words.into_iter().map(|word| view! { <li>{word}</li> }).collect_view()}
            </ol>
            <FailureNotice failure />
            <div class="actions">
                <Submit label="Yes, that is me" working="Taking it over…" busy testid="accept-grant" />
                <button type="button" class="button" on:click=move |_| leave.run(())>
                    "No"
                </button>
            </div>
        </form>
    }
}
