//! Writing: one command becomes one signed change, which is stored before it is shown. The order of the steps is
//! explained at [`Registry`](super).

use std::collections::BTreeSet;

use cid::Cid;

use crate::RequestId;
use crate::errors;
use crate::key_state::key_write;
use crate::key_store::RefusedName;
use crate::registry::Registry;
use crate::store::records::put;
use crate::store::{Batch, Durability, Table};
use gen_registry_api::*;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{Edit, EditError};
use gen_registry_core::fact::{ClaimedName, Fact, NameClaim, SignedFact};
use gen_registry_core::identity::{Identity, Signed, SigningIdentity};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::limits::CLOCK_SKEW;
use gen_registry_core::proof_of_work::{PowJob, solve};
use gen_registry_core::time::Timestamp;

/// What one command writes.
#[derive(Default)]
pub(crate) struct ChangeDraft {
    /// Edits of the own document; none if the command changes only settings.
    pub(crate) edits: Vec<Edit>,
    /// Blocks that the edits refer to, e.g. an avatar.
    pub(crate) blocks: Vec<(Cid, Vec<u8>)>,
    /// A name that could not be claimed, to be shown.
    pub(crate) refused_name: Option<RefusedName>,
}

impl ChangeDraft {
    /// Returns a draft of edits only.
    pub(crate) fn of(edits: Vec<Edit>) -> Self {
        Self { edits, ..Self::default() }
    }
}

impl Registry {
    /// Makes `signer` this profile's key.
    pub(crate) async fn adopt(&self, signer: SigningIdentity) -> Result<(), Failure> {
        let newest_claim = self.newest_claim(&signer.identity());
        self.keys.adopt(signer, newest_claim).await?;
        self.forget_own();
        Ok(())
    }

    /// Removes the key of this profile; what peers have of the person remains.
    pub(crate) async fn forget_identity(&self, confirm: &str) -> Result<(), Failure> {
        self.keys.forget_identity(confirm).await?;
        self.forget_own();
        Ok(())
    }

    /// Returns the present time, but later than everything that this identity has dated so far: a clock set back must
    /// not reorder its claims. Claims that wait because they were dated far ahead are left out; otherwise everything that
    /// the person does from now on would wait with them.
    pub(crate) fn own_now(&self, own: &Identity) -> Timestamp {
        let read_model = self.read_model();
        let (claims, now) = (read_model.claims_of(own), self.context.now());
        let dates = claims.iter().map(|(_, _, at, _)| *at).filter(|at| *at <= now.plus(CLOCK_SKEW));
        dates.map(|at| Timestamp::from_millis(at.as_millis() + 1)).max().unwrap_or_default().max(now)
    }

    /// Returns a signed claim, with the proof of work that the network requires, solved in a worker if there is one.
    pub(crate) async fn claim(&self, signer: &SigningIdentity, name: ClaimedName, claimed_at: Timestamp) -> Edit {
        let mut claim = NameClaim { name, claimed_at, work: 0 };
        let bits = self.context.network.rules.work_bits;
        if bits > 0 {
            let job = PowJob::new(&self.context.network.topic, &signer.identity(), &claim, bits);
            claim.work = match self.context.environment.run_job(Job::Stamp(job.clone())).await {
                Some(JobOutput::Stamped(number)) => number,
                _ => solve(&job),
            };
        }
        self.fact(signer, Fact::NameClaim(claim))
    }

    /// Returns the edit that adds a signed fact.
    pub(crate) fn fact(&self, signer: &SigningIdentity, fact: Fact) -> Edit {
        Edit::AddFact(Signed::sign(signer, &self.context.network.topic, fact))
    }

    /// Adds witnesses' receipts to the own document, without those that it has.
    pub(crate) async fn write_receipts(&self, receipts: Vec<SignedFact>) -> Result<(), Failure> {
        let _one_at_a_time = self.begin_write().await;
        let signer = self.keys.signer()?;
        let known: BTreeSet<Digest> = self.facts_of(&signer.identity()).iter().map(SignedFact::hash).collect();
        let new = receipts.into_iter().filter(|receipt| !known.contains(&receipt.hash()));
        let edits: Vec<Edit> = new.map(Edit::AddFact).collect();
        if edits.is_empty() {
            return Ok(());
        }
        self.write(None, signer, ChangeDraft::of(edits)).await
    }

    /// Signs the draft as one change, commits everything about it in one batch, and only then shows and announces it.
    /// If it fails, nothing has changed.
    pub(crate) async fn write(
        &self,
        id: Option<RequestId>,
        signer: SigningIdentity,
        mut draft: ChangeDraft,
    ) -> Result<(), Failure> {
        let own = signer.identity();
        // No peer would admit it.
        if !draft.edits.is_empty() && self.read_model().person(&own).is_some_and(|person| person.forked) {
            return Err(errors::forked());
        }
        let now = self.context.now();
        let mut document = self.own_document(&own).await?;
        let before = document.changes();
        if before == 0 && self.read_model().person(&own).is_none_or(|person| person.profile.joined_at.is_none()) {
            draft.edits.insert(0, Edit::JoinedAt(now));
        }
        let mut batch: Batch = Vec::new();
        let fresh = !self.keys.has_identity();
        if fresh {
            batch.push(key_write(&signer, None));
        }
        let mut settings = self.keys.settings().clone();
        if draft.edits.iter().any(claims_a_name) {
            settings.refused_name = None;
        }
        if draft.refused_name.is_some() {
            settings.refused_name = draft.refused_name;
        }
        if let Some(id) = id {
            settings.remember(id);
        }
        batch.push(settings.write());
        for (cid, bytes) in &draft.blocks {
            batch.push(put(Table::Blocks, &cid.to_string(), &serde_bytes::Bytes::new(bytes)));
        }
        let mut person = None;
        let mut made = None;
        if !draft.edits.is_empty() {
            match document.edit(&signer, &self.context.network.topic, &self.actor, now, &draft.edits) {
                Ok(change) => {
                    let (writes, record) = self.document_writes(&document, before, std::slice::from_ref(&change));
                    batch.extend(writes);
                    made = Some(change);
                    person = Some(record);
                }
                // It says already what it should say.
                Err(EditError::Nothing) => {}
                Err(error) => return Err(edit_failed(error)),
            }
        }
        // A copy was written to: when the store refuses, the resident document is still the old one.
        self.context.commit(batch, Durability::Strict).await?;
        if fresh {
            self.keys.open(signer);
        }
        self.keys.set_settings(settings);
        *self.own.borrow_mut() = Some(document);
        self.cache().forget(&own);
        match person {
            Some(record) => self.update_read_model(vec![record]),
            None => self.context.emit(&Event::MeChanged),
        }
        if let Some(change) = made {
            self.announce(change.signed());
        }
        Ok(())
    }
}

fn claims_a_name(edit: &Edit) -> bool {
    matches!(edit, Edit::AddFact(fact) if matches!(fact.statement(), Fact::NameClaim(_)))
}

fn edit_failed(error: EditError) -> Failure {
    match error {
        EditError::Full => Failure::new(
            FailureCode::DocumentFull,
            "Your document is full: it has as many changes as the network allows.",
            "Your data is safe and readable, but it can't be changed any more.",
        ),
        EditError::TooLarge => {
            Failure::new(FailureCode::ProfileInvalid, "This is more than one change may carry.", "Make it shorter.")
        }
        EditError::Nothing => errors::internal(),
    }
}
