//! The history of one channel as one device has it: the last messages, in one order for all devices.
//!
//! Devices that received the same messages keep the same ones, in whatever order they arrived. Two bounds have to
//! respect that:
//! - of the whole channel the newest [`HISTORY_MAX`] messages stay;
//! - of one author within one minute the *earliest* [`AUTHOR_PER_MINUTE`] stay. Of a flood of 1,000 messages some
//!   devices receive all and others a part; when they have exchanged histories, all keep the same ones.

use std::collections::BTreeMap;

use crate::chat::hybrid_clock::HybridTime;
use crate::chat::{Body, SignedMessage};
use crate::digest::Digest;
use crate::keys::Did;

/// The most messages kept of one channel; the oldest go first.
pub const HISTORY_MAX: usize = 500;
/// The most messages kept of one author that are dated within one minute: the earliest ones.
pub const AUTHOR_PER_MINUTE: usize = 80;
const MINUTE_MILLIS: u64 = 60_000;

/// A message's place in its channel's order: date, then author, then hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub at: HybridTime,
    pub author: Did,
    pub hash: Digest,
}

impl MessageKey {
    /// The key of a message.
    pub fn of(message: &SignedMessage) -> Self {
        Self { at: message.statement().at, author: message.author(), hash: message.hash() }
    }

    /// A short id of the message ([`short_of`]). Of two messages with one id, the second is not sent to a device that
    /// has the first.
    pub fn short(&self) -> u64 {
        short_of(&self.hash)
    }
}

/// A short id: the first eight bytes of a hash, big-endian. Sets of ids are exchanged in place of 32-byte hashes.
pub fn short_of(hash: &Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}

/// What became of a message that was put into a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    /// Whether it was added and kept.
    pub new: bool,
    /// Earlier messages that had to make room.
    pub gone: Vec<MessageKey>,
}

/// The kept messages of one channel.
#[derive(Clone, Debug, Default)]
pub struct Log {
    messages: BTreeMap<MessageKey, SignedMessage>,
    /// The newest topic line; it stays when the messages around it are dropped.
    topic_line: Option<SignedMessage>,
    /// Kept messages of each author and minute, in their order.
    per_minute: BTreeMap<(Did, u64), Vec<MessageKey>>,
}

impl Log {
    /// Adds a message. The caller has verified its signature and that it belongs to this channel. A known one changes
    /// nothing.
    pub fn put(&mut self, message: SignedMessage) -> Put {
        let place = MessageKey::of(&message);
        if self.messages.contains_key(&place) {
            return Put::default();
        }
        if matches!(message.statement().body, Body::TopicLine(_)) {
            let newer = self.topic_line.as_ref().is_none_or(|known| MessageKey::of(known) < place);
            let known = self.topic_line.as_ref().is_some_and(|known| known.hash() == message.hash());
            if newer {
                self.topic_line = Some(message.clone());
            }
            if known {
                return Put::default();
            }
        }
        let mut gone = Vec::new();
        let minute = self.per_minute.entry(minute(&place)).or_default();
        let among = minute.partition_point(|known| *known < place);
        minute.insert(among, place);
        if minute.len() > AUTHOR_PER_MINUTE {
            gone.extend(minute.pop());
        }
        self.messages.insert(place, message);
        if self.messages.len() - gone.len() > HISTORY_MAX {
            gone.extend(self.messages.keys().find(|oldest| !gone.contains(oldest)).copied());
        }
        gone.iter().for_each(|place| self.remove(place));
        let new = !gone.contains(&place);
        gone.retain(|gone| *gone != place);
        Put { new, gone }
    }

    /// Removes a message and its entry in the bound per minute.
    fn remove(&mut self, place: &MessageKey) {
        self.messages.remove(place);
        let key = minute(place);
        if let Some(places) = self.per_minute.get_mut(&key) {
            places.retain(|known| known != place);
            if places.is_empty() {
                self.per_minute.remove(&key);
            }
        }
    }

    /// All kept messages, oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = (&MessageKey, &SignedMessage)> {
        self.messages.iter()
    }

    /// The newest message that sets a topic line, even an empty one.
    pub fn topic_line(&self) -> Option<&SignedMessage> {
        self.topic_line.as_ref()
    }

    pub fn contains(&self, place: &MessageKey) -> bool {
        self.messages.contains_key(place)
    }

    pub fn len(&self) -> usize {
        self.messages.len()
    }

    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The date of the newest kept message; zero for an empty log.
    pub fn newest(&self) -> HybridTime {
        self.messages.last_key_value().map(|(place, _)| place.at).unwrap_or_default()
    }
}

/// The author and the minute (since 1970) that share a bound.
fn minute(place: &MessageKey) -> (Did, u64) {
    (place.author, place.at.wall.as_millis() / MINUTE_MILLIS)
}
