//! Split votes: the witnesses have signed rivals of one round, and none of them can be confirmed any more.
//!
//! Every claim but one is withdrawn by its own client, with the key of the device that made it. The one with most votes
//! stays, then the one with the smaller digest, so all clients that counted the same come to the same. Its client claims
//! again, one round later, carrying the withdrawals; once that is confirmed a withdrawn claim never counts.
//!
//! # Example
//! With 2 of 3, witness 1 signed Alice's claim of `rose`, witness 2 Bob's and witness 3 Carol's. Bob's has the smallest
//! digest. Alice and Carol withdraw, and pass the withdrawals to Bob's client. He withdraws his own as well, and claims
//! `rose` in round 1 with all three.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::log::EntryId;
use crate::log::body::Withdrawal;
use crate::log::body::names::{Claim, ROUNDS_MAX, WITHDRAWALS_MAX};
use crate::time::Timestamp;

/// The rivals of one round and their votes, more than one.
#[derive(Clone, Debug, PartialEq, Eq)]
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
