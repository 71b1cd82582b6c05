//! Modules known here: by any word, by tag, owner or what they offer, in the order that was asked for. The address
//! holds it all. Beside them, at the person's request, what connected peers name.

use std::collections::BTreeMap;

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::components::search_box::{SearchBox, walk};
use crate::latest_request::LatestRequest;
use crate::model::module_query::{ModuleQuery, SORTS, find_sort};
use crate::model::network_search::describe_basis;
use crate::model::subject::SubjectRef;
use crate::widgets::module_row::marked_module_rows;
use crate::widgets::network_search::{NetworkSearch, Sources};
use crate::widgets::page_head::PageHead;
use crate::widgets::person_row::person_rows;
use crate::widgets::subject::FollowButton;
use crate::{routes, text};
use gen_registry_api::client::Client;
use gen_registry_api::{Failure, ModuleCard, ModuleList, ModuleSort, SearchResults, UsernameEntry};

/// How many modules are asked for at once.
const PAGE: u32 = 50;

/// The page. Changing a filter or the text changes the address, which changes the list.
#[component]
pub fn Modules() -> impl IntoView {
    let app_state = app_state();
    let query = use_query_map();
    let wanted = Memo::new(move |_| query.with(|query| ModuleQuery::parse(|key| query.get(key))));
    let (cards, total, cursor) =
        (RwSignal::new(Vec::<ModuleCard>::new()), RwSignal::new(None::<u64>), RwSignal::new(None));
    let (people, failure) = (RwSignal::new(Vec::<UsernameEntry>::new()), RwSignal::new(None));
    let sources: Sources = RwSignal::new(BTreeMap::new());
    // The own person is one of those whose modules are listed.
    let kept = Memo::new(move |_| {
        let own = u64::from(app_state.live.has_key());
        let status = app_state.live.status.get().unwrap_or_default();
        (status.registries + own, status.strangers_share)
    });
    let latest = LatestRequest::new();
    let load = move |from: Option<u32>, limit: u32| {
        let (request, wanted) = (latest.begin(), wanted.get_untracked());
        spawn_local(async move {
            let list = fetch_modules(app_state.client(), wanted, limit, from).await;
            if !request.is_latest() {
                return;
            }
            match list {
                Ok((list, found)) => {
                    failure.set(None);
                    people.set(found);
                    total.set(Some(list.total));
                    cursor.set(list.cursor);
                    cards.update(|cards| {
                        if from.is_none() {
                            cards.clear();
                        }
                        cards.extend(list.modules);
                    });
                }
                Err(why) => failure.set(Some(why)),
            }
        });
    };
    Effect::new(move |before: Option<ModuleQuery>| {
        app_state.invalidation.modules.track();
        let now = wanted.get();
        // News must not throw the reader back to the top.
        let visible = if before.as_ref() == Some(&now) { cards.with_untracked(Vec::len) as u32 } else { 0 };
        load(None, visible.max(PAGE));
        now
    });
    let title = Signal::derive(move || {
        wanted.with(|wanted| {
            wanted.filter.tag.as_ref().map_or_else(|| "Modules".to_owned(), |tag| format!("Modules: {tag}"))
        })
    });
    view! {
        <div class="page">
            <PageHead title />
            <div class="modules-tools">
                <p class="muted" role="status">
                    {move || match total.get() {
                        None => "Looking…".to_owned(),
                        Some(total) => {
                            let is_search = wanted.with(|wanted| !wanted.is_everything());
                            let (people, share) = kept.get();
                            describe_basis(total, is_search, people, share, text::format_number)
                        }
                    }}
                </p>
                <div class="actions">
                    <a class="button" href=routes::INSTALLED>
                        {icon(Icon::Install)}
                        "Installed"
                    </a>
                    <a class="button button-main" href=routes::PUBLISH data-testid="publish-link">
                        {icon(Icon::Module)}
                        "Publish"
                    </a>
                </div>
            </div>
            <SearchBox id="modules-search" label="Find modules by any word" everything=true testid="modules-search" />
            <Choices wanted />
            <FailureNotice failure />
            <ul class="modules" on:keydown=|event| walk(&event, ".module-link")>
                {marked_module_rows(cards, sources)}
            </ul>
            <Show when=move || cursor.get().is_some()>
                <p class="people-more">
                    <button type="button" class="button" on:click=move |_| load(cursor.get_untracked(), PAGE)>
                        "Show more"
                    </button>
                </p>
            </Show>
            <Show when=move || total.get() == Some(0)>
                <Empty wanted />
            </Show>
            <NetworkSearch wanted cards sources />
            <Show when=move || people.with(|people| !people.is_empty())>
                <section class="modules-people" aria-labelledby="modules-people-title">
                    <h2 id="modules-people-title">"People of that name"</h2>
                    <ul class="people" on:keydown=|event| walk(&event, ".person-link")>
                        {person_rows(people)}
                    </ul>
                </section>
            </Show>
        </div>
    }
}

