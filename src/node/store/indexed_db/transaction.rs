//! One read-write transaction: requests in their order, conditions that abort it, and its end.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DomException, IdbDatabase, IdbObjectStore, IdbTransaction};

use crate::store::indexed_db::connection::Fault;
use crate::store::indexed_db::vault::Vault;
use crate::store::{Durability, StoreError, Write};

/// The transaction. Dropped before [`Transaction::finish`], it may be committed all the same.
pub(super) struct Transaction {
    raw: IdbTransaction,
    /// Resolves when it is complete, rejects when it is aborted.
    finished: Promise,
    /// The condition that was not met.
    refused: Rc<RefCell<Option<StoreError>>>,
}

impl Transaction {
    /// Begins one with a durability hint (Indexed Database API 3.0, section 4.8).
    pub(super) fn begin(
        database: &IdbDatabase,
        tables: BTreeSet<&'static str>,
        durability: Durability,
    ) -> Result<Self, Fault> {
        let raw = begin_raw(database, tables, durability).map_err(|error| {
            // So says a connection that is closed.
            if name_of(&error).as_deref() == Some("InvalidStateError") { Fault::Closed } else { failed(&error) }
        })?;
        let finished = finished(&raw);
        Ok(Self { raw, finished, refused: Rc::default() })
    }

    /// Requests the writes of a batch, each on the condition that it fits what is stored. The vault seals what is secret.
    pub(super) fn put_all(&self, batch: &[Write], vault: Option<&Rc<Vault>>) -> Result<(), Fault> {
        for write in batch {
            let (table, key) = (write.table().name(), write.key());
            let vault = vault.filter(|_| write.table().is_secret());
            if write.is_conditional() {
                let (condition, vault) = (write.clone(), vault.cloned());
                self.require(table, key, StoreError::Taken, move |stored| {
                    let stored = stored.map(|stored| Uint8Array::new(&stored).to_vec());
                    let value = match (stored, vault) {
                        (Some(stored), Some(vault)) => Some(vault.unseal(condition.table(), condition.key(), stored)),
                        (stored, _) => stored,
                    };
                    condition.fits(value.as_deref())
                })?;
            }
            let sealed = vault.zip(write.bytes()).map(|(vault, value)| vault.seal(write.table(), key, value));
            match sealed.as_deref().or(write.bytes()) {
                Some(bytes) => self.put(table, key, &Uint8Array::from(bytes))?,
                None => {
                    let request = self.store(table)?.delete(&JsValue::from_str(key));
                    request.map(drop).map_err(|error| self.give_up(&error))?;
                }
            }
        }
        Ok(())
    }

    /// Requests that a value is stored.
    pub(super) fn put(&self, table: &str, key: &str, value: &JsValue) -> Result<(), Fault> {
        let request = self.store(table)?.put_with_key(value, &JsValue::from_str(key));
        request.map(drop).map_err(|error| self.give_up(&error))
    }

    /// Aborts the transaction with `error` unless what is stored, after the requests before this one, is as it must be.
    pub(super) fn require(
        &self,
        table: &str,
        key: &str,
        error: StoreError,
        is_met: impl FnOnce(Option<JsValue>) -> bool + 'static,
    ) -> Result<(), Fault> {
        self.look_at(table, key, error, move |_, stored| is_met(stored))
    }

    /// Stores what `decide` makes of what is stored. Aborts the transaction with `error` if that is nothing.
    pub(super) fn change(
        &self,
        table: &'static str,
        key: &'static str,
        error: StoreError,
        decide: impl FnOnce(Option<JsValue>) -> Option<JsValue> + 'static,
    ) -> Result<(), Fault> {
        self.look_at(table, key, error, move |store, stored| {
            // A request that can't be made leaves it as it was, which is not what was decided.
            decide(stored).is_some_and(|value| store.put_with_key(&value, &JsValue::from_str(key)).is_ok())
        })
    }

