//! Replication with one peer (`/gen/sync/1`): finds out which documents differ, exchanges the missing changes, and
//! holds the peer to the rules.
//!
//! [`Session::handle`] is a pure state machine. It asks its host four kinds of question ([`Output::AskSummaries`],
//! [`Output::AskVectors`], [`Output::AskChanges`], [`Output::Admit`]); the host answers those of one kind in the order
//! in which they were asked. A session keeps nothing that outlives it: what was admitted is in the store, and the next
//! session finds what is still missing.
//!
//! # A round
//! 1. *Compare.* Each side lists its documents as summaries (a hash over owner and heads). Set reconciliation
//!    ([negentropy](https://github.com/hoytech/negentropy), range-based as in A. Meyer, "Range-Based Set
//!    Reconciliation", 2023) gives the initiator the states that only one side has, in a number of messages logarithmic
//!    in the number of documents.
//! 2. *Vectors.* Of the differing documents the sides exchange version vectors: per writing session the number of
//!    changes held ([`DocumentVector`]).
//! 3. *Changes.* A side that lacks something sends its own vector (`Need`, with a ticket) and receives a page of at
//!    most 256 KiB (`Changes`). What did not fit is named as unfinished and asked for again.
//! 4. *Done.* The initiator says so when nothing is left to ask or offer; the other side says so last.
//!
//! # Example
//! Alice's device A dialled Bob's device B. A has document `alice` with 5 changes and `carol` with 12; B has `alice`
//! with 3 changes and `dave` with 2.
//!
//! | message | content |
//! |---|---|
//! | A → B, B → A `Hello` | topic, protocol version, parameters, page size |
//! | `Compare` in turns | A has two states that B lacks (`alice` 5, `carol`), B two others (`alice` 3, `dave`) |
//! | A → B `Want` | the two states it lacks, as hashes |
//! | A → B `Have` | its vectors: `alice` 5, `carol` 12 |
//! | B → A `Have` | its vectors: `alice` 3, `dave` 2 |
//! | B → A `Need` 1 | `alice` 3, `carol` 0: "send what lies beyond this" |
//! | A → B `Changes` 1 | changes 4 and 5 of `alice`, 12 of `carol` |
//! | A → B `Need` 1 | `dave` 0; of `alice` A lacks nothing |
//! | B → A `Changes` 1 | 2 changes of `dave` |
//! | A → B `Done`, B → A `Done` | both hosts get [`Output::Synced`] |
//!
//! Between rounds, and during them, new changes are announced on gossip. An announcement whose predecessors are missing
//! makes the session ask for a round ([`Output::Behind`]).
//!
//! Each broken rule is an [`Output::Rejected`] with a mark; [`MARKS_MAX`] marks or one fatal rejection end the session.
//! What is buffered for a peer is bounded by the constants below; how much it may send and ask for, by [`budget`].

pub mod budget;
mod comparison;
mod event;
mod page;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::digest::Digest;
use crate::document::SignedChange;
use crate::identity::{Identity, Topic};
use crate::limits::PARAMETERS_VERSION;
use crate::sync::rejection::Rejection;
use crate::sync::version_vector::{DocumentVector, change_weight};
use crate::sync::wire::{Hello, Message, PAGE_MIN_BYTES, SYNC_PAGE_BYTES, VECTORS_MAX, WANT_MAX};
use crate::time::Timestamp;
use budget::Budget;
use comparison::{Comparison, ComparisonStep};
pub use event::{Input, Output, Verdict};
use page::{check_order, owners, parts};

/// The most `Need`s of one side that are not answered yet.
pub const NEEDS_OUTSTANDING: usize = 4;
/// The most bytes of a peer's vectors that wait for their turn.
pub const BUFFERED_MAX_BYTES: usize = 4 * 1024 * 1024;
/// The most pages in a row that bring nothing new although more is announced.
pub const IDLE_PAGES_MAX: usize = 8;
/// The sum of marks at which a session ends.
pub const MARKS_MAX: u32 = 100;
/// A round without a message of it for this long is given up.
pub const STALL_AFTER: Duration = Duration::from_secs(30);

