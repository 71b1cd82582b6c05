//! The document of one identity: what may change (profile, descriptions, ratings, install counts, private lists), as one
//! Automerge document that is based on a checkpoint. Which changes of the identity's logs count, in whatever order they
//! arrive and whatever is taken back. The only owner of `automerge`.
//!
//! | layer | content | checked |
//! |---|---|---|
//! | entry of a changes log | header, signature, place | by [`log`](crate::log), before anything of the body is read |
//! | body: a chunk | actor, sequence number, dependencies, columns | form and counts, packed ([`chunk::ChunkError`]) |
//! | operations | `put` of `bio` into the map `profile` | each refers to what exists ([`op_validator`]), and the device may |
//! | the value | a text | when it is read: [`view`] leaves out what is too long or of another type |
//!
//! No byte reaches Automerge before its entry is admitted: it panics on well-formed changes that no honest session makes.
//!
//! # What counts
//!
//! A change counts when its entry is in effect in its log, its actor is the one of that log on the standing checkpoint, and
//! everything that it depends on counts. What waits, or is of another checkpoint, holds up only what depends on it.
//!
//! | the standing checkpoint | its condition |
//! |---|---|
//! | with the highest number | its entry is in effect; of two with one number the one with the smaller id |
//!
//! When a device is revoked, its checkpoint may go out of effect: then the one before is the standing one again, with the changes since
//! that one. So nodes keep two, and the changes since the older.
//!
//! # Writing once more
//! A device that was away wrote on the checkpoint of before. Its changes do not count any more, though nothing is
//! wrong with them. [`Document::lost_writes`] returns what it wrote and the standing checkpoint does not cover; the
//! device adopts the standing checkpoint ([`Adopt`]) and writes those values again, as a new change. Only its own: what
//! others lost, they write.

mod annotations;
pub mod checkpoint;
mod chunk;
mod edit;
mod op_validator;
mod schema;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use automerge::legacy::{Key, ObjectId, OpType};
use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ObjType, ReadDoc, ScalarValue};

use checkpoint::{DATA_MAX_BYTES, object, scalar, stored_key, write};
use op_validator::OpIndex;
use schema::PRIVATE;

pub use annotations::{ModuleAnnotations, ModuleFacet, Rating};
pub use checkpoint::{Adopt, Checkpoint, Data, Map, Value};
pub use chunk::ChunkError;
pub use edit::{Edit, FacetEdit};
pub use op_validator::OperationError;
pub use schema::{is_link, is_tag};
pub use view::{ProfileFields, sealed_entries};

use crate::artifact::Artifact;
use crate::canonical::Encoder;
use crate::digest::Digest;
use crate::log::{Capabilities, Capability, EntryId, LogId};
use crate::time::Timestamp;

/// The most bytes of one change.
pub const CHANGE_MAX_BYTES: usize = 16 * 1024;

/// Bytes by which a value in a change may be smaller than in a checkpoint's data: map, kind and lengths.
const DATA_MARGIN: usize = 16 * 1024;
const ACTOR_DOMAIN: &str = "gen-registry/actor/v2";
const ACTOR_BYTES: usize = 16;

/// One identity's document, built from the entries that are in effect.
pub struct Document {
    checkpoints: BTreeMap<EntryId, (Checkpoint, Option<Data>)>,
    changes: BTreeMap<(LogId, u64), (EntryId, Change)>,
    /// Where devices went on from another device's checkpoint: what they wrote before was written again.
    adoptions: BTreeMap<(LogId, u64), EntryId>,
    /// The checkpoint that the document is based on, and the state built on it.
    root: Option<EntryId>,
    state: Option<State>,
}

#[derive(Clone)]
struct State {
    automerge: Automerge,
    index: OpIndex,
    applied: BTreeSet<EntryId>,
    /// The number of changes that each actor's log has here.
    lengths: BTreeMap<LogId, u64>,
}

thread_local! {
    /// The state that every document begins with. A copy of it costs a tenth of making it.
    static BEGINNING: State = State::of(&Data::default());
}

/// One value that a device wrote or took away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub map: Map,
    pub key: String,
    pub what: Written,
}

/// What was done to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    Put(Value),
    Deleted,
    /// Counts that are added to a counter.
    Added(i64),
}

