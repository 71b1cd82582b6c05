//! Documents of other people that were changed lately, so that the next change need not replay the ones before it.
//!
//! A document is taken out to be changed and put back after the store has the changes: whatever fails in between, none
//! here is ever ahead of the store. The own document is not here; the registry has it.

use std::collections::HashMap;

use gen_registry_core::document::Document;
use gen_registry_core::identity::Identity;

/// Documents of others kept in memory: bounded by this, never by how many people there are.
pub(super) const RESIDENT_DOCUMENTS_MAX: usize = 64;

#[derive(Default)]
pub(super) struct DocumentCache {
    documents: HashMap<Identity, (u64, Document)>,
    clock: u64,
    generation: u64,
}

impl DocumentCache {
    /// Begins another generation when the store lost something: everything here is forgotten, and what was taken out
    /// before must not be put back.
    pub(super) fn enter(&mut self, generation: u64) {
        if generation != self.generation {
            self.documents.clear();
            self.generation = generation;
        }
    }

    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn get(&self, owner: &Identity) -> Option<&Document> {
        self.documents.get(owner).map(|(_, document)| document)
    }

    pub(super) fn take(&mut self, owner: &Identity) -> Option<Document> {
        self.documents.remove(owner).map(|(_, document)| document)
    }

    /// Puts back what was taken out in `generation` and is stored. The ones unused for longest make room.
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
