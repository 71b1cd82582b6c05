//! The store of channels: the joined ones and their messages, in memory and on the disk.
//!
//! A message's key is `#channel`, a space, its time in hex and the beginning of its hash. So a scan of a channel yields
//! its messages in the order of their clock, and two messages of the same moment have different keys.

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::store::records::put;
use crate::store::{Batch, Durability, StoreError, Table, Write};
use gen_registry_core::chat::history::{Log, MessageKey};
use gen_registry_core::chat::hybrid_clock::{HybridClock, HybridTime};
use gen_registry_core::chat::{ChannelName, SignedMessage};
use gen_registry_core::digest::hex;
use gen_registry_core::sync::chat::rates::{Authors, SendLimit};
use gen_registry_core::time::Timestamp;

/// A joined channel, stored under its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ChannelRecord {
    /// When it was joined.
    pub(crate) joined_at: Timestamp,
    /// Whether its notifications are off.
    pub(crate) muted: bool,
    /// Everything up to here was read.
    pub(crate) read: HybridTime,
}

impl ChannelRecord {
    /// Returns the write that stores the record.
    pub(crate) fn write(&self, channel: &ChannelName) -> Write {
        put(Table::Channels, &channel.to_string(), self)
    }
}

/// Returns what the keys of a channel's messages begin with. No name contains a space, so no channel's keys are among
/// those of another.
fn prefix(channel: &ChannelName) -> String {
    format!("{channel} ")
}

/// Returns the key of a message.
fn key(channel: &ChannelName, place: &MessageKey) -> String {
    let (wall, count) = (place.at.wall.as_millis(), place.at.count);
    format!("{}{wall:016x}{count:08x}{}", prefix(channel), hex(&place.hash.as_bytes()[..16]))
}

/// Returns the write that stores a message.
pub(crate) fn write(message: &SignedMessage) -> Write {
    let key = key(&message.statement().channel, &MessageKey::of(message));
    put(Table::Messages, &key, &serde_bytes::ByteBuf::from(message.encode()))
}

/// Returns the write that deletes a message.
pub(crate) fn forget(channel: &ChannelName, place: &MessageKey) -> Write {
    Write::Delete { table: Table::Messages, key: key(channel, place) }
}

/// Writes that are remembered while the store takes none.
const UNSAVED_MAX: usize = 4_096;

/// The channels of this profile, in memory.
#[derive(Default)]
pub(crate) struct ChannelState {
    /// The joined channels.
    pub(crate) joined: BTreeMap<ChannelName, Joined>,
    /// The clock that dates own messages.
    pub(crate) clock: HybridClock,
    /// The rates of authors.
    pub(crate) authors: Authors,
    /// The rate of own messages.
    pub(crate) own_messages: SendLimit,
    /// Others' messages that were not stored yet.
    pub(crate) unsaved: Batch,
    /// Whether the store was read.
    read_from_store: bool,
}

/// A joined channel and its messages.
pub(crate) struct Joined {
    /// What is stored of the channel.
    pub(crate) record: ChannelRecord,
    /// Its newest messages, within the log's bounds.
    pub(crate) log: Log,
}

impl ChannelState {
    /// Returns the joined channels.
    pub(crate) fn names(&self) -> BTreeSet<ChannelName> {
        self.joined.keys().cloned().collect()
    }

    /// Returns the messages of a joined channel.
    pub(crate) fn log(&self, channel: &ChannelName) -> Option<&Log> {
        self.joined.get(channel).map(|joined| &joined.log)
    }
}

/// The service that stores channels and messages.
pub(crate) struct ChannelStore {
    context: Rc<Context>,
    state: RefCell<ChannelState>,
}

impl ChannelStore {
    /// Creates the service; reads nothing yet.
    pub(crate) fn new(context: Rc<Context>) -> Self {
        let authors = Authors::new(&context.limits);
        Self { context, state: RefCell::new(ChannelState { authors, ..ChannelState::default() }) }
    }

    /// Returns the channels. Not to be held across an await.
    pub(crate) fn state(&self) -> Ref<'_, ChannelState> {
        self.state.borrow()
    }

    /// Returns the channels, to be changed.
    pub(crate) fn state_mut(&self) -> RefMut<'_, ChannelState> {
        self.state.borrow_mut()
    }

    /// Stores the messages received since the last time. What the store does not take is tried again the next time, as
    /// far as there is room for it: the newest [`UNSAVED_MAX`] writes.
    pub(crate) async fn flush(&self) {
        let unsaved = std::mem::take(&mut self.state.borrow_mut().unsaved);
        if unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.context.records.commit(unsaved.clone(), Durability::Relaxed).await {
            tracing::warn!(%error, "messages are not stored yet");
            let mut state = self.state.borrow_mut();
            // Meanwhile others came: they are newer.
            let newer = std::mem::replace(&mut state.unsaved, unsaved);
            state.unsaved.extend(newer);
            let excess = state.unsaved.len().saturating_sub(UNSAVED_MAX);
            state.unsaved.drain(..excess);
        }
    }

    /// Reads channels and messages from the store, at the first use.
    pub(crate) async fn open(&self) -> Result<(), StoreError> {
        if self.state.borrow().read_from_store {
            return Ok(());
        }
        let (records, damaged) = self.context.records.all::<ChannelRecord>(Table::Channels, "").await?;
        for found in &damaged {
            self.context.quarantine(found).await;
        }
        for (name, record) in records {
            let Ok(channel) = name.parse::<ChannelName>() else { continue };
            let (kept, damaged) =
                self.context.records.all::<serde_bytes::ByteBuf>(Table::Messages, &prefix(&channel)).await?;
            for found in &damaged {
                self.context.quarantine(found).await;
            }
            let (mut log, mut over) = (Log::within(&self.context.limits), Vec::new());
            // Newest last, and so the newest topic line.
            for (_, bytes) in kept {
                if let Ok(message) = SignedMessage::decode_unverified(&bytes, &self.context.network.topic) {
                    let put = log.put(message);
                    over.extend(put.gone);
                }
            }
            let line = log.topic_line().map(MessageKey::of);
            // Older lines, kept for as long as they were the newest.
            let over = over.iter().filter(|place| Some(**place) != line).map(|place| forget(&channel, place));
            self.context.records.commit(over.collect(), Durability::Relaxed).await?;
            let mut state = self.state.borrow_mut();
            // Nothing this device posts may be dated before what it posted or received earlier.
            state.clock.observe(log.newest(), log.newest().wall).ok();
            state.joined.entry(channel).or_insert(Joined { record, log });
        }
        self.state.borrow_mut().read_from_store = true;
        Ok(())
    }
}
