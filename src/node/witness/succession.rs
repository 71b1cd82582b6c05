//! Changes of the set, at one witness: it stops, hands over what it knows, and follows the change; a witness of the next set
//! begins with what several of them handed over.
//!
//! ```text
//! witnesses of the set     stop ─▶ export ─▶ k files ─▶ Gathered::change ─▶ each signs ─▶ SignedSetChange::join
//! witnesses of the next    the same k files and the change ─▶ succeed, in an empty store
//! ```

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_bytes::ByteBuf;

use super::records::{
    FACTS, FactError, Head, OPENINGS, Pending, StoredFact, StoredOpening, TABLE, first_damaged, owner, put_owner,
};
use super::start::{WitnessError, is_empty, owner_of};
use super::state::State;
use super::{NotNow, Witness};
use crate::store::migration::migrate;
use crate::store::records::{Records, StoredRecord};
use crate::store::{Durability, Store, StoreError};
use gen_registry_core::book::Closed;
use gen_registry_core::book::handover::{Gathered, GatheredFact, HandedFact, Handover, HandoverError};
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::Entry;
use gen_registry_core::network::{NetworkHistory, SignedSetChange};
use gen_registry_core::receipt::{ProvenPath, Receipt};
use gen_registry_core::sync::asking::shown::Shown;
use gen_registry_core::time::Timestamp;

/// The most writes of one batch while a set is succeeded.
pub(super) const BATCH_WRITES: usize = 512;

impl Witness {
    /// Signs nothing more for its set, from now on and after every start.
    pub async fn stop(&self) -> Result<(), WitnessError> {
        let mut state = self.state.lock().await;
        // Before it is stored: what is signed meanwhile would be missing in the export.
        state.book.stop();
        let mut pending = Pending::new(&state.head);
        pending.head.is_stopped = true;
        self.write(&mut state, pending).await
    }

    /// Returns whether it has stopped signing.
    pub async fn is_stopped(&self) -> bool {
        self.state.lock().await.head.is_stopped
    }

    /// The file that it hands over: its receipts, those of others that it has, and what earlier closings confirmed. Fails
    /// while it still signs.
    pub async fn export(&self) -> Result<Vec<u8>, WitnessError> {
        let state = self.state.lock().await;
        if !state.head.is_stopped {
            return Err(WitnessError::StillSigns);
        }
        let StoredRecord::Record(owner) = owner(&self.records).await? else { return Err(WitnessError::NoOwner) };
        let openings = self.all::<StoredOpening>(OPENINGS).await?;
        let mut facts = Vec::new();
        for stored in self.all::<StoredFact>(FACTS).await? {
            facts.push(self.handed(&state, stored)?);
        }
        let openings = openings.into_iter().map(|opening| opening.entry.into_vec()).collect();
        let handover = Handover { topic: self.topic, set: owner.set, witness: self.key(), openings, facts };
        Ok(handover.sign(&self.key))
    }

    /// A stored fact with everything that shows it.
    fn handed(&self, state: &State, stored: StoredFact) -> Result<HandedFact, WitnessError> {
        let damaged = |_| WitnessError::Damaged(FACTS.to_owned());
        let id = Entry::decode(&self.topic, &stored.entry).map_err(damaged)?.id();
        let own = state.book.receipt_of(&id).map(Receipt::encode);
        let receipts = stored.receipts.into_iter().map(ByteBuf::into_vec).chain(own).collect();
        let paths = stored.paths.into_iter().map(ByteBuf::into_vec).collect();
        Ok(HandedFact { entry: stored.entry.into_vec(), receipts, paths })
    }

    /// Follows a change of the set. A witness of the set before signs nothing any more.
    pub async fn follow(&self, change: SignedSetChange) -> Result<(), WitnessError> {
        let mut state = self.state.lock().await;
        let mut history = state.registry.history().clone();
        let known = history.number();
        history.follow(change.clone())?;
        if history.number() == known {
            return Ok(());
        }
        let mut pending = Pending::new(&state.head);
        pending.add_change(&change);
        self.write(&mut state, pending).await?;
        state.registry.follow(change)?;
        Ok(())
    }

    async fn write(&self, state: &mut State, pending: Pending) -> Result<(), WitnessError> {
        let failed = |NotNow| StoreError::Aborted("the reason is in the log".to_owned());
        Ok(self.commit(state, pending).await.map_err(failed)?)
    }

