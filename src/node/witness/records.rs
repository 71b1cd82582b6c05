//! What a witness stores, under which keys, and how much of each there must be.
//!
//! Records live in a store of the witness's own. [`Head`] counts all others and is written in every batch, so a record that
//! is lost is noticed at the start, the last one as well.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use crate::store::records::{Damaged, Records, StoredRecord, put};
use crate::store::{Batch, StoreError, Table, Write};
use gen_registry_core::digest::{Digest, hex};
use gen_registry_core::log::{Entry, EntryId, ForkProof, SignedHeader};
use gen_registry_core::network::SignedSetChange;
use gen_registry_core::receipt::{ProvenPath, Receipt};
use gen_registry_core::sync::asking::shown::Shown;
use gen_registry_core::time::Timestamp;

/// The table of all numbered and named records.
pub(super) const TABLE: Table = Table::Changes;
const OWNER_KEY: &str = "next/owner";
const HEAD_KEY: &str = "next/head";
const PRESENCE_KEY: &str = "next/presence";
pub(super) const RECEIPTS: &str = "next/receipt/";
pub(super) const FACTS: &str = "next/fact/";
pub(super) const OPENINGS: &str = "next/opening/";
pub(super) const FORKS: &str = "next/fork/";
pub(super) const CHANGES: &str = "next/change/";
pub(super) const RESERVED: &str = "next/reserved/";

/// Whose store it is: the witness's key, the network, and the number of the set that it signs for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub key: ByteBuf,
    pub topic: ByteBuf,
    pub set: u32,
}

/// How many records of each kind there are, and whether the witness still signs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    pub receipts: u64,
    pub facts: u64,
    pub openings: u64,
    pub forks: u64,
    pub changes: u64,
    pub reserved: u64,
    /// Until when slots are reserved.
    pub reserved_until: Timestamp,
    pub is_stopped: bool,
    /// A receipt of its own turned up that the store does not have.
    pub is_set_back: bool,
}

/// When the witness could be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Presence {
    /// Without a break since then.
    pub since: Timestamp,
    pub last: Timestamp,
}

/// A receipt of this witness, by its number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredReceipt {
    pub receipt: ByteBuf,
}

/// An entry and what others sent of it, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredFact {
    pub entry: ByteBuf,
    /// What waits are counted from, by this witness's clock.
    pub first_seen: Timestamp,
    /// By other witnesses of the set.
    pub receipts: Vec<ByteBuf>,
    pub paths: Vec<ByteBuf>,
}

/// Entry 0 of a facts log, by the digest of its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredOpening {
    pub entry: ByteBuf,
    pub first_seen: Timestamp,
}

/// The proof of a log's lowest fork.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredFork {
    pub headers: [ByteBuf; 2],
}

/// A fact that the set before voted for, with its slots.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredReserved {
    pub entry: ByteBuf,
    pub slots: Vec<ByteBuf>,
}

/// Returns the owner, or the damage.
pub(super) async fn owner(records: &Records) -> Result<StoredRecord<Owner>, StoreError> {
    records.get(Table::Settings, OWNER_KEY).await
}

pub(super) async fn head(records: &Records) -> Result<StoredRecord<Head>, StoreError> {
    records.get(Table::Settings, HEAD_KEY).await
}

pub(super) async fn presence(records: &Records) -> Result<StoredRecord<Presence>, StoreError> {
    records.get(Table::Settings, PRESENCE_KEY).await
}

pub(super) fn put_owner(owner: &Owner) -> Write {
    put(Table::Settings, OWNER_KEY, owner)
}

pub(super) fn put_head(head: &Head) -> Write {
    put(Table::Settings, HEAD_KEY, head)
}

pub(super) fn put_presence(presence: &Presence) -> Write {
    put(Table::Settings, PRESENCE_KEY, presence)
}

/// The key of a numbered record. Numbers follow without gaps from 0.
pub(super) fn numbered(prefix: &str, number: u64) -> String {
    format!("{prefix}{number:012}")
}

pub(super) fn fact_key(entry: &EntryId) -> String {
    format!("{FACTS}{}", hex(entry.as_bytes()))
}

pub(super) fn opening_key(opening: &Digest) -> String {
    format!("{OPENINGS}{}", hex(opening.as_bytes()))
}

/// Writes that belong together, with the head that counts them.
pub(super) struct Pending {
    pub head: Head,
    batch: Batch,
    openings: Vec<Digest>,
}

