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
//! asked then.

use std::collections::BTreeSet;

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
}

/// What a witness answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Signed(Receipt),
    /// A slot is taken: the entry that has it, its opening, and what confirms it.
    Taken(Vec<Piece>),
    /// A rule forbids it now. The client's own [`forecast`](crate::book::forecast) says the same.
    Refused,
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
    /// A rule forbids it now.
    Refused,
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
        Ok(Self { fact, slots, set: registry.history().number(), threshold, order, next: 0, receipts: Vec::new() })
    }

    /// The witness that is asked first, or `None` in a network without witnesses.
    pub fn first(&self) -> Option<PublicKey> {
        self.order.first().copied()
    }

    /// The receipts so far.
    pub fn receipts(&self) -> &[Receipt] {
        &self.receipts
    }

    /// Takes the answer of the witness that was asked last.
    pub fn answer(&mut self, registry: &Registry, answer: Answer) -> Step {
        let Some(witness) = self.order.get(self.next).copied() else { return Step::Exhausted };
        self.next += 1;
        match answer {
            Answer::Signed(receipt) if self.is_for_this(&receipt, &witness) => self.receipts.push(receipt),
            Answer::Taken(pieces) => {
                if let Some(rival) = self.shown_rival(registry, &witness, &pieces) {
                    return Step::Lost(rival);
                }
            }
            Answer::Refused => return Step::Refused,
            Answer::Signed(_) | Answer::Nothing => {}
        }
        if self.receipts.len() >= self.threshold {
            return Step::Confirmed;
        }
        self.order.get(self.next).map_or(Step::Exhausted, |next| Step::Next(*next))
    }

    /// Whether a receipt is by this witness, for this set and entry, and for exactly its slots.
    fn is_for_this(&self, receipt: &Receipt, witness: &PublicKey) -> bool {
        receipt.witness == *witness
            && receipt.set == self.set
            && receipt.entry == self.fact.id
            && receipt.slots == self.slots
    }

    /// The entry that has a slot in common with this one, if the pieces show it: itself and its opening, and a receipt of
    /// the witness or a path under the root of a closed set.
    fn shown_rival(&self, registry: &Registry, witness: &PublicKey, pieces: &[Piece]) -> Option<EntryId> {
        let topic = registry.topic();
        let mine: BTreeSet<&Digest> = self.slots.iter().collect();
        let entries: Vec<Entry> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Entry(bytes) => Entry::decode(&topic, bytes).ok(),
                _ => None,
            })
            .collect();
        let is_proven = |rival: &EntryId| {
            pieces.iter().any(|piece| match piece {
                Piece::Receipt(bytes) => Receipt::decode(&topic, bytes).is_ok_and(|receipt| {
                    let overlaps = receipt.slots.iter().any(|slot| mine.contains(slot));
                    receipt.entry == *rival && receipt.witness == *witness && receipt.set == self.set && overlaps
                }),
                Piece::Path(entry, bytes) => {
                    let path = ProvenPath::decode(bytes).ok().filter(|_| entry == rival);
                    path.is_some_and(|path| {
                        let closing = registry.history().closing_of(path.set).map(|change| change.change().closing);
                        closing.is_some_and(|closing| closing.confirms(rival.digest(), &path.path))
                    })
                }
                Piece::Entry(_) | Piece::Fork(..) => false,
            })
        };
        let rivals = entries.iter().filter(|entry| entry.id() != self.fact.id && is_proven(&entry.id()));
        let has_my_slot = |entry: &&Entry| {
            let log = entry.header().log;
            let openings = entries.iter().filter(|one| one.header().log == log && one.header().seq == 0);
            let opening = openings.filter_map(|one| Opening::decode_for(&topic, &log.device, one.body()).ok()).next();
            let fact = opening.and_then(|opening| Fact::of(&topic, entry, &opening).ok());
            fact.is_some_and(|fact| fact.slots().iter().any(|slot| mine.contains(&slot.digest())))
        };
        rivals.filter(has_my_slot).map(Entry::id).next()
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
