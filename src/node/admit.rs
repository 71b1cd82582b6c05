//! Taking in: documents from the store, changes of any owner from elsewhere, and telling whom it concerns.

use std::collections::{BTreeMap, BTreeSet};

use crate::Node;
use crate::errors;
use crate::modules::modules_touched;
use crate::notices::RecordDiff;
use crate::store::records::{Damaged, StoredRecord, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};
use crate::time_slice::TimeSlice;
use gen_registry_api::*;
use gen_registry_core::digest::{Digest, block_cid, bytes_from_hex, hex};
use gen_registry_core::document::{
    Admitted, ChangeError, ChangeId, ChangeRejection, Document, SignedChange, Snapshot, StoredChange, VerifiedChange,
};
use gen_registry_core::fact::SignedFact;
use gen_registry_core::identity::Identity;
use gen_registry_core::limits::BLOCK_MAX_BYTES;
use gen_registry_core::name::Username;
use gen_registry_core::read_model::{PersonRecord, ReadModel};
use gen_registry_core::sync::session::Verdict;
use gen_registry_core::time::Timestamp;

/// After so many changes a document is stored in one piece again.
const SNAPSHOT_EVERY: usize = 32;
/// Documents admitted between two pauses and commits.
const ADMIT_SLICE: usize = 64;

/// What came of changes that arrived from elsewhere.
#[derive(Debug, Default)]
pub struct AdmissionReport {
    /// New to this node.
    pub admitted: usize,
    /// Of those, how many of whose.
    pub brought: BTreeMap<Identity, u64>,
    pub known: usize,
    /// Waiting for what they depend on; not stored.
    pub waiting: usize,
    pub refused: Vec<RefusedChange>,
    /// What became of each change, in the order in which they were given.
    pub verdicts: Vec<Verdict>,
}

/// A change that was not taken in, and why. It changed nothing.
#[derive(Debug)]
pub enum RefusedChange {
    Invalid { owner: Identity, why: ChangeError },
    Rejected { owner: Identity, why: ChangeRejection },
}

/// A change and where it stood among those that were given.
type Numbered = (usize, VerifiedChange);

impl AdmissionReport {
    fn refuse(&mut self, number: usize, refused: RefusedChange) {
        self.verdicts[number] = Verdict::Rejected(refused.rule());
        self.refused.push(refused);
    }
}

impl Node {
    /// A document from its last snapshot and the signed changes that came after. What is damaged is set aside.
    pub(super) async fn load_document(&self, owner: &Identity) -> Result<Document, StoreError> {
        let mut document = Document::new(*owner);
        match self.records.get::<Snapshot>(Table::Documents, &owner.to_hex()).await? {
            StoredRecord::Record(snapshot) => match Document::load(*owner, &snapshot) {
                Ok(loaded) => document = loaded,
                Err(error) => tracing::warn!(%error, "a snapshot can't be read; replaying the changes"),
            },
            StoredRecord::Nothing => {}
            StoredRecord::Damaged(damaged) => self.quarantine(&damaged).await,
        }
        let (changes, damaged) =
            self.records.all::<StoredChange>(Table::Changes, &format!("{}/", owner.to_hex())).await?;
        for found in &damaged {
            self.quarantine(found).await;
        }
        for (key, change) in changes {
            let admitted = change
                .of(*owner)
                .decode_unverified()
                .map_err(|error| error.to_string())
                .and_then(|change| document.admit(change).map_err(|error| error.to_string()));
            if let Err(error) = admitted {
                tracing::error!(%key, %error, "a stored change is not taken in");
            }
        }
        Ok(document)
    }

