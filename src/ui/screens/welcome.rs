//! The way in: what this is, a name, a backup. Three short steps; each can be skipped.

use leptos::prelude::*;
use leptos_router::NavigateOptions;
use leptos_router::hooks::{use_navigate, use_query_map};

use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::{Notice, NoticeTone};
use crate::routes::{self, SettingsSection, WelcomeStep};
use crate::widgets::backup_export::BackupExport;
use crate::widgets::claim_form::ClaimForm;
use crate::widgets::install_offer::InstallOffer;
use crate::widgets::page_head::PageHead;
use crate::widgets::recovery::RecoveryWords;

/// The heading of a step.
fn step_title(step: WelcomeStep) -> &'static str {
    match step {
        WelcomeStep::About => "A registry that belongs to its people",
        WelcomeStep::Name => "Choose your name",
        WelcomeStep::Backup => "Keep your name safe",
    }
}

/// The page. `?step=` says which of the steps is on show.
#[component]
pub fn Welcome() -> impl IntoView {
    let query = use_query_map();
    let step = Memo::new(move |_| WelcomeStep::parse(query.with(|query| query.get("step")).as_deref()));
    view! {
        <div class="page page-narrow">
            <p class="steps" aria-label=move || format!("Step {} of 3", step.get().number()) role="img">
                {WelcomeStep::ALL
                    .map(|which| {
                        let state = move || {
                            if which == step.get() { "now" } else if which.number() < step.get().number() { "done" } else { "next" }
                        };
                        view! { <span class="step" data-state=state></span> }
                    })}
            </p>
            <PageHead
                title=Signal::derive(move || step_title(step.get()).to_owned())
                step=Signal::derive(move || step.get().number())
            />
            {move || match step.get() {
                WelcomeStep::About => view! { <About /> }.into_any(),
                WelcomeStep::Name => view! { <Name /> }.into_any(),
                WelcomeStep::Backup => view! { <Backup /> }.into_any(),
            }}
        </div>
    }
}

/// What this is, in three points.
#[component]
fn About() -> impl IntoView {
    let point = |mark: Icon, head: &'static str, text: &'static str| {
        view! {
            <li>
                {icon(mark)}
                <div>
                    <h2>{head}</h2>
                    <p>{text}</p>
                </div>
            </li>
        }
    };
    view! {
        <ul class="points">
            {point(Icon::Device, "It lives on your device", "Your name and everybody else’s are kept in this browser. It all works without a network.")}
            {point(Icon::Key, "A key instead of an account", "Claiming a name makes a key here. What you change is signed with it; nobody else can.")}
            {point(Icon::Peers, "People tell each other", "Names travel directly from device to device. Should two people claim one name, a rule that everybody can check decides.")}
        </ul>
        <div class="actions">
            <a class="button button-main" href=routes::welcome(WelcomeStep::Name)>
                "Choose a name"
            </a>
            <a class="button" href=routes::PEOPLE>
                "Just look around"
            </a>
        </div>
        <p class="muted">
            "You have a name on another device? "
            <a href=routes::settings(SettingsSection::Restore)>"Bring it here"</a>
            "."
        </p>
    }
}

/// The form for a name; for a profile that has one already, where to change it.
#[component]
fn Name() -> impl IntoView {
    let app_state = app_state();
    let is_loaded = Memo::new(move |_| app_state.live.me.with(Option::is_some));
    view! {
        {move || {
            // Only what was so on arrival: a claim made here must not swap the page before it moves on.
            let already = app_state.live.me.with_untracked(|me| me.as_ref().and_then(|me| me.username.clone()));
            match (is_loaded.get(), already) {
                (false, _) => view! { <p class="lead muted">"Opening your registry…"</p> }.into_any(),
                (true, Some(name)) => render_named(name).into_any(),
                (true, None) => view! { <FirstName /> }.into_any(),
            }
        }}
    }
}

/// What is shown in place of the form.
fn render_named(name: String) -> impl IntoView {
    view! {
        <p class="lead">"This profile already has a name: " <strong>{name}</strong> "."</p>
        <div class="actions">
            <a class="button button-main" href=routes::ME_NAME>
                "Change it"
            </a>
            <a class="button" href=routes::HOME>
                "Go to the start"
            </a>
        </div>
    }
}

/// The form; afterwards the way leads to the backup.
#[component]
fn FirstName() -> impl IntoView {
    let query = use_query_map();
    let suggested = query.with_untracked(|query| query.get("name")).unwrap_or_default();
    let navigate = use_navigate();
    let on_claimed =
        Callback::new(move |()| navigate(routes::welcome(WelcomeStep::Backup), NavigateOptions::default()));
    view! {
        <p class="lead">"It can be changed later; the old name stays yours until you give it up."</p>
        <div class="card claim-card">
            <ClaimForm suggested on_claimed />
        </div>
        <p>
            <a href=routes::PEOPLE>"Skip: look around without a name"</a>
        </p>
    }
}

/// Both kinds of backup. Each can be made here, or later in the settings.
#[component]
fn Backup() -> impl IntoView {
    let app_state = app_state();
    let has_key = Memo::new(move |_| app_state.live.may_have_key());
    let safe = RwSignal::new(false);
    let done = Callback::new(move |()| safe.set(true));
    view! {
        <Show
            when=move || has_key.get()
            fallback=|| {
                view! {
                    <p class="lead">"There is nothing to keep safe yet: this profile has no name."</p>
                    <div class="actions">
                        <a class="button button-main" href=routes::welcome(WelcomeStep::Name)>
                            "Choose a name"
                        </a>
                    </div>
                }
            }
        >
            <p class="lead">
                "Your name exists only on this device. Nobody can send you a new password: choose one of these two ways, or both."
            </p>
            <section class="card" aria-labelledby="words-title">
                <h2 id="words-title">{icon(Icon::Words)} "24 words on paper"</h2>
                <RecoveryWords on_checked=done />
            </section>
            <section class="card" aria-labelledby="file-title">
                <h2 id="file-title">{icon(Icon::Download)} "An encrypted file"</h2>
                <p class="muted">"The file holds your key and your whole registry, sealed with a passphrase."</p>
                <BackupExport on_saved=done />
            </section>
            <Show when=move || safe.get()>
                <Notice tone=NoticeTone::Good>
                    <p>"Well done: your name can come back now."</p>
                </Notice>
            </Show>
            <InstallOffer />
            <div class="actions">
                <a class="button" class:button-main=move || safe.get() href=routes::HOME>
                    {move || if safe.get() { "Finish" } else { "Later" }}
                </a>
            </div>
        </Show>
    }
}
