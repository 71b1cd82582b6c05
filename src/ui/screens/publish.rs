//! Publishing: choose a file, see what it is, say what it is called, look once more, sign.

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use wasm_bindgen::JsCast;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::field::{TextArea, TextField};
use crate::components::icon::{Icon, icon};
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::model::form_text::{parse_requirements, suggest_module_name};
use crate::model::people::format_username;
use crate::query::use_query;
use crate::widgets::description_fields::{DescriptionFields, DescriptionForm};
use crate::widgets::page_head::PageHead;
use crate::{dom, routes, text};
use gen_registry_api::{Check, ModuleNameCheck, ModulePage, ModulePatch, NameVerdict, PublishDraft, Published, Report};

/// What was chosen, and what it proved to be.
#[derive(Clone)]
struct ChosenFile {
    /// Its name.
    file: String,
    /// All of it.
    bytes: Vec<u8>,
    /// What validation found.
    report: Report,
}

/// The page in three steps: choosing a file, describing it, done.
#[component]
pub fn Publish() -> impl IntoView {
    let chosen = RwSignal::new(None::<ChosenFile>);
    let published = RwSignal::new(None::<Published>);
    let title = Signal::derive(move || match published.get() {
        Some(Published { wanted: true, .. }) => "Kept to be published".to_owned(),
        Some(_) => "Published".to_owned(),
        None => "Publish a module".to_owned(),
    });
    let step = Signal::derive(move || match (chosen.with(Option::is_some), published.with(Option::is_some)) {
        (_, true) => 3,
        (true, false) => 2,
        (false, false) => 1,
    });
    view! {
        <div class="page page-narrow">
            <p class="steps" aria-label=move || format!("Step {} of 3", step.get()) role="img">
                {(1..=3_u32)
                    .map(|which| {
                        let state = move || {
                            if which == step.get() { "now" } else if which < step.get() { "done" } else { "next" }
                        };
                        view! { <span class="step" data-state=state></span> }
                    })
                    .collect_view()}
            </p>
            <PageHead title step />
            {move || match (published.get(), chosen.get()) {
                (Some(done), _) => view! { <Done done again=Callback::new(move |()| { chosen.set(None); published.set(None); }) /> }.into_any(),
                (None, Some(file)) if file.report.is_valid() => view! { <Details file chosen published /> }.into_any(),
                (None, other) => view! { <Choose before=other.map(|file| (file.file, file.report)) chosen /> }.into_any(),
            }}
        </div>
    }
}

/// A field that takes a file by choice, by dropping it, or from the system. `before` is one that did not pass.
#[component]
fn Choose(before: Option<(String, Report)>, chosen: RwSignal<Option<ChosenFile>>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let over = RwSignal::new(false);
    let take = move |file: web_sys::File| {
        let client = app_state.client();
        let look = async move {
            let bytes = dom::read_bytes(&file).await.map_err(|_| dom::unreadable_file())?;
            let report = *client.validate_module(bytes.clone()).await?;
            Ok(ChosenFile { file: file.name(), bytes, report })
        };
        attempt.start(look, move |found| chosen.set(Some(found)));
    };
    let take_offered = move || {
        if let Some(file) = dom::take_offered_file() {
            take(file);
        }
    };
    let offered = window_event_listener_untyped(dom::FILE_OFFERED, move |_| take_offered());
    on_cleanup(move || offered.remove());
    take_offered();
    let dropped = move |event: web_sys::DragEvent| {
        event.prevent_default();
        over.set(false);
        if let Some(file) = event.data_transfer().and_then(|data| data.files()).and_then(|files| files.get(0)) {
            take(file);
        }
    };
    view! {
        <p class="lead">"It is checked on this device first. Nothing leaves it before you say so."</p>
        <label
            class="drop"
            data-over=move || over.get().then_some("yes")
            on:dragover=move |event: web_sys::DragEvent| {
                event.prevent_default();
                over.set(true);
            }
            on:dragleave=move |_| over.set(false)
            on:drop=dropped
        >
            {icon(Icon::Module)}
            <span>{move || if attempt.busy.get() { "Checking…" } else { "Drop a .wasm file here, or choose one" }}</span>
            <input
                class="visually-hidden"
                type="file"
                accept=".wasm,application/wasm"
                data-testid="publish-file"
                on:change=move |event| {
                    if let Some(file) = dom::take_chosen_file(event.unchecked_ref()) {
                        take(file);
                    }
                }
            />
        </label>
        <FailureNotice failure=attempt.failure />
        {before.map(|(file, report)| view! { <h2>{file}</h2> <Checks report /> })}
    }
}

