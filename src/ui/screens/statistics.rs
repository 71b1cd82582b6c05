//! What this device has seen, in sums: how the registry grew, what is installed and needed most, and how many peers
//! there were.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::model::statistics::{
    CURVE_HEIGHT, CURVE_WIDTH, DAY_MILLIS, DayRow, curve_points, day_rows, format_csv, last_drop, running_total,
};
use crate::query::use_query;
use crate::reactive::{query_view, slice_view};
use crate::time::format_day;
use crate::widgets::moment::Moment;
use crate::widgets::page_head::PageHead;
use crate::{dom, routes, text};
use gen_registry_api::{DailyCount, ModuleRank, PeerCount, Statistics as Report};

/// How far back one may look, in days, and how that is called.
const RANGES: [(u32, &str); 3] = [(7, "A week"), (30, "A month"), (365, "A year")];

/// The page. It follows people, modules and the network.
#[component]
pub fn Statistics() -> impl IntoView {
    let app_state = app_state();
    let days = RwSignal::new(RANGES[1].0);
    let report = use_query(
        move || days.get(),
        move || {
            app_state.invalidation.modules.track();
            app_state.invalidation.people.track();
            app_state.invalidation.network.track();
        },
        move |days| {
            let client = app_state.client();
            async move { client.statistics(days).await.map(|report| *report) }
        },
    );
    let range = move |(range, label): (u32, &'static str)| {
        view! {
            <button
                type="button"
                class="button button-small"
                aria-pressed=move || (days.get() == range).to_string()
                on:click=move |_| days.set(range)
            >
                {label}
            </button>
        }
    };
    view! {
        <div class="page">
            <PageHead title=Signal::stored("Statistics".to_owned()) />
            <p class="lead">"Sums of what this device has seen. Another one may have seen other things."</p>
            <div class="actions statistics-range" role="group" aria-label="How far back">{RANGES.map(range).collect_view()}</div>
            {query_view(report, render_statistics)}
        </div>
    }
}

/// All cards and lists; each is rendered again only when its own part changed.
fn render_statistics(report: Memo<Report>) -> impl IntoView {
    let app_state = app_state();
    let save = move |_| {
        if !dom::save_file("gen-registry-statistics.csv", report.with_untracked(format_csv).as_bytes()) {
            app_state.shell.announce("The browser did not take the file");
        }
    };
    let days = |report: &Report| (report.begins, report.names.clone(), report.modules.clone(), report.releases.clone());
    view! {
        <div class="statistics" data-testid="statistics">
            {slice_view(report, |report| report.names.clone(), |names| render_growth("People", "name", "names", names))}
            {slice_view(report, |report| report.modules.clone(), |modules| render_growth("Modules", "module", "modules", modules))}
            {slice_view(report, |report| report.releases.clone(), |releases| render_growth("Releases", "release", "releases", releases))}
            {slice_view(report, |report| report.peers.clone(), render_peers)}
        </div>
        <section class="card">
            <h2>"Day by day"</h2>
            <details>
                <summary>"As a table"</summary>
                {slice_view(report, days, |(begins, names, modules, releases)| {
                    render_table(begins, &names, &modules, &releases)
                })}
            </details>
            <div class="actions">
                <button type="button" class="button button-small" on:click=save data-testid="save-statistics">
                    {icon(Icon::Download)}
                    "Save as CSV"
                </button>
            </div>
        </section>
        <section class="card">
            <h2>"Installed most"</h2>
            {slice_view(report, |report| report.popular.clone(), |popular| {
                render_ranking(popular, "install", "installs", "Nobody known here has said what they installed.")
            })}
        </section>
        <section class="card">
            <h2>"Needed most"</h2>
            <p class="muted">
                {slice_view(report, |report| (report.independent, report.modules.total), |(independent, known)| {
                    format!("{} of {} need no other.", text::format_number(independent), text::format_count(known, "module", "modules"))
                })}
            </p>
            {slice_view(report, |report| report.needed.clone(), |needed| {
                render_ranking(needed, "module needs it", "modules need it", "No module known here needs another one.")
            })}
            {slice_view(report, |report| report.missing.clone(), |missing| {
                (!missing.is_empty())
                    .then(|| {
                        view! {
                            <h3>"Needed, and not known here"</h3>
                            {render_ranking(missing, "module needs it", "modules need it", "")}
                        }
                    })
            })}
        </section>
    }
}

