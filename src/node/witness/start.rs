//! What a witness reads at the start, and the errors that keep it from starting. Nothing is signed before all of it was
//! read and agrees.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

use super::presence::Reachable;
use super::records::{
    CHANGES, FACTS, FORKS, Head, OPENINGS, Owner, RECEIPTS, RESERVED, StoredFact, StoredFork, StoredOpening,
    StoredReceipt, StoredReserved, TABLE, first_damaged, head, numbered, owner, presence, put_head, put_owner,
};
use super::state::State;
use crate::store::records::{Records, StoredRecord};
use crate::store::{Durability, StoreError};
use gen_registry_core::book::handover::HandoverError;
use gen_registry_core::book::{Book, Noticed};
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::SecretKey;
use gen_registry_core::log::{Entry, EntryId, ForkProof, Opening, SignedHeader};
use gen_registry_core::network::{FollowError, Genesis, NetworkHistory, SignedSetChange};
use gen_registry_core::outcome::Fact;
use gen_registry_core::receipt::{ProvenPath, Receipt};
use gen_registry_core::registry::Registry;
use gen_registry_core::slot::Slot;
use gen_registry_core::time::Timestamp;

/// Why a witness can't start, or can't take a change of the set. Nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    #[error("the witness's store can't be read or written")]
    Store(#[from] StoreError),
    #[error("the record {0} of the witness's store is damaged. Bring the store back from a copy of its last state")]
    Damaged(String),
    #[error(
        "the witness's store has {found} records {prefix} and should have {expected}. Bring the store back from a copy of its last state"
    )]
    Incomplete { prefix: &'static str, expected: u64, found: u64 },
    #[error(
        "the witness's store says nothing of its owner but has records. If a change of the set was being taken, remove the store and take the change again; else bring the store back from a copy of its last state"
    )]
    NoOwner,
    #[error("the witness's store is of another key. Start with the key that wrote it, or with a store of its own")]
    OtherKey,
    #[error("the witness's store is of another network. Start it with the genesis of that network")]
    OtherNetwork,
    #[error("the key is of no witness of the set. Start with the key of a witness, or without a witness")]
    NotOfSet,
    #[error(
        "the witness has signed what its store does not have: the store is an older copy. Bring the newest one back, or let the others change the set without this witness"
    )]
    SetBack,
    #[error("a change of the set in the witness's store is not followed: {0}")]
    Follow(#[from] FollowError),
    #[error("{0}")]
    Handover(#[from] HandoverError),
    #[error("the store is in use already. A witness of the next set begins with an empty one")]
    InUse,
    #[error("the witness still signs. Stop it first: what it signs later would be lost")]
    StillSigns,
}

/// What is read back.
pub(super) struct Loaded {
    pub registry: Registry,
    pub book: Book,
    pub head: Head,
    pub latest: Timestamp,
}

/// Reads the state of a witness, or begins one of set 0 in an empty store.
pub(super) async fn load(
    records: &Records,
    key: &SecretKey,
    genesis: Genesis,
    now: Timestamp,
) -> Result<State, WitnessError> {
    let own_topic = genesis.topic();
    let (set, head) = match (owner(records).await?, head(records).await?) {
        (StoredRecord::Nothing, StoredRecord::Nothing) => {
            if !is_empty(records).await? {
                return Err(WitnessError::NoOwner);
            }
            begin(records, key, &genesis).await?
        }
        (StoredRecord::Record(owner), StoredRecord::Record(head)) => {
            if *owner.topic != own_topic.as_bytes()[..] {
                return Err(WitnessError::OtherNetwork);
            }
            if *owner.key != key.public().as_bytes()[..] {
                return Err(WitnessError::OtherKey);
            }
            (owner.set, head)
        }
        (StoredRecord::Damaged(damaged), _) => return Err(WitnessError::Damaged(damaged.key)),
        (_, StoredRecord::Damaged(damaged)) => return Err(WitnessError::Damaged(damaged.key)),
        (StoredRecord::Nothing, _) => return Err(WitnessError::NoOwner),
        (_, StoredRecord::Nothing) => return Err(WitnessError::Damaged("next/head".to_owned())),
    };
    if head.is_set_back {
        return Err(WitnessError::SetBack);
    }
    let loaded = read(records, key, set, genesis, head).await?;
    let stored = match presence(records).await? {
        StoredRecord::Record(presence) => Some(presence),
        // Then it counts as away until now.
        StoredRecord::Nothing | StoredRecord::Damaged(_) => None,
    };
    let hold = loaded.registry.history().genesis().parameters.hold;
    let mut state = State::new(loaded, Reachable::new(stored, hold, now));
    state.book.memory_mut().note_back(state.reachable.since());
    Ok(state)
}

/// Whether no record of a witness is there.
pub(super) async fn is_empty(records: &Records) -> Result<bool, WitnessError> {
    let page = records.page::<ByteBuf>(TABLE, "next/", None).await?;
    Ok(page.records.is_empty() && page.damaged.is_empty())
}

async fn begin(records: &Records, key: &SecretKey, genesis: &Genesis) -> Result<(u32, Head), WitnessError> {
    if !genesis.set.has(&key.public()) {
        return Err(WitnessError::NotOfSet);
    }
    let head = Head::default();
    let batch = vec![put_owner(&owner_of(key, &genesis.topic(), 0)), put_head(&head)];
    records.commit(batch, Durability::Strict).await?;
    Ok((0, head))
}

pub(super) fn owner_of(key: &SecretKey, topic: &Topic, set: u32) -> Owner {
    let (key, topic) = (key.public().as_bytes().to_vec(), topic.as_bytes().to_vec());
    Owner { key: ByteBuf::from(key), topic: ByteBuf::from(topic), set }
}

/// Reads all records of one kind; fails if one is damaged, or there are more or fewer than the head says.
async fn all<T: DeserializeOwned>(
    records: &Records,
    prefix: &'static str,
    expected: u64,
) -> Result<Vec<(String, T)>, WitnessError> {
    let (found, damaged) = records.all::<T>(TABLE, prefix).await?;
    if let Some(key) = first_damaged(&damaged) {
        return Err(WitnessError::Damaged(key));
    }
    if found.len() as u64 != expected {
        return Err(WitnessError::Incomplete { prefix, expected, found: found.len() as u64 });
    }
    Ok(found)
}

/// The same for numbered records, which follow without gaps.
async fn in_order<T: DeserializeOwned>(
    records: &Records,
    prefix: &'static str,
    expected: u64,
) -> Result<Vec<(String, T)>, WitnessError> {
    let found = all(records, prefix, expected).await?;
    for (number, (key, _)) in found.iter().enumerate() {
        if *key != numbered(prefix, number as u64) {
            return Err(WitnessError::Damaged(key.clone()));
        }
    }
    Ok(found)
}

async fn read(
    records: &Records,
    key: &SecretKey,
    set: u32,
    genesis: Genesis,
    head: Head,
) -> Result<Loaded, WitnessError> {
    let mut history = NetworkHistory::new(genesis);
    let topic = history.topic();
    for (key, bytes) in in_order::<ByteBuf>(records, CHANGES, head.changes).await? {
        let change = SignedSetChange::decode(&topic, &bytes).map_err(|_| WitnessError::Damaged(key))?;
        history.follow(change)?;
    }
    let mut registry = Registry::new(history);
    let mut book = Book::new(key.clone(), set, Timestamp::default());
    let openings = read_openings(records, &head, &mut registry, &mut book).await?;
    let own = read_receipts(records, &head, key, set, &mut registry).await?;
    let facts = read_facts(records, &head, &openings, &mut registry, &mut book).await?;
    let mut latest = Timestamp::default();
    for (key, receipt) in own {
        let fact = facts.get(&receipt.entry);
        let fact = fact.filter(|fact| fact.slots().iter().map(Slot::digest).eq(receipt.slots.iter().copied()));
        latest = latest.max(receipt.at);
        book.restore(fact.ok_or(WitnessError::Damaged(key))?.clone(), receipt);
    }
    for (key, stored) in all::<StoredFork>(records, FORKS, head.forks).await? {
        let headers = stored.headers.map(|bytes| SignedHeader::decode(&topic, &bytes).ok());
        let [Some(one), Some(other)] = headers else { return Err(WitnessError::Damaged(key)) };
        registry.note_fork(ForkProof::new(one, other).ok_or(WitnessError::Damaged(key))?);
    }
    for (key, stored) in in_order::<StoredReserved>(records, RESERVED, head.reserved).await? {
        let digests: Option<Vec<Digest>> = stored.slots.iter().map(|slot| digest(slot)).collect();
        let (Some(entry), Some(slots)) = (digest(&stored.entry), digests) else {
            return Err(WitnessError::Damaged(key));
        };
        book.reserve(EntryId::from_digest(entry), &slots, head.reserved_until);
    }
    if head.is_stopped {
        book.stop();
    }
    Ok(Loaded { registry, book, head, latest })
}

async fn read_openings(
    records: &Records,
    head: &Head,
    registry: &mut Registry,
    book: &mut Book,
) -> Result<HashMap<Digest, Opening>, WitnessError> {
    let topic = registry.topic();
    let mut openings = HashMap::new();
    for (key, stored) in all::<StoredOpening>(records, OPENINGS, head.openings).await? {
        let entry = Entry::decode(&topic, &stored.entry).map_err(|_| WitnessError::Damaged(key.clone()))?;
        registry.admit(&entry, 0).map_err(|_| WitnessError::Damaged(key.clone()))?;
        let log = entry.header().log;
        let opening = registry.opening(&log).ok_or(WitnessError::Damaged(key))?;
        book.memory_mut().notice(Noticed::Device(opening.device()), stored.first_seen);
        openings.insert(log.opening, opening.clone());
    }
    Ok(openings)
}

/// Reads the own receipts in their order, and adds them to what confirms.
async fn read_receipts(
    records: &Records,
    head: &Head,
    key: &SecretKey,
    set: u32,
    registry: &mut Registry,
) -> Result<Vec<(String, Receipt)>, WitnessError> {
    let mut own = Vec::new();
    for (name, stored) in in_order::<StoredReceipt>(records, RECEIPTS, head.receipts).await? {
        let receipt = Receipt::decode(&registry.topic(), &stored.receipt).ok();
        let receipt = receipt.filter(|receipt| receipt.witness == key.public() && receipt.set == set);
        let receipt = receipt.ok_or_else(|| WitnessError::Damaged(name.clone()))?;
        registry.add_receipt(receipt.clone());
        own.push((name, receipt));
    }
    Ok(own)
}

/// Reads the facts with what others sent of them, and admits them, each log in its order.
async fn read_facts(
    records: &Records,
    head: &Head,
    openings: &HashMap<Digest, Opening>,
    registry: &mut Registry,
    book: &mut Book,
) -> Result<HashMap<EntryId, Fact>, WitnessError> {
    let topic = registry.topic();
    let (mut facts, mut entries) = (HashMap::new(), Vec::new());
    for (key, stored) in all::<StoredFact>(records, FACTS, head.facts).await? {
        let damaged = || WitnessError::Damaged(key.clone());
        let entry = Entry::decode(&topic, &stored.entry).map_err(|_| damaged())?;
        let opening = openings.get(&entry.header().log.opening).ok_or_else(damaged)?;
        let fact = Fact::of(&topic, &entry, opening).map_err(|_| damaged())?;
        for bytes in &stored.receipts {
            registry.add_receipt(Receipt::decode(&topic, bytes).map_err(|_| damaged())?);
        }
        for bytes in &stored.paths {
            registry.add_path(entry.id(), ProvenPath::decode(bytes).map_err(|_| damaged())?);
        }
        Noticed::of(&fact).into_iter().for_each(|what| book.memory_mut().notice(what, stored.first_seen));
        facts.insert(fact.id, fact);
        entries.push(entry);
    }
    entries.sort_by_key(|entry| (entry.header().log, entry.header().seq));
    for entry in &entries {
        // What its log does not keep is known to the book alone.
        let _ = registry.admit(entry, 0);
    }
    Ok(facts)
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest::from_bytes)
}
