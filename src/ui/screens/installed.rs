//! What is installed on this device: works without a network.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::app_state::toasts::Tone;
use crate::components::icon::{Icon, icon};
use crate::components::module_facts::author_link;
use crate::components::notice::{FailureNotice, Notice, NoticeTone};
use crate::query::use_query;
use crate::reactive::{keyed_list, query_view, slice_view};
use crate::routes;
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::{dom, text};
use gen_registry_api::failure::FailureCode;
use gen_registry_api::{ACCEPT_ALL, InstalledModule, ReleaseSummary};

/// The page: the list, and the lockfile below it.
#[component]
pub fn Installed() -> impl IntoView {
    let app_state = app_state();
    let modules = use_query(
        || (),
        move || app_state.invalidation.modules.track(),
        move |()| {
            let client = app_state.client();
            async move { client.installed_modules().await }
        },
    );
    let attempt = ActionState::new();
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Installed".to_owned()) />
            <p class="lead">"These modules are on this device, whole and checked. They work without a network."</p>
            <FailureNotice failure=attempt.failure />
            {query_view(modules, move |modules| view! {
                <Show when=move || !modules.with(Vec::is_empty) fallback=render_nothing>
                    <ul class="modules" data-testid="installed">
                        {keyed_list(
                            modules,
                            |module| module.name.clone(),
                            move |module| {
                                slice_view(module, Clone::clone, move |module| render_module(module, attempt))
                            },
                        )}
                    </ul>
                </Show>
            })}
            <Lockfiles />
        </div>
    }
}

/// What is shown in place of the list.
fn render_nothing() -> impl IntoView {
    view! {
        <div class="empty">
            {icon(Icon::Install)} <p>"Nothing is installed yet."</p> <a class="button" href=routes::MODULES>
                "Look at modules"
            </a>
        </div>
    }
}

/// A module: who needs it, whether it was withdrawn; buttons that update, save and remove it.
///
/// Removing can be taken back: the lockfile from before is installed again.
fn render_module(module: InstalledModule, attempt: ActionState) -> impl IntoView {
    let app_state = app_state();
    let InstalledModule { name, summary, requirement, needed_by, installed_at, update, .. } = module;
    let ReleaseSummary { version, author, size, withdrawn, .. } = summary;
    let href = routes::module(&name);
    let asked_for = requirement.is_some();
    let (to_save, saved_version) = (name.clone(), version.clone());
    let save = move |_| {
        let (name, version) = (to_save.clone(), saved_version.clone());
        let file = format!("{name}-{version}.wasm");
        let client = app_state.client();
        attempt.start(async move { client.read_module(name, version).await }, move |bytes| {
            if !dom::save_file(&file, &bytes) {
                app_state.shell.toasts.push(Tone::Bad, "The browser did not take the file.");
            }
        });
    };
    let updated = name.clone();
    let removed = name.clone();
    let remove = move |_| {
        let (name, client) = (removed.clone(), app_state.client());
        let removed_name = name.clone();
        // What was there before, to the version: also a withdrawn one comes back.
        let act = async move {
            let before = client.export_lockfile().await?;
            client.uninstall_module(name).await.map(|_| before)
        };
        attempt.start(act, move |before: String| {
            let back = Callback::new(move |()| {
                let (client, lockfile) = (app_state.client(), before.clone());
                attempt.start(async move { client.import_lockfile(lockfile, Vec::new()).await }, |_| {});
            });
            app_state.shell.toasts.push_with_undo(format!("{removed_name} was removed."), back);
        });
    };
    view! {
        <li class="module-row installed-row" data-testid="installed-row">
            <div class="installed-words">
                <p class="module-head">
                    <a class="module-name" href=href>{name}</a>
                    <span class="module-version">{version}</span>
                    {(!asked_for).then(|| view! { <span class="badge">"Needed by others"</span> })}
                </p>
                <p class="module-facts">
                    <span>{author_link(&author)}</span>
                    <span>{text::format_size(size)}</span>
                    <span>"installed " <Moment at=installed_at /></span>
                    {(!needed_by.is_empty()).then(|| view! { <span>{format!("needed by {}", needed_by.join(", "))}</span> })}
                </p>
                {withdrawn
                    .map(|withdrawn| {
                        view! {
                            <Notice tone=NoticeTone::Warning>
                                <p>
                                    <strong>
                                        {if withdrawn.compromised {
                                            "This version may not be its author's. Remove it. "
                                        } else {
                                            "Its author has withdrawn this version. "
                                        }}
                                    </strong>
                                    {withdrawn.reason}
                                </p>
                            </Notice>
                        }
                    })}
            </div>
            <div class="actions">
                {update
                    .map(|newer| {
                        let href = routes::install(&updated, &newer);
                        view! {
                            <a class="button button-small button-main" href=href>
                                {format!("Update to {newer}")}
                            </a>
                        }
                    })}
                <button type="button" class="button button-small" on:click=save disabled=move || attempt.busy.get()>
                    {icon(Icon::Download)}
                    "Save file"
                </button>
                <button type="button" class="button button-small" on:click=remove disabled=move || attempt.busy.get()>
                    {icon(Icon::Trash)}
                    "Remove"
                </button>
            </div>
        </li>
    }
}