    /// Folds a person again from their signed changes, when the read model's record was lost.
    pub(super) async fn rebuild(&self, key: &str) {
        let Ok(bytes) = bytes_from_hex(key) else { return };
        let Ok(owner) = Identity::from_bytes(&bytes) else { return };
        match self.load_document(&owner).await {
            Ok(document) if document.changes() > 0 => {
                let record = self.person_record(&document, self.now());
                if let Err(error) = self.records.commit(vec![person_write(&record)], Durability::Relaxed).await {
                    tracing::error!(%error, "a rebuilt person could not be stored");
                }
                self.update_read_model(vec![record]);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a person could not be rebuilt"),
        }
    }

    /// Everything that is stored about a document after `added` came to it; `before` is how many changes it had.
    pub(super) fn document_writes(
        &self,
        document: &Document,
        before: usize,
        added: &[VerifiedChange],
    ) -> (Batch, PersonRecord) {
        let record = self.person_record(document, self.now());
        let mut batch: Batch = added.iter().map(change_write).collect();
        batch.push(person_write(&record));
        if before / SNAPSHOT_EVERY != document.changes() / SNAPSHOT_EVERY {
            batch.push(put(Table::Documents, &document.owner().to_hex(), &document.snapshot()));
        }
        (batch, record)
    }

    fn person_record(&self, document: &Document, now: Timestamp) -> PersonRecord {
        let owner = document.owner();
        let state = self.state.borrow();
        let mut record = state.index.person(&owner).cloned().unwrap_or_else(|| PersonRecord::new(owner));
        let known = record.facts.iter().map(SignedFact::hash).collect();
        let view = document.view_beyond(&self.network.topic, &known);
        record.profile = view.profile;
        record.shelf = view.shelf;
        record.add_facts(view.facts);
        record.heads = document.heads();
        record.changes = document.changes() as u64;
        record.bytes = document.bytes() as u64;
        record.updated_at = now;
        record.changed_at = Some(document.changed_at());
        record
    }

    /// Puts records into the read model and tells whom it concerns.
    pub(super) fn update_read_model(&self, records: Vec<PersonRecord>) {
        let own = self.identity();
        let named = |node: &Self| own.and_then(|own| node.state.borrow().index.username_of(&own).cloned());
        let before = named(self);
        let mine = records.iter().find(|record| Some(record.identity) == own);
        if let Some(newest) = mine.and_then(PersonRecord::newest_claim) {
            let mut state = self.state.borrow_mut();
            state.not_before = state.not_before.max(newest);
        }
        let now = self.now();
        let mut touched: BTreeSet<Identity> = BTreeSet::new();
        let mut conflicts = Vec::new();
        let mut modules = BTreeSet::new();
        let (mut news, listens) = (Vec::new(), self.listens_for_news());
        for record in records {
            let mut state = self.state.borrow_mut();
            let known = state.index.person(&record.identity);
            modules.extend(modules_touched(known, &record));
            if listens {
                news.extend(RecordDiff::between(known, &record));
            }
            let (who, before) = (record.identity, conflicts_of(&state.index, &record.identity));
            touched.extend(state.index.put(record, now));
            let after = conflicts_of(&state.index, &who);
            conflicts.extend(after.into_iter().filter(|(loser, _)| !before.contains_key(loser)).map(|(_, name)| name));
        }
        conflicts.into_iter().for_each(|name| self.tell_conflict(&name));
        if !modules.is_empty() {
            self.searching.note_modules(&modules);
            self.tell(&Event::ModulesChanged { names: modules.iter().map(ToString::to_string).collect() });
        }
        self.emit_changes(touched, before.filter(|_| named(self).is_none()));
        self.notice(news);
    }

    fn tell_conflict(&self, name: &Username) {
        let report = self.look_up(name.as_str());
        let holder = report.holder.map(|holder| holder.did);
        let losers: BTreeSet<String> = report.losers.into_iter().map(|loser| loser.did).collect();
        self.tell(&Event::Conflict { name: name.to_string(), holder, losers: losers.into_iter().collect() });
    }

    /// Claims whose date has come begin to count.
    pub(super) fn activate_due_claims(&self) {
        let own = self.identity();
        let named = |node: &Self| own.and_then(|own| node.state.borrow().index.username_of(&own).cloned());
        let before = named(self);
        let touched = self.state.borrow_mut().index.advance(self.now());
        self.emit_changes(touched, before.filter(|_| named(self).is_none()));
    }

    fn emit_changes(&self, mut touched: BTreeSet<Identity>, lost: Option<Username>) {
        self.searching.note_people(&touched);
        if self.identity().is_some_and(|own| touched.remove(&own)) {
            self.tell(&Event::MeChanged);
        }
        if let Some(lost) = lost.and_then(|name| self.lost_name(&name)) {
            self.tell(&Event::NameLost { lost });
        }
        let mut dids: Vec<String> = touched.iter().map(Identity::to_string).collect();
        dids.extend(self.identity().map(|own| own.to_string()));
        self.tell(&Event::PeopleChanged { dids });
    }

    /// Takes in changes of any owners, in slices. Each is verified first; a bad one harms no other.
    pub async fn admit(&self, changes: Vec<SignedChange>) -> Result<AdmissionReport, Failure> {
        let (mut report, owners) = self.verify_all(changes).await;
        for slice in owners.chunks(ADMIT_SLICE) {
            {
                // The own document may be among them, and a command may be writing it.
                let _one_at_a_time = self.writing.lock().await;
                self.admit_slice(slice, Durability::Relaxed, &mut report).await?;
            }
            self.environment.yield_now().await;
        }
        Ok(report)
    }

    /// As [`Node::admit`], for a command that has the writing lock already and brings the person's own changes.
    pub(super) async fn admit_while_writing(&self, changes: Vec<SignedChange>) -> Result<AdmissionReport, Failure> {
        let (mut report, owners) = self.verify_all(changes).await;
        for slice in owners.chunks(ADMIT_SLICE) {
            self.admit_slice(slice, Durability::Strict, &mut report).await?;
        }
        Ok(report)
    }

    /// Signatures and forms, before anything is touched; the good ones by owner.
    async fn verify_all(&self, changes: Vec<SignedChange>) -> (AdmissionReport, Vec<(Identity, Vec<Numbered>)>) {
        let mut report = AdmissionReport::default();
        let mut by_owner: BTreeMap<Identity, Vec<Numbered>> = BTreeMap::new();
        let verified = self.verified.borrow().clone();
        let mut turn = TimeSlice::begin(&*self.environment);
        for (number, change) in changes.into_iter().enumerate() {
            turn.yield_if_spent().await;
            let owner = change.owner;
            report.verdicts.push(Verdict::Known);
            match verified.verify(change, &self.network.topic) {
                Ok(verified) => by_owner.entry(owner).or_default().push((number, verified)),
                Err(why) => report.refuse(number, RefusedChange::Invalid { owner, why }),
            }
        }
        (report, by_owner.into_iter().collect())
    }

    async fn admit_slice(
        &self,
        slice: &[(Identity, Vec<Numbered>)],
        durability: Durability,
        report: &mut AdmissionReport,
    ) -> Result<(), Failure> {
        let (mut batch, mut records, mut documents) = (Vec::new(), Vec::new(), Vec::new());
        let generation = self.document_cache.borrow().generation();
        let mut turn = TimeSlice::begin(&*self.environment);
        for (owner, changes) in slice {
            turn.yield_if_spent().await;
            documents.extend(self.admit_to(owner, changes, report, &mut batch, &mut records).await?);
        }
        self.records.commit(batch, durability).await.map_err(errors::store_failed)?;
        // Only now are they what the store holds.
        self.document_cache.borrow_mut().put_all(documents, generation);
        self.update_read_model(records);
        Ok(())
    }

    async fn admit_to(
        &self,
        owner: &Identity,
        changes: &[Numbered],
        report: &mut AdmissionReport,
        batch: &mut Batch,
        records: &mut Vec<PersonRecord>,
    ) -> Result<Option<Document>, Failure> {
        // Nothing more comes of a document whose fork is proven.
        if self.state.borrow().index.person(owner).is_some_and(|person| person.forked) {
            report.known += changes.len();
            return Ok(None);
        }
        let document_cache = self.document_cache.borrow_mut().take(owner);
        let mut document = match document_cache {
            Some(document) => document,
            None if self.is_unknown(owner) => Document::new(*owner),
            None => self.load_document(owner).await.map_err(errors::store_failed)?,
        };
        let before = document.changes();
        let refused_before = report.refused.len();
        let mut waiting = BTreeMap::new();
        let mut applied = Vec::new();
        let mut fork = None;
        for (number, change) in changes {
            match document.admit(change.clone()) {
                Ok(Admitted::Applied { .. }) => applied.push((*number, change.clone())),
                Ok(Admitted::Waiting) => drop(waiting.insert(change.id().clone(), (*number, change.clone()))),
                Ok(Admitted::Known) => report.known += 1,
                Err(why) => {
                    if matches!(why, ChangeRejection::Fork(_)) {
                        fork = Some(change);
                    }
                    report.refuse(*number, RefusedChange::Rejected { owner: *owner, why });
                }
            }
        }
        // What waited and was applied in the end is stored; what still waits will be sent again.
        let (still, freed): (Vec<_>, Vec<_>) =
            waiting.into_values().partition(|(_, change)| document.is_waiting(change));
        applied.extend(freed.into_iter().filter(|(_, change)| document.is_known(change)));
        still.iter().for_each(|(number, _)| report.verdicts[*number] = Verdict::Waiting);
        applied.iter().for_each(|(number, _)| report.verdicts[*number] = Verdict::Admitted);
        report.waiting += still.len();
        report.admitted += applied.len();
        if !applied.is_empty() {
            *report.brought.entry(*owner).or_default() += applied.len() as u64;
        }
        let applied: Vec<VerifiedChange> = applied.into_iter().map(|(_, change)| change).collect();
        let proof = match fork {
            Some(change) => self.fork_proof(change, changes).await.map_err(errors::store_failed)?,
            None => Vec::new(),
        };
        if !applied.is_empty() || !proof.is_empty() {
            let (writes, mut record) = self.document_writes(&document, before, &applied);
            batch.extend(writes);
            if !proof.is_empty() {
                record.forked = true;
                batch.push(person_write(&record));
                batch.extend(proof);
            }
            records.push(record);
        }
        if self.identity() == Some(*owner) {
            self.state.borrow_mut().own = None;
            self.lists_due.set(true);
            return Ok(None);
        }
        // What waits is not stored, and a fork or a refusal is no time for shortcuts.
        let clean = !document.has_waiting() && report.refused.len() == refused_before;
        Ok(clean.then_some(document))
    }

    /// Stores blocks that came with a backup.
    pub(super) async fn keep_blocks(&self, blocks: &[serde_bytes::ByteBuf]) -> Result<(), Failure> {
        let write = |bytes: &serde_bytes::ByteBuf| put(Table::Blocks, &block_cid(bytes).to_string(), bytes);
        let batch = blocks.iter().filter(|bytes| bytes.len() <= BLOCK_MAX_BYTES).map(write).collect();
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)
    }

