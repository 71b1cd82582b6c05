//! Who holds a name: a pure, total, order-free rule with reasons.
//!
//! [`Evidence`] is a set of facts; [`Evidence::resolve`] turns it into a [`NameState`]. The same set gives the same
//! state, whatever the order of arrival and however often a fact arrived. It asks no clock: the observer's time is an
//! argument and serves one thing only, to hold back claims from the future.
//!
//! An author with a proven fork (two different signed changes for one place) holds
//! nothing any more ([`Evidence::discredit`]). Replicas with different halves of a fork could never agree otherwise.

mod evidence;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use evidence::{Evidence, NameKey};

use crate::digest::Digest;
use crate::fact::ClaimedName;
use crate::identity::Identity;
use crate::limits::{CLOCK_SKEW, NAME_COOL_DOWN};
use crate::time::Timestamp;

/// The network's parameters that decide names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// Whose receipts count.
    pub witnesses: Vec<Identity>,
    /// How many of them confirm a claim. 0: a network without witnesses, where `claimed_at` alone decides.
    pub threshold: usize,
    /// Zero bits that a claim's hash must begin with to count at all; 0: no work is asked for.
    pub work_bits: u32,
}

/// Where a claim stands in the order of claims. Confirmed ones come before provisional ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Position {
    /// The k-th smallest time at which a witness saw it.
    Confirmed(Timestamp),
    /// What its author says.
    Provisional(Timestamp),
}

/// One identity's time with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The claim that won.
    pub claim: Digest,
    pub holder: Identity,
    /// As the holder last spelled it.
    pub spelled: ClaimedName,
    pub position: Position,
    /// When it was given up, or left for a newer username.
    pub until: Option<Timestamp>,
}

/// A claim that does not hold the name. Demoted, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loser {
    pub claim: Digest,
    pub author: Identity,
    pub spelled: ClaimedName,
    pub claimed_at: Timestamp,
    pub reason: Reason,
}

/// The rule that decided against a claim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "rule", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Reason {
    /// Both are confirmed; the witnesses saw the holder's first.
    WitnessedLater { holder: Timestamp, loser: Timestamp },
    /// The holder's claim is confirmed by witnesses, this one is not.
    NotConfirmed { holder: Timestamp, loser: Timestamp },
    /// Neither is confirmed; the holder's carries the earlier date.
    ClaimedLater { holder: Timestamp, loser: Timestamp },
    /// Same position; the smaller hash goes first.
    LargerHash,
    /// Made while the name was closed after its last holder gave it up.
    CoolingDown { free_at: Timestamp },
    /// The author has used up the number of usernames that count.
    TooMany,
}

/// Everything the rule has to say about one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameState {
    /// In order; the last one may still run.
    pub tenures: Vec<Tenure>,
    pub losers: Vec<Loser>,
    /// Claims dated too far ahead of the observer, with the time from which they count.
    pub held_back: Vec<(Digest, Timestamp)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClaimStatus {
    Provisional,
    Confirmed,
    /// A rival claim of the same standing exists; the rule has decided for the holder.
    Contested,
}

/// Whether an identity could take a name now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Free,
    Yours,
    HeldBy(Identity),
    ClosedUntil(Timestamp),
}

impl Position {
    pub fn at(self) -> Timestamp {
        match self {
            Self::Confirmed(at) | Self::Provisional(at) => at,
        }
    }
}

impl NameState {
    /// True when there is nothing to say: as if nobody had ever claimed the name.
    pub fn is_empty(&self) -> bool {
        self.tenures.is_empty() && self.losers.is_empty() && self.held_back.is_empty()
    }

    /// The tenure that still runs.
    pub fn holder(&self) -> Option<&Tenure> {
        self.tenures.last().filter(|tenure| tenure.until.is_none())
    }

    /// Who had the name last and when it becomes free for everyone; none while somebody holds it.
    pub fn given_up(&self) -> Option<(&Tenure, Timestamp)> {
        let tenure = self.tenures.last()?;
        tenure.until.map(|until| (tenure, until.plus(NAME_COOL_DOWN)))
    }

