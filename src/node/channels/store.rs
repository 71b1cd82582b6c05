//! The store of channels: the joined ones, what was said in them, and how both are stored.

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

/// A joined channel, under its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ChannelRecord {
    pub(crate) joined_at: Timestamp,
    pub(crate) muted: bool,
    /// Everything up to here was read.
    pub(crate) read: HybridTime,
}

impl ChannelRecord {
    pub(super) fn write(&self, channel: &ChannelName) -> Write {
        put(Table::Channels, &channel.to_string(), self)
    }
}

/// No name has a space in it, so no channel's keys are among those of another.
fn prefix(channel: &ChannelName) -> String {
    format!("{channel} ")
}

fn key(channel: &ChannelName, place: &MessageKey) -> String {
    let (wall, count) = (place.at.wall.as_millis(), place.at.count);
    format!("{}{wall:016x}{count:08x}{}", prefix(channel), hex(&place.hash.as_bytes()[..16]))
}

pub(super) fn write(message: &SignedMessage) -> Write {
    let key = key(&message.statement().channel, &MessageKey::of(message));
    put(Table::Messages, &key, &serde_bytes::ByteBuf::from(message.encode()))
}

pub(super) fn forget(channel: &ChannelName, place: &MessageKey) -> Write {
    Write::Delete { table: Table::Messages, key: key(channel, place) }
}

/// The channels of this profile, in memory.
#[derive(Default)]
pub(crate) struct ChannelState {
    pub(super) joined: BTreeMap<ChannelName, Joined>,
    pub(super) clock: HybridClock,
    pub(super) authors: Authors,
    pub(super) own_messages: SendLimit,
    /// Others' messages that were not stored yet.
    pub(super) unsaved: Batch,
    read_from_store: bool,
}

pub(super) struct Joined {
    pub(super) record: ChannelRecord,
    pub(super) log: Log,
}

impl ChannelState {
    pub(crate) fn names(&self) -> BTreeSet<ChannelName> {
        self.joined.keys().cloned().collect()
    }

    pub(crate) fn log(&self, channel: &ChannelName) -> Option<&Log> {
        self.joined.get(channel).map(|joined| &joined.log)
    }
}

/// The service that keeps channels and messages.
pub(crate) struct ChannelStore {
    context: Rc<Context>,
    state: RefCell<ChannelState>,
}

impl ChannelStore {
    pub(crate) fn new(context: Rc<Context>) -> Self {
        Self { context, state: RefCell::default() }
    }

    pub(crate) fn state(&self) -> Ref<'_, ChannelState> {
        self.state.borrow()
    }

    pub(super) fn state_mut(&self) -> RefMut<'_, ChannelState> {
        self.state.borrow_mut()
    }

    /// Stores the messages received since the last time.
    pub(crate) async fn flush(&self) {
        let unsaved = std::mem::take(&mut self.state.borrow_mut().unsaved);
        if unsaved.is_empty() {
            return;
        }
        if let Err(error) = self.context.records.commit(unsaved, Durability::Relaxed).await {
            tracing::warn!(%error, "what was said is not kept");
        }
    }

    /// Reads what was kept, at the first need.
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
            let (mut log, mut over) = (Log::default(), Vec::new());
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
