//! What one node has: its registry, and the entries as bytes.

use std::collections::HashMap;

use crate::log::{Entry, EntryId};
use crate::network::NetworkHistory;
use crate::registry::{Received, Registry};

/// One replica.
pub struct Replica {
    pub registry: Registry,
    /// Every entry that is kept.
    pub store: HashMap<EntryId, Vec<u8>>,
}

impl Replica {
    pub fn new(history: NetworkHistory) -> Self {
        Self { registry: Registry::new(history), store: HashMap::new() }
    }

    /// Admits once more what is stored: a log that was ended may go on again.
    pub fn refresh(&mut self) {
        self.entries().iter().for_each(|entry| self.give(entry));
    }

    /// Admits an entry of a facts log.
    pub fn give(&mut self, entry: &Entry) {
        if self.registry.admit(entry, 0).is_ok_and(|received| received == Received::Kept) {
            self.store.insert(entry.id(), entry.encode());
        }
    }

    /// What is stored, each log in its order.
    pub fn entries(&self) -> Vec<Entry> {
        let topic = self.registry.topic();
        let mut entries: Vec<Entry> =
            self.store.values().map(|bytes| Entry::decode(&topic, bytes).expect("it was stored")).collect();
        entries.sort_by_key(|entry| (entry.header().log, entry.header().seq));
        entries
    }
}