/// Every check with what came of it.
#[component]
fn Checks(report: Report) -> impl IntoView {
    let words = |check: Check| match check {
        Check::Size => "Not too large",
        Check::Magic => "It is WebAssembly",
        Check::Version => "Of a version that is known",
        Check::Structure => "Well formed and valid",
        Check::Functions => "Not too many functions",
        Check::Memory => "Not too much memory",
        Check::Externs => "Not too many imports and exports",
    };
    let outcome = move |check: Check| {
        let outcome_of_check = report.outcomes.iter().find(|outcome| outcome.check == check);
        let (state, mark) = match outcome_of_check {
            Some(outcome) if outcome.problem.is_none() => ("passed", Icon::Check),
            Some(_) => ("failed", Icon::Cross),
            None => ("not made", Icon::Clock),
        };
        let problem = outcome_of_check.and_then(|outcome| outcome.problem.as_ref()).map(ToString::to_string);
        view! {
            <li class="check" data-state=state>
                {icon(mark)}
                <span>
                    {words(check)}
                    <span class="visually-hidden">{format!(": {state}")}</span>
                    {problem.map(|problem| view! { <span class="check-problem">{problem}</span> })}
                </span>
            </li>
        }
    };
    view! {
        <ul class="checks" data-testid="checks">
            {Check::ALL.map(outcome).into_iter().collect_view()}
        </ul>
    }
}

/// The form for everything that is published with the file. It is sent at the second press of its button.
#[component]
fn Details(
    file: ChosenFile,
    chosen: RwSignal<Option<ChosenFile>>,
    published: RwSignal<Option<Published>>,
) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let ChosenFile { file: file_name, bytes, report } = file;
    let own = |key: &str| report.metadata.get(key).cloned().unwrap_or_default();
    let asked_name = use_query_map().with_untracked(|query| query.get("name"));
    let name = RwSignal::new(asked_name.unwrap_or_else(|| suggest_module_name(&file_name)));
    let own_version = own("version");
    let version = RwSignal::new(if own_version.is_empty() { "0.1.0".to_owned() } else { own_version });
    let form = DescriptionForm {
        title: RwSignal::new(String::new()),
        description: RwSignal::new(own("description")),
        license: RwSignal::new(own("licenses")),
        repository: RwSignal::new(own("source")),
        tags: RwSignal::new(String::new()),
    };
    let (readme, dependencies) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let check = use_query(
        move || name.get(),
        || (),
        move |text| {
            let client = app_state.client();
            async move { client.check_module_name(text).await }
        },
    );
    let (size, asks) = (report.bytes, report.imports.len() as u64);
    let send = StoredValue::new_local(bytes);
    let sure = RwSignal::new(false);
    let send = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        if !sure.get_untracked() {
            return sure.set(true);
        }
        let readme = Some(readme.get_untracked()).filter(|text| !text.trim().is_empty());
        let details = ModulePatch { readme, ..form.to_patch_of_filled() };
        let draft = Box::new(PublishDraft {
            name: name.get_untracked(),
            version: version.get_untracked(),
            wasm: send.get_value(),
            dependencies: parse_requirements(&dependencies.get_untracked()),
            details,
        });
        let client = app_state.client();
        attempt.start(async move { client.publish(draft).await }, move |done| {
            app_state.refresh_me();
            published.set(Some(done));
        });
    };
    view! {
        <div class="card">
            <h2>{file_name}</h2>
            <p class="muted">
                {format!("{}, {}", text::format_size(size), if asks == 0 { "asks for nothing from outside".to_owned() } else { format!("asks for {}", text::format_count(asks, "import", "imports")) })}
            </p>
            <Checks report />
        </div>
        <form class="form" on:submit=send on:input=move |_| sure.set(false)>
            <TextField id="publish-name" label="Name" value=name max=64 testid="publish-name" />
            <div role="status" class="name-verdict">{move || check.get().and_then(Result::ok).map(|check| view! { <Verdict check /> })}</div>
            <TextField
                id="publish-version"
                label="Version"
                hint="Three numbers, as 1.4.0. No version is ever replaced."
                value=version
                max=64
                testid="publish-version"
            />
            <DescriptionFields form />
            <TextArea
                id="publish-dependencies"
                label="Needs these modules"
                hint="One a line: a name and a requirement, as “base64 ^1.2”."
                value=dependencies
                rows=2
                testid="publish-dependencies"
            />
            <TextArea id="publish-readme" label="Readme" hint="Markdown." value=readme rows=6 />
            <FailureNotice failure=attempt.failure />
            <Show when=move || sure.get()>
                <Notice tone=NoticeTone::Warning>
                    <p>
                        <strong>{move || format!("{} {} can’t be taken back. ", name.get(), version.get())}</strong>
                        "Once a peer has it, it stays: a version is never replaced or deleted, only withdrawn. Your key signs it."
                    </p>
                </Notice>
            </Show>
            <div class="actions">
                <button
                    type="submit"
                    class="button button-main"
                    disabled=move || attempt.busy.get()
                    data-testid="publish-now"
                >
                    {move || if attempt.busy.get() { "Signing…" } else if sure.get() { "Sign and publish for ever" } else { "Publish" }}
                </button>
                <button
                    type="button"
                    class="button"
                    on:click=move |_| chosen.set(None)
                    disabled=move || attempt.busy.get()
                >
                    "Choose another file"
                </button>
            </div>
        </form>
    }
}

