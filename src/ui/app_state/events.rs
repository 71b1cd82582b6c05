//! What each event of the node means for the page: one function from event to refresh, message or bar.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::AppState;
use super::toasts::Tone;
use crate::dom;
use crate::model::bursts::{Bursts, NOTIFY_EVERY};
use crate::model::notices::format_notice;
use crate::model::pace::Pace;
use crate::model::people::{format_person, format_username};
use crate::model::sentences::describe_loss;
use crate::model::stored_key;
use crate::notify;
use crate::routes;
use crate::text;
use gen_registry_api::client::{Client, Subscription};
use gen_registry_api::{ChatMessage, Event, LostName, Notice, PersonSummary, StorageOutcome};

/// A burst of events (a first sync) becomes one refresh.
const SETTLE: Duration = Duration::from_millis(120);
/// After a few refreshes right after each other, the next ones are so far apart: while thousands of people arrive, drawing
/// the same list again and again would take a tenth of the time.
const REFRESH_EVERY: Duration = Duration::from_millis(500);
/// Refreshes that may follow each other quickly.
const REFRESH_BURST: u32 = 4;

/// Passes the node's events on for as long as the page lives.
pub fn listen(app_state: AppState, client: &Client) {
    let refresh = Refresh::new(app_state);
    let subscription: Subscription = client.subscribe(move |event| dispatch(app_state, &refresh, event));
    // Lives as long as the page: kept in the root owner.
    StoredValue::new_local(subscription);
}

/// What an event leads to.
fn dispatch(app_state: AppState, refresh: &Refresh, event: &Event) {
    match event {
        Event::MeChanged => (refresh.me)(),
        Event::PeopleChanged { .. } => (refresh.people)(),
        Event::WriterChanged => {
            app_state.invalidation.modules.bump();
            (refresh.me)();
            (refresh.people)();
        }
        Event::NameLost { lost } => {
            show_lost_name(app_state, lost);
            (refresh.me)();
        }
        Event::NetworkChanged => (refresh.network)(),
        Event::ModulesChanged { .. } => (refresh.modules)(),
        Event::Announcement { notice } => {
            announce_notice(app_state, &refresh.told, notice);
            (refresh.notices)();
        }
        Event::Installing { progress } => app_state.live.install_progress.set(Some(progress.clone())),
        // A contested name is shown on its page; the loser is notified by `NameLost`.
        Event::Conflict { .. } => (refresh.people)(),
        Event::Quarantined { table, .. } => {
            show_quarantined(app_state, table);
            app_state.refresh_status();
        }
        Event::Presence { .. } => (refresh.presence)(),
        Event::Message { message, muted } => {
            app_state.live.last_message.set(Some(message.clone()));
            if message.mentions_me && !muted {
                announce_mention(app_state, &refresh.told, message);
            }
            (refresh.channels)();
        }
        Event::ChannelsChanged => (refresh.channels)(),
        Event::ReloadNeeded => app_state.shell.reload_needed.set(true),
        Event::StorageClosed { outcome } => {
            match outcome {
                StorageOutcome::Reopened => app_state.shell.toasts.push(
                    Tone::Plain,
                    "The browser closed this site’s storage. The page opened it again, and nothing is lost.".to_owned(),
                ),
                StorageOutcome::Rewritten => app_state.shell.storage_rewritten.set(true),
                // The status says it, also to a tab that is opened later.
                StorageOutcome::Withdrawn => {}
            }
            app_state.refresh_status();
        }
    }
}

/// Asking again, once after a burst of events.
struct Refresh {
    /// Recent notifications.
    told: Told,
    /// Asks who this profile is.
    me: Coalesced,
    /// Invalidates people and asks for the status.
    people: Coalesced,
    /// Invalidates the network and asks for the status.
    network: Coalesced,
    /// Asks for notices and what is followed.
    notices: Coalesced,
    /// Invalidates presence and asks for the channels, which count their members.
    presence: Coalesced,
    /// Asks for the channels.
    channels: Coalesced,
    /// Invalidates modules.
    modules: Coalesced,
}

