//! What a document's operations refer to, so that a change is understood before Automerge applies it.
//!
//! Automerge (0.12) panics on a well-formed change whose operations point at objects, elements or operations that do
//! not exist or collide, and a change not in canonical form can't be loaded again. A panic ends a WebAssembly program
//! for good, so one hostile owner could stop every peer. Only changes that an honest session could have made pass.

use std::collections::{HashMap, HashSet};

use automerge::legacy::{ElementId, Key, ObjectId, Op, OpId, OpType};
use automerge::{ActorId, Change, ChangeHash, ExpandedChange, ObjType, ScalarValue};

/// Why a change's operations are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperationError {
    #[error("the change is not in its one canonical form")]
    NotCanonical,
    #[error("the change's operations are not numbered after those it depends on")]
    Numbering,
    #[error("an operation writes into an object that is not there")]
    UnknownObject,
    #[error("an operation's key does not fit its object")]
    WrongKey,
    #[error("an operation replaces what is not there")]
    UnknownPredecessor,
    #[error("an operation of a kind that no document of this network has")]
    UnknownKind,
}

/// Where a value is: under a map's key, or at a list's element.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Location {
    Key(String),
    Element(OpId),
}

#[derive(Clone, Debug)]
struct OpSlot {
    object: ObjectId,
    place: Location,
    makes: Option<ObjType>,
}

/// Every value-giving operation of a document, and how far its changes count.
#[derive(Clone, Debug, Default)]
pub(super) struct OpIndex {
    slots: HashMap<OpId, OpSlot>,
    last_of_change: HashMap<ChangeHash, u64>,
    last_of_actor: HashMap<ActorId, u64>,
}

/// A change taken apart once, for its check and for the ledger.
pub(super) struct DecodedChange {
    hash: ChangeHash,
    expanded: ExpandedChange,
}

impl DecodedChange {
    pub(super) fn of(change: &Change) -> Self {
        Self { hash: change.hash(), expanded: change.decode() }
    }
}

impl OpIndex {
    /// The ledger of applied changes, given in causal order.
    pub(super) fn of(changes: impl IntoIterator<Item = Change>) -> Self {
        let mut ledger = Self::default();
        for change in changes {
            ledger.note(DecodedChange::of(&change));
        }
        ledger
    }

    /// Takes note of a change that is applied.
    pub(super) fn note(&mut self, DecodedChange { hash, expanded }: DecodedChange) {
        let start = expanded.start_op.get();
        for (id, operation) in numbered(&expanded) {
            if let Some(slot) = slot(&id, operation) {
                self.slots.insert(id, slot);
            }
        }
        let last = start + expanded.operations.len() as u64 - 1;
        self.last_of_change.insert(hash, last);
        self.last_of_actor.insert(expanded.actor_id, last);
    }

    /// Checks a change whose dependencies are all noted.
    pub(super) fn check(&self, change: &Change) -> Result<DecodedChange, OperationError> {
        let understood = DecodedChange::of(change);
        let expanded = &understood.expanded;
        if Change::from(expanded.clone()).raw_bytes() != change.raw_bytes() {
            return Err(OperationError::NotCanonical);
        }
        let depended = expanded.deps.iter().map(|hash| self.last_of_change.get(hash).copied());
        let depended = depended.collect::<Option<Vec<u64>>>().and_then(|last| last.into_iter().max());
        let own = self.last_of_actor.get(&expanded.actor_id).copied().unwrap_or(0);
        let start = expanded.start_op.get();
        if depended.is_none_or(|last| start != last + 1) || start <= own || expanded.operations.is_empty() {
            return Err(OperationError::Numbering);
        }
        let mut fresh: HashMap<OpId, OpSlot> = HashMap::new();
        for (id, operation) in numbered(expanded) {
            self.check_operation(&fresh, operation)?;
            if let Some(slot) = slot(&id, operation) {
                fresh.insert(id, slot);
            }
        }
        Ok(understood)
    }

    fn check_operation(&self, fresh: &HashMap<OpId, OpSlot>, operation: &Op) -> Result<(), OperationError> {
        let find = |id: &OpId| fresh.get(id).or_else(|| self.slots.get(id));
        let object_type = match &operation.obj {
            ObjectId::Root => ObjType::Map,
            ObjectId::Id(id) => find(id).and_then(|slot| slot.makes).ok_or(OperationError::UnknownObject)?,
        };
        let target = match (&operation.key, object_type, operation.insert) {
            (Key::Map(key), ObjType::Map, false) => Some(Location::Key(key.to_string())),
            (Key::Seq(ElementId::Head), ObjType::List, true) => None,
            (Key::Seq(ElementId::Id(element)), ObjType::List, insert) => {
                let known = find(element).is_some_and(|slot| {
                    slot.object == operation.obj && slot.place == Location::Element(element.clone())
                });
                if !known {
                    return Err(OperationError::WrongKey);
                }
                (!insert).then(|| Location::Element(element.clone()))
            }
            _ => return Err(OperationError::WrongKey),
        };
        let mut seen = HashSet::new();
        for id in operation.pred.iter() {
            let known =
                find(id).is_some_and(|slot| slot.object == operation.obj && Some(&slot.place) == target.as_ref());
            if !known || !seen.insert(id) {
                return Err(OperationError::UnknownPredecessor);
            }
        }
        match &operation.action {
            OpType::Make(ObjType::Map | ObjType::List) => Ok(()),
            OpType::Put(value) if !matches!(value, ScalarValue::Unknown { .. }) => Ok(()),
            OpType::Delete | OpType::Increment(_) if !seen.is_empty() => Ok(()),
            OpType::Delete | OpType::Increment(_) => Err(OperationError::UnknownPredecessor),
            OpType::Make(_) | OpType::Put(_) | OpType::MarkBegin(..) | OpType::MarkEnd(_) => {
                Err(OperationError::UnknownKind)
            }
        }
    }
}

fn numbered(change: &ExpandedChange) -> impl Iterator<Item = (OpId, &Op)> {
    let ids = (change.start_op.get()..).map(|counter| OpId::new(counter, &change.actor_id));
    ids.zip(&change.operations)
}

/// What an operation puts somewhere; none for deletions and increments.
fn slot(id: &OpId, operation: &Op) -> Option<OpSlot> {
    let makes = match &operation.action {
        OpType::Make(object_type) => Some(*object_type),
        OpType::Put(_) => None,
        OpType::Delete | OpType::Increment(_) | OpType::MarkBegin(..) | OpType::MarkEnd(_) => return None,
    };
    let place = match &operation.key {
        Key::Map(key) => Location::Key(key.to_string()),
        Key::Seq(_) if operation.insert => Location::Element(id.clone()),
        Key::Seq(ElementId::Id(element)) => Location::Element(element.clone()),
        Key::Seq(ElementId::Head) => return None,
    };
    Some(OpSlot { object: operation.obj.clone(), place, makes })
}