/// Why the body of an entry is no change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAChange {
    #[error("a change has at most {CHANGE_MAX_BYTES} bytes; this has {0}")]
    TooLarge(usize),
    #[error("the change has not the form that is admitted: {0}")]
    Form(#[from] ChunkError),
    #[error("Automerge can't read the change")]
    Unreadable,
    #[error("the device may not change this")]
    NotAllowed,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    #[error("the data of the standing checkpoint is not here yet")]
    NotHere,
    #[error("nothing to change")]
    Nothing,
    #[error("the edit is larger than one change may be")]
    TooLarge,
    #[error("the document would have more than {DATA_MAX_BYTES} bytes")]
    Full,
}

/// Counts the operations that a change announces, without unpacking them. For [`Chain::admit`](crate::log::Chain::admit),
/// before anything is decoded.
pub fn count_operations(body: &[u8]) -> Result<u64, NotAChange> {
    if body.len() > CHANGE_MAX_BYTES {
        return Err(NotAChange::TooLarge(body.len()));
    }
    Ok(chunk::parse(body)?.operations)
}

impl Default for Document {
    fn default() -> Self {
        let (checkpoints, changes, adoptions) = Default::default();
        let mut document = Self { checkpoints, changes, adoptions, root: None, state: None };
        document.rebuild();
        document
    }
}

impl Document {
    /// Takes the change of an entry that is in effect, by a device with these capabilities. Wrong bodies are refused; they
    /// have no effect for anybody.
    pub fn insert_change(
        &mut self,
        log: LogId,
        seq: u64,
        entry: EntryId,
        body: &[u8],
        capabilities: &Capabilities,
    ) -> Result<(), NotAChange> {
        count_operations(body)?;
        let change = Change::from_bytes(body.to_vec()).map_err(|_| NotAChange::Unreadable)?;
        if !writes_of(&change).iter().all(|write| write.is_allowed(capabilities)) {
            return Err(NotAChange::NotAllowed);
        }
        let before = self.changes.insert((log, seq), (entry, change));
        if before.is_some_and(|(other, _)| other != entry) {
            self.rebuild();
        } else {
            self.apply_ready();
        }
        Ok(())
    }

    /// Takes the checkpoint of an entry that is in effect, with its data where that is here.
    pub fn insert_checkpoint(&mut self, entry: EntryId, checkpoint: Checkpoint, data: Option<Data>) {
        let known = self.checkpoints.entry(entry).or_insert_with(|| (checkpoint, None));
        let is_news = known.1.is_none() && data.is_some();
        if is_news {
            known.1 = data;
        }
        if self.standing() != self.root || is_news && self.root == Some(entry) {
            self.rebuild();
        }
    }

    /// Takes the entry by which a device goes on from another device's checkpoint.
    pub fn insert_adoption(&mut self, log: LogId, seq: u64, entry: EntryId) {
        self.adoptions.insert((log, seq), entry);
    }

    /// Drops every entry for which this is false: it went out of effect. The document is rebuilt if it lost one.
    pub fn retain(&mut self, is_in_effect: impl Fn(&EntryId) -> bool) {
        let before = (self.changes.len(), self.checkpoints.len());
        self.adoptions.retain(|_, entry| is_in_effect(entry));
        self.changes.retain(|_, (entry, _)| is_in_effect(entry));
        self.checkpoints.retain(|entry, _| is_in_effect(entry));
        if (self.changes.len(), self.checkpoints.len()) != before {
            self.rebuild();
        }
    }

    /// Drops what is not needed any more: entries of before the checkpoint before the standing one.
    pub fn forget(&mut self, entries: &[EntryId]) {
        let forgotten: BTreeSet<&EntryId> = entries.iter().filter(|entry| !self.counts(entry)).collect();
        self.adoptions.retain(|_, entry| !forgotten.contains(entry));
        self.changes.retain(|_, (entry, _)| !forgotten.contains(entry));
        let root = self.root;
        self.checkpoints.retain(|entry, _| root == Some(*entry) || !forgotten.contains(entry));
    }

    /// The checkpoint before the standing one, up to which nothing older is needed; `None` while the data of the standing
    /// one is not here.
    pub fn base(&self) -> Option<(EntryId, &Checkpoint)> {
        self.state.as_ref()?;
        let before = self.checkpoints.get(&self.root?)?.0.before?;
        Some((before, self.checkpoint(&before)?))
    }