/// A text is searched for; without one the list is enough.
async fn fetch_modules(
    client: Client,
    wanted: ModuleQuery,
    limit: u32,
    from: Option<u32>,
) -> Result<(ModuleList, Vec<UsernameEntry>), Failure> {
    let sort = wanted.order();
    if wanted.text.is_empty() {
        return Ok((client.list_modules(wanted.filter, sort, limit, from).await?, Vec::new()));
    }
    let found = client.search(wanted.text, wanted.filter, sort, limit, from).await?;
    let SearchResults { modules, people, total, cursor, .. } = found;
    Ok((ModuleList { modules, cursor, total }, people))
}

/// What is shown in place of an empty list: nothing is known, or nothing is like that.
#[component]
fn Empty(wanted: Memo<ModuleQuery>) -> impl IntoView {
    view! {
        <div class="empty">
            {icon(Icon::Module)}
            {move || {
                if wanted.with(super::super::model::module_query::ModuleQuery::is_everything) {
                    view! {
                        <p>"No module is known here yet. They arrive by themselves when a peer is met."</p>
                        <a class="button" href=routes::PUBLISH>
                            "Publish the first one"
                        </a>
                    }
                        .into_any()
                } else {
                    view! {
                        <p>"No module known here is like that."</p>
                        <a class="button" href=routes::MODULES>
                            "Show all modules"
                        </a>
                    }
                        .into_any()
                }
            }}
        </div>
    }
}

/// Order and filters. A chosen tag can be followed.
#[component]
fn Choices(wanted: Memo<ModuleQuery>) -> impl IntoView {
    let navigate = StoredValue::new_local(use_navigate());
    let go = move |change: &dyn Fn(&mut ModuleQuery)| {
        let mut next = wanted.get_untracked();
        change(&mut next);
        let options = NavigateOptions { replace: true, scroll: false, ..Default::default() };
        navigate.with_value(|navigate| navigate(&routes::modules(&next), options));
    };
    let set_exports = move |text: String| {
        go(&|next| next.filter.exports = Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
    };
    view! {
        <div class="modules-choices">
            <label class="pick">
                <span class="pick-label">"Sort"</span>
                <select
                    class="input"
                    on:change:target=move |event| {
                        let chosen = event.target().value();
                        let sort = find_sort(&chosen);
                        go(&|next| next.sort = sort);
                    }
                >
                    {SORTS
                        .map(|(sort, key, label)| {
                            let useless = move || {
                                sort == ModuleSort::Relevance && wanted.with(|wanted| wanted.text.is_empty())
                            };
                            view! {
                                <option
                                    value=key
                                    hidden=useless
                                    selected=move || wanted.with(|wanted| wanted.order() == sort)
                                >
                                    {label}
                                </option>
                            }
                        })}
                </select>
            </label>
            <label class="pick">
                <span class="pick-label">"Offers the function"</span>
                <input
                    class="input"
                    type="text"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    placeholder="any"
                    prop:value=move || wanted.with(|wanted| wanted.filter.exports.clone().unwrap_or_default())
                    on:change:target=move |event| set_exports(event.target().value())
                />
            </label>
            <label class="pick pick-check">
                <input
                    type="checkbox"
                    prop:checked=move || wanted.with(|wanted| wanted.filter.imports_nothing)
                    on:change:target=move |event| {
                        let on = event.target().checked();
                        go(&|next| next.filter.imports_nothing = on);
                    }
                />
                "Imports nothing"
            </label>
            {move || {
                wanted
                    .with(|wanted| wanted.filter.tag.clone())
                    .map(|tag| {
                        view! {
                            <button
                                type="button"
                                class="tag tag-chosen"
                                on:click=move |_| go(&|next| next.filter.tag = None)
                            >
                                {tag.clone()}
                                {icon(Icon::Cross)}
                                <span class="visually-hidden">"Take this tag away"</span>
                            </button>
                            <FollowButton subject=SubjectRef::Tag(tag).to_string() what="this tag" />
                        }
                    })
            }}
        </div>
    }
}