impl Pending {
    pub(super) fn new(head: &Head) -> Self {
        Self { head: head.clone(), batch: Vec::new(), openings: Vec::new() }
    }

    /// Adds an opening that is not stored yet.
    pub(super) fn add_opening(&mut self, opening: &Entry, now: Timestamp) {
        let digest = opening.header().log.opening;
        if self.openings.contains(&digest) {
            return;
        }
        self.openings.push(digest);
        let stored = StoredOpening { entry: ByteBuf::from(opening.encode()), first_seen: now };
        self.batch.push(put(TABLE, &opening_key(&digest), &stored));
        self.head.openings += 1;
    }

    /// Adds a fact, or what is new of one that is stored already. Fails if the stored one is damaged.
    pub(super) async fn add_fact(&mut self, records: &Records, shown: &Shown, now: Timestamp) -> Result<(), FactError> {
        let key = fact_key(&shown.entry.id());
        let mut stored = match records.get::<StoredFact>(TABLE, &key).await? {
            StoredRecord::Record(stored) => stored,
            StoredRecord::Damaged(damaged) => return Err(FactError::Damaged(damaged.key)),
            StoredRecord::Nothing => {
                self.head.facts += 1;
                let entry = ByteBuf::from(shown.entry.encode());
                StoredFact { entry, first_seen: now, receipts: vec![], paths: vec![] }
            }
        };
        stored.receipts.extend(shown.receipts.iter().map(Receipt::encode).map(ByteBuf::from));
        stored.paths.extend(shown.paths.iter().map(ProvenPath::encode).map(ByteBuf::from));
        self.batch.push(put(TABLE, &key, &stored));
        Ok(())
    }

    /// Adds a receipt of this witness under the next number.
    pub(super) fn add_receipt(&mut self, receipt: &Receipt) {
        let stored = StoredReceipt { receipt: ByteBuf::from(receipt.encode()) };
        self.batch.push(put(TABLE, &numbered(RECEIPTS, self.head.receipts), &stored));
        self.head.receipts += 1;
    }

    /// Adds the proof of a fork, in place of one of a higher place.
    pub(super) async fn add_fork(&mut self, records: &Records, proof: &ForkProof) -> Result<(), StoreError> {
        let key = format!("{FORKS}{}", hex(proof.log().opening.as_bytes()));
        // The registry may know a fork of the log from two entries that are stored, without such a record.
        if records.get::<StoredFork>(TABLE, &key).await? == StoredRecord::Nothing {
            self.head.forks += 1;
        }
        let headers = proof.headers().map(SignedHeader::encode).map(ByteBuf::from);
        self.batch.push(put(TABLE, &key, &StoredFork { headers }));
        Ok(())
    }

    /// Adds the next change of the set.
    pub(super) fn add_change(&mut self, change: &SignedSetChange) {
        self.batch.push(put(TABLE, &numbered(CHANGES, self.head.changes), &ByteBuf::from(change.encode())));
        self.head.changes += 1;
    }

    pub(super) fn add_reserved(&mut self, entry: &EntryId, slots: &[Digest]) {
        let slots = slots.iter().map(|slot| ByteBuf::from(slot.as_bytes().to_vec())).collect();
        let stored = StoredReserved { entry: ByteBuf::from(entry.as_bytes().to_vec()), slots };
        self.batch.push(put(TABLE, &numbered(RESERVED, self.head.reserved), &stored));
        self.head.reserved += 1;
    }

    pub(super) fn len(&self) -> usize {
        self.batch.len()
    }

    /// Takes the writes so far, without the head.
    pub(super) fn take(&mut self) -> Batch {
        std::mem::take(&mut self.batch)
    }

    /// The whole batch, the head last.
    pub(super) fn finish(mut self) -> (Batch, Head) {
        self.batch.push(put_head(&self.head));
        (self.batch, self.head)
    }
}

/// Why a fact could not be added.
#[derive(Debug, thiserror::Error)]
pub(super) enum FactError {
    #[error("the witness's store can't be read")]
    Store(#[from] StoreError),
    #[error("the record {0} of the witness's store is damaged")]
    Damaged(String),
}

/// The first damaged record of a page, as its key.
pub(super) fn first_damaged(damaged: &[Damaged]) -> Option<String> {
    damaged.first().map(|damaged| damaged.key.clone())
}
