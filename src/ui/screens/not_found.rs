//! The page for addresses that lead nowhere: offers a search for what the address seems to mean.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::components::search_box::SearchBox;
use crate::routes;
use crate::widgets::page_head::PageHead;

/// The page. Its search field begins with the last part of the address.
#[component]
pub fn NotFound() -> impl IntoView {
    let path = use_location().pathname.get_untracked();
    let wanted = path.rsplit('/').find(|part| !part.is_empty()).map(leptos_router::location::Url::unescape);
    view! {
        <div class="page page-narrow">
            <PageHead title=Signal::stored("There is no such page".to_owned()) />
            <p class="lead">"The address leads nowhere in this app. Perhaps you were looking for a person?"</p>
            <SearchBox id="lost-search" label="Find people by name" suggested=wanted.unwrap_or_default() />
            <p>
                <a href=routes::HOME>"Go to the start"</a>
                " or "
                <a href=routes::PEOPLE>"see everybody"</a>
                "."
            </p>
        </div>
    }
}
