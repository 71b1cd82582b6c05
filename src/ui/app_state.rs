//! What every screen shares: the handle on the node, who this profile is, and what has just happened.
//!
//! It keeps answers and passes events on. It never works out an answer by itself.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::components::avatar::Pictures;
use crate::components::subject::told;
use crate::components::toast::{Toasts, Tone};
use crate::lock_gate::LockGate;
use crate::screens::channels::channel_href;
use crate::{dom, notify, text};
use gen_registry_api::client::{Client, Subscription};
use gen_registry_api::failure::Failure;
use gen_registry_api::{ChannelEntry, ChatMessage, Event, FollowRow, InstallProgress, Me, Notice, Status};

/// How often the status is asked for when nothing else prompts it.
const STATUS_EVERY: Duration = Duration::from_secs(20);
/// A burst of events (a first sync) becomes one refresh.
const SETTLE: Duration = Duration::from_millis(120);
/// When the newest damage that this person was notified of happened.
const DAMAGE_TOLD: &str = "gen-registry.damage-told";

/// Cheap to copy; take it from the context with [`app_state`].
#[derive(Clone, Copy)]
pub struct AppState {
    client: StoredValue<Client, LocalStorage>,
    /// None until the node has answered for the first time.
    pub me: RwSignal<Option<Me>>,
    pub status: RwSignal<Option<Status>>,
    /// Grows whenever something known about people changed.
    pub people_changed: RwSignal<u64>,
    /// Grows whenever peers or relays came or went.
    pub network_changed: RwSignal<u64>,
    /// Grows whenever something known about modules changed.
    pub modules_changed: RwSignal<u64>,
    /// Grows whenever there are other notices.
    pub notices_changed: RwSignal<u64>,
    /// Notices that were not looked at yet.
    pub unread: RwSignal<u64>,
    pub follows: RwSignal<Vec<FollowRow>>,
    /// Grows whenever somebody came, went, joined or left.
    pub presence_changed: RwSignal<u64>,
    /// All channels that are known, the joined ones with what is unread.
    pub channels: RwSignal<Vec<ChannelEntry>>,
    /// The last message said in a joined channel.
    pub heard: RwSignal<Option<ChatMessage>>,
    /// How far the last step of an installation is.
    pub installing: RwSignal<Option<InstallProgress>>,
    /// The page is older than the data.
    pub reload_needed: RwSignal<bool>,
    pub toasts: Toasts,
    /// The sentence for the polite live region.
    pub said: RwSignal<String>,
    pub gate: LockGate,
    pub pictures: StoredValue<Pictures, LocalStorage>,
    /// The last time a minute passed, so that relative times stay true.
    pub minute: RwSignal<u64>,
    /// The person has just made a name here: the moment to offer installing.
    pub celebrated: RwSignal<bool>,
}

pub fn app_state() -> AppState {
    expect_context::<AppState>()
}

impl AppState {
    /// Call inside the root owner: everything here lives as long as the page.
    pub fn start(client: Client) -> Self {
        let gate = LockGate::new();
        let app_state = Self {
            client: StoredValue::new_local(gate.guard(client.clone())),
            me: RwSignal::new(None),
            status: RwSignal::new(None),
            people_changed: RwSignal::new(0),
            network_changed: RwSignal::new(0),
            modules_changed: RwSignal::new(0),
            notices_changed: RwSignal::new(0),
            unread: RwSignal::new(0),
            follows: RwSignal::new(Vec::new()),
            presence_changed: RwSignal::new(0),
            channels: RwSignal::new(Vec::new()),
            heard: RwSignal::new(None),
            installing: RwSignal::new(None),
            reload_needed: RwSignal::new(false),
            toasts: Toasts::new(),
            said: RwSignal::new(String::new()),
            gate,
            pictures: StoredValue::new_local(Pictures::default()),
            minute: RwSignal::new(0),
            celebrated: RwSignal::new(false),
        };
        app_state.listen(&client);
        app_state.refresh_me();
        app_state.refresh_status();
        app_state.refresh_notices();
        app_state.refresh_channels();
        set_interval(move || app_state.refresh_status(), STATUS_EVERY);
        set_interval(move || app_state.minute.update(|n| *n += 1), Duration::from_secs(60));
        app_state
    }

    /// Commands sent through this handle ask for the passphrase and try again when the key is locked.
    pub fn client(&self) -> Client {
        self.client.get_value()
    }

    pub fn refresh_me(self) {
        spawn_local(async move {
            match self.client().who_am_i().await {
                Ok(me) => self.me.set(Some(*me)),
                Err(failure) => self.fail(&failure),
            }
        });
    }

    /// What is followed, and how much is new there.
    pub fn refresh_notices(self) {
        spawn_local(async move {
            // What could not be had is not worth a message: the old count stays on show.
            if let Ok(list) = self.client().notices().await {
                self.unread.set(list.unread);
            }
            if let Ok(follows) = self.client().follows().await {
                self.follows.set(follows);
            }
            self.notices_changed.update(|n| *n += 1);
        });
    }

    pub fn mark_notices_read(self) {
        if self.unread.get_untracked() == 0 {
            return;
        }
        spawn_local(async move {
            match self.client().mark_notices_read(Vec::new()).await {
                Ok(list) => self.unread.set(list.unread),
                Err(failure) => self.fail(&failure),
            }
        });
    }

    /// To somebody who looks elsewhere; `path` is where it happened.
    fn tell_outside(self, words: String, path: String) {
        if dom::is_hidden() {
            spawn_local(async move { notify::show("Gen Registry", &words, &path).await });
        }
    }

