//! The source and expiry of each stored entry. Pure.
//!
//! Without room, the oldest entry of the source with most entries is evicted. Peer ids cost nothing, so a flood comes
//! from many peer ids but few addresses: the source is the address, where peers have different ones.
//!
//! For example, with room for five entries: Mallory stores four records under four peer ids from one address, Alice
//! one. Bob's record evicts Mallory's oldest, and so do the next two: a source that stores less than another loses
//! nothing to it.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use libp2p::PeerId;

/// Milliseconds since some beginning.
pub type Millis = u64;

/// What entries are counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// All peers at one IP address.
    Address(IpAddr),
    /// One peer, where all have the same address.
    Peer(PeerId),
}

/// The entries of one store, with their sources. It stores no content.
#[derive(Debug)]
pub struct StorageQuota<K> {
    /// Each entry's source and expiry.
    entries: HashMap<K, (Source, Millis)>,
    /// The number of entries of each source.
    counts: HashMap<Source, usize>,
}

impl<K> Default for StorageQuota<K> {
    fn default() -> Self {
        Self { entries: HashMap::new(), counts: HashMap::new() }
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
        if let Some((_, expiry)) = self.entries.get_mut(&key) {
            *expiry = until;
            return;
        }
        *self.counts.entry(source).or_default() += 1;
        self.entries.insert(key, (source, until));
    }

    /// Removes an entry, if it is there.
    pub fn remove(&mut self, key: &K) {
        let Some((source, _)) = self.entries.remove(key) else { return };
        if let Some(count) = self.counts.get_mut(&source) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&source);
            }
        }
    }

    /// Returns when an entry expires, if it is there.
    pub fn until(&self, key: &K) -> Option<Millis> {
        self.entries.get(key).map(|(_, until)| *until)
    }

    /// Returns the expired entries.
    pub fn expired(&self, now: Millis) -> Vec<K> {
        self.entries.iter().filter(|(_, (_, until))| *until <= now).map(|(key, _)| key.clone()).collect()
    }

    /// Returns the entry to evict if there is no room: the oldest of the source with most entries.
    pub fn eviction_candidate(&self) -> Option<K> {
        let (fullest, _) = self.counts.iter().max_by_key(|(_, count)| **count)?;
        let of_fullest = self.entries.iter().filter(|(_, (source, _))| source == fullest);
        of_fullest.min_by_key(|(_, (_, until))| *until).map(|(key, _)| key.clone())
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
        (1..=5).for_each(|key| quota.remove(&key));
        assert_eq!((quota.eviction_candidate(), quota.len(), quota.counts.len()), (Some(0), 1, 1));
    }
}
