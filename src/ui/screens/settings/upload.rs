//! How much of this device's connection others may take.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::notice::FailureNotice;
use crate::text;

/// The limits that can be chosen, in bytes per second.
const UPLOAD_CHOICES: [u32; 5] = [128 * 1024, 256 * 1024, 512 * 1024, 1024 * 1024, 4 * 1024 * 1024];
/// The value of the choice without a limit.
const NO_LIMIT: &str = "none";

/// The section. It asks for the status when it is opened.
#[component]
pub fn Upload() -> impl IntoView {
    let app_state = app_state();
    app_state.refresh_status();
    let attempt = ActionState::new();
    let limit = Memo::new(move |_| app_state.live.status.get().map(|status| status.upload_limit));
    let choose = move |limit: Option<u32>| {
        let client = app_state.client();
        attempt.start(async move { client.limit_upload(limit).await }, move |_| {
            app_state.shell.announce("The choice is stored.");
            app_state.refresh_status();
        });
    };
    view! {
        <section class="card" id="upload" aria-labelledby="upload-title">
            <h2 id="upload-title">"Upload"</h2>
            <p class="muted">
                "Modules and pictures that are on this device are given to others who ask for them. All of them together get no more than this."
            </p>
            {move || match limit.get() {
                None => view! { <p class="muted">"Looking…"</p> }.into_any(),
                Some(limit) => render_choice(limit, attempt, choose).into_any(),
            }}
            <FailureNotice failure=attempt.failure />
        </section>
    }
}

/// The choice, with the limit of now among the others.
fn render_choice(limit: Option<u32>, attempt: ActionState, choose: impl Fn(Option<u32>) + 'static) -> impl IntoView {
    let mut choices = UPLOAD_CHOICES.to_vec();
    choices.extend(limit.filter(|limit| !UPLOAD_CHOICES.contains(limit)));
    choices.sort_unstable();
    view! {
        <label class="pick">
            <span class="pick-label">"Given to others"</span>
            <select
                class="input"
                data-testid="upload-limit"
                disabled=move || attempt.busy.get()
                on:change:target=move |event| {
                    match event.target().value().as_str() {
                        NO_LIMIT => choose(None),
                        chosen => if let Ok(chosen) = chosen.parse() { choose(Some(chosen)) },
                    }
                }
            >
                <option value=NO_LIMIT selected=limit.is_none()>
                    "no limit"
                </option>
                {choices
                    .into_iter()
                    .map(|choice| {
                        view! {
                            <option value=choice.to_string() selected=limit == Some(choice)>
                                {format!("at most {} per second", text::format_size(choice.into()))}
                            </option>
                        }
                    })
                    .collect_view()}
            </select>
        </label>
        <p class="muted">"It holds for this device, also after the next start. What you install yourself comes as fast as ever."</p>
    }
}
