//! What is stored of the registry: entries by their place, and what confirms or contradicts them.
//!
//! | table | key | record |
//! |---|---|---|
//! | `facts` | identity/opening/log/place/entry | the entry |
//! | `headers` | the same | the header of an entry of a changes log, and how many operations its body announces |
//! | `changes` | the same | that body |
//! | `evidence` | `receipt/entry/witness`, `path/entry/set`, `fork/log`, `set/number`, `holder/name` | its bytes |
//!
//! A start reads all but the bodies of changes: the registry needs the headers of those only, and a document is built when
//! somebody looks at it or it changes.

use serde::{Deserialize, Serialize};

use crate::store::records::{Damaged, Records, StoredRecord, put};
use crate::store::{StoreError, Table, Write};
use gen_registry_core::canonical::{DecodeError, Decoder, Encoder};
use gen_registry_core::digest::{Digest, bytes_from_hex, hex};
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{Did, PublicKey};
use gen_registry_core::log::{Entry, EntryId, ForkProof, Kind, LogId, SignedHeader};
use gen_registry_core::name::{FoldedName, NameKind};
use gen_registry_core::network::{NetworkHistory, SignedSetChange};
use gen_registry_core::receipt::{ProvenPath, Receipt};
use gen_registry_core::registry::{Evicted, KnownHolder, Registry};

/// A header as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredHeader {
    #[serde(with = "serde_bytes")]
    header: Vec<u8>,
    /// Counted before anything of the body was decoded.
    operations: u64,
}

/// A known holder as it is stored.
#[derive(Serialize, Deserialize)]
struct StoredHolder {
    kind: NameKind,
    name: FoldedName,
    after: Option<Digest>,
    claim: Digest,
}

/// What a start read of the registry.
pub(crate) struct Restored {
    pub(crate) registry: Registry,
    pub(crate) damaged: Vec<Damaged>,
}

/// Returns what the keys of an identity's entries begin with.
pub(crate) fn entries_prefix(did: &Did) -> String {
    format!("{}/", hex(did.as_bytes()))
}

/// Returns what the keys of a log's entries begin with.
fn log_prefix(did: &Did, log: &LogId) -> String {
    format!("{}{}/{:08x}/", entries_prefix(did), hex(&log.opening.as_bytes()[..8]), log.number)
}

/// Returns the key of an entry. Sorted, the entries of a log are in their order.
fn entry_key(did: &Did, header: &SignedHeader) -> String {
    let place = header.header();
    format!("{}{:016x}/{}", log_prefix(did, &place.log), place.seq, hex(header.id().as_bytes()))
}

/// Returns the writes that store an entry that was kept.
pub(crate) fn entry_writes(did: &Did, entry: &Entry, operations: u64) -> Vec<Write> {
    let key = entry_key(did, entry.signed_header());
    if entry.header().log.are_facts() {
        return vec![put(Table::Facts, &key, &serde_bytes::Bytes::new(&entry.encode()))];
    }
    let header = StoredHeader { header: entry.signed_header().encode(), operations };
    vec![put(Table::Headers, &key, &header), put(Table::Changes, &key, &serde_bytes::Bytes::new(entry.body()))]
}

/// Returns the writes that remove entries of a changes log that a checkpoint made needless.
pub(crate) fn pruned_writes(did: &Did, headers: &[SignedHeader]) -> Vec<Write> {
    let keys = headers.iter().map(|header| entry_key(did, header));
    keys.flat_map(|key| [Table::Headers, Table::Changes].map(|table| Write::Delete { table, key: key.clone() }))
        .collect()
}

/// Returns the writes that remove what was evicted of an identity.
pub(crate) fn evicted_writes(did: &Did, evicted: &Evicted) -> Vec<Write> {
    let delete = |table: Table, key: String| Write::Delete { table, key };
    let entries = evicted.entries.iter().flat_map(|header| {
        let (key, are_facts) = (entry_key(did, header), header.header().log.are_facts());
        let tables: &[Table] = if are_facts { &[Table::Facts] } else { &[Table::Headers, Table::Changes] };
        tables.iter().map(move |table| delete(*table, key.clone())).collect::<Vec<_>>()
    });
    let receipts = evicted.receipts.iter().map(|(entry, witness)| receipt_key(entry, witness));
    let paths = evicted.paths.iter().map(|(entry, set)| path_key(entry, *set));
    let forks = evicted.forks.iter().map(fork_key);
    let evidence = receipts.chain(paths).chain(forks).map(|key| delete(Table::Evidence, key));
    entries.chain(evidence).chain(evicted.holders.iter().map(holder_write)).collect()
}