/// Why vectors were asked for. Answers come in order, so a queue of purposes says what each answer is for.
enum Purpose {
    Offer,
    /// To see whether the peer's have something new.
    Compare(Vec<DocumentVector>),
    /// To ask for what is missing.
    Fetch(Vec<DocumentVector>),
}

/// Changes handed to the host for admission, until their verdicts come.
struct Admitting {
    asked: bool,
    owners: Vec<Identity>,
    /// To be asked for again.
    unfinished: Vec<DocumentVector>,
}

/// The state of the exchange with one peer.
pub struct Session {
    hello: Hello,
    initiator: bool,
    ended: bool,
    greeted: bool,
    page_bytes: usize,
    comparison: Comparison,
    /// States to ask about, and how many answers are due.
    wanted: VecDeque<Digest>,
    answers_due: usize,
    offers: VecDeque<Identity>,
    asked_vectors: VecDeque<Purpose>,
    missing: VecDeque<DocumentVector>,
    missing_bytes: usize,
    /// What was claimed, by the ticket under which it was asked for.
    needs: BTreeMap<u64, Vec<DocumentVector>>,
    next_ticket: u64,
    serving: VecDeque<u64>,
    admitting: VecDeque<Admitting>,
    idle_pages: usize,
    sent_done: bool,
    received_done: bool,
    in_round: bool,
    moved_at: Timestamp,
    budget: Budget,
    marks: u32,
    out: Vec<Output>,
}

impl Session {
    /// The side that dialled is the initiator.
    pub fn new(topic: Topic, initiator: bool) -> Self {
        Self {
            hello: Hello::new(topic),
            initiator,
            ended: false,
            greeted: false,
            page_bytes: SYNC_PAGE_BYTES,
            comparison: Comparison::new(initiator),
            wanted: VecDeque::new(),
            answers_due: 0,
            offers: VecDeque::new(),
            asked_vectors: VecDeque::new(),
            missing: VecDeque::new(),
            missing_bytes: 0,
            needs: BTreeMap::new(),
            next_ticket: 0,
            serving: VecDeque::new(),
            admitting: VecDeque::new(),
            idle_pages: 0,
            sent_done: false,
            received_done: false,
            in_round: false,
            moved_at: Timestamp::default(),
            budget: Budget::default(),
            marks: 0,
            out: Vec::new(),
        }
    }

    /// The bytes kept for this peer, estimated; for tests and for the network screen.
    pub fn buffered_bytes(&self) -> usize {
        let needs: usize = self.needs.values().flatten().map(DocumentVector::weight).sum();
        self.missing_bytes + needs + self.wanted.len() * 32 + self.offers.len() * 32 + self.comparison.bytes()
    }

    /// Returns whether a round is under way.
    pub fn is_syncing(&self) -> bool {
        self.in_round && !self.ended
    }

    /// Processes one input at `now`. Returns nothing after [`Output::End`].
    pub fn handle(&mut self, input: Input, now: Timestamp) -> Vec<Output> {
        if !self.ended {
            let result = self.take(input, now);
            if let Err(why) = result {
                self.reject(why);
            }
            if !self.ended {
                self.pump();
            }
        }
        std::mem::take(&mut self.out)
    }

