//! My profile: what others see, how I change it, and the name I hold.

mod edit;
mod rename;

use leptos::prelude::*;

use crate::app_state::app_state;
use crate::components::forked::ForkedNotice;
use crate::model::people::format_username;
use crate::routes::{self, SettingsSection, WelcomeStep};
use crate::screens::person::Identity;
use crate::widgets::history::History;
use crate::widgets::page_head::PageHead;
use crate::widgets::profile_card::ProfileCard;
use crate::{dom, text};
use edit::EditProfile;
use gen_registry_api::Me;
use rename::NameSection;

/// The page; without a key it leads to claiming a name.
#[component]
pub fn MyProfile() -> impl IntoView {
    let app_state = app_state();
    let has_key = Memo::new(move |_| app_state.live.me.with(|me| me.as_ref().map(|me| me.did.is_some())));
    view! {
        <div class="page">
            <PageHead title=Signal::stored("My profile".to_owned()) />
            {move || match has_key.get() {
                None => view! { <p class="muted">"Opening your registry…"</p> }.into_any(),
                Some(false) => {
                    view! {
                        <div class="empty">
                            <p>"You are browsing without a name. Nothing about you is kept or told to anybody."</p>
                            <a class="button button-main" href=routes::welcome(WelcomeStep::Name)>
                                "Claim a name"
                            </a>
                            <p class="muted">
                                "Have one already? "
                                <a href=routes::settings(SettingsSection::Restore)>"Bring it to this device"</a>
                                "."
                            </p>
                        </div>
                    }
                        .into_any()
                }
                Some(true) => view! { <Profile /> }.into_any(),
            }}
        </div>
    }
}

/// The preview, the forms, the own names and the identity. The forms are absent while the identity is forked.
#[component]
fn Profile() -> impl IntoView {
    let app_state = app_state();
    // The forms below keep what is typed into them; only the views of the answer follow it.
    let me = Memo::new(move |_| app_state.live.me.get().unwrap_or_default());
    let forked = Memo::new(move |_| me.with(|me| me.forked));
    // On a cold start the parts of this page come after its heading.
    dom::show_named_part();
    let identity = Memo::new(move |_| me.with(|me| (me.did.clone().unwrap_or_default(), me.safety_words.clone())));
    view! {
        <Show when=move || forked.get()>
            <ForkedNotice />
        </Show>
        <section aria-labelledby="preview-title">
            <h2 id="preview-title">"As others see it"</h2>
            {move || render_preview(me.get())}
        </section>
        <Show when=move || !forked.get()>
            <div class="columns">
                <EditProfile me />
                <NameSection me />
            </div>
        </Show>
        <div class="columns">
            <section class="card" aria-labelledby="my-history-title">
                <h2 id="my-history-title">"Names"</h2>
                {move || view! { <History entries=me.with(|me| me.history.clone()) /> }}
                <p class="muted">
                    {move || {
                        me.with(|me| {
                            format!(
                                "Your registry holds {} in {}.",
                                text::format_count(me.changes, "change", "changes"),
                                text::format_size(me.document_bytes),
                            )
                        })
                    }}
                </p>
            </section>
            <div class="stack">
                {move || {
                    let (did, safety_words) = identity.get();
                    view! { <Identity did safety_words /> }
                }}
                <a class="button" href=routes::DEVICES>
                    "Devices and keys"
                </a>
            </div>
        </div>
    }
}

/// The card that others see.
fn render_preview(me: Me) -> impl IntoView {
    let name = match me.username {
        Some(username) => view! { <p class="profile-name">{format_username(&username)}</p> }.into_any(),
        None => view! { <p class="muted">"No name at the moment"</p> }.into_any(),
    };
    view! {
        <ProfileCard
            public_key=me.public_key.unwrap_or_default()
            profile=me.profile
            name
            status=me.name_status
            registered_at=me.registered_at
        />
    }
}
