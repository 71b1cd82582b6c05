//! What a Kademlia server stores for others: self-certifying records, and provider records, which are hints.
//!
//! Records are validated by a [`ValidateRecord`]. Without one, none is stored.
//!
//! The way of a record that a peer asks to be stored:
//!
//! ```text
//!   size ──► rates ──► same as the present one? ──yes──► renew its expiry
//!    │         │               │ no
//!    ▼         ▼               ▼
//!  Oversized TooOften   validator: valid? ──no──► Bad(fault)
//!                              │ yes
//!                       better than the present one? ──no──► NotBetter
//!                              │ yes
//!                       full? evict (see [`StorageQuota`]) ──► stored: New
//! ```
//!
//! Cheap checks come first, and the rates before the signatures, so that a flood of forged records costs no
//! verification beyond the rates. What "better" means is the validator's: for a name, the proof with more receipts or a
//! newer state.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::kad::store::{MemoryStore, RecordStore};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};

use super::kept_record::{KeptRecord, RecordArchive};
use super::storage_quota::{Millis, Source, StorageQuota};
use super::{
    KEY_MAX_BYTES, PROVIDED_KEYS_MAX, PROVIDER_ADDRESS_BYTES, PROVIDER_ADDRESSES, PROVIDER_TIME, PROVIDERS_PER_KEY,
    VALUE_MAX_BYTES, VALUE_TIME, VALUES_MAX,
};

/// Records and provider records of one peer in each [`RATE_TIME`]: a person has one name and a few modules.
pub const PUTS_PER_PEER_RATE: u32 = 120;
/// The same of all peers at one address, in each [`RATE_TIME`]: many people may share one.
pub const PUTS_PER_ADDRESS_RATE: u32 = 1_200;
/// The same of all peers together, in each [`RATE_TIME`]: peer ids cost nothing, and verifying a signature takes time.
pub const PUTS_RATE: u32 = 6_000;
/// The length of the fixed window in which requests are counted.
pub const RATE_TIME: Duration = Duration::from_secs(60);

/// Validates records.
pub trait ValidateRecord: Send + Sync {
    /// Returns whether a valid value is to be stored under this key at this time (milliseconds since 1970), in place of
    /// the present one, if any; or what is wrong with it.
    fn verify(&self, key: &[u8], value: &[u8], present: Option<&[u8]>, now: Millis) -> Result<bool, RecordFault>;
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    /// It can't be decoded.
    Unreadable,
    /// Signed by another key, for another network, or not at all.
    Forged,
    /// It belongs to another key.
    WrongKey,
    /// It breaks a rule of the network.
    Rule,
}

/// Why a record is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRefusal {
    /// This server belongs to no network whose records it could validate.
    NoNetwork,
    /// The key or the value is too long.
    Oversized,
    /// It is invalid.
    Bad(RecordFault),
    /// The present one is better.
    NotBetter,
    /// The peer, its address, or all peers together are over their rate.
    TooOften,
    /// There is no room, and nothing to evict.
    Full,
}

/// The outcome of storing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It was not stored before, or replaces another one.
    New,
    /// It was stored already, and its expiry is renewed.
    Again,
}

/// The origin of a request to store something.
#[derive(Clone, Copy, Debug)]
pub struct RecordSource {
    /// The peer that sent the request.
    pub peer: PeerId,
    /// `None` if all peers have the same address, that of a proxy.
    pub address: Option<IpAddr>,
}

impl RecordSource {
    /// Returns what the quota counts by.
    fn quota_key(&self) -> Source {
        self.address.map_or(Source::Peer(self.peer), Source::Address)
    }
}

/// Decides what one server stores. The content is in libp2p's store, which each method gets. Times are milliseconds
/// since 1970.
#[derive(Default)]
pub struct Values {
    /// Validates records; without one, none is stored.
    validator: Option<Arc<dyn ValidateRecord>>,
    /// Where records are kept beyond this run.
    archive: Option<Box<dyn RecordArchive>>,
    /// Expiry and source of each record.
    values: StorageQuota<RecordKey>,
    /// Expiry and source of each provider record.
    providers: StorageQuota<(RecordKey, PeerId)>,
    /// Requests of each source in the current window.
    puts: HashMap<Source, u32>,
    /// All requests in the current window.
    puts_of_all: u32,
    /// When the current window of the rates began.
    window_start: Millis,
}