/// Returns the write that stores a receipt.
pub(crate) fn receipt_write(receipt: &Receipt) -> Write {
    evidence(&receipt_key(&receipt.entry, &receipt.witness), &receipt.encode())
}

fn receipt_key(entry: &EntryId, witness: &PublicKey) -> String {
    format!("receipt/{}/{}", hex(entry.as_bytes()), hex(witness.as_bytes()))
}

/// Returns the write that stores a path under the root of a closed set.
pub(crate) fn path_write(entry: &EntryId, path: &ProvenPath) -> Write {
    evidence(&path_key(entry, path.set), &path.encode())
}

fn path_key(entry: &EntryId, set: u32) -> String {
    format!("path/{}/{set:08x}", hex(entry.as_bytes()))
}

/// Returns the write that stores the proof of a log's lowest fork.
pub(crate) fn fork_write(proof: &ForkProof) -> Write {
    let [one, other] = proof.headers().map(SignedHeader::encode);
    evidence(&fork_key(&proof.log()), &Encoder::new().bytes(&one).bytes(&other).finish())
}

fn fork_key(log: &LogId) -> String {
    format!("fork/{}/{}/{:08x}", hex(log.opening.as_bytes()), hex(log.device.as_bytes()), log.number)
}

/// Returns the write that stores a change of the witness set.
pub(crate) fn set_change_write(change: &SignedSetChange) -> Write {
    evidence(&format!("set/{:08x}", change.change().number), &change.encode())
}

/// Returns the write that stores, or removes, what is known of a name's holder.
pub(crate) fn holder_write(known: &KnownHolder) -> Write {
    let kind = if known.name.0 == NameKind::Username { "username" } else { "module" };
    let after = known.after.map_or_else(|| "first".to_owned(), |after| hex(after.as_bytes()));
    let name = hex(Digest::of(known.name.1.as_str().as_bytes()).as_bytes());
    let key = format!("holder/{kind}/{name}/{after}");
    let Some(claim) = known.claim else { return Write::Delete { table: Table::Evidence, key } };
    let (kind, name) = known.name.clone();
    let record = StoredHolder { kind, name, after: known.after.map(|after| *after.digest()), claim: *claim.digest() };
    put(Table::Evidence, &key, &record)
}

fn evidence(key: &str, bytes: &[u8]) -> Write {
    put(Table::Evidence, key, &serde_bytes::Bytes::new(bytes))
}

/// Reads the bodies of an identity's changes logs: each with its header's entry id.
pub(crate) async fn read_changes(
    records: &Records,
    did: &Did,
) -> Result<(Vec<(String, serde_bytes::ByteBuf)>, Vec<Damaged>), StoreError> {
    records.all(Table::Changes, &entries_prefix(did)).await
}

/// Returns the entry that a key of [`Table::Changes`] names.
pub(crate) fn entry_of_key(key: &str) -> Option<EntryId> {
    let bytes = bytes_from_hex(key.rsplit('/').next()?).ok()?;
    Some(EntryId::from_digest(Digest::from_bytes(bytes)))
}

/// Reads bodies of changes logs, in the order of their headers.
pub(crate) async fn read_bodies_of(
    records: &Records,
    headers: &[(Did, SignedHeader)],
) -> Result<Vec<StoredRecord<serde_bytes::ByteBuf>>, StoreError> {
    let keys: Vec<String> = headers.iter().map(|(did, header)| entry_key(did, header)).collect();
    records.get_many(Table::Changes, &keys).await
}

