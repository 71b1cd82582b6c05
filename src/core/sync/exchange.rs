//! Replication with one peer (`/gen/sync/2`): finds out of which identities two replicas have something else, and
//! exchanges what is missing, until both have the same.
//!
//! [`Exchange::handle`] is a pure state machine over a [`Registry`]. Its host stores entries, loads those that are asked for
//! ([`plan_answer`]), and admits what arrives. Nothing outlives an exchange: what was admitted is in the registry, and the
//! next round finds what is still missing.
//!
//! # A round
//! 1. *Compare.* Set reconciliation (A. Meyer, "Range-Based Set Reconciliation", 2023) over one digest for each identity
//!    gives the initiator the states that only one side has, in a number of messages logarithmic in the number of
//!    identities. The ring of identities is the order of comparison, so a range of it can be compared by itself.
//! 2. *Details.* Of these identities both sides say what they have: openings, length and head of each log, what counts by
//!    itself.
//! 3. *Pieces.* Each side asks for what it lacks and gets pages of at most 256 KiB, three of which are under way at a time.
//!    After each page it looks again ([`Registry::asks_for`]).
//! 4. *Done.* The initiator says so when it has nothing left to ask; the other side says so last.
//!
//! # News
//! Between rounds each side says at once when something changed: the identity and the digest of its new state, 64 bytes. Who
//! has another state asks for the details, and goes on as in a round. Only the newest state matters, so a host may
//! join any number of changes into one piece of news, and nothing is lost by that.
//!
//! # Example
//! Alice's laptop and phone meet. Of her 3 logs the laptop has 40, 12 and 7 entries, the phone 40, 15 and 7. The digests
//! differ; both send a detail of Alice; the laptop asks for the second log "after entry 11", and gets three entries. If
//! entry 11 is another one on the phone, it gets what follows the last common entry instead, and with it the proof that the
//! device signed two entries for one place.
//!
//! # Who is marked
//! Only a message or piece that proves its own fault: bytes that can't be read, a signature that is wrong, an answer to no
//! question. Never what an entry says, and never that it comes to nothing here, since both may look otherwise to a carrier.

pub mod budget;
pub mod pieces;
mod prepared;
mod ring;
pub mod wire;

use std::cell::RefCell;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use negentropy::Id;

use crate::digest::Digest;
use crate::keys::Did;
use crate::limits::PARAMETERS_VERSION;
use crate::network::SignedSetChange;
use crate::node_limits::NodeLimits;
use crate::registry::{Ask, Detail, Registry};
use crate::ring::RingRange;
use crate::sync::exchange::budget::{
    BYTES_OF_WORK, Budget, COMPARED_OF_WORK, NodeBudget, WORK_OF_DETAIL, WORK_OF_ENTRY,
};
use crate::sync::rejection::Rejection;
use crate::time::Timestamp;
pub use pieces::{Outcome, Part, admit, admit_verified, load_answer, plan_answer};
pub use prepared::{OPERATIONS_MAX, PreparedDocument, PreparedPage, prepare_page};
use ring::Ring;
use wire::{ASKS_MAX, BESIDE_MAX, Hello, Message, PAGE_MAX_BYTES, Piece, WANT_MAX, detail_weight};

/// The most bytes of a frame of the comparison.
pub const FRAME_MAX_BYTES: u64 = 60_000;
/// The most frames of one comparison.
pub const STEPS_MAX: usize = 256;
/// The most bytes of a peer's details that wait for their turn. What is beyond is left to the next round.
pub const PENDING_MAX_BYTES: usize = 8 * 1024 * 1024;
/// Pages that a peer is asked for at the same time: one is admitted, the signatures of the next are checked, and another is
/// on its way.
pub const PAGES_ASKED_MAX: usize = 3;
/// The sum of marks at which an exchange ends.
pub const MARKS_MAX: u32 = 100;

/// Input of an exchange from its host.
#[derive(Clone, Debug)]
pub enum Input {
    /// The stream is open.
    Opened,
    /// Compare again. The initiator's side begins.
    Begin,
    /// Something of these identities changed here.
    Changed(Vec<Did>),
    /// The node keeps another range of identities.
    RangeChanged,
    /// To ask the peer for these identities by name, which tells it that they are wanted here.
    Want(Vec<Did>),
    Message(Vec<u8>),
    /// The pieces that were loaded for [`Output::Load`].
    Loaded {
        ticket: u64,
        pieces: Vec<Piece>,
    },
    /// What became of the pieces of [`Output::Admit`].
    Admitted(Outcome),
}

