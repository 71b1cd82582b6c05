//! Whole nodes with stores that are watched, filled and held up, for stories about content.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::sync::simulator::Random;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::blocks::{ContentError, Pin, Progress};
use gen_registry_node::net::mesh::MeshHandle;
use gen_registry_node::peering::Peering;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Batch, Durability, Entry, Store, StoreError, Table, Write};
use tokio::task::{JoinHandle, spawn_local};

use crate::mesh::eventually;

/// A store of which is seen which blocks were read, that can be made to hang and to be full.
#[derive(Default)]
pub struct Watched {
    inner: MemoryStore,
    pub reads: RefCell<BTreeMap<String, usize>>,
    /// After so many more blocks that were found, reads of blocks wait.
    pub hangs_after: Cell<Option<usize>>,
    /// Bytes that fit.
    pub room: Cell<Option<usize>>,
    pub used: RefCell<BTreeMap<(Table, String), usize>>,
}

impl Watched {
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

impl Store for Watched {
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
            match write {
                Write::Put { table, key, bytes } => drop(used.insert((*table, key.clone()), bytes.len())),
                Write::Delete { table, key } => drop(used.remove(&(*table, key.clone()))),
            }
        }
        if self.room.get().is_some_and(|room| used.values().sum::<usize>() > room) {
            return Box::pin(async { Err(StoreError::Full) });
        }
        *self.used.borrow_mut() = used;
        self.inner.commit(batch, durability)
    }
}

pub struct Party {
    pub node: Rc<Node>,
    pub store: Rc<Watched>,
    pub mesh: MeshHandle,
    pub life: JoinHandle<()>,
}

impl Party {
    pub async fn join(network: &Network) -> Self {
        Self::join_with(Rc::default(), network).await
    }

    pub async fn join_with(store: Rc<Watched>, network: &Network) -> Self {
        let node = Rc::new(Node::start(store.clone(), Rc::new(Native), network.clone()).await.unwrap());
        Self::join_as(node, store).await
    }

    async fn join_as(node: Rc<Node>, store: Rc<Watched>) -> Self {
        let peering = Peering::open(node.clone()).await.unwrap();
        let mesh = peering.mesh();
        Self { node, store, mesh, life: spawn_local(peering.run()) }
    }

    /// One that has a file.
    pub async fn with(network: &Network, bytes: &[u8]) -> (Self, Artifact) {
        let store = Rc::<Watched>::default();
        let node = Rc::new(Node::start(store.clone(), Rc::new(Native), network.clone()).await.unwrap());
        let artifact = node.content().keep_artifact(bytes, Pin::Own).await.unwrap();
        // Before it has peers: from now on every read is for one of them.
        store.reads.borrow_mut().clear();
        (Self::join_as(node, store).await, artifact)
    }

    pub async fn network(&self) -> NetworkReport {
        match self.node.handle(Command::Network).await.unwrap() {
            Answer::Network(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn has_peers(&self, count: usize) {
        eventually("peers are connected", async || self.network().await.peers.len() >= count).await;
    }

    pub async fn counted(&self, why: Rejection) -> u64 {
        let rejections = self.network().await.rejections;
        rejections.iter().find(|(known, _)| *known == why.to_string()).map_or(0, |(_, count)| *count)
    }

    pub async fn fetch(&self, artifact: &Artifact) -> Result<(), ContentError> {
        self.node.content().fetch(artifact, |_| {}).await
    }

    /// A fetch that goes on by itself, and how far it is.
    pub fn fetching(&self, artifact: &Artifact) -> (JoinHandle<Result<(), ContentError>>, Rc<Cell<u64>>) {
        let done = Rc::<Cell<u64>>::default();
        let (node, artifact, seen) = (self.node.clone(), artifact.clone(), done.clone());
        let life =
            spawn_local(async move { node.content().fetch(&artifact, |Progress { done, .. }| seen.set(done)).await });
        (life, done)
    }
}

pub fn file(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..length).map(|_| random.number() as u8).collect()
}
