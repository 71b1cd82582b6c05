//! Installing a version: what it comes to, how far it is, and what is new in an update.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::model::form_text::requirement_for;
use crate::model::people::format_author;
use crate::text;
use gen_registry_api::failure::FailureCode;
use gen_registry_api::{InstallPlan, InstallStage, Requirement};

/// An installation in progress; it outlives updates of the page.
#[derive(Clone, Copy)]
pub struct Installation {
    /// What would be installed, while it waits for consent.
    plan: RwSignal<Option<InstallPlan>>,
    /// The planning or installing under way.
    attempt: ActionState,
    /// Of which module, and to which version.
    of: StoredValue<Option<(String, Option<String>)>>,
}

impl Installation {
    /// Nothing was begun.
    pub fn new() -> Self {
        Self { plan: RwSignal::new(None), attempt: ActionState::new(), of: StoredValue::new(None) }
    }

    /// Forgets what was begun for anything else; says whether this is new.
    fn continue_with(self, of: (String, Option<String>)) -> bool {
        let same = self.of.with_value(|before| before.as_ref() == Some(&of));
        if !same {
            self.of.set_value(Some(of));
            self.plan.set(None);
            self.attempt.failure.set(None);
        }
        same
    }
}

/// What can be installed, and what is installed of it.
#[derive(Clone, PartialEq)]
pub struct InstallSubject {
    /// The module.
    pub name: String,
    /// The newest version that counts.
    pub newest: Option<String>,
    /// The version on this device.
    pub installed: Option<String>,
}

/// The section: what is installed, the plan of an installation, and the button that carries it out.
///
/// `wanted` is the version that the address names; it is planned at once. New imports have to be accepted first.
#[component]
pub fn Install(subject: InstallSubject, wanted: Option<String>, installation: Installation) -> impl IntoView {
    let app_state = app_state();
    let InstallSubject { name, newest, installed } = subject;
    let version = wanted.clone().or(newest.clone());
    let updates = installed.is_some();
    let is_newest = installed.is_some() && installed == newest;
    let continues = installation.continue_with((name.clone(), version.clone()));
    let Installation { plan, attempt, .. } = installation;
    let requirement = StoredValue::new(
        version.map(|version| Requirement { name, requirement: requirement_for(&version, newest.as_deref()) }),
    );
    let preview = move || {
        let Some(requirement) = requirement.get_value() else { return };
        let client = app_state.client();
        attempt
            .start(async move { client.resolve_modules(vec![requirement]).await }, move |found| plan.set(Some(found)));
    };
    if wanted.is_some() && !continues {
        preview();
    }
    let go = move |accept: bool| {
        let Some(requirement) = requirement.get_value() else { return };
        let client = app_state.client();
        // What it needs may ask for more, too; the failure on show has named all of it.
        let all = || {
            plan.with_untracked(|plan| plan.iter().flat_map(|plan| &plan.steps).map(|step| step.name.clone()).collect())
        };
        let accept = if accept { all() } else { Vec::new() };
        let name = requirement.name.clone();
        attempt.start(async move { client.install_modules(vec![requirement], accept).await }, move |_| {
            plan.set(None);
            app_state.live.install_progress.set(None);
            app_state.shell.toasts.push_good(format!("{name} is installed and works without a network."));
        });
    };
    let asks_for_more = move || {
        attempt.failure.with(|failure| failure.as_ref().is_some_and(|failure| failure.code == FailureCode::NewImports))
    };
    view! {
        <section class="card install" aria-labelledby="install-title">
            <h2 id="install-title">"Install"</h2>
            {match (&installed, is_newest) {
                (Some(version), true) => {
                    view! { <p class="install-state" data-testid="installed-version">{icon(Icon::Check)} {format!(" {version} is on this device and works without a network.")}</p> }
                        .into_any()
                }
                (Some(version), false) => view! { <p class="install-state" data-testid="installed-version">{format!("{version} is installed.")}</p> }.into_any(),
                (None, _) => {
                    view! { <p class="muted">"It is fetched from peers who have it, and every byte is checked before it is kept."</p> }
                        .into_any()
                }
            }}
            <FailureNotice failure=attempt.failure />
            <Show when=asks_for_more>
                <button
                    type="button"
                    class="button"
                    disabled=move || attempt.busy.get()
                    on:click=move |_| go(true)
                    data-testid="accept-imports"
                >
                    "I accept what is new"
                </button>
            </Show>
            {move || {
                plan.get()
                    .map(|found| {
                        view! {
                            <Preview plan=found />
                            <div class="actions">
                                <button
                                    type="button"
                                    class="button button-main"
                                    disabled=move || attempt.busy.get()
                                    on:click=move |_| go(false)
                                    data-testid="install-now"
                                >
                                    {move || if attempt.busy.get() { "Installing…" } else { "Install these" }}
                                </button>
                                <button
                                    type="button"
                                    class="button"
                                    disabled=move || attempt.busy.get()
                                    on:click=move |_| {
                                        plan.set(None);
                                        attempt.failure.set(None);
                                    }
                                >
                                    "Not now"
                                </button>
                            </div>
                        }
                    })
            }}
            <Show when=move || plan.with(Option::is_none) && !is_newest && requirement.with_value(Option::is_some)>
                <button
                    type="button"
                    class="button button-main"
                    disabled=move || attempt.busy.get()
                    on:click=move |_| preview()
                    data-testid="install"
                >
                    {icon(Icon::Install)}
                    {if updates { "Update" } else { "Install" }}
                </button>
            </Show>
        </section>
    }
}

