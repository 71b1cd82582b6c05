//! Versions, what each needs, and what changed between two of them.

use leptos::prelude::*;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::module_facts::author_link;
use crate::components::notice::FailureNotice;
use crate::model::sentences::describe_refusal;
use crate::model::versions::{self, Difference, Interface};
use crate::reactive::{keyed_list, select, slice_view};
use crate::screens::module::graph::Graph;
use crate::widgets::moment::Moment;
use crate::{routes, text};
use gen_registry_api::{ModulePage, NameStatus, RefusedVersion, Report, Requirement, VersionEntry};

/// The list of versions, a comparison of those on this device, and what does not count.
#[component]
pub fn Versions(page: Memo<ModulePage>) -> impl IntoView {
    let name = page.with_untracked(|page| page.name.clone());
    let versions = select(page, |page| page.versions.clone());
    let here = select(versions, |versions| {
        versions
            .iter()
            .filter(|version| version.here)
            .map(|version| version.summary.version.clone())
            .collect::<Vec<_>>()
    });
    let named = name.clone();
    let render = move |version| render_version(&named, version);
    view! {
        <section class="card" aria-labelledby="versions-title">
            <h2 id="versions-title">"Versions"</h2>
            <ul class="versions" data-testid="versions">
                {keyed_list(
                    versions,
                    |version| version.summary.version.clone(),
                    move |version| slice_view(version, Clone::clone, render.clone()),
                )}
            </ul>
            {slice_view(here, Clone::clone, move |here| (here.len() > 1).then(|| view! { <Compare name=name.clone() versions=here /> }))}
            {slice_view(page, |page| page.refused.clone(), |refused| {
                (!refused.is_empty()).then(|| render_refused(refused))
            })}
        </section>
    }
}

/// Releases that do not count.
fn render_refused(refused: Vec<RefusedVersion>) -> impl IntoView {
    let count = text::format_count(refused.len() as u64, "release", "releases");
    let rows = refused.into_iter().map(|refused| {
        view! {
            <li class="version">
                <strong>{refused.version}</strong>
                <span>"by " {author_link(&refused.author)}</span>
                <span class="muted">{describe_refusal(refused.reason)}</span>
            </li>
        }
    });
    view! {
        <details data-testid="refused-versions">
            <summary>{format!("{count} that does not count")}</summary>
            <ul class="versions">{rows.collect_view()}</ul>
        </details>
    }
}

/// A version, which links to its installation.
fn render_version(name: &str, version: VersionEntry) -> impl IntoView + use<> {
    let href = routes::install(name, &version.summary.version);
    view! {
        <li class="version">
            <a class="version-name" rel="external" href=href>{version.summary.version}</a>
            <span class="muted"><Moment at=version.published_at /></span>
            <span class="muted">{text::format_size(version.summary.size)}</span>
            {(version.status == NameStatus::Provisional).then(|| view! { <span class="badge" title="No witness has seen it yet">"Provisional"</span> })}
            {version.here.then(|| view! { <span class="badge badge-accent">"On this device"</span> })}
            {version
                .summary.withdrawn
                .map(|withdrawn| {
                    let reason = if withdrawn.reason.is_empty() { "no reason given".to_owned() } else { withdrawn.reason };
                    let what = if withdrawn.compromised { "Compromised" } else { "Withdrawn" };
                    view! { <span class="badge badge-warning">{format!("{what}: {reason}")}</span> }
                })}
        </li>
    }
}

/// Compares what two inspected versions ask for and offer.
fn compare_reports(old: &Report, new: &Report) -> Difference {
    fn side(report: &Report) -> Interface<'_> {
        let Report { imports, exports, bytes, .. } = report;
        Interface { imports, exports, bytes: *bytes }
    }
    versions::compare(side(old), side(new))
}

