//! The store of the browser: one IndexedDB database (W3C, Indexed Database API 3.0), a table for each object store,
//! text keys.
//!
//! `rexie` reads and creates the schema. It can't ask for strict durability, so every write goes through a raw
//! transaction on a second connection. That connection also receives `versionchange`, when a page with a newer schema
//! opens the database: this page then closes both connections, so that the newer one is not blocked, and every later
//! read or write fails with [`StoreError::Newer`] until the page is reloaded.

use std::cell::RefCell;
use std::rc::Rc;

use futures::future::LocalBoxFuture;
use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use rexie::{KeyRange, ObjectStore, Rexie, TransactionMode};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DomException, IdbDatabase, IdbOpenDbRequest, IdbTransaction};

use crate::store::{Batch, Durability, Entry, Store, StoreError, Table, Write};

/// The version of the set of object stores; it is raised when a table is added.
const SCHEMA_VERSION: u32 = 3;
/// Sorts after every key that begins with a prefix: no key has this code unit.
const AFTER_PREFIX: char = '\u{ffff}';

/// The store: two connections to one database.
pub struct IndexedDb {
    /// The connection for reading; `None` once a newer page has taken over.
    reader: Rc<RefCell<Option<Rc<Rexie>>>>,
    /// The connection for writing.
    writer: IdbDatabase,
}

impl IndexedDb {
    /// Opens the database and creates missing object stores. Calls `on_newer` when a newer page takes the database
    /// over. Fails with [`StoreError::Newer`] if that has happened before, and with [`StoreError::Unavailable`] if the
    /// browser refuses storage, as some do in private windows.
    pub async fn open(name: &str, on_newer: impl Fn() + 'static) -> Result<Self, StoreError> {
        let mut builder = Rexie::builder(name).version(SCHEMA_VERSION);
        for table in Table::ALL {
            builder = builder.add_object_store(ObjectStore::new(table.name()));
        }
        let reader = builder.build().await.map_err(|error| open_failed(&error))?;
        let writer = open_raw(name).await?;
        let reader = Rc::new(RefCell::new(Some(Rc::new(reader))));
        let make_way = {
            let (reader, writer) = (reader.clone(), writer.clone());
            move || {
                writer.close();
                if let Some(Ok(rexie)) = reader.borrow_mut().take().map(Rc::try_unwrap) {
                    rexie.close();
                }
                on_newer();
            }
        };
        let make_way = Closure::<dyn Fn()>::new(make_way).into_js_value();
        writer.set_onversionchange(Some(make_way.unchecked_ref()));
        Ok(Self { reader, writer })
    }

    /// Removes a database altogether. For tests.
    pub async fn delete(name: &str) -> Result<(), StoreError> {
        Rexie::delete(name).await.map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Closes both connections, as when a page goes.
    pub fn close(self) {
        self.writer.close();
        if let Some(Ok(rexie)) = self.reader.borrow_mut().take().map(Rc::try_unwrap) {
            rexie.close();
        }
    }

    /// Returns the connection for reading.
    fn reader(&self) -> Result<Rc<Rexie>, StoreError> {
        self.reader.borrow().clone().ok_or(StoreError::Newer)
    }

    /// Reads one value.
    async fn read(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let transaction =
            self.reader()?.transaction(&[table.name()], TransactionMode::ReadOnly).map_err(read_failed)?;
        let store = transaction.store(table.name()).map_err(read_failed)?;
        let value = store.get(JsValue::from_str(key)).await.map_err(read_failed)?;
        Ok(value.map(|value| bytes(&value)))
    }

    /// Reads a page of entries: keys and values of one range in one transaction.
    async fn read_range(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let after = after.filter(|after| *after >= prefix);
        let lower = JsValue::from_str(after.unwrap_or(prefix));
        let upper = JsValue::from_str(&format!("{prefix}{AFTER_PREFIX}"));
        let Ok(range) = KeyRange::bound(&lower, &upper, Some(after.is_some()), Some(true)) else {
            return Ok(Vec::new()); // `after` lies behind the prefix: nothing is left
        };
        let transaction =
            self.reader()?.transaction(&[table.name()], TransactionMode::ReadOnly).map_err(read_failed)?;
        let store = transaction.store(table.name()).map_err(read_failed)?;
        let limit = u32::try_from(limit).ok();
        let keys = store.get_all_keys(Some(range.clone()), limit).await.map_err(read_failed)?;
        let values = store.get_all(Some(range), limit).await.map_err(read_failed)?;
        let keys = keys.into_iter().map(|key| key.as_string().unwrap_or_default());
        Ok(keys.zip(values.iter().map(bytes)).collect())
    }

    /// Writes a batch in one transaction and waits until it is complete, not only until its requests are.
    async fn write(&self, batch: Batch, durability: Durability) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let transaction = self.transaction(&batch, durability).map_err(|error| aborted(&error))?;
        let finished = finished(&transaction);
        for write in batch {
            let (Write::Put { table, .. } | Write::Delete { table, .. }) = &write;
            let store = transaction.object_store(table.name()).map_err(|error| aborted(&error))?;
            let request = match &write {
                Write::Put { key, bytes, .. } => {
                    store.put_with_key(&Uint8Array::from(bytes.as_slice()), &JsValue::from_str(key))
                }
                Write::Delete { key, .. } => store.delete(&JsValue::from_str(key)),
            };
            if let Err(error) = request {
                // All or nothing: what was asked for before must not be committed.
                drop(transaction.abort());
                return Err(aborted(&error));
            }
        }
        JsFuture::from(finished).await.map(drop).map_err(|error| aborted(&error))
    }

