//! The first page: what this is, a name in one step, and who is here.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::use_navigate;

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::model::own_name::is_wanted;
use crate::model::people::format_username;
use crate::query::use_query;
use crate::reactive::{query_view, select};
use crate::routes::{self, WelcomeStep};
use crate::text;
use crate::widgets::avatar::Avatar;
use crate::widgets::claim_form::ClaimForm;
use crate::widgets::install_offer::InstallOffer;
use crate::widgets::module_row::module_rows;
use crate::widgets::page_head::PageHead;
use crate::widgets::person_row::person_rows;
use gen_registry_api::{Me, ModuleFilter, ModuleSort};

/// Enough to show that somebody is here.
const PEOPLE_MAX: u32 = 8;
/// Enough to show that something is here.
const MODULES_MAX: u32 = 5;

/// The page: a name to claim, or the own one, then new modules and people.
#[component]
pub fn Home() -> impl IntoView {
    let app_state = app_state();
    let has_name = Memo::new(move |_| app_state.live.has_name());
    let is_loaded = Memo::new(move |_| app_state.live.me.with(Option::is_some));
    let title = Signal::derive(move || {
        app_state
            .live
            .me
            .with(|me| me.as_ref().and_then(|me| me.username.clone()))
            .map_or_else(|| "A name that is yours".to_owned(), |name| format!("Hello, {}", format_username(&name)))
    });
    view! {
        <div class="page home">
            <div class="home-hero">
                <div class="home-words">
                    <PageHead title />
                    {move || {
                        if has_name.get() {
                            app_state.live.me.get().map(|me| view! { <Mine me /> }.into_any())
                        } else if is_loaded.get() {
                            Some(view! { <Invitation /> }.into_any())
                        } else {
                            Some(view! { <p class="lead muted">"Opening your registry…"</p> }.into_any())
                        }
                    }}
                </div>
            </div>
            <InstallOffer />
            <NewModules />
            <Neighbours />
        </div>
    }
}

/// For a profile without a name: the form that claims one.
#[component]
fn Invitation() -> impl IntoView {
    let navigate = use_navigate();
    let on_claimed =
        Callback::new(move |()| navigate(routes::welcome(WelcomeStep::Backup), NavigateOptions::default()));
    view! {
        <p class="lead">
            "Claim a username, keep it on your own device, and carry it to other people directly. No account, no password, no server that could take it away."
        </p>
        <div class="card claim-card">
            <ClaimForm on_claimed />
            <p class="muted">
                "Only looking? Browse "
                <a href=routes::PEOPLE>"everybody known here"</a>
                " without a name, or "
                <a href=routes::WELCOME>"read how it works"</a>
                "."
            </p>
        </div>
    }
}

/// For a profile with a name: its card, and a reminder while there is no backup.
#[component]
fn Mine(me: Me) -> impl IntoView {
    let username = me.username.unwrap_or_default();
    let wanted = is_wanted(me.name_status);
    let unsafe_still = !me.phrase_checked && me.last_backup_at.is_none();
    let href =
        if wanted { me.did.as_deref().map(routes::identity).unwrap_or_default() } else { routes::person(&username) };
    let lead = if wanted {
        "You asked for this name. It is yours as soon as a witness of this network has seen it."
    } else {
        "Your name is saved on this device and works with or without a network."
    };
    view! {
        <p class="lead">{lead}</p>
        <div class="card mine">
            <Avatar public_key=me.public_key.unwrap_or_default() cid=me.profile.avatar />
            <div class="mine-text">
                <p class="mine-name">{format_username(&username)}</p>
                {me.profile.display_name.map(|name| view! { <p class="muted">{name}</p> })}
            </div>
            <div class="actions">
                <a class="button button-main" href=routes::ME>
                    {icon(Icon::Pencil)}
                    "Edit my profile"
                </a>
                <a class="button" href=href>
                    {icon(Icon::Eye)}
                    "As others see it"
                </a>
            </div>
        </div>
        {unsafe_still
            .then(|| {
                view! {
                    <div class="card reminder">
                        {icon(Icon::Shield)}
                        <div>
                            <p>
                                <strong>"Your name exists only on this device."</strong>
                            </p>
                            <p class="muted">"If the browser’s data is cleared, it is gone. Two minutes make it safe."</p>
                        </div>
                        <a class="button" href=routes::welcome(WelcomeStep::Backup)>
                            "Make it safe"
                        </a>
                    </div>
                }
            })}
    }
}

/// The newest modules, with a link to all.
#[component]
fn NewModules() -> impl IntoView {
    let app_state = app_state();
    let modules = use_query(
        || (),
        move || app_state.invalidation.modules.track(),
        move |()| {
            let client = app_state.client();
            async move { client.list_modules(ModuleFilter::default(), ModuleSort::Recent, MODULES_MAX, None).await }
        },
    );
    view! {
        <section class="home-people" aria-labelledby="home-modules-title">
            <div class="section-head">
                <h2 id="home-modules-title">"New modules"</h2>
                <a class="more-link" href=routes::MODULES>
                    "See all"
                    {icon(Icon::Arrow)}
                </a>
            </div>
            {query_view(modules, |list| {
                let cards = select(list, |list| list.modules.clone());
                view! {
                    <Show
                        when=move || !cards.with(Vec::is_empty)
                        fallback=|| view! { <p class="muted">"None yet. They arrive when a peer is met, or " <a href=routes::PUBLISH>"publish the first one"</a> "."</p> }
                    >
                        <ul class="modules">{module_rows(cards)}</ul>
                    </Show>
                }
            })}
        </section>
    }
}

/// Some people, with a link to everybody.
#[component]
fn Neighbours() -> impl IntoView {
    let app_state = app_state();
    let people = use_query(
        || (),
        move || app_state.invalidation.people.track(),
        move |()| {
            let client = app_state.client();
            async move { client.list_usernames(String::new(), PEOPLE_MAX, None).await }
        },
    );
    let total = Memo::new(move |_| {
        people.with(|page| page.as_ref().and_then(|page| page.as_ref().ok()).map_or(0, |page| page.total))
    });
    view! {
        <section class="home-people" aria-labelledby="home-people-title">
            <div class="section-head">
                <h2 id="home-people-title">"People"</h2>
                <Show when=move || total.get() != 0>
                    <a class="more-link" href=routes::PEOPLE>
                        {move || format!("See all {}", text::format_number(total.get()))}
                        {icon(Icon::Arrow)}
                    </a>
                </Show>
            </div>
            {query_view(people, |page| {
                let people = select(page, |page| page.people.clone());
                view! {
                    <Show when=move || !people.with(Vec::is_empty) fallback=render_nobody>
                        <ul class="people people-grid">{person_rows(people)}</ul>
                    </Show>
                }
            })}
        </section>
    }
}

/// What is shown in place of people.
fn render_nobody() -> impl IntoView {
    view! {
        <div class="empty">
            {icon(Icon::People)} <p>"Nobody here yet. Claim a name and be the first."</p>
        </div>
    }
}