/// The form that compares two versions on this device.
#[component]
fn Compare(name: String, versions: Vec<String>) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let (new, old) = (RwSignal::new(versions[0].clone()), RwSignal::new(versions[1].clone()));
    let found = RwSignal::new(None::<Difference>);
    let compare = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let (client, name) = (app_state.client(), name.clone());
        let (old, new) = (old.get_untracked(), new.get_untracked());
        let both = async move {
            let before = client.inspect_module(name.clone(), old).await?;
            let after = client.inspect_module(name, new).await?;
            Ok(compare_reports(&before, &after))
        };
        attempt.start(both, move |difference| found.set(Some(difference)));
    };
    let choice = move |label: &'static str, value: RwSignal<String>, versions: Vec<String>| {
        view! {
            <label class="pick">
                <span class="pick-label">{label}</span>
                <select class="input" on:change:target=move |event| value.set(event.target().value())>
                    {versions
                        .into_iter()
                        .map(|version| {
                            let (is, label_text) = (version.clone(), version.clone());
                            view! {
                                <option value=version selected=move || value.get() == is>
                                    {label_text}
                                </option>
                            }
                        })
                        .collect_view()}
                </select>
            </label>
        }
    };
    view! {
        <details>
            <summary>"Compare two versions"</summary>
            <form class="run" on:submit=compare>
                {choice("From", old, versions.clone())} {choice("To", new, versions)}
                <button type="submit" class="button" disabled=move || attempt.busy.get()>
                    "Compare"
                </button>
            </form>
            <FailureNotice failure=attempt.failure />
            {move || {
                found
                    .get()
                    .map(|Difference { lines, sizes }| {
                        view! {
                            <p>{format!("{} → {}", text::format_size(sizes.0), text::format_size(sizes.1))}</p>
                            {if lines.is_empty() {
                                view! { <p class="muted">"Both ask for and offer the same."</p> }.into_any()
                            } else {
                                view! {
                                    <ul class="difference" data-testid="difference">
                                        {lines
                                            .into_iter()
                                            .map(|(sign, line)| view! { <li data-sign=sign.to_string()>{format!("{sign} {line}")}</li> })
                                            .collect_view()}
                                    </ul>
                                }
                                    .into_any()
                            }}
                        }
                    })
            }}
        </details>
    }
}

/// What the newest version needs, and who needs this module.
#[component]
pub fn Dependencies(page: Memo<ModulePage>) -> impl IntoView {
    let needed = |page: &ModulePage| {
        let latest = page.versions.iter().find(|version| Some(&version.summary.version) == page.latest.as_ref());
        latest.map(|version| version.dependencies.clone()).unwrap_or_default()
    };
    view! {
        <section class="card" aria-labelledby="needs-title">
            <h2 id="needs-title">"Dependencies"</h2>
            {slice_view(page, needed, |needed| {
                if needed.is_empty() {
                    view! { <p class="muted">"It needs no other module."</p> }.into_any()
                } else {
                    render_requirements(needed).into_any()
                }
            })}
            {slice_view(page, |page| page.unresolved.clone(), |failure| {
                failure.map(|failure| {
                    let sentence = format!("It can’t be installed as things are. {}", failure.message);
                    view! { <p class="muted">{sentence}</p> }
                })
            })}
            {slice_view(page, |page| page.needed.clone(), |modules| view! { <Graph modules /> })}
            {slice_view(page, |page| page.dependents.clone(), |dependents| {
                (!dependents.is_empty()).then(|| view! { <h3>"Needed by"</h3> {render_requirements(dependents)} })
            })}
        </section>
    }
}

/// Links to modules, each with the versions that are accepted.
fn render_requirements(all: Vec<Requirement>) -> impl IntoView {
    let rows = all.into_iter().map(|Requirement { name, requirement }| {
        let href = routes::module(&name);
        view! {
            <li class="version">
                <a href=href>{name}</a>
                " "
                <span class="muted">{requirement}</span>
            </li>
        }
    });
    view! { <ul class="versions">{rows.collect_view()}</ul> }
}
