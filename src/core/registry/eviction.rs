//! Eviction: what a node drops of an identity that it has no use for, and what stays all the same.
//!
//! Who holds a name depends on the confirmed facts of that name, whoever wrote them. So a node that keeps the holder keeps
//! the facts of earlier holders, too: each by itself, with its opening and what confirms it. Everything else of an evicted
//! identity goes, as if it had never arrived; it comes again once somebody asks for it.
//!
//! # Example
//! Bob held `rose` and gave it up; Alice holds it now. Bob is evicted on a phone that keeps Alice. His profile, his modules and
//! his logs go. His claim of `rose`, his give-up and its finish stay: without them Alice's claim, which comes after that
//! finish, would come after nothing that the phone knows.

use std::collections::BTreeSet;

use crate::keys::{Did, PublicKey};
use crate::log::{Entry, EntryId, LogId, SignedHeader};
use crate::outcome::{Counts, Fact, NameKey};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::{KnownHolder, Registry};

/// An entry that counts by itself, with what it needs for that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandingEntry {
    pub opening: Entry,
    pub entry: Entry,
    pub receipts: Vec<Receipt>,
    pub paths: Vec<ProvenPath>,
}

/// What became of an identity that was evicted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evicted {
    /// The names that its facts concerned.
    pub names: BTreeSet<NameKey>,
    /// The headers of the entries that are here no more.
    pub entries: Vec<SignedHeader>,
    /// The receipts of those, each by the entry and the witness.
    pub receipts: Vec<(EntryId, PublicKey)>,
    /// Their paths, each by the entry and the number of the set.
    pub paths: Vec<(EntryId, u32)>,
    /// The logs that were here and are proven to be forked.
    pub forks: Vec<LogId>,
    /// What stays, since a name of somebody who is kept depends on it.
    pub stays: Vec<StandingEntry>,
    /// What was known of holders, and is not known any more.
    pub holders: Vec<KnownHolder>,
}

impl Registry {
    /// Evicts an identity. `keeps` says who is kept.
    pub fn evict(&mut self, did: &Did, keeps: &dyn Fn(&Did) -> bool) -> Evicted {
        let mut evicted = Evicted { names: self.names_of(did), ..Evicted::default() };
        evicted.stays = self.facts_for_others(did, &evicted.names, keeps);
        let logs: Vec<LogId> = self.logs_of(did).map(|(log, _)| *log).collect();
        evicted.forks = logs.iter().filter(|log| self.forks.contains_key(log)).copied().collect();
        let facts: Vec<EntryId> = self.facts.by_identity(did).map(|fact| fact.id).collect();
        let in_chains = self.logs_of(did).flat_map(|(_, chain)| chain.ids()).collect::<Vec<_>>();
        let gone: BTreeSet<EntryId> = facts.into_iter().chain(in_chains).collect();
        let stays: BTreeSet<EntryId> =
            evicted.stays.iter().flat_map(|one| [one.opening.id(), one.entry.id()]).collect();
        self.remove_logs(did, &logs);
        for entry in &gone {
            let (header, removed) = (self.headers.remove(entry), self.confirmations.remove(entry));
            self.facts.remove(entry);
            if !stays.contains(entry) {
                evicted.entries.extend(header.map(|header| *header));
                evicted.receipts.extend(removed.0.into_iter().map(|witness| (*entry, witness)));
                evicted.paths.extend(removed.1.into_iter().map(|set| (*entry, set)));
            }
        }
        evicted.holders = self.forget_holders(&gone.difference(&stays).copied().collect());
        for StandingEntry { opening, entry, receipts, paths } in evicted.stays.clone() {
            let admitted = self.admit_alone(&opening, &entry, receipts, paths);
            debug_assert!(admitted.is_ok(), "it was admitted before");
        }
        evicted
    }

    /// The confirmed facts of an identity about names that somebody claimed who is kept.
    fn facts_for_others(
        &self,
        did: &Did,
        names: &BTreeSet<NameKey>,
        keeps: &dyn Fn(&Did) -> bool,
    ) -> Vec<StandingEntry> {
        let is_of_others = |name: &&NameKey| {
            self.facts.claims_of(name).any(|claim| claim.did != *did && keeps(&claim.did) && self.counts(claim))
        };
        let needed: BTreeSet<&NameKey> = names.iter().filter(is_of_others).collect();
        if needed.is_empty() || !self.has_witnesses() {
            return Vec::new();
        }
        let is_needed = |entry: &EntryId| self.names_concerned(entry).iter().any(|name| needed.contains(name));
        let concerns = |fact: &&Fact| is_needed(&fact.id) || fact.vetoed().is_some_and(|vetoed| is_needed(&vetoed));
        let facts = self.facts.by_identity(did).filter(|fact| self.counts(fact)).filter(concerns);
        facts.filter_map(|fact| self.standing_entry(fact)).collect()
    }

    /// A fact with all that makes it count by itself.
    fn standing_entry(&self, fact: &Fact) -> Option<StandingEntry> {
        Some(StandingEntry {
            opening: self.entry(&self.opening_entry(&fact.log.opening)?)?,
            entry: self.entry(&fact.id)?,
            receipts: self.confirmations.present_receipts_of(&self.history, &fact.id).cloned().collect(),
            paths: self.confirmations.paths_of(&fact.id).cloned().collect(),
        })
    }

    fn remove_logs(&mut self, did: &Did, logs: &[LogId]) {
        for log in logs {
            self.chains.remove(log);
            self.forks.remove(log);
        }
        for opening in self.authorities.remove(did).into_iter().flatten() {
            self.openings.remove(&opening);
            self.opening_entries.remove(&opening);
        }
        self.statements.remove(did);
        self.touch(*did);
    }
}

#[cfg(test)]
mod tests;
