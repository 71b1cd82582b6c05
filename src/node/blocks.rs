//! Content: the blocks of modules and pictures, stored here, fetched from peers and served to them.
//!
//! An [`Artifact`] names a file: the SHA-256 of the whole and of each block of at most 256 KiB. What a release says of
//! the file is not examined here.
//!
//! - what is stored and what is evicted: `cache`, with an example; requesting from peers: `fetcher`; answering peers:
//!   `server`, within a limit of the person's choice: `upload`; people's pictures: `avatars`
//!
//! A file is fetched in this order: room is made and its entry stored (`reserve`), then the missing blocks arrive one
//! by one, each verified and stored, then the whole is read and compared with its hash. The entry comes before the
//! blocks, so that an interrupted fetch leaves nothing behind that can't be evicted.

mod avatars;
pub(crate) mod cache;
mod error;
mod fetcher;
mod server;
pub(crate) mod upload;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::rc::Rc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{self, Either};
use futures::{FutureExt, StreamExt, pin_mut, select};
use futures_timer::Delay;

use crate::context::Context;
use crate::key_store::KeyStore;
use crate::peers::PeerTable;
use crate::registry::Registry;
use crate::reputation::ReputationTracker;
use crate::store::records::{StoredRecord, put, put_large};
use crate::store::{Batch, Durability, StoreError, Table, Write};
pub use cache::Pin;
use cache::{CacheEntry, CacheIndex};
pub use error::ContentError;
use fetcher::FetchRequest;
pub(crate) use fetcher::run as fetch_from_peers;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::{Digest, cid_of, hash_in};
use gen_registry_core::limits::BLOCK_MAX_BYTES;
pub(crate) use server::serve;

/// Bytes for content where the platform reports no quota; else content may take half of the quota.
pub const CONTENT_BYTES_FALLBACK: u64 = 256 * 1024 * 1024;
/// Artifacts without a pin; each takes some memory, however small it is.
pub const CACHED_MAX: usize = 4_096;
/// Files that are fetched at once, and as many pictures besides; more wait for their turn.
pub const FETCHES_MAX: usize = 4;
/// A fetch that takes longer also looks for providers that are not connected, in Kademlia.
pub const LOOK_FURTHER_AFTER: Duration = Duration::from_secs(2);

/// Blocks that are read from the store in one go: 2 MiB, which is little memory and still saves most of the waiting.
const READ_TOGETHER: usize = 8;

/// How far a fetch is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes that are stored.
    pub done: u64,
    /// Bytes of the whole.
    pub total: u64,
}

/// The service that stores content, fetches it and serves it to peers.
pub struct ContentStore {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    peers: Rc<PeerTable>,
    reputation: Rc<ReputationTracker>,
    /// Read from the store at the first need.
    cache: RefCell<Option<CacheIndex>>,
    /// Held while cache and store change together, so that no other task sees one without the other.
    changing: async_lock::Mutex<()>,
    fetches: Fetches,
    /// How much each peer has requested lately.
    rates: RefCell<server::RateLimits>,
    /// How much all peers together are given.
    upload: upload::Upload,
}

/// Fetches under way, and the way to the task that asks peers.
struct Fetches {
    /// Artifacts that are fetched: each by one at a time.
    busy: RefCell<BTreeMap<Digest, Rc<async_lock::Mutex<()>>>>,
    files: async_lock::Semaphore,
    pictures: async_lock::Semaphore,
    /// Requests to the task that fetches from peers, once it runs.
    requests: RefCell<Option<mpsc::UnboundedSender<FetchRequest>>>,
}

impl Default for Fetches {
    fn default() -> Self {
        Self {
            busy: RefCell::default(),
            files: async_lock::Semaphore::new(FETCHES_MAX),
            pictures: async_lock::Semaphore::new(FETCHES_MAX),
            requests: RefCell::default(),
        }
    }
}

impl Fetches {
    /// Returns the lock of one artifact. Two fetches of it run one after the other, and the second finds everything
    /// stored.
    fn lock_of(&self, artifact: Digest) -> Rc<async_lock::Mutex<()>> {
        let mut busy = self.busy.borrow_mut();
        busy.retain(|_, lock| Rc::strong_count(lock) > 1);
        busy.entry(artifact).or_default().clone()
    }

