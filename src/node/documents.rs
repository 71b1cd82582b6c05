//! Documents of identities, built from what is stored, and kept while they are used (an LRU cache).
//!
//! A document is taken out to be changed, and put back once its changes are stored: whatever fails in between, none here
//! is ever ahead of the store. If the store loses a record, a new generation begins and everything is forgotten.

use std::collections::HashMap;

use crate::context::Context;
use crate::entries;
use crate::store::records::StoredRecord;
use crate::store::{StoreError, Table};
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::cid_of;
use gen_registry_core::document::{Checkpoint, Data, Document};
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Kind, SignedHeader};
use gen_registry_core::registry::Registry;

/// Documents in memory: bounded by this, not by how many people there are.
pub(crate) const RESIDENT_DOCUMENTS_MAX: usize = 64;

/// The cached documents.
#[derive(Default)]
pub(crate) struct DocumentCache {
    /// Each with the value of `clock` at its last use.
    documents: HashMap<Did, (u64, Document)>,
    /// Counts uses: a larger value is a later use.
    clock: u64,
    /// How often the store had lost something when this generation began.
    generation: u64,
}

impl DocumentCache {
    /// Begins another generation if the store has lost something: forgets everything, and refuses what was taken out
    /// before.
    pub(crate) fn enter(&mut self, generation: u64) {
        if generation != self.generation {
            self.documents.clear();
            self.generation = generation;
        }
    }

    /// Returns the present generation, to be given to [`DocumentCache::put`].
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Takes a document out, to be changed.
    pub(crate) fn take(&mut self, did: &Did) -> Option<Document> {
        self.documents.remove(did).map(|(_, document)| document)
    }

    /// Puts a document back that was taken out in `generation` and is stored. The one unused for longest is removed.
    pub(crate) fn put(&mut self, did: Did, document: Document, generation: u64) {
        if generation != self.generation {
            return;
        }
        self.clock += 1;
        self.documents.insert(did, (self.clock, document));
        if self.documents.len() > RESIDENT_DOCUMENTS_MAX {
            let oldest = self.documents.iter().min_by_key(|(_, (used, _))| *used).map(|(did, _)| *did);
            oldest.and_then(|oldest| self.documents.remove(&oldest));
        }
    }
}

/// The body of an entry of a changes log, with its header and, for a checkpoint, its data where that is here.
pub(crate) struct ChangeBody {
    pub(crate) header: SignedHeader,
    pub(crate) body: Vec<u8>,
    pub(crate) data: Option<Data>,
}

impl ChangeBody {
    /// Gives it to the document of its identity, if it is in effect.
    pub(crate) fn give(self, registry: &Registry, document: &mut Document) -> bool {
        registry.give_to_document(document, &self.header, &self.body, |_| self.data)
    }
}

/// Reads every body of an identity's changes logs. Damaged ones are moved to quarantine and left out.
pub(crate) async fn read_bodies(
    context: &Context,
    did: &Did,
    header_of: impl Fn(&gen_registry_core::log::EntryId) -> Option<SignedHeader>,
) -> Result<Vec<ChangeBody>, StoreError> {
    let (records, damaged) = entries::read_changes(&context.records, did).await?;
    for found in &damaged {
        context.quarantine(found).await;
    }
    let mut bodies = Vec::with_capacity(records.len());
    for (key, body) in records {
        let Some(header) = entries::entry_of_key(&key).and_then(|entry| header_of(&entry)) else { continue };
        bodies.push(with_data(context, header, body.into_vec()).await?);
    }
    Ok(bodies)
}

/// Joins a body and, for a checkpoint, the data that it names.
pub(crate) async fn with_data(
    context: &Context,
    header: SignedHeader,
    body: Vec<u8>,
) -> Result<ChangeBody, StoreError> {
    let mut data = None;
    if header.header().kind == Kind::Checkpoint as u8
        && let Ok(checkpoint) = Checkpoint::decode(&body)
    {
        data = read_data(context, &checkpoint.data).await?;
    }
    Ok(ChangeBody { header, body, data })
}

/// Reads a checkpoint's data, or `None` while a block of it is not here.
pub(crate) async fn read_data(context: &Context, artifact: &Artifact) -> Result<Option<Data>, StoreError> {
    let mut bytes = Vec::with_capacity(artifact.size as usize);
    for block in &artifact.blocks {
        let found = context.records.get::<serde_bytes::ByteBuf>(Table::Blocks, &cid_of(block).to_string()).await?;
        match found {
            StoredRecord::Record(block) => bytes.extend_from_slice(&block),
            StoredRecord::Nothing => return Ok(None),
            StoredRecord::Damaged(damaged) => {
                context.quarantine(&damaged).await;
                return Ok(None);
            }
        }
    }
    Ok(Some(bytes).filter(|bytes| artifact.is_of(bytes)).and_then(|bytes| Data::decode(&bytes).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_core::digest::Digest;

    fn did(number: u8) -> Did {
        Did::from_digest(Digest::of(&[number]))
    }

    #[test]
    fn least_recently_used_document_is_dropped() {
        let mut cache = DocumentCache::default();
        (0..RESIDENT_DOCUMENTS_MAX as u8).for_each(|number| cache.put(did(number), Document::default(), 0));
        let first = cache.take(&did(0)).expect("as many as the bound");
        cache.put(did(0), first, 0);
        cache.put(did(200), Document::default(), 0);
        assert_eq!(cache.documents.len(), RESIDENT_DOCUMENTS_MAX);
        assert!(cache.take(&did(0)).is_some(), "just used");
        assert!(cache.take(&did(1)).is_none(), "unused for longest");
    }

    #[test]
    fn documents_are_not_cached_again_after_a_loss() {
        let mut cache = DocumentCache::default();
        cache.put(did(1), Document::default(), 0);
        let taken = cache.take(&did(1)).expect("it is there");
        cache.enter(1);
        cache.put(did(1), taken, 0);
        assert!(cache.take(&did(1)).is_none());
    }
}
