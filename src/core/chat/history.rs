//! The last messages of one channel, as one device has them. Devices that received the same messages keep the same
//! ones, in whatever order they arrived.

use std::collections::BTreeMap;

use crate::chat::hybrid_clock::HybridTime;
use crate::chat::{Body, SignedMessage};
use crate::digest::Digest;
use crate::identity::Identity;

/// Messages kept of one channel; older ones go.
pub const HISTORY_MAX: usize = 500;
/// Messages of one author that are dated within one minute and kept: the first ones. Everybody keeps the same ones,
/// though some received all of a flood and others none of it.
pub const AUTHOR_PER_MINUTE: usize = 80;
const MINUTE_MILLIS: u64 = 60_000;

/// A message's place among all of its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKey {
    pub at: HybridTime,
    pub author: Identity,
    pub hash: Digest,
}

impl MessageKey {
    pub fn of(message: &SignedMessage) -> Self {
        Self { at: message.statement().at, author: message.author(), hash: message.hash() }
    }

    /// A short id of a message (8 bytes of its hash). Collisions are resolved by the next comparison.
    pub fn short(&self) -> u64 {
        short_of(&self.hash)
    }
}

/// The first eight bytes of a hash.
pub fn short_of(hash: &Digest) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_be_bytes(bytes)
}

/// What a message came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Put {
    pub new: bool,
    /// Those that went for it.
    pub gone: Vec<MessageKey>,
}

#[derive(Clone, Debug, Default)]
pub struct Log {
    messages: BTreeMap<MessageKey, SignedMessage>,
    /// The newest topic line; it stays when the messages around it go.
    topic_line: Option<SignedMessage>,
    per_minute: BTreeMap<(Identity, u64), Vec<MessageKey>>,
}

impl Log {
    /// The caller has verified it, and that it belongs to this channel.
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

    /// Oldest first.
    pub fn messages(&self) -> impl DoubleEndedIterator<Item = (&MessageKey, &SignedMessage)> {
        self.messages.iter()
    }

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

    /// The newest date here.
    pub fn newest(&self) -> HybridTime {
        self.messages.last_key_value().map(|(place, _)| place.at).unwrap_or_default()
    }
}

fn minute(place: &MessageKey) -> (Identity, u64) {
    (place.author, place.at.wall.as_millis() / MINUTE_MILLIS)
}
