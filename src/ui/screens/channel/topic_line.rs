//! What the channel is about, and changing that.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextField};
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::dom;
use gen_registry_api::ChannelEntry;

/// As the registry has it.
const MAX_CHARS: u32 = 200;

/// The line with a button that turns it into a form. Every member may change it.
#[component]
pub fn TopicLine(name: Memo<String>, entry: Memo<Option<ChannelEntry>>) -> impl IntoView {
    let app_state = app_state();
    let line = Memo::new(move |_| entry.with(|entry| entry.as_ref().and_then(|entry| entry.topic_line.clone())));
    let (editing, typed, attempt) = (RwSignal::new(false), RwSignal::new(String::new()), ActionState::new());
    let edit = move |_| {
        typed.set(line.get_untracked().unwrap_or_default());
        editing.set(true);
        dom::focus_soon("#topic-line");
    };
    let save = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, name, text) = (app_state.client(), name.get_untracked(), typed.get_untracked());
        attempt.start(async move { client.set_topic_line(name, text).await }, move |_| {
            editing.set(false);
            app_state.refresh_channels();
            dom::focus_soon("#edit-topic-line");
        });
    };
    view! {
        <Show
            when=move || editing.get()
            fallback=move || {
                view! {
                    <p class="topic-line">
                        <span data-testid="topic-line">{move || line.get().unwrap_or_else(|| "Nobody has said yet what this channel is about.".to_owned())}</span>
                        <button
                            type="button"
                            id="edit-topic-line"
                            class="button button-icon"
                            aria-label="Change what the channel is about"
                            on:click=edit
                        >
                            {icon(Icon::Pencil)}
                        </button>
                    </p>
                }
            }
        >
            <form class="topic-form" on:submit=save>
                <TextField id="topic-line" label="What the channel is about" value=typed max=MAX_CHARS />
                <Submit label="Save" busy=attempt.busy />
                <button type="button" class="button" on:click=move |_| editing.set(false)>
                    "Cancel"
                </button>
            </form>
        </Show>
        <FailureNotice failure=attempt.failure />
    }
}
