//! Writing: one command becomes one signed change, stored before it is shown (INV-6), and other people's changes are
//! taken in.

use std::collections::{BTreeMap, BTreeSet};

use cid::Cid;

use crate::node::api::*;
use crate::node::keeper::{Keeper, key_write, make};
use crate::node::{Node, REMEMBERED_REQUESTS, RefusedName, RequestId, SETTINGS_KEY, wording};
use crate::registry::digest::block_cid;
use crate::registry::document::{Admitted, ChangeError, Document, Edit, EditError, Rejection, SignedChange, Snapshot, VerifiedChange};
use crate::registry::fact::{ClaimedName, Fact, NameClaim, NameRelease};
use crate::registry::identity::{Identity, Signed, SigningIdentity};
use crate::registry::index::PersonRecord;
use crate::registry::limits::*;
use crate::registry::name::Username;
use crate::registry::ownership::Availability;
use crate::registry::picture;
use crate::registry::time::Timestamp;
use crate::store::records::{Damaged, Found, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};

/// After so many changes a document is stored in one piece again.
const SNAPSHOT_EVERY: usize = 32;
/// Documents admitted between two pauses and commits.
const ADMIT_SLICE: usize = 64;

/// What came of changes that arrived from elsewhere.
#[derive(Debug, Default)]
pub struct AdmissionReport {
    /// New to this node.
    pub admitted: usize,
    pub known: usize,
    /// Waiting for what they depend on; not stored.
    pub waiting: usize,
    pub refused: Vec<RefusedChange>,
}

/// A change that was not taken in, and why. It changed nothing.
#[derive(Debug)]
pub enum RefusedChange {
    Invalid { owner: Identity, why: ChangeError },
    Rejected { owner: Identity, why: Rejection },
}

/// What one command writes.
#[derive(Default)]
struct Draft {
    edits: Vec<Edit>,
    blocks: Vec<(Cid, Vec<u8>)>,
    refused_name: Option<RefusedName>,
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
            match self.claim_edits(&signer, &name) {
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
        draft.edits.extend(self.claim_edits(&signer, &name)?);
        self.commit(id, signer, draft).await
    }

    pub(super) async fn rename(&self, id: Option<RequestId>, name: &str) -> Result<(), Failure> {
        let name = parse(name)?;
        let signer = self.state.borrow().keeper.signer()?;
        let edits = self.claim_edits(&signer, &name)?;
        self.commit(id, signer, Draft { edits, ..Draft::default() }).await
    }

    pub(super) async fn release(&self, id: Option<RequestId>) -> Result<(), Failure> {
        let signer = self.state.borrow().keeper.signer()?;
        let now = self.own_now(&signer.identity());
        let edits: Vec<Edit> = self.release_edit(&signer, now).into_iter().collect();
        if edits.is_empty() {
            return Err(Failure::new(
                FailureCode::NoName,
                "You hold no name that could be given up.",
                "Claim one first.",
            ));
        }
        self.commit(id, signer, Draft { edits, ..Draft::default() }).await
    }

    pub(super) async fn update_profile(&self, id: Option<RequestId>, changes: ProfileChanges) -> Result<(), Failure> {
        let signer = self.signer_or_new()?;
        let draft = self.profile_draft(changes)?;
        self.commit(id, signer, draft).await
    }

    /// The key; made, but not stored yet, when there is none.
    fn signer_or_new(&self) -> Result<SigningIdentity, Failure> {
        match &self.state.borrow().keeper {
            Keeper::Empty => Ok(make(&*self.environment)),
            keeper => keeper.signer(),
        }
    }

    /// Now, but after everything that this identity has dated so far: a clock set back must not reorder its claims.
    fn own_now(&self, own: &Identity) -> Timestamp {
        let state = self.state.borrow();
        let claims = state.index.claims_of(own);
        let last = claims.iter().map(|(_, _, at, _)| at.as_millis() + 1).max().unwrap_or(0);
        Timestamp::from_millis(self.environment.now().as_millis().max(last))
    }

