//! What a node gives to peers and takes from them: summaries, vectors and pages for a [`Session`], verdicts on what came.
//!
//! It speaks to nobody; it reads and writes the store, and tells whoever announces when there is something new.
//!
//! [`Session`]: gen_registry_core::sync::session::Session

use std::collections::HashMap;
use std::rc::Rc;

use futures::future::try_join_all;

use crate::Node;
use crate::RefusedChange;
use crate::admit::change_key;
use crate::errors;
use crate::store::records::{StoredRecord, put};
use crate::store::{Batch, StoreError, Table};
use crate::verified::Verified;
use gen_registry_api::Failure;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{
    ChangeError, ChangeId, ChangeRejection, Document, SignedChange, StoredChange, VerifiedChange,
};
use gen_registry_core::fact::SignedFact;
use gen_registry_core::identity::Identity;
use gen_registry_core::name::Username;
use gen_registry_core::ownership::NameState;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::version_vector::{DocumentSummary, DocumentVector, beyond, change_weight};

/// Documents that are read at once for one page.
const READ_AHEAD: usize = 16;

/// Is told every own change once it is stored.
pub type Announcer = Rc<dyn Fn(&SignedChange)>;

impl RefusedChange {
    /// The rule of the protocol that its sender broke.
    pub fn rule(&self) -> Rejection {
        match self {
            Self::Invalid { why: ChangeError::Forged, .. } => Rejection::Forged,
            Self::Invalid { .. } => Rejection::BadChange,
            Self::Rejected { why: ChangeRejection::Fork(_), .. } => Rejection::Fork,
            Self::Rejected { .. } => Rejection::Refused,
        }
    }

    /// The owner signed it, whoever carried it: what that says of the owner.
    pub(crate) fn fault_of_owner(&self) -> Option<(Identity, Rejection)> {
        match self {
            Self::Invalid { .. } => None,
            Self::Rejected { owner, why: ChangeRejection::Fork(_) } => Some((*owner, Rejection::Forged)),
            Self::Rejected { owner, .. } => Some((*owner, Rejection::Refused)),
        }
    }
}

impl Node {
    /// Has every own new change told to `announcer`, after it was stored.
    pub fn announce_through(&self, announcer: Announcer) {
        *self.announcer.borrow_mut() = Some(announcer);
    }

    /// Has this node remember verified signatures in common with others of its process.
    pub fn share_verified(&self, verified: Rc<Verified>) {
        *self.verified.borrow_mut() = verified;
    }

    pub(super) fn tell_own_change(&self, change: &SignedChange) {
        let announcer = self.announcer.borrow().clone();
        if let Some(announcer) = announcer {
            announcer(change);
        }
    }

