//! What is handed over when a witness set is succeeded: which facts go under the root of the [`Closing`], and which slots
//! the next set keeps reserved.
//!
//! The witnesses that sign the change have stopped signing for the old set, and put together all receipts that they have
//! given and received. A fact with receipts of the threshold is confirmed for good, under the root. Others that somebody
//! voted for are not confirmed, and nothing that anybody signs later with the old keys can confirm them; they are asked for
//! again. For a cool-down the next set signs nothing else for their slots, since one of them may have had receipts that
//! none of the signers has seen.
//!
//! With 2 of 3, `rose` has one vote of witness 1 for Alice, and witness 3 is lost. If it was witness 3 that gave Alice the
//! second one, and she showed it to no other node, then her claim is pending again after the change. Only Alice can get `rose`
//! meanwhile.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::log::EntryId;
use crate::network::{Closing, FactList, WitnessSet};
use crate::receipt::Receipt;

/// What is known of the votes of one set.
#[derive(Clone, Debug, Default)]
pub struct Votes {
    facts: BTreeMap<EntryId, Candidate>,
}

#[derive(Clone, Debug, Default)]
struct Candidate {
    by: BTreeSet<PublicKey>,
    slots: Vec<Digest>,
    /// Confirmed by an earlier closing.
    is_settled: bool,
}

/// What follows for the next set.
pub struct Closed {
    /// Confirmed for good.
    pub confirmed: FactList,
    /// Facts that were voted for, with their slots, and are not confirmed.
    pub reserved: Vec<(EntryId, Vec<Digest>)>,
}

impl Votes {
    /// Adds a receipt of the set, verified.
    pub fn add(&mut self, receipt: &Receipt) {
        let candidate = self.facts.entry(receipt.entry).or_default();
        candidate.by.insert(receipt.witness);
        candidate.slots.clone_from(&receipt.slots);
    }

    /// Adds a fact that an earlier closing confirmed: it keeps its path there, and nothing else gets its slots.
    pub fn add_settled(&mut self, fact: EntryId, slots: Vec<Digest>) {
        self.facts.insert(fact, Candidate { by: BTreeSet::new(), slots, is_settled: true });
    }
}

impl Closed {
    /// What the change of the set says.
    pub fn closing(&self) -> Closing {
        Closing::of(&self.confirmed)
    }
}

/// Computes what follows from the votes that the signers of a change have.
pub fn close(set: &WitnessSet, votes: &Votes) -> Closed {
    let has_enough = |candidate: &Candidate| candidate.by.len() >= usize::from(set.threshold);
    let (settled, others): (Vec<_>, Vec<_>) = votes.facts.iter().partition(|(_, candidate)| candidate.is_settled);
    let (mut enough, waiting): (Vec<_>, Vec<_>) = others.into_iter().partition(|(_, candidate)| has_enough(candidate));
    let mut taken: HashMap<Digest, EntryId> = HashMap::new();
    for (fact, candidate) in settled {
        taken.extend(candidate.slots.iter().map(|slot| (*slot, *fact)));
    }
    // Two with enough receipts for one slot: more lied than the set bears. One of them gets it, which settles it.
    enough.retain(|(fact, candidate)| {
        let is_free = candidate.slots.iter().all(|slot| !taken.contains_key(slot));
        if is_free {
            taken.extend(candidate.slots.iter().map(|slot| (*slot, **fact)));
        }
        is_free
    });
    let is_free = |candidate: &Candidate| candidate.slots.iter().all(|slot| !taken.contains_key(slot));
    let reserved = waiting.into_iter().filter(|(_, candidate)| is_free(candidate));
    Closed {
        confirmed: FactList::new(enough.iter().map(|(fact, _)| *fact.digest())),
        reserved: reserved.map(|(fact, candidate)| (*fact, candidate.slots.clone())).collect(),
    }
}
