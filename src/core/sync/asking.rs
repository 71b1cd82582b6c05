//! Asking the witnesses of a set for receipts: in which order, what an answer must show, and when to stop.
//!
//! All clients ask the witnesses of a name in one order (rendezvous hashing: D. Thaler, C. Ravishankar, "A Name-Based Mapping
//! Scheme for Rendezvous", 1996), one after the other, and stop at a refusal. So two rivals meet at the same first witness,
//! and one of them gets all the votes; asking in any order, each would get some and none enough.
//!
//! # Example
//! For `rose` the order is witness 2, 3, 1. Alice and Bob ask witness 2 at once. It signs Alice's claim, and answers Bob with
//! that claim and its receipt. Bob stops. Alice asks witness 3 and has two of three.
//!
//! A refusal that shows nothing is no answer: else a witness could withhold a name at will. The next witness is
//! asked then. For the same reason a rule that forbids an entry counts only once so many witnesses say so that the others
//! are too few to confirm it.
//!
//! # Split votes
//! Where a witness could not be reached, rivals meet in another order, and each may get a vote. A client that has votes and
//! is shown a rival's goes on to ask, and counts. If no claim can come to the threshold any more, the votes are [`Split`].

pub mod foundations;
pub mod shown;
pub mod split;
pub mod wire;

use std::collections::{BTreeMap, BTreeSet};

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::keys::PublicKey;
use crate::log::{Entry, EntryId, Opening};
use crate::network::WitnessSet;
use crate::outcome::{Fact, NoEffect};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::Registry;
use crate::slot::Slot;
use crate::sync::exchange::wire::Piece;
use crate::time::Timestamp;
pub use split::Split;
use wire::Refused;

const DOMAIN: &str = "gen-registry/witness-order/v2";

/// One entry that is shown to the witnesses of a set until enough have signed it.
pub struct Asking {
    fact: Fact,
    slots: Vec<Digest>,
    set: u32,
    threshold: usize,
    /// Who is asked, in order; those before `next` have answered or did not.
    order: Vec<PublicKey>,
    next: usize,
    receipts: Vec<Receipt>,
    refusals: Vec<Refused>,
    /// The witnesses that signed each rival, as far as they were shown.
    rivals: BTreeMap<EntryId, BTreeSet<PublicKey>>,
    /// The witnesses that have given a receipt, a rival or a refusal.
    answered: usize,
}

/// A rival that an answer shows.
struct Rival {
    entry: EntryId,
    signed_by: BTreeSet<PublicKey>,
    /// Under the root of a closed set.
    is_settled: bool,
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Signed(Receipt),
    /// A slot is taken: the entry that has it, its opening, and what confirms it.
    Taken(Vec<Piece>),
    /// A rule forbids it now. The client's own [`forecast`](crate::book::forecast) says the same.
    Refused(Refused),
    /// It could not be reached, or is closed, or its answer shows nothing.
    Nothing,
}

/// What follows from an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The next witness is asked.
    Next(PublicKey),
    /// Enough have signed.
    Confirmed,
    /// Another entry has what was asked for; its proof is among the pieces of the answer.
    Lost(EntryId),
    /// The witnesses have signed rivals, and none of these, nor this entry, can come to enough.
    Split(Split),
    /// So many witnesses say that a rule forbids it now that the others are too few. Of several the earliest time counts:
    /// asking again then is harmless.
    Refused(Refused),
    /// All were asked, and not enough signed. Asking again later is harmless: who has signed answers the same.
    Exhausted,
}

impl Asking {
    /// Begins to ask for an entry, shown with the opening of its log. Fails as [`Fact::of`] does.
    pub fn new(registry: &Registry, opening: &Opening, entry: &Entry) -> Result<Self, NoEffect> {
        let fact = Fact::of(&registry.topic(), entry, opening)?;
        let set = registry.history().set();
        let slots = fact.slots().iter().map(Slot::digest).collect();
        let order = order(set, &place(&fact));
        let threshold = usize::from(set.threshold);
        Ok(Self {
            fact,
            slots,
            set: registry.history().number(),
            threshold,
            order,
            next: 0,
            receipts: Vec::new(),
            refusals: Vec::new(),
            rivals: BTreeMap::new(),
            answered: 0,
        })
    }