/// Whether the module's name can be used, as a sentence.
#[component]
fn Verdict(check: ModuleNameCheck) -> impl IntoView {
    let name = check.name.unwrap_or_default();
    match check.verdict {
        NameVerdict::Available => format!("{name} is free; it will be yours with this release."),
        NameVerdict::Yours => match check.versions.first() {
            Some(newest) => format!("{name} is yours; its newest version is {newest}."),
            None => format!("{name} is yours."),
        },
        NameVerdict::CoolingDown { .. } => format!("{name} was given up not long ago and is still closed."),
        NameVerdict::Contested => format!("{name} has two confirmed holders, so nobody can publish under it."),
        NameVerdict::Taken { by } => format!("{name} belongs to {}.", format_username(by.username())),
        NameVerdict::Invalid { message, .. } => message,
    }
}

/// What was published, to how many peers it was announced, and where to go from here.
#[component]
fn Done(done: Published, again: Callback<()>) -> impl IntoView {
    let app_state = app_state();
    let href = routes::module(&done.name);
    let peers =
        Memo::new(move |_| app_state.live.status.with(|status| status.as_ref().map_or(0, |status| status.peers)));
    let announced_to = done.peers;
    let (name, version) = (done.name.clone(), done.version.clone());
    let page = use_query(
        move || name.clone(),
        move || app_state.invalidation.modules.track(),
        move |name| {
            let client = app_state.client();
            async move { client.module_page(name).await }
        },
    );
    let wanted = Memo::new(move |_| {
        let is_out = |page: &ModulePage| page.versions.iter().any(|known| known.summary.version == version);
        done.wanted && !page.with(|page| matches!(page, Some(Ok(Some(page))) if is_out(page)))
    });
    view! {
        <p class="lead" data-testid="published">
            <strong>{format!("{} {}", done.name, done.version)}</strong>
            {move || if wanted.get() { " is wanted: it is published as soon as a witness of this network has seen it." } else { " is published." }}
        </p>
        <ul class="checks">
            <li class="check" data-state="passed">
                {icon(Icon::Check)}
                "Signed with your key"
            </li>
            <li class="check" data-state="passed">
                {icon(Icon::Check)}
                {format!("{} on this device", text::format_size(done.size))}
            </li>
            {move || match announced_to.max(peers.get()) {
                _ if wanted.get() => {
                    view! {
                        <li class="check" data-state="not made">
                            {icon(Icon::Clock)}
                            "Waits for a witness. You need not stay here"
                        </li>
                    }
                        .into_any()
                }
                0 => {
                    view! {
                        <li class="check" data-state="not made">
                            {icon(Icon::Clock)}
                            "No peer is connected: they hear of it when one comes"
                        </li>
                    }
                        .into_any()
                }
                count => {
                    view! {
                        <li class="check" data-state="passed">
                            {icon(Icon::Check)}
                            {format!("Announced to {}", text::format_count(count, "peer", "peers"))}
                        </li>
                    }
                        .into_any()
                }
            }}
        </ul>
        <p class="muted">"Until somebody has installed it, its bytes are only on this device. Keep this page open now and then."</p>
        <div class="actions">
            <a class="button button-main" href=href>
                "Open its page"
            </a>
            <button type="button" class="button" on:click=move |_| again.run(())>
                "Publish another"
            </button>
        </div>
    }
}
