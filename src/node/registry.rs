//! The registry of one profile: the read model of all people's names and modules, and the documents behind it.
//!
//! Entries come in two ways: those of peers through [`Admission`](crate::admit::Admission), the person's own through
//! [`Registry::write`]. Own ones take these steps:
//!
//! ```text
//!   1  take the write lock                     one write at a time
//!   2  sign the entries                        facts after the head of the own facts log, edits in the changes log
//!   3  compute the person's record             from the document with the edits
//!   4  commit one batch, strictly              entries, record; for a command also its id, the keys, blocks
//!   5  admit them to the read model            what is shown is on the disk
//!   6  notify observers and listeners; announce to peers
//! ```
//!
//! If a step before the commit fails, nothing has changed: the document is dropped from memory and the batch is atomic.
//! After a crash between 4 and 5 the next start reads the entries, and a command that is sent again finds its id.
//!
//! The entries are the truth; records of people can be computed from them again ([`Registry::rebuild`]).

pub(crate) mod diff;
pub(crate) mod list_keys;
mod prune;
mod update;
mod write;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use async_lock::{Mutex, MutexGuard};

use crate::context::Context;
use crate::documents::{self, DocumentCache};
use crate::entries;
use crate::errors;
use crate::key_state::{KeyLine, Keys};
use crate::key_store::KeyStore;
use crate::registry::diff::RecordDiff;
use crate::store::records::{Damaged, Records, StoredRecord, put};
use crate::store::{Durability, StoreError, Table, Write};
use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::{Digest, bytes_from_hex, cid_of, hex};
use gen_registry_core::document::{Data, Document, ModuleAnnotations, ProfileFields};
use gen_registry_core::keys::{Did, PublicKey, SecretKey};
use gen_registry_core::log::{Chain, End, Entry, Opening, SignedHeader};
use gen_registry_core::name::ModuleName;
use gen_registry_core::network::NetworkHistory;
use gen_registry_core::outcome::NameKey;
use gen_registry_core::read_model::{PersonRecord, ReadModel};
use gen_registry_core::registry::Ask;
use gen_registry_core::standing::{DeviceState, Standing};
use gen_registry_core::statement::DEVICES_MAX;
use gen_registry_core::sync::exchange::wire::{PAGE_MAX_BYTES, Piece};
use gen_registry_core::sync::exchange::{Part, PreparedDocument, plan_answer};
pub(crate) use update::Changed;
pub(crate) use write::Draft;

/// Parts of an answer that are loaded at once: some 40 KiB, a sixth of a page.
const PARTS_AT_ONCE: usize = 128;

/// Receives the identity of every own change once it is stored.
pub type Announcer = Rc<dyn Fn(&Did)>;

/// What a change of the read model concerns, for services that derive something from it.
pub(crate) trait RegistryObserver {
    /// Called when these modules, and everything that these people hold, may be shown otherwise.
    fn names_changed(&self, _modules: &BTreeSet<ModuleName>, _people: &BTreeSet<Did>) {}

    /// Called when the states of these names may be others.
    fn states_changed(&self, _names: &BTreeSet<NameKey>) {}

    /// Called with what is new of people.
    fn records_changed(&self, _diffs: &[RecordDiff]) {}

    /// Called when another device of the person has written something.
    fn own_document_changed(&self) {}

    /// Called when the witness set is another one.
    fn set_changed(&self) {}
}

/// The service that owns the read model and the documents.
pub(crate) struct Registry {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    read_model: RefCell<ReadModel>,
    /// Documents that were used lately.
    cache: RefCell<DocumentCache>,
    /// Held while something is written: one write at a time.
    writing: Mutex<()>,
    /// Passes own changes to peers, once there is a way to them.
    announcer: RefCell<Option<Announcer>>,
    /// Weak: observers hold the registry.
    observers: RefCell<Vec<Weak<dyn RegistryObserver>>>,
}

/// Where a part of an answer is.
enum Found {
    Piece(Piece),
    /// In the store: the body of this header.
    Body(Box<(Did, SignedHeader)>),
}

/// The right to write. There is one at a time in a profile; dropping it lets the next write begin.
pub(crate) struct WriteGuard<'a>(#[expect(dead_code, reason = "held for its drop")] MutexGuard<'a, ()>);

impl crate::receipts::Known for Registry {
    fn with_registry(&self, read: &mut dyn FnMut(&gen_registry_core::registry::Registry)) {
        read(self.read_model().registry());
    }
}

