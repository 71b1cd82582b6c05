//! Which artifacts are stored, which are pinned, and which is evicted first: an LRU cache with pins. The cache
//! itself reads and writes nothing.
//!
//! An example with room for 10 MB. `game` (4 MB) is installed, `chess` (3 MB) was only run, `editor` (2 MB) was
//! published by this person. Now `maps` (5 MB) is fetched:
//!
//! ```text
//!   artifact   size   pins        last used    fate
//!   game       4 MB   Installed   last week    remains: pinned
//!   editor     2 MB   Own         last month   remains: pinned; no other node may have it yet
//!   chess      3 MB   –           yesterday    evicted: the only one without a pin
//!   maps       5 MB   –           now          stored, although 11 MB is over the bound: only pinned ones were left
//! ```
//!
//! Blocks are counted by the artifacts that use them (`holders`): two versions of a module may share some, and
//! evicting one deletes only the blocks that the other does not use. Blocks that belong to no artifact here (a person's
//! own avatar) are unknown to the cache and never evicted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::records::Records;
use crate::store::{StoreError, Table};
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::Digest;
use gen_registry_core::time::Timestamp;

/// How old a stored time of use may become before it is written again: a page that is served all day is one write in
/// ten minutes.
const USE_GRAIN: Duration = Duration::from_secs(10 * 60);

/// Why an artifact is not evicted. An artifact may have several pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pin {
    /// Published by this profile's person: no other node may have it yet.
    Own,
    /// Installed here.
    Installed,
    /// No pin: it is evicted if there is no room, the one unused for longest first.
    Cached,
}

/// An artifact's entry in its stored form; the key is the artifact's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CacheEntry {
    /// Bytes of the whole, also while blocks are missing.
    size: u64,
    /// Its blocks in order, one possibly several times.
    blocks: Vec<Digest>,
    /// [`Pin::Own`].
    own: bool,
    /// [`Pin::Installed`].
    installed: bool,
    /// When a block of it was last stored or read, to within [`USE_GRAIN`].
    used_at: Timestamp,
}

/// Returns the blocks of every artifact in the store.
pub(crate) async fn blocks_in_use(records: &Records) -> Result<BTreeSet<Digest>, StoreError> {
    let (entries, _) = records.all::<CacheEntry>(Table::Content, "").await?;
    Ok(entries.into_iter().flat_map(|(_, entry)| entry.blocks).collect())
}

impl CacheEntry {
    /// Creates an entry without pins.
    pub(super) fn new(artifact: &Artifact, used_at: Timestamp) -> Self {
        Self { size: artifact.size, blocks: artifact.blocks.clone(), own: false, installed: false, used_at }
    }

    /// Sets or removes a pin. Nothing happens for [`Pin::Cached`].
    pub(super) fn set(&mut self, pin: Pin, pinned: bool) {
        match pin {
            Pin::Own => self.own = pinned,
            Pin::Installed => self.installed = pinned,
            Pin::Cached => {}
        }
    }

    /// Takes over the pins of an older entry.
    pub(super) fn keep_pins_of(&mut self, before: &Self) {
        (self.own, self.installed) = (before.own, before.installed);
    }

    /// Whether any pin keeps it from being evicted.
    fn is_pinned(&self) -> bool {
        self.own || self.installed
    }
}

/// All entries, in memory, with what is computed from them.
#[derive(Debug, Default)]
pub(super) struct CacheIndex {
    /// The entry of each artifact.
    entries: BTreeMap<Digest, CacheEntry>,
    /// The artifacts that use each block.
    holders: HashMap<Digest, BTreeSet<Digest>>,
    /// The sum of all sizes.
    bytes: u64,
    /// The number of artifacts without a pin.
    cached: usize,
}

impl CacheIndex {
    /// Returns an artifact's entry.
    pub(super) fn get(&self, artifact: &Digest) -> Option<&CacheEntry> {
        self.entries.get(artifact)
    }

    /// Returns the bytes of all artifacts; blocks of two artifacts count twice, and missing ones as if they were
    /// stored.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the number of artifacts without a pin.
    pub(super) fn cached(&self) -> usize {
        self.cached
    }

    /// Returns the artifacts with a pin.
    pub(super) fn pinned(&self) -> Vec<Digest> {
        self.entries.iter().filter(|(_, entry)| entry.is_pinned()).map(|(artifact, _)| *artifact).collect()
    }

    /// Adds an artifact, or replaces its entry.
    pub(super) fn put(&mut self, artifact: Digest, entry: CacheEntry) {
        self.remove(&artifact);
        for block in &entry.blocks {
            self.holders.entry(*block).or_default().insert(artifact);
        }
        self.bytes += entry.size;
        self.cached += usize::from(!entry.is_pinned());
        self.entries.insert(artifact, entry);
    }

    /// Removes an artifact. Returns the blocks that no other artifact uses.
    pub(super) fn remove(&mut self, artifact: &Digest) -> Vec<Digest> {
        let Some(entry) = self.entries.remove(artifact) else { return Vec::new() };
        self.bytes -= entry.size;
        self.cached -= usize::from(!entry.is_pinned());
        let mut left = BTreeSet::new();
        for block in entry.blocks {
            let Some(holders) = self.holders.get_mut(&block) else { continue };
            holders.remove(artifact);
            if holders.is_empty() {
                self.holders.remove(&block);
                left.insert(block);
            }
        }
        left.into_iter().collect()
    }

    /// Returns the artifact to evict next: unused for longest, without a pin, and none of `busy`.
    pub(super) fn next_to_evict(&self, busy: &BTreeSet<Digest>) -> Option<Digest> {
        let free = self.entries.iter().filter(|(artifact, entry)| !entry.is_pinned() && !busy.contains(*artifact));
        free.min_by_key(|(artifact, entry)| (entry.used_at, **artifact)).map(|(artifact, _)| *artifact)
    }

    /// Records that a block was used now. Returns the entries to be written because of it.
    pub(super) fn used(&mut self, block: &Digest, now: Timestamp) -> Vec<(Digest, CacheEntry)> {
        let Some(holders) = self.holders.get(block) else { return Vec::new() };
        let mut stale = Vec::new();
        for artifact in holders {
            if let Some(entry) = self.entries.get_mut(artifact).filter(|entry| now > entry.used_at.plus(USE_GRAIN)) {
                entry.used_at = now;
                stale.push((*artifact, entry.clone()));
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
            let mut entry = CacheEntry::new(&artifact, at(number as u64));
            entry.set(*pin, true);
            cache.put(artifact.sha256, entry);
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