    /// Every document here in a few bytes, in the order of their owners.
    pub async fn document_summaries(&self) -> Result<Vec<DocumentSummary>, Failure> {
        let mut summaries: Vec<(DocumentSummary, bool)> = self
            .state
            .borrow()
            .index
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
            let document = self.load_document(&summary.owner).await.map_err(errors::store_failed)?;
            summary.changed_at = document.changed_at();
        }
        Ok(summaries.into_iter().map(|(summary, _)| summary).collect())
    }

    /// The newest changes of a document here.
    pub fn heads(&self, owner: &Identity) -> Vec<Digest> {
        self.state.borrow().index.person(owner).map(|person| person.heads.clone()).unwrap_or_default()
    }

    /// Who holds a name here and why others do not.
    pub fn name_state(&self, name: &Username) -> Option<NameState> {
        self.state.borrow().index.state(name).cloned()
    }

    /// Everything that was ever said in a person's document, for a witness to look at.
    pub fn facts_of(&self, owner: &Identity) -> Vec<SignedFact> {
        self.state.borrow().index.person(owner).map(|person| person.facts.clone()).unwrap_or_default()
    }

    /// Nothing is stored of somebody whom the read model does not have: both are written at once. (The own key may be
    /// there before its first change.)
    pub(super) fn is_unknown(&self, owner: &Identity) -> bool {
        self.state.borrow().index.person(owner).is_none() && self.identity() != Some(*owner)
    }

    fn is_forked(&self, owner: &Identity) -> bool {
        self.state.borrow().index.person(owner).is_some_and(|person| person.forked)
    }

    /// What is here of each of these documents.
    pub async fn version_vectors(&self, owners: &[Identity]) -> Result<Vec<DocumentVector>, Failure> {
        try_join_all(owners.iter().map(|owner| self.version_vector(owner))).await.map_err(errors::store_failed)
    }

    async fn version_vector(&self, owner: &Identity) -> Result<DocumentVector, StoreError> {
        if self.is_forked(owner) {
            return Ok(DocumentVector { forked: true, ..DocumentVector::nothing(*owner) });
        }
        let history = self.history(owner).await?;
        Ok(DocumentVector::of(*owner, &history, false))
    }

    /// One page of what replicas at these vectors lack, and the owners of whom more is left.
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
                let held = if self.is_forked(&vector.owner) { &nothing } else { vector };
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
        if self.is_unknown(owner) {
            return Ok(Vec::new());
        }
        let prefix = format!("{}/", owner.to_hex());
        let (changes, damaged) = self.records.all::<StoredChange>(Table::Changes, &prefix).await?;
        for found in &damaged {
            self.quarantine(found).await;
        }
        let changes = changes.into_iter().map(|(_, change)| change.of(*owner));
        Ok(changes.filter_map(|change| Some((change.id().ok()?, change))).collect())
    }

    /// As [`Node::history`], each change after those it depends on; of a proven fork the two changes that prove it.
    async fn in_causal_order(&self, owner: &Identity) -> Result<Vec<(ChangeId, SignedChange)>, StoreError> {
        if self.is_forked(owner) {
            let (proof, _) = self.records.all::<SignedChange>(Table::Changes, &fork_prefix(owner)).await?;
            return Ok(proof.into_iter().filter_map(|(_, change)| Some((change.id().ok()?, change))).collect());
        }
        let mut history = self.history(owner).await?;
        let one_session = history.windows(2).all(|pair| pair[0].0.actor == pair[1].0.actor);
        if !one_session {
            let document_cache = self.document_cache.borrow().get(owner).map(Document::places);
            let order = match document_cache {
                Some(order) => order,
                None => self.load_document(owner).await?.places(),
            };
            let order: HashMap<ChangeId, usize> = order.into_iter().zip(0..).collect();
            history.sort_by_key(|(place, _)| order.get(place).copied().unwrap_or(usize::MAX));
        }
        Ok(history)
    }

    /// What is stored to prove that `change` and another one of its place were both signed. The other is among
    /// `arrived` or in the store.
    pub(super) async fn fork_proof(
        &self,
        change: &VerifiedChange,
        arrived: &[(usize, VerifiedChange)],
    ) -> Result<Batch, StoreError> {
        let owner = change.owner();
        let arrived = arrived.iter().map(|(_, other)| other);
        let twin = arrived.filter(|other| other.id() == change.id() && *other != change).map(|o| o.signed());
        let twin = match twin.into_iter().find(|other| other.bytes != change.signed().bytes) {
            Some(twin) => Some(twin.clone()),
            None => match self.records.get(Table::Changes, &change_key(&owner, change.id())).await? {
                StoredRecord::Record(twin) => Some(twin),
                StoredRecord::Nothing | StoredRecord::Damaged(_) => None,
            },
        };
        let prove =
            |(at, change): (usize, &SignedChange)| put(Table::Changes, &format!("{}{at}", fork_prefix(&owner)), change);
        Ok(twin.iter().flat_map(|twin| [twin, change.signed()]).enumerate().map(prove).collect())
    }
}

/// Outside of every owner's own keys, so that no document is loaded from it.
fn fork_prefix(owner: &Identity) -> String {
    format!("fork/{}/", owner.to_hex())
}