    fn take(&mut self, input: Input, now: Timestamp) -> Result<(), Rejection> {
        match input {
            Input::Connected => self.send(Message::Hello(self.hello.clone())),
            Input::Received(bytes) => {
                self.budget.message(now)?;
                let message = Message::decode(&bytes)?;
                if !message.is_announcement() {
                    self.moved_at = now;
                }
                self.receive(message, now)?;
            }
            Input::Summaries(summaries) => {
                let step = self.comparison.start(summaries)?;
                self.step(step);
            }
            Input::Vectors(vectors) => self.compare_vectors(vectors),
            Input::Changes { changes, unfinished } => {
                self.budget.sent(changes.iter().map(change_weight).sum(), now)?;
                if let Some(ticket) = self.serving.pop_front() {
                    self.send(Message::Changes { ticket, changes, unfinished });
                }
            }
            Input::Verdicts(verdicts) => self.apply_verdicts(&verdicts)?,
            Input::Resync if self.initiator && self.greeted && !self.in_round => self.begin(now),
            Input::Resync => {}
            Input::Announce { owner, changes, heads } if self.greeted => {
                self.send(Message::announcement(owner, changes, heads));
            }
            Input::Announce { .. } => {}
            Input::Tick => {
                if self.in_round && now > self.moved_at.plus(STALL_AFTER) {
                    return Err(Rejection::Stalled);
                }
            }
        }
        Ok(())
    }

    fn receive(&mut self, message: Message, now: Timestamp) -> Result<(), Rejection> {
        if !self.greeted {
            return match message {
                Message::Hello(hello) => self.greet(&hello, now),
                // Gossip knows no order; the first round brings what is left aside here.
                message if message.is_announcement() => Ok(()),
                _ => Err(Rejection::OutOfOrder),
            };
        }
        match message {
            Message::Hello(_) => Err(Rejection::OutOfOrder),
            Message::Compare { round, frame } => {
                if !self.initiator && !self.in_round && self.comparison.opens(round) {
                    self.in_round = true;
                    (self.sent_done, self.received_done) = (false, false);
                    self.comparison.open(round, frame);
                    self.out.push(Output::AskSummaries);
                    return Ok(());
                }
                let step = self.comparison.reconcile(round, &frame)?;
                self.step(step);
                Ok(())
            }
            Message::Want(ids) => {
                for id in ids {
                    let owner = self.comparison.owner(&id).ok_or(Rejection::Unasked)?;
                    if self.initiator || self.offers.len() > self.comparison.documents() {
                        return Err(Rejection::Unasked);
                    }
                    self.offers.push_back(owner);
                }
                Ok(())
            }
            Message::Have(vectors) => self.receive_vectors(vectors),
            Message::Need { ticket, vectors } => {
                if self.serving.len() >= NEEDS_OUTSTANDING {
                    return Err(Rejection::TooManyRequests);
                }
                self.serving.push_back(ticket);
                self.out.push(Output::AskChanges { vectors, max_bytes: self.page_bytes });
                Ok(())
            }
            Message::Changes { ticket, changes, unfinished } => self.take_page(ticket, changes, &unfinished),
            Message::Done { round } => {
                if !self.in_round || !self.comparison.is_round(round) || self.received_done {
                    return Err(Rejection::OutOfOrder);
                }
                self.received_done = true;
                Ok(())
            }
            Message::Announce(changes) => {
                self.budget.announcement(now)?;
                check_order(&changes)?;
                let owners = owners(&changes);
                self.admitting.push_back(Admitting { asked: false, owners, unfinished: Vec::new() });
                self.out.push(Output::Admit(changes));
                Ok(())
            }
            Message::AnnounceHeads { owner, .. } => {
                self.budget.announcement(now)?;
                self.out.push(Output::Behind(owner));
                Ok(())
            }
        }
    }

    fn greet(&mut self, hello: &Hello, now: Timestamp) -> Result<(), Rejection> {
        if hello.topic != self.hello.topic {
            return Err(Rejection::ForeignTopic);
        }
        if hello.parameters != PARAMETERS_VERSION || (hello.page_bytes as usize) < PAGE_MIN_BYTES {
            return Err(Rejection::OtherParameters);
        }
        self.greeted = true;
        self.page_bytes = SYNC_PAGE_BYTES.min(hello.page_bytes as usize);
        if self.initiator {
            self.begin(now);
        }
        Ok(())
    }

