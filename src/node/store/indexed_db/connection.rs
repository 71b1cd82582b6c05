//! A connection to a database: reading, writing in one transaction, and how it ends.
//!
//! `rexie` reads and creates the schema. It can't ask for strict durability, so every write goes through a raw
//! transaction on a second connection, which also receives the events of the database. Both are closed together.
//!
//! A write that depends on what is stored reads it in the same transaction, and the transaction is aborted if it does not
//! fit: the requests of a transaction are carried out in their order, and nothing of it is stored before all are.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use futures::future::try_join_all;
use js_sys::{Promise, Reflect, Uint8Array};
use rexie::{KeyRange, ObjectStore, Rexie, TransactionMode};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{IdbDatabase, IdbOpenDbRequest, IdbVersionChangeEvent};

use crate::platform::Environment;
use crate::platform::browser::Browser;
use crate::store::indexed_db::lease::Lease;
use crate::store::indexed_db::transaction::{Transaction, describe};
use crate::store::indexed_db::vault::Vault;
use crate::store::{Durability, Entry, StoreError, Table, Values, Write};
use gen_registry_core::digest::hex;

/// The version of the set of object stores; it is raised when one is added.
const SCHEMA_VERSION: u32 = 4;
/// The object store beside the tables, for what is said of the database itself.
pub(super) const META: &str = "meta";
/// The key in [`META`] of the database's random id.
const ID: &str = "id";
/// The key in [`META`] of the lease.
const LEASE: &str = "lease";
/// Bytes of the database's id.
const ID_BYTES: usize = 16;
/// Sorts after every key that begins with a prefix: no key has this code unit.
const AFTER_PREFIX: char = '\u{ffff}';

/// Why a connection could not do something.
#[derive(Clone, Debug)]
pub(super) enum Fault {
    /// It is closed, and nothing of what was asked for took place.
    Closed,
    Store(StoreError),
}

/// How a connection came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// A page with a newer schema asked for the database.
    Newer,
    /// The browser closed it, or a page asks for its deletion.
    Lost,
}

/// An open database.
pub(super) struct Connection {
    /// For reading.
    reader: RefCell<Option<Rc<Rexie>>>,
    /// For writing.
    writer: IdbDatabase,
    /// The database's id.
    id: String,
    /// What seals its secrets, where the browser has a key for it.
    vault: Option<Rc<Vault>>,
}

impl Connection {
    /// Opens the database, creates what is missing in it, and reads its id.
    pub(super) async fn open(name: &str) -> Result<Self, StoreError> {
        let mut builder = Rexie::builder(name).version(SCHEMA_VERSION).add_object_store(ObjectStore::new(META));
        for table in Table::ALL {
            builder = builder.add_object_store(ObjectStore::new(table.name()));
        }
        let reader = builder.build().await.map_err(|error| open_failed(&error))?;
        let writer = match open_raw(name).await {
            Ok(writer) => writer,
            Err(error) => {
                reader.close();
                return Err(error);
            }
        };
        let reader = RefCell::new(Some(Rc::new(reader)));
        let mut connection = Self { reader, writer, id: String::new(), vault: None };
        if let Err(error) = connection.prepare().await {
            connection.close();
            return Err(error);
        }
        Ok(connection)
    }

    /// Reads, or makes, what is said of the database itself.
    async fn prepare(&mut self) -> Result<(), StoreError> {
        self.id = identify(&self.writer).await?;
        let vault = Vault::open(&self.writer, async |key| self.read_meta(key).await).await.map_err(unusable)?;
        self.vault = vault.map(Rc::new);
        Ok(())
    }

    /// Whether what is secret is stored sealed.
    pub(super) fn seals_secrets(&self) -> bool {
        self.vault.is_some()
    }

    /// Returns the value of what is stored under a key.
    fn value(&self, table: Table, key: &str, stored: &JsValue) -> Vec<u8> {
        let stored = bytes(stored);
        match self.vault.as_ref().filter(|_| table.is_secret()) {
            Some(vault) => vault.unseal(table, key, stored),
            None => stored,
        }
    }

    /// Reads what is stored under a key of [`META`].
    async fn read_meta(&self, key: &str) -> Result<Option<JsValue>, Fault> {
        self.with_store(META, async |store| store.get(JsValue::from_str(key)).await).await
    }