    /// The file with the data of the standing checkpoint, while that is not here.
    pub fn missing_data(&self) -> Option<&Artifact> {
        let standing = self.checkpoints.get(&self.root?)?;
        standing.1.is_none().then_some(&standing.0.data)
    }

    /// The blocks of the data of checkpoints that are here.
    pub fn data_blocks(&self) -> BTreeSet<Digest> {
        let here = self.checkpoints.values().filter(|(_, data)| data.is_some());
        here.flat_map(|(checkpoint, _)| checkpoint.data.blocks.iter().copied()).collect()
    }

    /// The checkpoint of an entry.
    pub fn checkpoint(&self, entry: &EntryId) -> Option<&Checkpoint> {
        self.checkpoints.get(entry).map(|(checkpoint, _)| checkpoint)
    }

    /// Every checkpoint that is kept.
    pub fn checkpoints(&self) -> impl Iterator<Item = &Checkpoint> {
        self.checkpoints.values().map(|(checkpoint, _)| checkpoint)
    }

    /// The checkpoint that the document is based on, or `None` for the beginning.
    pub fn standing(&self) -> Option<EntryId> {
        let highest =
            self.checkpoints.iter().max_by_key(|(id, (checkpoint, _))| (checkpoint.number, std::cmp::Reverse(**id)));
        highest.map(|(id, _)| *id)
    }

    /// The document, or `None` while the data of the standing checkpoint is not here.
    pub fn automerge(&self) -> Option<&Automerge> {
        self.state.as_ref().map(|state| &state.automerge)
    }

    /// What the document says, or `None` while the data of the standing checkpoint is not here.
    pub fn data(&self) -> Option<Data> {
        self.automerge().map(Data::of)
    }

    /// When the device that wrote a change says that it was, to the second.
    pub fn written_at(&self, entry: &EntryId) -> Option<Timestamp> {
        let (_, change) = self.changes.values().find(|(id, _)| id == entry)?;
        u64::try_from(change.timestamp()).ok().map(|seconds| Timestamp::from_millis(seconds.saturating_mul(1000)))
    }

    /// How many changes count since the standing checkpoint.
    pub fn changes_since_checkpoint(&self) -> usize {
        self.state.as_ref().map_or(0, |state| state.applied.len())
    }

    /// Returns whether a change of this entry counts.
    pub fn counts(&self, entry: &EntryId) -> bool {
        self.state.as_ref().is_some_and(|state| state.applied.contains(entry))
    }

    fn rebuild(&mut self) {
        self.root = self.standing();
        self.state = match self.root {
            None => Some(BEGINNING.with(State::clone)),
            Some(root) => self.checkpoints[&root].1.as_ref().map(State::of),
        };
        self.apply_ready();
    }

    /// Applies what has all that it depends on, until nothing more has.
    fn apply_ready(&mut self) {
        let Some(state) = &mut self.state else { return };
        loop {
            let mut progress = false;
            for ((log, _), (entry, change)) in &self.changes {
                if !state.applied.contains(entry) && state.is_ready(self.root.as_ref(), log, change) {
                    progress |= state.apply(*log, *entry, change);
                }
            }
            if !progress {
                return;
            }
        }
    }

    /// Makes the change by which a device does these writes in its log, applies it, and returns its bytes. The caller puts
    /// them into the next entry of the log, and inserts that.
    pub fn write(&mut self, log: LogId, now: Timestamp, writes: &[Write]) -> Result<Vec<u8>, WriteError> {
        let actor = actor(self.root.as_ref(), &log);
        let state = self.state.as_ref().ok_or(WriteError::NotHere)?;
        let mut draft = state.automerge.clone().with_actor(ActorId::from(&actor[..]));
        let mut transaction = draft.transaction();
        for one in writes {
            let target = object(&transaction, one.map).expect("the first change made the maps");
            one.write(&mut transaction, &target).expect("the schema's maps take these values");
        }
        let options = CommitOptions::default().with_time(now.as_millis().cast_signed() / 1000);
        let (committed, _) = transaction.commit_with(options);
        let hash = committed.ok_or(WriteError::Nothing)?;
        let made = draft.get_change_by_hash(&hash).ok_or(WriteError::Nothing)?;
        let bytes = made.raw_bytes().to_vec();
        if bytes.len() > CHANGE_MAX_BYTES {
            return Err(WriteError::TooLarge);
        }
        // A full document may be edited as long as it does not grow.
        let size = |automerge: &Automerge| Data::of(automerge).encode().len();
        let after = size(&draft);
        if after > DATA_MAX_BYTES - DATA_MARGIN && after > size(&state.automerge) {
            return Err(WriteError::Full);
        }
        Ok(bytes)
    }

