//! The members of the channel, and when each was last seen.

use std::time::Duration;

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::model::people::format_user;
use crate::query::use_query;
use crate::reactive::{keyed_list, query_view, slice_view};
use crate::widgets::avatar::Avatar;
use crate::{routes, text, time};
use gen_registry_api::OnlineUser;

/// How often “40 s ago” is made true again.
const AGES_EVERY: Duration = Duration::from_secs(5);

/// The list, which follows presence; times in it are refreshed every few seconds.
#[component]
pub fn Members(name: Memo<String>) -> impl IntoView {
    let app_state = app_state();
    let tick = RwSignal::new(0_u64);
    if let Ok(handle) = set_interval_with_handle(move || tick.update(|n| *n += 1), AGES_EVERY) {
        on_cleanup(move || handle.clear());
    }
    let users = use_query(
        move || name.get(),
        move || {
            app_state.invalidation.presence.track();
            tick.track();
        },
        move |name| {
            let client = app_state.client();
            async move { client.channel_users(name).await }
        },
    );
    view! {
        <section class="channel-members" aria-labelledby="members-title">
            <h2 id="members-title">{move || format!("Here now: {}", users.with(|users| users.as_ref().and_then(|users| users.as_ref().ok()).map_or(0, Vec::len)))}</h2>
            {query_view(users, move |users| view! {
                <Show
                    when=move || !users.with(Vec::is_empty)
                    fallback=|| view! { <p class="muted">"Nobody. You are invisible, or not connected yet."</p> }
                >
                    <ul class="member-list" data-testid="members">
                        {keyed_list(users, |user| user.person.did.clone(), move |user| render_member(user, tick))}
                    </ul>
                </Show>
            })}
        </section>
    }
}

/// Face and name, when one of the devices was last seen, and how many there are.
fn render_member(user: Memo<OnlineUser>, tick: RwSignal<u64>) -> impl IntoView {
    let last_seen = move || {
        tick.track();
        user.with(|user| {
            let seen_at = user.devices.iter().map(|device| device.seen_at).max().unwrap_or_default();
            let here = user.devices.iter().any(|device| device.here);
            let last_seen = if here { "this device".to_owned() } else { format!("seen {}", time::format_age(seen_at)) };
            match user.devices.len() as u64 {
                0 | 1 => last_seen,
                devices => format!("{last_seen}, {}", text::format_count(devices, "device", "devices")),
            }
        })
    };
    view! {
        <li class="member" data-testid="member">
            {slice_view(user, |user| (user.person.public_key.clone(), user.person.avatar.clone()), |(public_key, cid)| view! { <Avatar public_key cid /> })}
            <span class="member-words">
                <a href=move || user.with(|user| routes::person_or_identity(user.person.username.as_deref(), &user.person.did))>{move || user.with(format_user)}</a>
                <span class="muted member-seen">{last_seen}</span>
            </span>
            {slice_view(user, |user| user.person.mine, |mine| mine.then(|| view! { <span class="badge badge-accent">"You"</span> }))}
        </li>
    }
}
