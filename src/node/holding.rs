//! What a profile keeps in memory beside its store: what no peer can bring again.
//!
//! A browser may take the stored data away while the page is open. The store then writes what is held into a new database
//! ([`Store::hold`](crate::store::Store::hold)), and a node that is started on that goes on where this one was. Held are
//! the keys in their stored form, the settings, and what the identity itself has written; what others wrote, and files,
//! come from peers again.

use crate::Node;
use crate::entries::entries_prefix;
use crate::store::records::Records;
use crate::store::{StoreError, Table};
use gen_registry_core::digest::hex;
use gen_registry_core::keys::Did;
use gen_registry_core::log::EntryId;

/// Tables that are held, with the beginning of the keys. In quarantine, the keys that can't be read.
const TABLES: [(Table, &str); 5] = [
    (Table::Keys, ""),
    (Table::Settings, ""),
    (Table::Installed, ""),
    (Table::Channels, ""),
    (Table::Quarantine, "keys/"),
];
/// Tables of entries, of which the identity's own are held.
const ENTRY_TABLES: [Table; 3] = [Table::Facts, Table::Headers, Table::Changes];
/// The newest own facts whose receipts and paths are held. Witnesses and peers have those of the others.
const EVIDENCED_FACTS_MAX: u64 = 256;

/// Holds what a profile has beside entries.
pub(crate) async fn hold_tables(records: &Records) -> Result<(), StoreError> {
    for (table, prefix) in TABLES {
        records.hold(table, prefix).await?;
    }
    Ok(())
}

/// Holds the entries of an identity, those of today and of later. Called before the first of them is stored.
pub(crate) async fn hold_identity(records: &Records, did: &Did) -> Result<(), StoreError> {
    for table in ENTRY_TABLES {
        records.hold(table, &entries_prefix(did)).await?;
    }
    records.hold(Table::People, &hex(did.as_bytes())).await
}

impl Node {
    /// Holds what belongs to the own entries now: the picture, the data of checkpoints, and what confirms the newest
    /// facts. What is held already costs nothing.
    pub async fn hold_own(&self) -> Result<(), StoreError> {
        let Some(did) = self.keys.identity() else { return Ok(()) };
        let records = &self.context.records;
        let mut blocks = {
            let _one_at_a_time = self.registry.begin_write().await;
            self.registry.checkpoint_blocks(&did).await?
        };
        blocks.extend(self.registry.read_model().person(&did).and_then(|person| person.profile.avatar.clone()));
        for cid in blocks {
            records.hold(Table::Blocks, &cid).await?;
        }
        for fact in self.newest_facts() {
            let entry = hex(fact.as_bytes());
            for kind in ["receipt", "path"] {
                records.hold(Table::Evidence, &format!("{kind}/{entry}/")).await?;
            }
        }
        Ok(())
    }

    fn newest_facts(&self) -> Vec<EntryId> {
        let Some(log) = self.keys.device_log() else { return Vec::new() };
        let read_model = self.registry.read_model();
        let Some(chain) = read_model.registry().chain(&log) else { return Vec::new() };
        let first = chain.len().saturating_sub(EVIDENCED_FACTS_MAX);
        (first..chain.len()).filter_map(|seq| chain.entry(seq)).collect()
    }
}
