//! Which claim of a name a node knew before a rival was confirmed as well.
//!
//! A witness signs one claim for a place of a name. Where two are confirmed all the same, more of the witnesses lie, or
//! were robbed, than the set bears, and nothing that is signed says which claim was first. A node that knew one of them
//! keeps it; a node that did not takes neither (security: otherwise a newcomer would believe whoever is heard first).
//!
//! What comes together is known together: whoever joins gets the holder's claim and the thief's within seconds, in an
//! order that means nothing. So a claim is known only once it stood alone for a while:
//!
//! ```text
//!   confirmed, alone ──► noticed ──settle──► waits ──settle──► known, and stored
//!                           │                  │
//!                           └── a rival is confirmed: contested, and nobody is known
//! ```
//!
//! A node settles every few seconds while it compares with nobody; its own claims it knows at once.

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
    /// Names of which something was confirmed since the last settling, and those of before it.
    noticed: BTreeSet<NameKey>,
    waiting: BTreeSet<NameKey>,
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

    /// Knows the claims that stood alone since the settling before the last one. Called every few seconds, while nothing
    /// is on its way here.
    pub fn settle_holders(&mut self) {
        let noticed = std::mem::take(&mut self.holders.noticed);
        let settled = std::mem::replace(&mut self.holders.waiting, noticed);
        settled.iter().for_each(|name| self.settle_holder(name));
    }

    /// Knows the claims of a name that stand alone now. For names of which this node made the claim.
    pub fn settle_holder(&mut self, name: &NameKey) {
        if !self.has_witnesses() {
            return;
        }
        let outcome = self.name(name);
        let mut after = None;
        for tenure in outcome.tenures {
            if !outcome.contested.contains(&tenure.claim) {
                let place = (name.clone(), after);
                if self.holders.known.insert(place.clone(), tenure.claim) != Some(tenure.claim) {
                    self.holders.changed.insert(place);
                }
            }
            after = tenure.ended_by;
        }
    }

    /// Forgets the claims that are confirmed no more, and knows at once what stands alone without them: a change of the
    /// set says by its root what was confirmed under the sets before.
    pub(super) fn forget_unconfirmed_holders(&mut self) {
        let Self { holders, confirmations, history, .. } = self;
        let gone = holders.known.iter().filter(|(_, claim)| !confirmations.is_confirmed(history, claim));
        let gone: Vec<Place> = gone.map(|(place, _)| place.clone()).collect();
        holders.known.retain(|place, _| !gone.contains(place));
        holders.changed.extend(gone);
        let names: Vec<NameKey> = self.facts.names().cloned().collect();
        names.iter().for_each(|name| self.settle_holder(name));
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
