//! A witness's service: read a request, decide from the book, store, and only then answer.
//!
//! What may be signed is decided by `core::book`. The order is what makes it trustworthy: a receipt that was signed but not
//! stored could be contradicted after a crash, one that was stored but not sent is given again when the entry is shown again.
//! For the same reason a store that lost a record, or that belongs to another key or network, is never used. A receipt of its
//! own that others show, and that it does not have, proves that its store is an older copy: it signs nothing more.
//!
//! # What strangers can make it store
//! What it signs; what that builds on, once it is confirmed; what other witnesses of its set signed; and what identities
//! that it knows say of their devices. Each has a bound ([`Bounds`], [`KEY_STATEMENTS_MAX`]). A request that is refused
//! leaves nothing behind but facts that the witnesses of the set confirmed. What a request costs is said in
//! `core::sync::asking::shown`; pieces are looked at only if they could change the answer.
//!
//! It sends nothing itself: a host passes it requests, carries its answers, and sends what [`Witness::take_outgoing`]
//! returns to the other witnesses of the set.
//!
//! [`KEY_STATEMENTS_MAX`]: gen_registry_core::sync::asking::shown::KEY_STATEMENTS_MAX

mod presence;
mod records;
mod start;
mod state;
mod succession;

use std::rc::Rc;
use std::time::Duration;

use crate::store::migration::migrate;
use crate::store::records::{Records, StoredRecord};
use crate::store::{Durability, Store};
use gen_registry_core::book::{Refusal, Vote};
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_core::log::{Entry, EntryId, ForkProof};
use gen_registry_core::network::Genesis;
use gen_registry_core::receipt::{ProvenPath, Receipt};
use gen_registry_core::sync::asking::shown::{self, Shown};
use gen_registry_core::sync::asking::wire::{Answer, Ask, Learn, NotServed, Refused, Request};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::time::Timestamp;

use records::{FactError, Pending, StoredFact, StoredOpening, TABLE, fact_key, opening_key, put_presence};

use state::State;

pub use presence::{AWAY_AFTER, AWAY_PART_OF_HOLD};
pub use start::WitnessError;

/// Messages for other witnesses that wait for the host. Of more the oldest is dropped: clients show what they were given, and
/// a change of the set takes what each witness has.
pub const OUTGOING_MAX: usize = 1_024;

/// The most that a witness stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Receipts of its own. Each takes about a kibibyte of memory and as much of the disk.
    pub receipts: u64,
    /// Facts, its own among them.
    pub facts: u64,
    /// Facts that one other witness signed and that are not confirmed: a liar can make any number.
    pub votes_of_another: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { receipts: 1_000_000, facts: 2_000_000, votes_of_another: 100_000 }
    }
}

/// One witness of one set of one network.
pub struct Witness {
    topic: Topic,
    key: SecretKey,
    records: Records,
    bounds: Bounds,
    hold: Duration,
    /// Held from the decision to the answer: two requests for one slot come one after the other.
    state: async_lock::Mutex<State>,
}

/// Why nothing is answered now; the reason is in the log.
struct NotNow;

impl Witness {
    /// Reads the state of the witness `key` from the store, or begins one of the genesis' set if the store is empty.
    pub async fn start(
        store: Rc<dyn Store>,
        key: SecretKey,
        genesis: Genesis,
        now: Timestamp,
    ) -> Result<Self, WitnessError> {
        let records = Records::new(store);
        migrate(&records).await?;
        let (topic, hold) = (genesis.topic(), genesis.parameters.hold);
        let state = start::load(&records, &key, genesis, now).await?;
        Ok(Self { topic, key, records, bounds: Bounds::default(), hold, state: async_lock::Mutex::new(state) })
    }

