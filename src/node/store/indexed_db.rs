//! The store of the browser: one IndexedDB database (W3C, Indexed Database API 3.0), a table for each object store,
//! text keys. What goes through a connection is in [`connection`]; which tab may write in [`lease`]; how secrets are
//! stored in [`vault`].
//!
//! A browser closes a database by itself: when the site's data are cleared, when another page deletes it, when the device
//! is short of room. The store hears of it, or finds out at its next use, and opens the database again:
//!
//! ```text
//!             closed by the browser                the same data
//!   Open ───────────────────────────► Reopening ──────────────────► Open          StoreEvent::Reopened
//!     │                                  │  │ other data, or none
//!     │ a page with a newer schema       │  └── what is held is written ──► Open   StoreEvent::Emptied
//!     ▼                                  ▼ can't be opened or written
//!   Failed(Newer)                     Failed(Lost)                                StoreEvent::Withdrawn
//! ```
//!
//! Whether the data are the same is told by a random id that a database gets when it is created. What is asked for while
//! the database is opened again waits; where the data were another's by then it fails with [`StoreError::Lost`].

mod connection;
mod lease;
mod transaction;
mod vault;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::channel::oneshot;
use futures::future::LocalBoxFuture;
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

use crate::store::held::Held;
use crate::store::{Batch, Durability, Entry, Store, StoreError, Table, Values};
pub use lease::name_of;

use connection::{Closing, Connection, Fault};
use lease::{Lease, PendingLease};

/// How often a database that the browser closed is opened again before it counts as lost.
const REOPENINGS_MAX: u32 = 4;
/// How long to wait between two of them.
const REOPENING_PAUSE_MILLIS: u32 = 250;
/// How often a read or write is repeated on a connection that was opened again.
const REPEATS_MAX: u32 = 3;

/// What happened to an open database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEvent {
    /// A page with a newer schema took it over.
    Newer,
    /// The browser had closed it; it was opened again with all that was in it.
    Reopened,
    /// The browser had removed its data; what this page held of them is written again.
    Emptied,
    /// The browser had closed it, and it can't be opened or written again.
    Withdrawn,
    /// Another tab has taken the lease: this one writes no more.
    Superseded,
}

/// The store. Clones share it.
#[derive(Clone)]
pub struct IndexedDb(Rc<Database>);

/// The state of a database in this page.
struct Database {
    name: String,
    state: RefCell<State>,
    /// What waits for the database to be opened again.
    waiting: RefCell<Vec<oneshot::Sender<()>>>,
    /// Grows when the data are others than before.
    epoch: Cell<u64>,
    held: RefCell<Held>,
    /// Under which lease every write takes place, if under one.
    lease: RefCell<Option<Lease>>,
    /// The lease that the first write is to take.
    pending_lease: RefCell<Option<PendingLease>>,
    listener: Box<dyn Fn(StoreEvent)>,
}

enum State {
    Open(Rc<Connection>),
    Reopening,
    Failed(StoreError),
}

impl IndexedDb {
    /// Opens the database and creates missing object stores. `listener` is called with what happens to it later. Fails
    /// with [`StoreError::Newer`] if its schema is newer, and with [`StoreError::Unavailable`] if the browser refuses
    /// storage, as some do in private windows.
    pub async fn open(name: &str, listener: impl Fn(StoreEvent) + 'static) -> Result<Self, StoreError> {
        let connection = Rc::new(Connection::open(name).await?);
        let database = Rc::new(Database {
            name: name.to_owned(),
            state: RefCell::new(State::Open(connection.clone())),
            waiting: RefCell::default(),
            epoch: Cell::new(0),
            held: RefCell::default(),
            lease: RefCell::default(),
            pending_lease: RefCell::default(),
            listener: Box::new(listener),
        });
        database.watch(&connection);
        Ok(Self(database))
    }

    /// Removes a database altogether. For tests.
    pub async fn delete(name: &str) -> Result<(), StoreError> {
        connection::delete(name).await
    }

    /// Closes the database, as when a page goes.
    pub fn close(self) {
        self.0.end(StoreError::Unavailable("it was closed".to_owned()));
    }

    /// Whether the browser removed the data since the database was opened.
    pub fn was_emptied(&self) -> bool {
        self.0.epoch.get() > 0
    }

    /// Forgets what only the tab that writes has, when it ceases to: otherwise it would write that into an emptied
    /// database, beside the tab that writes by then.
    pub fn cease_writing(&self) {
        self.0.held.take();
        self.0.lease.take();
        self.0.pending_lease.take();
    }

    /// Returns the writes that store what is held in memory.
    pub fn held(&self) -> Batch {
        self.0.held.borrow().batch()
    }
}

impl Database {
    /// Has the connection's end noticed.
    fn watch(self: &Rc<Self>, connection: &Rc<Connection>) {
        let (database, watched) = (Rc::downgrade(self), Rc::downgrade(connection));
        connection.on_closing(move |closing| {
            let (Some(database), Some(connection)) = (database.upgrade(), watched.upgrade()) else { return };
            match closing {
                Closing::Newer => {
                    database.end(StoreError::Newer);
                    (database.listener)(StoreEvent::Newer);
                }
                Closing::Lost => database.reopen(&connection),
            }
        });
    }

    /// Returns the connection, once there is one again.
    async fn connection(&self) -> Result<Rc<Connection>, StoreError> {
        loop {
            let reopened = match &*self.state.borrow() {
                State::Open(connection) => return Ok(connection.clone()),
                State::Failed(error) => return Err(error.clone()),
                State::Reopening => {
                    let (sender, receiver) = oneshot::channel();
                    self.waiting.borrow_mut().push(sender);
                    receiver
                }
            };
            // It is never sent, only dropped: the state says what became of it.
            reopened.await.ok();
        }
    }