    /// The random id that the database got when it was created.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Calls `act` when the browser closes the connection or another page needs it closed; it then is.
    pub(super) fn on_closing(&self, act: impl Fn(Closing) + Clone + 'static) {
        let lost = act.clone();
        let on_close = Closure::<dyn Fn()>::new(move || lost(Closing::Lost)).into_js_value();
        self.writer.set_onclose(Some(on_close.unchecked_ref()));
        let on_version_change = Closure::<dyn Fn(IdbVersionChangeEvent)>::new(move |event: IdbVersionChangeEvent| {
            // A deletion has no new version.
            act(if event.new_version().is_some() { Closing::Newer } else { Closing::Lost });
        });
        self.writer.set_onversionchange(Some(on_version_change.into_js_value().unchecked_ref()));
    }

    /// Closes both connections. What is being read or written still is.
    pub(super) fn close(&self) {
        self.writer.close();
        if let Some(Ok(reader)) = self.reader.borrow_mut().take().map(Rc::try_unwrap) {
            reader.close();
        }
    }

    /// Reads from one object store in one transaction. Whatever reads last closes a reader that was given up meanwhile.
    async fn with_store<T>(
        &self,
        name: &str,
        read: impl AsyncFnOnce(&rexie::Store) -> rexie::Result<T>,
    ) -> Result<T, Fault> {
        let reader = self.reader.borrow().clone().ok_or(Fault::Closed)?;
        let outcome = async {
            let transaction = reader.transaction(&[name], TransactionMode::ReadOnly)?;
            read(&transaction.store(name)?).await
        }
        .await;
        if self.reader.borrow().is_none()
            && let Ok(reader) = Rc::try_unwrap(reader)
        {
            reader.close();
        }
        outcome.map_err(|error| read_failed(&error))
    }

    /// Reads one value.
    pub(super) async fn read(&self, table: Table, key: &str) -> Result<Option<Vec<u8>>, Fault> {
        let value = self.with_store(table.name(), async |store| store.get(JsValue::from_str(key)).await).await?;
        Ok(value.map(|value| self.value(table, key, &value)))
    }

    /// Reads several values in one transaction.
    pub(super) async fn read_many(&self, table: Table, keys: &[String]) -> Result<Values, Fault> {
        let read =
            async |store: &rexie::Store| try_join_all(keys.iter().map(|key| store.get(JsValue::from_str(key)))).await;
        let values = self.with_store(table.name(), read).await?;
        let values = keys.iter().zip(values);
        Ok(values.map(|(key, value)| value.map(|value| self.value(table, key, &value))).collect())
    }

    /// Reads a page of entries: keys and values of one range in one transaction.
    pub(super) async fn read_range(
        &self,
        table: Table,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Entry>, Fault> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let after = after.filter(|after| *after >= prefix);
        let lower = JsValue::from_str(after.unwrap_or(prefix));
        let upper = JsValue::from_str(&format!("{prefix}{AFTER_PREFIX}"));
        let Ok(range) = KeyRange::bound(&lower, &upper, Some(after.is_some()), Some(true)) else {
            return Ok(Vec::new()); // `after` lies behind the prefix: nothing is left
        };
        let limit = u32::try_from(limit).ok();
        let read = async |store: &rexie::Store| {
            let keys = store.get_all_keys(Some(range.clone()), limit).await?;
            Ok((keys, store.get_all(Some(range), limit).await?))
        };
        let (keys, values) = self.with_store(table.name(), read).await?;
        let keys = keys.into_iter().map(|key| key.as_string().unwrap_or_default());
        let entries = keys.zip(&values).map(|(key, stored)| {
            let value = self.value(table, &key, stored);
            (key, value)
        });
        Ok(entries.collect())
    }

    /// Writes a batch in one transaction and waits until it is complete, not only until its requests are. Under a lease
    /// it takes place only if that is still the stored one.
    pub(super) async fn write(
        &self,
        batch: &[Write],
        durability: Durability,
        lease: Option<&Lease>,
    ) -> Result<(), Fault> {
        let writing = Transaction::begin(&self.writer, tables_of(batch, lease.is_some()), durability)?;
        if let Some(lease) = lease.cloned() {
            writing.require(META, LEASE, StoreError::NotWriter, move |stored| {
                lease.is(stored.and_then(|stored| stored.as_string()).as_deref())
            })?;
        }
        writing.put_all(batch, self.vault.as_ref())?;
        writing.finish().await
    }

