//! One person in a list: a real link, the face, the name.

use leptos::prelude::*;

use crate::model::people::format_username;
use crate::reactive::{keyed_list, slice_view};
use crate::routes;
use crate::widgets::avatar::Avatar;
use crate::widgets::moment::Moment;
use gen_registry_api::{NameStatus, PersonSummary, UsernameEntry};

/// The rows of a list of people; a person who stays in it keeps the row.
pub fn person_rows(people: impl Into<Signal<Vec<UsernameEntry>>>) -> impl IntoView {
    let render = |entry| view! { <PersonRow entry /> };
    keyed_list(people, |entry| entry.person.did.clone(), move |entry| slice_view(entry, Clone::clone, render))
}

/// Face, username and display name, and since when the name is held.
#[component]
pub fn PersonRow(entry: UsernameEntry) -> impl IntoView {
    let href = routes::person(entry.username());
    let UsernameEntry { person, registered_at, status, .. } = entry;
    let PersonSummary { username, public_key, display_name, avatar, mine, .. } = person;
    view! {
        <li class="person-row" data-testid="person-row">
            <a class="person-link" href=href>
                <Avatar public_key cid=avatar />
                <span class="person-names">
                    <span class="person-username">{username.as_deref().map(format_username)}</span>
                    {display_name.map(|name| view! { <span class="person-display">{name}</span> })}
                </span>
                <span class="person-facts">
                    {mine.then(|| view! { <span class="badge badge-accent">"You"</span> })}
                    {(status == NameStatus::Contested).then(|| view! { <span class="badge badge-warning">"Contested"</span> })}
                    <span class="person-since">
                        <Moment at=registered_at />
                    </span>
                </span>
            </a>
        </li>
    }
}
