//! From entries of changes logs to documents: which of them are in effect.
//!
//! An entry is in effect while it is part of its log, its log was opened, and its device may change what it changes. All
//! of this may end, when a device is revoked, so a document is built from what is in effect now ([`Registry::is_in_effect`])
//! and loses what is not any more.

use std::collections::BTreeMap;

use crate::document::{Adopt, Checkpoint, Data, Document};
use crate::log::{Body, Capability, Chain, EntryId, Kind, LogId, Opening, SignedHeader};
use crate::registry::Registry;

impl Registry {
    /// Returns whether an entry is part of a log that was opened.
    pub fn is_in_effect(&self, entry: &EntryId) -> bool {
        self.headers.get(entry).is_some_and(|signed| {
            let header = signed.header();
            self.chains.get(&header.log).and_then(|chain| chain.entry(header.seq)) == Some(*entry)
                && self.is_open(&header.log)
        })
    }

    /// Returns whether a changes log was opened: the first is from the beginning, another one by a fact of its device.
    pub fn is_open(&self, log: &LogId) -> bool {
        let Some(did) = self.opening(log).map(Opening::did) else { return false };
        let opens = |body: &Body| matches!(body, Body::NextChanges(number) if *number == log.number);
        let mut facts = self.facts.by_identity(&did).filter(|fact| fact.log.opening == log.opening);
        log.number <= 1 || facts.any(|fact| opens(&fact.body) && self.is_kept(fact))
    }

    /// The changes log in which a device writes: the one that it opened last.
    pub fn present_changes_log(&self, facts: &LogId) -> LogId {
        let Some(did) = self.opening(facts).map(Opening::did) else { return facts.numbered(1) };
        let numbers =
            self.facts.by_identity(&did).filter(|fact| fact.log == *facts && self.is_kept(fact)).filter_map(|fact| {
                match fact.body {
                    Body::NextChanges(number) => Some(number),
                    _ => None,
                }
            });
        facts.numbered(numbers.max().unwrap_or(1))
    }

    /// The last entry in effect of each changes log of an identity: what a checkpoint covers.
    pub fn ends_of_changes(&self, did: &crate::keys::Did) -> Vec<(LogId, u64, EntryId)> {
        let logs = self.logs_of(did).filter(|(log, _)| !log.are_facts() && self.is_open(log));
        logs.filter_map(|(log, chain)| Some((*log, chain.len().checked_sub(1)?, chain.head()?))).collect()
    }

    /// Gives the body of an entry to its identity's document, if it is in effect. `data` loads what a checkpoint names.
    /// Returns whether the document took it.
    pub fn give_to_document(
        &self,
        document: &mut Document,
        header: &SignedHeader,
        body: &[u8],
        data: impl FnOnce(&Checkpoint) -> Option<Data>,
    ) -> bool {
        let (id, place) = (header.id(), header.header());
        let Some(opening) = self.opening(&place.log).filter(|_| self.is_in_effect(&id)) else { return false };
        match Kind::of(place.kind) {
            Some(Kind::Change) => {
                document.insert_change(place.log, place.seq, id, body, opening.capabilities()).is_ok()
            }
            Some(Kind::Checkpoint) if opening.capabilities().allow(Capability::Profile) => {
                let Ok(checkpoint) = Checkpoint::decode(body) else { return false };
                let data = data(&checkpoint);
                document.insert_checkpoint(id, checkpoint, data);
                true
            }
            Some(Kind::Adopt) if Adopt::decode(body).is_ok() => {
                document.insert_adoption(place.log, place.seq, id);
                true
            }
            _ => false,
        }
    }

    /// Drops what an identity's document does not need: the entries of its changes logs before the checkpoint before the
    /// standing one. Returns their headers. A log is kept from a checkpoint or adoption of its own on.
    pub fn prune_document(&mut self, document: &mut Document) -> Vec<SignedHeader> {
        let Some((entry, base)) = document.base() else { return Vec::new() };
        let own = self.headers.get(&entry).map(|signed| (signed.header().log, signed.header().seq));
        let covered = base.covered.iter().map(|(log, seq, _)| (*log, *seq));
        let places: BTreeMap<LogId, u64> = covered.chain(own).collect();
        let pruned: Vec<SignedHeader> = places.into_iter().flat_map(|(log, seq)| self.prune(&log, seq)).collect();
        let ids: Vec<EntryId> = pruned.iter().map(SignedHeader::id).collect();
        document.forget(&ids);
        pruned
    }

    /// Returns whether a changes log has used most of what it may before a checkpoint.
    pub fn is_checkpoint_due(&self, log: &LogId) -> bool {
        self.chains.get(log).is_some_and(Chain::is_checkpoint_due)
    }
}
