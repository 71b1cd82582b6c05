//! The node's latest answers that several screens show: who this profile is, the status, what is unread.

use leptos::prelude::*;

use gen_registry_api::{ChannelEntry, ChatMessage, FollowRow, InstallProgress, Me, Status};

/// Signals that events keep up to date; each stays at its last value while a new answer is awaited or can't be had.
#[derive(Clone, Copy)]
pub struct Live {
    /// This profile; `None` until the node has answered for the first time.
    pub me: RwSignal<Option<Me>>,
    /// Network and store; `None` until the node has answered for the first time.
    pub status: RwSignal<Option<Status>>,
    /// Notices that were not looked at yet.
    pub unread: RwSignal<u64>,
    /// What is followed.
    pub follows: RwSignal<Vec<FollowRow>>,
    /// All channels that are known, the joined ones with what is unread.
    pub channels: RwSignal<Vec<ChannelEntry>>,
    /// The last message in a joined channel.
    pub last_message: RwSignal<Option<ChatMessage>>,
    /// How far the last step of an installation is.
    pub install_progress: RwSignal<Option<InstallProgress>>,
}

impl Live {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self {
            me: RwSignal::new(None),
            status: RwSignal::new(None),
            unread: RwSignal::new(0),
            follows: RwSignal::new(Vec::new()),
            channels: RwSignal::new(Vec::new()),
            last_message: RwSignal::new(None),
            install_progress: RwSignal::new(None),
        }
    }

    /// Whether nothing counts any more that this profile's key signs.
    pub fn is_forked(self) -> bool {
        self.me.with(|me| me.as_ref().is_some_and(|me| me.forked))
    }

    /// Whether this profile holds a name.
    pub fn has_name(self) -> bool {
        self.me.with(|me| me.as_ref().is_some_and(|me| me.username.is_some()))
    }

    /// Whether this profile has a key.
    pub fn has_key(self) -> bool {
        self.me.with(|me| me.as_ref().is_some_and(|me| me.did.is_some()))
    }

    /// Whether this profile has a key, or may have one: the node has not answered yet.
    pub fn may_have_key(self) -> bool {
        self.me.with(|me| me.as_ref().is_none_or(|me| me.did.is_some()))
    }
}
