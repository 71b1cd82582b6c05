//! The tab that writes: how it comes to be the one, its node, and what ends that.
//!
//! ```text
//!                 lock or lease                 another tab took the lease
//!   Following ──────────────────► Writing ────────────────────────────────► Following, and waits again
//!                                 │     ▲
//!     the store was written anew, │     │ the node is started again on what is there
//!     or can't be had any more    └─────┘
//! ```
//!
//! A writer also hands over to a tab that asks for it; every other tab lets that one pass.
//!
//! A node that ends loses its access to the store in the same moment ([`RevocableStore`]); its tasks are aborted.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use futures::FutureExt;
use futures::channel::oneshot;
use futures::future::{AbortHandle, Abortable, LocalBoxFuture, Shared, select};
use gloo::timers::future::TimeoutFuture;
use wasm_bindgen_futures::spawn_local;

use super::{Message, Outcome, RESEND_MILLIS, Tab, TabRole, lease, opening};
use crate::network::directory::NetworkDirectory;
use crate::network::opening::Served;
use crate::network::{Network, pin};
use crate::peering::Peering;
use crate::platform::browser::tabs::{WebLock, release_lock, request_lock};
use crate::platform::browser::{Browser, given_limits, parameters, when_online};
use crate::relay_renewal::renew_relays;
use crate::store::indexed_db::{IndexedDb, StoreEvent};
use crate::store::memory::MemoryStore;
use crate::store::records::Records;
use crate::store::revocable::RevocableStore;
use crate::store::{Durability, Store, StoreError};
use crate::{Node, RequestId};
use gen_registry_api::{Command, Event, Status, StorageOutcome};

/// How long other tabs wait for a tab that was handed the writing over. It may have been closed in the meantime.
const PASSING_MILLIS: u32 = 2 * RESEND_MILLIS;

/// What a tab opens.
#[derive(Clone)]
pub(super) struct Profile {
    pub(super) directory: NetworkDirectory,
    pub(super) network: Network,
    pub(super) served: Option<Served>,
}

/// What only the tab that writes, or wants to, has.
#[derive(Default)]
pub(super) struct WriterState {
    profile: RefCell<Option<Profile>>,
    /// The database, once it is open here.
    store: RefCell<Option<IndexedDb>>,
    /// The access of the present node.
    access: RefCell<Option<Rc<RevocableStore>>>,
    /// Whether this tab has the Web Lock, so that no other has the lease or will take it.
    has_lock: Cell<bool>,
    /// Resolved when another tab goes, while this one waits for the lease.
    awaiting: RefCell<Option<oneshot::Sender<()>>>,
    /// Whether this tab writes into memory only, because the browser refuses storage.
    volatile: Cell<bool>,
    /// Whether the browser took the storage away.
    withdrawn: Cell<bool>,
    /// Which handing over to another tab is going on, by its number.
    passing: Cell<Option<u64>>,
}

impl WriterState {
    /// Adds to a status what the tab alone knows.
    pub(super) fn complete(&self, status: Status) -> Status {
        Status { volatile: self.volatile.get(), withdrawn: self.withdrawn.get(), ..status }
    }

    /// Returns what resolves when another tab says that it goes.
    pub(super) fn when_tab_goes(&self) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.awaiting.replace(Some(sender));
        receiver
    }

    /// Called when a tab has become the writer.
    pub(super) fn see_writer(&self) {
        self.passing.set(None);
        self.tab_goes();
    }

    /// Whether this tab lets another one become the writer.
    pub(super) fn lets_pass(&self) -> bool {
        self.passing.get().is_some()
    }

    /// Called when another tab is being closed, or the writer changes.
    pub(super) fn tab_goes(&self) {
        if let Some(awaiting) = self.awaiting.take() {
            // The receiver may have looked by itself meanwhile.
            awaiting.send(()).ok();
        }
    }
}

/// A node that writes.
pub(super) struct Writer {
    pub(super) node: Rc<Node>,
    tasks: Vec<AbortHandle>,
    end: RefCell<Option<oneshot::Sender<()>>>,
    ended: Shared<LocalBoxFuture<'static, ()>>,
}

impl Writer {
    fn new(node: Rc<Node>) -> Self {
        let (end, ended) = oneshot::channel();
        let ended = ended.map(drop).boxed_local().shared();
        Self { node, tasks: Vec::new(), end: RefCell::new(Some(end)), ended }
    }