impl Registry {
    /// Creates the registry around a read model that was read from the store.
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, read_model: ReadModel) -> Self {
        Self {
            context,
            keys,
            read_model: RefCell::new(read_model),
            cache: RefCell::default(),
            writing: Mutex::new(()),
            announcer: RefCell::default(),
            observers: RefCell::default(),
        }
    }

    /// Adds an observer for as long as it lives.
    pub(crate) fn observe<T: RegistryObserver + 'static>(&self, observer: &Rc<T>) {
        let observer: Rc<dyn RegistryObserver> = observer.clone();
        self.observers.borrow_mut().push(Rc::downgrade(&observer));
    }

    /// Returns the observers that still live.
    pub(crate) fn observers(&self) -> Vec<Rc<dyn RegistryObserver>> {
        self.observers.borrow().iter().filter_map(Weak::upgrade).collect()
    }

    /// Returns the read model. Not to be held across an await.
    pub(crate) fn read_model(&self) -> Ref<'_, ReadModel> {
        self.read_model.borrow()
    }

    /// Returns the read model to be changed, by who holds the write lock.
    pub(crate) fn read_model_mut(&self) -> RefMut<'_, ReadModel> {
        self.read_model.borrow_mut()
    }

    /// Waits until no other write is under way, and keeps others away until the guard is dropped.
    pub(crate) async fn begin_write(&self) -> WriteGuard<'_> {
        WriteGuard(self.writing.lock().await)
    }

    /// Has `announcer` called after every own change that is stored.
    pub(crate) fn announce_through(&self, announcer: Announcer) {
        *self.announcer.borrow_mut() = Some(announcer);
    }

    /// Passes on that something of an identity changed, if there is a network.
    pub(crate) fn announce(&self, did: &Did) {
        let announcer = self.announcer.borrow().clone();
        if let Some(announcer) = announcer {
            announcer(did);
        }
    }

    /// Whether it is known here that a device does not act for an identity any more.
    pub(crate) fn is_revoked(&self, did: &Did, device: &PublicKey) -> bool {
        let standing = self.read_model().registry().standing(did);
        let known = standing.and_then(|standing| standing.devices.get(device).map(|device| device.state.clone()));
        known.is_some_and(|state| state != DeviceState::In)
    }

    /// Returns whether a person is no stranger: they have a confirmed name, or this node has to do with them.
    pub(crate) fn is_known(&self, did: &Did) -> bool {
        let read_model = self.read_model();
        let registry = read_model.registry();
        registry.retention().is_wanted(did) || registry.has_confirmed_claim(did)
    }

    /// Returns the secret of an identity's present key, if the profile has it. Of an identity that is not known here the
    /// opening says which key that is.
    pub(crate) fn identity_key(&self, keys: &Keys) -> Option<SecretKey> {
        let standing = self.read_model().registry().standing(&keys.did());
        let present =
            standing.map_or_else(|| keys.opening.link(&self.context.network.topic).key, |known| known.link.key);
        keys.secret_of(&present).cloned()
    }

    /// Returns the keys of an identity up to the present one, or `None` if nothing is known of it.
    pub(crate) fn key_line(&self, did: &Did) -> Option<KeyLine> {
        let read_model = self.read_model();
        let registry = read_model.registry();
        let inception = *registry.inception(did)?;
        Some(KeyLine { inception, links: registry.standing(did)?.line })
    }

    /// Whether the log of these keys takes more, as far as is known here.
    pub(crate) fn can_write(&self, keys: &Keys) -> bool {
        let log = keys.facts_log();
        let is_open = |chain: &Chain| chain.fork().is_none() && chain.end() == End::Open;
        let is_known_open = self.read_model().registry().chain(&log).is_none_or(is_open);
        is_known_open && !self.is_revoked(&keys.did(), &log.device)
    }

    /// Returns a device number that no known device of an identity has; none if all are taken.
    pub(crate) fn free_device_number(&self, did: &Did) -> Option<u8> {
        let read_model = self.read_model();
        let standing = read_model.registry().standing(did);
        let used: BTreeSet<u8> = standing.iter().flat_map(Standing::used_numbers).collect();
        let free: Vec<u8> = (0..DEVICES_MAX).filter(|number| !used.contains(number)).collect();
        if free.is_empty() {
            return None;
        }
        free.get(self.context.random_below(free.len())).copied()
    }

    /// Returns the cached documents; none after the store lost something.
    pub(crate) fn cache(&self) -> RefMut<'_, DocumentCache> {
        let mut cache = self.cache.borrow_mut();
        cache.enter(self.context.losses());
        cache
    }

    /// Returns an identity's document, from memory or built from the store. The caller puts it back.
    pub(crate) async fn document(&self, did: &Did) -> Result<Document, StoreError> {
        if let Some(document) = self.cache().take(did) {
            return Ok(document);
        }
        let header_of = |entry: &_| self.read_model().registry().header(entry).copied();
        let bodies = documents::read_bodies(&self.context, did, header_of).await?;
        let mut document = Document::default();
        let read_model = self.read_model();
        for body in bodies {
            body.give(read_model.registry(), &mut document);
        }
        Ok(document)
    }

    /// Returns what an identity's document says, or `None` while the data of its checkpoint is not here.
    pub(crate) async fn data_of(&self, did: &Did) -> Result<Option<gen_registry_core::document::Data>, Failure> {
        let generation = self.cache().generation();
        let document = self.document(did).await.map_err(errors::store_failed)?;
        let data = document.data();
        self.cache().put(*did, document, generation);
        Ok(data)
    }

    /// Loads what answers a peer's questions, up to the size of a page.
    pub(crate) async fn answer(&self, asks: &[Ask]) -> Result<Vec<Piece>, StoreError> {
        let parts = plan_answer(self.read_model().registry(), asks);
        let (mut pieces, mut bytes) = (Vec::new(), 0);
        for some in parts.chunks(PARTS_AT_ONCE) {
            for piece in self.load(some).await? {
                bytes += piece.weight();
                if bytes > PAGE_MAX_BYTES {
                    return Ok(pieces);
                }
                pieces.push(piece);
            }
        }
        Ok(pieces)
    }

    /// Loads all parts of what is shown to a witness.
    pub(crate) async fn load_all(&self, parts: Vec<Part>) -> Result<Vec<Piece>, StoreError> {
        let mut pieces = Vec::new();
        for some in parts.chunks(PARTS_AT_ONCE) {
            pieces.extend(self.load(some).await?);
        }
        Ok(pieces)
    }

    /// Loads parts of an answer, in their order, without those that the store has lost.
    async fn load(&self, parts: &[Part]) -> Result<Vec<Piece>, StoreError> {
        let found: Vec<Found> = parts.iter().filter_map(|part| self.find(part)).collect();
        let stored = found.iter().filter_map(|found| match found {
            Found::Piece(_) => None,
            Found::Body(of) => Some(**of),
        });
        let stored: Vec<(Did, SignedHeader)> = stored.collect();
        let mut bodies = entries::read_bodies_of(&self.context.records, &stored).await?.into_iter();
        let mut pieces = Vec::with_capacity(found.len());
        for found in found {
            match found {
                Found::Piece(piece) => pieces.push(piece),
                Found::Body(of) => match bodies.next() {
                    Some(StoredRecord::Record(body)) => {
                        let entry = Entry::new(of.1, body.into_vec());
                        pieces.extend(entry.map(|entry| Piece::Entry(entry.encode())));
                    }
                    Some(StoredRecord::Damaged(damaged)) => self.context.quarantine(&damaged).await,
                    Some(StoredRecord::Nothing) | None => {}
                },
            }
        }
        Ok(pieces)
    }

    /// Where a part of an answer is: here, or as the body of a header in the store.
    fn find(&self, part: &Part) -> Option<Found> {
        let id = match part {
            Part::Piece(piece) => return Some(Found::Piece(piece.clone())),
            Part::Entry(id) => id,
        };
        let read_model = self.read_model();
        let registry = read_model.registry();
        if let Some(entry) = registry.entry(id) {
            return Some(Found::Piece(Piece::Entry(entry.encode())));
        }
        let header = registry.header(id).copied()?;
        let did = registry.opening(&header.header().log).map(Opening::did)?;
        Some(Found::Body(Box::new((did, header))))
    }

    /// Returns everything that is kept of an identity, in an order in which it can be admitted.
    pub(crate) async fn pieces_of(&self, did: &Did) -> Result<Vec<Piece>, StoreError> {
        let parts = {
            let read_model = self.read_model();
            let registry = read_model.registry();
            let Some(detail) = registry.detail_of(did) else { return Ok(Vec::new()) };
            let openings = detail.openings.into_iter().map(Ask::Opening);
            let logs = detail.logs.iter().map(|state| Ask::Log { log: state.log, known: Vec::new() });
            let beside = detail.beside.into_iter().map(|(entry, _)| Ask::Beside(entry));
            let asks: Vec<Ask> = openings.chain(logs).chain(beside).collect();
            asks.iter().flat_map(|ask| plan_answer(registry, std::slice::from_ref(ask))).collect::<Vec<Part>>()
        };
        self.load_all(parts).await
    }

    /// Returns the CIDs of the blocks with the data of an identity's checkpoints.
    pub(crate) async fn checkpoint_blocks(&self, did: &Did) -> Result<Vec<String>, StoreError> {
        let generation = self.cache().generation();
        let document = self.document(did).await?;
        let artifacts: Vec<Artifact> = document.checkpoints().map(|checkpoint| checkpoint.data.clone()).collect();
        self.cache().put(*did, document, generation);
        Ok(artifacts.iter().flat_map(|artifact| &artifact.blocks).map(|block| cid_of(block).to_string()).collect())
    }

    /// Computes a person's record again from the entries, after it was lost. `key` is the lost record's.
    pub(crate) async fn rebuild(&self, key: &str) {
        let Ok(bytes) = bytes_from_hex(key) else { return };
        if let Err(error) = self.read_again(&Did::from_digest(Digest::from_bytes(bytes))).await {
            tracing::error!(%error, "a person could not be rebuilt");
        }
    }

    /// Reads an identity's document from the store again, after something of it was lost or came, and shows what it says.
    pub(crate) async fn read_again(&self, did: &Did) -> Result<(), StoreError> {
        let _one_at_a_time = self.begin_write().await;
        let generation = self.cache().generation();
        self.cache().take(did);
        let mut document = self.document(did).await?;
        let record = self.person_record(*did, &document);
        self.context.records.commit(vec![person_write(&record)], Durability::Relaxed).await?;
        self.prune(did, &mut document).await;
        self.cache().put(*did, document, generation);
        self.update(Changed { records: vec![record], ..Changed::default() });
        Ok(())
    }

    /// Returns a person's record with what the document says now; the one of before while a checkpoint's data is not
    /// here.
    pub(crate) fn person_record(&self, did: Did, document: &Document) -> PersonRecord {
        let known = self.read_model().person(&did).cloned();
        let mut record = known.unwrap_or_else(|| PersonRecord::new(did));
        record.updated_at = self.context.now();
        if let Some(data) = document.data() {
            let bytes = data.encode().len() as u64;
            describe(&mut record, &data, bytes, document.changes_since_checkpoint() as u64);
        }
        record.missing = document.missing_data().cloned();
        record
    }

    /// Returns the record of a person who was unknown until now, with the data of their prepared document. `None` if that
    /// can't be decoded.
    pub(crate) fn new_person_record(&self, prepared: &PreparedDocument) -> Option<PersonRecord> {
        let data = prepared.data()?;
        let mut record = PersonRecord::new(*prepared.did());
        record.updated_at = self.context.now();
        describe(&mut record, &data, prepared.bytes(), prepared.counted());
        Some(record)
    }
}

/// Notes what a document says: its data, the bytes of that, and how many changes count.
fn describe(record: &mut PersonRecord, data: &Data, bytes: u64, changes: u64) {
    record.profile = ProfileFields::of(data);
    record.annotations = ModuleAnnotations::of(data);
    record.bytes = bytes;
    record.changes = changes;
}

/// Reads the read model from the store, page by page, so that the thread stays responsive meanwhile.
pub(crate) async fn read_model(
    records: &Records,
    history: NetworkHistory,
) -> Result<(ReadModel, Vec<Damaged>), StoreError> {
    let mut restored = entries::read_registry(records, history).await?;
    let mut people = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = records.page::<PersonRecord>(Table::People, "", after.as_deref()).await?;
        people.extend(page.records.into_iter().map(|(_, person)| person));
        restored.damaged.extend(page.damaged);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((ReadModel::new(restored.registry, people), restored.damaged)),
        }
    }
}

/// Returns the write of a person's record.
pub(crate) fn person_write(record: &PersonRecord) -> Write {
    put(Table::People, &person_key(&record.did), record)
}

/// Returns the key of a person's record.
pub(crate) fn person_key(did: &Did) -> String {
    hex(did.as_bytes())
}