    /// The next checkpoint, and its data: everything that counts now. `ends` are the last entries in effect of the changes
    /// logs.
    pub fn make_checkpoint(&self, ends: Vec<(LogId, u64, EntryId)>) -> Option<(Checkpoint, Data)> {
        let data = self.data()?;
        let mut covered: Vec<_> = ends
            .into_iter()
            // What is uncovered and waits is not in the data: the covering ends before it.
            .filter_map(|(log, seq, entry)| match self.first_waiting(&log) {
                None => Some((log, seq, entry)),
                Some(0) => None,
                Some(waiting) => {
                    let (before, (entry, _)) = self.changes.range(..(log, waiting)).next_back()?;
                    (before.0 == log).then_some((log, before.1, *entry))
                }
            })
            .collect();
        covered.sort_unstable_by_key(|(log, ..)| *log);
        let number = self.root.map_or(1, |root| self.checkpoints[&root].0.number + 1);
        let bytes = data.encode();
        let checkpoint = Checkpoint { number, before: self.root, covered, data: Artifact::of(&bytes) };
        Some((checkpoint, data))
    }

    fn first_waiting(&self, log: &LogId) -> Option<u64> {
        let changes = self.changes.range((*log, 0)..=(*log, u64::MAX));
        let mut waiting = changes.filter(|((_, seq), (entry, _))| !self.is_covered(log, *seq) && !self.counts(entry));
        waiting.next().map(|((_, seq), _)| *seq)
    }

    fn is_covered(&self, log: &LogId, seq: u64) -> bool {
        self.root.is_some_and(|root| self.checkpoints[&root].0.covers(log, seq))
    }

    /// What a log wrote on other checkpoints that the standing one does not cover, in order, as far as the document does not
    /// say it already. Its device adopts the standing checkpoint and writes it again, so what is before its last adoption
    /// is lost no more.
    pub fn lost_writes(&self, log: &LogId) -> Vec<Write> {
        let mut lost: Vec<Write> = Vec::new();
        let adopted = self.adoptions.range((*log, 0)..=(*log, u64::MAX)).next_back();
        let from = adopted.map_or(0, |((_, seq), _)| *seq);
        let changes = self.changes.range((*log, from)..=(*log, u64::MAX));
        for ((_, seq), (entry, change)) in changes {
            if !self.is_covered(log, *seq) && !self.counts(entry) {
                lost.extend(writes_of(change));
            }
        }
        let mut joined: BTreeMap<(Map, String), Write> = BTreeMap::new();
        for write in lost {
            let place = (write.map, write.key.clone());
            let what = match (joined.remove(&place).map(|before| before.what), write.what) {
                (Some(Written::Added(one)), Written::Added(two)) => Written::Added(one + two),
                (Some(Written::Put(Value::Counter(one))), Written::Added(two)) => {
                    Written::Put(Value::Counter(one + two))
                }
                (_, what) => what,
            };
            joined.insert(place, Write { what, ..write });
        }
        let data = self.data().unwrap_or_default();
        let is_said = |write: &Write| match &write.what {
            Written::Put(value) => data.get(write.map, &write.key) == Some(value),
            Written::Deleted => data.get(write.map, &write.key).is_none(),
            Written::Added(_) => false,
        };
        joined.into_values().filter(|write| !is_said(write)).collect()
    }
}

impl State {
    /// The state that begins with this data.
    fn of(data: &Data) -> Self {
        let automerge = data.to_document();
        let index = OpIndex::of(automerge.get_changes(&[]));
        Self { automerge, index, applied: BTreeSet::new(), lengths: BTreeMap::new() }
    }

    /// Whether a change is the next of its log on this checkpoint and has all that it depends on.
    fn is_ready(&self, root: Option<&EntryId>, log: &LogId, change: &Change) -> bool {
        let next = self.lengths.get(log).copied().unwrap_or(0) + 1;
        change.actor_id().to_bytes() == actor(root, log)
            && change.seq() == next
            && change.deps().iter().all(|hash| self.automerge.get_change_meta_by_hash(hash).is_some())
    }

