//! What a replica holds of a document, and what one replica lacks of another. Pure functions over signed changes.
//!
//! A vector counts each writing session's changes without a gap, and carries a hash over them in order (the trail):
//! two replicas with the same count and another trail hold a fork, and can show it to each other. Once a fork is
//! proven the document is frozen: it is the two proving changes that travel, nothing else.

use std::collections::BTreeMap;

use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::document::{ChangeId, SignedChange};
use crate::identity::Identity;

/// Writing sessions that a vector lists. More would not fit into one message; a profile makes one with each start.
pub const VECTOR_MAX_ACTORS: usize = 2_000;

/// How far one writing session is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The highest number up to which no change is missing.
    pub seq: u64,
    /// Hash over the changes 1 to `seq` in order.
    pub trail: Digest,
}

/// What a replica holds of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentVector {
    pub owner: Identity,
    /// The owner is proven to have signed two changes for one place.
    pub forked: bool,
    pub actors: BTreeMap<Vec<u8>, Seen>,
}

/// A document as it is compared with a peer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentSummary {
    pub owner: Identity,
    /// The newest change's own date: the same wherever the same changes are.
    pub changed_at: u64,
    /// Sorted hashes of the newest changes.
    pub heads: Vec<Digest>,
    pub forked: bool,
}

/// Signed changes with their places, in an order in which each comes after what it depends on.
pub type History = [(ChangeId, SignedChange)];

impl DocumentSummary {
    /// Names this state of the document. All replicas of a forked document are in one state.
    pub fn id(&self) -> Digest {
        let encoder = Encoder::new().text("gen-registry/document-state/v1").fixed(self.owner.as_bytes());
        if self.forked {
            return Digest::of(&encoder.byte(1).finish());
        }
        let encoder = self.heads.iter().fold(encoder.byte(0), |encoder, head| encoder.fixed(head.as_bytes()));
        Digest::of(&encoder.finish())
    }

    /// The state's timestamp in the set reconciliation, by which both sides sort.
    pub fn order(&self) -> u64 {
        if self.forked { 0 } else { self.changed_at }
    }
}

impl DocumentVector {
    /// The vector of a replica without the document.
    pub fn nothing(owner: Identity) -> Self {
        Self { owner, forked: false, actors: BTreeMap::new() }
    }

    /// The vector of what `history` holds.
    pub fn of(owner: Identity, history: &History, forked: bool) -> Self {
        let mut actors: BTreeMap<Vec<u8>, Seen> = trails(history)
            .into_iter()
            .filter_map(|(actor, trail)| Some((actor, Seen { seq: trail.len() as u64, trail: *trail.last()? })))
            .collect();
        while actors.len() > VECTOR_MAX_ACTORS {
            actors.pop_last();
        }
        Self { owner, forked, actors }
    }

    /// True when `other` has something that this has not.
    pub fn lacks(&self, other: &Self) -> bool {
        if self.forked || other.forked {
            return other.forked && !self.forked;
        }
        other.actors.iter().any(|(actor, theirs)| match self.actors.get(actor) {
            None => true,
            Some(ours) => theirs.seq > ours.seq || (theirs.seq == ours.seq && theirs.trail != ours.trail),
        })
    }

    /// The bytes this takes on the way, roughly and never less.
    pub fn weight(&self) -> usize {
        64 + self.actors.keys().map(|actor| actor.len() + 48).sum::<usize>()
    }
}

/// For each writing session the trails after its first, second, … change, up to the first gap.
fn trails(history: &History) -> BTreeMap<Vec<u8>, Vec<Digest>> {
    let mut hashes: BTreeMap<&[u8], BTreeMap<u64, Digest>> = BTreeMap::new();
    for (place, change) in history {
        hashes.entry(&place.actor).or_default().insert(place.seq, Digest::of(&change.bytes));
    }
    let mut trails = BTreeMap::new();
    for (actor, changes) in hashes {
        let mut trail: Vec<Digest> = Vec::new();
        for (expected, (seq, hash)) in (1..).zip(&changes) {
            if *seq != expected {
                break;
            }
            let before = trail.last().copied().unwrap_or_else(|| Digest::of(actor));
            trail.push(Digest::of(&Encoder::new().fixed(before.as_bytes()).fixed(hash.as_bytes()).finish()));
        }
        trails.insert(actor.to_vec(), trail);
    }
    trails
}

/// What a signed change takes on the way.
pub fn change_weight(change: &SignedChange) -> usize {
    32 + 4 + change.bytes.len() + 4 + change.signature.len()
}

/// The changes of `history` that a replica at `vector` lacks, in their order, as far as `max_bytes` go, and whether
/// more are left. Where the trails part, a session's changes are sent from the first: among them is the proof.
pub fn beyond(history: &History, vector: &DocumentVector, max_bytes: usize) -> (Vec<SignedChange>, bool) {
    let trails = trails(history);
    let from: BTreeMap<&[u8], u64> = trails
        .iter()
        .filter_map(|(actor, trail)| {
            let theirs = vector.actors.get(actor)?;
            let at = usize::try_from(theirs.seq).ok()?.checked_sub(1)?;
            let agreed = trail.get(at).is_none_or(|trail| *trail == theirs.trail);
            Some((actor.as_slice(), if agreed { theirs.seq } else { 0 }))
        })
        .collect();
    let (mut page, mut bytes) = (Vec::new(), 0);
    for (place, change) in history {
        if place.seq <= from.get(place.actor.as_slice()).copied().unwrap_or(0) {
            continue;
        }
        bytes += change_weight(change);
        if bytes > max_bytes {
            return (page, true);
        }
        page.push(change.clone());
    }
    (page, false)
}

#[cfg(test)]
mod tests;
