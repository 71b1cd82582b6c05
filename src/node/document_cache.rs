//! Other people's documents that were changed lately (an LRU cache), so that the next change need not replay all before
//! it.
//!
//! A document is taken out to be changed, and put back once its changes are stored: whatever fails in between, none in
//! the cache is ever ahead of the store. If the store loses a record, a new generation begins and the cache is emptied:
//! a peer must be able to bring the lost change again, which a cached document would call known. The own document is
//! not here; the registry has it.

use std::collections::HashMap;

use gen_registry_core::document::Document;
use gen_registry_core::identity::Identity;

/// Documents in memory: bounded by this, not by how many people there are.
pub(super) const RESIDENT_DOCUMENTS_MAX: usize = 64;

/// The cached documents, each with the time of its last use in `clock`'s ticks.
#[derive(Default)]
pub(super) struct DocumentCache {
    /// The documents, each with the value of `clock` at its last use.
    documents: HashMap<Identity, (u64, Document)>,
    /// Counts uses: a larger value is a later use.
    clock: u64,
    /// How often the store had lost something when this generation began.
    generation: u64,
}

impl DocumentCache {
    /// Begins another generation if the store has lost something: forgets everything, and refuses what was taken out
    /// before.
    pub(super) fn enter(&mut self, generation: u64) {
        if generation != self.generation {
            self.documents.clear();
            self.generation = generation;
        }
    }

    /// Returns the present generation, to be given to [`DocumentCache::put_all`].
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns a document without taking it out.
    pub(super) fn get(&self, owner: &Identity) -> Option<&Document> {
        self.documents.get(owner).map(|(_, document)| document)
    }

    /// Takes a document out, to be changed.
    pub(super) fn take(&mut self, owner: &Identity) -> Option<Document> {
        self.documents.remove(owner).map(|(_, document)| document)
    }

    /// Puts documents back that were taken out in `generation` and are stored. Those unused for longest are removed.
    pub(super) fn put_all(&mut self, documents: impl IntoIterator<Item = Document>, generation: u64) {
        if generation != self.generation {
            return;
        }
        for document in documents {
            self.clock += 1;
            self.documents.insert(document.owner(), (self.clock, document));
            if self.documents.len() > RESIDENT_DOCUMENTS_MAX {
                let oldest = self.documents.iter().min_by_key(|(_, (used, _))| *used).map(|(owner, _)| *owner);
                oldest.and_then(|owner| self.documents.remove(&owner));
            }
        }
    }

    /// Removes a document.
    pub(super) fn forget(&mut self, owner: &Identity) {
        self.documents.remove(owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_core::identity::SigningIdentity;

    fn document(number: u8) -> Document {
        Document::new(SigningIdentity::from_entropy(&[number; 32]).identity())
    }

    #[test]
    fn least_recently_used_document_is_dropped() {
        let mut document_cache = DocumentCache::default();
        document_cache.put_all((0..RESIDENT_DOCUMENTS_MAX as u8).map(document), 0);
        assert!(document_cache.get(&document(0).owner()).is_some(), "as many as the bound");
        let first = document_cache.take(&document(0).owner()).expect("it is there");
        document_cache.put_all([first, document(200)], 0);
        assert_eq!(document_cache.documents.len(), RESIDENT_DOCUMENTS_MAX);
        assert!(document_cache.get(&document(0).owner()).is_some(), "just used");
        assert!(document_cache.get(&document(1).owner()).is_none(), "unused for longest");
    }

    #[test]
    fn documents_are_not_cached_again_after_a_loss() {
        let mut document_cache = DocumentCache::default();
        document_cache.put_all([document(1)], 0);
        let taken = document_cache.take(&document(1).owner()).expect("it is there");
        document_cache.enter(1);
        document_cache.put_all([taken], 0);
        assert!(document_cache.get(&document(1).owner()).is_none());
    }
}
