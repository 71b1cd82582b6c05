//! The document of one identity: one Automerge document with the profile, descriptions and ratings, and the identity's
//! facts; what may be written into it, and which changes of others are admitted. The only owner of `automerge`.
//!
//! # From an edit to a peer's document
//! Alice sets her bio on her laptop. [`Document::edit`] makes one Automerge change and wraps it:
//!
//! | layer | content | checked by the receiver |
//! |---|---|---|
//! | [`SignedChange`] | owner, bytes, signature over domain, topic, owner and bytes | size, then signature |
//! | the bytes: a chunk | actor, sequence number, dependencies, columns | form and counts, packed ([`ChunkError`]) |
//! | operations | `put` of `bio` into the map `profile` | each refers to what exists ([`OperationError`]) |
//! | the value | a text | when it is read: [`View`] leaves out what is too long or of another type |
//!
//! [`SignedChange::verify`] does the first two, [`Document::admit`] the third. No byte reaches Automerge before all
//! three hold. A change whose dependencies are missing waits, in a bounded number.
//!
//! # Ids and forks
//! A [`ChangeId`] is an actor (a random number for each writing session) and a sequence number from 1. An honest
//! session writes one change for each id. Two *different* signed changes with one id, say two for number 4 of Alice's
//! actor `a1`, prove that her key signed two histories: [`ChangeRejection::Fork`] hands out the second one.
//! Peers keep both as proof, show them to others, and count nothing of Alice's from then on
//! ([`ownership`](crate::ownership)), since no rule could choose one of the two for everyone.
//!
//! # The first change
//! Every document starts from one built-in change that makes the maps of the schema, the same bytes everywhere. So two
//! devices of one identity that never met write into the same maps, and merging them loses nothing.

mod annotations;
mod change;
pub mod checkpoint;
mod chunk;
mod edit;
mod op_validator;
pub mod rooted;
mod schema;
mod view;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::LazyLock;

use automerge::transaction::{CommitOptions, Transactable};
use automerge::{ActorId, Automerge, Change, ObjType, ROOT, ReadDoc};
use serde::{Deserialize, Serialize};

pub use annotations::{ModuleAnnotations, ModuleFacet, Rating};
use change::GENESIS_ACTOR;
pub use change::{ChangeError, ChangeId, SignedChange, StoredChange, VerifiedChange};
pub use chunk::ChunkError;
use edit::write;
pub use edit::{Edit, EditError, FacetEdit};
pub use op_validator::OperationError;
use op_validator::{DecodedChange, OpIndex};
use schema::{FACTS, INSTALLS, MODULES, PROFILE, RATINGS};
pub use schema::{is_link, is_tag};
pub use view::{ProfileFields, View, ViewRejection};

use crate::digest::Digest;
use crate::identity::{Identity, SigningIdentity, Topic};
use crate::limits::*;
use crate::time::Timestamp;

/// Why a verified change is not taken into its document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeRejection {
    #[error("the change belongs to another document")]
    OtherDocument,
    /// With the stored change of the same place this is proof against the owner.
    #[error("the owner signed two different changes for one place: a fork")]
    Fork(Box<SignedChange>),
    #[error("a document has at most {DOCUMENT_MAX_CHANGES} changes")]
    TooManyChanges,
    #[error("a document has at most {DOCUMENT_MAX_BYTES} bytes")]
    TooLarge,
    #[error("more than {DOCUMENT_MAX_ORPHANS} changes wait for what they depend on")]
    TooManyOrphans,
    #[error("Automerge can't read the change: {0}")]
    Unreadable(String),
    #[error("the change is none that an honest session makes")]
    Operation(#[from] OperationError),
}

/// What became of an admitted change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// Applied, together with this many that had waited for it.
    Applied { waiting_applied: usize },
    /// Its dependencies are not here yet.
    Waiting,
    /// It was here already.
    Known,
}

/// One identity's document, resident in memory.
#[derive(Clone)]
pub struct Document {
    owner: Identity,
    automerge: Automerge,
    ledger: OpIndex,
    known: HashMap<ChangeId, Digest>,
    waiting: BTreeMap<ChangeId, (VerifiedChange, Change)>,
    changes: usize,
    bytes: usize,
}

/// A document's state in one piece, without its signatures; kept beside the signed changes to load quickly.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Snapshot {
    #[serde(with = "serde_bytes")]
    automerge: Vec<u8>,
    known: Vec<(serde_bytes::ByteBuf, u64, Digest)>,
    bytes: usize,
}

impl Document {
    /// The empty document of `owner`.
    pub fn new(owner: Identity) -> Self {
        let (automerge, ledger) = GENESIS.clone();
        Self { owner, automerge, ledger, known: HashMap::new(), waiting: BTreeMap::new(), changes: 0, bytes: 0 }
    }

