//! Channels and words as they are stored.

use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::node::channels::Joined;
use crate::registry::chat::history::{Log, MessageKey};
use crate::registry::chat::hybrid_clock::HybridTime;
use crate::registry::chat::{ChannelName, SignedMessage};
use crate::registry::digest::hex;
use crate::registry::time::Timestamp;
use crate::store::records::put;
use crate::store::{Durability, StoreError, Table, Write};

/// A joined channel, under its name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::node) struct ChannelRecord {
    pub(in crate::node) joined_at: Timestamp,
    pub(in crate::node) muted: bool,
    /// Everything up to here was read.
    pub(in crate::node) read: HybridTime,
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
    pub(in crate::node) async fn open_channels(&self) -> Result<(), StoreError> {
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
            // Nothing said by this device may be dated before what it said or heard before.
            channels.clock.observe(log.newest(), log.newest().wall).ok();
            channels.joined.entry(channel).or_insert(Joined { record, log });
        }
        self.channels.borrow_mut().read_from_store = true;
        Ok(())
    }
}
