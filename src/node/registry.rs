//! The registry of one profile: the read model of all people's names and modules, and the own document.
//!
//! [`Registry`] owns the read model and the documents that it is folded from. Changes come in two ways: those of peers
//! through [`Admission`](crate::admit::Admission), the person's own through [`Registry::write`]. Both take the same
//! steps in the same order:
//!
//! ```text
//!   1  take the write lock                       one write at a time; peers' signatures were verified before
//!   2  apply to a copy of the document           own edits are signed here, peers' operations checked
//!   3  compute the person's record from it
//!   4  commit one batch: changes, record, now and then a snapshot; for a command also its id, the key, blocks
//!   5  update the read model                     what is shown is on the disk
//!   6  notify observers and listeners; announce an own change to peers
//! ```
//!
//! If a step fails, those after it are not taken and nothing has changed: the copy is dropped, the batch is atomic.
//! After a crash between 4 and 5 the next start reads the records, and a command that is sent again finds its id.
//!
//! The signed changes are the truth; records and snapshots can be computed from them again ([`Registry::rebuild`]). A
//! snapshot every [`SNAPSHOT_EVERY`] changes only makes loading a document faster.

pub(crate) mod diff;
mod write;

use std::cell::{Ref, RefCell, RefMut};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::{Rc, Weak};

use async_lock::{Mutex, MutexGuard};

use crate::context::Context;
use crate::document_cache::DocumentCache;
use crate::errors;
use crate::key_store::KeyStore;
use crate::network::Network;
use crate::people::answers;
use crate::registry::diff::{RecordDiff, modules_touched};
use crate::store::records::{Damaged, Records, StoredRecord, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};
use gen_registry_api::*;
use gen_registry_core::digest::{Digest, bytes_from_hex, hex};
use gen_registry_core::document::{ChangeId, Document, SignedChange, Snapshot, StoredChange, VerifiedChange};
use gen_registry_core::fact::SignedFact;
use gen_registry_core::identity::Identity;
use gen_registry_core::name::{ModuleName, Username};
use gen_registry_core::read_model::{PersonRecord, ReadModel, StoredPerson};
use gen_registry_core::time::Timestamp;
pub(crate) use write::ChangeDraft;

/// A document is stored in one piece again after so many changes.
const SNAPSHOT_EVERY: usize = 32;

/// Receives every own change once it is stored.
pub type Announcer = Rc<dyn Fn(&SignedChange)>;

/// What a change of the read model concerns, for services that derive something from it.
pub(crate) trait RegistryObserver {
    /// Whether this observer needs [`RegistryObserver::records_changed`], which costs a comparison of each record.
    fn wants_diffs(&self) -> bool {
        false
    }

    /// Called when these modules, and everything that these people hold, may be shown otherwise.
    fn names_changed(&self, _modules: &BTreeSet<ModuleName>, _people: &BTreeSet<Identity>) {}

    /// Called with what people's new records contain that the old ones did not.
    fn records_changed(&self, _diffs: &[RecordDiff]) {}

    /// Called when another device of the person has written to the own document.
    fn own_document_changed(&self) {}
}

/// The service that owns the read model and the own document.
pub(crate) struct Registry {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    read_model: RefCell<ReadModel>,
    /// The own document once it was needed.
    own: RefCell<Option<Document>>,
    /// Other people's documents that were changed lately.
    cache: RefCell<DocumentCache>,
    /// This writing session's Automerge actor.
    actor: [u8; 16],
    /// Held while something is written: one write at a time.
    writing: Mutex<()>,
    /// Passes own new changes to peers, once there is a way to them.
    announcer: RefCell<Option<Announcer>>,
    /// Weak: observers hold the registry.
    observers: RefCell<Vec<Weak<dyn RegistryObserver>>>,
}

/// The right to write. There is one at a time in a profile; dropping it lets the next write begin.
pub(crate) struct WriteGuard<'a>(#[expect(dead_code, reason = "held for its drop")] MutexGuard<'a, ()>);