    /// Rule 5: a newer claim releases the older name in the same change.
    fn claim_edits(&self, signer: &SigningIdentity, name: &Username) -> Result<Vec<Edit>, Failure> {
        let own = signer.identity();
        let now = self.own_now(&own);
        let state = self.state.borrow();
        match state.index.availability(name, Some(&own), now) {
            Availability::HeldBy(holder) => {
                let holder = state.index.username_of(&holder).map_or(name.as_str(), Username::as_str);
                return Err(wording::name_taken(name.as_str(), holder));
            }
            Availability::ClosedUntil(_) => return Err(wording::cooling_down(name.as_str())),
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
        let respelled = state.index.username_of(&own).is_some_and(|held| held.folded() == name.folded());
        drop(state);
        let release = (!respelled).then(|| self.release_edit(signer, now)).flatten();
        let claim = Fact::NameClaim(NameClaim { name: ClaimedName::Username(name.clone()), claimed_at: now });
        Ok(release.into_iter().chain([self.fact(signer, claim)]).collect())
    }

    fn release_edit(&self, signer: &SigningIdentity, at: Timestamp) -> Option<Edit> {
        let claim = self.state.borrow().index.live_claim(&signer.identity())?;
        Some(self.fact(signer, Fact::NameRelease(NameRelease { claim, at })))
    }

    fn fact(&self, signer: &SigningIdentity, fact: Fact) -> Edit {
        Edit::AddFact(Signed::sign(signer, &self.network.topic, fact))
    }

    fn profile_draft(&self, changes: ProfileChanges) -> Result<Draft, Failure> {
        let ProfileChanges { display_name, bio, avatar, links } = changes;
        let mut draft = Draft::default();
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

    /// Signs the draft as one change, stores everything about it in one transaction, and only then shows it.
    async fn commit(&self, id: Option<RequestId>, signer: SigningIdentity, mut draft: Draft) -> Result<(), Failure> {
        let own = signer.identity();
        let now = self.environment.now();
        let mut document = self.own_document(&own).await?;
        let before = document.changes();
        if before == 0 && self.state.borrow().index.person(&own).is_none_or(|person| person.profile.joined_at.is_none()) {
            draft.edits.insert(0, Edit::JoinedAt(now));
        }
        let mut batch: Batch = Vec::new();
        let fresh = matches!(self.state.borrow().keeper, Keeper::Empty);
        if fresh {
            batch.push(key_write(&signer, None));
        }
        let mut settings = self.state.borrow().settings.clone();
        if draft.edits.iter().any(|edit| matches!(edit, Edit::AddFact(_))) {
            settings.refused_name = None;
        }
        if draft.refused_name.is_some() {
            settings.refused_name = draft.refused_name;
        }
        if let Some(id) = id {
            settings.requests.push_back(id);
            while settings.requests.len() > REMEMBERED_REQUESTS {
                settings.requests.pop_front();
            }
        }
        batch.push(put(Table::Settings, SETTINGS_KEY, &settings));
        for (cid, bytes) in &draft.blocks {
            batch.push(put(Table::Blocks, &cid.to_string(), &serde_bytes::Bytes::new(bytes)));
        }
        let mut person = None;
        if !draft.edits.is_empty() {
            let actor = self.state.borrow().actor;
            let change = document.edit(&signer, &self.network.topic, &actor, now, &draft.edits).map_err(edit_failed)?;
            batch.push(change_write(&change));
            let record = self.person_record(&document, now);
            batch.push(person_write(&record));
            if before / SNAPSHOT_EVERY != document.changes() / SNAPSHOT_EVERY {
                batch.push(put(Table::Documents, &own.to_hex(), &document.snapshot()));
            }
            person = Some(record);
        }
        // A copy was written to: when the store refuses, the resident document is still the old one.
        self.records.commit(batch, Durability::Strict).await.map_err(wording::store_failed)?;
        {
            let mut state = self.state.borrow_mut();
            if fresh {
                state.keeper = Keeper::Open { signer, sealed: None };
            }
            state.settings = settings;
            state.own = Some(document);
        }
        match person {
            Some(record) => self.show(vec![record]),
            None => self.tell(&Event::MeChanged),
        }
        Ok(())
    }

    /// The own document: resident, or read from the store.
    async fn own_document(&self, own: &Identity) -> Result<Document, Failure> {
        let resident = self.state.borrow().own.as_ref().filter(|document| document.owner() == *own).cloned();
        match resident {
            Some(document) => Ok(document),
            None => self.load_document(own).await.map_err(wording::store_failed),
        }
    }

    /// A document from its last snapshot and the signed changes that came after. What is damaged is set aside.
    pub(super) async fn load_document(&self, owner: &Identity) -> Result<Document, StoreError> {
        let mut document = Document::new(*owner);
        match self.records.get::<Snapshot>(Table::Documents, &owner.to_hex()).await? {
            Found::Record(snapshot) => match Document::load(*owner, &snapshot) {
                Ok(loaded) => document = loaded,
                Err(error) => tracing::warn!(%error, "a snapshot can't be read; replaying the changes"),
            },
            Found::Nothing => {}
            Found::Damaged(damaged) => self.set_aside(&damaged).await,
        }
        let (changes, damaged) =
            self.records.all::<SignedChange>(Table::Changes, &format!("{}/", owner.to_hex())).await?;
        for found in &damaged {
            self.set_aside(found).await;
        }
        for (key, change) in changes {
            let admitted = change.recall().map_err(|error| error.to_string()).and_then(|change| {
                document.admit(change).map_err(|error| error.to_string())
            });
            if let Err(error) = admitted {
                tracing::error!(%key, %error, "a stored change is not taken in");
            }
        }
        Ok(document)
    }

    /// Folds a person again from their signed changes, when the read model's record was lost.
    pub(super) async fn rebuild(&self, key: &str) {
        let Ok(bytes) = crate::registry::digest::bytes_from_hex(key) else { return };
        let Ok(owner) = Identity::from_bytes(&bytes) else { return };
        match self.load_document(&owner).await {
            Ok(document) if document.changes() > 0 => {
                let record = self.person_record(&document, self.environment.now());
                if let Err(error) = self.records.commit(vec![person_write(&record)], Durability::Relaxed).await {
                    tracing::error!(%error, "a rebuilt person could not be stored");
                }
                self.show(vec![record]);
            }
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "a person could not be rebuilt"),
        }
    }

    fn person_record(&self, document: &Document, now: Timestamp) -> PersonRecord {
        let owner = document.owner();
        let view = document.view(&self.network.topic);
        let state = self.state.borrow();
        let mut record = state.index.person(&owner).cloned().unwrap_or_else(|| PersonRecord::new(owner));
        record.profile = view.profile;
        record.add_facts(view.facts);
        record.heads = document.heads();
        record.changes = document.changes() as u64;
        record.bytes = document.bytes() as u64;
        record.updated_at = now;
        record
    }

    /// Puts records into the read model and tells whom it concerns.
    pub(super) fn show(&self, records: Vec<PersonRecord>) {
        let now = self.environment.now();
        let own = self.identity();
        let named = |node: &Self| own.and_then(|own| node.state.borrow().index.username_of(&own).cloned());
        let before = named(self);
        let mut touched: BTreeSet<Identity> = BTreeSet::new();
        for record in records {
            touched.extend(self.state.borrow_mut().index.put(record, now));
        }
        self.tell_touched(touched, before.filter(|_| named(self).is_none()));
    }

    /// Claims whose date has come begin to count.
    pub(super) fn let_claims_count(&self) {
        let own = self.identity();
        let named = |node: &Self| own.and_then(|own| node.state.borrow().index.username_of(&own).cloned());
        let before = named(self);
        let touched = self.state.borrow_mut().index.advance(self.environment.now());
        self.tell_touched(touched, before.filter(|_| named(self).is_none()));
    }

    fn tell_touched(&self, mut touched: BTreeSet<Identity>, lost: Option<Username>) {
        if self.identity().is_some_and(|own| touched.remove(&own)) {
            self.tell(&Event::MeChanged);
        }
        if let Some(lost) = lost.and_then(|name| self.lost_name(&name)) {
            self.tell(&Event::NameLost { lost });
        }
        let mut dids: Vec<String> = touched.iter().map(Identity::to_string).collect();
        dids.extend(self.identity().map(|own| own.to_string()));
        self.tell(&Event::PeopleChanged { dids });
    }

    /// Takes in changes of any owners, in slices. Each is verified first; a bad one harms no other.
    pub async fn admit(&self, changes: Vec<SignedChange>) -> Result<AdmissionReport, Failure> {
        let mut report = AdmissionReport::default();
        let mut by_owner: BTreeMap<Identity, Vec<VerifiedChange>> = BTreeMap::new();
        for change in changes {
            let owner = change.owner;
            match change.verify(&self.network.topic) {
                Ok(verified) => by_owner.entry(owner).or_default().push(verified),
                Err(why) => report.refused.push(RefusedChange::Invalid { owner, why }),
            }
        }
        let owners: Vec<(Identity, Vec<VerifiedChange>)> = by_owner.into_iter().collect();
        for slice in owners.chunks(ADMIT_SLICE) {
            let mut batch = Vec::new();
            let mut records = Vec::new();
            for (owner, changes) in slice {
                self.admit_to(owner, changes, &mut report, &mut batch, &mut records).await?;
            }
            self.records.commit(batch, Durability::Relaxed).await.map_err(wording::store_failed)?;
            self.show(records);
            self.environment.pause().await;
        }
        Ok(report)
    }

    async fn admit_to(
        &self,
        owner: &Identity,
        changes: &[VerifiedChange],
        report: &mut AdmissionReport,
        batch: &mut Batch,
        records: &mut Vec<PersonRecord>,
    ) -> Result<(), Failure> {
        let mut document = self.load_document(owner).await.map_err(wording::store_failed)?;
        let before = document.changes();
        let mut waiting = BTreeMap::new();
        for change in changes {
            match document.admit(change.clone()) {
                Ok(Admitted::Applied { waiting_applied }) => {
                    report.admitted += 1 + waiting_applied;
                    batch.push(change_write(change));
                    if waiting_applied > 0 {
                        waiting.retain(|_, waited| {
                            let applied = !document.is_waiting(waited);
                            if applied {
                                batch.push(change_write(waited));
                            }
                            !applied
                        });
                    }
                }
                Ok(Admitted::Waiting) => drop(waiting.insert(change.place().clone(), change.clone())),
                Ok(Admitted::Known) => report.known += 1,
                Err(why) => report.refused.push(RefusedChange::Rejected { owner: *owner, why }),
            }
        }
        report.waiting += waiting.len();
        if document.changes() - waiting.len() > before {
            let record = self.person_record(&document, self.environment.now());
            batch.push(person_write(&record));
            if before / SNAPSHOT_EVERY != document.changes() / SNAPSHOT_EVERY {
                batch.push(put(Table::Documents, &owner.to_hex(), &document.snapshot()));
            }
            records.push(record);
        }
        if self.identity() == Some(*owner) {
            self.state.borrow_mut().own = None;
        }
        Ok(())
    }

    /// Stores blocks that came with a backup.
    pub(super) async fn keep_blocks(&self, blocks: &[serde_bytes::ByteBuf]) -> Result<(), Failure> {
        let write = |bytes: &serde_bytes::ByteBuf| put(Table::Blocks, &block_cid(bytes).to_string(), bytes);
        let batch = blocks.iter().filter(|bytes| bytes.len() <= BLOCK_MAX_BYTES).map(write).collect();
        self.records.commit(batch, Durability::Strict).await.map_err(wording::store_failed)
    }

    /// Every signed change of the own document, for a backup. None is left out silently.
    pub(super) async fn own_changes(&self, own: &Identity) -> Result<(Vec<SignedChange>, Vec<Damaged>), Failure> {
        let found = self.records.all::<SignedChange>(Table::Changes, &format!("{}/", own.to_hex())).await;
        let (changes, damaged) = found.map_err(wording::store_failed)?;
        Ok((changes.into_iter().map(|(_, change)| change).collect(), damaged))
    }
}

/// The key of a change: owner, writing session, number. Sorted, a session's changes stand in their order.
fn change_write(change: &VerifiedChange) -> Write {
    let actor: String = change.place().actor.iter().map(|byte| format!("{byte:02x}")).collect();
    let key = format!("{}/{actor}/{:08}", change.owner().to_hex(), change.place().seq);
    put(Table::Changes, &key, change.signed())
}

fn person_write(record: &PersonRecord) -> Write {
    put(Table::People, &record.identity.to_hex(), &record.to_stored())
}

pub(super) fn parse(name: &str) -> Result<Username, Failure> {
    name.trim().parse().map_err(|error| wording::name_invalid(&error))
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
    let links: Vec<String> = links.into_iter().map(|link| link.trim().to_owned()).filter(|link| !link.is_empty()).collect();
    if links.len() > LINKS_MAX {
        return Err(profile_invalid(format!("A profile has at most {LINKS_MAX} links."), "Take the ones that matter most."));
    }
    match links.iter().find(|link| !crate::registry::document::is_link(link)) {
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
        EditError::Nothing => wording::internal(),
    }
}