    /// Sets how much is stored at most.
    #[must_use]
    pub fn with_bounds(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// The key that signs its receipts.
    pub fn key(&self) -> PublicKey {
        self.key.public()
    }

    /// Returns how many receipts it has given.
    pub async fn receipts(&self) -> u64 {
        self.state.lock().await.head.receipts
    }

    /// Takes the messages for the other witnesses of the set.
    pub async fn take_outgoing(&self) -> Vec<Request> {
        self.state.lock().await.outgoing.drain(..).map(Request::Learn).collect()
    }

    /// How often a host calls [`Self::note_reachable`] while the witness can be reached.
    pub fn note_every(&self) -> Duration {
        presence::note_every(self.hold)
    }

    /// Notes that the witness can be reached.
    pub async fn note_reachable(&self, now: Timestamp) {
        self.note_presence(&mut *self.state.lock().await, now).await;
    }

    /// Answers one request. `now` is this witness's own clock; no date in an entry decides anything.
    pub async fn answer(&self, request: &[u8], now: Timestamp) -> Answer {
        let request = match Request::decode(request) {
            Ok(request) => request,
            Err(why) => return Answer::NotServed(why),
        };
        let (Request::Ask(Ask { topic, .. }) | Request::Learn(Learn { topic, .. }) | Request::Name(topic)) = &request;
        if *topic != self.topic {
            return Answer::NotServed(NotServed::OtherNetwork);
        }
        let mut state = self.state.lock().await;
        self.note_presence(&mut state, now).await;
        if state.head.is_set_back || state.is_unsure {
            return Answer::Busy;
        }
        let answer = match &request {
            Request::Ask(ask) => self.answer_ask(&mut state, ask, now).await,
            Request::Learn(learn) => self.answer_learn(&mut state, learn, now).await,
            Request::Name(_) => Ok(Answer::Named(self.key())),
        };
        answer.unwrap_or(Answer::Busy)
    }

    async fn answer_ask(&self, state: &mut State, ask: &Ask, now: Timestamp) -> Result<Answer, NotNow> {
        let decode = |bytes: &[u8]| Entry::decode(&self.topic, bytes).ok();
        let (Some(opening), Some(entry)) = (decode(&ask.opening), decode(&ask.entry)) else {
            return Ok(Answer::NotServed(NotServed::Unreadable));
        };
        if let Some(receipt) = state.book.receipt_of(&entry.id()) {
            return Ok(Answer::Signed(receipt.encode()));
        }
        if now.plus(state.registry.history().genesis().parameters.skew) < state.latest {
            tracing::error!(%now, newest = %state.latest, "the clock is far behind the newest receipt; nothing is signed");
            return Err(NotNow);
        }
        let now = now.max(state.latest);
        let mut verdict = state.book.consider(&state.registry, &opening, &entry, now);
        if verdict.as_ref().is_err_and(may_change_with_pieces) && !ask.pieces.is_empty() {
            if let Err(why) = self.read_pieces(state, &ask.pieces, now).await? {
                return Ok(Answer::NotServed(why));
            }
            verdict = state.book.consider(&state.registry, &opening, &entry, now);
        }
        match verdict {
            Ok(vote) => self.sign(state, opening, entry, vote, now).await,
            Err(Refusal::Taken(by)) => self.show(state, &by).await.map(Answer::Taken),
            Err(refusal) => Ok(Answer::Refused(Refused::from(&refusal))),
        }
    }

    /// Stores a vote, enters it into the book, and only then returns the receipt.
    async fn sign(
        &self,
        state: &mut State,
        opening: Entry,
        entry: Entry,
        vote: Vote,
        now: Timestamp,
    ) -> Result<Answer, NotNow> {
        if state.head.receipts >= self.bounds.receipts {
            tracing::error!(receipts = state.head.receipts, "the witness's book is full");
            return Err(NotNow);
        }
        let Vote { fact, receipt } = vote;
        let shown = Shown { opening, entry, fact, receipts: vec![], paths: vec![] };
        self.keep(state, std::slice::from_ref(&shown), Some(&receipt), now).await?;
        let receipts = state.registry.confirmations().present_receipts_of(state.registry.history(), &receipt.entry);
        let learn = Learn {
            topic: self.topic,
            opening: shown.opening.encode(),
            entry: shown.entry.encode(),
            receipts: receipts.map(Receipt::encode).collect(),
        };
        if state.outgoing.len() >= OUTGOING_MAX {
            state.outgoing.pop_front();
        }
        state.outgoing.push_back(learn);
        Ok(Answer::Signed(receipt.encode()))
    }

    /// Takes what pieces show and is new: confirmed facts first, then what identities say of their devices, then forks.
    async fn read_pieces(
        &self,
        state: &mut State,
        pieces: &[Piece],
        now: Timestamp,
    ) -> Result<Result<(), NotServed>, NotNow> {
        for read in [shown::confirmed, shown::key_statements] {
            match read(&state.registry, pieces) {
                Ok(new) if new.is_empty() => {}
                Ok(new) => self.keep(state, &new, None, now).await?,
                Err(why) => return Ok(Err(why)),
            }
        }
        match shown::forks(&state.registry, pieces) {
            Ok(forks) => self.keep_forks(state, forks).await.map(Ok),
            Err(why) => Ok(Err(why)),
        }
    }

    async fn answer_learn(&self, state: &mut State, learn: &Learn, now: Timestamp) -> Result<Answer, NotNow> {
        match shown::learned(&state.registry, learn) {
            Err(why) => Ok(Answer::NotServed(why)),
            Ok(None) => Ok(Answer::Noted),
            Ok(Some(shown)) => {
                let has_room = |receipt: &Receipt| {
                    state.unconfirmed.get(&receipt.witness).is_none_or(|count| *count < self.bounds.votes_of_another)
                };
                // One that confirms the fact, or takes it out of the count, is always taken.
                if !state.would_confirm(&shown) && !shown.receipts.iter().all(has_room) {
                    tracing::warn!("another witness signs more than is ever confirmed");
                    return Err(NotNow);
                }
                self.keep(state, std::slice::from_ref(&shown), None, now).await?;
                Ok(Answer::Noted)
            }
        }
    }

    /// Stores facts with their openings, and a receipt of this witness; then they are known.
    async fn keep(
        &self,
        state: &mut State,
        new: &[Shown],
        receipt: Option<&Receipt>,
        now: Timestamp,
    ) -> Result<(), NotNow> {
        if new.iter().flat_map(|shown| &shown.receipts).any(|receipt| receipt.witness == self.key()) {
            return self.note_set_back(state).await;
        }
        if state.head.facts + new.len() as u64 > self.bounds.facts {
            tracing::error!(facts = state.head.facts, "the witness's store is full");
            return Err(NotNow);
        }
        let mut pending = Pending::new(&state.head);
        for shown in new {
            if state.registry.opening(&shown.fact.log).is_none() {
                pending.add_opening(&shown.opening, now);
            }
            pending.add_fact(&self.records, shown, now).await.map_err(not_stored)?;
        }
        receipt.into_iter().for_each(|receipt| pending.add_receipt(receipt));
        self.commit(state, pending).await?;
        for shown in new {
            state.learn(shown, receipt, now);
        }
        Ok(())
    }

    async fn keep_forks(&self, state: &mut State, forks: Vec<ForkProof>) -> Result<(), NotNow> {
        if forks.is_empty() {
            return Ok(());
        }
        let mut pending = Pending::new(&state.head);
        for proof in &forks {
            pending.add_fork(&self.records, proof).await.map_err(|error| not_stored(error.into()))?;
        }
        self.commit(state, pending).await?;
        for proof in forks {
            state.registry.note_fork(proof);
        }
        Ok(())
    }

    /// Writes a batch with its head; nothing of it is known before. Whoever drops the future in between leaves a witness
    /// that answers nothing until it is started again, since nobody knows what was stored.
    async fn commit(&self, state: &mut State, pending: Pending) -> Result<(), NotNow> {
        if std::mem::replace(&mut state.is_unsure, true) {
            tracing::error!("a write was broken off; start the witness again");
            return Err(NotNow);
        }
        let (batch, head) = pending.finish();
        let written = self.records.commit(batch, Durability::Strict).await;
        state.is_unsure = false;
        written.map_err(|error| not_stored(error.into()))?;
        state.head = head;
        Ok(())
    }

    /// A receipt of this witness turned up that it does not have: its store is an older copy of what it signed.
    async fn note_set_back(&self, state: &mut State) -> Result<(), NotNow> {
        tracing::error!(
            "others have a receipt of this witness that its store does not have; nothing is signed any more"
        );
        state.head.is_set_back = true;
        let pending = Pending::new(&state.head);
        self.commit(state, pending).await?;
        Err(NotNow)
    }

    async fn note_presence(&self, state: &mut State, now: Timestamp) {
        if state.reachable.note(now) {
            state.book.memory_mut().note_back(now);
        }
        let Some(due) = state.reachable.due() else { return };
        match self.records.commit(vec![put_presence(&due)], Durability::Strict).await {
            Ok(()) => state.reachable.note_stored(due),
            // Then the next start takes the time until now for a break, which only makes it wait.
            Err(error) => tracing::warn!(%error, "when the witness was reachable could not be stored"),
        }
    }

    /// The entry that has a slot, its opening, and what confirms it or this witness's receipt.
    async fn show(&self, state: &State, by: &EntryId) -> Result<Vec<Piece>, NotNow> {
        let stored = self.load::<StoredFact>(&fact_key(by)).await?;
        let entry = Entry::decode(&self.topic, &stored.entry).map_err(|_| NotNow)?;
        let opening = self.load::<StoredOpening>(&opening_key(&entry.header().log.opening)).await?;
        let known = state.registry.confirmations();
        let mut receipts: Vec<&Receipt> = known.present_receipts_of(state.registry.history(), by).collect();
        // The present receipts include none of an earlier set, so its own is added.
        let own = state.book.receipt_of(by).filter(|own| receipts.iter().all(|one| one.witness != own.witness));
        receipts.extend(own);
        let path = known.paths_of(by).last().map(ProvenPath::encode);
        let pieces = [Piece::Entry(opening.entry.into_vec())].into_iter();
        let pieces = pieces.chain(receipts.into_iter().map(|receipt| Piece::Receipt(receipt.encode())));
        let pieces = pieces.chain(path.map(|path| Piece::Path(*by, path)));
        Ok(pieces.chain([Piece::Entry(stored.entry.into_vec())]).collect())
    }

    /// Loads a record that is there.
    async fn load<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T, NotNow> {
        match self.records.get::<T>(TABLE, key).await {
            Ok(StoredRecord::Record(record)) => Ok(record),
            Ok(StoredRecord::Nothing | StoredRecord::Damaged(_)) => Err(not_stored(FactError::Damaged(key.to_owned()))),
            Err(error) => Err(not_stored(error.into())),
        }
    }
}

/// Whether a refusal may be another one, or none, once more is known.
fn may_change_with_pieces(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Unknown(_)
        | Refusal::Held(_)
        | Refusal::NotAfterLastEnd(_)
        | Refusal::DeviceNotIn
        | Refusal::OtherKey
        | Refusal::NotHolder
        | Refusal::NotLastMark(_)
        | Refusal::NotNextKey
        | Refusal::CoolingDown { .. }
        | Refusal::TooManyNames { .. } => true,
        Refusal::Taken(_)
        | Refusal::NoEffect(_)
        | Refusal::Opening(_)
        | Refusal::OtherDevice
        | Refusal::NotWitnessed
        | Refusal::OtherSet { .. }
        | Refusal::Closed
        | Refusal::Forked
        | Refusal::DatedAhead
        | Refusal::NoWork
        | Refusal::NotWithdrawn(_)
        | Refusal::EarlierRound
        | Refusal::HoldRuns { .. }
        | Refusal::Away { .. }
        | Refusal::NoVeto
        | Refusal::Reserved { .. } => false,
    }
}

fn not_stored(error: FactError) -> NotNow {
    tracing::error!(%error, "the witness's store failed; nothing is answered");
    NotNow
}

#[cfg(test)]
mod tests;