    fn begin(&mut self, now: Timestamp) {
        self.in_round = true;
        self.moved_at = now;
        (self.sent_done, self.received_done) = (false, false);
        self.comparison.begin();
        self.out.push(Output::AskSummaries);
    }

    fn step(&mut self, step: ComparisonStep) {
        self.wanted.extend(step.want);
        self.offers.extend(step.offer);
        if let Some(frame) = step.frame {
            let round = self.comparison.round();
            self.send(Message::Compare { round, frame });
        }
    }

    /// Takes the peer's vectors: from the initiator unasked within a round, from the other side one for each wanted
    /// state.
    fn receive_vectors(&mut self, vectors: Vec<DocumentVector>) -> Result<(), Rejection> {
        if self.initiator {
            self.answers_due = self.answers_due.checked_sub(vectors.len()).ok_or(Rejection::Unasked)?;
        } else if !self.in_round || self.received_done {
            return Err(Rejection::Unasked);
        }
        let weight: usize = vectors.iter().map(DocumentVector::weight).sum();
        if self.missing_bytes + weight > BUFFERED_MAX_BYTES {
            return Err(Rejection::TooManyRequests);
        }
        self.missing_bytes += weight;
        self.ask_vectors(vectors.iter().map(|vector| vector.owner).collect(), Purpose::Compare(vectors));
        Ok(())
    }

    fn compare_vectors(&mut self, ours: Vec<DocumentVector>) {
        match self.asked_vectors.pop_front() {
            None => {}
            Some(Purpose::Offer) => {
                for part in parts(ours) {
                    self.send(Message::Have(part));
                }
            }
            Some(Purpose::Compare(theirs)) => {
                for (theirs, ours) in theirs.into_iter().zip(ours) {
                    if ours.lacks(&theirs) {
                        self.missing.push_back(theirs);
                    } else {
                        self.missing_bytes -= theirs.weight();
                    }
                }
            }
            Some(Purpose::Fetch(theirs)) => {
                let weight: usize = theirs.iter().map(DocumentVector::weight).sum();
                self.missing_bytes -= weight;
                let (mut claimed, mut vectors) = (Vec::new(), Vec::new());
                for (theirs, ours) in theirs.into_iter().zip(ours) {
                    // Another peer may have been quicker.
                    if ours.lacks(&theirs) {
                        claimed.push(theirs);
                        vectors.push(ours);
                    }
                }
                for vectors in parts(vectors) {
                    let claimed = claimed.drain(..vectors.len()).collect();
                    self.next_ticket += 1;
                    self.needs.insert(self.next_ticket, claimed);
                    self.send(Message::Need { ticket: self.next_ticket, vectors });
                }
            }
        }
    }

    fn take_page(&mut self, ticket: u64, changes: Vec<SignedChange>, unfinished: &[Identity]) -> Result<(), Rejection> {
        let claimed = self.needs.remove(&ticket).ok_or(Rejection::Unasked)?;
        let asked: BTreeSet<Identity> = claimed.iter().map(|vector| vector.owner).collect();
        let came: BTreeSet<Identity> = changes.iter().map(|change| change.owner).collect();
        let unfinished: BTreeSet<Identity> = unfinished.iter().copied().collect();
        if !came.is_subset(&asked) || !unfinished.is_subset(&asked) {
            return Err(Rejection::Unasked);
        }
        check_order(&changes)?;
        if changes.is_empty() && !unfinished.is_empty() {
            return Err(Rejection::Stalled);
        }
        if asked.iter().any(|owner| !came.contains(owner) && !unfinished.contains(owner)) {
            self.reject(Rejection::Withheld);
        }
        if !changes.is_empty() {
            let unfinished = claimed.into_iter().filter(|vector| unfinished.contains(&vector.owner)).collect();
            self.admitting.push_back(Admitting { asked: true, owners: owners(&changes), unfinished });
            self.out.push(Output::Admit(changes));
        }
        Ok(())
    }

