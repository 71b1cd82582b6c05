//! Typed records over a [`Store`]: CBOR behind a checksum.
//!
//! ```text
//!   key      alice's key in hex                       in table `people`
//!   bytes    ┌──────────────┬─────────────────────┐
//!            │ checksum, 8  │ CBOR of the record  │
//!            └──────────────┴─────────────────────┘
//!   checksum: the first 8 bytes of SHA-256 over table, key, length and CBOR
//! ```
//!
//! The checksum covers table and key, so that a record that ends up in a wrong place is noticed, too. It is against
//! failing disks and bugs, not against attackers.
//!
//! A record that fails its check, or can't be decoded, is damaged. It never stops the others: the reader gets it apart
//! and has it moved to quarantine, byte for byte, in one batch with its removal. What then happens depends on the
//! record: a person's record is computed again from the signed changes, a block or a change is fetched from peers
//! again, a setting starts from its default.

use std::rc::Rc;

use futures::future::join_all;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::platform::Environment;
use crate::store::{Batch, Durability, Store, StoreError, Table, Write};
use gen_registry_core::canonical::Encoder;
use gen_registry_core::digest::{Digest, hex};
use gen_registry_core::time::Timestamp;

/// Bytes of the checksum in front of each record.
const CHECKSUM_BYTES: usize = 8;
/// Bytes of the digest in the name of a protected record in quarantine.
const DIGEST_IN_NAME_BYTES: usize = 8;
/// Entries that are read in one page: some milliseconds of work between two waits for the store.
const SCAN_PAGE: usize = 256;

