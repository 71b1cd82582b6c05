//! Adding another device: its text comes in, what it may is chosen, and the answer goes out.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextArea, TextField};
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::components::qr::QrCode;
use crate::routes;
use crate::widgets::did::CopyButton;
use gen_registry_api::DeviceCapabilities;

/// The section. The answer stays on show until the person is done with it.
#[component]
pub(super) fn Add(refresh: Callback<()>) -> impl IntoView {
    let answer = RwSignal::new(None::<String>);
    view! {
        <section class="card" aria-labelledby="add-device-title" id="add">
            <h2 id="add-device-title">"Add a device"</h2>
            {move || match answer.get() {
                None => view! { <Form answer refresh /> }.into_any(),
                Some(text) => view! { <Answer text done=Callback::new(move |()| answer.set(None)) /> }.into_any(),
            }}
        </section>
    }
}

#[component]
fn Form(answer: RwSignal<Option<String>>, refresh: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let request = RwSignal::new(String::new());
    let is_limited = RwSignal::new(false);
    let may = Choice::new();
    let attempt = ActionState::new();
    let ActionState { busy, failure } = attempt;
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let client = app_state.client();
        let capabilities = if is_limited.get_untracked() { may.read() } else { DeviceCapabilities::full() };
        let text = request.get_untracked();
        attempt.start(async move { client.add_device(text, capabilities).await }, move |text| {
            answer.try_set(Some(text));
            refresh.try_run(());
        });
    };
    view! {
        <form class="stack" on:submit=send>
            <p>
                "Open this page on the new device, go to “Devices and keys” there, and bring its text here. With the 24 words a device adds itself: "
                <a href=routes::settings(routes::SettingsSection::Restore)>"bring back"</a> "."
            </p>
            <TextArea
                id="device-request"
                label="Text of the new device"
                value=request
                rows=3
                hint="It begins with gen-device: and is no secret."
                testid="device-request"
            />
            <label class="switch">
                <input type="checkbox" data-testid="limit-device" bind:checked=is_limited />
                "Let it do only some things"
            </label>
            <Show when=move || is_limited.get()>{may.render()}</Show>
            <FailureNotice failure />
            <Submit
                label="Add it"
                working="Adding…"
                busy
                testid="add-device"
                disabled=Signal::derive(move || request.with(|text| text.trim().is_empty()))
            />
        </form>
    }
}

/// What the new device is to do, as it is chosen.
#[derive(Clone, Copy)]
struct Choice {
    profile: RwSignal<bool>,
    claim: RwSignal<bool>,
    publish: RwSignal<String>,
    yank: RwSignal<bool>,
    rate: RwSignal<bool>,
    chat: RwSignal<bool>,
}

impl Choice {
    fn new() -> Self {
        let off = || RwSignal::new(false);
        Self {
            profile: off(),
            claim: off(),
            publish: RwSignal::new(String::new()),
            yank: off(),
            rate: off(),
            chat: off(),
        }
    }

    fn read(self) -> DeviceCapabilities {
        let publish = self.publish.get_untracked();
        DeviceCapabilities {
            profile: self.profile.get_untracked(),
            claim: self.claim.get_untracked(),
            publish: Some(publish.trim().to_owned()).filter(|pattern| !pattern.is_empty()),
            yank: self.yank.get_untracked(),
            rate: self.rate.get_untracked(),
            chat: self.chat.get_untracked(),
            grant: false,
        }
    }

    fn render(self) -> impl IntoView {
        let check = |label: &'static str, value: RwSignal<bool>| {
            view! {
                <label class="switch">
                    <input type="checkbox" bind:checked=value />
                    {label}
                </label>
            }
        };
        view! {
            <fieldset class="stack" data-testid="capabilities">
                <legend class="field-label">"It may"</legend>
                {check("Change the profile, descriptions and lists", self.profile)} {check("Claim names", self.claim)}
                {check("Withdraw versions", self.yank)} {check("Rate modules", self.rate)}
                {check("Talk in channels", self.chat)}
                <TextField
                    id="device-publish"
                    label="Publish these modules"
                    value=self.publish
                    hint="A name, or the beginning of names with * behind it. Empty: none."
                    testid="device-publish"
                />
            </fieldset>
        }
    }
}

/// What the new device needs back.
#[component]
fn Answer(text: String, done: Callback<()>) -> impl IntoView {
    view! {
        <div class="stack" data-testid="device-answer">
            <Notice tone=NoticeTone::Good>
                <p>
                    <strong>"The device is added. "</strong>
                    "Bring this text back to it; then it acts for you."
                </p>
            </Notice>
            <QrCode text=text.clone() label="QR code of the answer" />
            <code class="device-text" data-testid="device-answer-text">
                {text.clone()}
            </code>
            <div class="actions">
                <CopyButton value=text label="Copy the text" />
                <button type="button" class="button" on:click=move |_| done.run(())>
                    "Done"
                </button>
            </div>
        </div>
    }
}
