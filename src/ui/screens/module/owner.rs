//! What only the module's holder sees: its description, and withdrawing a version.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{Submit, TextField};
use crate::components::notice::FailureNotice;
use crate::model::form_text::parse_tags;
use crate::reactive::{bind_field, bind_text, keyed_list, select};
use crate::routes;
use crate::widgets::description_fields::{DescriptionFields, DescriptionForm};
use gen_registry_api::{ModuleDescription, ModulePage, ModulePatch};

/// The section, with a link that publishes another version.
#[component]
pub fn Owner(page: Memo<ModulePage>) -> impl IntoView {
    let publish = page.with_untracked(|page| routes::publish_version(&page.name));
    view! {
        <section class="card" aria-labelledby="owner-title">
            <h2 id="owner-title">"Your module"</h2>
            <div class="actions">
                <a class="button button-main" href=publish>
                    "Publish a new version"
                </a>
            </div>
            <Describe page />
            <Withdraw page />
        </section>
    }
}

/// The form for title, description, tags and the like. Fields follow another tab until they are edited here.
#[component]
fn Describe(page: Memo<ModulePage>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let mut rebase = Vec::new();
    let mut field = |take: fn(&ModuleDescription) -> Option<&String>| {
        let saved_text = select(page, move |page| take(&page.details.description).cloned().unwrap_or_default());
        let field = RwSignal::new(saved_text.get_untracked());
        rebase.push(bind_text(field, saved_text));
        field
    };
    let (title, description) = (field(|saved| saved.title.as_ref()), field(|saved| saved.description.as_ref()));
    let (license, repository) = (field(|saved| saved.license.as_ref()), field(|saved| saved.repository.as_ref()));
    let deprecated = field(|saved| saved.deprecated.as_ref());
    let join_tags = |page: &ModulePage| page.details.description.tags.iter().cloned().collect::<Vec<_>>().join(", ");
    let saved_tags = select(page, join_tags);
    let tags = RwSignal::new(saved_tags.get_untracked());
    rebase.push(bind_field(tags, saved_tags, |text| parse_tags(text).join(", ")));
    let form = DescriptionForm { title, description, license, repository, tags };
    let name = page.with_untracked(|page| page.name.clone());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let changes = ModulePatch { deprecated: Some(deprecated.get_untracked()), ..form.to_patch() };
        let (client, name, rebase) = (app_state.client(), name.clone(), rebase.clone());
        attempt.start(async move { client.describe_module(name, changes).await }, move |_| {
            app_state.shell.toasts.push_good("The description is saved.");
            rebase.iter().for_each(|rebase| rebase.run(()));
        });
    };
    view! {
        <details>
            <summary>"Edit how it is described"</summary>
            <form class="form" on:submit=submit>
                <DescriptionFields form />
                <TextField
                    id="module-deprecated"
                    label="Deprecated because"
                    hint="Shown as a warning to everybody. Empty: it is not deprecated."
                    value=deprecated
                    max=256
                />
                <FailureNotice failure=attempt.failure />
                <Submit label="Save" busy=attempt.busy testid="describe" />
            </form>
        </details>
    }
}

/// The form that withdraws a version with a reason, or lets it count again.
#[component]
fn Withdraw(page: Memo<ModulePage>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let versions = select(page, |page| {
        page.versions
            .iter()
            .map(|version| (version.summary.version.clone(), version.summary.withdrawn.is_some()))
            .collect::<Vec<_>>()
    });
    let chosen = RwSignal::new(String::new());
    // The newest as the page was opened: one that comes later must not take its place under somebody's hand.
    Effect::new(move |_| {
        let newest = versions.with(|versions| versions.first().map(|(version, _)| version.clone()));
        if let Some(newest) = newest.filter(|_| chosen.with_untracked(String::is_empty)) {
            chosen.set(newest);
        }
    });
    let reason = RwSignal::new(String::new());
    let is_withdrawn = Memo::new(move |_| {
        let chosen = chosen.get();
        versions.with(|versions| versions.iter().any(|(version, withdrawn)| *version == chosen && *withdrawn))
    });
    let name = page.with_untracked(|page| page.name.clone());
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let version = chosen.get_untracked();
        let back = is_withdrawn.get_untracked();
        let why = (!back).then(|| reason.get_untracked());
        let message = if back { format!("{version} counts again.") } else { format!("{version} is withdrawn.") };
        let (client, name) = (app_state.client(), name.clone());
        attempt.start(async move { client.yank(name, version, why).await }, move |_| {
            app_state.shell.toasts.push_good(message);
            reason.try_set(String::new());
        });
    };
    view! {
        <details>
            <summary>"Withdraw a version"</summary>
            <form class="form" on:submit=submit>
                <p class="muted">
                    "Nobody new gets a withdrawn version. Whoever has it keeps it and reads your reason. It can be taken back."
                </p>
                <label class="pick">
                    <span class="pick-label">"Version"</span>
                    <select class="input" on:change:target=move |event| chosen.set(event.target().value())>
                        {keyed_list(versions, |(version, _)| version.clone(), move |row| {
                            let version = row.with_untracked(|(version, _)| version.clone());
                            let (value, this) = (version.clone(), version.clone());
                            let label = move || row.with(|(_, withdrawn)| if *withdrawn { format!("{version} (withdrawn)") } else { version.clone() });
                            view! { <option value=value selected=move || chosen.get() == this>{label}</option> }
                        })}
                    </select>
                </label>
                <Show when=move || !is_withdrawn.get()>
                    <TextField id="withdraw-reason" label="Why" value=reason max=256 />
                </Show>
                <FailureNotice failure=attempt.failure />
                <button type="submit" class="button" disabled=move || attempt.busy.get() data-testid="withdraw">
                    {move || if is_withdrawn.get() { "Let it count again" } else { "Withdraw" }}
                </button>
            </form>
        </details>
    }
}