/// A damaged record, with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// The table it was found in.
    pub table: Table,
    /// Its key.
    pub key: String,
    /// What is wrong with it.
    pub why: DamageKind,
    /// Its bytes, with the checksum.
    raw: Vec<u8>,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DamageKind {
    #[error("its checksum is wrong")]
    Checksum,
    #[error("it can't be read as what it should be")]
    Unreadable,
    #[error("it is of another network, or its parts do not belong together")]
    Foreign,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredRecord<T> {
    /// There is no record under the key.
    Nothing,
    /// The record.
    Record(T),
    /// There are bytes that are no record.
    Damaged(Damaged),
}

impl<T: DeserializeOwned> StoredRecord<T> {
    /// Reads what is stored under a key.
    fn of(table: Table, key: &str, raw: Option<Vec<u8>>) -> Self {
        raw.map_or(Self::Nothing, |raw| Self::of_decoded(decode(table, key, raw)))
    }

    fn of_decoded(decoded: Result<T, Damaged>) -> Self {
        match decoded {
            Ok(record) => Self::Record(record),
            Err(damaged) => Self::Damaged(damaged),
        }
    }
}

/// One page of a table, in the order of the keys.
#[derive(Debug)]
pub struct RecordPage<T> {
    /// The records with their keys.
    pub records: Vec<(String, T)>,
    /// The damaged ones.
    pub damaged: Vec<Damaged>,
    /// The `after` of the next page; `None` after the last one.
    pub next: Option<String>,
}

/// A store, read and written as records.
#[derive(Clone)]
pub struct Records(Rc<dyn Store>);

impl Records {
    /// Wraps a store.
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self(store)
    }

    /// Reads one record.
    pub async fn get<T: DeserializeOwned>(&self, table: Table, key: &str) -> Result<StoredRecord<T>, StoreError> {
        Ok(StoredRecord::of(table, key, self.0.get(table, key).await?))
    }

    /// Reads the records under several keys, in their order.
    pub async fn get_many<T: DeserializeOwned>(
        &self,
        table: Table,
        keys: &[String],
    ) -> Result<Vec<StoredRecord<T>>, StoreError> {
        let values = keys.iter().zip(self.0.get_many(table, keys).await?);
        Ok(values.map(|(key, raw)| StoredRecord::of(table, key, raw)).collect())
    }

    /// Reads the records under several keys, in their order; the platform computes their checksums. For large ones.
    pub async fn get_many_large<T: DeserializeOwned>(
        &self,
        environment: &dyn Environment,
        table: Table,
        keys: &[String],
    ) -> Result<Vec<StoredRecord<T>>, StoreError> {
        let values = self.0.get_many(table, keys).await?;
        let records = keys.iter().zip(values).map(async |(key, raw)| match raw {
            None => StoredRecord::Nothing,
            Some(raw) => {
                let sum = match raw.split_at_checked(CHECKSUM_BYTES) {
                    Some((_, body)) => Some(sum_in(&environment.hash(&checked_bytes(table, key, body)).await)),
                    None => None,
                };
                StoredRecord::of_decoded(decode_with(table, key, raw, |_| sum.unwrap_or_default()))
            }
        });
        Ok(join_all(records).await)
    }

    /// Whether the store seals what is secret.
    pub fn seals_secrets(&self) -> bool {
        self.0.seals_secrets()
    }

    /// Reads the bytes of a record that can be read, and that its reader can't use: it is set aside as a damaged one is.
    pub async fn get_foreign(&self, table: Table, key: &str) -> Result<Option<Damaged>, StoreError> {
        let raw = self.0.get(table, key).await?;
        Ok(raw.map(|raw| Damaged { table, key: key.to_owned(), why: DamageKind::Foreign, raw }))
    }

    /// Returns the write of one record in place of what is stored there now, which must pass `is_earlier`; where nothing is
    /// stored, of a new one. Fails with [`StoreError::Taken`] if something else is.
    pub async fn replacing<T: DeserializeOwned>(
        &self,
        write: Write,
        is_earlier: impl FnOnce(T) -> bool,
    ) -> Result<Write, StoreError> {
        let Write::Put { table, key, bytes } = write else { return Ok(write) };
        let Some(before) = self.0.get(table, &key).await? else { return Ok(Write::Put { table, key, bytes }) };
        if decode(table, &key, before.clone()).is_ok_and(is_earlier) {
            Ok(Write::Replace { table, key, before, bytes })
        } else {
            Err(StoreError::Taken)
        }
    }

    /// Keeps what is stored under a prefix in memory too ([`Store::hold`]).
    pub async fn hold(&self, table: Table, prefix: &str) -> Result<(), StoreError> {
        self.0.hold(table, prefix).await
    }

    /// Reads a page of at most `SCAN_PAGE` records whose key begins with `prefix` and comes after `after`.
    pub async fn page<T: DeserializeOwned>(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
    ) -> Result<RecordPage<T>, StoreError> {
        let entries = self.0.scan(table, prefix, after, SCAN_PAGE).await?;
        let next = entries.last().filter(|_| entries.len() == SCAN_PAGE).map(|(key, _)| key.clone());
        let mut page = RecordPage { records: Vec::with_capacity(entries.len()), damaged: Vec::new(), next };
        for (key, raw) in entries {
            match decode(table, &key, raw) {
                Ok(record) => page.records.push((key, record)),
                Err(found) => page.damaged.push(found),
            }
        }
        Ok(page)
    }

    /// Reads every record whose key begins with `prefix`, with its key; damaged ones apart. For tables of bounded size.
    pub async fn all<T: DeserializeOwned>(
        &self,
        table: Table,
        prefix: &str,
    ) -> Result<(Vec<(String, T)>, Vec<Damaged>), StoreError> {
        let (mut records, mut damaged) = (Vec::new(), Vec::new());
        let mut after: Option<String> = None;
        loop {
            let page = self.page(table, prefix, after.as_deref()).await?;
            records.extend(page.records);
            damaged.extend(page.damaged);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok((records, damaged)),
            }
        }
    }

    /// Writes a batch of [`put`]s and deletes, all of it or nothing.
    pub async fn commit(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        self.0.commit(batch, durability).await
    }

    /// Moves a damaged record to quarantine, in one batch. One of a protected table gets a name of its own there, by the
    /// digest of its bytes, so that no other takes its place.
    pub async fn quarantine(&self, damaged: &Damaged, at: Timestamp) -> Result<(), StoreError> {
        let Damaged { table, key, why, raw } = damaged;
        let kept = Quarantined {
            table: table.name().to_owned(),
            key: key.clone(),
            reason: why.to_string(),
            at,
            raw: raw.clone(),
        };
        let mut name = format!("{}/{key}", table.name());
        if table.is_protected() {
            name = format!("{name}/{}", hex(&Digest::of(raw).as_bytes()[..DIGEST_IN_NAME_BYTES]));
        }
        let batch = vec![put(Table::Quarantine, &name, &kept), Write::Delete { table: *table, key: key.clone() }];
        self.commit(batch, Durability::Strict).await
    }
}

