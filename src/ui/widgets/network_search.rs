//! Search at connected peers, beside what this device found: at the person's request, or with every search where they want
//! that.

use std::collections::BTreeMap;

use gloo_timers::future::TimeoutFuture;
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::action::ActionState;
use crate::app_state::app_state;
use crate::components::icon::{Icon, icon};
use crate::components::notice::{FailureNotice, render_failure};
use crate::latest_request::LatestRequest;
use crate::model::module_query::ModuleQuery;
use crate::model::network_search::{describe_outcome, describe_source};
use crate::model::people::format_author;
use crate::model::subject::SubjectRef;
use crate::preferences::preferences;
use crate::query::use_query;
use crate::reactive::{keyed_list, slice_view};
use crate::routes;
use crate::text;
use crate::widgets::moment::Moment;
use gen_registry_api::{ModuleCard, NameKind, NetworkSearchResults, SearchedModule};

/// How many of this device's own results are marked with the peers that have them, too.
const LIMIT: u32 = 50;
/// The pause in typing after which peers are asked where they are asked with every search, in milliseconds. Longer than for
/// the own index: what is asked leaves the device.
const PAUSE_MS: u32 = 800;

/// Where the modules on show are from, by name. Empty until peers were asked.
pub type Sources = RwSignal<BTreeMap<String, String>>;

/// A button and a switch that ask peers, and what they name beside the modules on show.
#[component]
pub fn NetworkSearch(
    /// What is searched for.
    wanted: Memo<ModuleQuery>,
    /// The modules that are on show already.
    cards: RwSignal<Vec<ModuleCard>>,
    /// Gets where those are from.
    sources: Sources,
) -> impl IntoView {
    let app_state = app_state();
    let preferences = preferences();
    let with_every_search = preferences.search_peers;
    let question = RwSignal::new(None::<ModuleQuery>);
    let latest = LatestRequest::new();
    Effect::new(move |_| {
        let (now, automatic) = (wanted.get(), with_every_search.get() && !wanted.with(ModuleQuery::is_everything));
        let request = latest.begin();
        // What was asked before is about something else.
        if question.with_untracked(|asked| asked.as_ref().is_some_and(|asked| *asked != now)) {
            question.set(None);
        }
        if automatic {
            spawn_local(async move {
                TimeoutFuture::new(PAUSE_MS).await;
                if request.is_latest() {
                    question.set(Some(now));
                }
            });
        }
    });
    let again = RwSignal::new(0_u32);
    let found = use_query(
        move || question.get(),
        move || again.track(),
        move |question| {
            let client = app_state.client();
            async move {
                let Some(question) = question else { return Ok(None) };
                let sort = question.order();
                client.search_network(question.text, question.filter, sort, LIMIT).await.map(|found| Some(*found))
            }
        },
    );
    let results = Memo::new(move |_| found.with(|found| found.clone().and_then(Result::ok).flatten()));
    // Asked again, once, when peers were away and one has come.
    Effect::new(move |before: Option<bool>| {
        let has_peers = app_state.live.status.with(|status| status.as_ref().is_some_and(|status| status.peers > 0));
        let can_ask = has_peers && results.with(|results| results.as_ref().is_some_and(|found| found.peers_asked == 0));
        if can_ask && before == Some(false) {
            again.update(|again| *again += 1);
        }
        can_ask
    });
    Effect::new(move |_| sources.set(results.with(|results| results.as_ref().map(sources_of).unwrap_or_default())));
    // What has arrived meanwhile is in the other list.
    let elsewhere = Memo::new(move |_| {
        cards.with(|cards| {
            let is_shown = |module: &SearchedModule| cards.iter().any(|card| card.name == module.card.name);
            let modules = results.with(|results| results.as_ref().map(|found| found.modules.clone()));
            modules.unwrap_or_default().into_iter().filter(|module| !is_shown(module)).collect::<Vec<_>>()
        })
    });
    let is_asking = move || question.with(Option::is_some) && found.with(Option::is_none);
    let ask = move |_| question.set(Some(wanted.get_untracked()));
    view! {
        <section class="beyond" aria-labelledby="beyond-title" data-testid="beyond">
            <h2 id="beyond-title">"Beyond this device"</h2>
            <div class="beyond-tools">
                <button
                    type="button"
                    class="button"
                    data-testid="ask-peers"
                    disabled=is_asking
                    on:click=ask
                >
                    {icon(Icon::Search)}
                    "Ask connected peers"
                </button>
                <label class="switch">
                    <input
                        type="checkbox"
                        role="switch"
                        data-testid="ask-always"
                        prop:checked=move || with_every_search.get()
                        on:change:target=move |event| preferences.choose_search_peers(event.target().checked())
                    />
                    <span>"With every search"</span>
                </label>
            </div>
            <p class="muted" role="status" data-testid="beyond-outcome">
                {move || {
                    if is_asking() {
                        return "Asking connected peers…".to_owned();
                    }
                    let outcome = |found: &NetworkSearchResults| describe_outcome(found, text::format_number);
                    results.with(|results| results.as_ref().map(outcome)).unwrap_or_else(|| {
                        "Peers may have modules that this device does not keep. They see what is searched for.".to_owned()
                    })
                }}
            </p>
            {move || found.with(|found| found.clone().and_then(Result::err)).map(render_failure)}
            <Show when=move || elsewhere.with(|modules| !modules.is_empty())>
                <p class="muted">
                    "Name, owner and version are proven. Titles and descriptions are what peers say; they are checked once a module is here."
                </p>
                <ul class="modules">
                    {keyed_list(
                        elsewhere,
                        |module| module.card.name.clone(),
                        |module| slice_view(module, Clone::clone, |module| view! { <FoundRow module /> }),
                    )}
                </ul>
            </Show>
        </section>
    }
}

