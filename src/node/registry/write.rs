//! Writing: one command becomes entries of the own logs, which are stored before they are shown. The order of the steps is
//! explained at [`Registry`](super).

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use cid::Cid;

use crate::RequestId;
use crate::entries;
use crate::errors;
use crate::holding;
use crate::key_state::Keys;
use crate::key_store::{Intent, NextRound, RefusedName, Settings, Staged};
use crate::registry::{Changed, Registry, person_write};
use crate::store::records::put;
use crate::store::{Batch, Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::digest::block_cid;
use gen_registry_core::document::{Adopt, Document, Edit, WriteError};
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::keys::Did;
use gen_registry_core::limits::BLOCK_MAX_BYTES;
use gen_registry_core::log::body::{Claim, Release};
use gen_registry_core::log::{Body, Capability, Entry, EntryId, Kind, LogId, SignedHeader};
use gen_registry_core::name::ClaimedName;
use gen_registry_core::outcome::{NameKey, check_allowed};
use gen_registry_core::proof_of_work::{PowJob, solve};
use gen_registry_core::read_model::PersonRecord;
use gen_registry_core::receipt::Receipt;

/// What one command writes.
#[derive(Default)]
pub(crate) struct Draft {
    /// Facts for the own facts log, in order.
    pub(crate) facts: Vec<Body>,
    /// Edits of the own document; none if the command changes only settings.
    pub(crate) edits: Vec<Edit>,
    /// Blocks that these refer to, e.g. an avatar.
    pub(crate) blocks: Vec<(Cid, Vec<u8>)>,
    /// What is to be signed once a witness can be asked.
    pub(crate) intents: Vec<Intent>,
    /// A name that could not be claimed, to be shown.
    pub(crate) refused_name: Option<RefusedName>,
    /// What is wanted no more.
    pub(crate) given_up: Option<Intent>,
    /// A claim that goes on in another round.
    pub(crate) next_round: Option<NextRound>,
    /// Keys of the same identity, in the place of those of now. `true`: with words that the person has not seen yet.
    pub(crate) new_keys: Option<(Keys, bool)>,
}

/// Entries that are signed and not stored yet.
#[derive(Default)]
struct Signed {
    facts: Vec<Entry>,
    changes: Vec<(Entry, u64)>,
    writes: Batch,
}

impl Draft {
    /// Returns a draft of edits only.
    pub(crate) fn of_edits(edits: Vec<Edit>) -> Self {
        Self { edits, ..Self::default() }
    }

    /// Returns a draft of facts only.
    pub(crate) fn of_facts(facts: Vec<Body>) -> Self {
        Self { facts, ..Self::default() }
    }
}

impl Registry {
    /// Returns a claim for this device with the proof of work that the network requires, solved in a worker if there is
    /// one.
    pub(crate) async fn work_for(&self, keys: &Keys, claim: Claim) -> Claim {
        let bits = self.context.network.history().genesis().parameters.work_bits;
        if bits == 0 {
            return claim;
        }
        let job = PowJob::of_claim(&self.context.network.topic, &keys.device.public(), &claim, bits);
        let work = match self.context.environment.run_job(Job::Stamp(job.clone())).await {
            Some(JobOutput::Stamped(number)) => number,
            _ => solve(&job),
        };
        Claim { work, ..claim }
    }

    /// Returns a first-round claim of a name, after its last end, as far as is known here.
    pub(crate) fn claim_of(&self, name: ClaimedName) -> Claim {
        let key: NameKey = (name.kind(), name.folded());
        let after = self.read_model().registry().name(&key).last_end();
        // Without witnesses dates decide: a clock that was set back does not make the newer name the earlier one.
        let own = self.keys.identity().filter(|_| !self.read_model().registry().has_witnesses());
        let own = own.and_then(|own| Some(self.read_model().claims_of(&own).last()?.2));
        let at = own.map_or(self.context.now(), |last| self.context.now().max(last.plus(Duration::from_millis(1))));
        Claim { name, after, round: 0, withdrawals: Vec::new(), at, work: 0 }
    }

    /// Signs the draft, commits everything about it in one batch, and only then shows and announces it. Returns the
    /// facts' entries, in order. If it fails, nothing has changed.
    pub(crate) async fn write(&self, id: Option<RequestId>, keys: Keys, draft: Draft) -> Result<Vec<EntryId>, Failure> {
        let did = keys.did();
        check_capabilities(&keys, &draft)?;
        let generation = self.cache().generation();
        let mut document = self.document(&did).await.map_err(errors::store_failed)?;
        let signed = self.sign(&keys, &mut document, &draft)?;
        let (mut batch, settings) = self.settings_writes(id, &draft);
        let stored_keys = draft.new_keys.as_ref().map(|(keys, _)| keys);
        if let Some(keys) = stored_keys.or((!self.keys.has_identity()).then_some(&keys)) {
            batch.push(self.keys.write_of(keys).await?);
        }
        batch.extend(signed.writes.iter().cloned());
        let record = (!signed.changes.is_empty()).then(|| self.person_record(did, &document));
        batch.extend(record.as_ref().map(person_write));
        if !self.keys.has_identity() {
            holding::hold_identity(&self.context.records, &did).await.map_err(errors::store_failed)?;
        }
        // A document with edits that the store refuses is dropped here.
        self.context.commit(batch, Durability::Strict).await?;
        self.keys.set_settings(settings);
        if let Some((keys, _)) = draft.new_keys {
            self.keys.replace(keys);
        } else if !self.keys.has_identity() {
            self.keys.open(keys);
        }
        let ids = signed.facts.iter().filter(|entry| entry.header().seq > 0).map(Entry::id).collect();
        let changes_keys = signed.facts.iter().any(|entry| entry.header().kind == Kind::Statement as u8);
        let mut changed = self.admit_own(did, signed, record);
        if changes_keys {
            changed.records = vec![self.settle_document(did, &mut document).await?];
        }
        self.prune(&did, &mut document).await;
        self.cache().put(did, document, generation);
        self.update(changed);
        self.context.emit(&Event::MeChanged);
        self.announce(&did);
        Ok(ids)
    }

    /// Writes once more what another device's checkpoint left out of what this one wrote, if there is any.
    pub(crate) async fn write_lost(&self) -> Result<(), Failure> {
        let _one_at_a_time = self.begin_write().await;
        let Ok(keys) = self.keys.keys() else { return Ok(()) };
        let generation = self.cache().generation();
        let document = self.document(&keys.did()).await.map_err(errors::store_failed)?;
        let log = self.read_model().registry().present_changes_log(&keys.facts_log());
        let has_lost = document.data().is_some() && !document.lost_writes(&log).is_empty();
        self.cache().put(keys.did(), document, generation);
        if has_lost {
            self.write(None, keys, Draft::default()).await?;
        }
        Ok(())
    }

    /// The writes of settings and blocks, and the settings as they are once these are stored.
    fn settings_writes(&self, id: Option<RequestId>, draft: &Draft) -> (Batch, Settings) {
        let mut batch: Batch = Vec::new();
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        if let Some((_, has_new_words)) = &draft.new_keys {
            settings.phrase_checked &= !has_new_words;
        }
        if draft.facts.iter().any(|fact| matches!(fact, Body::Claim(_))) || !draft.intents.is_empty() {
            settings.refused_name = None;
        }
        settings.intents.retain(|intent| draft.given_up.as_ref() != Some(intent));
        settings.rounds.retain(|round| draft.given_up.as_ref() != Some(&round.intent));
        settings.intents.extend(draft.intents.iter().cloned());
        settings.rounds.extend(draft.next_round.iter().cloned());
        if !draft.facts.is_empty() {
            settings.staged = None;
        }
        if draft.refused_name.is_some() {
            settings.refused_name.clone_from(&draft.refused_name);
        }
        if let Some(id) = id {
            settings.remember(id);
        }
        batch.push(settings.write());
        let blocks = draft.blocks.iter();
        batch.extend(blocks.map(|(cid, bytes)| block_write(cid, bytes)));
        (batch, settings)
    }

    /// Signs everything that the draft says: the opening if the log has none, the facts, and the edits in one change.
    fn sign(&self, keys: &Keys, document: &mut Document, draft: &Draft) -> Result<Signed, Failure> {
        let (did, topic, facts_log) = (keys.did(), self.context.network.topic, keys.facts_log());
        let mut signed = Signed::default();
        let mut head = self.writable_head(&facts_log)?;
        let add_fact = |entry: Entry, signed: &mut Signed| {
            let header = *entry.signed_header();
            signed.writes.extend(entries::entry_writes(&did, &entry, 0));
            signed.facts.push(entry);
            header
        };
        let mut last = match head.take() {
            Some(head) => head,
            None => add_fact(Entry::open(&topic, &keys.device, keys.opening.encode()), &mut signed),
        };
        // What is staged goes ahead of a fact that can't wait for it.
        let staged = self.keys.settings().staged.clone().filter(|_| !draft.facts.is_empty());
        if let Some(entry) = staged.and_then(|staged| Entry::decode(&topic, &staged.entry).ok()) {
            last = add_fact(entry, &mut signed);
        }
        for body in &draft.facts {
            let entry = Entry::after(&topic, &keys.device, &last, body.kind() as u8, body.encode());
            last = add_fact(entry, &mut signed);
        }
        let mut edits: Vec<Edit> = draft.edits.clone();
        let has_joined = self.read_model().person(&did).is_some_and(|person| person.profile.joined_at.is_some());
        if !has_joined && document.data().is_some_and(|data| data.is_empty()) {
            edits.insert(0, Edit::JoinedAt(self.context.now()));
        }
        let log = self.read_model().registry().present_changes_log(&facts_log);
        if !edits.is_empty() || !document.lost_writes(&log).is_empty() {
            self.sign_edits(keys, document, &edits, &mut last, &mut signed)?;
        }
        Ok(signed)
    }

    /// Signs the edits as one change, after a checkpoint if one is due, and after what another device's checkpoint left
    /// out. `last` is the last fact: a changes log that takes no more is followed by the next one, which a fact opens.
    fn sign_edits(
        &self,
        keys: &Keys,
        document: &mut Document,
        edits: &[Edit],
        last: &mut SignedHeader,
        signed: &mut Signed,
    ) -> Result<(), Failure> {
        let (did, topic) = (keys.did(), self.context.network.topic);
        let read_model = self.read_model();
        let registry = read_model.registry();
        let mut log = registry.present_changes_log(&keys.facts_log());
        if registry.chain(&log).is_some_and(|chain| chain.fork().is_some()) {
            log = log.numbered(log.number + 1);
            let next = Body::NextChanges(log.number);
            let entry = Entry::after(&topic, &keys.device, last, next.kind() as u8, next.encode());
            *last = *entry.signed_header();
            signed.writes.extend(entries::entry_writes(&did, &entry, 0));
            signed.facts.push(entry);
        }
        let mut head = registry.head(&log).copied();
        if registry.is_checkpoint_due(&log) {
            head = Some(self.sign_checkpoint(keys, document, &log, head.as_ref(), signed)?);
        }
        let lost = document.lost_writes(&log);
        if let Some(checkpoint) = document.standing().filter(|_| !lost.is_empty() && document.data().is_some()) {
            let adoption = Adopt { checkpoint }.encode();
            let entry = append(&topic, keys, &log, head.as_ref(), Kind::Adopt, adoption);
            document.insert_adoption(log, entry.header().seq, entry.id());
            head = Some(*entry.signed_header());
            signed.writes.extend(entries::entry_writes(&did, &entry, 0));
            signed.changes.push((entry, 0));
            self.sign_writes(keys, document, log, &mut head, &lost, signed)?;
        }
        let writes: Vec<_> = edits.iter().map(Edit::to_write).collect();
        self.sign_writes(keys, document, log, &mut head, &writes, signed)
    }

    /// Signs writes as the next change of a changes log; as several if they are too large for one.
    fn sign_writes(
        &self,
        keys: &Keys,
        document: &mut Document,
        log: LogId,
        head: &mut Option<SignedHeader>,
        writes: &[gen_registry_core::document::Write],
        signed: &mut Signed,
    ) -> Result<(), Failure> {
        let body = match document.write(log, self.context.now(), writes) {
            Ok(body) => body,
            // It says already what it should say.
            Err(WriteError::Nothing) => return Ok(()),
            Err(WriteError::TooLarge) if writes.len() > 1 => {
                let (first, second) = writes.split_at(writes.len() / 2);
                self.sign_writes(keys, document, log, head, first, signed)?;
                return self.sign_writes(keys, document, log, head, second, signed);
            }
            Err(error) => return Err(write_failed(error)),
        };
        let operations = gen_registry_core::document::count_operations(&body).map_err(|_| errors::internal())?;
        let entry = append(&self.context.network.topic, keys, &log, head.as_ref(), Kind::Change, body);
        *head = Some(*entry.signed_header());
        document
            .insert_change(log, entry.header().seq, entry.id(), entry.body(), keys.opening.capabilities())
            .map_err(|_| errors::not_allowed())?;
        signed.writes.extend(entries::entry_writes(&keys.did(), &entry, operations));
        signed.changes.push((entry, operations));
        Ok(())
    }

    /// Signs a checkpoint of everything that counts now.
    fn sign_checkpoint(
        &self,
        keys: &Keys,
        document: &mut Document,
        log: &LogId,
        head: Option<&SignedHeader>,
        signed: &mut Signed,
    ) -> Result<SignedHeader, Failure> {
        let ends = self.read_model.borrow().registry().ends_of_changes(&keys.did());
        let (checkpoint, data) = document.make_checkpoint(ends).ok_or_else(|| write_failed(WriteError::NotHere))?;
        let entry = append(&self.context.network.topic, keys, log, head, Kind::Checkpoint, checkpoint.encode());
        let bytes = data.encode();
        signed.writes.extend(bytes.chunks(BLOCK_MAX_BYTES).map(|block| block_write(&block_cid(block), block)));
        signed.writes.extend(entries::entry_writes(&keys.did(), &entry, 0));
        document.insert_checkpoint(entry.id(), checkpoint, Some(data));
        let header = *entry.signed_header();
        signed.changes.push((entry, 0));
        Ok(header)
    }

    /// The head of the own facts log, or `None` before its opening. Fails if the log takes no more.
    fn writable_head(&self, log: &LogId) -> Result<Option<SignedHeader>, Failure> {
        let read_model = self.read_model();
        let registry = read_model.registry();
        let Some(chain) = registry.chain(log) else { return Ok(None) };
        if chain.fork().is_some() {
            return Err(errors::forked());
        }
        if chain.end() != gen_registry_core::log::End::Open {
            return Err(errors::revoked());
        }
        Ok(registry.head(log).copied())
    }

    /// Admits own entries that are stored.
    fn admit_own(&self, did: Did, signed: Signed, record: Option<PersonRecord>) -> Changed {
        let mut read_model = self.read_model.borrow_mut();
        let registry = read_model.registry_mut();
        // The person may have blocked, on this device, who they are now.
        registry.accept_document_of(&did);
        let mut changed = Changed { people: BTreeSet::from([did]), ..Changed::default() };
        let facts = signed.facts.iter().map(|entry| (entry, 0));
        for (entry, operations) in facts.chain(signed.changes.iter().map(|(entry, operations)| (entry, *operations))) {
            if let Err(error) = registry.admit(entry, operations) {
                tracing::error!(%error, "an own entry is not admitted");
            }
            changed.names.extend(registry.names_concerned(&entry.id()));
            if entry.header().log.are_facts() {
                changed.facts.entry(did).or_default().insert(entry.id());
            }
        }
        changed.records.extend(record);
        changed
    }

    /// Signs a fact as the next of the own facts log and stores it aside: it enters the log later, with its receipts
    /// ([`Registry::admit_staged`]). The caller holds the write lock.
    pub(crate) async fn stage(&self, keys: &Keys, body: &Body) -> Result<Entry, Failure> {
        let head = self.writable_head(&keys.facts_log())?.ok_or_else(errors::no_identity)?;
        let entry = Entry::after(&self.context.network.topic, &keys.device, &head, body.kind() as u8, body.encode());
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        settings.staged = Some(Staged { entry: entry.encode(), receipts: Vec::new() });
        self.keys.save_settings(settings).await?;
        Ok(entry)
    }

    /// Lets the staged entry into the log, with its receipts or without, and forgets the intent that is over with it. The
    /// caller holds the write lock.
    pub(crate) async fn admit_staged(
        &self,
        entry: &Entry,
        receipts: Vec<Receipt>,
        intent: Option<&Intent>,
        refused_name: Option<RefusedName>,
    ) -> Result<(), Failure> {
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        settings.staged = None;
        settings.intents.retain(|other| Some(other) != intent);
        settings.rounds.retain(|round| Some(&round.intent) != intent);
        if refused_name.is_some() {
            settings.refused_name = refused_name;
        }
        let did = self.keys.identity().ok_or_else(errors::no_identity)?;
        let mut batch = entries::entry_writes(&did, entry, 0);
        batch.extend(receipts.iter().map(entries::receipt_write));
        batch.push(settings.write());
        self.context.commit(batch, Durability::Strict).await?;
        self.keys.set_settings(settings);
        for receipt in receipts {
            self.read_model.borrow_mut().registry_mut().add_receipt(receipt);
        }
        let changed = self.admit_own(did, Signed { facts: vec![entry.clone()], ..Signed::default() }, None);
        self.settle_own(&entry.id()).await?;
        self.update(changed);
        self.context.emit(&Event::MeChanged);
        self.announce(&did);
        Ok(())
    }

    /// Returns the entry that opens the own facts log.
    pub(crate) fn opening_entry_of(&self, keys: &Keys) -> Result<Entry, Failure> {
        let read_model = self.read_model();
        let registry = read_model.registry();
        let opening = registry.opening_entry(&keys.facts_log().opening);
        opening.and_then(|opening| registry.entry(&opening)).ok_or_else(errors::no_identity)
    }

    /// Takes out of a document what is not in effect any more, because devices ended. Returns the person's record, stored.
    async fn settle_document(&self, did: Did, document: &mut Document) -> Result<PersonRecord, Failure> {
        document.retain(|entry| self.read_model().registry().is_in_effect(entry));
        let record = self.person_record(did, document);
        self.context.commit(vec![person_write(&record)], Durability::Relaxed).await?;
        Ok(record)
    }

    /// Adds verified receipts, stores them, and shows what follows.
    pub(crate) async fn add_receipts(&self, receipts: Vec<Receipt>) -> Result<(), Failure> {
        let batch: Vec<Write> = receipts.iter().map(entries::receipt_write).collect();
        self.context.commit(batch, Durability::Strict).await?;
        let mut changed = Changed::default();
        let mut with_other_keys: BTreeSet<Did> = BTreeSet::new();
        let mut confirmed = Vec::new();
        {
            let mut read_model = self.read_model.borrow_mut();
            let registry = read_model.registry_mut();
            for receipt in receipts {
                let entry = receipt.entry;
                if registry.add_receipt(receipt) {
                    confirmed.push(entry);
                    changed.names.extend(registry.names_concerned(&entry));
                    let fact = registry.facts().get(&entry);
                    changed.people.extend(fact.map(|fact| fact.did));
                    with_other_keys.extend(fact.filter(|fact| fact.statement().is_some()).map(|fact| fact.did));
                }
            }
        }
        for did in with_other_keys {
            let generation = self.cache().generation();
            let mut document = self.document(&did).await.map_err(errors::store_failed)?;
            changed.records.push(self.settle_document(did, &mut document).await?);
            self.cache().put(did, document, generation);
        }
        for entry in &confirmed {
            self.settle_own(entry).await?;
        }
        let people: Vec<Did> = changed.people.iter().copied().collect();
        self.update(changed);
        people.iter().for_each(|did| self.announce(did));
        Ok(())
    }

    /// Knows at once who holds the names of an own claim: no rival of it can have been first here.
    async fn settle_own(&self, entry: &EntryId) -> Result<(), Failure> {
        {
            let mut read_model = self.read_model.borrow_mut();
            let registry = read_model.registry_mut();
            let is_own = registry.facts().get(entry).is_some_and(|fact| Some(fact.did) == self.keys.identity());
            if is_own {
                registry.names_concerned(entry).iter().for_each(|name| registry.settle_holder(name));
            }
        }
        self.store_known_holders().await
    }

    /// Knows the holders whose claims stood alone for a while, and stores that.
    pub(crate) async fn settle_holders(&self) -> Result<(), Failure> {
        self.read_model.borrow_mut().registry_mut().settle_holders();
        self.store_known_holders().await
    }

    /// Stores what is newly known of who holds a name.
    pub(crate) async fn store_known_holders(&self) -> Result<(), Failure> {
        let known = self.read_model.borrow_mut().registry_mut().take_changed_holders();
        if known.is_empty() {
            return Ok(());
        }
        self.context.commit(known.iter().map(entries::holder_write).collect(), Durability::Relaxed).await
    }
}

/// Checks that the device may say what the draft says, so that nobody is told that something without effect was done.
fn check_capabilities(keys: &Keys, draft: &Draft) -> Result<(), Failure> {
    let capabilities = keys.opening.capabilities();
    let may_want = |intent: &Intent| match intent {
        Intent::Username(_) | Intent::Module(_) => capabilities.allow(Capability::Claim),
        Intent::Release(body) => {
            Release::decode_alone(body).is_ok_and(|release| capabilities.allow_publishing(release.module.as_str()))
        }
    };
    let may_say = draft.facts.iter().all(|body| check_allowed(&keys.opening, body).is_ok());
    if may_say && draft.intents.iter().all(may_want) { Ok(()) } else { Err(errors::not_allowed()) }
}

/// Signs the next entry of a changes log.
fn append(
    topic: &gen_registry_core::identity::Topic,
    keys: &Keys,
    log: &LogId,
    head: Option<&SignedHeader>,
    kind: Kind,
    body: Vec<u8>,
) -> Entry {
    match head {
        Some(head) => Entry::after(topic, &keys.device, head, kind as u8, body),
        None => Entry::begin(topic, &keys.device, *log, kind as u8, body),
    }
}

fn block_write(cid: &Cid, bytes: &[u8]) -> Write {
    put(Table::Blocks, &cid.to_string(), &serde_bytes::Bytes::new(bytes))
}

fn write_failed(error: WriteError) -> Failure {
    match error {
        WriteError::Full => Failure::new(
            FailureCode::DocumentFull,
            "Your profile, descriptions and ratings together are as long as the network allows.",
            "Shorten or remove something old, then try again.",
        ),
        WriteError::TooLarge => {
            Failure::new(FailureCode::ProfileInvalid, "This is more than one change may carry.", "Make it shorter.")
        }
        WriteError::NotHere => Failure::new(
            FailureCode::ContentMissing,
            "A part of your own data is not on this device yet.",
            "Wait until a peer with it is connected.",
        ),
        WriteError::Nothing => errors::internal(),
    }
}
