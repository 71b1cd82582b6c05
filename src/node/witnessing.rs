//! Gets from the witnesses what only they can make count: names, releases, their marks, and ends of names.
//!
//! A name that is wanted is an [`Intent`] until a witness can be asked. Then its claim is signed, shown to the witnesses of
//! the network one after the other, and only announced to others together with its receipts:
//!
//! ```text
//!   intent "rose" ─► a witness is connected ─► claim signed and staged: on the disk, in no log yet
//!        ─► asked in the order of the name ─► enough receipts ─► claim and receipts enter the log and are announced
//!                                        ─► taken, or refused ─► the intent is given up, and the person is told why
//!                                        ─► votes are split   ─► all rivals withdraw, one claims again in the next round
//!                                        ─► too few answer    ─► it stays staged, and is asked for again later
//! ```
//!
//! So nobody sees a claim before it is confirmed, and nobody can be quicker with the same name. A crash in between loses
//! nothing: the staged claim is asked for again, and gets the receipts that it got before. A fact that can't wait (a
//! revocation, say) sends the staged claim ahead of it, unconfirmed.
//!
//! Other facts are announced at once, and ask for their receipts afterwards. What earlier witness sets confirmed gets its
//! path under their root ([`Closings`]).

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture, join_all, select};
use futures::{FutureExt, pin_mut};
use futures_timer::Delay;
use serde_bytes::ByteBuf;

use crate::admit::Admission;
use crate::closings::Closings;
use crate::context::Context;
use crate::errors;
use crate::key_state::Keys;
use crate::key_store::{Intent, KeyStore, NextRound, RefusedName};
use crate::net::key::NetPeerId;
use crate::net::mesh::MeshHandle;
use crate::peers::PeerTable;
use crate::people::answers::refused_name;
use crate::receipts::{self, Outcome, WitnessLink};
use crate::registry::{Draft, Registry};
use crate::store::Durability;
use gen_registry_api::{Event, Failure};
use gen_registry_core::digest::Digest;
use gen_registry_core::keys::{Did, PublicKey};
use gen_registry_core::log::body::{Claim, Release, Withdrawal};
use gen_registry_core::log::{Body, Entry, EntryId, Opening};
use gen_registry_core::name::{ClaimedName, ModuleName, NameKind};
use gen_registry_core::outcome::{Counts, Fact};
use gen_registry_core::receipt::Receipt;
use gen_registry_core::statement::{DeviceList, Finish, SignedStatement, Statement};
use gen_registry_core::sync::asking::Split;
use gen_registry_core::sync::asking::foundations::foundations;
use gen_registry_core::sync::asking::wire::{self, Code, Learn, PROTOCOL, Request};
use gen_registry_core::time::Timestamp;

/// How long one witness may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often at least it is asked for what is wanted.
const COLLECT_EVERY: Duration = Duration::from_secs(20);
/// How long the answer to a claim or a publication waits for the witnesses at most.
const ANSWER_PATIENCE: Duration = Duration::from_secs(5);
/// How often it is seen whether the rivals of a split claim have withdrawn.
const ROUND_EVERY: Duration = Duration::from_secs(2);
/// The most paths that are stored in one batch.
const PATHS_AT_ONCE: usize = 256;
/// After a refusal the same fact is shown again, later each time: the witness may have had its clock wrong.
const RETRY_FIRST: Duration = Duration::from_secs(30);
const RETRY_DOUBLINGS_MAX: u32 = 7;

/// The service that asks witnesses.
pub(crate) struct Witnessing {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    admission: Rc<Admission>,
    peers: Rc<PeerTable>,
    under_way: Cell<bool>,
    /// Whether something was wanted since the asking that is under way began.
    again: Cell<bool>,
    /// Who waits for the end of the asking.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    /// Which connected relay has which witness beside it.
    places: RefCell<BTreeMap<PublicKey, NetPeerId>>,
    /// Receipts of entries that not enough witnesses have signed yet.
    partial: RefCell<BTreeMap<EntryId, Vec<Receipt>>>,
    /// What was refused, how often, and when to ask again.
    refused: RefCell<BTreeMap<EntryId, (u32, Timestamp)>>,
    /// What earlier witness sets confirmed.
    closings: Closings,
}