    /// Goes on with receipts that an earlier asking got: their witnesses are not asked again. Others than for this entry
    /// are passed over.
    #[must_use]
    pub fn with_receipts(mut self, receipts: impl IntoIterator<Item = Receipt>) -> Self {
        for receipt in receipts {
            let place = self.order.iter().position(|witness| *witness == receipt.witness);
            let Some(place) = place.filter(|place| *place >= self.next) else { continue };
            if self.is_for_this(&receipt, &receipt.witness) {
                self.order[self.next..=place].rotate_right(1);
                self.next += 1;
                self.answered += 1;
                self.receipts.push(receipt);
            }
        }
        self
    }

    /// The witness that is asked first; `None` in a network without witnesses, or if enough have signed already.
    pub fn first(&self) -> Option<PublicKey> {
        self.order.get(self.next).filter(|_| self.receipts.len() < self.threshold).copied()
    }

    /// The receipts so far.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// The number of answers that have shown a receipt, a rival or a refusal.
    pub fn shown_answers(&self) -> usize {
        self.answered
    }

    /// Takes the answer of the witness that was asked last.
    pub fn answer(&mut self, registry: &Registry, answer: Answer) -> Step {
        let Some(witness) = self.order.get(self.next).copied() else { return Step::Exhausted };
        self.next += 1;
        match answer {
            Answer::Signed(receipt) if self.is_for_this(&receipt, &witness) => {
                self.receipts.push(receipt);
                self.answered += 1;
            }
            Answer::Taken(pieces) => {
                if let Some(rival) = self.shown_rival(registry, &witness, &pieces) {
                    self.answered += 1;
                    let signed_by = self.rivals.entry(rival.entry).or_default();
                    signed_by.extend(rival.signed_by);
                    let is_confirmed = rival.is_settled || signed_by.len() >= self.threshold;
                    if is_confirmed || self.receipts.is_empty() {
                        return Step::Lost(rival.entry);
                    }
                }
            }
            Answer::Refused(refused) => {
                self.answered += 1;
                self.refusals.push(refused);
            }
            Answer::Signed(_) | Answer::Nothing => {}
        }
        if self.receipts.len() >= self.threshold {
            return Step::Confirmed;
        }
        if self.order.len() - self.refusals.len() < self.threshold {
            return self.refused();
        }
        self.order.get(self.next).map_or_else(|| self.conclude(), |next| Step::Next(*next))
    }

    fn refused(&self) -> Step {
        let until = |refused: &&Refused| (refused.until.unwrap_or(Timestamp::LATEST), refused.code);
        self.refusals.iter().min_by_key(until).map_or(Step::Exhausted, |first| Step::Refused(*first))
    }

    /// What follows when all were asked and not enough signed.
    fn conclude(&self) -> Step {
        let silent = self.order.len() - self.answered;
        let most = self.rivals.iter().max_by_key(|(_, by)| by.len());
        let Some((rival, by)) = most.filter(|_| self.receipts.len() + silent < self.threshold) else {
            return Step::Exhausted;
        };
        // Only claims have another round.
        if by.len() + silent >= self.threshold || self.fact.claim().is_none() {
            return Step::Lost(*rival);
        }
        let rivals = self.rivals.iter().map(|(rival, by)| (*rival, by.len()));
        Step::Split(Split::new(rivals.chain([(self.fact.id, self.receipts.len())])))
    }

    /// Whether a receipt is by this witness, for this set and entry, and for exactly its slots.
    fn is_for_this(&self, receipt: &Receipt, witness: &PublicKey) -> bool {
        receipt.witness == *witness
            && receipt.set == self.set
            && receipt.entry == self.fact.id
            && receipt.slots == self.slots
    }