    /// Takes up a snapshot that this node wrote. Fails when its bytes are not one.
    pub fn load(owner: Identity, snapshot: &Snapshot) -> Result<Self, ChangeRejection> {
        let automerge = Automerge::load(&snapshot.automerge).map_err(unreadable)?;
        let known: HashMap<ChangeId, Digest> = snapshot
            .known
            .iter()
            .map(|(actor, seq, hash)| (ChangeId { actor: actor.to_vec(), seq: *seq }, *hash))
            .collect();
        Ok(Self::from_parts(owner, automerge, known, snapshot.bytes))
    }

    fn from_parts(owner: Identity, automerge: Automerge, known: HashMap<ChangeId, Digest>, bytes: usize) -> Self {
        let ledger = OpIndex::of(automerge.get_changes(&[]));
        Self { owner, automerge, ledger, changes: known.len(), known, waiting: BTreeMap::new(), bytes }
    }

    pub fn snapshot(&self) -> Snapshot {
        let applied = self.known.iter().filter(|(place, _)| !self.waiting.contains_key(*place));
        Snapshot {
            automerge: self.automerge.save(),
            known: applied.map(|(place, hash)| (place.actor.clone().into(), place.seq, *hash)).collect(),
            bytes: self.bytes - self.waiting.values().map(|(change, _)| change.signed.bytes.len()).sum::<usize>(),
        }
    }

    pub fn owner(&self) -> Identity {
        self.owner
    }

    /// Changes admitted, the built-in one not counted.
    pub fn changes(&self) -> usize {
        self.changes
    }

    /// Bytes of all admitted changes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The hashes of the newest changes, sorted.
    pub fn heads(&self) -> Vec<Digest> {
        let mut heads: Vec<Digest> =
            self.automerge.get_heads().into_iter().map(|head| Digest::from_bytes(head.0)).collect();
        heads.sort_unstable();
        heads
    }

    /// The newest change's own date in seconds: the same wherever the same changes are.
    pub fn changed_at(&self) -> u64 {
        let heads = self.automerge.get_heads();
        let dates = heads.iter().filter_map(|head| self.automerge.get_change_meta_by_hash(head));
        dates.map(|change| u64::try_from(change.timestamp).unwrap_or(0)).max().unwrap_or(0)
    }

    /// The places of all applied changes, each after those it depends on.
    pub fn places(&self) -> Vec<ChangeId> {
        let place = |change: Change| ChangeId { actor: change.actor_id().to_bytes().to_vec(), seq: change.seq() };
        self.automerge.get_changes(&[]).into_iter().map(place).collect()
    }

    /// The present state, as far as it keeps to the schema and the limits.
    pub fn view(&self, topic: &Topic) -> View {
        view::read(&self.automerge, &self.owner, topic, &HashSet::new())
    }

    /// As [`Document::view`], but without the facts of `known`: a fact once seen stays seen, so it need not be read and
    /// verified again.
    pub fn view_beyond(&self, topic: &Topic, known: &HashSet<Digest>) -> View {
        view::read(&self.automerge, &self.owner, topic, known)
    }

    /// What it says of modules, facts aside.
    pub fn annotations(&self) -> ModuleAnnotations {
        annotations::read(&self.automerge)
    }

    /// What only the owner can read, by its place. Of devices that wrote one place apart, what each wrote.
    pub fn private(&self) -> Vec<(String, Vec<u8>)> {
        view::read_private(&self.automerge)
    }

    /// Takes in a change of this document. A change whose dependencies are missing waits, in a bounded number.
    pub fn admit(&mut self, change: VerifiedChange) -> Result<Admitted, ChangeRejection> {
        if change.owner() != self.owner {
            return Err(ChangeRejection::OtherDocument);
        }
        let hash = Digest::of(&change.signed.bytes);
        match self.known.get(&change.place) {
            Some(known) if *known == hash => return Ok(Admitted::Known),
            Some(_) => return Err(ChangeRejection::Fork(Box::new(change.signed))),
            None => {}
        }
        if self.changes >= DOCUMENT_MAX_CHANGES {
            return Err(ChangeRejection::TooManyChanges);
        }
        if self.bytes + change.signed.bytes.len() > DOCUMENT_MAX_BYTES {
            return Err(ChangeRejection::TooLarge);
        }
        let parsed = Change::from_bytes(change.signed.bytes.clone()).map_err(unreadable)?;
        let ready = self.is_ready(&parsed);
        if !ready && self.waiting.len() >= DOCUMENT_MAX_ORPHANS {
            return Err(ChangeRejection::TooManyOrphans);
        }
        if ready {
            self.apply(parsed)?;
            self.note(&change, hash);
            let waiting_applied = self.apply_waiting();
            return Ok(Admitted::Applied { waiting_applied });
        }
        self.note(&change, hash);
        self.waiting.insert(change.place.clone(), (change, parsed));
        Ok(Admitted::Waiting)
    }

