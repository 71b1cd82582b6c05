//! What a module needs, and what that needs, as a picture: one column for each step away, a line for each need.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::components::module_row::module_href;
use gen_registry_api::NeededModule;

const BOX_WIDTH: f64 = 150.0;
const BOX_HEIGHT: f64 = 44.0;
const COLUMN: f64 = 210.0;
const ROW: f64 = 60.0;
/// More would be no picture any more; the list says it all.
const BOXES_MAX: usize = 60;
const LETTERS_MAX: usize = 17;

struct Placed {
    module: NeededModule,
    x: f64,
    y: f64,
}

/// `modules` are each after those they need; the last one is what the page is about.
fn place(modules: Vec<NeededModule>) -> Vec<Placed> {
    let mut depths: BTreeMap<String, usize> = BTreeMap::new();
    let mut keyed_list: BTreeMap<usize, usize> = BTreeMap::new();
    let mut placed = Vec::new();
    for module in modules.into_iter().rev() {
        let depth = depths.get(&module.name).copied().unwrap_or_default();
        for needed in &module.needs {
            // The longest way counts, so that every line leads to the right.
            let known = depths.entry(needed.clone()).or_default();
            *known = (*known).max(depth + 1);
        }
        let row = keyed_list.entry(depth).or_default();
        placed.push(Placed { module, x: depth as f64 * COLUMN, y: *row as f64 * ROW });
        *row += 1;
    }
    placed
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= LETTERS_MAX {
        return name.to_owned();
    }
    name.chars().take(LETTERS_MAX - 1).chain(['…']).collect()
}

#[component]
pub fn Graph(modules: Vec<NeededModule>) -> impl IntoView {
    (modules.len() > 1 && modules.len() <= BOXES_MAX).then(|| {
        let placed = place(modules);
        let width = placed.iter().map(|one| one.x + BOX_WIDTH).fold(0.0, f64::max) + 2.0;
        let height = placed.iter().map(|one| one.y + BOX_HEIGHT).fold(0.0, f64::max) + 2.0;
        let lines: Vec<String> = placed
            .iter()
            .flat_map(|one| {
                let needed = |name: &String| placed.iter().find(|other| other.module.name == *name);
                one.module.needs.iter().filter_map(needed).map(|other| {
                    let (from_x, from_y) = (one.x + BOX_WIDTH, one.y + BOX_HEIGHT / 2.0);
                    let (to_x, to_y) = (other.x, other.y + BOX_HEIGHT / 2.0);
                    let middle = f64::midpoint(from_x, to_x);
                    format!("M{from_x} {from_y} C{middle} {from_y} {middle} {to_y} {to_x} {to_y}")
                })
            })
            .collect();
        let boxes = placed.iter().map(|one| {
            let NeededModule { name, version, .. } = &one.module;
            let (x, y) = (one.x, one.y);
            view! {
                <a href=module_href(name) aria-label=format!("{name} {version}")>
                    <rect class="graph-box" x=x + 1.0 y=y + 1.0 width=BOX_WIDTH height=BOX_HEIGHT rx="8" />
                    <text class="graph-name" x=x + 12.0 y=y + 19.0>{shortened(name)}</text>
                    <text class="graph-version" x=x + 12.0 y=y + 36.0>{shortened(version)}</text>
                </a>
            }
        });
        view! {
            <div class="graph" tabindex="0" role="group" aria-label="Dependencies as a picture">
                <svg width=width height=height viewBox=format!("0 0 {width} {height}") data-testid="graph">
                    {lines.into_iter().map(|path| view! { <path class="graph-line" d=path /> }).collect_view()}
                    {boxes.collect_view()}
                </svg>
            </div>
        }
    })
}