fn sources_of(results: &NetworkSearchResults) -> BTreeMap<String, String> {
    let modules = results.modules.iter();
    modules.map(|module| (module.card.name.clone(), describe_source(module, text::format_number))).collect()
}

/// A module that peers named: it leads to its page, which fetches it, and can be kept from here.
#[component]
fn FoundRow(module: SearchedModule) -> impl IntoView {
    let source = describe_source(&module, text::format_number);
    let (card, told) = (module.card, !module.on_device);
    let href = routes::module(&card.name);
    let class = move |what: &'static str| if told { format!("{what} module-told") } else { what.to_owned() };
    view! {
        <li class="module-row found-row" data-testid="found-row">
            <a class="module-link" href=href>
                <span class="module-head">
                    <span class="module-name">{card.name.clone()}</span>
                    <span class="module-version">{card.version}</span>
                    <span class="badge" data-testid="found-source">{source}</span>
                </span>
                {card.title.map(|title| view! { <span class=class("module-title")>{title}</span> })}
                {card.description.map(|description| view! { <span class=class("module-description")>{description}</span> })}
                <span class="module-facts">
                    <span>{format_author(&card.holder)}</span>
                    <span>{text::format_size(card.size)}</span>
                    <Moment at=card.published_at />
                </span>
            </a>
            <KeepButton name=card.name />
        </li>
    }
}

/// Keeps a module on this device: looks it up, so that its records come, and follows it, so that they stay.
#[component]
fn KeepButton(name: String) -> impl IntoView {
    let app_state = app_state();
    let attempt = ActionState::new();
    let subject = SubjectRef::Module(name.clone()).to_string();
    let wanted = subject.clone();
    let is_kept =
        Memo::new(move |_| app_state.live.follows.with(|follows| follows.iter().any(|row| row.subject == wanted)));
    let label = format!("Keep {name}");
    let keep = move |_| {
        let (client, name, subject) = (app_state.client(), name.clone(), subject.clone());
        let act = async move {
            client.find(NameKind::Module, name).await?;
            client.follow(subject, true).await
        };
        attempt.start(act, move |follows| {
            app_state.live.follows.set(follows);
            app_state.shell.announce("Kept: it comes to this device, and you hear of its news.");
        });
    };
    view! {
        <div class="found-keep">
            <button
                type="button"
                class="button button-small"
                data-testid="keep"
                aria-label=label
                title="Keep it on this device, and follow it"
                disabled=move || attempt.busy.get() || is_kept.get()
                on:click=keep
            >
                {icon(Icon::Install)}
                {move || if is_kept.get() { "Kept" } else { "Keep" }}
            </button>
            <FailureNotice failure=attempt.failure />
        </div>
    }
}
