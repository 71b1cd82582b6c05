//! Where something is written: Enter sends, Shift and Enter begins a line. What could not be sent stays.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextArea};
use crate::components::notice::FailureNotice;
use crate::dom;

/// As the registry has it.
const MAX_CHARS: u32 = 2_000;
/// From here on the rest is counted.
const COUNTED_FROM: usize = 1_800;

/// A field and a button. The text is cleared when the message is stored, and when the channel changes.
#[component]
pub fn Composer(name: Memo<String>) -> impl IntoView {
    let app_state = app_state();
    let (typed, attempt) = (RwSignal::new(String::new()), ActionState::new());
    // What was begun for one channel must not end in another.
    Effect::new(move |_| {
        name.track();
        typed.set(String::new());
        attempt.failure.set(None);
    });
    let send = move || {
        let text = typed.get_untracked();
        if text.trim().is_empty() {
            return;
        }
        let (client, name) = (app_state.client(), name.get_untracked());
        attempt.start(async move { client.say(name, text).await }, move |_| {
            typed.set(String::new());
            dom::focus_soon("#say");
        });
    };
    let key = move |event: leptos::ev::KeyboardEvent| {
        if event.key() == "Enter" && !event.shift_key() && !event.is_composing() {
            event.prevent_default();
            send();
        }
    };
    let left = move || {
        let length = typed.with(|typed| typed.chars().count());
        (length > COUNTED_FROM).then(|| format!("{} characters left", (MAX_CHARS as usize).saturating_sub(length)))
    };
    view! {
        <form
            class="composer"
            on:submit=move |event| {
                event.prevent_default();
                send();
            }
            on:keydown=key
        >
            <TextArea id="say" label="Write" value=typed rows=2 max=MAX_CHARS testid="say" />
            <div class="composer-end">
                <p class="muted composer-hint">
                    {move || left().unwrap_or_else(|| "Enter sends, Shift and Enter begins a new line.".to_owned())}
                </p>
                <Submit
                    label="Send"
                    working="Sending…"
                    busy=attempt.busy
                    disabled=Signal::derive(move || typed.with(|typed| typed.trim().is_empty()))
                    testid="send"
                />
            </div>
        </form>
        <FailureNotice failure=attempt.failure />
    }
}
