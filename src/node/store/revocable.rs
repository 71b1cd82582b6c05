//! A store that can be taken from whoever has it: a node that is replaced must not write another word.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::{LocalBoxFuture, ready};

use crate::store::{Batch, Durability, Entry, Store, StoreError, Table, Values};

/// One node's access to a store.
pub struct RevocableStore(RefCell<Result<Rc<dyn Store>, StoreError>>);

impl RevocableStore {
    /// Gives access to a store, until it is revoked.
    pub fn new(store: Rc<dyn Store>) -> Self {
        Self(RefCell::new(Ok(store)))
    }

    /// Ends the access: from now on every use fails with this error. What was asked for before is still answered.
    pub fn revoke(&self, why: StoreError) {
        *self.0.borrow_mut() = Err(why);
    }

    fn store(&self) -> Result<Rc<dyn Store>, StoreError> {
        self.0.borrow().clone()
    }
}

impl Store for RevocableStore {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        match self.store() {
            Ok(store) => Box::pin(async move { store.get(table, key).await }),
            Err(why) => Box::pin(ready(Err(why))),
        }
    }

    fn get_many<'a>(&'a self, table: Table, keys: &'a [String]) -> LocalBoxFuture<'a, Result<Values, StoreError>> {
        match self.store() {
            Ok(store) => Box::pin(async move { store.get_many(table, keys).await }),
            Err(why) => Box::pin(ready(Err(why))),
        }
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        match self.store() {
            Ok(store) => Box::pin(async move { store.scan(table, prefix, after, limit).await }),
            Err(why) => Box::pin(ready(Err(why))),
        }
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        match self.store() {
            Ok(store) => Box::pin(async move { store.commit(batch, durability).await }),
            Err(why) => Box::pin(ready(Err(why))),
        }
    }

    fn hold<'a>(&'a self, table: Table, prefix: &'a str) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        match self.store() {
            Ok(store) => Box::pin(async move { store.hold(table, prefix).await }),
            Err(why) => Box::pin(ready(Err(why))),
        }
    }

    fn seals_secrets(&self) -> bool {
        self.store().is_ok_and(|store| store.seals_secrets())
    }
}

#[cfg(test)]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::store::conformance;
    use crate::store::memory::MemoryStore;

    #[test]
    fn it_is_the_store_until_it_is_revoked() {
        block_on(async {
            let inner = Rc::new(MemoryStore::new());
            let store = RevocableStore::new(inner.clone());
            conformance::check(&store).await;
            let before = inner.commits();
            assert!(before > 0);
            store.revoke(StoreError::Lost);
            assert_eq!(store.get(Table::Keys, "k").await, Err(StoreError::Lost));
            assert_eq!(store.scan(Table::Keys, "", None, 1).await, Err(StoreError::Lost));
            assert_eq!(store.commit(Vec::new(), Durability::Strict).await, Err(StoreError::Lost));
            assert_eq!(inner.commits(), before, "nothing more reached the store");
        });
    }
}