    /// Runs a task until the node ends.
    fn spawn(&mut self, task: impl Future<Output = ()> + 'static) {
        let (handle, registration) = AbortHandle::new_pair();
        self.tasks.push(handle);
        spawn_local(Abortable::new(task, registration).map(drop));
    }

    /// Carries out a command; `None` if the node ended before. The command may then have had its effect, which its id
    /// tells the next node.
    pub(super) async fn carry_out(&self, id: &RequestId, command: &Command) -> Option<Outcome> {
        let mut ended = self.ended.clone().fuse();
        let mut outcome = Box::pin(self.node.handle_once(Some(id.clone()), command.clone())).fuse();
        futures::select_biased! {
            () = ended => None,
            // A failure with which the node ended, as when its store refuses a write, is no answer.
            outcome = outcome => Some(outcome).filter(|outcome| outcome.is_ok() || self.end.borrow().is_some()),
        }
    }

    /// Aborts the tasks and what is being carried out.
    fn end(&self) {
        self.tasks.iter().for_each(AbortHandle::abort);
        self.end.take();
    }
}

impl Tab {
    /// Waits until this tab may write, starts the node, and takes over: other tabs send their unanswered commands again, and
    /// this tab's own are carried out. A browser that refuses storage still gets a registry, in memory, for as long as the
    /// page is open.
    pub(super) async fn write_when_possible(&self, profile: Profile) {
        let topic = profile.network.topic;
        self.0.writer.profile.replace(Some(profile));
        if !self.obtain_lock().await {
            return;
        }
        let tab = self.clone();
        match IndexedDb::open(&opening::database_of(&topic), move |event| tab.on_store_event(event)).await {
            Ok(store) => {
                self.0.writer.store.replace(Some(store.clone()));
                self.write_under_lease(store).await;
            }
            Err(StoreError::Newer) => self.take_over(TabRole::Failed(StoreError::Newer)),
            Err(error) => {
                tracing::warn!(%error, "no storage; keeping everything in memory");
                self.0.writer.volatile.set(true);
                self.start_writing(Rc::new(MemoryStore::new())).await;
            }
        }
    }

    /// Waits for the Web Lock, where there are any; false if the browser refuses it.
    async fn obtain_lock(&self) -> bool {
        let lock = self.lock_name();
        loop {
            match request_lock(&lock).await {
                WebLock::Held if self.0.writer.lets_pass() => {
                    release_lock(&lock);
                    self.let_pass().await;
                }
                WebLock::Held => {
                    self.0.writer.has_lock.set(true);
                    return true;
                }
                WebLock::Unsupported => {
                    tracing::info!("there are no Web Locks here: a lease decides which tab writes");
                    return true;
                }
                WebLock::Refused => {
                    tracing::error!("the lock of the writing tab was refused");
                    return false;
                }
            }
        }
    }

    /// The name of the profile's Web Lock.
    fn lock_name(&self) -> String {
        let profile = self.0.writer.profile.borrow();
        profile.as_ref().map(|profile| opening::lock_of(&profile.network.topic)).unwrap_or_default()
    }

    /// Waits while another tab becomes the writer.
    pub(super) async fn let_pass(&self) {
        while self.0.writer.lets_pass() {
            // It is called also when a tab goes.
            self.0.writer.when_tab_goes().await.ok();
        }
    }

    /// Notes that the writer hands over to a tab, for as long as that takes at most.
    pub(super) fn see_handed_over(&self, to: &str) {
        if to == self.id() {
            self.0.writer.see_writer();
            return;
        }
        let number = self.next();
        self.0.writer.passing.set(Some(number));
        let tab = self.clone();
        spawn_local(async move {
            TimeoutFuture::new(PASSING_MILLIS).await;
            if tab.0.writer.passing.get() == Some(number) {
                tab.0.writer.see_writer();
            }
        });
    }

