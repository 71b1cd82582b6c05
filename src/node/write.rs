//! Writing: one command becomes one signed change, stored before it is shown.

use std::collections::BTreeSet;

use cid::Cid;

use crate::Node;
use crate::RefusedName;
use crate::RequestId;
use crate::SETTINGS_KEY;
use crate::errors;
use crate::key_store::{KeyState, key_write, make};
use crate::store::records::put;
use crate::store::{Batch, Durability, Table};
use gen_registry_api::*;
use gen_registry_core::digest::{Digest, block_cid};
use gen_registry_core::document::{self, Document, Edit, EditError};
use gen_registry_core::fact::{ClaimedName, Fact, NameClaim, NameRelinquish, SignedFact};
use gen_registry_core::identity::{Identity, Signed, SigningIdentity};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::limits::*;
use gen_registry_core::name::Username;
use gen_registry_core::ownership::Availability;
use gen_registry_core::picture;
use gen_registry_core::proof_of_work::{PowJob, solve};
use gen_registry_core::time::Timestamp;

/// What one command writes.
#[derive(Default)]
pub(super) struct ChangeDraft {
    pub(super) edits: Vec<Edit>,
    pub(super) blocks: Vec<(Cid, Vec<u8>)>,
    refused_name: Option<RefusedName>,
}

impl ChangeDraft {
    pub(super) fn of(edits: Vec<Edit>) -> Self {
        Self { edits, ..Self::default() }
    }
}

impl Node {
    pub(super) async fn set_up(
        &self,
        id: Option<RequestId>,
        name: Option<String>,
        changes: ProfileChanges,
    ) -> Result<(), Failure> {
        let name = name.map(|text| parse(&text)).transpose()?;
        let signer = self.signer_or_new()?;
        let mut draft = self.profile_draft(changes)?;
        if let Some(name) = name {
            match self.claim_edits(&signer, &name).await {
                Ok(edits) => draft.edits.extend(edits),
                Err(Failure { code: FailureCode::NameTaken | FailureCode::NameCoolingDown, .. }) => {
                    draft.refused_name = Some(RefusedName { name: name.to_string() });
                }
                Err(failure) => return Err(failure),
            }
        }
        self.commit(id, signer, draft).await
    }

    pub(super) async fn register(
        &self,
        id: Option<RequestId>,
        name: &str,
        changes: ProfileChanges,
    ) -> Result<(), Failure> {
        let name = parse(name)?;
        let signer = self.signer_or_new()?;
        let mut draft = self.profile_draft(changes)?;
        draft.edits.extend(self.claim_edits(&signer, &name).await?);
        self.commit(id, signer, draft).await
    }

    pub(super) async fn rename(&self, id: Option<RequestId>, name: &str) -> Result<(), Failure> {
        let name = parse(name)?;
        let signer = self.state.borrow().key_state.signer()?;
        let edits = self.claim_edits(&signer, &name).await?;
        self.commit(id, signer, ChangeDraft::of(edits)).await
    }

    pub(super) async fn release(&self, id: Option<RequestId>) -> Result<(), Failure> {
        let signer = self.state.borrow().key_state.signer()?;
        let now = self.own_now(&signer.identity());
        let edits: Vec<Edit> = self.release_edit(&signer, now).into_iter().collect();
        if edits.is_empty() {
            return Err(Failure::new(
                FailureCode::NoName,
                "You hold no name that could be given up.",
                "Claim one first.",
            ));
        }
        self.commit(id, signer, ChangeDraft::of(edits)).await
    }

    pub(super) async fn update_profile(&self, id: Option<RequestId>, changes: ProfileChanges) -> Result<(), Failure> {
        let signer = self.signer_or_new()?;
        let draft = self.profile_draft(changes)?;
        self.commit(id, signer, draft).await
    }

    /// The key; made, but not stored yet, when there is none.
    pub(super) fn signer_or_new(&self) -> Result<SigningIdentity, Failure> {
        match &self.state.borrow().key_state {
            KeyState::Empty => Ok(make(&*self.environment)),
            key_state => key_state.signer(),
        }
    }

    /// Now, but after everything that this identity has dated so far: a clock set back must not reorder its claims.
    pub(super) fn own_now(&self, own: &Identity) -> Timestamp {
        let state = self.state.borrow();
        let claims = state.index.claims_of(own);
        let last = claims.iter().map(|(_, _, at, _)| at.as_millis() + 1).max().unwrap_or(0);
        self.now().max(Timestamp::from_millis(last))
    }