/// What will be fetched, module by module, and how far it is.
#[component]
fn Preview(plan: InstallPlan) -> impl IntoView {
    let app_state = app_state();
    let use_query = if plan.to_fetch == 0 {
        "Everything is on this device already.".to_owned()
    } else {
        format!("{} will be fetched.", text::format_size(plan.to_fetch))
    };
    let steps = plan.steps.into_iter().map(move |step| {
        let (name, size) = (step.name.clone(), step.summary.size);
        let progress = Memo::new(move |_| app_state.live.install_progress.get().filter(|progress| progress.name == name));
        let progress_text = move || match progress.get() {
            None if step.here => "here".to_owned(),
            None => text::format_size(size),
            Some(progress) => match progress.stage {
                InstallStage::Fetching => format!("{} of {}", text::format_size(progress.done), text::format_size(progress.total)),
                InstallStage::Verifying => "checking".to_owned(),
                InstallStage::Installed => "installed".to_owned(),
            },
        };
        let change = match step.installed {
            Some(before) if before != step.summary.version => format!("{before} → {}", step.summary.version),
            _ => step.summary.version,
        };
        view! {
            <li class="install-step">
                <span class="install-what">
                    <strong>{step.name}</strong>
                    " "
                    {change}
                </span>
                <span class="muted">{format!("signed by {}", format_author(&step.summary.author))}</span>
                {(!step.needed_by.is_empty())
                    .then(|| view! { <span class="muted">{format!("needed by {}", step.needed_by.join(", "))}</span> })}
                {step.summary.withdrawn.map(|withdrawn| view! { <span class="badge badge-warning">{format!("withdrawn: {}", withdrawn.reason)}</span> })}
                <span class="install-progress">{progress_text}</span>
                <progress
                    aria-label="Fetched"
                    class:hidden=move || progress.with(|progress| progress.as_ref().is_none_or(|p| p.stage != InstallStage::Fetching))
                    max=size
                    prop:value=move || progress.with(|progress| progress.as_ref().map_or(0.0, |progress| progress.done as f64))
                ></progress>
            </li>
        }
    });
    view! {
        <p>{use_query}</p>
        <ol class="install-steps" data-testid="install-plan">
            {steps.collect_view()}
        </ol>
    }
}
