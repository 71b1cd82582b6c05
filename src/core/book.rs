//! The book of a witness: what it has signed for each slot, and whether it may sign something now.
//!
//! Two questions are kept apart. *Who holds a name?* is computed from confirmed facts, without a clock
//! ([`outcome`](crate::outcome)). *May this be signed now?* is asked here: by a witness before it signs, and by clients as a
//! [`forecast`]. Only the second one looks at clocks, at how many names an identity holds, and at recent give-ups.
//!
//! # One fact for a slot
//! Whatever else a witness knows, it signs at most one fact for a slot. A slot that is taken is answered with the fact that
//! has it, its opening and its receipts; a refusal without them is no answer, so a witness can't withhold a name.
//!
//! ```text
//! Alice's claim of rose  ──▶  the slots "entry 3 of her laptop" and "rose, after nothing, round 0" are free: receipt
//! the same once more     ──▶  the same receipt
//! Bob's claim of r0se    ──▶  refused: "rose, after nothing, round 0" is Alice's claim, with her receipt
//! a second entry 3       ──▶  refused: "entry 3" is Alice's claim; a device that was set back reads on from there
//! ```
//!
//! # Stored before it counts
//! [`Book::consider`] decides and signs, and changes nothing. A witness stores what was signed, then enters it into the book
//! ([`Book::restore`]), and only then passes the receipt on; so a write that failed leaves nothing that is answered later.

pub mod closing;
pub mod handover;
mod rules;

use std::collections::HashMap;

use crate::digest::Digest;
use crate::keys::{Did, PublicKey, SecretKey};
use crate::log::body::names::ROUNDS_MAX;
use crate::log::{Body, Entry, EntryId, FACTS, Opening, OpeningError};
use crate::network::Parameters;
use crate::outcome::{Counts, Fact, NoEffect};
use crate::receipt::Receipt;
use crate::registry::Registry;
use crate::slot::Slot;
use crate::statement::Statement;
use crate::time::Timestamp;

pub use closing::{Closed, Votes, close};

/// What one witness of one set signed, and since when it knows what.
pub struct Book {
    key: SecretKey,
    /// The number of the set that it signs for.
    set: u32,
    receipts: HashMap<EntryId, Vote>,
    slots: HashMap<Digest, EntryId>,
    /// The claims that were signed, by identity.
    claims: HashMap<Did, Vec<EntryId>>,
    memory: Memory,
    /// Slots that the books of the set before show as voted for, and until when they are kept.
    reserved: HashMap<Digest, Vec<EntryId>>,
    reserved_until: Timestamp,
    is_closed: bool,
}

/// What was signed.
#[derive(Clone, Debug)]
pub struct Vote {
    pub fact: Fact,
    pub receipt: Receipt,
}

/// When a node first saw what a wait is counted from, by its own clock.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    noticed: HashMap<Noticed, Timestamp>,
    /// Since when the node is reachable without a break.
    back_since: Timestamp,
}

/// What a wait is counted from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Noticed {
    /// The entry of a give-up or of new words.
    Announced(EntryId),
    /// The entry that finished a give-up.
    Finished(EntryId),
    /// The opening of a device's log.
    Device(PublicKey),
    /// The revocation of a device.
    Revoked(PublicKey),
}

