//! One module in a list: a real link, what it is, who holds it.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::components::person_row::person_href;
use crate::reactive::{keyed_list, slice_view};
use crate::time::Moment;
use crate::{dom, text};
use gen_registry_api::{Author, ModuleCard, RatingSummary};

pub fn module_href(name: &str) -> String {
    format!("/m/{}", dom::encode(name))
}

pub fn tag_href(tag: &str) -> String {
    format!("/modules?tag={}", dom::encode(tag))
}

/// The rows of a list of modules; whatever stays in it keeps the row.
pub fn module_rows(cards: impl Into<Signal<Vec<ModuleCard>>>) -> impl IntoView {
    let draw = |card| view! { <ModuleRow card /> };
    keyed_list(cards, |card| card.name.clone(), move |card| slice_view(card, Clone::clone, draw))
}

#[component]
fn ModuleRow(card: ModuleCard) -> impl IntoView {
    let ModuleCard { name, title, description, version, published_at, size, holder, opinion, .. } = card;
    let href = module_href(&name);
    view! {
        <li class="module-row" data-testid="module-row">
            <a class="module-link" href=href>
                <span class="module-head">
                    <span class="module-name">{name}</span>
                    <span class="module-version">{version}</span>
                    {card.installed.is_some().then(|| view! { <span class="badge badge-accent">"Installed"</span> })}
                    {card.deprecated.then(|| view! { <span class="badge badge-warning">"Deprecated"</span> })}
                    {card.imports_nothing.then(|| view! { <span class="badge" title="It asks for nothing from outside">"Imports nothing"</span> })}
                </span>
                {title.map(|title| view! { <span class="module-title">{title}</span> })}
                {description.map(|description| view! { <span class="module-description">{description}</span> })}
                <span class="module-facts">
                    <span>{author_text(&holder)}</span>
                    <span>{text::size(size)}</span>
                    <Moment at=published_at />
                    <Stars opinion />
                    {(opinion.downloads > 0)
                        .then(|| view! { <span title="An estimate: what people say of themselves">{text::count(opinion.downloads, "install", "installs")}</span> })}
                </span>
            </a>
        </li>
    }
}

pub fn author_text(author: &Author) -> String {
    author.username.clone().unwrap_or_else(|| text::shortened(&author.did))
}

/// A link to a module's author.
pub fn author_link(author: &Author) -> impl IntoView + use<> {
    let href = author.username.as_ref().map_or_else(|| format!("/id/{}", author.did), |name| person_href(name));
    let name = author_text(author);
    view! { <a href=href>{name}</a> }
}

#[component]
pub fn Stars(opinion: RatingSummary) -> impl IntoView {
    opinion.stars.map(|stars| {
        let said = format!("{stars:.1} of 5 stars, {}", text::count(opinion.ratings, "rating", "ratings"));
        let heard = said.clone();
        view! {
            <span class="stars" title=said>
                <span aria-hidden="true">{icon(Icon::Star)} {format!("{stars:.1}")}</span>
                <span class="visually-hidden">{heard}</span>
            </span>
        }
    })
}

#[component]
pub fn Tags(tags: Vec<String>) -> impl IntoView {
    (!tags.is_empty()).then(|| {
        let links = tags.into_iter().map(|tag| {
            let href = tag_href(&tag);
            view! {
                <li>
                    <a class="tag" href=href>
                        {tag}
                    </a>
                </li>
            }
        });
        view! { <ul class="tags" aria-label="Tags">{links.collect_view()}</ul> }
    })
}