    /// Writes a batch into an empty database, and the lease after whatever is stored of it.
    pub(super) async fn write_anew(&self, batch: &[Write], lease: Option<&Lease>) -> Result<(), Fault> {
        let writing = Transaction::begin(&self.writer, tables_of(batch, true), Durability::Strict)?;
        if let Some(lease) = lease {
            writing.put(META, LEASE, &JsValue::from_str(&lease.text(0)))?;
        }
        writing.put_all(batch, self.vault.as_ref())?;
        writing.finish().await
    }

    /// Stores what `decide` makes of the stored lease; false if it makes nothing of it.
    pub(super) async fn write_lease(
        &self,
        decide: impl FnOnce(Option<String>) -> Option<String> + 'static,
    ) -> Result<bool, Fault> {
        let writing = Transaction::begin(&self.writer, BTreeSet::from([META]), Durability::Relaxed)?;
        writing.change(META, LEASE, StoreError::NotWriter, move |stored| {
            decide(stored.and_then(|stored| stored.as_string())).map(JsValue::from)
        })?;
        match writing.finish().await {
            Ok(()) => Ok(true),
            Err(Fault::Store(StoreError::NotWriter)) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Reads the stored lease.
    pub(super) async fn read_lease(&self) -> Result<Option<String>, Fault> {
        let stored = self.read_meta(LEASE).await?;
        Ok(stored.and_then(|stored| stored.as_string()))
    }
}

/// Removes a database. Waits until every page has closed it.
pub(super) async fn delete(name: &str) -> Result<(), StoreError> {
    Rexie::delete(name).await.map_err(|error| StoreError::Unavailable(error.to_string()))
}

/// Returns the object stores that a batch writes to, with that of the lease if it is needed.
fn tables_of(batch: &[Write], with_lease: bool) -> BTreeSet<&'static str> {
    let tables = batch.iter().map(|write| write.table().name());
    tables.chain(with_lease.then_some(META)).collect()
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

/// Returns the database's id, which it gets now if it has none: of two pages that give it one, the first does.
async fn identify(database: &IdbDatabase) -> Result<String, StoreError> {
    let mut random = [0; ID_BYTES];
    Browser.random(&mut random);
    let id = Rc::new(RefCell::new(hex(&random)));
    let found = id.clone();
    let writing = Transaction::begin(database, BTreeSet::from([META]), Durability::Strict).map_err(unusable)?;
    let change =
        writing.change(META, ID, StoreError::Taken, move |stored| match stored.and_then(|id| id.as_string()) {
            Some(stored) => {
                found.replace(stored);
                None
            }
            None => Some(JsValue::from_str(&found.borrow())),
        });
    change.map_err(unusable)?;
    match writing.finish().await {
        Ok(()) | Err(Fault::Store(StoreError::Taken)) => Ok(id.take()),
        // What is there can be read. Without an id it counts as other data when it has to be opened again, and what is
        // held is written into it, which it has already.
        Err(Fault::Store(StoreError::Full)) => Ok(String::new()),
        Err(fault) => Err(unusable(fault)),
    }
}

/// Converts a fault while a database is being opened.
fn unusable(fault: Fault) -> StoreError {
    match fault {
        Fault::Closed => StoreError::Unavailable("the browser closed it at once".to_owned()),
        Fault::Store(error) => StoreError::Unavailable(error.to_string()),
    }
}

/// Returns the bytes of a stored value.
fn bytes(value: &JsValue) -> Vec<u8> {
    Uint8Array::new(value).to_vec()
}

/// Converts an error of reading: on a connection that is closed, or that is being closed, nothing can be read.
fn read_failed(error: &rexie::Error) -> Fault {
    let text = format!("{error:?}");
    if text.contains("InvalidStateError") || text.contains("AbortError") {
        return Fault::Closed;
    }
    Fault::Store(StoreError::Read(text))
}

/// Converts an error of opening; `VersionError` means that a newer page has raised the schema.
fn open_failed(error: &rexie::Error) -> StoreError {
    let text = format!("{error:?}");
    if text.contains("VersionError") { StoreError::Newer } else { StoreError::Unavailable(text) }
}
