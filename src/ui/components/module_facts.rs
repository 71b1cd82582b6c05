//! What is known of a module, as small pieces: its author, its stars, its tags.

use leptos::prelude::*;

use crate::components::icon::{Icon, icon};
use crate::model::people::format_author;
use crate::routes;
use crate::text;
use gen_registry_api::{Author, RatingSummary};

/// A link to a module's author.
pub fn author_link(author: &Author) -> impl IntoView + use<> {
    let href = routes::person_or_identity(author.username.as_deref(), &author.did);
    let name = format_author(author);
    view! { <a href=href>{name}</a> }
}

/// The mean of the ratings that count; nothing while there is none.
#[component]
pub fn Stars(opinion: RatingSummary) -> impl IntoView {
    opinion.stars.map(|stars| {
        let title = format!("{stars:.1} of 5 stars, {}", text::format_count(opinion.ratings, "rating", "ratings"));
        let spoken = title.clone();
        view! {
            <span class="stars" title=title>
                <span aria-hidden="true">{icon(Icon::Star)} {format!("{stars:.1}")}</span>
                <span class="visually-hidden">{spoken}</span>
            </span>
        }
    })
}

/// Links to all modules with the same tags; nothing without tags.
#[component]
pub fn Tags(tags: Vec<String>) -> impl IntoView {
    (!tags.is_empty()).then(|| {
        let links = tags.into_iter().map(|tag| {
            let href = routes::tag(&tag);
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
