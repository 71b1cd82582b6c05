//! The frame around every page: skip link, header, navigation, messages and the dialogs that may open anywhere.

use leptos::prelude::*;
use leptos_router::hooks::use_location;

use crate::app_state::app_state;
use crate::app_state::toasts::Tone;
use crate::components::help::HelpDialog;
use crate::components::icon::{Icon, icon};
use crate::components::search_box::SearchBox;
use crate::dom;
use crate::keys;
use crate::model::own_name::is_wanted;
use crate::model::people::format_username;
use crate::preferences::preferences;
use crate::pwa::pwa;
use crate::routes;
use crate::widgets::avatar::Avatar;
use crate::widgets::backup_export::BackupRequestDialog;
use crate::widgets::bell::Bell;
use crate::widgets::lost_name::LostNameBanner;
use crate::widgets::network_choice::NetworkChoiceView;
use crate::widgets::page_head::PageArrival;
use crate::widgets::status_chip::StatusChip;
use crate::widgets::toast::ToastStack;
use crate::widgets::unlock::UnlockDialog;
use crate::widgets::update_bar::UpdateBar;

/// Where it is kept that the message about working offline was shown.
const OFFLINE_SEEN: &str = "gen-registry.offline-told";

/// The frame; `children` is the page in it.
#[component]
pub fn Shell(children: Children) -> impl IntoView {
    let app_state = app_state();
    let help = RwSignal::new(false);
    provide_context(PageArrival::new());
    keys::listen(help);
    show_offline_ready();
    view! {
        <a class="skip-link" href="#main" rel="external" on:click=skip_to_content>
            "Skip to the content"
        </a>
        <UpdateBar />
        <header class="header">
            <div class="header-inner">
                <a class="brand" href=routes::HOME>
                    {render_brand_mark()}
                    <span class="brand-name">"Gen Registry"</span>
                </a>
                <div class="header-search">
                    <SearchBox
                        id="header-search"
                        label="Find modules and people"
                        everything=true
                        testid="header-search"
                    />
                </div>
                <Navigation />
                <StatusChip />
                <Bell />
                <MeChip />
            </div>
        </header>
        <NetworkChoiceView />
        <LostNameBanner />
        <main class="main" id="main" tabindex="-1">
            {children()}
        </main>
        <footer class="footer">
            <p>"Your names and modules live on your devices. No account, no server that owns them."</p>
            <a class="button button-quiet button-small" href=routes::GUIDE>
                {icon(Icon::Book)}
                "Guide"
            </a>
            <a class="button button-quiet button-small" href=routes::STATISTICS>
                {icon(Icon::Info)}
                "Statistics"
            </a>
            <button type="button" class="button button-quiet button-small" on:click=move |_| help.set(true)>
                {icon(Icon::Keyboard)}
                "Keys"
            </button>
        </footer>
        <div class="visually-hidden" role="status" aria-live="polite">
            {move || app_state.shell.announcement.get()}
        </div>
        <ToastStack />
        <BackupRequestDialog />
        <UnlockDialog />
        <HelpDialog open=help shortcuts=preferences().shortcuts />
    }
}

/// The router would take `#main` for a page.
fn skip_to_content(event: leptos::ev::MouseEvent) {
    event.prevent_default();
    if let Some(main) = dom::find("#main") {
        let _not_focusable = main.focus();
    }
}

/// Shows once per browser that the page works offline.
fn show_offline_ready() {
    let (app_state, pwa) = (app_state(), pwa());
    Effect::new(move |_| {
        if pwa.offline_ready.get() && dom::load(OFFLINE_SEEN).is_none() {
            dom::store(OFFLINE_SEEN, Some("yes"));
            app_state.shell.toasts.push(Tone::Plain, "Ready to work offline.");
        }
    });
}

