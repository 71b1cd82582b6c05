//! One module in a list: a real link, what it is, who holds it.

use std::collections::BTreeMap;

use leptos::prelude::*;

use crate::components::module_facts::Stars;
use crate::model::people::format_author;
use crate::reactive::{keyed_list, slice_view};
use crate::routes;
use crate::text;
use crate::widgets::moment::Moment;
use gen_registry_api::ModuleCard;

/// The rows of a list of modules; whatever stays in it keeps the row.
pub fn module_rows(cards: impl Into<Signal<Vec<ModuleCard>>>) -> impl IntoView {
    marked_module_rows(cards, Signal::stored(BTreeMap::new()))
}

/// The same, marked with where each module is from, by name, once that is known.
pub fn marked_module_rows(
    cards: impl Into<Signal<Vec<ModuleCard>>>,
    sources: impl Into<Signal<BTreeMap<String, String>>>,
) -> impl IntoView {
    let sources = sources.into();
    let render = move |card: ModuleCard| {
        let name = card.name.clone();
        let source = Signal::derive(move || sources.with(|sources| sources.get(&name).cloned()));
        view! { <ModuleRow card source /> }
    };
    keyed_list(cards, |card| card.name.clone(), move |card| slice_view(card, Clone::clone, render))
}

/// Name, version and title, who holds it, its size, stars and installs.
#[component]
fn ModuleRow(card: ModuleCard, source: Signal<Option<String>>) -> impl IntoView {
    let ModuleCard { name, title, description, version, published_at, size, holder, opinion, .. } = card;
    let href = routes::module(&name);
    view! {
        <li class="module-row" data-testid="module-row">
            <a class="module-link" href=href>
                <span class="module-head">
                    <span class="module-name">{name}</span>
                    <span class="module-version">{version}</span>
                    {card.installed.is_some().then(|| view! { <span class="badge badge-accent">"Installed"</span> })}
                    {card.deprecated.then(|| view! { <span class="badge badge-warning">"Deprecated"</span> })}
                    {card.imports_nothing.then(|| view! { <span class="badge" title="It asks for nothing from outside">"Imports nothing"</span> })}
                    {move || source.get().map(|source| view! { <span class="badge" data-testid="source">{source}</span> })}
                </span>
                {title.map(|title| view! { <span class="module-title">{title}</span> })}
                {description.map(|description| view! { <span class="module-description">{description}</span> })}
                <span class="module-facts">
                    <span>{format_author(&holder)}</span>
                    <span>{text::format_size(size)}</span>
                    <Moment at=published_at />
                    <Stars opinion />
                    {(opinion.downloads > 0)
                        .then(|| view! { <span title="An estimate: what people say of themselves">{text::format_count(opinion.downloads, "install", "installs")}</span> })}
                </span>
            </a>
        </li>
    }
}