    /// Rule 5: a newer claim releases the older name in the same change.
    async fn claim_edits(&self, signer: &SigningIdentity, name: &Username) -> Result<Vec<Edit>, Failure> {
        let own = signer.identity();
        let now = self.own_now(&own);
        let respelled = {
            let state = self.state.borrow();
            match state.index.availability(name, Some(&own), now) {
                Availability::HeldBy(holder) => {
                    let holder = state.index.username_of(&holder).map_or(name.as_str(), Username::as_str);
                    return Err(errors::name_taken(name.as_str(), holder));
                }
                Availability::ClosedUntil(_) => return Err(errors::cooling_down(name.as_str())),
                Availability::Yours if state.index.username_of(&own) == Some(name) => return Ok(Vec::new()),
                Availability::Yours | Availability::Free => {}
            }
            if state.index.claims_of(&own).len() >= USERNAME_CLAIMS_MAX {
                return Err(Failure::new(
                    FailureCode::TooManyNames,
                    format!("An identity can take {USERNAME_CLAIMS_MAX} usernames in its life, and this one has."),
                    "Keep the present name; a new profile has a new identity.",
                ));
            }
            state.index.username_of(&own).is_some_and(|held| held.folded() == name.folded())
        };
        let release = (!respelled).then(|| self.release_edit(signer, now)).flatten();
        let claim = self.claim(signer, ClaimedName::Username(name.clone()), now).await;
        Ok(release.into_iter().chain([claim]).collect())
    }

    /// A claim with the work that the network asks for, which is done where it blocks nobody.
    pub(super) async fn claim(&self, signer: &SigningIdentity, name: ClaimedName, claimed_at: Timestamp) -> Edit {
        let mut claim = NameClaim { name, claimed_at, work: 0 };
        let bits = self.network.rules.work_bits;
        if bits > 0 {
            let job = PowJob::new(&self.network.topic, &signer.identity(), &claim, bits);
            claim.work = match self.environment.run_job(Job::Stamp(job.clone())).await {
                Some(JobOutput::Stamped(number)) => number,
                _ => solve(&job),
            };
        }
        self.fact(signer, Fact::NameClaim(claim))
    }

    fn release_edit(&self, signer: &SigningIdentity, at: Timestamp) -> Option<Edit> {
        let claim = self.state.borrow().index.live_claim(&signer.identity())?;
        Some(self.fact(signer, Fact::NameRelinquish(NameRelinquish { claim, at })))
    }

    pub(super) fn fact(&self, signer: &SigningIdentity, fact: Fact) -> Edit {
        Edit::AddFact(Signed::sign(signer, &self.network.topic, fact))
    }

    fn profile_draft(&self, changes: ProfileChanges) -> Result<ChangeDraft, Failure> {
        let ProfileChanges { display_name, bio, avatar, links } = changes;
        let mut draft = ChangeDraft::default();
        if let Some(text) = display_name {
            draft.edits.push(Edit::DisplayName(bounded("A display name", text, DISPLAY_NAME_MAX_CHARS)?));
        }
        if let Some(text) = bio {
            draft.edits.push(Edit::Bio(bounded("A bio", text, BIO_MAX_CHARS)?));
        }
        if let Some(links) = links {
            draft.edits.push(Edit::Links(check_links(links)?));
        }
        if let Some(bytes) = avatar {
            let bytes = bytes.into_vec();
            if bytes.is_empty() {
                draft.edits.push(Edit::Avatar(None));
            } else {
                check_avatar(&bytes)?;
                let cid = block_cid(&bytes);
                draft.edits.push(Edit::Avatar(Some(cid)));
                draft.blocks.push((cid, bytes));
            }
        }
        Ok(draft)
    }

    /// Puts witnesses' receipts beside the facts they are for.
    pub(super) async fn write_receipts(&self, receipts: Vec<SignedFact>) -> Result<(), Failure> {
        let _one_at_a_time = self.writing.lock().await;
        let signer = self.state.borrow().key_state.signer()?;
        let known: BTreeSet<Digest> = self.facts_of(&signer.identity()).iter().map(SignedFact::hash).collect();
        let new = receipts.into_iter().filter(|receipt| !known.contains(&receipt.hash()));
        let edits: Vec<Edit> = new.map(Edit::AddFact).collect();
        if edits.is_empty() {
            return Ok(());
        }
        self.commit(None, signer, ChangeDraft::of(edits)).await
    }