    /// Applies a change that an honest session could have made. Returns whether it did.
    fn apply(&mut self, log: LogId, entry: EntryId, change: &Change) -> bool {
        let Ok(understood) = self.index.check(change) else { return false };
        if self.automerge.apply_changes([change.clone()]).is_err() {
            return false;
        }
        self.index.note(understood);
        self.applied.insert(entry);
        *self.lengths.entry(log).or_default() += 1;
        true
    }
}

impl Write {
    /// Puts a value.
    pub fn put(map: Map, key: impl Into<String>, value: Value) -> Self {
        Self { map, key: key.into(), what: Written::Put(value) }
    }

    /// Returns whether a device with these capabilities may do this. Lists that are sealed, and counts, may all.
    fn is_allowed(&self, capabilities: &Capabilities) -> bool {
        match self.map {
            Map::Profile => capabilities.allow(Capability::Profile),
            Map::Ratings => capabilities.allow(Capability::Rate),
            Map::Modules => {
                let module = self.key.split_once('/').map_or(self.key.as_str(), |(module, _)| module);
                capabilities.allow(Capability::Profile) || capabilities.allow_publishing(module)
            }
            Map::Installs | Map::Private => true,
        }
    }

    fn write(
        &self,
        transaction: &mut automerge::transaction::Transaction<'_>,
        target: &automerge::ObjId,
    ) -> Result<(), automerge::AutomergeError> {
        let key = stored_key(self.map, &self.key);
        match &self.what {
            Written::Put(value) => write(transaction, target, &key, Some(value)),
            Written::Deleted => write(transaction, target, &key, None),
            Written::Added(count) => match transaction.get(target, key.as_str())? {
                Some((value, _)) if value.is_counter() => transaction.increment(target, key.as_str(), *count),
                _ => write(transaction, target, &key, Some(&Value::Counter(*count))),
            },
        }
    }
}

/// The Automerge actor of a log on a checkpoint.
fn actor(root: Option<&EntryId>, log: &LogId) -> [u8; ACTOR_BYTES] {
    let root = root.map_or([0; 32], |root| *root.as_bytes());
    let encoder = Encoder::new().text(ACTOR_DOMAIN).fixed(&root);
    let encoder = encoder.fixed(log.opening.as_bytes()).fixed(log.device.as_bytes()).integer(log.number.into());
    let digest = Digest::of(&encoder.finish());
    let mut actor = [0; ACTOR_BYTES];
    actor.copy_from_slice(&digest.as_bytes()[..ACTOR_BYTES]);
    actor
}

/// What a change does to the maps of the schema. A first change makes them by its first operations, so the number of an
/// object says which one it is.
fn writes_of(change: &Change) -> Vec<Write> {
    let expanded = change.decode();
    let mut writes: Vec<Write> = Vec::new();
    let mut lists: BTreeMap<u64, usize> = BTreeMap::new();
    for (counter, operation) in (expanded.start_op.get()..).zip(&expanded.operations) {
        let (map, key) = match (&operation.obj, &operation.key) {
            (ObjectId::Root, Key::Map(key)) => match key.strip_prefix(PRIVATE) {
                Some(place) => (Map::Private, place.to_owned()),
                None => continue,
            },
            (ObjectId::Id(id), Key::Map(key)) => match Map::of_operation(id.counter()) {
                Some(map) => (map, key.to_string()),
                None => continue,
            },
            // A text of a list that this change made.
            (ObjectId::Id(id), Key::Seq(_)) => {
                if let (Some(at), OpType::Put(ScalarValue::Str(text))) = (lists.get(&id.counter()), &operation.action)
                    && let Written::Put(Value::List(texts)) = &mut writes[*at].what
                {
                    texts.push(text.to_string());
                }
                continue;
            }
            _ => continue,
        };
        let what = match &operation.action {
            OpType::Put(value) => scalar(value).map(Written::Put),
            OpType::Make(ObjType::List) => {
                lists.insert(counter, writes.len());
                Some(Written::Put(Value::List(Vec::new())))
            }
            OpType::Delete => Some(Written::Deleted),
            OpType::Increment(count) => Some(Written::Added(*count)),
            _ => None,
        };
        writes.extend(what.map(|what| Write { map, key, what }));
    }
    writes
}

#[cfg(test)]
mod tests;
