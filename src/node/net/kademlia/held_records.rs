//! The store of a node's Kademlia: what others put there, and what the node can prove by itself.
//!
//! A node that keeps people's entries can prove who holds their names, whether or not their holders ever published that,
//! have been offline for longer than a record is stored. Each question composes the proof again: nothing is stored twice, and the
//! proof is as new as the node's data. The answer is the better of the proof and the stored record.

use std::borrow::Cow;
use std::rc::Rc;

use libp2p::PeerId;
use libp2p::kad::store::{MemoryStore, RecordStore, Result};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use send_wrapper::SendWrapper;

/// Proves records that no peer stored.
pub trait ProveRecords {
    /// Returns the record of a key, or `None` if the node can't prove it, or the one that was put there is better.
    fn prove(&self, key: &[u8], stored: Option<&[u8]>) -> Option<Vec<u8>>;
}

/// The records of a node.
pub struct HeldRecords {
    local_peer_id: PeerId,
    /// What others put there.
    stored: MemoryStore,
    /// What the node knows; it and the mesh are of one thread.
    known: Option<SendWrapper<Rc<dyn ProveRecords>>>,
}

impl HeldRecords {
    /// Creates an empty store.
    pub fn new(local_peer_id: PeerId, known: Option<Rc<dyn ProveRecords>>) -> Self {
        Self { local_peer_id, stored: super::store(local_peer_id), known: known.map(SendWrapper::new) }
    }

    /// Returns what others put there, to be changed.
    pub fn stored_mut(&mut self) -> &mut MemoryStore {
        &mut self.stored
    }
}

impl RecordStore for HeldRecords {
    type RecordsIter<'a> = <MemoryStore as RecordStore>::RecordsIter<'a>;
    type ProvidedIter<'a> = <MemoryStore as RecordStore>::ProvidedIter<'a>;

    /// A record that the node proves is published by itself: it has all that the record says something about.
    fn get(&self, key: &RecordKey) -> Option<Cow<'_, Record>> {
        let stored = self.stored.get(key);
        let value = stored.as_ref().map(|record| record.value.as_slice());
        let proven = self.known.as_ref().and_then(|known| known.prove(key.as_ref(), value));
        let Some(proven) = proven else { return stored };
        let mut record = Record::new(key.clone(), proven);
        record.publisher = Some(self.local_peer_id);
        Some(Cow::Owned(record))
    }

    fn put(&mut self, record: Record) -> Result<()> {
        self.stored.put(record)
    }

    fn remove(&mut self, key: &RecordKey) {
        self.stored.remove(key);
    }

    /// Those that others put there: what the node proves it does not copy to others.
    fn records(&self) -> Self::RecordsIter<'_> {
        self.stored.records()
    }

    fn add_provider(&mut self, record: ProviderRecord) -> Result<()> {
        self.stored.add_provider(record)
    }

    fn providers(&self, key: &RecordKey) -> Vec<ProviderRecord> {
        self.stored.providers(key)
    }

    fn provided(&self) -> Self::ProvidedIter<'_> {
        self.stored.provided()
    }

    fn remove_provider(&mut self, key: &RecordKey, provider: &PeerId) {
        self.stored.remove_provider(key, provider);
    }
}