    /// Ends the node of this tab, which writes, so that another one may.
    pub(super) fn hand_over(&self, to: String) {
        let writer = &self.0.writer;
        let store = writer.store.borrow().clone().filter(|_| !writer.volatile.get() && !writer.withdrawn.get());
        let Some(store) = store else { return self.send(&Message::Kept { to }) };
        if !self.end_node(StoreError::NotWriter) {
            return;
        }
        self.see_handed_over(&to);
        if writer.has_lock.replace(false) {
            release_lock(&self.lock_name());
        } else {
            lease::leave(&store, &self.note());
        }
        store.cease_writing();
        self.send(&Message::HandedOver { to });
        self.dispatch(&Event::WriterChanged);
        let tab = self.clone();
        spawn_local(async move {
            tab.let_pass().await;
            if tab.obtain_lock().await {
                tab.write_under_lease(store).await;
            }
        });
    }

    /// Waits for the lease, then starts the node.
    async fn write_under_lease(&self, store: IndexedDb) {
        let taken = if self.0.writer.has_lock.get() {
            lease::take(&store, self.id()).await
        } else {
            lease::wait(&store, self, &self.note()).await
        };
        match taken {
            Ok(()) => self.start_writing(Rc::new(store)).await,
            Err(error @ StoreError::Newer) => self.take_over(TabRole::Failed(error)),
            Err(error) => tracing::error!(%error, "this tab can't become the one that writes"),
        }
    }

    /// Where the holder of the lease notes that it goes.
    fn note(&self) -> String {
        let profile = self.0.writer.profile.borrow();
        let topic = profile.as_ref().map(|profile| opening::database_of(&profile.network.topic));
        format!("{}-left", topic.unwrap_or_default())
    }

    /// Called when the tab is closed, if it writes.
    pub(super) fn stop_writing(&self, writer: &Writer) {
        // The profile's last tab says goodbye to its peers; another would have to take it back.
        if self.0.others.borrow().is_empty() {
            writer.node.say_goodbye();
        }
        if let Some(store) = self.0.writer.store.borrow().as_ref().filter(|_| !self.0.writer.has_lock.get()) {
            if let Some(access) = self.0.writer.access.take() {
                access.revoke(StoreError::NotWriter);
            }
            lease::leave(store, &self.note());
        }
    }

    /// Starts the node on a store and takes over. Does nothing if the store's data were taken away meanwhile: then it is
    /// started on what is there now.
    async fn start_writing(&self, store: Rc<dyn Store>) {
        let access = Rc::new(RevocableStore::new(store));
        self.0.writer.access.replace(Some(access.clone()));
        let started = self.start_node(access.clone()).await;
        if !self.0.writer.access.borrow().as_ref().is_some_and(|current| Rc::ptr_eq(current, &access)) {
            return;
        }
        self.take_over(match started {
            Ok(node) => TabRole::Writing(Rc::new(self.run(node))),
            Err(error) => {
                tracing::error!(%error, "the profile can't be opened");
                TabRole::Failed(error)
            }
        });
    }

    async fn start_node(&self, store: Rc<dyn Store>) -> Result<Rc<Node>, StoreError> {
        let profile = self.0.writer.profile.borrow().clone();
        let Profile { directory, network, served } = profile.expect("it is set before the tab writes");
        let network = pin::at_start(&Records::new(store.clone()), network).await?;
        let node = Node::start_within(store, Rc::new(Browser), network, given_limits::limits()).await?;
        node.keep_networks(directory, served);
        Ok(Rc::new(node))
    }

    /// Starts what runs beside a node.
    fn run(&self, node: Rc<Node>) -> Writer {
        let mut writer = Writer::new(node.clone());
        let (tab, own) = (self.clone(), Rc::downgrade(&node));
        let listener = move |event: &Event| {
            if let (Event::MeChanged, Some(node)) = (event, own.upgrade()) {
                spawn_local(hold_own(node));
            }
            tab.broadcast(event);
        };
        Node::subscribe(&node, Rc::new(listener));
        spawn_local(hold_own(node.clone()));
        let searching = node.clone();
        writer.spawn(async move { searching.maintain_search().await });
        // A node without a store takes nothing in.
        if !self.0.writer.withdrawn.get() {
            let asked = self.0.writer.profile.borrow().as_ref().is_some_and(|profile| profile.served.is_some());
            writer.spawn(join(node, asked));
        }
        if !self.0.writer.has_lock.get() {
            let tab = self.clone();
            writer.spawn(async move {
                loop {
                    TimeoutFuture::new(lease::RENEWAL_MILLIS).await;
                    tab.renew_lease();
                }
            });
        }
        writer
    }