/// Why a witness does not sign an entry, or a client expects it not to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("another entry has what this one asks for; it comes with this answer")]
    Taken(EntryId),
    #[error("the entry says nothing: {0}")]
    NoEffect(#[from] NoEffect),
    #[error("the log does not begin with a valid opening: {0}")]
    Opening(#[from] OpeningError),
    #[error("the opening is of another device's log")]
    OtherDevice,
    #[error("entries of this kind need no witness")]
    NotWitnessed,
    #[error("the witness signs for set {set} of the network, and set {present} is the present one")]
    OtherSet { set: u32, present: u32 },
    #[error("the witness has stopped signing: its set is being succeeded")]
    Closed,
    #[error("the device does not act for this identity, or not any more")]
    DeviceNotIn,
    #[error("the log has two entries at one place at or before this one, and takes no more")]
    Forked,
    #[error("the statement is not signed by the identity's present key")]
    OtherKey,
    #[error("what the entry builds on is not known here or is not confirmed; it is shown together with the entry")]
    Unknown(EntryId),
    #[error("the entry is dated later than now; the device's clock is ahead")]
    DatedAhead,
    #[error("the claim does not show the work that this network asks for")]
    NoWork,
    #[error("the name is held, since a claim that is confirmed")]
    Held(EntryId),
    #[error("the claim does not come after the last end of the name's holding")]
    NotAfterLastEnd(Option<EntryId>),
    #[error(
        "the name was given up recently; until then only its last holder, or the identity that it was given to, may claim it"
    )]
    CoolingDown { until: Timestamp },
    #[error(
        "an identity holds at most {most} names of this kind in this network, those that it gave up lately counted"
    )]
    TooManyNames { most: u32 },
    #[error("a later round of a claim carries the withdrawals of all that were signed for in earlier rounds")]
    NotWithdrawn(EntryId),
    #[error("a later round of this claim was signed already")]
    EarlierRound,
    #[error("the module's name is not held by this identity under the claim that the entry names")]
    NotHolder,
    #[error("the mark does not follow the last mark of the release")]
    NotLastMark(Option<EntryId>),
    #[error("what was announced may be finished only later")]
    HoldRuns { until: Timestamp },
    #[error("the witness was away and waits before it signs an end, so that a veto can reach it")]
    Away { until: Timestamp },
    #[error("the veto is of a device that was added after the announcement, or was revoked long ago")]
    NoVeto,
    #[error("the rotation does not follow the identity's last link, or is not to the key that was committed to")]
    NotNextKey,
    #[error(
        "the witnesses before voted for another entry that asks for the same; until then it is reserved for that one"
    )]
    Reserved { until: Timestamp },
}

impl Noticed {
    /// What there is to notice in a fact.
    pub fn of(fact: &Fact) -> Option<Self> {
        match (&fact.body, fact.statement()) {
            (Body::Opening(_), _) => Some(Self::Device(fact.device())),
            (_, Some(Statement::GiveUp(_) | Statement::NewWords(_))) => Some(Self::Announced(fact.id)),
            (_, Some(Statement::Finish(_))) => Some(Self::Finished(fact.id)),
            (_, Some(Statement::DeviceRevoke(revoke))) => Some(Self::Revoked(revoke.device)),
            _ => None,
        }
    }
}

impl Memory {
    /// Notes that something is known from now on. The first time counts.
    pub fn notice(&mut self, what: Noticed, now: Timestamp) {
        self.noticed.entry(what).or_insert(now);
    }

    /// Notes that the node can be reached again from now on, after it could not.
    pub fn note_back(&mut self, now: Timestamp) {
        self.back_since = now;
    }

    fn since(&self, what: Noticed) -> Option<Timestamp> {
        self.noticed.get(&what).copied()
    }
}

impl Book {
    /// An empty book of a witness that is reachable from now on.
    pub fn new(key: SecretKey, set: u32, now: Timestamp) -> Self {
        let memory = Memory { back_since: now, ..Memory::default() };
        Self {
            key,
            set,
            receipts: HashMap::new(),
            slots: HashMap::new(),
            claims: HashMap::new(),
            memory,
            reserved: HashMap::new(),
            reserved_until: Timestamp::default(),
            is_closed: false,
        }
    }

    /// The book of a witness of the set that succeeded: the slots of what the set before voted for are reserved for a
    /// cool-down.
    pub fn succeed(key: SecretKey, set: u32, closed: &Closed, parameters: &Parameters, now: Timestamp) -> Self {
        let mut book = Self::new(key, set, now);
        let until = now.plus(parameters.cool_down);
        closed.reserved.iter().for_each(|(entry, slots)| book.reserve(*entry, slots, until));
        book
    }

    /// Keeps the slots of a fact that the set before voted for, until then.
    pub fn reserve(&mut self, entry: EntryId, slots: &[Digest], until: Timestamp) {
        for slot in slots {
            self.reserved.entry(*slot).or_default().push(entry);
        }
        self.reserved_until = self.reserved_until.max(until);
    }

