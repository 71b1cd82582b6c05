//! Split votes: the witnesses have signed rivals of one round, and none of them can be confirmed any more.
//!
//! Every claim but one is withdrawn by its own client, with the key of the device that made it. The one with most votes
//! stays, then the one with the smaller digest, so all clients that counted the same come to the same. Its client claims
//! again, one round later, carrying the withdrawals; once that is confirmed a withdrawn claim never counts.
//!
//! # Example
//! With 2 of 3, witness 1 signed Alice's claim of `rose`, witness 2 Bob's and witness 3 Carol's. Bob's has the smallest
//! digest. Alice and Carol withdraw: an entry in their logs carries it to Bob's client. He withdraws his own as well, and
//! claims `rose` in round 1 with all three.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::log::EntryId;
use crate::log::body::Withdrawal;
use crate::log::body::names::{Claim, ROUNDS_MAX, WITHDRAWALS_MAX};
use crate::time::Timestamp;

/// The rivals of one round and their votes, more than one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    votes: BTreeMap<EntryId, usize>,
}

/// Why a claim can't go on in another round.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    #[error("the withdrawals of {} rivals are missing", .0.len())]
    Missing(Vec<EntryId>),
    #[error("a claim has at most {ROUNDS_MAX} rounds")]
    TooManyRounds,
    #[error("a claim carries at most {WITHDRAWALS_MAX} withdrawals")]
    TooManyRivals,
}

impl Split {
    pub(super) fn new(votes: impl IntoIterator<Item = (EntryId, usize)>) -> Self {
        Self { votes: votes.into_iter().collect() }
    }

    /// The rivals and the number of their votes.
    pub fn votes(&self) -> &BTreeMap<EntryId, usize> {
        &self.votes
    }

    /// The one that goes on; all others are withdrawn.
    pub fn stays(&self) -> EntryId {
        let most = self.votes.iter().max_by_key(|(claim, votes)| (**votes, Reverse(**claim)));
        *most.expect("a split has rivals").0
    }

    /// The claim of the next round: `claim` with the withdrawals of all rivals of this one, its own included, in order, and
    /// those that it carried already. Its work is not shown yet.
    ///
    /// # Errors
    /// If a withdrawal is missing, or a claim can't have so many rivals or rounds.
    pub fn next_round(
        &self,
        claim: &Claim,
        withdrawals: impl IntoIterator<Item = Withdrawal>,
        at: Timestamp,
    ) -> Result<Claim, SplitError> {
        let all = withdrawals.into_iter().chain(claim.withdrawals.iter().copied());
        let by_claim: BTreeMap<EntryId, Withdrawal> = all.map(|one| (one.claim, one)).collect();
        let missing: Vec<EntryId> = self.votes.keys().filter(|one| !by_claim.contains_key(*one)).copied().collect();
        if !missing.is_empty() {
            return Err(SplitError::Missing(missing));
        }
        if by_claim.len() > WITHDRAWALS_MAX {
            return Err(SplitError::TooManyRivals);
        }
        let round = claim.round + 1;
        if round >= ROUNDS_MAX {
            return Err(SplitError::TooManyRounds);
        }
        Ok(Claim { round, withdrawals: by_claim.into_values().collect(), at, work: 0, ..claim.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::{BEGIN, Person, network};
    use crate::name::ClaimedName;

    fn claim() -> Claim {
        let name = ClaimedName::Username("rose".parse().expect("a username"));
        Claim { name, after: None, round: 0, withdrawals: vec![], at: BEGIN, work: 7 }
    }

    fn id(seed: u8) -> EntryId {
        EntryId::from_digest(crate::digest::Digest::of(&[seed]))
    }

    #[test]
    fn one_with_most_votes_stays_then_the_smaller_digest() {
        let mut ids = [id(1), id(2), id(3)];
        ids.sort();
        assert_eq!(Split::new([(ids[0], 1), (ids[1], 2), (ids[2], 1)]).stays(), ids[1]);
        assert_eq!(Split::new([(ids[2], 1), (ids[1], 1), (ids[0], 1)]).stays(), ids[0]);
    }

    #[test]
    fn bounds_of_a_next_round_hold_on_both_sides() {
        let topic = network(1, 1).0.topic();
        let device = Person::new(topic, 1).device(0, 1);
        let withdraw = |seed: u8| Withdrawal::sign(&topic, &device.key, id(seed));
        let most = WITHDRAWALS_MAX as u8;
        let split = Split::new((0..most).map(|seed| (id(seed), 1)));
        let next = split.next_round(&claim(), (0..most).map(withdraw), BEGIN).expect("all are there");
        assert_eq!((next.round, next.withdrawals.len(), next.work), (1, WITHDRAWALS_MAX, 0));
        assert!(next.withdrawals.windows(2).all(|pair| pair[0].claim < pair[1].claim));
        // What was withdrawn in the rounds before is carried on.
        let few = Split::new([(id(0), 1), (id(1), 1)]);
        assert_eq!(few.next_round(&next, [], BEGIN).map(|claim| claim.withdrawals.len()), Ok(WITHDRAWALS_MAX));
        let more = Split::new((0..=most).map(|seed| (id(seed), 1)));
        let all = (0..=most).map(withdraw);
        assert_eq!(more.next_round(&claim(), all, BEGIN), Err(SplitError::TooManyRivals));
        assert_eq!(few.next_round(&claim(), [withdraw(0)], BEGIN), Err(SplitError::Missing(vec![id(1)])));
        let last = Claim { round: ROUNDS_MAX - 1, ..claim() };
        let before = Claim { round: ROUNDS_MAX - 2, ..claim() };
        assert_eq!(few.next_round(&last, [0, 1].map(withdraw), BEGIN), Err(SplitError::TooManyRounds));
        assert!(few.next_round(&before, [0, 1].map(withdraw), BEGIN).is_ok());
    }
}
