//! Rate limits of chat, as token buckets: what is accepted from one peer, from one author, and what this node sends
//! itself.
//!
//! Each limit for sending is lower than the limit that receivers apply. What a node forwards is less than each receiver
//! accepts from one peer, so no node is marked down for a flood that another began; what a person may post is less than
//! others accept from one author.

use std::collections::BTreeMap;

use crate::chat::history::AUTHOR_PER_MINUTE;
use crate::keys::Did;
use crate::node_limits::NodeLimits;
pub use crate::node_limits::{
    AUTHOR_WORDS_BURST, AUTHOR_WORDS_PER_SECOND, HEARTBEATS_BURST, HEARTBEATS_PER_SECOND, WORDS_BURST, WORDS_PER_SECOND,
};
use crate::sync::exchange::budget::Bucket;
use crate::time::Timestamp;

/// Heartbeats of others that this node forwards.
pub const HEARTBEATS_PASSED_ON_BURST: u64 = 200;
/// The refill that goes with [`HEARTBEATS_PASSED_ON_BURST`], per second.
pub const HEARTBEATS_PASSED_ON_PER_SECOND: u64 = 20;
/// Messages of others that this node forwards.
pub const WORDS_PASSED_ON_BURST: u64 = 80;
/// The refill that goes with [`WORDS_PASSED_ON_BURST`], per second.
pub const WORDS_PASSED_ON_PER_SECOND: u64 = 12;
/// Messages that this device's person may post. A minute at the full rate stays within what histories keep.
pub const OWN_WORDS_BURST: u64 = 15;
/// The refill that goes with [`OWN_WORDS_BURST`], per second.
pub const OWN_WORDS_PER_SECOND: u64 = 1;
/// Questions that one peer may ask.
pub const QUESTIONS_BURST: u64 = 48;
/// The refill that goes with [`QUESTIONS_BURST`], per second.
pub const QUESTIONS_PER_SECOND: u64 = 1;
/// Bytes of answers sent to one peer.
pub const ANSWERS_BURST: u64 = 16 * 1024 * 1024;
/// The refill that goes with [`ANSWERS_BURST`], per second.
pub const ANSWERS_PER_SECOND: u64 = 256 * 1024;
/// Times that this node exchanges rosters with one peer again because one of several connections to it ended. The peer
/// decides how often that happens, so it is limited.
pub const REUNIONS_BURST: u64 = 4;
/// After a burst, one reunion in so many seconds.
pub const REUNION_SECONDS: u64 = 15;
/// The most authors, and the most peers, whose rates are remembered.
pub const SPEAKERS_REMEMBERED: usize = 1_024;

const _: () = assert!(HEARTBEATS_PASSED_ON_BURST < HEARTBEATS_BURST);
const _: () = assert!(HEARTBEATS_PASSED_ON_PER_SECOND < HEARTBEATS_PER_SECOND);
const _: () = assert!(OWN_WORDS_BURST + 60 * OWN_WORDS_PER_SECOND <= AUTHOR_PER_MINUTE as u64, "what is said is kept");
const _: () = assert!(OWN_WORDS_BURST < AUTHOR_WORDS_BURST && OWN_WORDS_PER_SECOND < AUTHOR_WORDS_PER_SECOND);
const _: () = assert!(WORDS_PASSED_ON_BURST < WORDS_BURST && WORDS_PASSED_ON_PER_SECOND < WORDS_PER_SECOND);

/// The limits for what one peer sends and asks for.
#[derive(Debug)]
pub struct PeerRates {
    heartbeats: Bucket,
    words: Bucket,
    questions: Bucket,
    answers: Bucket,
    /// In seconds: a reunion takes [`REUNION_SECONDS`] of them.
    reunions: Bucket,
}

impl Default for PeerRates {
    fn default() -> Self {
        Self::new(&NodeLimits::default())
    }
}

impl PeerRates {
    /// The full buckets of a peer of a node with these limits.
    pub fn new(limits: &NodeLimits) -> Self {
        Self {
            heartbeats: Bucket::new(limits.heartbeats_burst, limits.heartbeats_per_second),
            words: Bucket::new(limits.words_burst, limits.words_per_second),
            questions: Bucket::new(QUESTIONS_BURST, QUESTIONS_PER_SECOND),
            answers: Bucket::new(ANSWERS_BURST, ANSWERS_PER_SECOND),
            reunions: Bucket::new(REUNIONS_BURST * REUNION_SECONDS, 1),
        }
    }

    /// Returns whether one more heartbeat is accepted from the peer, and counts it.
    pub fn heartbeat(&mut self, now: Timestamp) -> bool {
        self.heartbeats.draw(1, now)
    }

    /// Returns whether one more message is accepted from the peer, and counts it.
    pub fn word(&mut self, now: Timestamp) -> bool {
        self.words.draw(1, now)
    }

    /// Returns whether one more question is answered, and counts it.
    pub fn question(&mut self, now: Timestamp) -> bool {
        self.questions.draw(1, now)
    }

