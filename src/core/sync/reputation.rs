//! Reputation: this node's score of a peer or a person, between 0 and 1, and the evidence for it.
//!
//! The score is the mean of a beta distribution over good and bad events (A. Jøsang and R. Ismail, "The Beta Reputation
//! System", 2002): `(good + 1) / (good + bad + 2)`. Events count half after each [`HALF_LIFE`]. It is this node's own
//! experience; reports about others are not counted. Keys cost nothing, so a low score can be left behind with a new
//! key; a high one is what is hard to get.
//!
//! | events | good | bad | score |
//! |---|---|---|---|
//! | none | 0 | 0 | 0.5 |
//! | 30 blocks served | 3 | 0 | 0.8 |
//! | 900 entries of people one has no use for | 0 | 0 | 0.5 |
//! | news of 10 people one follows, in a day | 1 | 0 | 0.67 |
//! | one stalled exchange (mark 10) | 0 | 1 | 0.33: still asked for blocks |
//! | one oversized message (mark 20) | 0 | 2 | 0.25: not asked any more |
//! | one forged change (mark 50) | 0 | 5 | 0.14: banned |
//! | the same, three days later | 0 | 2.5 | 0.22 |

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::sync::rejection::Rejection;
use crate::time::Timestamp;

/// The score without evidence.
pub const BEGINNING: f64 = 0.5;
/// Below this score the page warns of a peer.
pub const WARN_BELOW: f64 = 0.5;
/// Below this score a peer is not asked for blocks.
pub const ASK_FROM: f64 = 0.3;
/// Below this score a peer is banned.
pub const KEEP_FROM: f64 = 0.15;
/// The time after which an event counts half.
pub const HALF_LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);
/// The most that good events add up to: a long good history does not pay for many bad events.
pub const GOOD_MAX: f64 = 10.0;
/// The most that bad events add up to: harm expires some day.
pub const BAD_MAX: f64 = 20.0;
const _: () = assert!(GOOD_MAX < BAD_MAX, "whatever one did before, harm can outweigh it");
/// The weight of news of one person or of one block. Ten of them weigh as much as one exchange that stalled.
const HELPED: f64 = 0.1;
/// The mark of a rejection that weighs as one bad event.
const MARKS_PER_ACT: f64 = 10.0;

/// Something a peer did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReputationEvent {
    /// New changes of this many people in whom this profile is interested, each counted at most once a day.
    Brought { people: u64 },
    /// Sent a block that it was asked for.
    Served,
    /// Broke a rule.
    Broke(Rejection),
}

/// What an event is evidence of, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EvidenceKind {
    /// New changes of people in whom this profile is interested.
    Brought,
    Served,
    /// Did not send what it has, or took too long.
    Late,
    /// Messages that can't be read, or that have no place where they came.
    Unruly,
    /// Too much of something.
    Abusive,
    /// Forgery: data that is not what it claims to be.
    False,
}

/// How often something happened, and when it last did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceTally {
    pub times: u64,
    pub last_at: Timestamp,
}

/// The evidence about one peer or one person.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    good: f64,
    bad: f64,
    /// The time up to which both sums have aged.
    as_of: Timestamp,
    reasons: BTreeMap<EvidenceKind, EvidenceTally>,
}

/// Chooses whom to ask, of those who may be asked with the best first: the best `most - 1` and, in the last place, one
/// of the others. A peer that gathers reputation is thus never the only one that decides what is found. `draw` returns a
/// number below the one that it is given.
pub fn best_and_one_other<T: Copy>(best_first: &[T], most: usize, draw: impl FnOnce(usize) -> usize) -> Vec<T> {
    let (best, others) = best_first.split_at(best_first.len().min(most.saturating_sub(1)));
    let other = if most == 0 || others.is_empty() { None } else { others.get(draw(others.len())) };
    best.iter().chain(other).copied().collect()
}

