//! Admission: what peers bring is verified, admitted, stored and shown.
//!
//! A page of pieces, e.g. 200 entries of 80 identities with their receipts, takes this way, under the write lock:
//!
//! ```text
//!   admit          each piece by itself: form, signature, place     forged: counted against the peer
//!   documents      of identities whose changes logs went on, or ended: built again as far as it is needed; those of
//!                  strangers were prepared by a worker, as far as one page has all of them
//!   commit         entries, receipts, proofs and records in one batch
//!   update         what is shown
//!   pause          other writes come between two pages
//! ```
//!
//! Pages of many peers wait for each other before they wait for the lock, so a write of the person, and the few pieces that
//! an honest change has, come after the page that is being admitted and not after all of them.
//!
//! What is compared with peers is computed page by page, too: after a thousand pages it would take long.
//! The first two steps are done in time slices, between which the page draws.
//!
//! A bad piece harms no other. A piece that waits for something else is not stored; its peer sends it again.
//!
//! If the store refuses the batch, the read model has more than the disk until the next start, which reads the disk. Peers
//! send the rest again.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use async_lock::Mutex;

use crate::context::Context;
use crate::documents::{self, ChangeBody};
use crate::entries;
use crate::errors;
use crate::key_store::KeyStore;
use crate::registry::{Changed, Registry, person_write};
use crate::store::{Batch, Durability};
use crate::time_slice::TimeSlice;
use gen_registry_api::Failure;
use gen_registry_core::document::{Document, count_operations};
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Entry, EntryId, Opening};
use gen_registry_core::network::SignedSetChange;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::sync::exchange::{self, Outcome, PreparedDocument, PreparedPage};

/// Pieces between two looks at the clock: their signatures take 4 ms in the slowest of browsers.
const PIECES_AT_ONCE: usize = 8;
/// Pieces that are no page yet, which would wait for others: an edit or a claim with its receipts has fewer. They take about
/// as long as a slice.
const FEW_PIECES: usize = 2 * PIECES_AT_ONCE;

/// What became of pieces that arrived from elsewhere.
#[derive(Debug, Default)]
pub struct AdmissionReport {
    /// What the exchange is told of it.
    pub outcome: Outcome,
    /// The identities of whom something is new, with the number of entries.
    pub brought: BTreeMap<Did, u64>,
    /// Everybody of whom something is new, receipts among it.
    pub people: BTreeSet<Did>,
}

/// The service through which what others bring is admitted.
pub struct Admission {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    /// Held by the one page that is admitted, or waits for the write lock.
    page: Mutex<()>,
}

