//! What peers get of the store: summaries, version vectors and pages of changes, as a [`Session`] asks for them.
//!
//! The three levels of a comparison, from cheap to expensive: a [`DocumentSummary`] of some bytes for every document,
//! from the read model alone; a [`DocumentVector`] for documents whose summaries differ; the changes that the other
//! side lacks, in pages of bounded size, each change after those it depends on.
//!
//! It sends nothing itself: the host of each session does.
//!
//! [`Session`]: gen_registry_core::sync::session::Session

use std::collections::HashMap;
use std::rc::Rc;

use futures::future::try_join_all;

use crate::context::Context;
use crate::errors;
use crate::registry::{Registry, changes_prefix};
use crate::store::{StoreError, Table};
use gen_registry_api::Failure;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{ChangeId, Document, SignedChange, StoredChange};
use gen_registry_core::fact::SignedFact;
use gen_registry_core::identity::Identity;
use gen_registry_core::name::Username;
use gen_registry_core::ownership::NameState;
use gen_registry_core::sync::version_vector::{DocumentSummary, DocumentVector, beyond, change_weight};

/// Documents that are read at once for one page.
const READ_AHEAD: usize = 16;

/// The service that answers what sessions with peers ask.
pub struct Replication {
    context: Rc<Context>,
    registry: Rc<Registry>,
}

impl Replication {
    /// Creates the service.
    pub(crate) fn new(context: Rc<Context>, registry: Rc<Registry>) -> Self {
        Self { context, registry }
    }

    /// Returns a summary of every document here, in the order of their owners.
    pub async fn document_summaries(&self) -> Result<Vec<DocumentSummary>, Failure> {
        let mut summaries: Vec<(DocumentSummary, bool)> = self
            .registry
            .read_model()
            .people()
            .filter(|person| person.changes > 0 || person.forked)
            .map(|person| {
                let summary = DocumentSummary {
                    owner: person.identity,
                    changed_at: person.changed_at.unwrap_or(0),
                    heads: person.heads.clone(),
                    forked: person.forked,
                };
                (summary, person.changed_at.is_none())
            })
            .collect();
        summaries.sort_unstable_by_key(|(summary, _)| summary.owner);
        for (summary, _) in summaries.iter_mut().filter(|(_, undated)| *undated) {
            let document = self.registry.load_document(&summary.owner).await.map_err(errors::store_failed)?;
            summary.changed_at = document.changed_at();
        }
        Ok(summaries.into_iter().map(|(summary, _)| summary).collect())
    }

    /// Returns the newest changes of a document, as far as it is stored here.
    pub fn heads(&self, owner: &Identity) -> Vec<Digest> {
        self.registry.heads(owner)
    }

    /// Returns who holds a name, and why others do not.
    pub fn name_state(&self, name: &Username) -> Option<NameState> {
        self.registry.read_model().state(name).cloned()
    }

    /// Returns all facts of a person's document.
    pub fn facts_of(&self, owner: &Identity) -> Vec<SignedFact> {
        self.registry.facts_of(owner)
    }

    /// Returns what is stored of each of these documents.
    pub async fn version_vectors(&self, owners: &[Identity]) -> Result<Vec<DocumentVector>, Failure> {
        try_join_all(owners.iter().map(|owner| self.version_vector(owner))).await.map_err(errors::store_failed)
    }

    async fn version_vector(&self, owner: &Identity) -> Result<DocumentVector, StoreError> {
        if self.registry.is_forked(owner) {
            return Ok(DocumentVector { forked: true, ..DocumentVector::nothing(*owner) });
        }
        let history = self.history(owner).await?;
        Ok(DocumentVector::of(*owner, &history, false))
    }

    /// Returns one page of the changes that a replica at these vectors lacks, and the owners of documents with more. Of
    /// a forked document it returns both halves of the proof, whatever the replica has.
    pub async fn changes_beyond(
        &self,
        vectors: &[DocumentVector],
        max_bytes: usize,
    ) -> Result<(Vec<SignedChange>, Vec<Identity>), Failure> {
        let (mut page, mut unfinished, mut room) = (Vec::new(), Vec::new(), max_bytes);
        for vectors in vectors.chunks(READ_AHEAD) {
            // Once a document did not fit, what comes after is not even read.
            if !unfinished.is_empty() {
                unfinished.extend(vectors.iter().map(|vector| vector.owner));
                continue;
            }
            let histories = vectors.iter().map(|vector| self.in_causal_order(&vector.owner));
            let histories = try_join_all(histories).await.map_err(errors::store_failed)?;
            for (vector, history) in vectors.iter().zip(histories) {
                if !unfinished.is_empty() {
                    unfinished.push(vector.owner);
                    continue;
                }
                // Whatever a replica holds of a forked document, it needs both halves of the proof.
                let nothing = DocumentVector::nothing(vector.owner);
                let held = if self.registry.is_forked(&vector.owner) { &nothing } else { vector };
                let (changes, more) = beyond(&history, held, room);
                room -= changes.iter().map(change_weight).sum::<usize>();
                page.extend(changes);
                if more {
                    unfinished.push(vector.owner);
                }
            }
        }
        Ok((page, unfinished))
    }

    /// Every stored change of a document by writing session and number.
    async fn history(&self, owner: &Identity) -> Result<Vec<(ChangeId, SignedChange)>, StoreError> {
        if self.registry.is_unknown(owner) {
            return Ok(Vec::new());
        }
        let (changes, damaged) =
            self.context.records.all::<StoredChange>(Table::Changes, &changes_prefix(owner)).await?;
        for found in &damaged {
            self.context.quarantine(found).await;
        }
        let changes = changes.into_iter().map(|(_, change)| change.of(*owner));
        Ok(changes.filter_map(|change| Some((change.id().ok()?, change))).collect())
    }

    /// As [`Replication::history`], each change after those it depends on; of a proven fork the two changes that prove
    /// it.
    async fn in_causal_order(&self, owner: &Identity) -> Result<Vec<(ChangeId, SignedChange)>, StoreError> {
        if self.registry.is_forked(owner) {
            let (proof, _) = self.context.records.all::<SignedChange>(Table::Changes, &fork_prefix(owner)).await?;
            return Ok(proof.into_iter().filter_map(|(_, change)| Some((change.id().ok()?, change))).collect());
        }
        let mut history = self.history(owner).await?;
        let one_session = history.windows(2).all(|pair| pair[0].0.actor == pair[1].0.actor);
        if !one_session {
            let resident = self.registry.cache().get(owner).map(Document::places);
            let order = match resident {
                Some(order) => order,
                None => self.registry.load_document(owner).await?.places(),
            };
            let order: HashMap<ChangeId, usize> = order.into_iter().zip(0..).collect();
            history.sort_by_key(|(place, _)| order.get(place).copied().unwrap_or(usize::MAX));
        }
        Ok(history)
    }
}

/// Returns what the keys of a fork's proof begin with: outside of every owner's own keys, so that no document is loaded
/// from it.
pub(crate) fn fork_prefix(owner: &Identity) -> String {
    format!("fork/{}/", owner.to_hex())
}