/// What an exchange asks its host to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    Send(Message),
    /// To load pieces for these questions, up to [`PAGE_MAX_BYTES`] (see [`plan_answer`]).
    Load {
        ticket: u64,
        asks: Vec<Ask>,
    },
    /// To admit these pieces (see [`admit`]) and to store the entries that were kept.
    Admit(Vec<Piece>),
    /// To follow these changes of the witness set, each as bytes.
    Follow(Vec<Vec<u8>>),
    Rejected(Rejection),
    /// The round is over, and both sides have what the other one had when it began.
    Synced,
    /// The exchange is over, for a reason that was given as rejected.
    Ended,
}

/// Questions whose answer is due.
struct Asked {
    ticket: u64,
    asks: Vec<Ask>,
    dids: BTreeSet<Did>,
    /// The range that was kept when they were asked.
    range: RingRange,
}

/// Why an identity is fetched that was unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Admission {
    /// It was counted.
    Counted,
    /// The peer says that something of it is confirmed.
    OnCredit,
}

/// The exchange with one peer.
pub struct Exchange {
    is_initiator: bool,
    has_greeted: bool,
    /// The range of which the peer keeps everybody.
    their_range: RingRange,
    has_ended: bool,
    round: u64,
    steps: usize,
    is_compared: bool,
    /// What the peer has of identities of which something is missing here.
    pending: BTreeMap<Did, Detail>,
    pending_bytes: usize,
    /// Pending requests, in order: sent, or answered and being admitted.
    asked: VecDeque<Asked>,
    /// How many of them, from the first, are answered and being admitted.
    admitting: usize,
    next_ticket: u64,
    /// The number of `Want`s whose answers are due.
    due: usize,
    has_sent_done: bool,
    has_received_done: bool,
    has_synced: bool,
    marks: u32,
    last_fault: Option<Rejection>,
    /// How much the peer may ask for and send.
    budget: Budget,
    /// Of the whole node.
    node_budget: Rc<RefCell<NodeBudget>>,
    /// Identities that were unknown, and are fetched all the same.
    admitted: BTreeMap<Did, Admission>,
    /// Whether every identity that was said to have a confirmed name had one.
    is_credible: bool,
    outputs: Vec<Output>,
}

impl Exchange {
    /// The exchange of one side of a stream, with the budget that all exchanges of the node share.
    pub fn new(is_initiator: bool, node_budget: Rc<RefCell<NodeBudget>>) -> Self {
        Self {
            is_initiator,
            has_greeted: false,
            their_range: RingRange::WHOLE,
            has_ended: false,
            round: 0,
            steps: 0,
            is_compared: true,
            pending: BTreeMap::new(),
            pending_bytes: 0,
            asked: VecDeque::new(),
            admitting: 0,
            next_ticket: 1,
            due: 0,
            has_sent_done: true,
            has_received_done: true,
            has_synced: true,
            marks: 0,
            last_fault: None,
            budget: Budget::default(),
            node_budget,
            admitted: BTreeMap::new(),
            is_credible: true,
            outputs: Vec::new(),
        }
    }

    /// The same of a node with these limits.
    pub fn within(mut self, limits: &NodeLimits) -> Self {
        self.budget = Budget::new(limits);
        self
    }

    /// Takes what happened and returns what is to be done, in order.
    pub fn handle(&mut self, input: Input, registry: &Registry, now: Timestamp) -> Vec<Output> {
        if self.has_ended {
            return Vec::new();
        }
        let result = match input {
            Input::Opened => {
                self.send(Message::Hello(hello(registry)));
                Ok(())
            }
            Input::Begin => self.begin(registry),
            Input::Changed(dids) => {
                self.send_news(&dids, registry);
                Ok(())
            }
            Input::RangeChanged => {
                self.send_if_greeted(Message::Range(registry.retention().range()));
                Ok(())
            }
            Input::Want(dids) => {
                self.want(&dids, registry);
                Ok(())
            }
            Input::Message(bytes) => self.budget.message(now).and_then(|()| {
                let message = Message::decode(&bytes)?;
                self.receive(message, registry, now)
            }),
            Input::Loaded { ticket, pieces } => {
                self.budget.work(work_of(&pieces), now);
                self.send(Message::Pieces { ticket, pieces });
                Ok(())
            }
            Input::Admitted(outcome) => self.go_on(&outcome, registry, now),
        };
        if let Err(rejection) = result {
            self.reject(rejection);
        }
        std::mem::take(&mut self.outputs)
    }