/// Reads the registry as it was. What is damaged is left out and returned apart.
pub(crate) async fn read_registry(records: &Records, history: NetworkHistory) -> Result<Restored, StoreError> {
    let mut damaged = Vec::new();
    let history = follow_stored(records, history, &mut damaged).await?;
    let (holders, broken) = records.all::<StoredHolder>(Table::Evidence, "holder/").await?;
    damaged.extend(broken);
    let holders = holders.into_iter().map(|(_, stored)| KnownHolder {
        name: (stored.kind, stored.name),
        after: stored.after.map(EntryId::from_digest),
        claim: Some(EntryId::from_digest(stored.claim)),
    });
    let topic = history.topic();
    let mut registry = Registry::restore(history, holders);
    read_confirmations(records, &mut registry, &mut damaged).await?;
    each_page(records, Table::Facts, &mut damaged, |bytes: serde_bytes::ByteBuf| {
        let Ok(entry) = Entry::decode_unverified(&topic, &bytes) else { return };
        let _ = registry.admit(&entry, 0);
    })
    .await?;
    each_page(records, Table::Headers, &mut damaged, |stored: StoredHeader| {
        let Ok(header) = SignedHeader::decode_unverified(&topic, &stored.header) else { return };
        let _ = registry.restore_header(&header, stored.operations);
    })
    .await?;
    read_forks(records, &topic, &mut registry, &mut damaged).await?;
    registry.end_restoring();
    Ok(Restored { registry, damaged })
}

/// Calls `take` with every record of a table, page by page.
async fn each_page<T: serde::de::DeserializeOwned>(
    records: &Records,
    table: Table,
    damaged: &mut Vec<Damaged>,
    mut take: impl FnMut(T),
) -> Result<(), StoreError> {
    let mut after: Option<String> = None;
    loop {
        let page = records.page::<T>(table, "", after.as_deref()).await?;
        page.records.into_iter().for_each(|(_, record)| take(record));
        damaged.extend(page.damaged);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

async fn evidence_of(
    records: &Records,
    kind: &str,
    damaged: &mut Vec<Damaged>,
) -> Result<Vec<(String, serde_bytes::ByteBuf)>, StoreError> {
    let (found, broken) = records.all::<serde_bytes::ByteBuf>(Table::Evidence, kind).await?;
    damaged.extend(broken);
    Ok(found)
}

async fn follow_stored(
    records: &Records,
    mut history: NetworkHistory,
    damaged: &mut Vec<Damaged>,
) -> Result<NetworkHistory, StoreError> {
    for (key, bytes) in evidence_of(records, "set/", damaged).await? {
        let change = SignedSetChange::decode(&history.topic(), &bytes);
        if let Some(error) = change
            .map_err(|error| error.to_string())
            .and_then(|change| {
                // The profile's network may know it already.
                if change.change().number <= history.number() {
                    return Ok(());
                }
                history.follow(change).map_err(|error| error.to_string())
            })
            .err()
        {
            tracing::error!(%key, %error, "a stored change of the witness set is not followed");
            break;
        }
    }
    Ok(history)
}

async fn read_confirmations(
    records: &Records,
    registry: &mut Registry,
    damaged: &mut Vec<Damaged>,
) -> Result<(), StoreError> {
    for (_, bytes) in evidence_of(records, "receipt/", damaged).await? {
        if let Ok(receipt) = Receipt::decode_unverified(&bytes) {
            registry.add_receipt(receipt);
        }
    }
    for (key, bytes) in evidence_of(records, "path/", damaged).await? {
        let entry = key.split('/').nth(1).and_then(|entry| bytes_from_hex(entry).ok());
        if let (Some(entry), Ok(path)) = (entry, ProvenPath::decode(&bytes)) {
            registry.add_path(EntryId::from_digest(Digest::from_bytes(entry)), path);
        }
    }
    Ok(())
}

async fn read_forks(
    records: &Records,
    topic: &Topic,
    registry: &mut Registry,
    damaged: &mut Vec<Damaged>,
) -> Result<(), StoreError> {
    for (_, bytes) in evidence_of(records, "fork/", damaged).await? {
        if let Ok(Some(proof)) = decode_fork(topic, &bytes) {
            registry.note_fork(proof);
        }
    }
    Ok(())
}

fn decode_fork(topic: &Topic, bytes: &[u8]) -> Result<Option<ForkProof>, DecodeError> {
    let mut decoder = Decoder::new(bytes);
    let headers = [decoder.bytes()?, decoder.bytes()?].map(|bytes| SignedHeader::decode_unverified(topic, bytes));
    decoder.end()?;
    let [Ok(one), Ok(other)] = headers else { return Ok(None) };
    Ok(ForkProof::new(one, other))
}

/// Returns whether an entry's body is a change of the document.
pub(crate) fn is_change(entry: &Entry) -> bool {
    entry.header().kind == Kind::Change as u8
}
