//! A store that is watched, and that hangs or is full when a test wants it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Batch, Durability, Entry, Store, StoreError, Table, Write};
use tokio::time::Instant;

/// A store of which is seen which blocks were read, that can be made to hang and to be full.
#[derive(Default)]
pub struct WatchedStore {
    inner: MemoryStore,
    pub reads: RefCell<BTreeMap<String, usize>>,
    /// After so many more blocks that were found, reads of blocks wait.
    pub hangs_after: Cell<Option<usize>>,
    /// Bytes that fit.
    pub room: Cell<Option<usize>>,
    pub used: RefCell<BTreeMap<(Table, String), usize>>,
    /// How long each write takes, as on a slow disk.
    pub commit_takes: Cell<Duration>,
    /// When each batch was committed, and the tables it wrote to.
    pub commits: RefCell<Vec<(Instant, BTreeSet<Table>)>>,
}

impl WatchedStore {
    pub fn restarted(&self) -> Rc<Self> {
        Rc::new(Self { inner: self.inner.copy(), used: self.used.clone(), ..Self::default() })
    }

    pub fn blocks(&self) -> Vec<String> {
        self.inner.keys(Table::Blocks)
    }

    pub fn reads(&self) -> usize {
        self.reads.borrow().values().sum()
    }
}

impl Store for WatchedStore {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(async move {
            let found = self.inner.get(table, key).await;
            if table == Table::Blocks && matches!(found, Ok(Some(_))) {
                while self.hangs_after.get() == Some(0) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                self.hangs_after.set(self.hangs_after.get().map(|left| left - 1));
                *self.reads.borrow_mut().entry(key.to_owned()).or_default() += 1;
            }
            found
        })
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.inner.scan(table, prefix, after, limit)
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        let mut used = self.used.borrow().clone();
        for write in &batch {
            let place = (write.table(), write.key().to_owned());
            match write.bytes() {
                Some(bytes) => drop(used.insert(place, bytes.len())),
                None => drop(used.remove(&place)),
            }
        }
        if self.room.get().is_some_and(|room| used.values().sum::<usize>() > room) {
            return Box::pin(async { Err(StoreError::Full) });
        }
        *self.used.borrow_mut() = used;
        self.commits.borrow_mut().push((Instant::now(), batch.iter().map(Write::table).collect()));
        Box::pin(async move {
            let takes = self.commit_takes.get();
            if !takes.is_zero() {
                tokio::time::sleep(takes).await;
            }
            self.inner.commit(batch, durability).await
        })
    }
}