    /// Returns whether the peer has greeted, so that a round can begin.
    pub fn has_greeted(&self) -> bool {
        self.has_greeted
    }

    /// Why the exchange is over, once it is.
    pub fn last_fault(&self) -> Rejection {
        self.last_fault.unwrap_or(Rejection::OutOfOrder)
    }

    /// Returns the number of requested pages that have not arrived.
    pub fn pages_due(&self) -> usize {
        self.asked.len() - self.admitting
    }

    /// Returns whether the peer has used up its work budget, so that nothing is read from it for now.
    pub fn is_resting(&mut self, now: Timestamp) -> bool {
        self.budget.is_resting(now)
    }

    /// Returns whether a round is going on.
    pub fn is_busy(&self) -> bool {
        !(self.has_ended || self.has_sent_done && self.has_received_done)
    }

    /// The range of which both sides keep everybody: what they compare.
    pub fn compared(&self, registry: &Registry) -> Option<RingRange> {
        registry.retention().range().intersect(&self.their_range)
    }

    /// Asks for the details of identities by name.
    fn want(&mut self, dids: &[Did], registry: &Registry) {
        for dids in dids.chunks(WANT_MAX) {
            let states = dids.iter().map(|did| (*did, registry.digest_of(did))).collect();
            self.send_if_greeted(Message::WantOf(states));
        }
    }

    fn send_if_greeted(&mut self, message: Message) {
        if self.has_greeted {
            self.send(message);
        }
    }

    fn send(&mut self, message: Message) {
        self.outputs.push(Output::Send(message));
    }

    fn reject(&mut self, rejection: Rejection) {
        self.marks += rejection.mark();
        self.last_fault = Some(rejection);
        self.outputs.push(Output::Rejected(rejection));
        if rejection.is_fatal() || self.marks >= MARKS_MAX {
            self.has_ended = true;
            self.outputs.push(Output::Ended);
        }
    }

    fn begin(&mut self, registry: &Registry) -> Result<(), Rejection> {
        if !self.has_greeted || self.is_busy() || !self.is_initiator {
            return Ok(());
        }
        self.start_round(self.round + 1);
        let states = registry.states();
        let compared = self.compared(registry);
        let frame = Ring::of(&states, compared).machine()?.initiate().map_err(|_| Rejection::Comparison)?;
        let round = self.round;
        self.send(Message::Compare { round, frame });
        Ok(())
    }

    fn start_round(&mut self, round: u64) {
        (self.round, self.steps, self.is_compared) = (round, 0, false);
        // What news led to is still fetched: only the comparison begins again.
        (self.has_sent_done, self.has_received_done, self.has_synced, self.due) = (false, false, false, 0);
    }

    fn receive(&mut self, message: Message, registry: &Registry, now: Timestamp) -> Result<(), Rejection> {
        if let Message::Hello(theirs) = message {
            return self.greet(&theirs, registry);
        }
        if !self.has_greeted {
            return Err(Rejection::OutOfOrder);
        }
        match message {
            Message::Hello(_) => {}
            Message::Range(range) => self.their_range = range,
            Message::SetChanges(changes) => self.outputs.push(Output::Follow(changes)),
            Message::Compare { round, frame } => self.compare(round, &frame, registry, now)?,
            Message::News(news) => {
                self.budget.announcements(news.len(), now)?;
                let differs = |(did, digest): &&(Did, Digest)| {
                    registry.retention().keeps(did) && registry.digest_of(did) != *digest
                };
                let wanted: Vec<Did> = news.iter().filter(differs).map(|(did, _)| *did).collect();
                self.want(&wanted, registry);
            }
            Message::WantOf(states) => {
                let differs = |(did, digest): &&(Did, Digest)| registry.digest_of(did) != *digest;
                self.offer(states.iter().filter(differs).map(|(did, _)| *did).collect(), registry, false, now);
            }
            Message::Want(states) => {
                let known = registry.states();
                let dids: Vec<Did> = states.iter().filter_map(|state| known.identity_of(state)).collect();
                drop(known);
                let is_answer = !self.is_initiator;
                self.offer(dids, registry, is_answer, now);
            }
            Message::Details { details, is_last } => self.take_details(details, is_last, registry, now)?,
            Message::Need { ticket, asks } => self.outputs.push(Output::Load { ticket, asks }),
            Message::Pieces { ticket, pieces } => {
                let asked = self.asked.get(self.admitting).filter(|asked| asked.ticket == ticket);
                let asked = asked.ok_or(Rejection::Unasked)?;
                if asked.range == registry.retention().range() {
                    self.budget.work(work_of(&pieces), now);
                    self.admitting += 1;
                    self.outputs.push(Output::Admit(pieces));
                } else {
                    // Much of the page may be of identities that are not kept any more.
                    self.asked.remove(self.admitting);
                    self.ask(registry, now);
                }
            }
            Message::Done { round } => {
                if round != self.round || self.has_received_done {
                    return Err(Rejection::OutOfOrder);
                }
                self.has_received_done = true;
                self.finish();
            }
        }
        Ok(())
    }

