//! The history of one channel as one device has it: the last messages, in one order for all devices.
//!
//! Devices that received the same messages keep the same ones, in whatever order and in whatever parts they arrived. Two
//! bounds respect that:
//! - of one author within one minute the newest [`AUTHOR_PER_MINUTE`] stay;
//! - of the whole channel [`HISTORY_MAX`] messages stay: the author with the most messages loses the oldest one (fair
//!   eviction). Number each author's messages from the newest one: all authors' first messages rank before all second ones,
//!   those before all third ones, and among equal numbers the newer message comes first. What is last goes.
//!
//! So no author loses a message to one with more messages, and authors who flood a channel evict each other's messages.
//!
//! # Example
//! With room for 6: Alice has 2 messages of yesterday, Bob 1 of today, Mallory floods. Kept are both of Alice's, Bob's, and
//! Mallory's newest 3. When Mallory's friend floods as well, each of the two keeps 1 or 2; Alice's second message goes no
//! earlier than their third.
//!
//! # Why the order of arrival does not matter
//! A message that is dropped stays dropped whatever else arrives: its number only grows, and at least as many messages
//! come before it as did. And what is dropped of an author is the oldest, so the numbers of those that stay are the same
//! without it. (For the bound of a minute: a newer message takes the place of an older one of the same minute, which
//! makes no number smaller.)

use std::collections::{BTreeMap, BTreeSet};

use crate::chat::hybrid_clock::HybridTime;
use crate::chat::{Body, SignedMessage};
use crate::digest::Digest;
use crate::keys::Did;
use crate::node_limits::NodeLimits;

/// The most messages kept of one channel: some screens of what was said last, and at most 6 MB.
pub const HISTORY_MAX: usize = 500;
/// The most messages kept of one author that are dated within one minute: the newest ones. More than anybody may post in
/// a minute, and little enough that a flood is cut where there is room for it.
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
    /// Kept messages of each author, oldest first.
    by_author: BTreeMap<Did, BTreeSet<MessageKey>>,
    bounds: Bounds,
}

/// How many messages are kept. Smaller ones are for tests.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    messages: usize,
    per_minute: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: HISTORY_MAX, per_minute: AUTHOR_PER_MINUTE }
    }
}

impl Log {
    /// An empty log of a node with these limits.
    pub fn within(limits: &NodeLimits) -> Self {
        let bounds = Bounds { messages: limits.channel_messages, per_minute: limits.channel_messages_of_author };
        Self { bounds, ..Self::default() }
    }

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
        self.messages.insert(place, message);
        self.by_author.entry(place.author).or_default().insert(place);
        // Of one message more than before, at most one is too many.
        let beyond = self.beyond_minute(&place).or_else(|| self.last_beyond());
        if let Some(beyond) = &beyond {
            self.remove(beyond);
        }
        let new = beyond != Some(place);
        Put { new, gone: beyond.filter(|_| new).into_iter().collect() }
    }

    /// The oldest message of the minute of a message, if its author has too many in it.
    fn beyond_minute(&self, place: &MessageKey) -> Option<MessageKey> {
        let of_author = self.by_author.get(&place.author)?;
        let minute = minute(place);
        let mut within = of_author.iter().filter(|known| self::minute(known) == minute);
        let oldest = within.next()?;
        (within.count() >= self.bounds.per_minute).then_some(*oldest)
    }

    /// The message that has to go, if there are too many: of the authors with the most messages, the oldest one.
    fn last_beyond(&self) -> Option<MessageKey> {
        if self.messages.len() <= self.bounds.messages {
            return None;
        }
        let most = self.by_author.values().map(BTreeSet::len).max()?;
        self.by_author.values().filter(|places| places.len() == most).filter_map(BTreeSet::first).min().copied()
    }

    fn remove(&mut self, place: &MessageKey) {
        self.messages.remove(place);
        if let Some(places) = self.by_author.get_mut(&place.author) {
            places.remove(place);
            if places.is_empty() {
                self.by_author.remove(&place.author);
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

/// The minute of a message, since 1970.
fn minute(place: &MessageKey) -> u64 {
    place.at.wall.as_millis() / MINUTE_MILLIS
}

#[cfg(test)]
mod tests;