    pub fn witness(&self) -> PublicKey {
        self.key.public()
    }

    /// When the witness first saw what waits are counted from.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// The receipt that was signed for an entry.
    pub fn receipt_of(&self, entry: &EntryId) -> Option<&Receipt> {
        self.receipts.get(entry).map(|vote| &vote.receipt)
    }

    /// Every receipt, in no order: what is handed over when the set is succeeded.
    pub fn receipts(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.values().map(|vote| &vote.receipt)
    }

    /// Signs nothing more: the first step of a change of the set.
    pub fn stop(&mut self) {
        self.is_closed = true;
    }

    /// Answers whether an entry, shown with the opening of its log, is signed: with the receipt, the same one at each
    /// asking, or with the reason. `registry` is what the witness knows; what this entry builds on is admitted there first.
    pub fn ask(
        &mut self,
        registry: &Registry,
        opening: &Entry,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Receipt, Refusal> {
        if let Some(receipt) = self.receipt_of(&entry.id()) {
            return Ok(receipt.clone());
        }
        let Vote { fact, receipt } = self.consider(registry, opening, entry, now)?;
        self.restore(fact, receipt.clone());
        Ok(receipt)
    }

    /// Decides whether an entry is signed, as [`Book::ask`] does, and leaves the book as it is: for a caller that stores the
    /// vote before it enters it with [`Book::restore`].
    pub fn consider(
        &self,
        registry: &Registry,
        opening: &Entry,
        entry: &Entry,
        now: Timestamp,
    ) -> Result<Vote, Refusal> {
        if let Some(vote) = self.receipts.get(&entry.id()) {
            return Ok(vote.clone());
        }
        let present = registry.history().number();
        if self.is_closed {
            return Err(Refusal::Closed);
        }
        if self.set != present || !registry.history().set().has(&self.witness()) {
            return Err(Refusal::OtherSet { set: self.set, present });
        }
        let (fact, opening) = read(registry, opening, entry)?;
        let slots = digests(&fact)?;
        self.check_free(registry, &fact, &slots, now)?;
        if !registry.counts(&fact) {
            self.check_rounds(registry, &fact, now)?;
            let votes = self.votes_of(&fact);
            rules::check(registry, &self.memory, votes, &opening, &fact, entry.body(), now)?;
        }
        let receipt = Receipt::sign(&registry.topic(), &self.key, self.set, fact.id, slots, now);
        Ok(Vote { fact, receipt })
    }

    /// Enters a vote: one that was considered and stored, or at a start one of before.
    pub fn restore(&mut self, fact: Fact, receipt: Receipt) {
        for slot in &receipt.slots {
            self.slots.insert(*slot, fact.id);
        }
        Noticed::of(&fact).into_iter().for_each(|noticed| self.memory.notice(noticed, receipt.at));
        if fact.claim().is_some() && !self.receipts.contains_key(&fact.id) {
            self.claims.entry(fact.did).or_default().push(fact.id);
        }
        self.receipts.insert(fact.id, Vote { fact, receipt });
    }

    /// Checks that no other fact has one of the slots: neither one signed here, nor one that is confirmed, nor one for
    /// which the set before may have voted.
    fn check_free(&self, registry: &Registry, fact: &Fact, slots: &[Digest], now: Timestamp) -> Result<(), Refusal> {
        for slot in slots {
            if let Some(by) = self.slots.get(slot).filter(|by| **by != fact.id) {
                return Err(Refusal::Taken(*by));
            }
            if let Some(by) = taken_by(registry, fact, slot) {
                return Err(Refusal::Taken(by));
            }
        }
        if now < self.reserved_until && !registry.counts(fact) && self.has_reserved_rival(fact, slots) {
            return Err(Refusal::Reserved { until: self.reserved_until });
        }
        Ok(())
    }

    /// Whether the set before voted for another fact that has one of the slots, and not for this one. For a claim, in any
    /// round.
    fn has_reserved_rival(&self, fact: &Fact, slots: &[Digest]) -> bool {
        let rounds = fact.claim().into_iter().flat_map(|claim| {
            let (kind, name, after) = (claim.name.kind(), claim.name.folded(), claim.after);
            let slot = move |round| Slot::Claim { kind, name: name.clone(), after, round }.digest();
            (0..ROUNDS_MAX).map(slot)
        });
        let mut reserved = slots.iter().copied().chain(rounds).filter_map(|slot| self.reserved.get(&slot));
        reserved.any(|entries| !entries.contains(&fact.id))
    }

    /// Checks a claim against what was signed for other rounds of it.
    fn check_rounds(&self, registry: &Registry, fact: &Fact, now: Timestamp) -> Result<(), Refusal> {
        let Some(claim) = fact.claim() else { return Ok(()) };
        let kind = claim.name.kind();
        let of_round = |round: u32| {
            let slot = Slot::Claim { kind, name: claim.name.folded(), after: claim.after, round };
            self.slots.get(&slot.digest()).and_then(|entry| self.receipts.get(entry))
        };
        if (claim.round + 1..ROUNDS_MAX).any(|round| of_round(round).is_some()) {
            return Err(Refusal::EarlierRound);
        }
        for vote in (0..claim.round).filter_map(of_round) {
            // A claim that was signed long ago was most likely confirmed: a device key alone must not give the name away.
            let is_old = vote.receipt.at.plus(registry.history().genesis().parameters.cool_down) <= now;
            let is_withdrawn =
                claim.withdrawals.iter().any(|one| one.claim == vote.fact.id && one.device == vote.fact.device());
            if registry.counts(&vote.fact) || is_old {
                return Err(Refusal::Held(vote.fact.id));
            }
            if !is_withdrawn {
                return Err(Refusal::NotWithdrawn(vote.fact.id));
            }
        }
        Ok(())
    }

    /// The claims of an identity that were signed here and count towards what it may hold.
    fn votes_of(&self, fact: &Fact) -> Vec<(&Fact, Timestamp)> {
        if fact.claim().is_none() {
            return Vec::new();
        }
        let own = self.claims.get(&fact.did).into_iter().flatten().filter_map(|claim| self.receipts.get(claim));
        own.map(|vote| (&vote.fact, vote.receipt.at)).collect()
    }
}

/// Returns whether a witness that knows what this node knows would sign an entry, as far as rules go; whether its slots are
/// free is for the witness to say, unless a confirmed fact has them.
pub fn forecast(
    registry: &Registry,
    memory: &Memory,
    opening: &Entry,
    entry: &Entry,
    now: Timestamp,
) -> Result<(), Refusal> {
    let (fact, opening) = read(registry, opening, entry)?;
    let slots = digests(&fact)?;
    if registry.counts(&fact) {
        return Ok(());
    }
    if let Some(by) = slots.iter().find_map(|slot| taken_by(registry, &fact, slot)) {
        return Err(Refusal::Taken(by));
    }
    rules::check(registry, memory, Vec::new(), &opening, &fact, entry.body(), now)
}

/// The confirmed fact that has a slot which this one asks for.
fn taken_by(registry: &Registry, fact: &Fact, slot: &Digest) -> Option<EntryId> {
    registry.facts().of_slot(slot).find(|by| by.id != fact.id && registry.counts(by)).map(|by| by.id)
}

fn digests(fact: &Fact) -> Result<Vec<Digest>, Refusal> {
    let slots: Vec<Digest> = fact.slots().iter().map(Slot::digest).collect();
    if slots.is_empty() { Err(Refusal::NotWitnessed) } else { Ok(slots) }
}

fn read(registry: &Registry, opening: &Entry, entry: &Entry) -> Result<(Fact, Opening), Refusal> {
    let log = entry.header().log;
    if opening.header().log != log.numbered(FACTS) || opening.header().seq != 0 {
        return Err(Refusal::OtherDevice);
    }
    let opening = Opening::decode_for(&registry.topic(), &log.device, opening.body())?;
    Ok((Fact::of(&registry.topic(), entry, &opening)?, opening))
}

#[cfg(test)]
mod tests;
