//! Ownership of names: decides which identity holds a name, from signed facts alone.
//!
//! [`Evidence`] is a set of facts; [`Evidence::resolve`] turns it into a [`NameState`]. The same set gives the same
//! state, whatever the order of arrival and however often a fact arrived. No clock is read: the observer's time is an
//! argument and serves one purpose, to hold back claims from the future.
//!
//! # The rules
//! 1. A claim counts if its author is not discredited by a fork, if its hash shows the network's proof of work, if it
//!    is among the first claims of its author ([`USERNAME_CLAIMS_MAX`](crate::limits::USERNAME_CLAIMS_MAX),
//!    [`MODULE_CLAIMS_MAX`](crate::limits::MODULE_CLAIMS_MAX)), and if it is dated at most [`CLOCK_SKEW`] ahead of the
//!    observer.
//! 2. Its [`Position`] is the k-th smallest time in the receipts of the network's witnesses, k being
//!    [`Rules::threshold`] (*confirmed*). With fewer receipts it is the date the author gave it (*provisional*). All
//!    confirmed claims come before all provisional ones; equal positions are ordered by hash.
//! 3. Claims are walked in that order. The first one begins a [`Tenure`]. While it runs, further claims of the holder
//!    change the spelling and may bring its end forward, and claims of others lose, each with its [`Reason`].
//! 4. A tenure that ended leaves the name closed for [`NAME_COOL_DOWN`] to everyone but its last holder. A claim of
//!    another identity within that time loses; a later one begins the next tenure.
//! 5. A tenure ends with the author's relinquishment ([`NameRelinquish`](crate::fact::NameRelinquish)). A username also
//!    ends with the author's next counted claim of another username: an identity has one live username. Ends are placed
//!    by receipts as claims are.
//!
//! # Example
//! A network with three witnesses and a threshold of two. `rose` and `r0se` are one name
//! ([`FoldedName`](crate::name::FoldedName)).
//!
//! | date | fact | state after it |
//! |---|---|---|
//! | 1 March, 10:00 | Alice claims `rose`; receipts at 10:00:02 and 10:00:05 | Alice holds it, `Confirmed(10:00:05)` |
//! | 3 March | Bob claims `r0se` and dates the claim 1 January; no witness signs | Bob's claim loses, `NotConfirmed` |
//! | 10 June | Alice relinquishes `rose`; two receipts | no holder; Alice's tenure has an `until` |
//! | 20 June | Carol claims `rose` | Carol's claim loses, `CoolingDown { free_at: 10 July }` |
//! | 12 July | Dan claims `rose`; two receipts | a second tenure begins: Dan's |
//!
//! Back-dating does not help Bob: a date counts only among provisional claims. A single dishonest witness does not help
//! either: one time below Alice's second smallest is not two. A peer that receives the five facts in the opposite order
//! computes the same tenures and the same losers.
//!
//! # Forks
//! An author with a proven fork (two different signed changes with one id) holds nothing any more
//! ([`Evidence::discredit`]). Replicas with different halves of a fork could never agree otherwise.

mod evidence;

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

pub use evidence::{Evidence, NameKey};

use crate::digest::Digest;
use crate::fact::ClaimedName;
use crate::identity::Identity;
use crate::limits::{CLOCK_SKEW, NAME_COOL_DOWN};
use crate::time::Timestamp;

/// The network's parameters that decide names. Peers with different ones would resolve the same facts differently.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The identities whose receipts count; all others are ignored.
    pub witnesses: Vec<Identity>,
    /// How many receipts confirm a claim. 0: a network without witnesses, where `claimed_at` alone decides.
    pub threshold: usize,
    /// Zero bits that a claim's hash must begin with to count at all; 0: no work is asked for.
    pub work_bits: u32,
}

/// A claim's place in the order of claims. Confirmed ones come before provisional ones, whatever their dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Position {
    /// The k-th smallest time at which a witness saw the claim.
    Confirmed(Timestamp),
    /// The date its author gave it.
    Provisional(Timestamp),
}

/// One identity's time with a name, from the claim that won to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// The claim that won.
    pub claim: Digest,
    pub holder: Identity,
    /// As the holder last spelled it.
    pub spelled: ClaimedName,
    /// The position of the winning claim; it is also when the tenure began.
    pub position: Position,
    /// When the name was relinquished, or left for a newer username. `None` while the tenure runs.
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

/// How firmly the present holder holds the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClaimStatus {
    /// Not enough receipts yet: a claim confirmed by witnesses would win. Without witnesses every claim is provisional.
    Provisional,
    Confirmed,
    /// A rival claim of the same standing exists; the rule has decided for the holder.
    Contested,
}

/// What a claim of a name would meet now, for one identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Free,
    Yours,
    /// Held by another identity; a claim would lose.
    HeldBy(Identity),
    /// Relinquished; within the cool-down only its last holder may claim it.
    ClosedUntil(Timestamp),
}

impl Position {
    /// The time by which the claim is ordered within its kind, in milliseconds since 1970.
    pub fn at(self) -> Timestamp {
        match self {
            Self::Confirmed(at) | Self::Provisional(at) => at,
        }
    }
}

impl NameState {
    /// Returns whether no claim of the name counts, wins or loses: the state of a name that was never claimed.
    pub fn is_empty(&self) -> bool {
        self.tenures.is_empty() && self.losers.is_empty() && self.held_back.is_empty()
    }

    /// The tenure that still runs.
    pub fn holder(&self) -> Option<&Tenure> {
        self.tenures.last().filter(|tenure| tenure.until.is_none())
    }

    /// The last tenure and the time from which the name is free for everyone, or `None` while the name is held.
    pub fn given_up(&self) -> Option<(&Tenure, Timestamp)> {
        let tenure = self.tenures.last()?;
        tenure.until.map(|until| (tenure, until.plus(NAME_COOL_DOWN)))
    }

    /// The status of the present holder's claim, or `None` if the name is not held.
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
    /// The order of rule 2. Hashes are unique, so it is total.
    fn order(&self, other: &Self) -> Ordering {
        (self.position, self.hash).cmp(&(other.position, other.hash))
    }

    fn loses(self, reason: Reason) -> Loser {
        let Self { hash, author, spelled, claimed_at, .. } = self;
        Loser { claim: hash, author, spelled, claimed_at, reason }
    }
}

/// The first moment at which an observer's clock lets a statement of this date count.
pub(crate) fn counts_from(dated: Timestamp) -> Timestamp {
    Timestamp::from_millis(dated.as_millis().saturating_sub(CLOCK_SKEW.as_millis() as u64))
}

/// Rules 1 to 4: walks the candidates for one name in their order and hands the name from holder to holder.
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

/// The rule that puts `candidate` behind the claim of `tenure`.
fn reason(tenure: &Tenure, candidate: &Candidate) -> Reason {
    let (holder, loser) = (tenure.position.at(), candidate.position.at());
    match (tenure.position, candidate.position) {
        (Position::Confirmed(_), Position::Provisional(_)) => Reason::NotConfirmed { holder, loser },
        _ if holder == loser => Reason::LargerHash,
        (Position::Confirmed(_), _) => Reason::WitnessedLater { holder, loser },
        (Position::Provisional(_), _) => Reason::ClaimedLater { holder, loser },
    }
}
