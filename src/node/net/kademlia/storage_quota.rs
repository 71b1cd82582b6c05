//! The source and expiry of each stored entry. Pure.
//!
//! When there is no room, the source with most entries gives some up: its oldest. Keys cost nothing, so a flood
//! comes from many peer ids but few addresses; the source is the address where peers have different ones.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use libp2p::PeerId;

/// Milliseconds since some beginning.
pub type Millis = u64;

/// Who is to answer for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    Address(IpAddr),
    Peer(PeerId),
}

#[derive(Debug)]
pub struct StorageQuota<K> {
    entries: HashMap<K, (Source, Millis)>,
    held: HashMap<Source, usize>,
}

impl<K> Default for StorageQuota<K> {
    fn default() -> Self {
        Self { entries: HashMap::new(), held: HashMap::new() }
    }
}

impl<K: Clone + Eq + Hash> StorageQuota<K> {
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// It is there until then. Who put it there first answers for it.
    pub fn put(&mut self, key: K, source: Source, until: Millis) {
        if let Some((_, known)) = self.entries.get_mut(&key) {
            *known = until;
            return;
        }
        *self.held.entry(source).or_default() += 1;
        self.entries.insert(key, (source, until));
    }

    pub fn remove(&mut self, key: &K) {
        let Some((source, _)) = self.entries.remove(key) else { return };
        if let Some(held) = self.held.get_mut(&source) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&source);
            }
        }
    }

    pub fn until(&self, key: &K) -> Option<Millis> {
        self.entries.get(key).map(|(_, until)| *until)
    }

    /// What is over.
    pub fn over(&self, now: Millis) -> Vec<K> {
        self.entries.iter().filter(|(_, (_, until))| *until <= now).map(|(key, _)| key.clone()).collect()
    }

    /// Returns the entry to evict when there is no room: the oldest of the source with most entries.
    pub fn first_to_go(&self) -> Option<K> {
        let (fullest, _) = self.held.iter().max_by_key(|(_, held)| **held)?;
        let of_fullest = self.entries.iter().filter(|(_, (source, _))| source == fullest);
        of_fullest.min_by_key(|(_, (_, until))| *until).map(|(key, _)| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_holds_most_gives_up_its_oldest() {
        let (flood, other) = (Source::Peer(PeerId::random()), Source::Peer(PeerId::random()));
        let mut ledger = StorageQuota::default();
        ledger.put(0, other, 1);
        for key in 1..=5 {
            ledger.put(key, flood, 10 - key);
        }
        assert_eq!(ledger.first_to_go(), Some(5), "the oldest of all is another one's");
        ledger.put(5, flood, 100);
        assert_eq!(ledger.first_to_go(), Some(4), "that one was put again");
        assert_eq!(ledger.over(1), [0]);
        (1..=5).for_each(|key| ledger.remove(&key));
        assert_eq!((ledger.first_to_go(), ledger.len(), ledger.held.len()), (Some(0), 1, 1));
    }
}