    /// Both sides of a stream must be of one network and have one set of rules. Who knows more changes of the witness set
    /// sends them.
    fn greet(&mut self, theirs: &Hello, registry: &Registry) -> Result<(), Rejection> {
        let mine = hello(registry);
        if self.has_greeted {
            return Err(Rejection::OutOfOrder);
        }
        if theirs.topic != mine.topic {
            return Err(Rejection::ForeignTopic);
        }
        if theirs.parameters != mine.parameters {
            return Err(Rejection::OtherParameters);
        }
        (self.has_greeted, self.their_range) = (true, theirs.range);
        let newer = registry.history().changes().iter().skip(theirs.set as usize);
        let changes: Vec<Vec<u8>> = newer.take(WANT_MAX).map(SignedSetChange::encode).collect();
        if !changes.is_empty() {
            self.send(Message::SetChanges(changes));
        }
        Ok(())
    }

    fn compare(&mut self, round: u64, frame: &[u8], registry: &Registry, now: Timestamp) -> Result<(), Rejection> {
        self.budget.work(registry.identity_count() / COMPARED_OF_WORK, now);
        if !self.is_initiator && round == self.round + 1 && !self.is_busy() {
            self.start_round(round);
        }
        self.steps += 1;
        if round != self.round || self.steps > STEPS_MAX || self.is_initiator && self.is_compared {
            return Err(Rejection::OutOfOrder);
        }
        if !self.is_initiator {
            let states = registry.states();
            let frame = Ring::of(&states, self.compared(registry))
                .machine()?
                .reconcile(frame)
                .map_err(|_| Rejection::Comparison)?;
            self.is_compared = true;
            self.send(Message::Compare { round, frame });
            return Ok(());
        }
        let Compared { next, offered, wanted } = go_on_comparing(registry, self.compared(registry), frame)?;
        self.is_compared = next.is_none();
        if let Some(frame) = next {
            self.send(Message::Compare { round, frame });
        }
        for states in wanted.chunks(WANT_MAX) {
            self.due += 1;
            self.send(Message::Want(states.to_vec()));
        }
        self.offer(offered, registry, false, now);
        self.finish();
        Ok(())
    }

    /// Says in which states identities are here now, in as few messages as there may be. Who has another state asks.
    fn send_news(&mut self, dids: &[Did], registry: &Registry) {
        if !self.has_greeted {
            return;
        }
        let news: Vec<(Did, Digest)> = dids.iter().map(|did| (*did, registry.digest_of(did))).collect();
        for news in news.chunks(WANT_MAX) {
            self.send(Message::News(news.to_vec()));
        }
    }

    /// Says what is here of identities. An answer to a `Want` is sent even if nothing is.
    fn offer(&mut self, dids: Vec<Did>, registry: &Registry, is_answer: bool, now: Timestamp) {
        let (mut details, mut bytes) = (Vec::new(), 0);
        for detail in dids.iter().filter_map(|did| registry.detail_of(did)).flat_map(split) {
            bytes += detail_weight(&detail);
            self.budget.work(WORK_OF_DETAIL + detail_weight(&detail) / BYTES_OF_WORK, now);
            if bytes > PAGE_MAX_BYTES || details.len() == WANT_MAX {
                self.send(Message::Details { details: std::mem::take(&mut details), is_last: false });
                bytes = detail_weight(&detail);
            }
            details.push(detail);
        }
        if is_answer || !details.is_empty() {
            self.send(Message::Details { details, is_last: is_answer });
        }
    }

