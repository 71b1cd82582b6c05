//! The state of one log on one replica: which entries follow each other from the first one on, and where that ends.
//!
//! A [`Chain`] is fed headers in any order and any number of times, and cuts; what it comes to depends on what it was fed
//! and on nothing else. There are three ways in which a log goes on:
//!
//! | course | since | what counts |
//! |---|---|---|
//! | open | – | every entry that follows the one before, within the bounds |
//! | forked at 7 | two headers for place 7 are known | entries 0 to 6; from 7 on only what is confirmed by itself |
//! | cut at 9 | the owner revoked the device and named entry 9 | the branch that leads to that entry, and nothing after |
//!
//! A log of changes may be kept from any checkpoint on, without what was before it: [`Chain::prune`] drops that, and a
//! replica that has nothing of a log, or is behind, begins with a checkpoint. Which one it began with makes no difference to
//! length and head, by which replicas compare.
//!
//! # Example
//! A thief copies the device key and writes another entry 7. Replica A had the owner's 7, 8 and 9, replica B has the
//! thief's 7. When they meet, both learn that there are two headers for place 7, and both go back to entry 6. The owner
//! revokes the device from another one and names the own entry 9 as the last good one. The cut goes before the fork: both
//! replicas take the owner's 7, 8 and 9 (B fetches them backwards, from 9 to 7) and nothing of the thief's.

use std::collections::BTreeMap;

use crate::log::{BODY_MAX_BYTES, EntryId, FACTS_MAX, FACTS_MAX_BYTES, HEADER_BYTES, Kind, LogId, SignedHeader};
use crate::statement::CutLog;

/// The most changes in a log since its last checkpoint.
pub const CHANGES_MAX: u64 = 500;
/// The most bytes of their bodies.
pub const CHANGES_MAX_BYTES: u64 = 64 * 1024;
/// The most operations in them. Run-length coding can announce any number in a few bytes.
pub const OPERATIONS_MAX: u64 = 5_000;

/// One log as one replica has it.
#[derive(Clone, Debug)]
pub struct Chain {
    log: LogId,
    /// The place of the first entry that is kept: 0, or a checkpoint's.
    base: u64,
    /// The entries from there on, each following the one before.
    entries: Vec<Link>,
    /// The lowest place for which two headers are known.
    fork: Option<u64>,
    end: End,
    /// What leads backwards from the cut's entry, as far as it is not joined to the entries yet.
    path: BTreeMap<u64, Link>,
}

/// Where the owner ended a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It goes on.
    #[default]
    Open,
    /// Nothing of it counts but what is confirmed.
    BeforeFirst,
    /// After the last good entry.
    After(CutLog),
}

/// An entry and what was counted up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    id: EntryId,
    previous: Option<EntryId>,
    cost: Cost,
    /// Of all entries since the last checkpoint, this one included; set when the entry is joined.
    total: Cost,
}

/// What a bound is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    entries: u64,
    bytes: u64,
    operations: u64,
    is_checkpoint: bool,
}

/// What became of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// The log is longer by it.
    Extended,
    /// It was here already.
    Known,
    /// What it follows is not here.
    Waiting,
    /// It is on the branch of the cut, and the entry before it is wanted next.
    OnPath { wanted: EntryId },
    /// It and the entry that is here are two for one place; the log ends before it.
    Forked { at: u64, other: EntryId },
    /// The log ends before it. It counts only if it is confirmed by itself.
    Beyond,
}

/// Why a header is not taken. Depends on the log alone, so every replica refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainRejection {
    #[error("the entry is of another log")]
    OtherLog,
    #[error("a facts log has at most {FACTS_MAX} entries and {FACTS_MAX_BYTES} bytes")]
    FactsFull,
    #[error(
        "a changes log has at most {CHANGES_MAX} changes, {CHANGES_MAX_BYTES} bytes and {OPERATIONS_MAX} operations since \
         its last checkpoint"
    )]
    ChangesFull,
}

/// Two headers of one device for one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForkProof(SignedHeader, SignedHeader);

impl ForkProof {
    /// Joins two headers, or returns `None` if they prove nothing.
    pub fn new(one: SignedHeader, other: SignedHeader) -> Option<Self> {
        let (a, b) = (one.header(), other.header());
        let proves = a.log == b.log && a.seq == b.seq && one.id() != other.id();
        let (first, second) = if one.id() < other.id() { (one, other) } else { (other, one) };
        proves.then_some(Self(first, second))
    }

    pub fn log(&self) -> LogId {
        self.0.header().log
    }

    /// The place that was signed twice.
    pub fn seq(&self) -> u64 {
        self.0.header().seq
    }

    pub fn headers(&self) -> [&SignedHeader; 2] {
        [&self.0, &self.1]
    }
}