impl Registry {
    /// Creates the registry around a read model that was read from the store.
    pub(crate) fn new(context: Rc<Context>, keys: Rc<KeyStore>, read_model: ReadModel) -> Self {
        let mut actor = [0; 16];
        context.environment.random(&mut actor);
        Self {
            context,
            keys,
            read_model: RefCell::new(read_model),
            own: RefCell::default(),
            cache: RefCell::default(),
            actor,
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

    /// Waits until no other write is under way, and keeps others away until the guard is dropped.
    pub(crate) async fn begin_write(&self) -> WriteGuard<'_> {
        WriteGuard(self.writing.lock().await)
    }

    /// Has `announcer` called with every own new change after it was stored.
    pub(crate) fn announce_through(&self, announcer: Announcer) {
        *self.announcer.borrow_mut() = Some(announcer);
    }

    /// Passes a stored own change to peers, if there is a network.
    pub(crate) fn announce(&self, change: &SignedChange) {
        let announcer = self.announcer.borrow().clone();
        if let Some(announcer) = announcer {
            announcer(change);
        }
    }

    /// Returns the newest changes of a document, as far as it is stored here.
    pub(crate) fn heads(&self, owner: &Identity) -> Vec<Digest> {
        self.read_model().person(owner).map(|person| person.heads.clone()).unwrap_or_default()
    }

    /// Returns all facts of a person's document.
    pub(crate) fn facts_of(&self, owner: &Identity) -> Vec<SignedFact> {
        self.read_model().person(owner).map(|person| person.facts.clone()).unwrap_or_default()
    }

    /// Returns when the person last claimed a name, as far as is known here.
    pub(crate) fn newest_claim(&self, owner: &Identity) -> Timestamp {
        let (clock, rules) = (self.context.clock(), &self.context.network.rules);
        self.read_model().person(owner).and_then(|person| person.newest_claim(clock, rules)).unwrap_or_default()
    }

    /// Whether nothing is stored of a person, so that the store need not be read. Changes and record are written
    /// together; only the own key may be stored before its first change.
    pub(crate) fn is_unknown(&self, owner: &Identity) -> bool {
        self.read_model().person(owner).is_none() && self.keys.identity() != Some(*owner)
    }

    /// Whether it is proved that the person's key signed two different changes for one place.
    pub(crate) fn is_forked(&self, owner: &Identity) -> bool {
        self.read_model().person(owner).is_some_and(|person| person.forked)
    }

    /// Returns the cached documents of others; none after the store lost something.
    pub(crate) fn cache(&self) -> RefMut<'_, DocumentCache> {
        let mut cache = self.cache.borrow_mut();
        cache.enter(self.context.losses());
        cache
    }

    /// Drops the own document from memory, because the store has a newer one.
    pub(crate) fn forget_own(&self) {
        *self.own.borrow_mut() = None;
    }

    /// Returns a copy of the own document, from memory or from the store.
    pub(crate) async fn own_document(&self, own: &Identity) -> Result<Document, Failure> {
        let resident = self.own.borrow().as_ref().filter(|document| document.owner() == *own).cloned();
        match resident {
            Some(document) => Ok(document),
            None => self.load_document(own).await.map_err(errors::store_failed),
        }
    }