    fn take_details(
        &mut self,
        details: Vec<Detail>,
        is_last: bool,
        registry: &Registry,
        now: Timestamp,
    ) -> Result<(), Rejection> {
        if is_last {
            self.due = self.due.checked_sub(1).ok_or(Rejection::Unasked)?;
        }
        // A peer whose range was narrowed meanwhile may say more than is kept here.
        for detail in details.into_iter().filter(|detail| registry.retention().keeps(&detail.did)) {
            let bytes = detail_weight(&detail);
            // Also of those of which nothing comes: naming identities costs a peer nothing.
            self.budget.work(WORK_OF_DETAIL + bytes / BYTES_OF_WORK, now);
            let has_room = self.node_budget.borrow().has_room(bytes, self.pending_bytes);
            if !has_room || self.pending_bytes + bytes > PENDING_MAX_BYTES {
                continue;
            }
            let more = match self.pending.entry(detail.did) {
                Entry::Vacant(place) => detail_weight(place.insert(detail)),
                Entry::Occupied(mut here) => join(here.get_mut(), detail),
            };
            self.pending_bytes += more;
            self.node_budget.borrow_mut().hold(more);
        }
        self.ask(registry, now);
        Ok(())
    }

    /// Asks for what is missing, page by page: while one is admitted here, the peer loads the next.
    fn ask(&mut self, registry: &Registry, now: Timestamp) {
        while self.asked.len() < PAGES_ASKED_MAX && self.ask_for_page(registry, now) {}
        self.finish();
    }

    /// Asks for a page of identities that no other one is asked for. Returns false if nothing is missing.
    fn ask_for_page(&mut self, registry: &Registry, now: Timestamp) -> bool {
        let (mut asks, mut dids) = (Vec::new(), BTreeSet::new());
        let (mut complete, mut refused) = (Vec::new(), Vec::new());
        let pending = std::mem::take(&mut self.pending);
        let is_asked = |did: &Did| self.asked.iter().any(|asked| asked.dids.contains(did));
        let next: Vec<(&Did, &Detail)> = pending.iter().filter(|(did, _)| !is_asked(did)).take(ASKS_MAX).collect();
        for (did, detail) in next {
            if !registry.retention().keeps(did) || !self.may_fetch(detail, registry, now) {
                refused.push(*did);
                continue;
            }
            let missing = registry.asks_for(detail);
            if missing.is_empty() {
                complete.push(*did);
                continue;
            }
            asks.extend(missing.into_iter().take(ASKS_MAX - asks.len()));
            dids.insert(*did);
            if asks.len() == ASKS_MAX {
                break;
            }
        }
        self.pending = pending;
        let has_more = !(asks.is_empty() && complete.is_empty() && refused.is_empty());
        // They are found again in a later round.
        refused.iter().for_each(|did| self.drop_pending(did));
        complete.iter().for_each(|did| self.close_pending(did, registry, now));
        if !asks.is_empty() {
            let ticket = self.next_ticket;
            self.next_ticket += 1;
            self.asked.push_back(Asked { ticket, asks: asks.clone(), dids, range: registry.retention().range() });
            self.send(Message::Need { ticket, asks });
        }
        has_more
    }

    /// Returns whether an identity may be fetched: it is known or wanted, or there is an allowance for it, or the peer says
    /// that something of it is confirmed and was right about all others.
    fn may_fetch(&mut self, detail: &Detail, registry: &Registry, now: Timestamp) -> bool {
        let did = detail.did;
        if self.admitted.contains_key(&did)
            || registry.inception(&did).is_some()
            || registry.retention().is_wanted(&did)
        {
            return true;
        }
        if detail.says_confirmed() && self.is_credible && registry.has_witnesses() {
            self.admitted.insert(did, Admission::OnCredit);
            return true;
        }
        let is_allowed = self.node_budget.borrow_mut().draw_newcomer(now);
        if is_allowed {
            self.admitted.insert(did, Admission::Counted);
        }
        is_allowed
    }

    /// Drops the details of an identity of which nothing more is fetched. It is counted if it came on credit and nothing of
    /// it is confirmed; and not if nothing of it came: naming identities that do not exist costs a peer nothing.
    fn close_pending(&mut self, did: &Did, registry: &Registry, now: Timestamp) {
        self.drop_pending(did);
        match self.admitted.remove(did) {
            Some(Admission::OnCredit) if !registry.has_confirmed_claim(did) => {
                self.is_credible = false;
                self.node_budget.borrow_mut().draw_newcomer(now);
            }
            Some(Admission::Counted) if registry.inception(did).is_none() => {
                self.node_budget.borrow_mut().give_newcomer_back();
            }
            _ => {}
        }
    }