    /// The signed changes of the own document, as peers get them.
    pub async fn own_signed_changes(&self) -> Result<Vec<SignedChange>, Failure> {
        let own = self.identity().ok_or_else(errors::no_identity)?;
        self.own_changes(&own).await.map(|(changes, _)| changes)
    }

    /// Every signed change of the own document that can be read, and those that can't.
    pub(super) async fn own_changes(&self, own: &Identity) -> Result<(Vec<SignedChange>, Vec<Damaged>), Failure> {
        let found = self.records.all::<SignedChange>(Table::Changes, &format!("{}/", own.to_hex())).await;
        let (changes, damaged) = found.map_err(errors::store_failed)?;
        Ok((changes.into_iter().map(|(_, change)| change).collect(), damaged))
    }
}

/// The losing claims to names that a person claimed, too.
fn conflicts_of(index: &ReadModel, identity: &Identity) -> BTreeMap<Digest, Username> {
    let claims = index.claims_of(identity).into_iter();
    let rivals = claims.flat_map(|(_, name, _, name_state)| {
        let rivals = name_state
            .losers
            .iter()
            .filter(|loser| name_state.holder().is_some_and(|held| held.holder != loser.author));
        rivals.map(|loser| (loser.claim, name.clone()))
    });
    rivals.collect()
}

/// The key of a change: owner, writing session, number. Sorted, a session's changes stand in their order.
fn change_write(change: &VerifiedChange) -> Write {
    put(Table::Changes, &change_key(&change.owner(), change.id()), change.signed())
}

pub(super) fn change_key(owner: &Identity, place: &ChangeId) -> String {
    format!("{}/{}/{:08}", owner.to_hex(), hex(&place.actor), place.seq)
}

fn person_write(record: &PersonRecord) -> Write {
    put(Table::People, &record.identity.to_hex(), &record.to_stored())
}