/// A record in quarantine. Its key there is `table/key`, with a digest after it if the table is protected.
#[derive(Clone, Debug, Serialize, serde::Deserialize)]
pub struct Quarantined {
    /// The table it was found in.
    pub table: String,
    /// Its key there.
    pub key: String,
    /// What is wrong with it.
    pub reason: String,
    /// When it was found.
    pub at: Timestamp,
    /// Its bytes as they were.
    #[serde(with = "serde_bytes")]
    pub raw: Vec<u8>,
}

/// Returns the write of one record, with its checksum.
pub fn put<T: Serialize>(table: Table, key: &str, record: &T) -> Write {
    let mut bytes = cbor4ii::serde::to_vec(vec![0; CHECKSUM_BYTES], record)
        .expect("records have no maps with keys that can't be written");
    let sum = checksum(table, key, &bytes[CHECKSUM_BYTES..]);
    bytes[..CHECKSUM_BYTES].copy_from_slice(&sum);
    Write::Put { table, key: key.to_owned(), bytes }
}

/// Returns the write of one record; the platform computes its checksum. For a large one.
pub async fn put_large<T: Serialize>(environment: &dyn Environment, table: Table, key: &str, record: &T) -> Write {
    let mut bytes = cbor4ii::serde::to_vec(vec![0; CHECKSUM_BYTES], record)
        .expect("records have no maps with keys that can't be written");
    let hash = environment.hash(&checked_bytes(table, key, &bytes[CHECKSUM_BYTES..])).await;
    bytes[..CHECKSUM_BYTES].copy_from_slice(&sum_in(&hash));
    Write::Put { table, key: key.to_owned(), bytes }
}

/// Checks and decodes the bytes of one record.
fn decode<T: DeserializeOwned>(table: Table, key: &str, raw: Vec<u8>) -> Result<T, Damaged> {
    decode_with(table, key, raw, |body| checksum(table, key, body))
}

/// Decodes the bytes of one record, if the checksum of its body is right.
fn decode_with<T: DeserializeOwned>(
    table: Table,
    key: &str,
    raw: Vec<u8>,
    sum_of: impl FnOnce(&[u8]) -> [u8; CHECKSUM_BYTES],
) -> Result<T, Damaged> {
    let read = match raw.split_at_checked(CHECKSUM_BYTES) {
        Some((sum, body)) if sum == sum_of(body) => {
            cbor4ii::serde::from_slice(body).map_err(|_| DamageKind::Unreadable)
        }
        _ => Err(DamageKind::Checksum),
    };
    read.map_err(|why| Damaged { table, key: key.to_owned(), why, raw })
}

/// Returns the checksum of a record at its place.
fn checksum(table: Table, key: &str, body: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let [place, length] = place_and_length(table, key, body);
    sum_in(&Digest::of_joined(&[&place, &length, body]))
}

/// Returns what the checksum covers before the body: where the record is, and how long.
fn place_and_length(table: Table, key: &str, body: &[u8]) -> [Vec<u8>; 2] {
    let length = u32::try_from(body.len()).expect("records are bounded far below 4 GiB").to_be_bytes();
    [Encoder::new().text(table.name()).text(key).finish(), length.to_vec()]
}

/// Returns all that the checksum of a record covers, in one piece.
fn checked_bytes(table: Table, key: &str, body: &[u8]) -> Vec<u8> {
    let [place, length] = place_and_length(table, key, body);
    [&place, &length, body].concat()
}

/// Returns the checksum that a hash begins with.
fn sum_in(hash: &Digest) -> [u8; CHECKSUM_BYTES] {
    let mut sum = [0; CHECKSUM_BYTES];
    sum.copy_from_slice(&hash.as_bytes()[..CHECKSUM_BYTES]);
    sum
}
