//! What is kept of artifacts: which are pinned, which were used last, which go first. It reads and writes nothing.
//!
//! Blocks that belong to no artifact here (a person's own avatar) are unknown to it, and never go.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::Digest;
use gen_registry_core::time::Timestamp;

/// How old a stored time of use may become before it is written again.
const USE_GRAIN: Duration = Duration::from_secs(10 * 60);

/// Why an artifact stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Published by this profile's person: no other node may have it yet.
    Own,
    /// Installed here.
    Installed,
    /// Nothing keeps it: it goes when there is no room, the one unused for longest first.
    Cached,
}

/// The stored form, under the artifact's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CacheEntry {
    size: u64,
    blocks: Vec<Digest>,
    own: bool,
    installed: bool,
    used_at: Timestamp,
}

impl CacheEntry {
    pub(super) fn new(artifact: &Artifact, used_at: Timestamp) -> Self {
        Self { size: artifact.size, blocks: artifact.blocks.clone(), own: false, installed: false, used_at }
    }

    pub(super) fn set(&mut self, pin: Pin, pinned: bool) {
        match pin {
            Pin::Own => self.own = pinned,
            Pin::Installed => self.installed = pinned,
            Pin::Cached => {}
        }
    }

    pub(super) fn keep_pins_of(&mut self, before: &Self) {
        (self.own, self.installed) = (before.own, before.installed);
    }

    fn is_pinned(&self) -> bool {
        self.own || self.installed
    }
}

#[derive(Debug, Default)]
pub(super) struct CacheIndex {
    kept: BTreeMap<Digest, CacheEntry>,
    /// Whose a block is.
    holders: HashMap<Digest, BTreeSet<Digest>>,
    bytes: u64,
    cached: usize,
}

impl CacheIndex {
    pub(super) fn get(&self, artifact: &Digest) -> Option<&CacheEntry> {
        self.kept.get(artifact)
    }

    /// All that is kept, in bytes; blocks of two artifacts count twice, and missing ones as if they were here.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Artifacts without a pin.
    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    /// Those with a pin.
    pub(super) fn pinned(&self) -> Vec<Digest> {
        self.kept.iter().filter(|(_, kept)| kept.is_pinned()).map(|(artifact, _)| *artifact).collect()
    }

    pub(super) fn put(&mut self, artifact: Digest, kept: CacheEntry) {
        self.remove(&artifact);
        for block in &kept.blocks {
            self.holders.entry(*block).or_default().insert(artifact);
        }
        self.bytes += kept.size;
        self.cached += usize::from(!kept.is_pinned());
        self.kept.insert(artifact, kept);
    }

    /// Removes an artifact. Returns the blocks that no other artifact uses.
    pub(super) fn remove(&mut self, artifact: &Digest) -> Vec<Digest> {
        let Some(kept) = self.kept.remove(artifact) else { return Vec::new() };
        self.bytes -= kept.size;
        self.cached -= usize::from(!kept.is_pinned());
        let mut left = BTreeSet::new();
        for block in kept.blocks {
            let Some(holders) = self.holders.get_mut(&block) else { continue };
            holders.remove(artifact);
            if holders.is_empty() {
                self.holders.remove(&block);
                left.insert(block);
            }
        }
        left.into_iter().collect()
    }

    /// The artifact that goes first: unused for longest, without a pin, and none of `busy`.
    pub(super) fn next_to_evict(&self, busy: &BTreeSet<Digest>) -> Option<Digest> {
        let free = self.kept.iter().filter(|(artifact, kept)| !kept.is_pinned() && !busy.contains(*artifact));
        free.min_by_key(|(artifact, kept)| (kept.used_at, **artifact)).map(|(artifact, _)| *artifact)
    }

    /// Notes that a block was used. The records that are to be written because of it.
    pub(super) fn used(&mut self, block: &Digest, now: Timestamp) -> Vec<(Digest, CacheEntry)> {
        let Some(holders) = self.holders.get(block) else { return Vec::new() };
        let mut stale = Vec::new();
        for artifact in holders {
            if let Some(kept) = self.kept.get_mut(artifact).filter(|kept| now > kept.used_at.plus(USE_GRAIN)) {
                kept.used_at = now;
                stale.push((*artifact, kept.clone()));
            }
        }
        stale
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_registry_core::limits::BLOCK_MAX_BYTES;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(minutes * 60_000)
    }

    /// Two blocks: the first is in every artifact.
    fn artifact(number: u8) -> Artifact {
        Artifact::of(&[vec![0; BLOCK_MAX_BYTES], vec![number]].concat())
    }

    fn cache(pins: &[Pin]) -> CacheIndex {
        let mut cache = CacheIndex::default();
        for (number, pin) in pins.iter().enumerate() {
            let artifact = artifact(number as u8);
            let mut kept = CacheEntry::new(&artifact, at(number as u64));
            kept.set(*pin, true);
            cache.put(artifact.sha256, kept);
        }
        cache
    }

    #[test]
    fn least_recently_used_artifact_is_evicted_and_pinned_ones_never() {
        let mut cache = cache(&[Pin::Own, Pin::Cached, Pin::Installed, Pin::Cached]);
        let [_, first, _, last] = [0, 1, 2, 3].map(artifact);
        assert_eq!(cache.next_to_evict(&BTreeSet::new()), Some(first.sha256));
        assert_eq!(cache.next_to_evict(&[first.sha256].into()), Some(last.sha256));
        assert_eq!(cache.used(&first.blocks[1], at(5)), [], "used a short while ago: not worth a write");
        assert_eq!(cache.used(&first.blocks[1], at(30)).len(), 1);
        assert_eq!(cache.next_to_evict(&BTreeSet::new()), Some(last.sha256), "the other one is older now");
        cache.remove(&last.sha256);
        cache.remove(&first.sha256);
        assert_eq!(cache.next_to_evict(&BTreeSet::new()), None);
        let mut unpinned = cache.get(&artifact(2).sha256).cloned().expect("it is on the shelf");
        unpinned.set(Pin::Installed, false);
        cache.put(artifact(2).sha256, unpinned);
        assert_eq!(cache.next_to_evict(&BTreeSet::new()), Some(artifact(2).sha256));
    }

    #[test]
    fn shared_block_is_removed_with_its_last_artifact() {
        let mut cache = cache(&[Pin::Cached, Pin::Cached]);
        assert_eq!((cache.bytes(), cache.cached()), (2 * (BLOCK_MAX_BYTES as u64 + 1), 2));
        let (one, two) = (artifact(0), artifact(1));
        assert_eq!(cache.remove(&one.sha256), [one.blocks[1]]);
        let mut both = two.blocks.clone();
        both.sort();
        assert_eq!(cache.remove(&two.sha256), both);
        assert_eq!((cache.bytes(), cache.cached(), cache.remove(&two.sha256)), (0, 0, vec![]));
    }
}