/// How many there are, the curve of their number, and how many are new.
fn render_growth(title: &'static str, one: &'static str, many: &'static str, count: DailyCount) -> impl IntoView {
    let new: u64 = count.days.iter().sum();
    let curve = running_total(&count);
    view! {
        <section class="card statistics-card">
            <h2>{title}</h2>
            <p class="statistics-total">{text::format_count(count.total, one, many)}</p>
            {render_curve(&curve)}
            <p class="muted">{format!("{} new in this time", text::format_number(new))}</p>
        </section>
    }
}

/// The number of connected peers over time, and whether many left at once.
fn render_peers(peers: Vec<PeerCount>) -> impl IntoView {
    let now = peers.last().map_or(0, |last| last.peers);
    let most = peers.iter().map(|count| count.peers).max().unwrap_or_default();
    let drop = last_drop(&peers);
    let curve: Vec<u64> = peers.iter().map(|count| count.peers).collect();
    view! {
        <section class="card statistics-card">
            <h2>"Connected peers"</h2>
            <p class="statistics-total">{text::format_count(now, "peer", "peers")}</p>
            {render_curve(&curve)}
            <p class="muted">{format!("At most {} since this page was opened", text::format_number(most))}</p>
            {drop
                .map(|(before, after)| {
                    view! {
                        <p>
                            {format!("From {before} to {} ", after.peers)} <Moment at=after.at />
                            ": the network may have been split."
                        </p>
                    }
                })}
        </section>
    }
}

/// The words beside it say what it shows.
fn render_curve(values: &[u64]) -> impl IntoView {
    view! {
        <svg
            class="statistics-curve"
            viewBox=format!("0 0 {CURVE_WIDTH} {CURVE_HEIGHT}")
            preserveAspectRatio="none"
            aria-hidden="true"
        >
            <polyline points=curve_points(values) />
        </svg>
    }
}

/// Modules with a number each, or a sentence if there are none.
fn render_ranking(rows: Vec<ModuleRank>, one: &'static str, many: &'static str, nothing: &'static str) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">{nothing}</p> }.into_any();
    }
    view! {
        <ol class="statistics-ranking">
            {rows
                .into_iter()
                .map(|row| {
                    let href = routes::module(&row.name);
                    view! {
                        <li>
                            <a href=href>{row.name}</a>
                            <span class="muted">{text::format_count(row.count, one, many)}</span>
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
    .into_any()
}

/// The days on which something happened, the newest first.
fn render_table(begins: u64, names: &DailyCount, modules: &DailyCount, releases: &DailyCount) -> AnyView {
    let rows = day_rows(begins, names, modules, releases).into_iter().rev().filter_map(|DayRow { begins, counts }| {
        let date = format_day(begins + DAY_MILLIS / 2);
        (counts.iter().sum::<u64>() > 0).then(|| {
            view! {
                <tr>
                    <th scope="row">{date}</th>
                    {counts.map(|count| view! { <td>{text::format_number(count)}</td> }).collect_view()}
                </tr>
            }
        })
    });
    let rows = rows.collect_view();
    if rows.is_empty() {
        return view! { <p class="muted">"Nothing new in this time."</p> }.into_any();
    }
    view! {
        <div class="table-box" role="region" aria-label="New on each day" tabindex="0">
            <table>
                <thead>
                    <tr>
                        <th scope="col">"Day"</th>
                        <th scope="col">"Names"</th>
                        <th scope="col">"Modules"</th>
                        <th scope="col">"Releases"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}