    /// Returns whether an answer of this many bytes may be sent now, and counts it.
    pub fn answer(&mut self, bytes: usize, now: Timestamp) -> bool {
        self.answers.draw(bytes as u64, now)
    }

    /// Returns whether rosters are exchanged with the peer again, and counts it.
    pub fn reunion(&mut self, now: Timestamp) -> bool {
        self.reunions.draw(REUNION_SECONDS, now)
    }
}

/// The limits for what this node forwards of others.
#[derive(Debug)]
pub struct PassedOn {
    heartbeats: Bucket,
    words: Bucket,
}

impl Default for PassedOn {
    fn default() -> Self {
        Self {
            heartbeats: Bucket::new(HEARTBEATS_PASSED_ON_BURST, HEARTBEATS_PASSED_ON_PER_SECOND),
            words: Bucket::new(WORDS_PASSED_ON_BURST, WORDS_PASSED_ON_PER_SECOND),
        }
    }
}

impl PassedOn {
    /// Returns whether one more heartbeat may be forwarded, and counts it.
    pub fn heartbeat(&mut self, now: Timestamp) -> bool {
        self.heartbeats.draw(1, now)
    }

    /// Returns whether one more message may be forwarded, and counts it.
    pub fn word(&mut self, now: Timestamp) -> bool {
        self.words.draw(1, now)
    }
}

/// The limit for what this device's person posts.
#[derive(Debug)]
pub struct SendLimit(Bucket);

impl Default for SendLimit {
    fn default() -> Self {
        Self(Bucket::new(OWN_WORDS_BURST, OWN_WORDS_PER_SECOND))
    }
}

impl SendLimit {
    /// Returns whether one more message may be posted now, and counts it.
    pub fn word(&mut self, now: Timestamp) -> bool {
        self.0.draw(1, now)
    }
}

/// The limits of each author.
#[derive(Debug)]
pub struct Authors {
    rates: BTreeMap<Did, (Bucket, Timestamp)>,
    burst: u64,
    per_second: u64,
}

impl Default for Authors {
    fn default() -> Self {
        Self::new(&NodeLimits::default())
    }
}

impl Authors {
    /// The limits of authors at a node with these limits.
    pub fn new(limits: &NodeLimits) -> Self {
        Self { rates: BTreeMap::new(), burst: limits.author_words_burst, per_second: limits.author_words_per_second }
    }

    /// Returns whether one more message of the author is accepted, and counts it. Beyond [`SPEAKERS_REMEMBERED`]
    /// authors, the one silent for longest is forgotten.
    pub fn word(&mut self, author: Did, now: Timestamp) -> bool {
        if self.rates.len() >= SPEAKERS_REMEMBERED && !self.rates.contains_key(&author) {
            // Who was silent for longest has the fullest bucket.
            let oldest = self.rates.iter().min_by_key(|(_, (_, last))| *last).map(|(author, _)| *author);
            oldest.map(|oldest| self.rates.remove(&oldest));
        }
        let new = || (Bucket::new(self.burst, self.per_second), now);
        let (bucket, last) = self.rates.entry(author).or_insert_with(new);
        *last = now;
        bucket.draw(1, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    #[test]
    fn limits_each_author_by_burst_and_rate_and_remembers_a_bounded_number() {
        let author = |n: usize| Did::from_digest(Digest::of(&n.to_be_bytes()));
        let (mut authors, at) = (Authors::default(), Timestamp::from_millis);
        for _ in 0..AUTHOR_WORDS_BURST {
            assert!(authors.word(author(0), at(5_000)));
        }
        assert!(!authors.word(author(0), at(5_000)));
        assert!(authors.word(author(1), at(5_000)), "one is not to suffer for another");
        assert!(authors.word(author(0), at(6_000)));
        let mut own = SendLimit::default();
        let said = (0..2 * OWN_WORDS_BURST).filter(|_| own.word(at(5_000))).count();
        assert_eq!(said as u64, OWN_WORDS_BURST);
        for n in 2..SPEAKERS_REMEMBERED + 100 {
            assert!(authors.word(author(n), at(7_000)));
        }
        assert_eq!(authors.rates.len(), SPEAKERS_REMEMBERED);
    }

    #[test]
    fn limits_reunions_with_one_peer_by_burst_and_rate() {
        let (mut rates, at) = (PeerRates::default(), Timestamp::from_millis);
        let in_a_burst = (0..100).filter(|_| rates.reunion(at(5_000))).count() as u64;
        assert_eq!(in_a_burst, REUNIONS_BURST);
        assert!(!rates.reunion(at(5_000 + REUNION_SECONDS * 1_000 - 1)));
        assert!(rates.reunion(at(5_000 + REUNION_SECONDS * 1_000)));
        assert!(!rates.reunion(at(5_000 + REUNION_SECONDS * 1_000)));
        let in_an_hour = (0..3_600).filter(|second| rates.reunion(at(100_000 + second * 1_000))).count() as u64;
        assert!(in_an_hour <= REUNIONS_BURST + 3_600 / REUNION_SECONDS, "{in_an_hour}");
    }
}
