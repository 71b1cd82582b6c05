//! Removes the entries and blocks that a document no longer needs after a new checkpoint.
//!
//! An identity's document needs its last two checkpoints and the changes since the older one: 25 years of daily edits are
//! some 20 checkpoints, of which two are stored. A checkpoint's data is a few blocks in the store; they go with it unless
//! something else has the same ones.

use std::collections::BTreeSet;

use crate::blocks::cache::blocks_in_use;
use crate::entries;
use crate::registry::Registry;
use crate::store::{Durability, StoreError, Table, Write};
use gen_registry_core::digest::{Digest, cid_of};
use gen_registry_core::document::Document;
use gen_registry_core::keys::Did;

impl Registry {
    /// Drops entries and blocks that an identity's document does not need. What the store does not delete now is deleted
    /// with the checkpoint after.
    pub(crate) async fn prune(&self, did: &Did, document: &mut Document) {
        let before = document.data_blocks();
        let pruned = self.read_model_mut().registry_mut().prune_document(document);
        if pruned.is_empty() {
            return;
        }
        let dropped: BTreeSet<Digest> = before.difference(&document.data_blocks()).copied().collect();
        let deleted = async {
            let mut batch = entries::pruned_writes(did, &pruned);
            if !dropped.is_empty() {
                let used = blocks_in_use(&self.context.records).await?;
                let unused = dropped.difference(&used);
                batch
                    .extend(unused.map(|block| Write::Delete { table: Table::Blocks, key: cid_of(block).to_string() }));
            }
            self.context.records.commit(batch, Durability::Relaxed).await
        };
        let deleted: Result<(), StoreError> = deleted.await;
        if let Err(error) = deleted {
            tracing::warn!(%error, "entries that nothing needs any more are still stored");
        }
    }
}