    /// Sets the role, and has all tabs send again what is unanswered.
    fn take_over(&self, role: TabRole) {
        // The other tabs announce themselves again; the last writer may have gone without a message.
        self.0.others.borrow_mut().clear();
        self.take_role(role);
        self.send(&Message::Ready);
        self.dispatch(&Event::WriterChanged);
    }

    /// Shows that this tab still has the lease, if it is the one that writes.
    pub(super) fn renew_lease(&self) {
        let store = self.0.writer.store.borrow().clone();
        let Some(store) = store.filter(|_| matches!(*self.0.role.borrow(), TabRole::Writing(_))) else { return };
        spawn_local(async move {
            if let Err(error) = store.renew_lease().await {
                tracing::warn!(%error, "the lease of this tab was not renewed");
            }
        });
    }

    /// What happened to the open database.
    fn on_store_event(&self, event: StoreEvent) {
        let store = self.0.writer.store.borrow().clone();
        match (event, store) {
            (StoreEvent::Newer, _) => self.broadcast(&Event::ReloadNeeded),
            (StoreEvent::Reopened, _) => {
                if self.0.writer.access.borrow().is_some() {
                    self.broadcast(&Event::StorageClosed { outcome: StorageOutcome::Reopened });
                }
            }
            (StoreEvent::Emptied, Some(store)) if self.end_node(StoreError::Lost) => {
                self.start_again(Rc::new(store), StorageOutcome::Rewritten);
            }
            (StoreEvent::Withdrawn, Some(store)) if self.end_node(StoreError::Lost) => {
                self.0.writer.withdrawn.set(true);
                self.start_again(Rc::new(read_only(store.held())), StorageOutcome::Withdrawn);
            }
            (StoreEvent::Superseded, Some(store)) if self.end_node(StoreError::NotWriter) => {
                tracing::warn!("another tab writes now");
                store.cease_writing();
                self.dispatch(&Event::WriterChanged);
                let tab = self.clone();
                spawn_local(async move { tab.write_under_lease(store).await });
            }
            (StoreEvent::Emptied | StoreEvent::Withdrawn | StoreEvent::Superseded, _) => {}
        }
    }

    /// Ends the present node; false if there is none. What it had not finished is forwarded.
    fn end_node(&self, why: StoreError) -> bool {
        let Some(access) = self.0.writer.access.take() else { return false };
        access.revoke(why);
        if let TabRole::Writing(writer) = self.0.role.replace(TabRole::Following) {
            writer.end();
        }
        true
    }

    /// Starts the node again and tells all tabs what happened.
    fn start_again(&self, store: Rc<dyn Store>, outcome: StorageOutcome) {
        let tab = self.clone();
        spawn_local(async move {
            tab.start_writing(store).await;
            tab.broadcast(&Event::StorageClosed { outcome });
        });
    }
}

/// A store in memory that has a batch and takes nothing more: an entry that is signed on it might be one that the data on
/// the disk, should they come back, have in the same place.
fn read_only(batch: crate::store::Batch) -> MemoryStore {
    let store = MemoryStore::new();
    let filled = store.commit(batch, Durability::Strict).now_or_never();
    debug_assert_eq!(filled, Some(Ok(())), "memory takes a batch at once");
    store.fail_commits(Some(StoreError::Lost));
    store
}

/// Holds in memory what belongs to the own entries now.
async fn hold_own(node: Rc<Node>) {
    if let Err(error) = node.hold_own().await {
        tracing::warn!(%error, "not everything of the own is held in memory");
    }
}

/// Takes part in the network, if a relay is known: with the endpoints that the server names now, unless it was `asked`
/// before the profile was opened.
async fn join(node: Rc<Node>, asked: bool) {
    let ways = if asked { node.endpoints() } else { node.refresh_endpoints(parameters::fetch().await).await };
    if ways.relays.is_empty() {
        tracing::info!("no relay is known: this page stays by itself");
        return;
    }
    match Peering::open_through(node.clone(), ways).await {
        Ok(peering) => {
            let mesh = peering.mesh();
            let renewing = renew_relays(node, mesh.clone(), async || parameters::fetch().await);
            when_online(move || mesh.retry_connections());
            select(peering.run().boxed_local(), renewing.boxed_local()).await;
        }
        Err(error) => tracing::error!(%error, "this page can't take part in the network"),
    }
}
