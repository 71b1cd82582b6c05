//! Who is here now, and on how many devices.

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::model::people::format_user;
use crate::query::use_query;
use crate::reactive::{keyed_list, select, slice_view, some_view};
use crate::routes;
use crate::text;
use crate::widgets::avatar::Avatar;
use gen_registry_api::OnlineUser;

/// As many faces as a page shows before it says how many more there are.
const FACES_MAX: usize = 24;

/// The section; nothing while no person is online.
#[component]
pub fn Online() -> impl IntoView {
    let app_state = app_state();
    let users = use_query(
        || (),
        move || app_state.invalidation.presence.track(),
        move |()| {
            let client = app_state.client();
            async move { client.online_users().await.map(|report| report.users) }
        },
    );
    let online = Signal::derive(move || {
        users.with(|users| match users {
            Some(Ok(users)) if !users.is_empty() => Some(users.clone()),
            _ => None,
        })
    });
    some_view(online, render_users, || ())
}

/// How many people are online, and the faces of the first of them.
fn render_users(users: Memo<Vec<OnlineUser>>) -> impl IntoView {
    let count = select(users, Vec::len);
    let first = select(users, |users| users.iter().take(FACES_MAX).cloned().collect::<Vec<_>>());
    let more = move || count.get().saturating_sub(FACES_MAX);
    view! {
        <section aria-labelledby="online-title" class="online">
            <h2 id="online-title">{move || format!("Here now: {}", text::format_count(count.get() as u64, "person", "people"))}</h2>
            <ul class="online-list" data-testid="online">
                {keyed_list(first, |user| user.person.did.clone(), render_person)}
            </ul>
            <Show when=move || more() != 0>
                <p class="muted">{move || format!("and {} more", more())}</p>
            </Show>
        </section>
    }
}

/// A face that links to the person, with the number of devices.
fn render_person(user: Memo<OnlineUser>) -> impl IntoView {
    view! {
        <li data-testid="online-person">
            <a
                class="online-person"
                href=move || user.with(|user| routes::person_or_identity(user.person.username.as_deref(), &user.person.did))
            >
                {slice_view(user, |user| (user.person.public_key.clone(), user.person.avatar.clone()), |(public_key, cid)| view! { <Avatar public_key cid /> })}
                <span class="online-name">{move || user.with(format_user)}</span>
                {slice_view(user, |user| user.person.mine, |mine| mine.then(|| view! { <span class="badge badge-accent">"You"</span> }))}
                {slice_view(user, |user| user.devices.len() as u64, |devices| {
                    (devices > 1)
                        .then(|| view! { <span class="muted online-devices">{text::format_count(devices, "device", "devices")}</span> })
                })}
            </a>
        </li>
    }
}
