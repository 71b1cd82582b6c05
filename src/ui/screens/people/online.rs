//! Who is here now, and on how many devices.

use leptos::prelude::*;

use crate::node::api::OnlineUser;
use crate::ui::components::avatar::Avatar;
use crate::ui::fetch::fetched;
use crate::ui::screens::channel::members::{person_page, shown_name};
use crate::ui::session::session;
use crate::ui::text;

/// As many faces as a page shows before it says how many more there are.
const SHOWN_MAX: usize = 24;

#[component]
pub fn Online() -> impl IntoView {
    let session = session();
    let users = fetched(
        || (),
        move || session.presence_changed.track(),
        move |()| {
            let client = session.client();
            async move { client.online_users().await.map(|report| report.users) }
        },
    );
    view! {
        {move || match users.get() {
            Some(Ok(users)) if !users.is_empty() => Some(shown(users)),
            _ => None,
        }}
    }
}

fn shown(users: Vec<OnlineUser>) -> impl IntoView {
    let count = text::count(users.len() as u64, "person", "people");
    let more = users.len().saturating_sub(SHOWN_MAX);
    view! {
        <section aria-labelledby="online-title" class="online">
            <h2 id="online-title">{format!("Here now: {count}")}</h2>
            <ul class="online-list" data-testid="online">
                {users.into_iter().take(SHOWN_MAX).map(person).collect_view()}
            </ul>
            {(more > 0).then(|| view! { <p class="muted">{format!("and {more} more")}</p> })}
        </section>
    }
}

fn person(user: OnlineUser) -> impl IntoView {
    let devices = user.devices.len() as u64;
    let name = shown_name(user.username.as_deref(), user.display_name.as_deref(), &user.did);
    view! {
        <li data-testid="online-person">
            <a class="online-person" href=person_page(user.username.as_deref(), &user.did)>
                <Avatar public_key=user.public_key cid=user.avatar />
                <span class="online-name">{name}</span>
                {user.mine.then(|| view! { <span class="badge badge-accent">"You"</span> })}
                {(devices > 1)
                    .then(|| view! { <span class="muted online-devices">{text::count(devices, "device", "devices")}</span> })}
            </a>
        </li>
    }
}