/// How far an intent came.
enum Progress {
    /// It is done with, for good or ill.
    Done,
    /// It goes on once somebody else, or another intent, has done something.
    WaitsForOthers,
    /// Too few witnesses answer.
    Unanswered,
}

/// An end of a name, or new words, whose hold runs or has passed.
struct Announcement {
    entry: EntryId,
    /// What the finish ends: a claim, or the link before new words.
    ends: Digest,
    /// When it may be finished.
    finish_from: Timestamp,
}

/// The way to witnesses over the relays that they are beside.
struct Link<'a> {
    witnessing: &'a Witnessing,
    mesh: &'a MeshHandle,
}

impl WitnessLink for Link<'_> {
    fn ask<'a>(&'a self, witness: &'a PublicKey, request: &'a [u8]) -> LocalBoxFuture<'a, Option<Vec<u8>>> {
        let relay = self.witnessing.places.borrow().get(witness).copied();
        async move { send(self.mesh, relay?, request).await }.boxed_local()
    }
}

/// One asking at a time, however it ends.
struct UnderWay<'a>(&'a Cell<bool>);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

impl Witnessing {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        admission: Rc<Admission>,
        peers: Rc<PeerTable>,
    ) -> Self {
        let (under_way, again, places) = (Cell::default(), Cell::default(), RefCell::default());
        let waiting = RefCell::default();
        let (partial, refused, closings) = (RefCell::default(), RefCell::default(), Closings::default());
        Self {
            context,
            keys,
            registry,
            admission,
            peers,
            under_way,
            again,
            waiting,
            places,
            partial,
            refused,
            closings,
        }
    }

    /// Asks for everything that is wanted, one after the other. Does nothing without witnesses, without a way to one, or
    /// while the keys are locked. While the same is under way, it is done once more afterwards.
    pub(crate) async fn collect(&self) {
        self.again.set(true);
        if self.under_way.replace(true) {
            return;
        }
        let _until_done = UnderWay(&self.under_way);
        while self.again.replace(false) {
            self.collect_once().await;
        }
        // One that waits no longer has dropped its end.
        for waiting in self.waiting.take() {
            waiting.send(()).ok();
        }
    }

    /// Waits until the witnesses were asked for what the person wants, if a relay is connected over which they can be, and
    /// for [`ANSWER_PATIENCE`] at most.
    pub(crate) async fn settle(&self) {
        let settled = self.until_settled();
        pin_mut!(settled);
        select(settled, Delay::new(ANSWER_PATIENCE)).await;
    }

    async fn until_settled(&self) {
        if self.keys.settings().intents.is_empty() || !self.has_relay() || self.keys.keys().is_err() {
            return;
        }
        // An asking that is under way may have passed what was written just now.
        self.again.set(true);
        let (ended, end) = oneshot::channel();
        self.waiting.borrow_mut().push(ended);
        end.await.ok();
    }

    fn has_relay(&self) -> bool {
        self.peers.mesh().is_some() && self.peers.view().relays.iter().any(|relay| relay.connected)
    }

    async fn collect_once(&self) {
        let has_witnesses = self.registry.read_model().registry().has_witnesses();
        let Some(mesh) = self.peers.mesh().filter(|_| has_witnesses) else { return };
        let keys = self.keys.keys();
        let has_closed_sets = self.registry.read_model().registry().history().number() > 0;
        if keys.is_err() && !has_closed_sets {
            return;
        }
        self.find_witnesses(&mesh).await;
        if self.places.borrow().is_empty() {
            return;
        }
        if has_closed_sets && let Err(failure) = self.take_paths(&mesh).await {
            tracing::warn!(code = ?failure.code, "what earlier witnesses confirmed could not be kept");
        }
        let Ok(keys) = keys else { return };
        if let Err(failure) = self.carry_out(&mesh, &keys).await {
            tracing::warn!(code = ?failure.code, "what the witnesses signed could not be kept");
        }
    }

    async fn carry_out(&self, mesh: &MeshHandle, keys: &Keys) -> Result<(), Failure> {
        // What comes meanwhile is asked for once more afterwards.
        for intent in self.keys.settings().intents.clone() {
            match self.carry_out_intent(mesh, keys, &intent).await? {
                Progress::Done | Progress::WaitsForOthers => {}
                Progress::Unanswered => break,
            }
        }
        self.finish_announced(keys).await?;
        for entry in self.facts_without_receipts(keys) {
            let Some((opening, entry)) = self.with_opening(&entry) else { continue };
            match self.ask(mesh, &opening, &entry).await? {
                Outcome::Confirmed(receipts) => {
                    self.refused.borrow_mut().remove(&entry.id());
                    self.registry.add_receipts(receipts.clone()).await?;
                    self.show_receipts(mesh, &opening, &entry, &receipts).await;
                }
                Outcome::Lost { proof, .. } | Outcome::Split { proof, .. } => {
                    self.admission.admit(proof).await?;
                    self.schedule_retry(entry.id(), None);
                }
                Outcome::Refused(refused) => self.schedule_retry(entry.id(), refused.until),
                // The next chance comes with a relay or after a while.
                Outcome::Exhausted(_) | Outcome::NoWitnesses => {}
            }
        }
        Ok(())
    }

    /// Shows each witness that signed an entry what the others signed. Witnesses pass that on to each other, too, if they
    /// can; with both, each of them can show alone that the entry is confirmed, should the disks of all others be lost
    /// before the set is changed.
    async fn show_receipts(&self, mesh: &MeshHandle, opening: &Entry, entry: &Entry, receipts: &[Receipt]) {
        if receipts.len() < 2 {
            return;
        }
        let request = Request::Learn(Learn {
            topic: self.context.network.topic,
            opening: opening.encode(),
            entry: entry.encode(),
            receipts: receipts.iter().map(Receipt::encode).collect(),
        })
        .encode();
        let link = Link { witnessing: self, mesh };
        // What does not arrive was passed on by the witnesses, most likely.
        join_all(receipts.iter().map(|receipt| link.ask(&receipt.witness, &request))).await;
    }

    /// Gets the paths of what earlier witness sets confirmed. Needs no keys.
    async fn take_paths(&self, mesh: &MeshHandle) -> Result<(), Failure> {
        let witnesses: Vec<PublicKey> = {
            let read_model = self.registry.read_model();
            let set = read_model.registry().history().set();
            self.places.borrow().keys().filter(|witness| set.has(witness)).copied().collect()
        };
        let link = Link { witnessing: self, mesh };
        let paths = self.closings.paths(&*self.registry, &witnesses, &link, self.context.now()).await;
        for some in paths.chunks(PATHS_AT_ONCE) {
            self.admission.admit(some.to_vec()).await?;
        }
        Ok(())
    }

    /// Asks each connected relay that is not known which witness is beside it.
    async fn find_witnesses(&self, mesh: &MeshHandle) {
        let relays: Vec<NetPeerId> = {
            let view = self.peers.view();
            view.relays.iter().filter(|relay| relay.connected).filter_map(|relay| peer_of(&relay.address)).collect()
        };
        self.places.borrow_mut().retain(|_, relay| relays.contains(relay));
        let request = Request::Name(self.context.network.topic).encode();
        for relay in relays {
            if self.places.borrow().values().any(|known| *known == relay) {
                continue;
            }
            let answer = send(mesh, relay, &request).await.and_then(|bytes| wire::Answer::decode(&bytes).ok());
            let Some(wire::Answer::Named(witness)) = answer else { continue };
            let is_of_set = self.registry.read_model().registry().history().set().has(&witness);
            if is_of_set {
                self.places.borrow_mut().insert(witness, relay);
            }
        }
    }

    /// Shows an entry to the witnesses, one after the other.
    async fn ask(&self, mesh: &MeshHandle, opening: &Entry, entry: &Entry) -> Result<Outcome, Failure> {
        let known = self.known_receipts(entry);
        let parts = {
            let read_model = self.registry.read_model();
            let topic = self.context.network.topic;
            let read = Opening::decode_for(&topic, &entry.header().log.device, opening.body());
            let fact = read.ok().and_then(|read| Fact::of(&topic, entry, &read).ok());
            fact.map(|fact| foundations(read_model.registry(), &fact)).unwrap_or_default()
        };
        let pieces = self.registry.load_all(parts).await.map_err(errors::store_failed)?;
        let link = Link { witnessing: self, mesh };
        let asked = receipts::collect(&*self.registry, opening, entry, pieces, &known, &link).await;
        let outcome = asked.map_err(|error| {
            tracing::error!(%error, "an own entry can't be shown to witnesses");
            errors::internal()
        })?;
        let mut partial = self.partial.borrow_mut();
        match &outcome {
            Outcome::Exhausted(receipts) => drop(partial.insert(entry.id(), receipts.clone())),
            Outcome::Refused(refused) => tracing::info!(code = ?refused.code, "the witnesses refuse to sign"),
            _ => drop(partial.remove(&entry.id())),
        }
        Ok(outcome)
    }

    /// Carries out an intent as far as it goes.
    async fn carry_out_intent(&self, mesh: &MeshHandle, keys: &Keys, intent: &Intent) -> Result<Progress, Failure> {
        match intent {
            Intent::Username(name) => self.claim(mesh, keys, intent, ClaimedName::Username(name.clone())).await,
            Intent::Module(name) => self.claim(mesh, keys, intent, ClaimedName::Module(name.clone())).await,
            Intent::Release(body) => self.release(keys, intent, body).await,
        }
    }

    /// Signs and stages the claim of a name, unless that was done before, and asks for it.
    async fn claim(
        &self,
        mesh: &MeshHandle,
        keys: &Keys,
        intent: &Intent,
        name: ClaimedName,
    ) -> Result<Progress, Failure> {
        let topic = self.context.network.topic;
        let staged = self.keys.settings().staged.clone();
        let staged = staged.map(|staged| Entry::decode(&topic, &staged.entry)).transpose();
        let staged = staged.map_err(|_| errors::internal())?;
        let is_of_name =
            |entry: &Entry| matches!(Body::of(&topic, entry), Ok(Body::Claim(claim)) if claim.name == name);
        if staged.as_ref().is_some_and(|entry| !is_of_name(entry)) {
            // Another claim is staged: this one's turn comes after it.
            return Ok(Progress::WaitsForOthers);
        }
        let entry = match staged {
            Some(entry) if !self.is_dated_ahead(&entry) => entry,
            staged => {
                let Some(claim) = self.next_claim(intent, &name) else { return Ok(Progress::WaitsForOthers) };
                let claim = self.registry.work_for(keys, claim).await;
                let _one_at_a_time = self.registry.begin_write().await;
                if let Some(ahead) = staged {
                    self.registry.admit_staged(&ahead, Vec::new(), None, None).await?;
                }
                self.registry.stage(keys, &Body::Claim(Box::new(claim))).await?
            }
        };
        let opening = self.registry.opening_entry_of(keys)?;
        let asked = self.ask(mesh, &opening, &entry).await?;
        let one_at_a_time = self.registry.begin_write().await;
        match asked {
            Outcome::Confirmed(receipts) => {
                self.registry.admit_staged(&entry, receipts.clone(), Some(intent), None).await?;
                drop(one_at_a_time);
                self.show_receipts(mesh, &opening, &entry, &receipts).await;
            }
            Outcome::Lost { proof, .. } => {
                self.admission.admit_while_writing(proof, Durability::Strict).await?;
                self.give_up_intent(&entry, intent, &name).await?;
            }
            // Kept for another entry for a short while; or the name may be free, and it is this device's clock that is wrong.
            Outcome::Refused(refused) if matches!(refused.code, Code::Reserved | Code::DatedAhead) => {
                return Ok(Progress::Unanswered);
            }
            Outcome::Refused(_) => self.give_up_intent(&entry, intent, &name).await?,
            Outcome::Split { split, proof } => {
                self.admission.admit_while_writing(proof, Durability::Strict).await?;
                return self.withdraw(keys, &entry, intent, &name, split).await;
            }
            Outcome::Exhausted(receipts) => {
                self.keep_staged_receipts(&receipts).await?;
                return Ok(Progress::Unanswered);
            }
            Outcome::NoWitnesses => return Ok(Progress::Unanswered),
        }
        Ok(Progress::Done)
    }

    /// The receipts that an entry got already; the staged one also before a restart.
    fn known_receipts(&self, entry: &Entry) -> Vec<Receipt> {
        if let Some(known) = self.partial.borrow().get(&entry.id()) {
            return known.clone();
        }
        let settings = self.keys.settings();
        let Some(staged) = settings.staged.as_ref().filter(|staged| staged.entry == entry.encode()) else {
            return Vec::new();
        };
        let topic = self.context.network.topic;
        staged.receipts.iter().filter_map(|receipt| Receipt::decode(&topic, receipt).ok()).collect()
    }

    /// Stores what the staged entry has got: with a receipt, a rival elsewhere does not decide. The caller holds the write
    /// lock.
    async fn keep_staged_receipts(&self, receipts: &[Receipt]) -> Result<(), Failure> {
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        let receipts: Vec<ByteBuf> = receipts.iter().map(|receipt| ByteBuf::from(receipt.encode())).collect();
        match &mut settings.staged {
            Some(staged) if staged.receipts != receipts => staged.receipts = receipts,
            _ => return Ok(()),
        }
        self.keys.save_settings(settings).await
    }

    /// The claim that is to be signed for an intent: a first one, or the one of the next round, with the withdrawals of
    /// all rivals; `None` while one of these is missing.
    fn next_claim(&self, intent: &Intent, name: &ClaimedName) -> Option<Claim> {
        let settings = self.keys.settings();
        let Some(round) = settings.rounds.iter().rev().find(|round| round.intent == *intent) else {
            return Some(self.registry.claim_of(name.clone()));
        };
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let claim = registry.facts().get(&round.claim)?.claim()?;
        let withdrawals = round.split.votes().keys().filter_map(|rival| registry.withdrawal_of(rival));
        match round.split.next_round(claim, withdrawals, self.context.now()) {
            Ok(next) => Some(next),
            Err(error) => {
                tracing::info!(%error, "a claim waits for its next round");
                None
            }
        }
    }

    /// Handles split votes: appends the staged claim to the log and withdraws it there. If this claim is the one that stays,
    /// it is claimed again in the next round; otherwise the person is told that the name is taken. The caller holds the
    /// write lock.
    async fn withdraw(
        &self,
        keys: &Keys,
        entry: &Entry,
        intent: &Intent,
        name: &ClaimedName,
        split: Split,
    ) -> Result<Progress, Failure> {
        let withdrawal = Withdrawal::sign(&self.context.network.topic, &keys.device, entry.id());
        let stays = split.stays() == entry.id();
        let next_round = stays.then(|| NextRound { intent: intent.clone(), claim: entry.id(), split });
        let refused_name = match name {
            ClaimedName::Username(name) if !stays => Some(RefusedName { name: name.to_string() }),
            ClaimedName::Username(_) | ClaimedName::Module(_) => None,
        };
        let given_up = (!stays).then(|| intent.clone());
        let facts = vec![Body::Withdraw(withdrawal)];
        let draft = Draft { facts, refused_name, given_up, next_round, ..Draft::default() };
        self.registry.write(None, keys.clone(), draft).await?;
        if stays {
            return Ok(Progress::WaitsForOthers);
        }
        self.note_lost(name).await?;
        Ok(Progress::Done)
    }

    /// Whether a staged claim was dated by a clock that was set back since. No witness signs it, so it is claimed again.
    fn is_dated_ahead(&self, staged: &Entry) -> bool {
        let has_receipts = !self.known_receipts(staged).is_empty();
        let Ok(Body::Claim(claim)) = Body::of(&self.context.network.topic, staged) else { return false };
        let skew = self.context.network.history().genesis().parameters.skew;
        !has_receipts && claim.at > self.context.now().plus(skew)
    }

    /// The name can't be had: the staged claim enters the log without effect, and the person is told.
    async fn give_up_intent(&self, entry: &Entry, intent: &Intent, name: &ClaimedName) -> Result<(), Failure> {
        let refused = match name {
            ClaimedName::Username(name) => Some(RefusedName { name: name.to_string() }),
            ClaimedName::Module(_) => None,
        };
        self.registry.admit_staged(entry, Vec::new(), Some(intent), refused).await?;
        self.note_lost(name).await
    }

    /// Says that a name can't be had, and drops what was wanted under it.
    async fn note_lost(&self, name: &ClaimedName) -> Result<(), Failure> {
        match name {
            ClaimedName::Username(name) => {
                if let Some(own) = self.keys.identity() {
                    let lost = refused_name(&self.registry.read_model(), own, name);
                    self.context.emit(&Event::NameLost { lost });
                }
                Ok(())
            }
            ClaimedName::Module(name) => self.drop_releases_of(name).await,
        }
    }

    /// Releases of a module whose name is another's are not wanted any more.
    async fn drop_releases_of(&self, module: &ModuleName) -> Result<(), Failure> {
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        let is_of = |body: &[u8]| Release::decode_alone(body).is_ok_and(|one| one.module.folded() == module.folded());
        settings.intents.retain(|intent| !matches!(intent, Intent::Release(body) if is_of(body)));
        self.keys.save_settings(settings).await?;
        self.context.emit(&Event::ModulesChanged { names: vec![module.to_string()] });
        Ok(())
    }

    /// Signs a release under the claim by which the module's name is held now.
    async fn release(&self, keys: &Keys, intent: &Intent, body: &[u8]) -> Result<Progress, Failure> {
        let _one_at_a_time = self.registry.begin_write().await;
        let release = Release::decode_alone(body).ok();
        let is_of = |name: &ModuleName| release.as_ref().is_some_and(|one| one.module.folded() == name.folded());
        if self.keys.settings().intents.iter().any(|other| matches!(other, Intent::Module(name) if is_of(name))) {
            return Ok(Progress::WaitsForOthers);
        }
        let facts: Vec<Body> = release
            .and_then(|release| {
                let name = (NameKind::Module, release.module.folded());
                let read_model = self.registry.read_model();
                let held = read_model.name_state(&name)?.holder()?;
                let under = held.tenure.claim;
                let is_own = held.tenure.holder == keys.did();
                is_own.then(|| Body::Release(Box::new(Release { under, at: self.context.now(), ..release })))
            })
            .into_iter()
            .collect();
        self.keys.drop_intent(intent).await?;
        self.registry.write(None, keys.clone(), Draft::of_facts(facts)).await?;
        Ok(Progress::Done)
    }

    /// Finishes what this identity announced, once the hold has passed and if nobody objected.
    async fn finish_announced(&self, keys: &Keys) -> Result<(), Failure> {
        let Some(key) = self.registry.identity_key(keys) else { return Ok(()) };
        let now = self.context.now();
        let due = self.open_announcements(&keys.did()).into_iter().filter(|one| one.finish_from <= now);
        for Announcement { entry, ends, .. } in due.collect::<Vec<_>>() {
            let statement = Statement::Finish(Finish { announced: entry, ends });
            let signed = SignedStatement::sign(&self.context.network.topic, keys.did(), &key, statement);
            let finish = Body::Statement(Box::new(signed), DeviceList::default());
            let _one_at_a_time = self.registry.begin_write().await;
            self.registry.write(None, keys.clone(), Draft::of_facts(vec![finish])).await?;
        }
        Ok(())
    }

    /// What this identity announced, that counts, and that nothing has answered yet.
    fn open_announcements(&self, did: &Did) -> Vec<Announcement> {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let hold = registry.history().genesis().parameters.hold;
        let Some(present) = registry.standing(did).map(|standing| standing.link) else { return Vec::new() };
        let own = registry.facts().by_identity(did).filter(|fact| Counts::counts(registry, fact));
        let open = own.filter_map(|fact| {
            // What an earlier key announced is over.
            let Body::Statement(signed, _) = &fact.body else { return None };
            let ends = match &signed.statement {
                Statement::GiveUp(give_up) => *give_up.claim.digest(),
                Statement::NewWords(words) if words.before == present.digest => words.before,
                _ => return None,
            };
            if signed.key != present.key {
                return None;
            }
            let finish_from = registry.witnessed_at(&fact.id)?.plus(hold);
            let answers = registry.facts().finishes_of(&fact.id).chain(registry.facts().vetoes_of(&fact.id));
            let mut answers = answers.filter(|answer| answer.did == *did);
            answers.next().is_none().then_some(Announcement { entry: fact.id, ends, finish_from })
        });
        open.collect()
    }

    /// Returns how long to wait before asking again: until a hold has passed or a refused entry may be shown again, and
    /// never longer than [`COLLECT_EVERY`].
    pub(crate) fn pause(&self) -> Duration {
        let now = self.context.now();
        let open = self.keys.identity().map(|did| self.open_announcements(&did)).unwrap_or_default();
        let refused = self.refused.borrow();
        let due = open.iter().map(|one| one.finish_from).chain(refused.values().map(|(_, again)| *again));
        // What is due already was tried just now.
        let pauses = due.map(|due| due.as_millis().saturating_sub(now.as_millis())).filter(|pause| *pause > 0);
        let most = if self.keys.settings().rounds.is_empty() { COLLECT_EVERY } else { ROUND_EVERY };
        pauses.min().map_or(most, |next| Duration::from_millis(next).min(most))
    }

    /// Shows a refused entry again after a while, longer each time; earlier if the witness named an earlier time.
    fn schedule_retry(&self, entry: EntryId, until: Option<Timestamp>) {
        let mut refused = self.refused.borrow_mut();
        let (times, again) = refused.entry(entry).or_default();
        let backoff = self.context.now().plus(RETRY_FIRST * (1 << (*times).min(RETRY_DOUBLINGS_MAX)));
        *again = until.map_or(backoff, |until| until.min(backoff));
        *times += 1;
    }

    /// Own facts that witnesses sign and that do not count yet, in the order of the log.
    fn facts_without_receipts(&self, keys: &Keys) -> Vec<EntryId> {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let (now, refused) = (self.context.now(), self.refused.borrow());
        let did = keys.did();
        let own = registry.facts().by_identity(&did).filter(|fact| {
            fact.log == keys.facts_log()
                && is_witnessed(&fact.body)
                && registry.is_kept(fact)
                && !Counts::counts(registry, fact)
                && refused.get(&fact.id).is_none_or(|(_, again)| *again <= now)
                // Walks the identity's facts, so it comes last.
                && registry.withdrawal_of(&fact.id).is_none()
        });
        let mut wanted: Vec<(u64, EntryId)> = own.map(|fact| (fact.seq, fact.id)).collect();
        wanted.sort_unstable();
        wanted.into_iter().map(|(_, entry)| entry).collect()
    }

    fn with_opening(&self, entry: &EntryId) -> Option<(Entry, Entry)> {
        let read_model = self.registry.read_model();
        let registry = read_model.registry();
        let entry = registry.entry(entry)?;
        let opening = registry.entry(&registry.opening_entry(&entry.header().log.opening)?)?;
        Some((opening, entry))
    }
}

/// Sends a request to a relay and returns the answer of the witness beside it, if one comes in time.
async fn send(mesh: &MeshHandle, relay: NetPeerId, request: &[u8]) -> Option<Vec<u8>> {
    let asking = mesh.ask_relay(relay, PROTOCOL, request.to_vec());
    pin_mut!(asking);
    match select(asking, Delay::new(PATIENCE)).await {
        Either::Left((Some(Ok(bytes)), _)) => Some(bytes),
        _ => None,
    }
}

/// The peer id at the end of a relay's address.
fn peer_of(address: &str) -> Option<NetPeerId> {
    address.rsplit_once("/p2p/")?.1.parse().ok()
}

/// Whether witnesses sign facts of this kind.
fn is_witnessed(body: &Body) -> bool {
    match body {
        Body::Claim(_) | Body::Release(_) | Body::Mark(_) | Body::Veto(_) | Body::Grant(_) | Body::Revoke(_) => true,
        Body::Statement(signed, _) => !matches!(signed.statement, Statement::DeviceAdd(_) | Statement::DeviceRevoke(_)),
        _ => false,
    }
}