    fn apply_verdicts(&mut self, verdicts: &[Verdict]) -> Result<(), Rejection> {
        let Some(admitting) = self.admitting.pop_front() else { return Ok(()) };
        let kinds: BTreeSet<Rejection> = verdicts
            .iter()
            .filter_map(|verdict| match verdict {
                Verdict::Rejected(why) => Some(*why),
                Verdict::Admitted | Verdict::Known | Verdict::Waiting => None,
            })
            .collect();
        kinds.into_iter().for_each(|why| self.reject(why));
        let waiting = verdicts.iter().position(|verdict| *verdict == Verdict::Waiting);
        if let Some(owner) = waiting.and_then(|at| admitting.owners.get(at)).filter(|_| !admitting.asked) {
            self.out.push(Output::Behind(*owner));
        }
        if admitting.unfinished.is_empty() {
            return Ok(());
        }
        // Another peer may have been quicker with the same page, but not page after page.
        let moved = [Verdict::Admitted, Verdict::Rejected(Rejection::Fork)];
        self.idle_pages = if moved.iter().any(|m| verdicts.contains(m)) { 0 } else { self.idle_pages + 1 };
        if self.idle_pages > IDLE_PAGES_MAX {
            return Err(Rejection::Stalled);
        }
        for vector in admitting.unfinished {
            self.missing_bytes += vector.weight();
            self.missing.push_back(vector);
        }
        Ok(())
    }

    /// Sends whatever may be sent now.
    fn pump(&mut self) {
        if self.missing_bytes < BUFFERED_MAX_BYTES / 2 && self.answers_due == 0 && !self.wanted.is_empty() {
            let ids: Vec<Digest> = self.wanted.drain(..self.wanted.len().min(WANT_MAX)).collect();
            self.answers_due = ids.len();
            self.send(Message::Want(ids));
        }
        if !self.offers.is_empty() && self.asked_vectors.is_empty() {
            let owners = self.offers.drain(..self.offers.len().min(VECTORS_MAX)).collect();
            self.ask_vectors(owners, Purpose::Offer);
        }
        let fetching = self.asked_vectors.iter().any(|purpose| matches!(purpose, Purpose::Fetch(_)));
        if !fetching && !self.missing.is_empty() && self.needs.len() < NEEDS_OUTSTANDING && self.admitting.is_empty() {
            let theirs: Vec<DocumentVector> = self.missing.drain(..self.missing.len().min(VECTORS_MAX)).collect();
            self.ask_vectors(theirs.iter().map(|vector| vector.owner).collect(), Purpose::Fetch(theirs));
        }
        self.finish();
    }

    fn finish(&mut self) {
        let quiet = self.comparison.is_over()
            && self.wanted.is_empty()
            && self.answers_due == 0
            && self.offers.is_empty()
            && self.asked_vectors.is_empty()
            && self.missing.is_empty()
            && self.needs.is_empty()
            && self.admitting.iter().all(|admitting| !admitting.asked);
        if !self.in_round || !quiet {
            return;
        }
        // The other side speaks last: until the initiator is done, it may still offer or want something.
        if !self.sent_done && (self.initiator || self.received_done) {
            self.sent_done = true;
            let round = self.comparison.round();
            self.send(Message::Done { round });
        }
        if self.sent_done && self.received_done {
            self.in_round = false;
            self.out.push(Output::Synced);
        }
    }

    fn ask_vectors(&mut self, owners: Vec<Identity>, purpose: Purpose) {
        self.asked_vectors.push_back(purpose);
        self.out.push(Output::AskVectors(owners));
    }

    fn send(&mut self, message: Message) {
        self.out.push(Output::Send(message));
    }

    fn reject(&mut self, why: Rejection) {
        let mark = why.mark();
        self.out.push(Output::Rejected { why, mark });
        self.marks += mark;
        if why.is_fatal() || self.marks >= MARKS_MAX {
            self.ended = true;
            self.out.push(Output::End(why));
        }
    }
}

#[cfg(test)]
mod tests;