    /// The entry that has a slot in common with this one, if the pieces show it: itself and its opening, and a receipt of
    /// the witness, as many receipts as confirm it, or a path under the root of a closed set.
    fn shown_rival(&self, registry: &Registry, witness: &PublicKey, pieces: &[Piece]) -> Option<Rival> {
        let topic = registry.topic();
        let entries: Vec<Entry> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Entry(bytes) => Entry::decode(&topic, bytes).ok(),
                _ => None,
            })
            .collect();
        let has_my_slot = |entry: &&Entry| {
            let log = entry.header().log;
            let openings = entries.iter().filter(|one| one.header().log == log && one.header().seq == 0);
            let opening = openings.filter_map(|one| Opening::decode_for(&topic, &log.device, one.body()).ok()).next();
            let fact = opening.and_then(|opening| Fact::of(&topic, entry, &opening).ok());
            fact.is_some_and(|fact| fact.slots().iter().any(|slot| self.slots.contains(&slot.digest())))
        };
        let rivals = entries.iter().filter(|entry| entry.id() != self.fact.id).filter(has_my_slot);
        let mut shown = rivals.map(|entry| Rival {
            entry: entry.id(),
            signed_by: self.signers(registry, &entry.id(), pieces),
            is_settled: is_settled(registry, &entry.id(), pieces),
        });
        let is_proven = |rival: &Rival| {
            rival.is_settled || rival.signed_by.contains(witness) || rival.signed_by.len() >= self.threshold
        };
        shown.find(is_proven)
    }

    /// The witnesses of the set whose receipts of a rival are among the pieces.
    fn signers(&self, registry: &Registry, rival: &EntryId, pieces: &[Piece]) -> BTreeSet<PublicKey> {
        let of_rival = |receipt: &Receipt| {
            let overlaps = receipt.slots.iter().any(|slot| self.slots.contains(slot));
            receipt.entry == *rival && receipt.set == self.set && self.order.contains(&receipt.witness) && overlaps
        };
        let receipts = pieces.iter().filter_map(|piece| match piece {
            Piece::Receipt(bytes) => Receipt::decode(&registry.topic(), bytes).ok(),
            _ => None,
        });
        receipts.filter(of_rival).map(|receipt| receipt.witness).collect()
    }
}

/// Whether the pieces have a path from an entry to the root of a closed set.
fn is_settled(registry: &Registry, rival: &EntryId, pieces: &[Piece]) -> bool {
    pieces.iter().any(|piece| match piece {
        Piece::Path(entry, bytes) if entry == rival => {
            ProvenPath::decode(bytes).is_ok_and(|path| path.leads(registry.history(), rival))
        }
        _ => false,
    })
}

impl Answer {
    /// Reads a witness's message. A claim without its proof, and what can't be read, counts as no answer.
    pub fn of(registry: &Registry, answer: wire::Answer) -> Self {
        match answer {
            wire::Answer::Signed(bytes) => {
                Receipt::decode(&registry.topic(), &bytes).map_or(Self::Nothing, Self::Signed)
            }
            wire::Answer::Taken(pieces) => Self::Taken(pieces),
            wire::Answer::Refused(refused) => Self::Refused(refused),
            wire::Answer::Busy | wire::Answer::NotServed(_) | wire::Answer::Noted | wire::Answer::Named(_) => {
                Self::Nothing
            }
        }
    }
}

/// What decides the order: for a claim its name and what it comes after, whichever round it is of, so that all rivals ask
/// in one order; for everything else its own last slot.
fn place(fact: &Fact) -> Digest {
    let slot = fact.claim().map(|claim| Slot::Claim {
        kind: claim.name.kind(),
        name: claim.name.folded(),
        after: claim.after,
        round: 0,
    });
    slot.or_else(|| fact.slots().pop()).map_or_else(|| *fact.id.digest(), |slot| slot.digest())
}

/// The witnesses of a set in the order in which they are asked about a place.
pub fn order(set: &WitnessSet, place: &Digest) -> Vec<PublicKey> {
    let mut order = set.witnesses.clone();
    order.sort_by_key(|witness| {
        Digest::of(&Encoder::new().text(DOMAIN).fixed(place.as_bytes()).fixed(witness.as_bytes()).finish())
    });
    order
}

#[cfg(test)]
mod tests;
