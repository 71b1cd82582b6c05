//! Admission of entries to the registry: which are kept, and what they say.

use crate::keys::Did;
use crate::log::body::Verify;
use crate::log::{Admitted, Body, Chain, Entry, ForkProof, LogId, Opening, OpeningError};
use crate::outcome::{Fact, NoEffect};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::{EntryRejection, Received, Registry, add_statements, name_of};
use crate::standing::Statements;
use crate::statement::Statement;

impl Registry {
    /// Takes an entry. `operations` is the number of operations that a change announces, else 0.
    pub fn admit(&mut self, entry: &Entry, operations: u64) -> Result<Received, EntryRejection> {
        self.admit_as(entry, operations, self.verify())
    }

    /// As [`Registry::admit`], without verifying signatures: the entry's own and those in its body were verified before.
    pub(crate) fn admit_verified(&mut self, entry: &Entry, operations: u64) -> Result<Received, EntryRejection> {
        self.admit_as(entry, operations, Verify::Before)
    }

    /// Whether signatures in bodies are checked: not while what was checked before is restored.
    fn verify(&self) -> Verify {
        if self.is_restoring { Verify::Before } else { Verify::Now }
    }

    fn admit_as(&mut self, entry: &Entry, operations: u64, verify: Verify) -> Result<Received, EntryRejection> {
        let (log, seq) = (entry.header().log, entry.header().seq);
        let is_new_opening = log.are_facts() && seq == 0 && self.add_opening(entry, verify)?;
        let Some(opening) = self.openings.get(&log.opening) else { return Ok(Received::Waiting) };
        if opening.device() != log.device {
            return Err(OpeningError::OtherDevice.into());
        }
        let did = opening.did();
        if !log.are_facts() && !self.is_restoring && self.refused.contains(&did) {
            return Ok(Received::NotKept);
        }
        self.touch(did);
        let received = match self.chain_of(log, &did).admit(entry.signed_header(), operations)? {
            Admitted::Extended | Admitted::OnPath { .. } => Received::Kept,
            Admitted::Known => Received::Known,
            Admitted::Waiting => Received::Waiting,
            Admitted::Beyond => Received::NotKept,
            Admitted::Forked { other, .. } => {
                let other = self.header(&other).copied();
                if let Some(proof) = other.and_then(|other| ForkProof::new(other, *entry.signed_header())) {
                    self.note_fork(proof);
                }
                Received::Forked
            }
        };
        if matches!(received, Received::Kept | Received::Known) {
            self.headers.insert(entry.id(), Box::new(*entry.signed_header()));
            self.read(entry, verify);
            return Ok(received);
        }
        if self.facts.get(&entry.id()).is_some_and(|fact| self.is_kept(fact)) {
            return Ok(Received::Known);
        }
        let counts_alone = self.confirmations.is_confirmed(&self.history, &entry.id());
        if counts_alone || self.changes_keys(entry, verify) {
            self.headers.insert(entry.id(), Box::new(*entry.signed_header()));
            self.read(entry, verify);
            return Ok(Received::Kept);
        }
        Ok(if is_new_opening { Received::Kept } else { received })
    }

    /// The log of an identity, begun and ended as its statements say.
    pub(super) fn chain_of(&mut self, log: LogId, did: &Did) -> &mut Chain {
        let is_new = !self.chains.contains_key(&log);
        self.chains.entry(log).or_insert_with(|| Chain::new(log));
        if is_new {
            self.end_logs(did);
        }
        self.chains.get_mut(&log).expect("it was put there")
    }

    /// Takes an entry with what makes it count by itself: its opening and its receipts or path.
    pub fn admit_alone(
        &mut self,
        opening: &Entry,
        entry: &Entry,
        receipts: Vec<Receipt>,
        paths: Vec<ProvenPath>,
    ) -> Result<Received, EntryRejection> {
        for receipt in receipts {
            self.add_receipt(receipt);
        }
        for path in paths {
            self.add_path(entry.id(), path);
        }
        self.admit(opening, 0)?;
        self.admit(entry, 0)
    }

    /// Takes entry 0 of a facts log: who it is of and what it may. It proves itself and is kept permanently. Returns whether
    /// it was new.
    fn add_opening(&mut self, entry: &Entry, verify: Verify) -> Result<bool, EntryRejection> {
        let (topic, log) = (self.topic(), entry.header().log);
        if self.openings.contains_key(&log.opening) {
            return Ok(false);
        }
        let opening = match verify {
            Verify::Before => Opening::decode_unverified(&topic, entry.body())?,
            Verify::Now => Opening::decode_for(&topic, &log.device, entry.body())?,
        };
        let did = opening.did();
        let statements = self.statements.entry(did).or_insert_with(|| Statements::new(&topic, *opening.inception()));
        add_statements(statements, &opening);
        self.authorities.entry(did).or_default().insert(log.opening);
        self.openings.insert(log.opening, opening);
        self.touch(did);
        self.opening_entries.insert(log.opening, entry.id());
        self.end_logs(&did);
        Ok(true)
    }

    /// Whether an entry says a statement about keys and devices. Those are signed by the identity key, so it does not matter
    /// in which log and at which place they are said.
    fn changes_keys(&self, entry: &Entry, verify: Verify) -> bool {
        let Some(Ok(fact)) = self.effect_as(entry, verify) else { return false };
        self.is_of_identity(&fact)
    }

    /// Whether a statement about keys is by a key of its identity, so that it counts wherever it was said.
    pub fn is_of_identity(&self, fact: &Fact) -> bool {
        let Body::Statement(signed, _) = &fact.body else { return false };
        Self::is_about_keys(fact) && self.statements.get(&fact.did).is_some_and(|statements| statements.accept(signed))
    }

    /// Whether a fact says something of keys and devices.
    pub fn is_about_keys(fact: &Fact) -> bool {
        use Statement::{DeviceAdd, DeviceRevoke, NewWords, Rotate};
        matches!(fact.statement(), Some(DeviceAdd(_) | DeviceRevoke(_) | NewWords(_) | Rotate(_)))
    }

    /// Reads what a kept entry says. Without effect it says nothing, and stays.
    fn read(&mut self, entry: &Entry, verify: Verify) {
        let Some(Ok(mut fact)) = self.effect_as(entry, verify) else { return };
        if let Body::Opening(opening) = &mut fact.body
            && let Some(known) = self.openings.get(&fact.log.opening)
        {
            // The same, and what it says is in memory once.
            **opening = known.clone();
        }
        let (did, name, is_about_keys) = (fact.did, name_of(&fact), Self::is_about_keys(&fact));
        if let Body::Statement(signed, devices) = &fact.body {
            let statements = self.statements.get_mut(&fact.did).expect("its opening was added");
            statements.add(signed, devices, Some(fact.id));
        }
        let id = fact.id;
        self.facts.add(fact);
        self.touch_successors(&id);
        name.into_iter().for_each(|name| self.notice_holder(name));
        if is_about_keys {
            self.end_logs(&did);
        }
    }

    /// Why an entry has no effect, or the fact that it is.
    pub fn effect(&self, entry: &Entry) -> Option<Result<Fact, NoEffect>> {
        self.effect_as(entry, self.verify())
    }

    fn effect_as(&self, entry: &Entry, verify: Verify) -> Option<Result<Fact, NoEffect>> {
        let log = &entry.header().log;
        let opening = self.opening(log)?;
        // The entry that an opening came in was verified when it was added.
        let was_added = self.opening_entry(&log.opening) == Some(entry.id());
        let verify = if was_added { Verify::Before } else { verify };
        Some(Fact::read(&self.topic(), entry, opening, verify))
    }
}
