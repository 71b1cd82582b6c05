//! Everybody known here, by name: a prefix search that lives in the address, an index of letters, and a list that
//! grows as it is scrolled.

mod list;
mod online;

use leptos::prelude::*;
use leptos_router::hooks::use_query_map;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::FailureNotice;
use crate::components::search_box::{SearchBox, walk};
use crate::routes::{self, WelcomeStep};
use crate::text;
use crate::widgets::page_head::PageHead;
use crate::widgets::person_row::PersonRow;
use list::PeopleList;

/// The page. The text in the search field is `?q=` of the address.
#[component]
pub fn People() -> impl IntoView {
    let query = use_query_map();
    let prefix = Memo::new(move |_| query.with(|query| query.get("q")).unwrap_or_default().trim().to_owned());
    let after = Memo::new(move |_| query.with(|query| query.get("after")));
    let directory = PeopleList::new(prefix, after);
    let title = Signal::derive(move || {
        prefix.with(|prefix| if prefix.is_empty() { "People".to_owned() } else { format!("People: {prefix}…") })
    });
    view! {
        <div class="page">
            <PageHead title />
            <div class="people-tools">
                <SearchBox id="people-search" label="Find people by the start of their name" testid="people-search" />
                <p class="muted people-count" role="status">
                    {move || format_total(directory, &prefix.get())}
                </p>
            </div>
            <online::Online />
            <Letters directory prefix />
            <FailureNotice failure=directory.failure />
            <ul class="people" on:keydown=|event| walk(&event, ".person-link")>
                <For each=move || directory.people.get() key=|row| row.key let:row>
                    <PersonRow entry=row.entry.as_ref().clone() />
                </For>
            </ul>
            <Rest directory prefix />
        </div>
    }
}

/// How many names there are, or begin with the text.
fn format_total(directory: PeopleList, prefix: &str) -> String {
    match directory.total.get() {
        None => "Looking…".to_owned(),
        Some(total) if prefix.is_empty() => format!("{} known here", text::format_count(total, "name", "names")),
        Some(total) => format!("{} with “{prefix}”", text::format_count(total, "name begins", "names begin")),
    }
}

/// Links to the names with each first letter; nothing while no person is known.
#[component]
fn Letters(directory: PeopleList, prefix: Memo<String>) -> impl IntoView {
    view! {
        <Show when=move || directory.initials.with(|initials| !initials.is_empty())>
            <nav class="letters" aria-label="By first letter">
                <ul>
                    {move || {
                        let chosen = prefix.get().to_lowercase();
                        let link = |letter: String, name: String, count: String, current: bool| {
                            view! {
                                <li>
                                    <a
                                        class="letter"
                                        href=routes::people(&letter)
                                        aria-current=current.then_some("true")
                                        title=count
                                    >
                                        {name}
                                    </a>
                                </li>
                            }
                        };
                        let mut links = vec![
                            link(String::new(), "All".to_owned(), "Everybody".to_owned(), chosen.is_empty()),
                        ];
                        links.extend(directory.initials.get().into_iter().map(|(letter, count)| {
                            let current = chosen.starts_with(&letter.to_lowercase());
                            link(letter.to_lowercase(), letter.to_uppercase(), text::format_count(count, "name", "names"), current)
                        }));
                        links
                    }}
                </ul>
            </nav>
        </Show>
    }
}

/// The end of the list: more to come, or why there is nothing.
#[component]
fn Rest(directory: PeopleList, prefix: Memo<String>) -> impl IntoView {
    let app_state = app_state();
    let href = move || directory.cursor.get().map(|cursor| prefix.with(|prefix| routes::people_after(prefix, &cursor)));
    let more = move |event: leptos::ev::MouseEvent| {
        // Opening the next page in a new tab stays possible.
        if !(event.ctrl_key() || event.meta_key() || event.shift_key() || event.button() != 0) {
            event.prevent_default();
            directory.load_more();
        }
    };
    let has_more = Memo::new(move |_| directory.cursor.with(Option::is_some));
    view! {
        <Show when=move || has_more.get()>
            <p class="people-more" node_ref=directory.end>
                <a class="button" href=move || href().unwrap_or_default() on:click=more>
                    {move || if directory.loading.get() { "Loading more…" } else { "Show more" }}
                </a>
            </p>
        </Show>
        <Show when=move || directory.total.get() == Some(0)>
            <div class="empty">
                {icon(Icon::People)}
                {move || {
                    let prefix = prefix.get();
                    if prefix.is_empty() {
                        view! {
                            <p>"Nobody here yet."</p>
                            <Show when=move || !app_state.live.has_name() && !app_state.live.is_forked()>
                                <a class="button button-main" href=routes::welcome(WelcomeStep::Name)>
                                    "Claim a name"
                                </a>
                            </Show>
                        }
                            .into_any()
                    } else {
                        let look = routes::module(&prefix);
                        view! {
                            <p>{format!("No name known here begins with “{prefix}”.")}</p>
                            <a class="button" href=look>
                                {format!("Is “{prefix}” free?")}
                            </a>
                        }
                            .into_any()
                    }
                }}
            </div>
        </Show>
    }
}
