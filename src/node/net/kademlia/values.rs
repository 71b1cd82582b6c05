//! What a Kademlia server stores for others: values that prove themselves, and hints who has some content.
//!
//! What proves a value is a [`ValidateRecord`]'s business. Without one no value is stored at all.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use libp2p::kad::store::{MemoryStore, RecordStore};
use libp2p::kad::{ProviderRecord, Record, RecordKey};
use libp2p::{Multiaddr, PeerId};

use super::storage_quota::{Millis, Source, StorageQuota};
use super::{
    KEY_MAX_BYTES, PROVIDED_KEYS_MAX, PROVIDER_ADDRESS_BYTES, PROVIDER_ADDRESSES, PROVIDER_TIME, PROVIDERS_PER_KEY,
    VALUE_MAX_BYTES, VALUE_TIME, VALUES_MAX,
};

/// Values and hints in each [`RATE_TIME`] by one peer: a person has one name and a few modules.
pub const PUTS_PER_PEER_RATE: u32 = 120;
/// Many people may stand behind one address.
pub const PUTS_PER_ADDRESS_RATE: u32 = 1_200;
/// Everybody together: keys cost nothing, and each signature takes time.
pub const PUTS_RATE: u32 = 6_000;
pub const RATE_TIME: Duration = Duration::from_secs(60);

/// Knows what proves a value.
pub trait ValidateRecord: Send + Sync {
    /// Whether this value may be stored under this key at this time (milliseconds since 1970), replacing the present
    /// one if any; the error says what is wrong with it.
    fn verify(&self, key: &[u8], value: &[u8], there: Option<&[u8]>, now: Millis) -> Result<bool, RecordFault>;
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordFault {
    Unreadable,
    /// Signed by somebody else, for another network, or not at all.
    Forged,
    /// It is about something else.
    WrongKey,
    /// It breaks a rule of the network.
    Rule,
}

/// Why something is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreRefusal {
    /// This server belongs to no network whose values it could validate.
    NoNetwork,
    Oversized,
    Bad(RecordFault),
    /// What is there is better.
    NotBetter,
    TooOften,
    Full,
}

/// What storing came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    New,
    /// It was there and stays longer.
    Again,
}

/// Who wants something stored.
#[derive(Clone, Copy, Debug)]
pub struct From {
    pub peer: PeerId,
    /// `None` where all peers have one address.
    pub address: Option<IpAddr>,
}

impl From {
    fn source(&self) -> Source {
        self.address.map_or(Source::Peer(self.peer), Source::Address)
    }
}

/// Decides what one server's store takes. Times are milliseconds since 1970.
#[derive(Default)]
pub struct Values {
    validator: Option<Arc<dyn ValidateRecord>>,
    values: StorageQuota<RecordKey>,
    providers: StorageQuota<(RecordKey, PeerId)>,
    spent: HashMap<Source, u32>,
    spent_by_all: u32,
    spent_since: Millis,
}

impl Values {
    pub fn new(validator: Option<Arc<dyn ValidateRecord>>) -> Self {
        Self { validator, ..Self::default() }
    }

    /// Stores a value, if it is good and better than what is there.
    pub fn take_in(
        &mut self,
        store: &mut MemoryStore,
        mut record: Record,
        from: From,
        now: Millis,
        is_connected: impl Fn(&PeerId) -> bool,
    ) -> Result<Stored, StoreRefusal> {
        let validator = self.validator.clone().ok_or(StoreRefusal::NoNetwork)?;
        if record.value.len() > VALUE_MAX_BYTES || record.key.as_ref().len() > KEY_MAX_BYTES {
            return Err(StoreRefusal::Oversized);
        }
        // Before anything that costs time.
        self.spend(from, now)?;
        let until = now + millis(VALUE_TIME);
        let there = self.values.until(&record.key).filter(|until| *until > now).and_then(|_| store.get(&record.key));
        let value = there.as_ref().map(|there| there.value.as_slice());
        if let Some(there) = &there
            && there.value == record.value
        {
            // A record from its publisher proves that the publisher is here; it evicts no record of a peer that is
            // still here.
            let first_hand = record.publisher == Some(from.peer);
            if !first_hand || there.publisher.is_some_and(|publisher| is_connected(&publisher)) {
                record.publisher = there.publisher;
            }
            store.put(record.clone()).map_err(|_| StoreRefusal::Full)?;
            self.values.put(record.key, from.source(), until);
            return Ok(Stored::Again);
        }
        if !validator.verify(record.key.as_ref(), &record.value, value, now).map_err(StoreRefusal::Bad)? {
            return Err(StoreRefusal::NotBetter);
        }
        if there.is_none() {
            while self.values.len() >= VALUES_MAX {
                let first = self.values.first_to_go().ok_or(StoreRefusal::Full)?;
                self.forget_value(store, &first);
            }
        }
        let key = record.key.clone();
        store.put(record).map_err(|_| StoreRefusal::Full)?;
        self.values.put(key, from.source(), until);
        Ok(Stored::New)
    }