    /// Begins a read-write transaction with a durability hint (Indexed Database API 3.0, section 4.8).
    fn transaction(&self, batch: &Batch, durability: Durability) -> Result<IdbTransaction, JsValue> {
        let mut tables: Vec<&str> = batch
            .iter()
            .map(|write| {
                let (Write::Put { table, .. } | Write::Delete { table, .. }) = write;
                table.name()
            })
            .collect();
        tables.sort_unstable();
        tables.dedup();
        let tables: Array = tables.into_iter().map(JsValue::from_str).collect();
        let options = Object::new();
        let hint = match durability {
            Durability::Strict => "strict",
            Durability::Relaxed => "relaxed",
        };
        Reflect::set(&options, &"durability".into(), &hint.into())?;
        let open: Function = Reflect::get(&self.writer, &"transaction".into())?.dyn_into()?;
        open.call3(&self.writer, &tables, &"readwrite".into(), &options)?.dyn_into()
    }
}

impl Store for IndexedDb {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.read(table, key))
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(self.read_range(table, prefix, after, limit))
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        Box::pin(self.write(batch, durability))
    }
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

/// Opens a second connection, to the schema that exists now.
async fn open_raw(name: &str) -> Result<IdbDatabase, StoreError> {
    let unavailable = |error: JsValue| StoreError::Unavailable(describe(&error));
    let factory = Reflect::get(&js_sys::global(), &"indexedDB".into()).map_err(unavailable)?;
    let factory: web_sys::IdbFactory = factory.dyn_into().map_err(unavailable)?;
    let request: IdbOpenDbRequest = factory.open(name).map_err(unavailable)?;
    let opened = Promise::new(&mut |resolve, reject| {
        request.set_onsuccess(Some(&resolve));
        request.set_onerror(Some(&reject));
    });
    JsFuture::from(opened).await.map_err(unavailable)?;
    request.result().map_err(unavailable)?.dyn_into().map_err(unavailable)
}

/// Returns the bytes of a stored value.
fn bytes(value: &JsValue) -> Vec<u8> {
    Uint8Array::new(value).to_vec()
}

/// Returns the text of an exception.
fn describe(error: &JsValue) -> String {
    error
        .dyn_ref::<DomException>()
        .map_or_else(|| format!("{error:?}"), |error| format!("{}: {}", error.name(), error.message()))
}

/// Converts an error of writing. A full device has another error in each browser.
fn aborted(error: &JsValue) -> StoreError {
    match error.dyn_ref::<DomException>().map(DomException::name).as_deref() {
        Some("QuotaExceededError") => StoreError::Full,
        Some("InvalidStateError") => StoreError::Newer,
        _ if Reflect::has(error, &"quota".into()).unwrap_or(false) => StoreError::Full,
        _ => StoreError::Aborted(describe(error)),
    }
}

/// Converts an error of reading.
fn read_failed(error: rexie::Error) -> StoreError {
    StoreError::Read(format!("{error:?}"))
}

/// Converts an error of opening; `VersionError` means that a newer page has raised the schema.
fn open_failed(error: &rexie::Error) -> StoreError {
    let text = format!("{error:?}");
    if text.contains("VersionError") { StoreError::Newer } else { StoreError::Unavailable(text) }
}