impl ReputationEvent {
    /// What the event is evidence of, or `None` if it is not the peer's fault.
    pub fn reason(self) -> Option<EvidenceKind> {
        match self {
            Self::Brought { .. } => Some(EvidenceKind::Brought),
            Self::Served => Some(EvidenceKind::Served),
            Self::Broke(why) => broken(why),
        }
    }

    fn weight(self) -> f64 {
        match self {
            Self::Brought { people } => HELPED * people as f64,
            Self::Served => HELPED,
            Self::Broke(why) => f64::from(why.mark()) / MARKS_PER_ACT,
        }
    }
}

/// What a broken rule is evidence of.
fn broken(why: Rejection) -> Option<EvidenceKind> {
    match why {
        Rejection::ForeignTopic | Rejection::OtherParameters | Rejection::Misdated => None,
        Rejection::Stalled => Some(EvidenceKind::Late),
        Rejection::Malformed(_)
        | Rejection::OutOfOrder
        | Rejection::Unasked
        | Rejection::Comparison
        | Rejection::Replayed => Some(EvidenceKind::Unruly),
        Rejection::Oversized
        | Rejection::TooManyMessages
        | Rejection::TooManyAnnouncements
        | Rejection::TooManyHeartbeats
        | Rejection::TooManyMessagesOfAuthor
        | Rejection::TooManyRequests => Some(EvidenceKind::Abusive),
        Rejection::Forged
        | Rejection::BadChange
        | Rejection::WrongBlock
        | Rejection::WrongRecord
        | Rejection::Spoofed => Some(EvidenceKind::False),
    }
}

impl Score {
    /// Adds one event. What is not the peer's fault changes nothing.
    pub fn note(&mut self, event: ReputationEvent, now: Timestamp) {
        let Some(reason) = event.reason() else { return };
        self.age(now);
        let (side, most) = match reason {
            EvidenceKind::Brought | EvidenceKind::Served => (&mut self.good, GOOD_MAX),
            EvidenceKind::Late | EvidenceKind::Unruly | EvidenceKind::Abusive | EvidenceKind::False => {
                (&mut self.bad, BAD_MAX)
            }
        };
        *side = (*side + event.weight()).min(most);
        let tally = self.reasons.entry(reason).or_default();
        let times = if let ReputationEvent::Brought { people } = event { people } else { 1 };
        *tally = EvidenceTally { times: tally.times.saturating_add(times), last_at: tally.last_at.max(now) };
    }

    /// The score at `now`, between 0 and 1.
    pub fn score(&self, now: Timestamp) -> f64 {
        let left = remaining(self.as_of, now);
        (self.good * left + 1.0) / ((self.good + self.bad) * left + 2.0)
    }

    /// How much the score rests on: the sum of all aged events, 0 without any.
    pub fn evidence(&self, now: Timestamp) -> f64 {
        (self.good + self.bad) * remaining(self.as_of, now)
    }

    /// The evidence by kind, for display.
    pub fn reasons(&self) -> impl Iterator<Item = (EvidenceKind, EvidenceTally)> {
        self.reasons.iter().map(|(reason, tally)| (*reason, *tally))
    }

    /// Returns whether both sums are within their bounds. A stored record may hold any numbers.
    pub fn is_sound(&self) -> bool {
        (0.0..=GOOD_MAX).contains(&self.good) && (0.0..=BAD_MAX).contains(&self.bad)
    }

    /// Ages both sums up to `now`.
    fn age(&mut self, now: Timestamp) {
        let left = remaining(self.as_of, now);
        self.good *= left;
        self.bad *= left;
        self.as_of = self.as_of.max(now);
    }
}