impl Values {
    /// Creates an empty server's state. Without a validator, no record is stored.
    pub fn new(validator: Option<Arc<dyn ValidateRecord>>) -> Self {
        Self { validator, ..Self::default() }
    }

    /// Keeps what is stored from now on in an archive, too. Returns what it has, to be validated ([`Values::restore`]). What
    /// can't be read is removed from it.
    pub fn keep_in(&mut self, mut archive: Box<dyn RecordArchive>) -> Vec<KeptRecord> {
        let mut kept = Vec::new();
        for (key, bytes) in archive.load() {
            match KeptRecord::decode(key.clone(), &bytes) {
                Ok(record) => kept.push(record),
                Err(_) => archive.remove(&key),
            }
        }
        self.archive = Some(archive);
        kept
    }

    /// Returns how many records are stored.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether no record is stored.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Stores a record of an earlier run again, unless it has expired, is invalid now or not better than the present one. It
    /// is removed from the archive otherwise.
    pub fn restore(&mut self, store: &mut MemoryStore, kept: KeptRecord, now: Millis) {
        let KeptRecord { record, source, until } = kept;
        let key = record.key.clone();
        let is_present = self.values.until(&key).is_some();
        let is_valid = || {
            let validator = self.validator.as_ref()?;
            validator.verify(key.as_ref(), &record.value, None, now).ok()
        };
        if is_present {
            return;
        }
        if until > now && self.values.len() < VALUES_MAX && is_valid() == Some(true) && store.put(record).is_ok() {
            // A clock that was ahead in the earlier run keeps nothing for longer.
            self.values.put(key, source, until.min(now + millis(VALUE_TIME)));
        } else if let Some(archive) = &mut self.archive {
            archive.remove(key.as_ref());
        }
    }

    /// Stores a record if it is valid and better than the present one, or renews the present one. Fails without a
    /// change to what is stored; the request counts against the rates unless it is oversized.
    pub fn put_record(
        &mut self,
        store: &mut MemoryStore,
        mut record: Record,
        source: RecordSource,
        now: Millis,
        is_connected: impl Fn(&PeerId) -> bool,
    ) -> Result<Stored, StoreRefusal> {
        let validator = self.validator.clone().ok_or(StoreRefusal::NoNetwork)?;
        if record.value.len() > VALUE_MAX_BYTES || record.key.as_ref().len() > KEY_MAX_BYTES {
            return Err(StoreRefusal::Oversized);
        }
        // Before anything that takes time.
        self.count_put(source, now)?;
        let until = now + millis(VALUE_TIME);
        let present = self.values.until(&record.key).filter(|until| *until > now).and_then(|_| store.get(&record.key));
        let value = present.as_ref().map(|present| present.value.as_slice());
        if let Some(present) = &present
            && present.value == record.value
        {
            // A record from its publisher proves that the publisher is here; it replaces no other publisher that is
            // connected.
            let is_from_publisher = record.publisher == Some(source.peer);
            if !is_from_publisher || present.publisher.is_some_and(|publisher| is_connected(&publisher)) {
                record.publisher = present.publisher;
            }
            self.store_value(store, record, source, until)?;
            return Ok(Stored::Again);
        }
        if !validator.verify(record.key.as_ref(), &record.value, value, now).map_err(StoreRefusal::Bad)? {
            return Err(StoreRefusal::NotBetter);
        }
        if present.is_none() {
            while self.values.len() >= VALUES_MAX {
                let first = self.values.eviction_candidate().ok_or(StoreRefusal::Full)?;
                self.remove_value(store, &first);
            }
        }
        self.store_value(store, record, source, until)?;
        Ok(Stored::New)
    }

    /// Stores a record until then, and keeps it in the archive.
    fn store_value(
        &mut self,
        store: &mut MemoryStore,
        record: Record,
        source: RecordSource,
        until: Millis,
    ) -> Result<(), StoreRefusal> {
        store.put(record.clone()).map_err(|_| StoreRefusal::Full)?;
        self.values.put(record.key.clone(), source.quota_key(), until);
        if let Some(archive) = &mut self.archive {
            let source = self.values.source(&record.key).unwrap_or_else(|| source.quota_key());
            let key = record.key.to_vec();
            archive.put(&key, &KeptRecord { record, source, until }.encode());
        }
        Ok(())
    }