    /// Announces a notice in the live region, and by a system notification when the page is hidden.
    fn announce(self, notice: &Notice) {
        let words = told(notice);
        self.say(words.clone());
        self.tell_outside(words, "/notices".to_owned());
    }

    pub fn refresh_status(self) {
        spawn_local(async move {
            // A status that could not be had is not worth a message: the old one stays on show.
            if let Ok(status) = self.client().status().await {
                self.tell_of_damage(&status);
                self.status.set(Some(status));
            }
        });
    }

    pub fn refresh_channels(self) {
        spawn_local(async move {
            if let Ok(channels) = self.client().channels().await {
                self.channels.set(channels);
            }
        });
    }

    fn tell_of_mention(self, message: &ChatMessage) {
        let author = message.username.as_deref().or(message.display_name.as_deref()).unwrap_or("Somebody");
        let words = format!("{author} mentioned you in {}.", message.channel);
        self.tell_outside(words.clone(), channel_href(&message.channel));
        self.toasts.push(Tone::Good, words);
    }

    /// Notifies of records that were quarantined before the page listened, each damage once.
    fn tell_of_damage(self, status: &Status) {
        let first = self.status.with_untracked(Option::is_none);
        let told = dom::stored(DAMAGE_TOLD).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        let new = status.quarantined.iter().filter(|record| record.at > told).count() as u64;
        let Some(newest) = status.quarantined.iter().map(|record| record.at).max().filter(|_| new > 0) else {
            return;
        };
        if first {
            let what = text::count(new, "damaged record was", "damaged records were");
            self.toasts.push(Tone::Bad, format!("{what} set aside; everything else is fine. Settings shows which."));
        }
        dom::store(DAMAGE_TOLD, Some(&newest.to_string()));
    }

    /// Takes over the answer of a command that changed this profile.
    pub fn became(self, me: Me) {
        self.me.set(Some(me));
        self.refresh_status();
    }

    pub fn say(self, text: impl Into<String>) {
        self.said.set(text.into());
    }

    /// For failures without a control that they could be shown at.
    pub fn fail(self, failure: &Failure) {
        self.toasts.push(Tone::Bad, format!("{} {}", failure.message, failure.advice));
    }

    /// Nothing counts any more that this profile's key signs.
    pub fn is_forked(self) -> bool {
        self.me.with(|me| me.as_ref().is_some_and(|me| me.forked))
    }

    pub fn has_name(self) -> bool {
        self.me.with(|me| me.as_ref().is_some_and(|me| me.username.is_some()))
    }

    fn listen(self, client: &Client) {
        let refresh_me = coalesced(move || self.refresh_me());
        let refresh_people = coalesced(move || {
            self.people_changed.update(|n| *n += 1);
            self.refresh_status();
        });
        let refresh_network = coalesced(move || {
            self.network_changed.update(|n| *n += 1);
            self.refresh_status();
        });
        let refresh_notices = coalesced(move || self.refresh_notices());
        let refresh_presence = coalesced(move || {
            self.presence_changed.update(|n| *n += 1);
            self.refresh_channels();
        });
        let refresh_channels = coalesced(move || self.refresh_channels());
        let refresh_modules = coalesced(move || self.modules_changed.update(|n| *n += 1));
        let subscription: Subscription = client.subscribe(move |event| match event {
            Event::MeChanged => refresh_me(),
            Event::PeopleChanged { .. } => refresh_people(),
            Event::WriterChanged => {
                self.modules_changed.update(|n| *n += 1);
                refresh_me();
                refresh_people();
            }
            Event::NameLost { lost } => {
                let holder = lost.holder.as_ref().map_or("somebody else", |h| h.username.as_str());
                self.toasts.push(Tone::Bad, format!("The name {} is held by {holder}. {}", lost.name, lost.reason));
                refresh_me();
            }
            Event::NetworkChanged => refresh_network(),
            Event::ModulesChanged { .. } => refresh_modules(),
            Event::Announcement { notice } => {
                self.announce(notice);
                refresh_notices();
            }
            Event::Installing { progress } => self.installing.set(Some(progress.clone())),
            // A contested name is shown on its page; the loser is notified by `NameLost`.
            Event::Conflict { .. } => refresh_people(),
            Event::Quarantined { table, .. } => {
                self.toasts.push(
                    Tone::Bad,
                    format!(
                        "A damaged record in “{table}” was set aside; everything else is fine. Settings shows which."
                    ),
                );
                self.refresh_status();
            }
            Event::Presence { .. } => refresh_presence(),
            Event::Message { message, muted } => {
                self.heard.set(Some(message.clone()));
                if message.mentions_me && !muted {
                    self.tell_of_mention(message);
                }
                refresh_channels();
            }
            Event::ChannelsChanged => refresh_channels(),
            Event::ReloadNeeded => self.reload_needed.set(true),
        });
        // Lives as long as the page: kept in the root owner.
        StoredValue::new_local(subscription);
    }
}

/// Runs `act` once after a burst of calls, and never loses the last one.
fn coalesced(act: impl Fn() + Clone + 'static) -> impl Fn() + Clone {
    let waiting = Rc::new(Cell::new(false));
    move || {
        if !waiting.replace(true) {
            let (waiting, act) = (waiting.clone(), act.clone());
            set_timeout(
                move || {
                    waiting.set(false);
                    act();
                },
                SETTLE,
            );
        }
    }
}