impl Refresh {
    fn new(app_state: AppState) -> Self {
        let changed = app_state.invalidation;
        Self {
            told: Told::default(),
            me: coalesced(move || app_state.refresh_me()),
            people: coalesced(move || {
                changed.people.bump();
                app_state.refresh_status();
            }),
            network: coalesced(move || {
                changed.network.bump();
                app_state.refresh_status();
            }),
            notices: coalesced(move || app_state.refresh_notices()),
            presence: coalesced(move || {
                changed.presence.bump();
                app_state.refresh_channels();
            }),
            channels: coalesced(move || app_state.refresh_channels()),
            modules: coalesced(move || changed.modules.bump()),
        }
    }
}

/// An act that runs once after a burst of calls.
type Coalesced = Box<dyn Fn()>;

/// Runs `act` once after a burst of calls, at most every [`REFRESH_EVERY`] in the long run, and never loses the last one.
fn coalesced(act: impl Fn() + Clone + 'static) -> Coalesced {
    let waiting = Rc::new(Cell::new(false));
    let pace = Rc::new(RefCell::new(Pace::new(REFRESH_EVERY, REFRESH_BURST)));
    Box::new(move || {
        if !waiting.replace(true) {
            let (waiting, act) = (waiting.clone(), act.clone());
            let pause = pace.borrow_mut().take(dom::now());
            set_timeout(
                move || {
                    waiting.set(false);
                    act();
                },
                pause.max(SETTLE),
            );
        }
    })
}

/// Shows who holds a name that this profile claimed, and why.
fn show_lost_name(app_state: AppState, lost: &LostName) {
    let holder = lost.holder.as_ref();
    let holder = holder.map_or_else(|| "somebody else".to_owned(), |holder| format_username(holder.username()));
    let message = format!("The name {} is held by {holder}. {}", lost.name, describe_loss(lost.reason));
    app_state.shell.toasts.push(Tone::Bad, message);
}

/// Shows that a stored record failed its check. A bar speaks of keys, for as long as there is none.
fn show_quarantined(app_state: AppState, table: &str) {
    if table == stored_key::KEYS {
        return;
    }
    app_state.shell.toasts.push(
        Tone::Bad,
        format!("A damaged record in “{table}” was set aside; everything else is fine. Settings shows which."),
    );
}

/// Recent notifications, by the page that they are about.
type Told = Rc<RefCell<Bursts>>;

/// Says something at once if nothing of the same page was said lately; else how much there was, later.
fn tell(told: &Told, path: String, first: String, more: fn(u64) -> String, say: impl Fn(String, String) + 'static) {
    if told.borrow_mut().begin(&path) {
        say(first, path.clone());
        sum_up_later(told.clone(), path, more, say);
    }
}

/// Says after a while how much came meanwhile, and goes on until nothing did.
fn sum_up_later(told: Told, path: String, more: fn(u64) -> String, say: impl Fn(String, String) + 'static) {
    let sum_up = move || {
        let count = told.borrow_mut().end(&path);
        if count > 0 {
            say(more(count), path.clone());
            sum_up_later(told, path, more, say);
        }
    };
    set_timeout(sum_up, NOTIFY_EVERY);
}

/// Announces a notice in the live region, and by a system notification when the page is hidden.
fn announce_notice(app_state: AppState, told: &Told, notice: &Notice) {
    let more = |count| text::format_count(count, "more notice", "more notices");
    tell(told, routes::NOTICES.to_owned(), format_notice(notice), more, move |sentence, path| {
        app_state.shell.announce(sentence.clone());
        notify_outside(sentence, path);
    });
}

/// Announces a mention as a toast, and by a system notification when the page is hidden.
fn announce_mention(app_state: AppState, told: &Told, message: &ChatMessage) {
    let PersonSummary { username, display_name, did, .. } = &message.person;
    let author = format_person(username.as_deref(), display_name.as_deref(), did);
    let sentence = format!("{author} mentioned you in {}.", message.channel);
    let more = |count| format!("You were mentioned {}.", text::format_count(count, "more time", "more times"));
    tell(told, routes::channel(&message.channel), sentence, more, move |sentence, path| {
        notify_outside(sentence.clone(), path);
        app_state.shell.toasts.push(Tone::Good, sentence);
    });
}

/// Notifies somebody who looks elsewhere; `path` is where it happened.
fn notify_outside(sentence: String, path: String) {
    if dom::is_hidden() {
        spawn_local(async move { notify::show("Gen Registry", &sentence, &path).await });
    }
}