impl Admission {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, registry: Rc<Registry>) -> Self {
        Self { context, keys, registry, page: Mutex::new(()) }
    }

    /// Admits pieces of any identities. Fails only if the store does.
    pub async fn admit(&self, pieces: Vec<Piece>) -> Result<AdmissionReport, Failure> {
        self.admit_prepared(pieces, PreparedPage::default()).await
    }

    /// As [`Admission::admit`], for a page that was prepared ([`exchange::prepare_page`]).
    pub async fn admit_prepared(&self, pieces: Vec<Piece>, prepared: PreparedPage) -> Result<AdmissionReport, Failure> {
        // Until after the pause, so that who waits for the write lock comes before the next page.
        let _one_page = if pieces.len() > FEW_PIECES { Some(self.page.lock().await) } else { None };
        let report = {
            // The own log may be among them, and a command may be writing it.
            let _one_at_a_time = self.registry.begin_write().await;
            self.admit_all(pieces, prepared, Durability::Relaxed).await?
        };
        self.context.environment.yield_now().await;
        Ok(report)
    }

    /// As [`Admission::admit`], for a command that has the writing lock already.
    pub(crate) async fn admit_while_writing(
        &self,
        pieces: Vec<Piece>,
        durability: Durability,
    ) -> Result<AdmissionReport, Failure> {
        self.admit_all(pieces, PreparedPage::default(), durability).await
    }

    async fn admit_all(
        &self,
        pieces: Vec<Piece>,
        prepared: PreparedPage,
        durability: Durability,
    ) -> Result<AdmissionReport, Failure> {
        let outcome = self.admit_pieces(&pieces, &prepared.valid).await;
        let mut report = AdmissionReport { outcome, ..AdmissionReport::default() };
        if !report.outcome.has_news {
            return Ok(report);
        }
        let mut changed = self.concerned(&report.outcome);
        report.people.clone_from(&changed.people);
        let mut batch: Batch = Vec::new();
        for entry in &report.outcome.kept {
            let Some(did) = self.did_of(entry) else { continue };
            *report.brought.entry(did).or_default() += 1;
            batch.extend(entries::entry_writes(&did, entry, operations_of(entry).unwrap_or(0)));
            if entry.header().log.are_facts() {
                changed.facts.entry(did).or_default().insert(entry.id());
            }
        }
        batch.extend(self.evidence_writes(&report.outcome));
        let generation = self.registry.cache().generation();
        let mut documents = Vec::new();
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        let kept = self.kept_by_identity(&report.outcome);
        let prepared: BTreeMap<&Did, &PreparedDocument> =
            prepared.documents.iter().map(|document| (document.did(), document)).collect();
        for did in self.with_documents(&report.outcome) {
            let entries = kept.get(&did).map_or(&[][..], Vec::as_slice);
            let prepared = prepared.get(&did).filter(|prepared| self.is_all_of(prepared, entries));
            if let Some(record) = prepared.and_then(|prepared| self.registry.new_person_record(prepared)) {
                batch.push(person_write(&record));
                changed.records.push(record);
                continue;
            }
            let document = self.rebuild_document(&did, entries).await?;
            time_slice.yield_if_spent().await;
            let record = self.registry.person_record(did, &document);
            batch.push(person_write(&record));
            changed.records.push(record);
            documents.push((did, document));
        }
        self.context.commit(batch, durability).await?;
        self.registry.store_known_holders().await?;
        for (did, mut document) in documents {
            self.registry.prune(&did, &mut document).await;
            self.registry.cache().put(did, document, generation);
        }
        if self.keys.identity().is_some_and(|own| changed.people.contains(&own)) {
            self.registry.observers().iter().for_each(|observer| observer.own_document_changed());
        }
        self.registry.update(changed);
        Ok(report)
    }

    /// Admits pieces to the read model, in time slices.
    async fn admit_pieces(&self, pieces: &[Piece], valid: &[bool]) -> Outcome {
        let mut outcome = Outcome::default();
        let mut time_slice = TimeSlice::begin(&*self.context.environment);
        let valid = valid.chunks(PIECES_AT_ONCE).chain(std::iter::repeat(&[][..]));
        for (some, valid) in pieces.chunks(PIECES_AT_ONCE).zip(valid) {
            outcome.append(self.admit_now(some, valid));
            time_slice.yield_if_spent().await;
        }
        self.registry.read_model().registry().settle_states();
        outcome
    }

    fn admit_now(&self, pieces: &[Piece], valid: &[bool]) -> Outcome {
        let mut read_model = self.registry.read_model_mut();
        exchange::admit_verified(read_model.registry_mut(), pieces, valid, operations_of)
    }

    /// Follows changes of the witness set that a peer or server brought, and stores them. Returns whether all were good.
    pub async fn follow(&self, changes: &[Vec<u8>]) -> Result<bool, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let topic = self.context.network.topic;
        let (mut batch, mut is_good): (Batch, bool) = (Vec::new(), true);
        let mut changed = Changed::default();
        {
            let mut read_model = self.registry.read_model_mut();
            for bytes in changes {
                let Ok(change) = SignedSetChange::decode(&topic, bytes) else {
                    is_good = false;
                    break;
                };
                let known = read_model.registry().history().number();
                if change.change().number <= known {
                    continue;
                }
                let write = entries::set_change_write(&change);
                match read_model.registry_mut().follow(change) {
                    Ok(()) => batch.push(write),
                    Err(error) => {
                        tracing::warn!(%error, "a change of the witness set is not followed");
                        break;
                    }
                }
            }
            if !batch.is_empty() {
                changed.names.extend(read_model.registry().facts().names().cloned());
            }
        }
        if !batch.is_empty() {
            self.context.commit(batch, Durability::Strict).await?;
            self.registry.store_known_holders().await?;
            self.registry.observers().iter().for_each(|observer| observer.set_changed());
            self.registry.update(changed);
        }
        Ok(is_good)
    }

    /// The names and people that what was new concerns.
    fn concerned(&self, outcome: &Outcome) -> Changed {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let mut changed = Changed::default();
        for entry in &outcome.kept {
            changed.names.extend(registry.names_concerned(&entry.id()));
            changed.people.extend(registry.opening(&entry.header().log).map(Opening::did));
        }
        for entry in &outcome.confirmed {
            let Some(fact) = registry.facts().get(entry) else { continue };
            changed.names.extend(registry.names_concerned(entry));
            changed.people.insert(fact.did);
            changed.facts.entry(fact.did).or_default().insert(*entry);
        }
        for log in &outcome.forked {
            let Some(did) = registry.opening(log).map(Opening::did) else { continue };
            changed.names.extend(registry.names_of(&did));
            changed.people.insert(did);
        }
        changed
    }

    fn did_of(&self, entry: &Entry) -> Option<Did> {
        self.registry.read_model().registry().opening(&entry.header().log).map(Opening::did)
    }

    /// What is stored of receipts, paths and forks that pieces brought.
    fn evidence_writes(&self, outcome: &Outcome) -> Batch {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let mut batch: Batch = Vec::new();
        for entry in &outcome.confirmed {
            let known = registry.confirmations();
            batch.extend(known.present_receipts_of(registry.history(), entry).map(entries::receipt_write));
            batch.extend(known.paths_of(entry).map(|path| entries::path_write(entry, path)));
        }
        for log in &outcome.forked {
            batch.extend(registry.fork_of(log).map(entries::fork_write));
        }
        batch
    }

    /// The identities whose documents may have changed: their changes logs went on, or their devices did.
    fn with_documents(&self, outcome: &Outcome) -> BTreeSet<Did> {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let mut dids: BTreeSet<Did> = BTreeSet::new();
        for entry in &outcome.kept {
            let log = entry.header().log;
            let changes_keys = registry.facts().get(&entry.id()).is_some_and(|fact| fact.statement().is_some());
            if !log.are_facts() || changes_keys {
                dids.extend(registry.opening(&log).map(Opening::did));
            }
        }
        let statements = outcome.confirmed.iter().filter_map(|entry| registry.facts().get(entry));
        dids.extend(statements.filter(|fact| fact.statement().is_some()).map(|fact| fact.did));
        dids.extend(outcome.forked.iter().filter_map(|log| registry.opening(log).map(Opening::did)));
        dids
    }

    /// The entries that were kept, by their identities.
    fn kept_by_identity<'a>(&self, outcome: &'a Outcome) -> BTreeMap<Did, Vec<&'a Entry>> {
        let mut kept: BTreeMap<Did, Vec<&Entry>> = BTreeMap::new();
        for entry in &outcome.kept {
            if let Some(did) = self.did_of(entry) {
                kept.entry(did).or_default().push(entry);
            }
        }
        kept
    }

    /// Returns an identity's document with its entries that were kept just now, and without those that are out of effect.
    async fn rebuild_document(&self, did: &Did, kept: &[&Entry]) -> Result<Document, Failure> {
        let mut document = match self.is_new(did, kept) {
            true => Document::default(),
            false => self.registry.document(did).await.map_err(errors::store_failed)?,
        };
        let mut bodies: Vec<ChangeBody> = Vec::new();
        for entry in kept.iter().filter(|entry| !entry.header().log.are_facts()) {
            let body = documents::with_data(&self.context, *entry.signed_header(), entry.body().to_vec());
            bodies.push(body.await.map_err(errors::store_failed)?);
        }
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        for body in bodies {
            body.give(registry, &mut document);
        }
        document.retain(|entry| registry.is_in_effect(entry));
        Ok(document)
    }

    /// Returns whether a prepared document is complete: the identity was unknown, and its only changes are these entries, all in
    /// effect.
    fn is_all_of(&self, prepared: &PreparedDocument, kept: &[&Entry]) -> bool {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let changes: Vec<EntryId> =
            kept.iter().filter(|entry| !entry.header().log.are_facts()).map(|entry| entry.id()).collect();
        self.is_new(prepared.did(), kept)
            && registry.opening_entries_of(prepared.did()).eq([prepared.opening()])
            && prepared.is_made_of(&changes)
            && changes.iter().all(|entry| registry.is_in_effect(entry))
    }

    /// Whether nothing of an identity was here before these entries, so that nothing of it is stored.
    fn is_new(&self, did: &Did, kept: &[&Entry]) -> bool {
        let read_model = self.registry.read_model();
        let mut openings = read_model.registry().opening_entries_of(did);
        openings.all(|opening| kept.iter().any(|entry| entry.id() == *opening))
    }
}

/// The operations that a change announces, counted before anything of it is decoded; `None` for what has not the form of
/// a change.
fn operations_of(entry: &Entry) -> Option<u64> {
    if entries::is_change(entry) { count_operations(entry.body()).ok() } else { Some(0) }
}
