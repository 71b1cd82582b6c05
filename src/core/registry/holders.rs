//! Which claim of a name a node knew before a rival was confirmed as well.
//!
//! A witness signs one claim for a place of a name. Where two are confirmed all the same, more of the witnesses lie, or
//! were robbed, than the set bears, and nothing that is signed says which claim was first. A node that knew one of them
//! keeps it; a node that did not takes neither, or a newcomer would believe whichever claim arrives first.
//!
//! A node that joins receives the holder's claim and the thief's within seconds, in an arbitrary order. So a claim is
//! recorded as known only if it was the only confirmed one at two successive checks:
//!
//! ```text
//!   confirmed, no rival ──check──► candidate ──check──► known, and stored
//!                                      │
//!                                      └── a rival is confirmed: contested, and no claim is known
//! ```
//!
//! Checks are some seconds apart, while no comparison is running. A node's own claims are known at once.

use std::collections::{BTreeSet, HashMap};

use crate::log::EntryId;
use crate::outcome::{Counts, NameKey};
use crate::registry::Registry;

/// A place of a name: the beginning, or what comes after a finish.
type Place = (NameKey, Option<EntryId>);

/// What a node knew of one place of a name: the claim that stood alone there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHolder {
    pub name: NameKey,
    /// The finish that the claim comes after.
    pub after: Option<EntryId>,
    /// `None` if it is known no more.
    pub claim: Option<EntryId>,
}

/// The claims that are known, and the names of which one may become so.
#[derive(Debug, Default)]
pub(super) struct KnownHolders {
    known: HashMap<Place, EntryId>,
    /// Places of which the known holder is another one than was stored.
    changed: BTreeSet<Place>,
    /// Names of which something may have been confirmed since the last check.
    noticed: BTreeSet<NameKey>,
    /// The claims that were the only confirmed ones at the last check.
    candidates: HashMap<Place, EntryId>,
}

impl KnownHolders {
    pub(super) fn of(stored: impl IntoIterator<Item = KnownHolder>) -> Self {
        let known = stored.into_iter().filter_map(|known| Some(((known.name, known.after), known.claim?)));
        Self { known: known.collect(), ..Self::default() }
    }

    pub(super) fn known(&self, name: &NameKey, after: Option<&EntryId>) -> Option<EntryId> {
        self.known.get(&(name.clone(), after.copied())).copied()
    }
}

impl Registry {
    /// Something of a name may have become confirmed.
    pub(super) fn notice_holder(&mut self, name: NameKey) {
        if self.has_witnesses() && !self.is_restoring {
            self.holders.noticed.insert(name);
        }
    }

    /// Notices the names of which a claim is confirmed and none is known: the node ended before it was.
    pub(super) fn notice_holders_without_a_record(&mut self) {
        let names: Vec<NameKey> = self.facts.names().cloned().collect();
        let is_unknown = |name: &NameKey| {
            self.facts.claims_of(name).any(|claim| {
                let after = claim.claim().and_then(|claim| claim.after);
                self.holders.known(name, after.as_ref()).is_none() && self.counts(claim)
            })
        };
        let unknown: Vec<NameKey> = names.into_iter().filter(is_unknown).collect();
        unknown.into_iter().for_each(|name| self.notice_holder(name));
    }

    /// Records the claims as known that were the only confirmed ones at the last check and still are. It looks at claims
    /// and not at names: one that is confirmed right before a check is no older for an unconfirmed one of its name.
    pub fn settle_holders(&mut self) {
        let before = std::mem::take(&mut self.holders.candidates);
        let mut names = std::mem::take(&mut self.holders.noticed);
        names.extend(before.keys().map(|(name, _)| name.clone()));
        for (place, claim) in names.iter().flat_map(|name| self.uncontested(name)).collect::<Vec<_>>() {
            if before.get(&place) == Some(&claim) {
                self.record_holder(place, claim);
            } else if self.holders.known.get(&place) != Some(&claim) {
                self.holders.candidates.insert(place, claim);
            }
        }
    }

    /// Records the uncontested claims of a name as known now. For names that this node claimed.
    pub fn settle_holder(&mut self, name: &NameKey) {
        self.uncontested(name).into_iter().for_each(|(place, claim)| self.record_holder(place, claim));
    }

    /// The places of a name that have one confirmed claim only, each with it.
    fn uncontested(&self, name: &NameKey) -> Vec<(Place, EntryId)> {
        if !self.has_witnesses() {
            return Vec::new();
        }
        let outcome = self.name(name);
        let mut after = None;
        let places = outcome.tenures.into_iter().map(|tenure| {
            let place = (name.clone(), std::mem::replace(&mut after, tenure.ended_by));
            (place, tenure.claim)
        });
        places.filter(|(_, claim)| !outcome.contested.contains(claim)).collect()
    }

    fn record_holder(&mut self, place: Place, claim: EntryId) {
        if self.holders.known.insert(place.clone(), claim) != Some(claim) {
            self.holders.changed.insert(place);
        }
    }

    /// Forgets the claims that are no longer confirmed, and records at once what is uncontested without them: the root in a
    /// change of the set fixes what was confirmed under the sets before.
    pub(super) fn forget_unconfirmed_holders(&mut self) {
        let Self { holders, confirmations, history, .. } = self;
        let gone = holders.known.iter().filter(|(_, claim)| !confirmations.is_confirmed(history, claim));
        let gone: Vec<Place> = gone.map(|(place, _)| place.clone()).collect();
        holders.known.retain(|place, _| !gone.contains(place));
        holders.changed.extend(gone);
        let names: Vec<NameKey> = self.facts.names().cloned().collect();
        names.iter().for_each(|name| self.settle_holder(name));
    }

    /// Forgets which of these claims are known, and returns what is to be removed from the store.
    pub(super) fn forget_holders(&mut self, claims: &BTreeSet<EntryId>) -> Vec<KnownHolder> {
        self.holders.candidates.retain(|_, claim| !claims.contains(claim));
        let gone: Vec<Place> = {
            let known = self.holders.known.iter().filter(|(_, claim)| claims.contains(claim));
            known.map(|(place, _)| place.clone()).collect()
        };
        for place in &gone {
            self.holders.known.remove(place);
            self.holders.changed.remove(place);
        }
        gone.into_iter().map(|(name, after)| KnownHolder { name, after, claim: None }).collect()
    }

    /// Returns what has to be stored of known holders, and forgets that it has.
    pub fn take_changed_holders(&mut self) -> Vec<KnownHolder> {
        let changed = std::mem::take(&mut self.holders.changed);
        let known = changed.into_iter().map(|place| {
            let claim = self.holders.known.get(&place).copied();
            KnownHolder { name: place.0, after: place.1, claim }
        });
        known.collect()
    }
}
