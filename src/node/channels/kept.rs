//! Channels and words as they are stored.

use serde::{Deserialize, Serialize};

use crate::Node;
use crate::channels::Joined;
use crate::store::records::put;
use crate::store::{Durability, StoreError, Table, Write};
use gen_registry_core::chat::history::{Log, MessageKey};
use gen_registry_core::chat::hybrid_clock::HybridTime;
use gen_registry_core::chat::{ChannelName, SignedMessage};
use gen_registry_core::digest::hex;
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

impl Node {
    /// Reads what was kept, at the first need.
    pub(crate) async fn open_channels(&self) -> Result<(), StoreError> {
        if self.channels.borrow().read_from_store {
            return Ok(());
        }
        let (records, damaged) = self.records.all::<ChannelRecord>(Table::Channels, "").await?;
        for found in &damaged {
            self.quarantine(found).await;
        }
        for (name, record) in records {
            let Ok(channel) = name.parse::<ChannelName>() else { continue };
            let (kept, damaged) = self.records.all::<serde_bytes::ByteBuf>(Table::Messages, &prefix(&channel)).await?;
            for found in &damaged {
                self.quarantine(found).await;
            }
            let (mut log, mut over) = (Log::default(), Vec::new());
            // Newest last, and so the newest topic line.
            for (_, bytes) in kept {
                if let Ok(message) = SignedMessage::decode_unverified(&bytes, &self.network.topic) {
                    let put = log.put(message);
                    over.extend(put.gone);
                }
            }
            let line = log.topic_line().map(MessageKey::of);
            // Older lines, kept for as long as they were the newest.
            let over = over.iter().filter(|place| Some(**place) != line).map(|place| forget(&channel, place));
            self.records.commit(over.collect(), Durability::Relaxed).await?;
            let mut channels = self.channels.borrow_mut();
            // Nothing this device posts may be dated before what it posted or received earlier.
            channels.clock.observe(log.newest(), log.newest().wall).ok();
            channels.joined.entry(channel).or_insert(Joined { record, log });
        }
        self.channels.borrow_mut().read_from_store = true;
        Ok(())
    }
}