    /// Reads a value and gives it to `look`, within the transaction; aborts it with `error` if that returns false.
    fn look_at(
        &self,
        table: &str,
        key: &str,
        error: StoreError,
        look: impl FnOnce(&IdbObjectStore, Option<JsValue>) -> bool + 'static,
    ) -> Result<(), Fault> {
        let store = self.store(table)?;
        let request = store.get(&JsValue::from_str(key)).map_err(|error| self.give_up(&error))?;
        let (raw, refused, found) = (self.raw.clone(), self.refused.clone(), request.clone());
        let on_success = Closure::once_into_js(move || {
            let stored = found.result().ok().filter(|stored| !stored.is_undefined());
            if !look(&store, stored) {
                refused.borrow_mut().get_or_insert(error);
                // It fails only where it is aborted already.
                drop(raw.abort());
            }
        });
        request.set_onsuccess(Some(on_success.unchecked_ref()));
        Ok(())
    }

    /// Waits until all of it is stored, or nothing is.
    pub(super) async fn finish(self) -> Result<(), Fault> {
        let finished = JsFuture::from(self.finished).await;
        match (finished, self.refused.take()) {
            (Ok(_), _) => Ok(()),
            (Err(_), Some(error)) => Err(Fault::Store(error)),
            // Not by this page: a connection that the browser closes aborts what goes through it.
            (Err(error), None) if is_of_closing(&error) => Err(Fault::Closed),
            (Err(error), None) => Err(failed(&error)),
        }
    }

    fn store(&self, table: &str) -> Result<IdbObjectStore, Fault> {
        self.raw.object_store(table).map_err(|error| self.give_up(&error))
    }

    /// Aborts it: all or nothing, so what was requested before must not be committed.
    fn give_up(&self, error: &JsValue) -> Fault {
        drop(self.raw.abort());
        failed(error)
    }
}

fn begin_raw(
    database: &IdbDatabase,
    tables: BTreeSet<&'static str>,
    durability: Durability,
) -> Result<IdbTransaction, JsValue> {
    let tables: Array = tables.into_iter().map(JsValue::from_str).collect();
    let options = Object::new();
    let hint = match durability {
        Durability::Strict => "strict",
        Durability::Relaxed => "relaxed",
    };
    Reflect::set(&options, &"durability".into(), &hint.into())?;
    let open: Function = Reflect::get(database, &"transaction".into())?.dyn_into()?;
    open.call3(database, &tables, &"readwrite".into(), &options)?.dyn_into()
}

/// Resolves when the transaction is complete, rejects with its error when it is aborted.
fn finished(transaction: &IdbTransaction) -> Promise {
    Promise::new(&mut |resolve, reject| {
        transaction.set_oncomplete(Some(&resolve));
        let aborted = transaction.clone();
        let on_abort = Closure::once_into_js(move || {
            let error = aborted.error().map_or(JsValue::UNDEFINED, JsValue::from);
            // A promise's reject function can't fail.
            drop(reject.call1(&JsValue::UNDEFINED, &error));
        });
        transaction.set_onabort(Some(on_abort.unchecked_ref()));
    })
}

/// Returns the text of an exception.
pub(super) fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<DomException>()
        .map_or_else(|| format!("{error:?}"), |error| format!("{}: {}", error.name(), error.message()))
}

fn name_of(error: &JsValue) -> Option<String> {
    error.dyn_ref::<DomException>().map(DomException::name)
}

/// Whether a transaction was aborted because the connection ends. Chromium gives one of two errors, as it happens.
fn is_of_closing(error: &JsValue) -> bool {
    match name_of(error).as_deref() {
        Some("AbortError") => true,
        Some("UnknownError") => describe(error).contains("Connection is closing"),
        _ => false,
    }
}

/// Converts an error of writing. A full device has another error in each browser.
fn failed(error: &JsValue) -> Fault {
    Fault::Store(match name_of(error).as_deref() {
        Some("QuotaExceededError") => StoreError::Full,
        _ if Reflect::has(error, &"quota".into()).unwrap_or(false) => StoreError::Full,
        _ => StoreError::Aborted(describe(error)),
    })
}