    /// Stores a provider record, or renews it. If its key has [`PROVIDERS_PER_KEY`], one of a disconnected provider
    /// makes room; without any, it fails with [`StoreRefusal::Full`].
    pub fn add_provider(
        &mut self,
        store: &mut MemoryStore,
        mut record: ProviderRecord,
        source: RecordSource,
        now: Millis,
        is_connected: impl Fn(&PeerId) -> bool,
    ) -> Result<Stored, StoreRefusal> {
        if record.key.as_ref().len() > KEY_MAX_BYTES {
            return Err(StoreRefusal::Oversized);
        }
        self.count_put(source, now)?;
        record.addresses.retain(is_short);
        record.addresses.truncate(PROVIDER_ADDRESSES);
        let entry = (record.key.clone(), record.provider);
        let is_present = self.providers.until(&entry).is_some();
        if !is_present {
            let others = store.providers(&record.key);
            if others.len() >= PROVIDERS_PER_KEY {
                let until = |other: &&ProviderRecord| self.providers.until(&(other.key.clone(), other.provider));
                let disconnected = others.iter().filter(|other| !is_connected(&other.provider)).min_by_key(until);
                let disconnected = disconnected.ok_or(StoreRefusal::Full)?;
                self.remove_provider(store, &(disconnected.key.clone(), disconnected.provider));
            }
            // As many records as keys: most keys have one provider.
            while self.providers.len() >= PROVIDED_KEYS_MAX {
                let first = self.providers.eviction_candidate().ok_or(StoreRefusal::Full)?;
                self.remove_provider(store, &first);
            }
        }
        store.add_provider(record).map_err(|_| StoreRefusal::Full)?;
        self.providers.put(entry, source.quota_key(), now + millis(PROVIDER_TIME));
        Ok(if is_present { Stored::Again } else { Stored::New })
    }

    /// Removes expired records. To be called every few seconds.
    pub fn expire(&mut self, store: &mut MemoryStore, now: Millis) {
        for key in self.values.expired(now) {
            self.remove_value(store, &key);
        }
        for entry in self.providers.expired(now) {
            self.remove_provider(store, &entry);
        }
    }

    /// Removes a record from the store and from the quota.
    fn remove_value(&mut self, store: &mut MemoryStore, key: &RecordKey) {
        if let Some(archive) = &mut self.archive {
            archive.remove(key.as_ref());
        }
        store.remove(key);
        self.values.remove(key);
    }

    /// Removes a provider record from the store and from the quota.
    fn remove_provider(&mut self, store: &mut MemoryStore, entry: &(RecordKey, PeerId)) {
        store.remove_provider(&entry.0, &entry.1);
        self.providers.remove(entry);
    }

    /// Counts one request against the rates of its peer, its address and all peers.
    fn count_put(&mut self, source: RecordSource, now: Millis) -> Result<(), StoreRefusal> {
        if now >= self.window_start + millis(RATE_TIME) {
            (self.puts, self.puts_of_all, self.window_start) = (HashMap::new(), 0, now);
        }
        let peer = (Source::Peer(source.peer), PUTS_PER_PEER_RATE);
        let address = source.address.map(|address| (Source::Address(address), PUTS_PER_ADDRESS_RATE));
        let both = [Some(peer), address];
        let count = |source: &Source| self.puts.get(source).copied().unwrap_or(0);
        if self.puts_of_all >= PUTS_RATE || both.iter().flatten().any(|(source, rate)| count(source) >= *rate) {
            return Err(StoreRefusal::TooOften);
        }
        self.puts_of_all += 1;
        for (source, _) in both.into_iter().flatten() {
            *self.puts.entry(source).or_default() += 1;
        }
        Ok(())
    }
}

/// Whether an address may be stored with a provider record.
pub fn is_short(address: &Multiaddr) -> bool {
    address.len() <= PROVIDER_ADDRESS_BYTES
}

/// Converts a duration, saturating.
fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests;