    /// Loads a document from its snapshot and the changes after it. What is damaged is moved to quarantine and left
    /// out.
    pub(crate) async fn load_document(&self, owner: &Identity) -> Result<Document, StoreError> {
        let mut document = Document::new(*owner);
        match self.context.records.get::<Snapshot>(Table::Documents, &owner.to_hex()).await? {
            StoredRecord::Record(snapshot) => match Document::load(*owner, &snapshot) {
                Ok(loaded) => document = loaded,
                Err(error) => tracing::warn!(%error, "a snapshot can't be read; replaying the changes"),
            },
            StoredRecord::Nothing => {}
            StoredRecord::Damaged(damaged) => self.context.quarantine(&damaged).await,
        }
        let (changes, damaged) =
            self.context.records.all::<StoredChange>(Table::Changes, &changes_prefix(owner)).await?;
        for found in &damaged {
            self.context.quarantine(found).await;
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

    /// Computes a person's record again from the signed changes, after it was lost. `key` is the lost record's.
    pub(crate) async fn rebuild(&self, key: &str) {
        let Ok(bytes) = bytes_from_hex(key) else { return };
        let Ok(owner) = Identity::from_bytes(&bytes) else { return };
        match self.load_document(&owner).await {
            Ok(document) if document.changes() > 0 => {
                let record = self.person_record(&document, self.context.now());
                let batch = vec![person_write(&record)];
                if let Err(error) = self.context.records.commit(batch, Durability::Relaxed).await {
                    tracing::error!(%error, "a rebuilt person could not be stored");
                }
                self.update_read_model(vec![record]);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a person could not be rebuilt"),
        }
    }

    /// Returns the writes after `added` was applied to a document, and the person's new record. `before` is how many
    /// changes the document had.
    pub(crate) fn document_writes(
        &self,
        document: &Document,
        before: usize,
        added: &[VerifiedChange],
    ) -> (Batch, PersonRecord) {
        let record = self.person_record(document, self.context.now());
        let mut batch: Batch = added.iter().map(change_write).collect();
        batch.push(person_write(&record));
        if before / SNAPSHOT_EVERY != document.changes() / SNAPSHOT_EVERY {
            batch.push(put(Table::Documents, &document.owner().to_hex(), &document.snapshot()));
        }
        (batch, record)
    }

    fn person_record(&self, document: &Document, now: Timestamp) -> PersonRecord {
        let owner = document.owner();
        let mut record = self.read_model().person(&owner).cloned().unwrap_or_else(|| PersonRecord::new(owner));
        let known = record.facts.iter().map(SignedFact::hash).collect();
        let view = document.view_beyond(&self.context.network.topic, &known);
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

    /// Puts records that are stored into the read model, and emits events for everything that differs now.
    pub(crate) fn update_read_model(&self, records: Vec<PersonRecord>) {
        let own = self.keys.identity();
        let before = self.own_username();
        let mine = records.iter().find(|record| Some(record.identity) == own);
        let (clock, rules) = (self.context.clock(), &self.context.network.rules);
        if let Some(newest) = mine.and_then(|person| person.newest_claim(clock, rules)) {
            self.context.advance_not_before(newest);
        }
        let now = self.context.now();
        let mut touched: BTreeSet<Identity> = BTreeSet::new();
        let mut conflicts = Vec::new();
        let mut modules = BTreeSet::new();
        let observers = self.observers();
        let (mut diffs, wants_diffs) = (Vec::new(), observers.iter().any(|observer| observer.wants_diffs()));
        for record in records {
            let mut read_model = self.read_model.borrow_mut();
            let known = read_model.person(&record.identity);
            modules.extend(modules_touched(known, &record));
            if wants_diffs {
                diffs.extend(RecordDiff::between(known, &record));
            }
            let (who, before) = (record.identity, conflicts_of(&read_model, &record.identity));
            touched.extend(read_model.put(record, now));
            let after = conflicts_of(&read_model, &who);
            conflicts.extend(after.into_iter().filter(|(loser, _)| !before.contains_key(loser)).map(|(_, name)| name));
        }
        conflicts.into_iter().for_each(|name| self.emit_conflict(&name));
        observers.iter().for_each(|observer| observer.names_changed(&modules, &touched));
        if !modules.is_empty() {
            let names = modules.iter().map(ToString::to_string).collect();
            self.context.emit(&Event::ModulesChanged { names });
        }
        self.emit_changes(touched, before);
        if !diffs.is_empty() {
            observers.iter().filter(|observer| observer.wants_diffs()).for_each(|o| o.records_changed(&diffs));
        }
    }

    /// Lets claims count whose date has come.
    pub(crate) fn activate_due_claims(&self) {
        let now = self.context.now();
        if self.read_model().next_due().is_none_or(|due| due > now) {
            return;
        }
        let before = self.own_username();
        let touched = self.read_model.borrow_mut().advance(now);
        let nothing = BTreeSet::new();
        self.observers().iter().for_each(|observer| observer.names_changed(&nothing, &touched));
        self.emit_changes(touched, before);
    }

    fn own_username(&self) -> Option<Username> {
        let own = self.keys.identity()?;
        self.read_model().username_of(&own).cloned()
    }

    fn emit_conflict(&self, name: &Username) {
        let report = answers::look_up(&self.read_model(), self.keys.identity(), name);
        let holder = report.holder.map(|holder| holder.person.did);
        let losers: BTreeSet<String> = report.losers.into_iter().map(|loser| loser.did).collect();
        let losers = losers.into_iter().collect();
        self.context.emit(&Event::Conflict { name: name.to_string(), holder, losers });
    }

    /// Emits what changed for these people. `before` is the name this profile held until now.
    fn emit_changes(&self, mut touched: BTreeSet<Identity>, before: Option<Username>) {
        let own = self.keys.identity();
        if own.is_some_and(|own| touched.remove(&own)) {
            self.context.emit(&Event::MeChanged);
        }
        let gone = before.filter(|_| self.own_username().is_none());
        let lost = gone.zip(own).and_then(|(name, own)| answers::lost_name(&self.read_model(), &own, &name));
        if let Some(lost) = lost {
            self.context.emit(&Event::NameLost { lost });
        }
        let mut dids: Vec<String> = touched.iter().map(Identity::to_string).collect();
        dids.extend(own.map(|own| own.to_string()));
        self.context.emit(&Event::PeopleChanged { dids });
    }

    /// Returns every signed change of the own document, and the damaged ones apart.
    pub(crate) async fn own_changes(&self, own: &Identity) -> Result<(Vec<SignedChange>, Vec<Damaged>), Failure> {
        let found = self.context.records.all::<SignedChange>(Table::Changes, &changes_prefix(own)).await;
        let (changes, damaged) = found.map_err(errors::store_failed)?;
        Ok((changes.into_iter().map(|(_, change)| change).collect(), damaged))
    }
}

/// The losing claims to names that a person claimed, too.
fn conflicts_of(read_model: &ReadModel, identity: &Identity) -> BTreeMap<Digest, Username> {
    let claims = read_model.claims_of(identity).into_iter();
    let rivals = claims.flat_map(|(_, name, _, name_state)| {
        let rivals = name_state
            .losers
            .iter()
            .filter(|loser| name_state.holder().is_some_and(|held| held.holder != loser.author));
        rivals.map(|loser| (loser.claim, name.clone()))
    });
    rivals.collect()
}

/// Returns the date of the own newest claim, as far as the own record shows it.
pub(crate) async fn read_newest_claim(
    records: &Records,
    own: Option<Identity>,
    network: &Network,
    clock: Timestamp,
) -> Result<Timestamp, StoreError> {
    let Some(own) = own else { return Ok(Timestamp::default()) };
    let found = records.get::<StoredPerson>(Table::People, &own.to_hex()).await?;
    let StoredRecord::Record(stored) = found else { return Ok(Timestamp::default()) };
    let person = PersonRecord::from_stored(stored, &network.topic).ok();
    Ok(person.and_then(|person| person.newest_claim(clock, &network.rules)).unwrap_or_default())
}

/// Reads the read model from the store, page by page, so that the thread stays responsive meanwhile.
pub(crate) async fn read_people(
    records: &Records,
    network: &Network,
    now: Timestamp,
) -> Result<(ReadModel, Vec<Damaged>), StoreError> {
    let mut read_model = ReadModel::new(network.rules.clone());
    let mut damaged = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = records.page::<StoredPerson>(Table::People, "", after.as_deref()).await?;
        let people = page.records.into_iter().map(|(_, person)| PersonRecord::from_stored(person, &network.topic));
        read_model.put_all(people.filter_map(Result::ok), now);
        damaged.extend(page.damaged);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((read_model, damaged)),
        }
    }
}

/// Returns what the keys of a document's changes begin with.
pub(crate) fn changes_prefix(owner: &Identity) -> String {
    format!("{}/", owner.to_hex())
}

/// Returns the key of a change: owner, writing session, number. Sorted, a session's changes are in their order.
pub(crate) fn change_key(owner: &Identity, place: &ChangeId) -> String {
    format!("{}{}/{:08}", changes_prefix(owner), hex(&place.actor), place.seq)
}

fn change_write(change: &VerifiedChange) -> Write {
    put(Table::Changes, &change_key(&change.owner(), change.id()), change.signed())
}

/// Returns the write of a person's record.
pub(crate) fn person_write(record: &PersonRecord) -> Write {
    put(Table::People, &record.identity.to_hex(), &record.to_stored())
}