    /// Carries out a read or write, again if the connection turns out to be closed and the data are still the same.
    async fn with_connection<T>(
        self: &Rc<Self>,
        act: impl AsyncFn(&Connection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let epoch = self.epoch.get();
        for _ in 0..REPEATS_MAX {
            let connection = self.connection().await?;
            if self.epoch.get() != epoch {
                return Err(StoreError::Lost);
            }
            match act(&connection).await {
                Ok(found) => return Ok(found),
                Err(Fault::Closed) => self.reopen(&connection),
                Err(Fault::Store(error)) => return Err(error),
            }
        }
        Err(StoreError::Lost)
    }

    /// Sets the final state, and lets what waits find it.
    fn end(&self, error: StoreError) {
        if let State::Open(connection) = self.state.replace(State::Failed(error)) {
            connection.close();
        }
        self.waiting.borrow_mut().clear();
    }

    /// Opens the database again, unless that is being done or the connection is an earlier one.
    fn reopen(self: &Rc<Self>, closed: &Rc<Connection>) {
        if !matches!(&*self.state.borrow(), State::Open(connection) if Rc::ptr_eq(connection, closed)) {
            return;
        }
        *self.state.borrow_mut() = State::Reopening;
        closed.close();
        tracing::warn!(database = self.name, "the browser closed the database; it is opened again");
        let (database, closed) = (self.clone(), closed.clone());
        spawn_local(async move {
            let event = database.open_again(&closed).await;
            (database.listener)(event);
            // What waits goes on only now: whoever listens may have taken the store from it.
            database.waiting.borrow_mut().clear();
        });
    }

    /// Tries to open the database again and to write into it what is held, if its data are gone.
    async fn open_again(self: &Rc<Self>, closed: &Connection) -> StoreEvent {
        for attempt in 0..REOPENINGS_MAX {
            if attempt > 0 {
                TimeoutFuture::new(REOPENING_PAUSE_MILLIS).await;
            }
            match self.try_open_again(closed).await {
                Ok(event) => return event,
                Err(StoreError::Newer) => {
                    self.end(StoreError::Newer);
                    return StoreEvent::Newer;
                }
                Err(error @ StoreError::Taken) => {
                    tracing::error!(%error, "another page has stored another key");
                    break;
                }
                Err(error) => tracing::warn!(%error, "the database can't be opened again"),
            }
        }
        self.end(StoreError::Lost);
        StoreEvent::Withdrawn
    }

    async fn try_open_again(self: &Rc<Self>, closed: &Connection) -> Result<StoreEvent, StoreError> {
        let connection = Rc::new(Connection::open(&self.name).await?);
        self.watch(&connection);
        let is_same = connection.id() == closed.id();
        if !is_same {
            if let Err(error) = self.write_held(&connection).await {
                connection.close();
                return Err(error);
            }
            self.epoch.set(self.epoch.get() + 1);
        }
        if !matches!(*self.state.borrow(), State::Reopening) {
            connection.close();
            return Err(StoreError::Lost);
        }
        *self.state.borrow_mut() = State::Open(connection);
        Ok(if is_same { StoreEvent::Reopened } else { StoreEvent::Emptied })
    }

    /// Writes what is held into an empty database. A lease goes on in it: only a tab that has nothing yet can have
    /// another there.
    async fn write_held(&self, connection: &Connection) -> Result<(), StoreError> {
        let batch = self.held.borrow().batch();
        let lease = self.lease.borrow().clone();
        connection.write_anew(&batch, lease.as_ref()).await.map_err(|fault| match fault {
            Fault::Closed => StoreError::Lost,
            Fault::Store(error) => error,
        })
    }
}

impl Store for IndexedDb {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(self.0.with_connection(async move |connection| connection.read(table, key).await))
    }

    fn get_many<'a>(&'a self, table: Table, keys: &'a [String]) -> LocalBoxFuture<'a, Result<Values, StoreError>> {
        if keys.is_empty() {
            return Box::pin(async { Ok(Vec::new()) });
        }
        Box::pin(self.0.with_connection(async move |connection| connection.read_many(table, keys).await))
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        Box::pin(
            self.0.with_connection(async move |connection| connection.read_range(table, prefix, after, limit).await),
        )
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        if batch.is_empty() {
            return Box::pin(async { Ok(()) });
        }
        Box::pin(async move {
            self.take_pending_lease().await?;
            let lease = self.0.lease.borrow().clone();
            let written = self
                .0
                .with_connection(async |connection| connection.write(&batch, durability, lease.as_ref()).await)
                .await;
            match &written {
                Ok(()) => self.0.held.borrow_mut().apply(&batch),
                Err(StoreError::NotWriter) => (self.0.listener)(StoreEvent::Superseded),
                Err(_) => {}
            }
            written
        })
    }

    fn seals_secrets(&self) -> bool {
        matches!(&*self.0.state.borrow(), State::Open(connection) if connection.seals_secrets())
    }

    fn hold<'a>(&'a self, table: Table, prefix: &'a str) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            if self.0.held.borrow().covers(table, prefix) {
                return Ok(());
            }
            self.0.held.borrow_mut().begin(table, prefix);
            let read = self.scan(table, prefix, None, usize::MAX).await;
            let (entries, outcome) = match read {
                Ok(entries) => (entries, Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            };
            self.0.held.borrow_mut().finish(table, entries);
            outcome
        })
    }
}
