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

mod ends;
mod intents;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use crate::admit::Admission;
use crate::closings::Closings;
use crate::context::Context;
use crate::errors;
use crate::key_state::Keys;
use crate::key_store::KeyStore;
use crate::net::key::NetPeerId;
use crate::net::mesh::MeshHandle;
use crate::peers::PeerTable;
use crate::receipts::{self, Outcome, WitnessLink};
use crate::registry::Registry;
use crate::witnessing::intents::Progress;
use futures::channel::oneshot;
use futures::future::{Either, LocalBoxFuture, join_all, select};
use futures::{FutureExt, pin_mut};
use futures_timer::Delay;
use gen_registry_api::Failure;
use gen_registry_core::keys::PublicKey;
use gen_registry_core::log::{Entry, EntryId, Opening};
use gen_registry_core::outcome::{Counts, Fact};
use gen_registry_core::receipt::Receipt;
use gen_registry_core::slot::slots_of;
use gen_registry_core::sync::asking::foundations::foundations;
use gen_registry_core::sync::asking::wire::{self, Learn, PROTOCOL, Request};
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
/// How long a relay that is not connected and named no witness of the set is not asked again: it would be connected for
/// that only.
const NAMELESS_FOR: Duration = Duration::from_secs(60);
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
    /// Which relay has which witness beside it.
    places: RefCell<BTreeMap<PublicKey, NetPeerId>>,
    /// Relays that are not connected and named no witness of the set, and when they may be asked again.
    nameless: RefCell<BTreeMap<NetPeerId, Timestamp>>,
    /// Receipts of entries that not enough witnesses have signed yet.
    partial: RefCell<BTreeMap<EntryId, Vec<Receipt>>>,
    /// What was refused, how often, and when to ask again.
    refused: RefCell<BTreeMap<EntryId, (u32, Timestamp)>>,
    /// What earlier witness sets confirmed.
    closings: Closings,
}

/// The way to witnesses over the relays that they are beside.
struct Link<'a> {
    witnessing: &'a Witnessing,
    mesh: &'a MeshHandle,
}

impl WitnessLink for Link<'_> {
    fn ask<'a>(&'a self, witness: &'a PublicKey, request: &'a [u8]) -> LocalBoxFuture<'a, Option<Vec<u8>>> {
        let places = &self.witnessing.places;
        let relay = places.borrow().get(witness).copied();
        async move {
            let answer = send(self.mesh, relay?, request).await;
            if answer.is_none() {
                // It may stand beside another relay by now.
                places.borrow_mut().remove(witness);
            }
            answer
        }
        .boxed_local()
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
        let nameless = RefCell::default();
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
            nameless,
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
        let wants = has_closed_sets || keys.as_ref().is_ok_and(|keys| self.wants_witnesses(keys));
        self.find_witnesses(&mesh, wants).await;
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

    /// Whether there is something that witnesses are to sign.
    fn wants_witnesses(&self, keys: &Keys) -> bool {
        !self.keys.settings().intents.is_empty() || !self.facts_without_receipts(keys).is_empty()
    }

    /// Asks each connected relay that is not known which witness is beside it. If something is wanted, asks the other
    /// relays of the network, too, as long as witnesses are missing.
    async fn find_witnesses(&self, mesh: &MeshHandle, wants: bool) {
        let (connected, others): (Vec<_>, Vec<_>) = {
            let view = self.peers.view();
            let relays = view.relays.iter().filter_map(|relay| Some((peer_of(&relay.address)?, relay.connected)));
            relays.partition(|(_, is_connected)| *is_connected)
        };
        let is_listed = |relay: &NetPeerId| connected.iter().chain(&others).any(|(known, _)| known == relay);
        self.places.borrow_mut().retain(|_, relay| is_listed(relay));
        for (relay, _) in connected {
            self.find_witness_at(mesh, relay).await;
        }
        for (relay, _) in others {
            let now = self.context.now();
            let is_due = self.nameless.borrow().get(&relay).is_none_or(|again| *again <= now);
            if !wants || self.has_all_places() {
                return;
            }
            if is_due && !self.find_witness_at(mesh, relay).await {
                self.nameless.borrow_mut().insert(relay, now.plus(NAMELESS_FOR));
            }
        }
    }

    /// Whether the relay of each witness of the set is known.
    fn has_all_places(&self) -> bool {
        let read_model = self.registry.read_model();
        let set = read_model.registry().history().set();
        set.witnesses.iter().all(|witness| self.places.borrow().contains_key(witness))
    }

    /// Asks a relay which witness is beside it, unless that is known. Returns whether it is known now.
    async fn find_witness_at(&self, mesh: &MeshHandle, relay: NetPeerId) -> bool {
        if self.places.borrow().values().any(|known| *known == relay) {
            return true;
        }
        let request = Request::Name(self.context.network.topic).encode();
        let answer = send(mesh, relay, &request).await.and_then(|bytes| wire::Answer::decode(&bytes).ok());
        let Some(wire::Answer::Named(witness)) = answer else { return false };
        let is_of_set = self.registry.read_model().registry().history().set().has(&witness);
        if is_of_set {
            self.places.borrow_mut().insert(witness, relay);
        }
        is_of_set
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
                // Witnesses sign what takes slots.
                && !slots_of(fact.log, fact.seq, &fact.body).is_empty()
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
