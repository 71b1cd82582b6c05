//! Who is in the channel, and when each was last heard.

use std::time::Duration;

use leptos::prelude::*;

use crate::node::api::OnlineUser;
use crate::ui::components::avatar::Avatar;
use crate::ui::components::person_row::person_href;
use crate::ui::fetch::fetched;
use crate::ui::session::session;
use crate::ui::{dom, text, time};

/// How often “40 s ago” is made true again.
const AGES_EVERY: Duration = Duration::from_secs(5);

/// How somebody is called where there is room for one name.
pub fn shown_name(username: Option<&str>, display_name: Option<&str>, did: &str) -> String {
    username.or(display_name).map_or_else(|| text::shortened(did), str::to_owned)
}

pub fn person_page(username: Option<&str>, did: &str) -> String {
    username.map_or_else(|| format!("/id/{}", dom::encode(did)), person_href)
}

#[component]
pub fn Members(name: Memo<String>) -> impl IntoView {
    let session = session();
    let tick = RwSignal::new(0_u64);
    if let Ok(handle) = set_interval_with_handle(move || tick.update(|n| *n += 1), AGES_EVERY) {
        on_cleanup(move || handle.clear());
    }
    let users = fetched(
        move || name.get(),
        move || {
            session.presence_changed.track();
            tick.track();
        },
        move |name| {
            let client = session.client();
            async move { client.channel_users(name).await }
        },
    );
    view! {
        <section class="channel-members" aria-labelledby="members-title">
            <h2 id="members-title">{move || format!("Here now: {}", users.with(|users| users.as_ref().and_then(|users| users.as_ref().ok()).map_or(0, Vec::len)))}</h2>
            {move || match users.get() {
                Some(Ok(users)) if users.is_empty() => {
                    view! { <p class="muted">"Nobody. You are invisible, or not connected yet."</p> }.into_any()
                }
                Some(Ok(users)) => {
                    view! { <ul class="member-list" data-testid="members">{users.into_iter().map(|user| member(user, tick)).collect_view()}</ul> }
                        .into_any()
                }
                Some(Err(failure)) => view! { <p>{failure.message} " " {failure.advice}</p> }.into_any(),
                None => view! { <p class="muted">"Looking…"</p> }.into_any(),
            }}
        </section>
    }
}

fn member(user: OnlineUser, tick: RwSignal<u64>) -> impl IntoView {
    let name = shown_name(user.username.as_deref(), user.display_name.as_deref(), &user.did);
    let here = user.devices.iter().any(|device| device.here);
    let seen_at = user.devices.iter().map(|device| device.seen_at).max().unwrap_or_default();
    let devices = user.devices.len() as u64;
    view! {
        <li class="member" data-testid="member">
            <Avatar public_key=user.public_key cid=user.avatar />
            <span class="member-words">
                <a href=person_page(user.username.as_deref(), &user.did)>{name}</a>
                <span class="muted member-seen">
                    {move || {
                        tick.track();
                        if here { "this device".to_owned() } else { format!("seen {}", time::seen(seen_at)) }
                    }} {(devices > 1).then(|| format!(", {}", text::count(devices, "device", "devices")))}
                </span>
            </span>
            {user.mine.then(|| view! { <span class="badge badge-accent">"You"</span> })}
        </li>
    }
}