/// The links to the main pages. The one that leads here is marked, and channels count what is unread.
#[component]
fn Navigation() -> impl IntoView {
    let path = use_location().pathname;
    let link = move |href: &'static str, mark: Icon, label: &'static str| {
        let current = move || path.with(|path| routes::is_within(path, href)).then_some("page");
        view! {
            <li>
                <a class="nav-link" href=href aria-current=current>
                    {icon(mark)}
                    <span>{label}</span>
                </a>
            </li>
        }
    };
    let app_state = app_state();
    let unread =
        Memo::new(move |_| app_state.live.channels.with(|all| all.iter().map(|channel| channel.unread).sum::<u64>()));
    let current_channels = move || path.with(|path| routes::is_channel_page(path)).then_some("page");
    view! {
        <nav class="nav" aria-label="Main">
            <ul>
                {link(routes::HOME, Icon::Home, "Home")} {link(routes::MODULES, Icon::Module, "Modules")} {link(routes::PEOPLE, Icon::People, "People")}
                <li>
                    <a class="nav-link" href=routes::CHANNELS aria-current=current_channels>
                        {icon(Icon::Talk)}
                        <span>"Channels"</span>
                        <Show when=move || unread.with(|unread| *unread != 0)>
                            <small class="nav-count" data-testid="nav-unread">
                                {move || if unread.get() > 99 { "99+".to_owned() } else { unread.get().to_string() }}
                                <i class="visually-hidden">" unread"</i>
                            </small>
                        </Show>
                    </a>
                </li>
                {link(routes::ME, Icon::Person, "Me")} {link(routes::SETTINGS, Icon::Settings, "Settings")}
            </ul>
        </nav>
    }
}

/// Who this profile is, with a link to it; the way to a name while there is none.
#[component]
fn MeChip() -> impl IntoView {
    let app_state = app_state();
    let profile = Memo::new(move |_| {
        app_state.live.me.with(|me| {
            me.as_ref().map(|me| {
                let named = me.username.clone().map(|username| (username, is_wanted(me.name_status)));
                (named, me.public_key.clone().unwrap_or_default(), me.profile.avatar.clone())
            })
        })
    });
    let forked = Memo::new(move |_| app_state.live.me.with(|me| me.as_ref().is_some_and(|me| me.forked)));
    view! {
        {move || match profile.get() {
            Some((Some((username, wanted)), public_key, avatar)) => {
                let title = if wanted { "My profile. The name waits for a witness." } else { "My profile" };
                view! {
                    <a class="me-chip" href=routes::ME title=title>
                        <Avatar public_key cid=avatar />
                        <span class="me-chip-name" data-testid="me-chip">
                            {format_username(&username)}
                        </span>
                        {wanted.then(|| view! { <span class="me-chip-mark">{icon(Icon::Clock)}</span> })}
                    </a>
                }
                    .into_any()
            }
            // No claim of theirs can count.
            Some((None, ..)) if forked.get() => {
                view! {
                    <a class="me-chip" href=routes::ME data-testid="me-chip">
                        {icon(Icon::Warning)}
                        <span class="me-chip-name">"No name"</span>
                    </a>
                }
                    .into_any()
            }
            Some((None, ..)) => {
                view! {
                    <a class="button button-main button-small" href=routes::WELCOME data-testid="me-chip">
                        "Claim a name"
                    </a>
                }
                    .into_any()
            }
            None => view! { <span class="me-chip me-chip-waiting" aria-hidden="true"></span> }.into_any(),
        }}
    }
}

/// The seal beside the app's name.
fn render_brand_mark() -> impl IntoView {
    view! {
        <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
            <path
                class="brand-seal"
                d="M16 1.5l4 2.7 4.8-.3 1.3 4.6 4 2.7-1.7 4.5 1.7 4.5-4 2.7-1.3 4.6-4.8-.3-4 2.7-4-2.7-4.8.3-1.3-4.6-4-2.7L3.6 15.7 1.9 11.2l4-2.7 1.3-4.6 4.8.3z"
            />
            <path class="brand-letter" d="M20.7 12.3a5.6 5.6 0 1 0 .9 5.4h-4.4" />
        </svg>
    }
}
