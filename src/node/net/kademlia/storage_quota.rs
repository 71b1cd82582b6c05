//! The source and expiry of each stored entry. Pure.
//!
//! Without room, the oldest entry of the source with most entries is evicted. Peer ids cost nothing, so a flood comes
//! from many peer ids but few addresses: the source is the address, where peers have different ones.
//!
//! For example, with room for five entries: Mallory stores four records under four peer ids from one address, Alice
//! one. Bob's record evicts Mallory's oldest, and so do the next two: a source that stores less than another loses
//! nothing to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;

use libp2p::PeerId;

/// Milliseconds since some beginning.
pub type Millis = u64;

/// What entries are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// All peers at one IP address.
    Address(IpAddr),
    /// One peer, where all have the same address.
    Peer(PeerId),
}

/// Where an entry is in the order of expiry; of entries that expire at once, the one put first is before.
type Place = (Millis, u64);

/// The entries of one store, with their sources. It stores no content.
#[derive(Debug)]
pub struct StorageQuota<K> {
    /// Each entry's source and place.
    entries: HashMap<K, (Source, Place)>,
    /// All entries in the order of their expiry.
    by_expiry: BTreeMap<Place, K>,
    /// The same of each source.
    of_source: HashMap<Source, BTreeMap<Place, K>>,
    /// The sources, with the number of their entries, in the order of it.
    counts: BTreeSet<(usize, Source)>,
    /// How often something was put.
    puts: u64,
}

impl<K> Default for StorageQuota<K> {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            by_expiry: BTreeMap::new(),
            of_source: HashMap::new(),
            counts: BTreeSet::new(),
            puts: 0,
        }
    }
}

impl<K: Clone + Eq + Hash> StorageQuota<K> {
    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds an entry, or renews its expiry. It goes on counting for its first source.
    pub fn put(&mut self, key: K, source: Source, until: Millis) {
        let source = self.remove(&key).unwrap_or(source);
        self.puts += 1;
        let place = (until, self.puts);
        self.entries.insert(key.clone(), (source, place));
        self.by_expiry.insert(place, key.clone());
        self.change(source, |entries| entries.insert(place, key));
    }

    /// Removes an entry. Returns its source, if it was there.
    pub fn remove(&mut self, key: &K) -> Option<Source> {
        let (source, place) = self.entries.remove(key)?;
        self.by_expiry.remove(&place);
        self.change(source, |entries| entries.remove(&place));
        Some(source)
    }

    /// Changes the entries of a source, and counts them again.
    fn change(&mut self, source: Source, act: impl FnOnce(&mut BTreeMap<Place, K>) -> Option<K>) {
        let entries = self.of_source.entry(source).or_default();
        self.counts.remove(&(entries.len(), source));
        act(entries);
        match entries.len() {
            0 => drop(self.of_source.remove(&source)),
            count => drop(self.counts.insert((count, source))),
        }
    }

    /// Returns when an entry expires, if it is there.
    pub fn until(&self, key: &K) -> Option<Millis> {
        self.entries.get(key).map(|(_, (until, _))| *until)
    }

    /// Returns the source of an entry, if it is there.
    pub fn source(&self, key: &K) -> Option<Source> {
        self.entries.get(key).map(|(source, _)| *source)
    }

    /// Returns the expired entries, the oldest first.
    pub fn expired(&self, now: Millis) -> Vec<K> {
        self.by_expiry.range(..=(now, u64::MAX)).map(|(_, key)| key.clone()).collect()
    }

    /// Returns the entry to evict if there is no room: the oldest of the source with most entries.
    pub fn eviction_candidate(&self) -> Option<K> {
        let (_, fullest) = self.counts.last()?;
        self.of_source.get(fullest)?.values().next().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_entry_of_the_fullest_source_is_evicted_first() {
        let (flood, other) = (Source::Peer(PeerId::random()), Source::Peer(PeerId::random()));
        let mut quota = StorageQuota::default();
        quota.put(0, other, 1);
        for key in 1..=5 {
            quota.put(key, flood, 10 - key);
        }
        assert_eq!(quota.eviction_candidate(), Some(5), "the oldest of all belongs to another source");
        quota.put(5, flood, 100);
        assert_eq!(quota.eviction_candidate(), Some(4), "that one was renewed");
        assert_eq!(quota.expired(1), [0]);
        (1..=5).for_each(|key| assert!(quota.remove(&key).is_some()));
        assert_eq!(
            (quota.eviction_candidate(), quota.len(), quota.counts.len(), quota.by_expiry.len()),
            (Some(0), 1, 1, 1)
        );
    }
}
