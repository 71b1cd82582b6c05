//! The field in which a name is chosen: says at once that it is looking, then what it found and what that rests on.
//!
//! An answer for an earlier text is dropped. Whether a name is free is the node's belief, and is shown as one.

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::latest_request::LatestRequest;
use crate::model::name_check::CheckState;
use crate::model::people::{format_person, format_username};
use crate::routes;
use crate::text;
use crate::time;
use gen_registry_api::{NameCheck, NameVerdict};

/// Long enough not to ask for every letter, short enough not to be felt.
const PAUSE_MS: u32 = 250;

/// What is typed and what the node thinks of it.
#[derive(Clone, Copy)]
pub struct NameChoice {
    /// What is typed.
    pub text: RwSignal<String>,
    /// The verdict on the text; out of date for a moment after each letter.
    pub check: RwSignal<CheckState>,
}

impl NameChoice {
    /// Begins with a text, and checks whatever is typed after a pause. Call it inside a component.
    pub fn new(text: String) -> Self {
        let app_state = app_state();
        let choice = Self { text: RwSignal::new(text), check: RwSignal::new(CheckState::Nothing) };
        let latest = LatestRequest::new();
        Effect::new(move |previous: Option<String>| {
            app_state.invalidation.people.track();
            let text = choice.text.get();
            let same = previous.as_ref() == Some(&text);
            let request = latest.begin();
            if text.trim().is_empty() {
                choice.check.set(CheckState::Nothing);
                return text;
            }
            // New knowledge about an unchanged text replaces the verdict without a flicker.
            if !same {
                choice.check.set(CheckState::Searching);
            }
            let name = text.clone();
            spawn_local(async move {
                TimeoutFuture::new(PAUSE_MS).await;
                if !request.is_latest() {
                    return;
                }
                let answer = app_state.client().check_username(name).await;
                if request.is_latest() {
                    choice.check.try_set(answer.map_or_else(CheckState::Failed, CheckState::Answer));
                }
            });
            text
        });
        choice
    }

    /// Whether the node believes that the name can be had.
    pub fn can_be_claimed(&self) -> bool {
        self.check.with(CheckState::is_available)
    }
}

/// The icon inside the field; none while it is empty.
fn check_mark(check: &CheckState) -> Option<Icon> {
    match check {
        CheckState::Nothing => None,
        CheckState::Searching => Some(Icon::Search),
        CheckState::Failed(_) => Some(Icon::Warning),
        CheckState::Answer(check) => Some(match check.verdict {
            NameVerdict::Available | NameVerdict::Yours => Icon::Check,
            NameVerdict::Taken { .. } | NameVerdict::Contested => Icon::Cross,
            NameVerdict::CoolingDown { .. } => Icon::Clock,
            NameVerdict::Invalid { .. } => Icon::Warning,
        }),
    }
}

/// What is said below the field.
fn render_sentence(check: &CheckState) -> AnyView {
    match check {
        CheckState::Nothing => ().into_any(),
        CheckState::Searching => "Searching…".into_any(),
        CheckState::Failed(failure) => format!("{} {}", failure.message, failure.advice).into_any(),
        CheckState::Answer(check) => render_verdict(check),
    }
}

/// The node's verdict as a sentence, with what it rests on.
fn render_verdict(check: &NameCheck) -> AnyView {
    let basis = text::format_basis(check.records, check.registries);
    match &check.verdict {
        NameVerdict::Available => {
            let written = check.username.clone().filter(|name| *name != check.text);
            let free = match check.records {
                0 => "Free, as far as this device knows: it knows no names yet.".to_owned(),
                _ => format!("Free among {basis}."),
            };
            view! {
                {free}
                {written.map(|name| view! { " It will be written " <strong>{name}</strong> "." })}
            }
            .into_any()
        }
        NameVerdict::Yours => "This is your name already.".into_any(),
        NameVerdict::Taken { by } => {
            let who = by.username().to_owned();
            let href = routes::identity(&by.person.did);
            let alike = who != check.text;
            view! {
                "Taken" {alike.then_some(": names that look alike count as one, and this one is ")} {(!alike).then_some(" by ")}
                <a href=href>
                    {if alike { format_username(&who) } else { format_person(None, by.person.display_name.as_deref(), &by.person.did) }}
                </a> {format!(" (among {basis}).")}
            }
            .into_any()
        }
        NameVerdict::Contested => "Two claims of this name are confirmed, so it is nobody’s here.".into_any(),
        NameVerdict::CoolingDown { free_at } => {
            format!("Given up not long ago. Free for everyone from {}.", time::format_day(*free_at)).into_any()
        }
        NameVerdict::Invalid { message, .. } => message.clone().into_any(),
    }
}

/// The field, a mark for its state, and the verdict below it, which is announced politely.
#[component]
pub fn NameField(
    /// What is typed; the caller reads it when the form is sent.
    choice: NameChoice,
    /// Unique on the page.
    id: &'static str,
    #[prop(into)] label: String,
) -> impl IntoView {
    let rule_id = format!("{id}-rule");
    let verdict_id = format!("{id}-verdict");
    let described = format!("{verdict_id} {rule_id}");
    view! {
        <div class="field name-field">
            <label class="field-label" for=id>
                {label}
            </label>
            <div class="name-input" data-state=move || choice.check.with(CheckState::key)>
                <input
                    class="input"
                    id=id
                    type="text"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    enterkeyhint="done"
                    data-testid="name-input"
                    aria-describedby=described
                    aria-invalid=move || choice.check.with(CheckState::is_refused).then_some("true")
                    bind:value=choice.text
                />
                <span class="name-mark">{move || choice.check.with(check_mark).map(icon)}</span>
            </div>
            <p
                class="name-verdict"
                id=verdict_id
                role="status"
                data-testid="name-verdict"
                data-state=move || choice.check.with(CheckState::key)
            >
                {move || choice.check.with(render_sentence)}
            </p>
            <p class="field-hint" id=rule_id>
                "3 to 32 letters and digits, starting with a letter. “_”, “-” and “.” may stand between them and count as one; capitals don’t count."
            </p>
        </div>
    }
}
