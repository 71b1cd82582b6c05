//! What a module needs, and what that needs, as a picture: one column for each step away, a line for each need.

use leptos::prelude::*;

use crate::model::graph::{BOX_HEIGHT, BOX_WIDTH, lay_out};
use crate::model::text::truncate;
use crate::routes;
use gen_registry_api::NeededModule;

/// As many as a box has room for.
const LETTERS_MAX: usize = 17;

/// The picture; nothing for a single module and for very many. Each box is a link to its module's page.
#[component]
pub fn Graph(
    /// Each after those it needs; the last one is what the page is about.
    modules: Vec<NeededModule>,
) -> impl IntoView {
    lay_out(modules).map(|graph| {
        let (width, height) = (graph.width, graph.height);
        let boxes = graph.boxes.iter().map(|one| {
            let NeededModule { name, version, .. } = &one.module;
            let (x, y) = (one.x, one.y);
            view! {
                <a href=routes::module(name) aria-label=format!("{name} {version}")>
                    <rect class="graph-box" x=x + 1.0 y=y + 1.0 width=BOX_WIDTH height=BOX_HEIGHT rx="8" />
                    <text class="graph-name" x=x + 12.0 y=y + 19.0>{truncate(name, LETTERS_MAX)}</text>
                    <text class="graph-version" x=x + 12.0 y=y + 36.0>{truncate(version, LETTERS_MAX)}</text>
                </a>
            }
        });
        view! {
            <div class="graph" tabindex="0" role="group" aria-label="Dependencies as a picture">
                <svg width=width height=height viewBox=format!("0 0 {width} {height}") data-testid="graph">
                    {graph.lines.into_iter().map(|path| view! { <path class="graph-line" d=path /> }).collect_view()}
                    {boxes.collect_view()}
                </svg>
            </div>
        }
    })
}