/// The part of an event's weight that is left. A clock that was set back makes nothing younger.
fn remaining(then: Timestamp, now: Timestamp) -> f64 {
    let passed = now.as_millis().saturating_sub(then.as_millis());
    0.5_f64.powf(passed as f64 / HALF_LIFE.as_millis() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn after(events: &[ReputationEvent]) -> Score {
        let mut peer = Score::default();
        events.iter().for_each(|event| peer.note(*event, NOW));
        peer
    }

    #[test]
    fn scores_a_stranger_in_the_middle_and_events_move_it() {
        assert_eq!(Score::default().score(NOW), BEGINNING);
        assert!(after(&[ReputationEvent::Served]).score(NOW) > BEGINNING);
        assert!(after(&[ReputationEvent::Broke(Rejection::TooManyAnnouncements)]).score(NOW) < WARN_BELOW);
        let late = after(&[ReputationEvent::Broke(Rejection::Stalled)]).score(NOW);
        assert!((ASK_FROM..WARN_BELOW).contains(&late), "once late is still asked: {late}");
        let unruly = after(&[ReputationEvent::Broke(Rejection::Oversized)]).score(NOW);
        assert!((KEEP_FROM..ASK_FROM).contains(&unruly), "not asked, not sent away: {unruly}");
        assert!(after(&[ReputationEvent::Broke(Rejection::Forged)]).score(NOW) < KEEP_FROM, "one forgery is enough");
    }

    #[test]
    fn ignores_other_networks_and_proofs_of_forks() {
        for why in [Rejection::ForeignTopic, Rejection::OtherParameters] {
            let peer = after(&[ReputationEvent::Broke(why)]);
            assert_eq!((peer.score(NOW), peer.reasons().count()), (BEGINNING, 0), "{why}");
        }
    }

    #[test]
    fn few_forgeries_outweigh_a_long_good_history() {
        let mut peer = after(&[ReputationEvent::Brought { people: 1_000_000 }]);
        let times = (1..100).find(|_| {
            peer.note(ReputationEvent::Broke(Rejection::Forged), NOW);
            peer.score(NOW) < WARN_BELOW
        });
        assert_eq!(times, Some(3));
        assert!(peer.is_sound());
    }

    #[test]
    fn events_fade_and_a_clock_set_back_changes_nothing() {
        let peer = after(&[ReputationEvent::Broke(Rejection::Forged)]);
        let later = |lives: u32| NOW.plus(HALF_LIFE * lives);
        let scores: Vec<f64> = (0..12).map(|lives| peer.score(later(lives))).collect();
        assert!(scores.is_sorted() && scores[11] > 0.49, "{scores:?}");
        assert_eq!(peer.score(Timestamp::from_millis(0)), peer.score(NOW));
        assert!(peer.evidence(later(1)) < peer.evidence(NOW));
    }

    #[test]
    fn chooses_the_best_and_one_of_the_others() {
        let peers: Vec<u8> = (0..20).collect();
        for drawn in 0..13 {
            let chosen = best_and_one_other(&peers, 8, |others| {
                assert_eq!(others, 13);
                drawn
            });
            assert_eq!(chosen, [0, 1, 2, 3, 4, 5, 6, 7 + drawn as u8]);
        }
        assert_eq!(best_and_one_other(&peers[..8], 8, |_| 0), peers[..8], "all of them where there are no more");
        assert_eq!(best_and_one_other(&peers[..3], 8, |_| 0), peers[..3]);
        assert_eq!(best_and_one_other(&peers, 1, |_| 19), [19]);
        assert_eq!(best_and_one_other(&peers, 0, |_| 0), [0; 0]);
        assert_eq!(best_and_one_other::<u8>(&[], 8, |_| 0), [0; 0]);
    }

    #[test]
    fn returns_the_reasons_with_their_numbers() {
        let peer = after(&[ReputationEvent::Served, ReputationEvent::Brought { people: 7 }, ReputationEvent::Served]);
        let tally = |times| EvidenceTally { times, last_at: NOW };
        let reasons: Vec<(EvidenceKind, EvidenceTally)> = peer.reasons().collect();
        assert_eq!(reasons, [(EvidenceKind::Brought, tally(7)), (EvidenceKind::Served, tally(2))]);
    }
}