    /// Checks a change's operations, then applies it.
    fn apply(&mut self, change: Change) -> Result<(), ChangeRejection> {
        let understood = self.ledger.check(&change)?;
        self.automerge.apply_changes([change]).map_err(unreadable)?;
        self.ledger.note(understood);
        Ok(())
    }

    /// True when some changes are here that can't be applied yet.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// True when this change is here but can't be applied yet.
    pub fn is_waiting(&self, change: &VerifiedChange) -> bool {
        self.waiting.contains_key(&change.place)
    }

    /// True when this change is here, applied or waiting.
    pub fn is_known(&self, change: &VerifiedChange) -> bool {
        self.known.contains_key(&change.place)
    }

    fn note(&mut self, change: &VerifiedChange, hash: Digest) {
        self.known.insert(change.place.clone(), hash);
        self.changes += 1;
        self.bytes += change.signed.bytes.len();
    }

    fn is_ready(&self, change: &Change) -> bool {
        let previous = ChangeId { actor: change.actor_id().to_bytes().to_vec(), seq: change.seq() - 1 };
        let in_order =
            change.seq() == 1 || (self.known.contains_key(&previous) && !self.waiting.contains_key(&previous));
        in_order && change.deps().iter().all(|hash| self.automerge.get_change_meta_by_hash(hash).is_some())
    }

    fn apply_waiting(&mut self) -> usize {
        let mut applied = 0;
        while let Some(place) = self.waiting.iter().find(|(_, (_, c))| self.is_ready(c)).map(|(place, _)| place.clone())
        {
            if let Some((change, parsed)) = self.waiting.remove(&place) {
                match self.apply(parsed) {
                    Ok(()) => applied += 1,
                    Err(_) => {
                        self.known.remove(&place);
                        self.changes -= 1;
                        self.bytes -= change.signed.bytes.len();
                    }
                }
            }
        }
        applied
    }

    /// Makes one signed change out of `edits` and applies it. `actor` must be this writing session's own.
    pub fn edit(
        &mut self,
        author: &SigningIdentity,
        topic: &Topic,
        actor: &[u8; 16],
        now: Timestamp,
        edits: &[Edit],
    ) -> Result<VerifiedChange, EditError> {
        debug_assert_eq!(author.identity(), self.owner, "only its owner writes a document");
        if edits.is_empty() {
            return Err(EditError::Nothing);
        }
        if self.changes >= DOCUMENT_MAX_CHANGES {
            return Err(EditError::Full);
        }
        let mut draft = self.automerge.clone().with_actor(ActorId::from(&actor[..]));
        let mut transaction = draft.transaction();
        for edit in edits {
            write(&mut transaction, edit).expect("the built-in change made every map that is written to");
        }
        let (committed, _) =
            transaction.commit_with(CommitOptions::default().with_time(now.as_millis().cast_signed() / 1000));
        // Values that stand there already make no change; the last local one would be an older one then.
        let hash = committed.ok_or(EditError::Nothing)?;
        let made = draft.get_change_by_hash(&hash).ok_or(EditError::Nothing)?;
        let bytes = made.raw_bytes().to_vec();
        if bytes.len() > CHANGE_MAX_BYTES {
            return Err(EditError::TooLarge);
        }
        if self.bytes + bytes.len() > DOCUMENT_MAX_BYTES {
            return Err(EditError::Full);
        }
        let signed = SignedChange::sign(author, topic, bytes);
        let change = signed.decode_unverified().map_err(|_| EditError::TooLarge)?;
        self.note(&change, Digest::of(&change.signed.bytes));
        self.ledger.note(DecodedChange::of(&made));
        self.automerge = draft;
        Ok(change)
    }
}

fn unreadable(error: impl std::fmt::Display) -> ChangeRejection {
    ChangeRejection::Unreadable(error.to_string())
}

/// Made once: every document that is replayed begins with it.
static GENESIS: LazyLock<(Automerge, OpIndex)> = LazyLock::new(|| {
    let automerge = genesis();
    let ledger = OpIndex::of(automerge.get_changes(&[]));
    (automerge, ledger)
});

/// The built-in first change: same bytes, same hash everywhere.
fn genesis() -> Automerge {
    let mut automerge = Automerge::new().with_actor(ActorId::from(&GENESIS_ACTOR[..]));
    let mut transaction = automerge.transaction();
    for map in [PROFILE, MODULES, RATINGS, INSTALLS, FACTS] {
        transaction.put_object(ROOT, map, ObjType::Map).expect("the root of a new document is a map");
    }
    transaction.commit_with(CommitOptions::default().with_time(0));
    automerge
}

#[cfg(test)]
mod tests;
