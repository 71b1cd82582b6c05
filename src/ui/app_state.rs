//! What every screen shares: the handle on the node, its latest answers, what changed, and the frame's messages.
//!
//! It keeps answers and passes events on. It never works out an answer by itself, and it knows no component or screen.

pub(crate) mod backup_gate;
mod events;
mod gate;
pub mod invalidation;
mod live;
mod lock_gate;
mod node;
mod pictures;
mod shell;
pub mod toasts;

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::dom;
use crate::model::own_name::describe_confirmed;
use crate::model::stored_key;
use crate::text;
use backup_gate::BackupGate;
use gen_registry_api::client::Client;
use gen_registry_api::{Me, Status};
use invalidation::Invalidation;
use live::Live;
use node::NodeAccess;
use pictures::PictureCache;
use shell::Shell;
use toasts::Tone;

/// How often the status is asked for when nothing else prompts it.
const STATUS_EVERY: Duration = Duration::from_secs(20);
/// When the newest damage that this person was notified of happened.
const DAMAGE_SEEN: &str = "gen-registry.damage-told";

/// Cheap to copy; take it from the context with [`app_state`].
#[derive(Clone, Copy)]
pub struct AppState {
    /// Sends commands.
    pub node: NodeAccess,
    /// Where scripts wait for a backup.
    pub backup_gate: BackupGate,
    /// The node's latest answers.
    pub live: Live,
    /// What changed since a screen last asked.
    pub invalidation: Invalidation,
    /// Messages and bars around every page.
    pub shell: Shell,
    /// People's pictures.
    pub pictures: PictureCache,
}

/// The state of this page. Call it where a component is made, not in its callbacks.
pub fn app_state() -> AppState {
    expect_context::<AppState>()
}

impl AppState {
    /// Begins to listen and asks for everything once. Call it inside the root owner: it lives as long as the page.
    pub fn start(client: Client) -> Self {
        let app_state = Self {
            node: NodeAccess::new(client.clone()),
            backup_gate: BackupGate::new(),
            live: Live::new(),
            invalidation: Invalidation::new(),
            shell: Shell::new(),
            pictures: PictureCache::new(),
        };
        events::listen(app_state, &client);
        app_state.refresh_me();
        app_state.refresh_status();
        app_state.refresh_notices();
        app_state.refresh_channels();
        set_interval(move || app_state.refresh_status(), STATUS_EVERY);
        set_interval(move || app_state.shell.minute.bump(), Duration::from_secs(60));
        app_state
    }

    /// Commands sent through this handle ask for the passphrase and try again when the key is locked.
    pub fn client(self) -> Client {
        self.node.client()
    }

    /// Takes over the answer of a command that changed this profile.
    pub fn set_me(self, me: Me) {
        self.live.me.set(Some(me));
        self.refresh_status();
    }

    /// Asks who this profile is. A failure is shown.
    pub fn refresh_me(self) {
        spawn_local(async move {
            match self.client().who_am_i().await {
                Ok(me) => {
                    let before = self.live.me.get_untracked();
                    if let Some(said) = before.and_then(|before| describe_confirmed(&before, &me)) {
                        self.shell.toasts.push_good(said);
                    }
                    self.live.me.set(Some(*me));
                }
                Err(failure) => self.shell.show_failure(&failure),
            }
        });
    }

    /// Asks what is followed, and how much is new there. What can't be had is not worth a message: the old count stays.
    pub fn refresh_notices(self) {
        spawn_local(async move {
            if let Ok(list) = self.client().notices().await {
                self.live.unread.set(list.unread);
            }
            if let Ok(follows) = self.client().follows().await {
                self.live.follows.set(follows);
            }
            self.invalidation.notices.bump();
        });
    }

    /// Marks every notice as read. A failure is shown.
    pub fn mark_notices_read(self) {
        if self.live.unread.get_untracked() == 0 {
            return;
        }
        spawn_local(async move {
            match self.client().mark_notices_read(Vec::new()).await {
                Ok(list) => self.live.unread.set(list.unread),
                Err(failure) => self.shell.show_failure(&failure),
            }
        });
    }

    /// Asks for the state of network and store. What can't be had is not worth a message: the old status stays.
    pub fn refresh_status(self) {
        spawn_local(async move {
            if let Ok(status) = self.client().status().await {
                self.show_new_damage(&status);
                self.live.status.set(Some(status));
            }
        });
    }

    /// Asks for all channels. What can't be had is not worth a message: the old list stays.
    pub fn refresh_channels(self) {
        spawn_local(async move {
            if let Ok(channels) = self.client().channels().await {
                self.live.channels.set(channels);
            }
        });
    }

    /// Shows a message about records that were quarantined before the page listened, each damage once.
    fn show_new_damage(self, status: &Status) {
        let first = self.live.status.with_untracked(Option::is_none);
        let seen = dom::load(DAMAGE_SEEN).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
        // Of keys a bar speaks, for as long as there is none.
        let records = || status.quarantined.iter().filter(|record| record.table != stored_key::KEYS);
        let new = records().filter(|record| record.at > seen).count() as u64;
        let Some(newest) = records().map(|record| record.at).max().filter(|_| new > 0) else {
            return;
        };
        if first {
            let what = text::format_count(new, "damaged record was", "damaged records were");
            let message = format!("{what} set aside; everything else is fine. Settings shows which.");
            self.shell.toasts.push(Tone::Bad, message);
        }
        dom::store(DAMAGE_SEEN, Some(&newest.to_string()));
    }
}
