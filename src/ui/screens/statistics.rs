//! What this device has seen, in sums: how the registry grew, what is installed and needed most, and how many peers
//! there were.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::module_row::module_href;
use crate::components::page_head::PageHead;
use crate::query::use_query;
use crate::reactive::{query_view, slice_view};
use crate::time::{Moment, day};
use crate::{dom, text};
use gen_registry_api::{DailyCount, ModuleRank, PeerCount, Statistics as Told};

/// How far back one may look, in days, and how that is called.
const RANGES: [(u32, &str); 3] = [(7, "A week"), (30, "A month"), (365, "A year")];
const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;
/// Of a curve, in units of its own picture.
const WIDTH: f64 = 100.0;
const HEIGHT: f64 = 28.0;

#[component]
pub fn Statistics() -> impl IntoView {
    let app_state = app_state();
    let days = RwSignal::new(RANGES[1].0);
    let told = use_query(
        move || days.get(),
        move || {
            app_state.modules_changed.track();
            app_state.people_changed.track();
            app_state.network_changed.track();
        },
        move |days| {
            let client = app_state.client();
            async move { client.statistics(days).await.map(|told| *told) }
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
            {query_view(told, shown)}
        </div>
    }
}

fn shown(told: Memo<Told>) -> impl IntoView {
    let app_state = app_state();
    let save = move |_| {
        if !dom::save_file("gen-registry-statistics.csv", told.with_untracked(csv).as_bytes()) {
            app_state.say("The browser did not take the file");
        }
    };
    let days = |told: &Told| (told.begins, told.names.clone(), told.modules.clone(), told.releases.clone());
    view! {
        <div class="statistics" data-testid="statistics">
            {slice_view(told, |told| told.names.clone(), |names| growth("People", "name", "names", names))}
            {slice_view(told, |told| told.modules.clone(), |modules| growth("Modules", "module", "modules", modules))}
            {slice_view(told, |told| told.releases.clone(), |releases| growth("Releases", "release", "releases", releases))}
            {slice_view(told, |told| told.peers.clone(), peers_card)}
        </div>
        <section class="card">
            <h2>"Day by day"</h2>
            <details>
                <summary>"As a table"</summary>
                {slice_view(told, days, |(begins, names, modules, releases)| table(begins, &names, &modules, &releases))}
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
            {slice_view(told, |told| told.popular.clone(), |popular| {
                ranking(popular, "install", "installs", "Nobody known here has said what they installed.")
            })}
        </section>
        <section class="card">
            <h2>"Needed most"</h2>
            <p class="muted">
                {slice_view(told, |told| (told.independent, told.modules.total), |(independent, known)| {
                    format!("{} of {} need no other.", text::number(independent), text::count(known, "module", "modules"))
                })}
            </p>
            {slice_view(told, |told| told.needed.clone(), |needed| {
                ranking(needed, "module needs it", "modules need it", "No module known here needs another one.")
            })}
            {slice_view(told, |told| told.missing.clone(), |missing| {
                (!missing.is_empty())
                    .then(|| {
                        view! {
                            <h3>"Needed, and not known here"</h3>
                            {ranking(missing, "module needs it", "modules need it", "")}
                        }
                    })
            })}
        </section>
    }
}

fn growth(title: &'static str, one: &'static str, many: &'static str, count: DailyCount) -> impl IntoView {
    let new: u64 = count.days.iter().sum();
    let mut sum = count.before;
    let curve: Vec<u64> = count
        .days
        .iter()
        .map(|new| {
            sum += new;
            sum
        })
        .collect();
    view! {
        <section class="card statistics-card">
            <h2>{title}</h2>
            <p class="statistics-total">{text::count(count.total, one, many)}</p>
            {curve_of(&curve)}
            <p class="muted">{format!("{} new in this time", text::number(new))}</p>
        </section>
    }
}

fn peers_card(peers: Vec<PeerCount>) -> impl IntoView {
    let now = peers.last().map_or(0, |last| last.peers);
    let most = peers.iter().map(|count| count.peers).max().unwrap_or_default();
    let fell = peers.windows(2).rev().find(|two| two[0].peers >= 4 && two[1].peers * 2 <= two[0].peers);
    let fell = fell.map(|two| (two[0].peers, two[1].clone()));
    let curve: Vec<u64> = peers.iter().map(|count| count.peers).collect();
    view! {
        <section class="card statistics-card">
            <h2>"Connected peers"</h2>
            <p class="statistics-total">{text::count(now, "peer", "peers")}</p>
            {curve_of(&curve)}
            <p class="muted">{format!("At most {} since this page was opened", text::number(most))}</p>
            {fell
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
fn curve_of(values: &[u64]) -> impl IntoView {
    let most = values.iter().copied().max().unwrap_or_default().max(1) as f64;
    let least = values.iter().copied().min().unwrap_or_default() as f64;
    // One that never changes lies in the middle.
    let span = (most - least).max(1.0);
    let step = WIDTH / (values.len().max(2) - 1) as f64;
    let point = |(nth, value): (usize, &u64)| {
        format!("{:.2},{:.2}", nth as f64 * step, HEIGHT - 2.0 - (*value as f64 - least) / span * (HEIGHT - 4.0))
    };
    let mut points: Vec<String> = values.iter().enumerate().map(point).collect();
    if let [only] = points.as_slice() {
        let (_, height) = only.split_once(',').unwrap_or_default();
        points.push(format!("{WIDTH},{height}"));
    }
    view! {
        <svg class="statistics-curve" viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none" aria-hidden="true">
            <polyline points=points.join(" ") />
        </svg>
    }
}

fn ranking(keyed_list: Vec<ModuleRank>, one: &'static str, many: &'static str, nothing: &'static str) -> AnyView {
    if keyed_list.is_empty() {
        return view! { <p class="muted">{nothing}</p> }.into_any();
    }
    view! {
        <ol class="statistics-ranking">
            {keyed_list
                .into_iter()
                .map(|row| {
                    let href = module_href(&row.name);
                    view! {
                        <li>
                            <a href=href>{row.name}</a>
                            <span class="muted">{text::count(row.count, one, many)}</span>
                        </li>
                    }
                })
                .collect_view()}
        </ol>
    }
    .into_any()
}

/// The days on which something happened, the newest first.
fn table(begins: u64, names: &DailyCount, modules: &DailyCount, releases: &DailyCount) -> AnyView {
    let keyed_list = (0..names.days.len()).rev().filter_map(|nth| {
        let counts = [names, modules, releases].map(|count| count.days.get(nth).copied().unwrap_or_default());
        let date = day(begins + nth as u64 * DAY_MILLIS + DAY_MILLIS / 2);
        (counts.iter().sum::<u64>() > 0).then(|| {
            view! {
                <tr>
                    <th scope="row">{date}</th>
                    {counts.map(|count| view! { <td>{text::number(count)}</td> }).collect_view()}
                </tr>
            }
        })
    });
    let keyed_list = keyed_list.collect_view();
    if keyed_list.is_empty() {
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
                <tbody>{keyed_list}</tbody>
            </table>
        </div>
    }
    .into_any()
}

/// Every day of the time that is looked at (UTC).
fn csv(told: &Told) -> String {
    let mut lines = vec!["day,names,modules,releases".to_owned()];
    for nth in 0..told.names.days.len() {
        let date = js_sys::Date::new(&wasm_bindgen::JsValue::from_f64((told.begins + nth as u64 * DAY_MILLIS) as f64));
        let date: String = date.to_iso_string().into();
        let counts = [&told.names, &told.modules, &told.releases].map(|count| count.days[nth].to_string());
        lines.push(format!("{},{}", date.get(..10).unwrap_or_default(), counts.join(",")));
    }
    lines.join("\n") + "\n"
}
