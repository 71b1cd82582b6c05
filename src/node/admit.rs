//! Admission: changes of any owner are verified, applied to their documents, stored, and only then shown.
//!
//! A page of changes that a peer sends, e.g. 500 changes of 80 owners, takes this way:
//!
//! ```text
//!   verify_all      signature and form of each, off the write lock     forged: refused, counted against the peer
//!   in slices of 64 owners, each under the write lock:
//!     admit_to      place, size, every operation; apply to the document
//!                     Applied │ Known │ Waiting for what it depends on │ refused │ Fork: two changes for one place
//!     commit        one batch for the slice
//!     update_read_model
//!   pause           other writes, and the page, come between two slices
//! ```
//!
//! A bad change harms no other: it is refused, and the rest of its document goes on. A change that waits is not stored,
//! since its peer will send it again. Of a fork both changes are stored as the proof, and the document admits nothing
//! more.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::context::Context;
use crate::errors;
use crate::key_store::KeyStore;
use crate::registry::{Registry, change_key, person_write};
use crate::replication::fork_prefix;
use crate::store::records::{StoredRecord, put};
use crate::store::{Batch, Durability, StoreError, Table};
use crate::time_slice::TimeSlice;
use crate::verified::Verified;
use gen_registry_api::Failure;
use gen_registry_core::document::{Admitted, ChangeError, ChangeRejection, Document, SignedChange, VerifiedChange};
use gen_registry_core::identity::Identity;
use gen_registry_core::read_model::PersonRecord;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::session::Verdict;

/// Documents that are admitted between two commits and pauses.
const ADMIT_SLICE: usize = 64;

/// What became of changes that arrived from elsewhere.
#[derive(Debug, Default)]
pub struct AdmissionReport {
    /// New to this node.
    pub admitted: usize,
    /// The number of admitted changes of each owner.
    pub brought: BTreeMap<Identity, u64>,
    /// Changes that were stored here already.
    pub known: usize,
    /// Waiting for what they depend on; not stored.
    pub waiting: usize,
    /// Changes that broke a rule.
    pub refused: Vec<RefusedChange>,
    /// What became of each change, in the order in which they were given.
    pub verdicts: Vec<Verdict>,
}

/// A change that was not taken in, and why. It changed nothing.
#[derive(Debug)]
pub enum RefusedChange {
    /// Its signature or form is wrong; its owner need not have sent it.
    Invalid { owner: Identity, why: ChangeError },
    /// Its owner signed it, and it breaks a rule of the document.
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

impl RefusedChange {
    /// Returns the rule of the protocol that its sender broke.
    pub fn rule(&self) -> Rejection {
        match self {
            Self::Invalid { why: ChangeError::Forged, .. } => Rejection::Forged,
            Self::Invalid { .. } => Rejection::BadChange,
            Self::Rejected { why: ChangeRejection::Fork(_), .. } => Rejection::Fork,
            Self::Rejected { .. } => Rejection::Refused,
        }
    }

    /// Returns what a refused change says of its owner, who signed it, whichever peer sent it.
    pub(crate) fn fault_of_owner(&self) -> Option<(Identity, Rejection)> {
        match self {
            Self::Invalid { .. } => None,
            Self::Rejected { owner, why: ChangeRejection::Fork(_) } => Some((*owner, Rejection::Forged)),
            Self::Rejected { owner, .. } => Some((*owner, Rejection::Refused)),
        }
    }
}

/// The service through which changes of any owner are admitted.
pub struct Admission {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    verified: RefCell<Rc<Verified>>,
}

impl Admission {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, registry: Rc<Registry>) -> Self {
        Self { context, keys, registry, verified: RefCell::default() }
    }

    /// Shares the memory of verified signatures with other profiles of this process, for simulations.
    pub fn share_verified(&self, verified: Rc<Verified>) {
        *self.verified.borrow_mut() = verified;
    }

    /// Admits changes of any owners, in slices. Fails only if the store does; slices before that remain admitted.
    pub async fn admit(&self, changes: Vec<SignedChange>) -> Result<AdmissionReport, Failure> {
        let (mut report, owners) = self.verify_all(changes).await;
        for slice in owners.chunks(ADMIT_SLICE) {
            {
                // The own document may be among them, and a command may be writing it.
                let _one_at_a_time = self.registry.begin_write().await;
                self.admit_slice(slice, Durability::Relaxed, &mut report).await?;
            }
            self.context.environment.yield_now().await;
        }
        Ok(report)
    }

    /// As [`Admission::admit`], for a command that has the writing lock already and brings the person's own changes.
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
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        for (number, change) in changes.into_iter().enumerate() {
            time_slice.yield_if_spent().await;
            let owner = change.owner;
            report.verdicts.push(Verdict::Known);
            match verified.verify(change, &self.context.network.topic) {
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
        let generation = self.registry.cache().generation();
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        for (owner, changes) in slice {
            time_slice.yield_if_spent().await;
            documents.extend(self.admit_to(owner, changes, report, &mut batch, &mut records).await?);
        }
        self.context.records.commit(batch, durability).await.map_err(errors::store_failed)?;
        // Only now are they what the store holds.
        self.registry.cache().put_all(documents, generation);
        self.registry.update_read_model(records);
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
        if self.registry.is_forked(owner) {
            report.known += changes.len();
            return Ok(None);
        }
        let resident = self.registry.cache().take(owner);
        let mut document = match resident {
            Some(document) => document,
            None if self.registry.is_unknown(owner) => Document::new(*owner),
            None => self.registry.load_document(owner).await.map_err(errors::store_failed)?,
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
            let (writes, mut record) = self.registry.document_writes(&document, before, &applied);
            batch.extend(writes);
            if !proof.is_empty() {
                record.forked = true;
                batch.push(person_write(&record));
                batch.extend(proof);
            }
            records.push(record);
        }
        if self.keys.identity() == Some(*owner) {
            self.registry.forget_own();
            self.registry.observers().iter().for_each(|observer| observer.own_document_changed());
            return Ok(None);
        }
        // What waits is not stored, and a fork or a refusal is no time for shortcuts.
        let clean = !document.has_waiting() && report.refused.len() == refused_before;
        Ok(clean.then_some(document))
    }

    /// What is stored to prove that `change` and another one of its place were both signed. The other is among
    /// `arrived` or in the store.
    pub(super) async fn fork_proof(
        &self,
        change: &VerifiedChange,
        arrived: &[(usize, VerifiedChange)],
    ) -> Result<Batch, StoreError> {
        let owner = change.owner();
        let arrived = arrived.iter().map(|(_, other)| other);
        let twin = arrived
            .filter(|other| other.id() == change.id() && *other != change)
            .map(gen_registry_core::document::VerifiedChange::signed);
        let twin = match twin.into_iter().find(|other| other.bytes != change.signed().bytes) {
            Some(twin) => Some(twin.clone()),
            None => match self.context.records.get(Table::Changes, &change_key(&owner, change.id())).await? {
                StoredRecord::Record(twin) => Some(twin),
                StoredRecord::Nothing | StoredRecord::Damaged(_) => None,
            },
        };
        let prove =
            |(at, change): (usize, &SignedChange)| put(Table::Changes, &format!("{}{at}", fork_prefix(&owner)), change);
        Ok(twin.iter().flat_map(|twin| [twin, change.signed()]).enumerate().map(prove).collect())
    }
}