    async fn all<T: serde::de::DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>, WitnessError> {
        let (found, damaged) = self.records.all::<T>(TABLE, prefix).await?;
        match first_damaged(&damaged) {
            Some(key) => Err(WitnessError::Damaged(key)),
            None => Ok(found.into_iter().map(|(_, record)| record).collect()),
        }
    }

    /// Begins the witness `key` of the next set in an empty store, with the files that the change was made of. What the
    /// set before confirmed is known with its path under the root, and what it may have voted for is reserved for a
    /// cool-down.
    pub async fn succeed(
        store: Rc<dyn Store>,
        key: SecretKey,
        gathered: &Gathered,
        change: SignedSetChange,
        now: Timestamp,
    ) -> Result<Self, WitnessError> {
        let records = Records::new(store.clone());
        migrate(&records).await?;
        match owner(&records).await? {
            StoredRecord::Nothing if is_empty(&records).await? => {}
            StoredRecord::Nothing => return Err(WitnessError::NoOwner),
            StoredRecord::Record(_) | StoredRecord::Damaged(_) => return Err(WitnessError::InUse),
        }
        let mut history = gathered.history().clone();
        let before = history.number();
        history.follow(change.clone())?;
        if history.number() == before {
            return Err(HandoverError::OtherSet { set: before, present: change.change().number }.into());
        }
        if !history.set().has(&key.public()) {
            return Err(WitnessError::NotOfSet);
        }
        let closed = gathered.close_for(change.change())?;
        write_successor(&records, &key, gathered, &history, &closed, now).await?;
        Self::start(store, key, history.genesis().clone(), now).await
    }
}

/// Writes the first state of a witness of the next set. Its owner and head come last: without them nothing of it is used.
async fn write_successor(
    records: &Records,
    key: &SecretKey,
    gathered: &Gathered,
    history: &NetworkHistory,
    closed: &Closed,
    now: Timestamp,
) -> Result<(), WitnessError> {
    let before = history.number() - 1;
    let mut pending = Pending::new(&Head::default());
    pending.head.reserved_until = now.plus(history.genesis().parameters.cool_down);
    history.changes().iter().for_each(|change| pending.add_change(change));
    for known in gathered.facts().filter(|known| is_kept(known, closed)) {
        pending.add_opening(&known.opening, now);
        let shown = successor_fact(known, closed, before);
        pending.add_fact(records, &shown, now).await.map_err(|error| match error {
            FactError::Store(error) => WitnessError::Store(error),
            FactError::Damaged(key) => WitnessError::Damaged(key),
        })?;
        flush_if_full(records, &mut pending).await?;
    }
    let reserved: BTreeMap<_, _> = closed.reserved.iter().map(|(entry, slots)| (entry, slots)).collect();
    for (entry, slots) in reserved {
        pending.add_reserved(entry, slots);
        flush_if_full(records, &mut pending).await?;
    }
    let (mut batch, _) = pending.finish();
    batch.push(put_owner(&owner_of(key, &history.topic(), history.number())));
    Ok(records.commit(batch, Durability::Strict).await?)
}

/// Whether the next set's witnesses know a fact from the beginning: it is confirmed, or says something of devices.
fn is_kept(known: &GatheredFact, closed: &Closed) -> bool {
    let digest: &Digest = known.fact.id.digest();
    let is_confirmed = !known.paths.is_empty() || closed.confirmed.path(digest).is_some();
    is_confirmed || known.receipts.is_empty() && known.fact.slots().is_empty()
}

/// A fact as the next set's witnesses know it: with its path, old or new, and without receipts.
fn successor_fact(known: &GatheredFact, closed: &Closed, before: u32) -> Shown {
    let path = closed.confirmed.path(known.fact.id.digest()).map(|path| ProvenPath { set: before, path });
    Shown {
        opening: known.opening.clone(),
        entry: known.entry.clone(),
        fact: known.fact.clone(),
        receipts: vec![],
        paths: known.paths.iter().cloned().chain(path).collect(),
    }
}

async fn flush_if_full(records: &Records, pending: &mut Pending) -> Result<(), WitnessError> {
    if pending.len() >= BATCH_WRITES {
        records.commit(pending.take(), Durability::Strict).await?;
    }
    Ok(())
}