impl Chain {
    /// An empty log.
    pub fn new(log: LogId) -> Self {
        Self { log, base: 0, entries: Vec::new(), fork: None, end: End::Open, path: BTreeMap::new() }
    }

    pub fn log(&self) -> LogId {
        self.log
    }

    /// The number of entries up to the last one that is kept, those before the first kept one counted.
    pub fn len(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The place of the first entry that is kept.
    pub fn base(&self) -> u64 {
        self.base
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The last of these entries.
    pub fn head(&self) -> Option<EntryId> {
        self.entries.last().map(|link| link.id)
    }

    /// The entry at a place, if the log has come so far.
    pub fn entry(&self, seq: u64) -> Option<EntryId> {
        self.entries.get(usize::try_from(seq.checked_sub(self.base)?).ok()?).map(|link| link.id)
    }

    /// Every entry that is kept, those on the way to a cut's entry among them.
    pub fn ids(&self) -> impl Iterator<Item = EntryId> {
        self.entries.iter().chain(self.path.values()).map(|link| link.id)
    }

    /// The lowest place that is known to be signed twice.
    pub fn fork(&self) -> Option<u64> {
        self.fork
    }

    /// Where the owner ended the log.
    pub fn end(&self) -> End {
        self.end
    }

    fn cut(&self) -> Option<CutLog> {
        match self.end {
            End::After(cut) => Some(cut),
            End::Open | End::BeforeFirst => None,
        }
    }

    /// The entry of the cut's branch that is fetched next, or `None` if nothing is missing.
    pub fn wanted(&self) -> Option<EntryId> {
        let cut = self.cut().filter(|cut| !self.has_come_to(cut))?;
        self.path.first_key_value().map_or(Some(cut.entry), |(_, lowest)| lowest.previous)
    }

    fn has_come_to(&self, cut: &CutLog) -> bool {
        self.entry(cut.seq) == Some(cut.entry)
    }

    /// Takes a verified header. `operations` is the number of operations that a change announces, counted before anything
    /// of it is decoded; 0 for other entries.
    pub fn admit(&mut self, signed: &SignedHeader, operations: u64) -> Result<Admitted, ChainRejection> {
        let header = signed.header();
        if header.log != self.log {
            return Err(ChainRejection::OtherLog);
        }
        let (seq, link) = (header.seq, Link::of(signed, operations));
        let cut = match self.end {
            End::Open => return self.admit_in_order(seq, link),
            End::BeforeFirst => return Ok(Admitted::Beyond),
            End::After(cut) => cut,
        };
        if self.entry(seq) == Some(link.id) || self.path.get(&seq).is_some_and(|known| known.id == link.id) {
            return Ok(Admitted::Known);
        }
        if seq > cut.seq || self.has_come_to(&cut) {
            return Ok(Admitted::Beyond);
        }
        if self.wanted() == Some(link.id) {
            self.path.insert(seq, link);
            self.join_path();
            return Ok(self.wanted().map_or(Admitted::Extended, |wanted| Admitted::OnPath { wanted }));
        }
        let admitted = self.admit_in_order(seq, link)?;
        self.join_path();
        Ok(admitted)
    }

    fn admit_in_order(&mut self, seq: u64, link: Link) -> Result<Admitted, ChainRejection> {
        if let Some(here) = self.entry(seq) {
            if here == link.id {
                return Ok(Admitted::Known);
            }
            self.note_fork(seq);
            return Ok(Admitted::Forked { at: seq, other: here });
        }
        if seq < self.base {
            return Ok(Admitted::Known);
        }
        if self.fork.is_some_and(|fork| seq >= fork) {
            return Ok(Admitted::Beyond);
        }
        if seq == self.len() && link.previous == self.head() {
            self.push(link)?;
            return Ok(Admitted::Extended);
        }
        if !self.may_begin_with(&link) {
            return Ok(Admitted::Waiting);
        }
        self.truncate(0);
        self.base = seq;
        self.push(link)?;
        Ok(Admitted::Extended)
    }

    /// Whether a log may be kept from this entry on.
    fn may_begin_with(&self, link: &Link) -> bool {
        !self.log.are_facts() && link.cost.is_checkpoint
    }

    /// Drops the entries from a place on.
    fn truncate(&mut self, seq: u64) {
        match seq.checked_sub(self.base) {
            Some(kept) if kept > 0 || self.base == 0 => {
                self.entries.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
            }
            // Nothing is left: what is before the first kept entry is fetched again.
            _ => {
                self.entries.clear();
                self.base = 0;
            }
        }
    }

    /// Returns whether a changes log has used most of what it may between two checkpoints.
    pub fn is_checkpoint_due(&self) -> bool {
        let used = self.entries.last().map_or(Cost::default(), |last| last.total);
        let most = |part: u64, whole: u64| part * 5 >= whole * 4;
        let is_full = most(used.entries, CHANGES_MAX) || most(used.bytes, CHANGES_MAX_BYTES);
        !self.log.are_facts() && (is_full || most(used.operations, OPERATIONS_MAX))
    }

    /// Drops the entries before the last checkpoint that is at or before a place: the document does not need them. Returns
    /// them.
    pub fn prune(&mut self, seq: u64) -> Vec<EntryId> {
        let is_base = |(at, link): &(u64, &Link)| *at <= seq && self.may_begin_with(link);
        let base = (self.base..).zip(&self.entries).filter(is_base).map(|(at, _)| at).last();
        let Some(base) = base.filter(|base| *base > self.base) else { return Vec::new() };
        let pruned = self.entries.drain(..usize::try_from(base - self.base).expect("it is in the log"));
        let pruned = pruned.map(|link| link.id).collect();
        self.base = base;
        pruned
    }

    /// Joins the path to the entries once it has come down to one of them.
    fn join_path(&mut self) {
        let Some((lowest, first)) = self.path.first_key_value() else { return };
        let lowest = *lowest;
        let follows = lowest
            .checked_sub(1)
            .is_none_or(|before| self.entry(before).is_some() && self.entry(before) == first.previous);
        if !follows && !self.may_begin_with(first) {
            return;
        }
        self.truncate(if follows { lowest } else { 0 });
        if !follows {
            self.base = lowest;
        }
        for link in std::mem::take(&mut self.path).into_values() {
            // A branch that breaks a bound ends there, for everybody.
            if self.push(link).is_err() {
                break;
            }
        }
    }

    /// Notes that a place was signed twice, as a proof says. Returns whether that was new.
    pub fn note_fork(&mut self, seq: u64) -> bool {
        if self.fork.is_some_and(|fork| fork <= seq) {
            return false;
        }
        self.fork = Some(seq);
        if !self.cut().is_some_and(|cut| self.has_come_to(&cut)) {
            self.truncate(seq);
        }
        true
    }

    /// Ends the log where the identity's statements say, or lets it go on where they do not any more. Returns whether that
    /// was new. Entries that are wanted again are fetched again.
    pub fn end_at(&mut self, end: End) -> bool {
        if self.end == end {
            return false;
        }
        self.end = end;
        self.path.clear();
        let fork = self.fork.unwrap_or(u64::MAX);
        match end {
            End::Open => self.truncate(fork),
            End::BeforeFirst => self.truncate(0),
            End::After(cut) if self.has_come_to(&cut) => self.truncate(cut.seq + 1),
            // Another branch, or not so far yet.
            End::After(cut) => self.truncate(fork.min(cut.seq)),
        }
        true
    }

    fn push(&mut self, mut link: Link) -> Result<(), ChainRejection> {
        let before = self.entries.last().map_or(Cost::default(), |last| last.total);
        link.total = before.and(link.cost);
        if self.log.are_facts() {
            if self.len() >= FACTS_MAX || link.total.bytes > FACTS_MAX_BYTES {
                return Err(ChainRejection::FactsFull);
            }
        } else if link.total.entries > CHANGES_MAX
            || link.total.bytes > CHANGES_MAX_BYTES
            || link.total.operations > OPERATIONS_MAX
        {
            return Err(ChainRejection::ChangesFull);
        }
        if self.entries.is_empty() {
            // Most logs have one entry or two.
            self.entries.reserve_exact(1);
        }
        self.entries.push(link);
        Ok(())
    }
}

impl Link {
    fn of(signed: &SignedHeader, operations: u64) -> Self {
        let header = signed.header();
        let is_checkpoint = [Kind::Checkpoint, Kind::Adopt].iter().any(|kind| *kind as u8 == header.kind);
        let body_bytes = header.body_bytes.min(BODY_MAX_BYTES as u64);
        let bytes = if header.log.are_facts() { HEADER_BYTES as u64 + body_bytes } else { body_bytes };
        let cost = Cost { entries: 1, bytes, operations, is_checkpoint };
        Self { id: signed.id(), previous: header.previous, cost, total: cost }
    }
}

impl Cost {
    /// What is counted with one more entry. A checkpoint resets the count and is not counted itself.
    fn and(self, next: Self) -> Self {
        if next.is_checkpoint {
            return Self { is_checkpoint: true, ..Self::default() };
        }
        Self {
            entries: self.entries + next.entries,
            bytes: self.bytes + next.bytes,
            operations: self.operations.saturating_add(next.operations),
            is_checkpoint: false,
        }
    }
}

#[cfg(test)]
mod tests;