    /// Returns the artifacts that are being fetched, which must not be evicted.
    fn busy(&self) -> BTreeSet<Digest> {
        let busy = self.busy.borrow();
        busy.iter().filter(|(_, lock)| Rc::strong_count(lock) > 1).map(|(artifact, _)| *artifact).collect()
    }
}

impl ContentStore {
    /// Creates the service with the stored limit on what is given to others; the cache is read at its first use.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        peers: Rc<PeerTable>,
        reputation: Rc<ReputationTracker>,
        upload: upload::UploadRecord,
    ) -> Self {
        let upload = upload::Upload::new(upload);
        let (cache, changing) = (RefCell::default(), async_lock::Mutex::new(()));
        let (fetches, rates) = (Fetches::default(), RefCell::default());
        Self { context, keys, registry, peers, reputation, cache, changing, fetches, rates, upload }
    }

    /// Lets peers be asked from now on. Returns the requests for [`fetch_from_peers`].
    pub(crate) fn open(&self) -> mpsc::UnboundedReceiver<FetchRequest> {
        // Unbounded: a request is sent under a permit of one of two semaphores of `FETCHES_MAX` each.
        let (requests, receiver) = mpsc::unbounded();
        *self.fetches.requests.borrow_mut() = Some(requests);
        receiver
    }

    /// Ends that: the node has left its network, and further fetches fail with [`ContentError::Alone`].
    pub(crate) fn close(&self) {
        *self.fetches.requests.borrow_mut() = None;
    }

    /// Stores a file under a pin: all of its blocks and its entry in one batch, or nothing.
    pub async fn keep_artifact(&self, bytes: &[u8], pin: Pin) -> Result<Artifact, ContentError> {
        let artifact = Artifact::of(bytes);
        artifact.check()?;
        let _one_at_a_time = self.changing.lock().await;
        let entry = self.entry_with_pin(&artifact, pin).await?;
        let mut batch = Batch::new();
        for (block, bytes) in artifact.blocks.iter().zip(bytes.chunks(BLOCK_MAX_BYTES)) {
            batch.push(self.block_write(block, bytes).await);
        }
        batch.push(entry_write(&artifact.sha256, &entry));
        self.make_room(&artifact).await?;
        self.commit_content(batch, Durability::Strict).await?;
        self.with_cache(|cache| cache.put(artifact.sha256, entry));
        Ok(artifact)
    }

    /// Pins an artifact: it is not evicted, whatever room is needed. Its blocks need not be here yet.
    pub async fn pin_artifact(&self, artifact: &Artifact, pin: Pin) -> Result<(), ContentError> {
        self.change_pin(artifact, pin, true).await
    }

    /// Removes one pin. Without any other, the artifact may be evicted.
    pub async fn unpin_artifact(&self, artifact: &Artifact, pin: Pin) -> Result<(), ContentError> {
        self.change_pin(artifact, pin, false).await
    }

    /// Fetches the missing blocks from connected peers, several at once, and calls `progress` after each. On success
    /// every block is stored and the whole has its hash. If it fails or is dropped, the blocks received so far remain,
    /// and the next fetch requests the rest. A whole that contradicts its own description is removed: no peer is at
    /// fault for that.
    pub async fn fetch(&self, artifact: &Artifact, progress: impl Fn(Progress)) -> Result<(), ContentError> {
        artifact.check()?;
        let busy = self.fetches.lock_of(artifact.sha256);
        let _alone = busy.lock().await;
        self.reserve(artifact).await?;
        let missing = self.missing_blocks(artifact).await?;
        let missing_bytes: u64 = missing.iter().map(|block| bytes_in(artifact, block)).sum();
        let mut done = artifact.size - missing_bytes;
        progress(Progress { done, total: artifact.size });
        if !missing.is_empty() {
            let _place = self.fetches.files.acquire().await;
            let on_block = |block: Digest| {
                done += bytes_in(artifact, &block);
                progress(Progress { done, total: artifact.size });
            };
            let looking = self.look_for_holders(&artifact.sha256);
            pin_mut!(looking);
            let fetching = self.fetch_blocks(missing, on_block);
            pin_mut!(fetching);
            match future::select(fetching, looking).await {
                Either::Left((fetched, _)) => fetched?,
                Either::Right((never, _)) => match never {},
            }
        }
        let whole = self.artifact_bytes(artifact).await;
        if matches!(whole, Err(ContentError::Contradiction)) {
            // The description was false; no peer is at fault.
            self.forget_artifact(&artifact.sha256).await?;
        }
        whole.map(drop)
    }

    /// Fetches the missing blocks of a checkpoint's data from connected peers. They are never evicted.
    pub(crate) async fn fetch_data(&self, data: &Artifact) -> Result<(), ContentError> {
        data.check()?;
        let busy = self.fetches.lock_of(data.sha256);
        let _alone = busy.lock().await;
        let missing = self.missing_blocks(data).await?;
        if missing.is_empty() {
            return Ok(());
        }
        self.fetch_blocks(missing, |_| ()).await
    }

    /// Dials providers of a file, once connected peers have had [`LOOK_FURTHER_AFTER`] to send it. Never returns.
    async fn look_for_holders(&self, artifact: &Digest) -> Infallible {
        Delay::new(LOOK_FURTHER_AFTER).await;
        if let Some(mesh) = self.peers.mesh() {
            let holders = mesh.providers(*artifact.as_bytes()).await;
            self.peers.connect_to_some(&mesh, holders);
        }
        future::pending().await
    }

    /// Returns the artifacts with a pin: this node is a provider of them.
    pub(crate) async fn pinned_artifacts(&self) -> Vec<Digest> {
        if let Err(error) = self.load_cache().await {
            tracing::warn!(%error, "the content cache can't be read");
        }
        self.with_cache(|cache| cache.pinned())
    }

    /// Returns the bytes of an artifact, compared with its hash. Fails with [`ContentError::Incomplete`] if a block is
    /// missing.
    pub async fn artifact_bytes(&self, artifact: &Artifact) -> Result<Vec<u8>, ContentError> {
        artifact.check()?;
        // Room for what comes, not for what is only said.
        let mut bytes = Vec::new();
        for blocks in artifact.blocks.chunks(READ_TOGETHER) {
            for found in self.stored_blocks(blocks).await? {
                bytes.extend_from_slice(&found.ok_or(ContentError::Incomplete)?);
                if bytes.len() as u64 > artifact.size {
                    return Err(ContentError::Contradiction);
                }
            }
        }
        let is_whole = bytes.len() as u64 == artifact.size;
        if !is_whole || self.context.environment.hash(&bytes).await != artifact.sha256 {
            return Err(ContentError::Contradiction);
        }
        if let Some(block) = artifact.blocks.first() {
            self.note_use(block).await;
        }
        Ok(bytes)
    }

    /// Returns how much of an artifact is stored.
    pub async fn artifact_progress(&self, artifact: &Artifact) -> Result<Progress, ContentError> {
        artifact.check()?;
        let missing = self.missing_blocks(artifact).await?;
        let missing_bytes: u64 = missing.iter().map(|block| bytes_in(artifact, block)).sum();
        Ok(Progress { done: artifact.size - missing_bytes, total: artifact.size })
    }

    /// Returns the blocks that are not stored, each once.
    async fn missing_blocks(&self, artifact: &Artifact) -> Result<Vec<Digest>, StoreError> {
        let mut seen = BTreeSet::new();
        let each: Vec<Digest> = artifact.blocks.iter().copied().filter(|block| seen.insert(*block)).collect();
        let mut missing = Vec::new();
        for blocks in each.chunks(READ_TOGETHER) {
            let found = self.stored_blocks(blocks).await?;
            missing.extend(blocks.iter().zip(found).filter(|(_, bytes)| bytes.is_none()).map(|(block, _)| *block));
        }
        Ok(missing)
    }

    /// Has the fetcher's task fetch blocks and calls `on_block` for each that was stored.
    async fn fetch_blocks(&self, blocks: Vec<Digest>, mut on_block: impl FnMut(Digest)) -> Result<(), ContentError> {
        let requests = self.fetches.requests.borrow().clone().ok_or(ContentError::Alone)?;
        // Unbounded: one message for each of the requested blocks.
        let (got, mut coming) = mpsc::unbounded();
        let (done, ended) = oneshot::channel();
        requests.unbounded_send(FetchRequest { blocks, got, done }).map_err(|_| ContentError::Alone)?;
        let mut ended = ended.fuse();
        loop {
            select! {
                block = coming.select_next_some() => on_block(block),
                result = ended => {
                    while let Ok(block) = coming.try_recv() {
                        on_block(block);
                    }
                    return result.unwrap_or(Err(ContentError::Alone));
                }
            }
        }
    }

    /// Returns a stored block. A damaged one is moved to quarantine and counts as missing: it can be fetched again.
    pub(crate) async fn stored_block(&self, block: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.stored_blocks(std::slice::from_ref(block)).await?.pop().flatten())
    }

    /// Returns stored blocks in their order, read in one go; damaged ones as above. The caller bounds how many.
    async fn stored_blocks(&self, blocks: &[Digest]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let keys: Vec<String> = blocks.iter().map(|block| cid_of(block).to_string()).collect();
        let Context { records, environment, .. } = &*self.context;
        let found = records.get_many_large::<serde_bytes::ByteBuf>(&**environment, Table::Blocks, &keys).await?;
        let mut stored = Vec::with_capacity(found.len());
        for record in found {
            stored.push(match record {
                StoredRecord::Record(bytes) => Some(bytes.into_vec()),
                StoredRecord::Nothing => None,
                StoredRecord::Damaged(damaged) => {
                    self.context.quarantine(&damaged).await;
                    None
                }
            });
        }
        Ok(stored)
    }

    /// Returns the write of one block.
    async fn block_write(&self, block: &Digest, bytes: &[u8]) -> Write {
        let (key, record) = (cid_of(block).to_string(), serde_bytes::Bytes::new(bytes));
        put_large(&*self.context.environment, Table::Blocks, &key, &record).await
    }

    /// Stores verified blocks, all or none; evicts artifacts if the device is full.
    async fn store_blocks(&self, blocks: &[(Digest, Vec<u8>)]) -> Result<(), StoreError> {
        let mut batch = Batch::new();
        for (block, bytes) in blocks {
            batch.push(self.block_write(block, bytes).await);
        }
        match self.context.records.commit(batch.clone(), Durability::Relaxed).await {
            Err(StoreError::Full) => {
                let _one_at_a_time = self.changing.lock().await;
                self.load_cache().await?;
                self.commit_content(batch, Durability::Relaxed).await
            }
            result => result,
        }
    }

    /// Makes room for an artifact and stores its entry, before any of its blocks.
    async fn reserve(&self, artifact: &Artifact) -> Result<(), StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        let entry = self.entry_with_pin(artifact, Pin::Cached).await?;
        self.make_room(artifact).await?;
        self.commit_content(vec![entry_write(&artifact.sha256, &entry)], Durability::Relaxed).await?;
        self.with_cache(|cache| cache.put(artifact.sha256, entry));
        Ok(())
    }

    /// Sets or removes one pin, in the store and then in memory.
    async fn change_pin(&self, artifact: &Artifact, pin: Pin, pinned: bool) -> Result<(), ContentError> {
        artifact.check()?;
        let _one_at_a_time = self.changing.lock().await;
        let mut entry = self.entry_with_pin(artifact, Pin::Cached).await?;
        entry.set(pin, pinned);
        self.commit_content(vec![entry_write(&artifact.sha256, &entry)], Durability::Strict).await?;
        self.with_cache(|cache| cache.put(artifact.sha256, entry));
        Ok(())
    }

    /// Returns an artifact's entry, used now, with its present pins and one more. Changes nothing.
    async fn entry_with_pin(&self, artifact: &Artifact, pin: Pin) -> Result<CacheEntry, StoreError> {
        self.load_cache().await?;
        let mut entry = CacheEntry::new(artifact, self.context.now());
        if let Some(before) = self.with_cache(|cache| cache.get(&artifact.sha256).cloned()) {
            entry.keep_pins_of(&before);
        }
        entry.set(pin, true);
        Ok(entry)
    }

    /// Records that a block was used, for the order of eviction.
    pub(crate) async fn note_use(&self, block: &Digest) {
        if let Err(error) = self.load_cache().await {
            tracing::debug!(%error, "use of a block not recorded");
        }
        let now = self.context.now();
        let stale = self.cache.borrow_mut().as_mut().map(|cache| cache.used(block, now));
        let batch: Batch =
            stale.unwrap_or_default().iter().map(|(artifact, entry)| entry_write(artifact, entry)).collect();
        if batch.is_empty() {
            return;
        }
        if let Err(error) = self.context.records.commit(batch, Durability::Relaxed).await {
            tracing::debug!(%error, "use of a block not recorded");
        }
    }

    /// Reads the cache's entries at the first use. Entries that are damaged are moved to quarantine; their blocks
    /// remain.
    async fn load_cache(&self) -> Result<(), StoreError> {
        if self.cache.borrow().is_some() {
            return Ok(());
        }
        let (records, damaged) = self.context.records.all::<CacheEntry>(Table::Content, "").await?;
        for found in &damaged {
            // Its blocks belong to no artifact now, and stay.
            self.context.quarantine(found).await;
        }
        // Somebody else may have read it meanwhile, and changed it.
        if self.cache.borrow().is_some() {
            return Ok(());
        }
        let mut cache = CacheIndex::default();
        for (key, entry) in records {
            if let Ok(artifact) = key.parse() {
                cache.put(artifact, entry);
            }
        }
        *self.cache.borrow_mut() = Some(cache);
        Ok(())
    }

    fn with_cache<T>(&self, act: impl FnOnce(&mut CacheIndex) -> T) -> T {
        act(self.cache.borrow_mut().get_or_insert_default())
    }

    /// Evicts artifacts until another one fits as well, or only pinned ones are left. It is not refused then: a pin is
    /// the person's own decision, and the device itself sets the last limit.
    async fn make_room(&self, artifact: &Artifact) -> Result<(), StoreError> {
        if self.with_cache(|cache| cache.get(&artifact.sha256).is_some()) {
            return Ok(());
        }
        let bytes = artifact.size;
        let quota = self.context.environment.storage_use().await.quota;
        let bound = quota.map_or(CONTENT_BYTES_FALLBACK, |quota| quota / 2);
        while self.with_cache(|cache| cache.bytes().saturating_add(bytes) > bound || cache.cached() >= CACHED_MAX) {
            if !self.evict_one().await? {
                break;
            }
        }
        Ok(())
    }

    /// Commits a batch; while the device is full, evicts artifacts and tries again.
    async fn commit_content(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        loop {
            match self.context.records.commit(batch.clone(), durability).await {
                Err(StoreError::Full) if self.evict_one().await.unwrap_or(false) => {}
                result => return result,
            }
        }
    }

    /// Evicts the artifact that is due next. Returns false if there is none.
    async fn evict_one(&self) -> Result<bool, StoreError> {
        let busy = self.fetches.busy();
        match self.with_cache(|cache| cache.next_to_evict(&busy)) {
            Some(artifact) => self.evict(&artifact).await.map(|()| true),
            None => Ok(false),
        }
    }

    /// Deletes an artifact's entry together with the blocks that no other artifact uses. Restores it in memory on
    /// failure.
    async fn evict(&self, artifact: &Digest) -> Result<(), StoreError> {
        let Some(entry) = self.with_cache(|cache| cache.get(artifact).cloned()) else { return Ok(()) };
        let unused = self.with_cache(|cache| cache.remove(artifact));
        let own = self.own_avatar();
        let unused = unused.iter().filter(|block| Some(**block) != own);
        let deletes = unused.map(|block| Write::Delete { table: Table::Blocks, key: cid_of(block).to_string() });
        let record = Write::Delete { table: Table::Content, key: artifact.to_string() };
        let deleted = self.context.records.commit(deletes.chain([record]).collect(), Durability::Relaxed).await;
        if deleted.is_err() {
            self.with_cache(|cache| cache.put(*artifact, entry));
        }
        deleted
    }

    /// Deletes an artifact, pinned or not.
    async fn forget_artifact(&self, artifact: &Digest) -> Result<(), StoreError> {
        let _one_at_a_time = self.changing.lock().await;
        self.load_cache().await?;
        self.evict(artifact).await
    }

    /// Returns the block of the own avatar, which belongs to no artifact: it must not be deleted with another person's
    /// file.
    fn own_avatar(&self) -> Option<Digest> {
        let own = self.keys.identity()?;
        let read_model = self.registry.read_model();
        hash_in(&read_model.person(&own)?.profile.avatar.as_ref()?.parse().ok()?)
    }
}

/// Returns how many bytes of an artifact are this block, which may occur in it more than once.
fn bytes_in(artifact: &Artifact, block: &Digest) -> u64 {
    let places = artifact.blocks.iter().enumerate().filter(|(_, known)| *known == block);
    places.map(|(nth, _)| artifact.block_range(nth).len() as u64).sum()
}

/// Returns the write of a cache entry.
fn entry_write(artifact: &Digest, entry: &CacheEntry) -> Write {
    put(Table::Content, &artifact.to_string(), entry)
}