    /// The status of the present holder's claim.
    pub fn status(&self) -> Option<ClaimStatus> {
        let holder = self.holder()?;
        let rival = self.losers.iter().any(|loser| {
            loser.author != holder.holder
                && matches!(
                    loser.reason,
                    Reason::WitnessedLater { .. } | Reason::ClaimedLater { .. } | Reason::LargerHash
                )
        });
        Some(match holder.position {
            _ if rival => ClaimStatus::Contested,
            Position::Confirmed(_) => ClaimStatus::Confirmed,
            Position::Provisional(_) => ClaimStatus::Provisional,
        })
    }

    /// What a claim by `who` at `now` would come to.
    pub fn availability(&self, who: Option<&Identity>, now: Timestamp) -> Availability {
        if let Some(tenure) = self.holder() {
            return match who {
                Some(identity) if *identity == tenure.holder => Availability::Yours,
                _ => Availability::HeldBy(tenure.holder),
            };
        }
        match self.given_up() {
            Some((tenure, free_at)) if now < free_at && who != Some(&tenure.holder) => {
                Availability::ClosedUntil(free_at)
            }
            _ => Availability::Free,
        }
    }
}

/// A claim with all that the rule needs to place it.
#[derive(Clone, Debug)]
struct Candidate {
    hash: Digest,
    author: Identity,
    spelled: ClaimedName,
    claimed_at: Timestamp,
    position: Position,
    /// When its author gave it up or left it for a newer username.
    released_at: Option<Timestamp>,
    /// Within the number of usernames that count for its author.
    counted: bool,
}

impl Candidate {
    fn order(&self, other: &Self) -> Ordering {
        (self.position, self.hash).cmp(&(other.position, other.hash))
    }

    fn loses(self, reason: Reason) -> Loser {
        let Self { hash, author, spelled, claimed_at, .. } = self;
        Loser { claim: hash, author, spelled, claimed_at, reason }
    }
}

/// When something begins to count that is dated ahead.
pub(crate) fn counts_from(dated: Timestamp) -> Timestamp {
    Timestamp::from_millis(dated.as_millis().saturating_sub(CLOCK_SKEW.as_millis() as u64))
}

/// Walks the candidates for one name in their order and hands the name from holder to holder.
fn decide(mut candidates: Vec<Candidate>, observed_at: Timestamp) -> NameState {
    let mut state = NameState::default();
    candidates.sort_by(Candidate::order);
    for candidate in candidates {
        let dated = candidate.claimed_at.max(candidate.position.at());
        if dated > observed_at.plus(CLOCK_SKEW) {
            state.held_back.push((candidate.hash, counts_from(dated)));
        } else if !candidate.counted {
            state.losers.push(candidate.loses(Reason::TooMany));
        } else {
            place(&mut state, candidate);
        }
    }
    state
}

/// Rules 3 and 4 for one candidate, all earlier ones being placed.
fn place(state: &mut NameState, candidate: Candidate) {
    let at = candidate.position.at();
    let Some(last) = state.tenures.last_mut() else {
        state.tenures.push(tenure(candidate));
        return;
    };
    let own = last.holder == candidate.author;
    match last.until {
        Some(until) if at >= until => {
            let free_at = until.plus(NAME_COOL_DOWN);
            if own || at >= free_at {
                state.tenures.push(tenure(candidate));
            } else {
                state.losers.push(candidate.loses(Reason::CoolingDown { free_at }));
            }
        }
        _ if own => {
            last.spelled = candidate.spelled;
            last.until = [last.until, candidate.released_at].into_iter().flatten().min();
        }
        _ => {
            let reason = reason(last, &candidate);
            state.losers.push(candidate.loses(reason));
        }
    }
}

fn tenure(candidate: Candidate) -> Tenure {
    let Candidate { hash, author, spelled, position, released_at, .. } = candidate;
    Tenure { claim: hash, holder: author, spelled, position, until: released_at }
}

/// Why `candidate` stands behind the claim of `tenure`.
fn reason(tenure: &Tenure, candidate: &Candidate) -> Reason {
    let (holder, loser) = (tenure.position.at(), candidate.position.at());
    match (tenure.position, candidate.position) {
        (Position::Confirmed(_), Position::Provisional(_)) => Reason::NotConfirmed { holder, loser },
        _ if holder == loser => Reason::LargerHash,
        (Position::Confirmed(_), _) => Reason::WitnessedLater { holder, loser },
        (Position::Provisional(_), _) => Reason::ClaimedLater { holder, loser },
    }
}