/// What is installed as a text, out and in.
#[component]
fn Lockfiles() -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let export = move |copy: bool| {
        let client = app_state.client();
        attempt.start(async move { client.export_lockfile().await }, move |text: String| {
            if copy {
                leptos::task::spawn_local(async move {
                    let done = dom::copy(&text).await;
                    let message = if done { "The lockfile is copied." } else { "The browser did not copy it." };
                    app_state.shell.toasts.push(if done { Tone::Plain } else { Tone::Bad }, message);
                });
            } else if !dom::save_file("gen-registry.lock.toml", text.as_bytes()) {
                app_state.shell.toasts.push(Tone::Bad, "The browser did not take the file.");
            }
        });
    };
    let bundle = move |_| {
        let client = app_state.client();
        attempt.start(async move { client.export_installed().await }, move |bytes: Vec<u8>| {
            if !dom::save_file("gen-registry-modules.zip", &bytes) {
                app_state.shell.toasts.push(Tone::Bad, "The browser did not take the file.");
            }
        });
    };
    // The file that was chosen last, for when its new imports are accepted.
    let lockfile = StoredValue::new(String::new());
    let installed = move |modules: Vec<InstalledModule>| {
        let what = text::format_count(modules.len() as u64, "module is", "modules are");
        app_state.shell.toasts.push_good(format!("{what} installed as the lockfile says."));
    };
    let chosen = move |event: web_sys::Event| {
        let Some(file) = dom::take_chosen_file(&event) else { return };
        let client = app_state.client();
        let act = async move {
            let bytes = dom::read_bytes(&file).await.map_err(|_| dom::unreadable_file())?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            lockfile.try_set_value(text.clone());
            client.import_lockfile(text, Vec::new()).await
        };
        attempt.start(act, installed);
    };
    let accept = move |_| {
        let (client, text) = (app_state.client(), lockfile.get_value());
        attempt.start(async move { client.import_lockfile(text, vec![ACCEPT_ALL.to_owned()]).await }, installed);
    };
    let asks_for_more = move || {
        attempt.failure.with(|failure| failure.as_ref().is_some_and(|failure| failure.code == FailureCode::NewImports))
    };
    view! {
        <section class="card" aria-labelledby="lock-title">
            <h2 id="lock-title">"Lockfile"</h2>
            <p class="muted">
                "Names every installed version with its hash and its signer. Whoever imports it gets the same bytes, or an error."
            </p>
            <FailureNotice failure=attempt.failure />
            <Show when=asks_for_more>
                <button
                    type="button"
                    class="button"
                    disabled=move || attempt.busy.get()
                    on:click=accept
                    data-testid="accept-imports"
                >
                    "I accept what is new"
                </button>
            </Show>
            <div class="actions">
                <button type="button" class="button" on:click=move |_| export(true)>
                    {icon(Icon::Copy)}
                    "Copy"
                </button>
                <button type="button" class="button" on:click=move |_| export(false)>
                    {icon(Icon::Download)}
                    "Save"
                </button>
                <button type="button" class="button" on:click=bundle disabled=move || attempt.busy.get()>
                    {icon(Icon::Download)}
                    "Save all as a zip"
                </button>
                <label class="button">
                    {icon(Icon::Install)}
                    "Install from a lockfile"
                    <input class="visually-hidden" type="file" accept=".toml,.lock,text/plain" on:change=chosen />
                </label>
            </div>
        </section>
    }
}