    /// Signs the draft as one change, stores everything about it in one transaction, and only then shows it.
    pub(super) async fn commit(
        &self,
        id: Option<RequestId>,
        signer: SigningIdentity,
        mut draft: ChangeDraft,
    ) -> Result<(), Failure> {
        let own = signer.identity();
        // Nobody would take it in.
        if !draft.edits.is_empty() && self.state.borrow().index.person(&own).is_some_and(|person| person.forked) {
            return Err(errors::forked());
        }
        let now = self.now();
        let mut document = self.own_document(&own).await?;
        let before = document.changes();
        if before == 0 && self.state.borrow().index.person(&own).is_none_or(|person| person.profile.joined_at.is_none())
        {
            draft.edits.insert(0, Edit::JoinedAt(now));
        }
        let mut batch: Batch = Vec::new();
        let fresh = matches!(self.state.borrow().key_state, KeyState::Empty);
        if fresh {
            batch.push(key_write(&signer, None));
        }
        let mut settings = self.state.borrow().settings.clone();
        if draft.edits.iter().any(claims_a_name) {
            settings.refused_name = None;
        }
        if draft.refused_name.is_some() {
            settings.refused_name = draft.refused_name;
        }
        if let Some(id) = id {
            settings.remember(id);
        }
        batch.push(put(Table::Settings, SETTINGS_KEY, &settings));
        for (cid, bytes) in &draft.blocks {
            batch.push(put(Table::Blocks, &cid.to_string(), &serde_bytes::Bytes::new(bytes)));
        }
        let mut person = None;
        let mut made = None;
        if !draft.edits.is_empty() {
            let actor = self.state.borrow().actor;
            match document.edit(&signer, &self.network.topic, &actor, now, &draft.edits) {
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
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)?;
        {
            let mut state = self.state.borrow_mut();
            if fresh {
                state.key_state = KeyState::Open { signer, sealed: None };
            }
            state.settings = settings;
            state.own = Some(document);
        }
        self.document_cache.borrow_mut().forget(&own);
        match person {
            Some(record) => self.update_read_model(vec![record]),
            None => self.tell(&Event::MeChanged),
        }
        if let Some(change) = made {
            self.tell_own_change(change.signed());
        }
        Ok(())
    }

    /// The own document: resident, or read from the store.
    pub(super) async fn own_document(&self, own: &Identity) -> Result<Document, Failure> {
        let document_cache = self.state.borrow().own.as_ref().filter(|document| document.owner() == *own).cloned();
        match document_cache {
            Some(document) => Ok(document),
            None => self.load_document(own).await.map_err(errors::store_failed),
        }
    }
}

fn claims_a_name(edit: &Edit) -> bool {
    matches!(edit, Edit::AddFact(fact) if matches!(fact.statement(), Fact::NameClaim(_)))
}

pub(super) fn parse(name: &str) -> Result<Username, Failure> {
    name.trim().parse().map_err(|error| errors::name_invalid(&error))
}

fn profile_invalid(message: impl Into<String>, advice: &str) -> Failure {
    Failure::new(FailureCode::ProfileInvalid, message, advice)
}

/// Empty takes the value away.
fn bounded(what: &str, text: String, most: usize) -> Result<Option<String>, Failure> {
    let text = text.trim().to_owned();
    let found = text.chars().count();
    if found > most {
        let message = format!("{what} has at most {most} characters; this has {found}.");
        return Err(profile_invalid(message, "Make it shorter."));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

fn check_links(links: Vec<String>) -> Result<Vec<String>, Failure> {
    let links: Vec<String> =
        links.into_iter().map(|link| link.trim().to_owned()).filter(|link| !link.is_empty()).collect();
    if links.len() > LINKS_MAX {
        return Err(profile_invalid(
            format!("A profile has at most {LINKS_MAX} links."),
            "Take the ones that matter most.",
        ));
    }
    match links.iter().find(|link| !document::is_link(link)) {
        Some(bad) => Err(profile_invalid(
            format!("“{}” is not a web address.", bad.chars().take(80).collect::<String>()),
            "A link starts with https:// or http://, has no spaces and at most 256 characters.",
        )),
        None => Ok(links),
    }
}

fn check_avatar(bytes: &[u8]) -> Result<(), Failure> {
    let invalid = |message: String| {
        Err(Failure::new(FailureCode::AvatarInvalid, message, "Choose a PNG, JPEG, WebP or GIF of at most 256 KiB."))
    };
    if bytes.len() > BLOCK_MAX_BYTES {
        return invalid(format!("The picture has {} KiB.", bytes.len() / 1024));
    }
    if picture::media_type(bytes).is_none() {
        return invalid("This file is not a picture of a kind that every browser shows.".to_owned());
    }
    Ok(())
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
