//! A store in memory: for tests, the simulator, and a page whose browser refuses storage.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use futures::future::{LocalBoxFuture, ready};

use crate::store::{Batch, Durability, Entry, Store, StoreError, Table, Write};

/// The store. [`MemoryStore::copy`] returns what a restart from disk would find.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: RefCell<BTreeMap<(Table, String), Vec<u8>>>,
    /// When set, the next commits fail with it: a full disk, for tests.
    fault: RefCell<Option<StoreError>>,
    /// Commits that took place.
    commits: Cell<u64>,
}

impl MemoryStore {
    /// Creates an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what another process would read now.
    pub fn copy(&self) -> Self {
        Self { tables: RefCell::new(self.tables.borrow().clone()), ..Self::default() }
    }

    /// Makes every commit fail, until called with `None`.
    pub fn fail_commits(&self, error: Option<StoreError>) {
        *self.fault.borrow_mut() = error;
    }

    /// Returns how many commits took place.
    pub fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// Changes stored bytes behind the program's back. Returns false if there are none.
    pub fn tamper(&self, table: Table, key: &str, change: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut tables = self.tables.borrow_mut();
        let record = tables.get_mut(&(table, key.to_owned()));
        record.map(change).is_some()
    }

    /// Returns all keys of a table.
    pub fn keys(&self, table: Table) -> Vec<String> {
        self.tables.borrow().keys().filter(|(of, _)| *of == table).map(|(_, key)| key.clone()).collect()
    }
}

impl Store for MemoryStore {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(ready(Ok(self.tables.borrow().get(&(table, key.to_owned())).cloned())))
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let tables = self.tables.borrow();
        let matching = tables
            .range((table, prefix.to_owned())..)
            .take_while(|((of, key), _)| *of == table && key.starts_with(prefix))
            .filter(|((_, key), _)| after.is_none_or(|after| key.as_str() > after))
            .map(|((_, key), bytes)| (key.clone(), bytes.clone()));
        Box::pin(ready(Ok(matching.take(limit).collect())))
    }

    fn commit(&self, batch: Batch, _: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        if let Some(error) = self.fault.borrow().clone() {
            return Box::pin(ready(Err(error)));
        }
        // A copy of what the batch touches, so that a write that does not fit leaves nothing behind.
        let mut written: BTreeMap<(Table, String), Option<Vec<u8>>> = BTreeMap::new();
        let mut tables = self.tables.borrow_mut();
        for write in batch {
            let place = (write.table(), write.key().to_owned());
            let stored = written.get(&place).map_or_else(|| tables.get(&place), Option::as_ref);
            if !write.fits(stored.map(Vec::as_slice)) {
                return Box::pin(ready(Err(StoreError::Taken)));
            }
            let (Write::Put { bytes, .. } | Write::Replace { bytes, .. }) = write else {
                written.insert(place, None);
                continue;
            };
            written.insert(place, Some(bytes));
        }
        for (place, bytes) in written {
            match bytes {
                Some(bytes) => drop(tables.insert(place, bytes)),
                None => drop(tables.remove(&place)),
            }
        }
        self.commits.set(self.commits.get() + 1);
        Box::pin(ready(Ok(())))
    }
}