    fn drop_pending(&mut self, did: &Did) {
        if let Some(detail) = self.pending.remove(did) {
            let bytes = detail_weight(&detail);
            self.pending_bytes -= bytes;
            self.node_budget.borrow_mut().release(bytes);
        }
    }

    /// What was asked for has arrived and is admitted.
    fn go_on(&mut self, outcome: &Outcome, registry: &Registry, now: Timestamp) -> Result<(), Rejection> {
        let admitted = self.asked.pop_front().filter(|_| self.admitting > 0);
        let Asked { asks: asked, dids, .. } = admitted.ok_or(Rejection::OutOfOrder)?;
        self.admitting -= 1;
        // A page without news: the peer has it no more. The next round finds what is left.
        if !outcome.has_news {
            let missing = |did: &Did| self.pending.get(did).map(|detail| registry.asks_for(detail)).unwrap_or_default();
            let stuck: Vec<Did> =
                dids.into_iter().filter(|did| missing(did).iter().any(|ask| asked.contains(ask))).collect();
            stuck.iter().for_each(|did| self.close_pending(did, registry, now));
        }
        for rejection in &outcome.rejections {
            self.reject(*rejection);
        }
        if !self.has_ended {
            self.ask(registry, now);
        }
        Ok(())
    }

    /// Says that this side is done, when it is; the initiator first.
    fn finish(&mut self) {
        let has_asked_all = self.is_compared && self.pending.is_empty() && self.asked.is_empty() && self.due == 0;
        let may_say = self.is_initiator || self.has_received_done;
        if has_asked_all && may_say && !self.has_sent_done {
            self.has_sent_done = true;
            let round = self.round;
            self.send(Message::Done { round });
        }
        if self.has_sent_done && self.has_received_done && !self.has_synced {
            self.has_synced = true;
            self.outputs.push(Output::Synced);
        }
    }
}

/// The work of loading and sending pieces, or of checking them.
fn work_of(pieces: &[Piece]) -> usize {
    let bytes: usize = pieces.iter().map(Piece::weight).sum();
    pieces.len() * WORK_OF_ENTRY + bytes / BYTES_OF_WORK
}

/// What the initiator of a comparison learned from one frame.
struct Compared {
    /// The next frame, if the comparison goes on.
    next: Option<Vec<u8>>,
    /// Identities in states that only this side has.
    offered: Vec<Did>,
    /// States that only the other side has.
    wanted: Vec<Digest>,
}

fn go_on_comparing(registry: &Registry, compared: Option<RingRange>, frame: &[u8]) -> Result<Compared, Rejection> {
    let states = registry.states();
    let ring = Ring::of(&states, compared);
    let mut machine = ring.machine()?;
    machine.set_initiator();
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let next = machine.reconcile_with_ids(frame, &mut have, &mut need).map_err(|_| Rejection::Comparison)?;
    // The crate gives them in the order of a randomly seeded map; a replayed run must not depend on that.
    let sorted = |ids: Vec<Id>| ids.into_iter().map(|id| Digest::from_bytes(id.to_bytes())).collect::<BTreeSet<_>>();
    let offered = sorted(have).iter().filter_map(|state| states.identity_of(state)).collect();
    Ok(Compared { next, offered, wanted: sorted(need).into_iter().collect() })
}

/// A detail in parts of which each has as much as one message may.
fn split(detail: Detail) -> Vec<Detail> {
    let Detail { did, openings, logs, beside } = detail;
    let mut chunks = beside.chunks(BESIDE_MAX).map(<[_]>::to_vec);
    let first = Detail { did, openings, logs, beside: chunks.next().unwrap_or_default() };
    let rest = chunks.map(|beside| Detail { did, openings: Vec::new(), logs: Vec::new(), beside });
    std::iter::once(first).chain(rest).collect()
}

/// Joins another part of a detail. Returns by how much it weighs more.
fn join(here: &mut Detail, more: Detail) -> usize {
    let before = detail_weight(here);
    here.openings.extend(more.openings);
    here.logs.extend(more.logs);
    here.beside.extend(more.beside);
    detail_weight(here) - before
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.node_budget.borrow_mut().release(self.pending_bytes);
    }
}

fn hello(registry: &Registry) -> Hello {
    let history = registry.history();
    Hello {
        topic: history.topic(),
        parameters: PARAMETERS_VERSION,
        newest: history.newest(),
        set: history.number(),
        range: registry.retention().range(),
    }
}

#[cfg(test)]
mod tests;