    /// Stores a hint that a peer has something. Who is gone makes room for who comes.
    pub fn take_hint(
        &mut self,
        store: &mut MemoryStore,
        mut record: ProviderRecord,
        from: From,
        now: Millis,
        is_connected: impl Fn(&PeerId) -> bool,
    ) -> Result<Stored, StoreRefusal> {
        if record.key.as_ref().len() > KEY_MAX_BYTES {
            return Err(StoreRefusal::Oversized);
        }
        self.spend(from, now)?;
        record.addresses.retain(is_short);
        record.addresses.truncate(PROVIDER_ADDRESSES);
        let place = (record.key.clone(), record.provider);
        let known = self.providers.until(&place).is_some();
        if !known {
            let others = store.providers(&record.key);
            if others.len() >= PROVIDERS_PER_KEY {
                let until = |other: &&ProviderRecord| self.providers.until(&(other.key.clone(), other.provider));
                let gone = others.iter().filter(|other| !is_connected(&other.provider)).min_by_key(until);
                let gone = gone.ok_or(StoreRefusal::Full)?;
                self.forget_hint(store, &(gone.key.clone(), gone.provider));
            }
            // As many hints as keys: most things have one provider.
            while self.providers.len() >= PROVIDED_KEYS_MAX {
                let first = self.providers.first_to_go().ok_or(StoreRefusal::Full)?;
                self.forget_hint(store, &first);
            }
        }
        store.add_provider(record).map_err(|_| StoreRefusal::Full)?;
        self.providers.put(place, from.source(), now + millis(PROVIDER_TIME));
        Ok(if known { Stored::Again } else { Stored::New })
    }

    /// Forgets what is over; to be called now and then.
    pub fn tidy(&mut self, store: &mut MemoryStore, now: Millis) {
        for key in self.values.over(now) {
            self.forget_value(store, &key);
        }
        for place in self.providers.over(now) {
            self.forget_hint(store, &place);
        }
    }

    fn forget_value(&mut self, store: &mut MemoryStore, key: &RecordKey) {
        store.remove(key);
        self.values.remove(key);
    }

    fn forget_hint(&mut self, store: &mut MemoryStore, place: &(RecordKey, PeerId)) {
        store.remove_provider(&place.0, &place.1);
        self.providers.remove(place);
    }

    /// One more of what a peer, and all behind its address, may do in a time.
    fn spend(&mut self, from: From, now: Millis) -> Result<(), StoreRefusal> {
        if now >= self.spent_since + millis(RATE_TIME) {
            (self.spent, self.spent_by_all, self.spent_since) = (HashMap::new(), 0, now);
        }
        let peer = (Source::Peer(from.peer), PUTS_PER_PEER_RATE);
        let address = from.address.map(|address| (Source::Address(address), PUTS_PER_ADDRESS_RATE));
        let both = [Some(peer), address];
        let spent = |source: &Source| self.spent.get(source).copied().unwrap_or(0);
        if self.spent_by_all >= PUTS_RATE || both.iter().flatten().any(|(source, rate)| spent(source) >= *rate) {
            return Err(StoreRefusal::TooOften);
        }
        self.spent_by_all += 1;
        for (source, _) in both.into_iter().flatten() {
            *self.spent.entry(source).or_default() += 1;
        }
        Ok(())
    }
}

pub fn is_short(address: &Multiaddr) -> bool {
    address.len() <= PROVIDER_ADDRESS_BYTES
}

fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(Millis::MAX)
}

#[cfg(test)]
mod tests;
