//! A whole node with real libp2p, and what a test asks of it.

use std::cell::Cell;
use std::rc::Rc;

use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::blocks::{ContentError, Pin, Progress};
use gen_registry_node::net::key::NodeKey;
use gen_registry_node::net::mesh::{Listening, MeshHandle};
use gen_registry_node::net::transport::TransportStack;
use gen_registry_node::peering::Peering;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::Store;
use gen_registry_node::store::memory::MemoryStore;
use tokio::task::{JoinHandle, spawn_local};

use crate::support::store::WatchedStore;
use crate::support::wait::eventually;

/// One profile that takes part in a network, on a store of this kind.
pub struct NodeOn<S> {
    pub node: Rc<Node>,
    pub store: Rc<S>,
    pub mesh: MeshHandle,
    pub life: JoinHandle<()>,
}

pub type TestNode = NodeOn<MemoryStore>;

/// A node whose store is watched.
pub type WatchedNode = NodeOn<WatchedStore>;

impl TestNode {
    /// On another transport than the native one. Returns once it has its relay.
    pub async fn join_over(
        network: Network,
        transport: impl FnOnce(NodeKey) -> TransportStack + 'static,
        listening: Option<Listening>,
    ) -> Self {
        let store = Rc::<MemoryStore>::default();
        let node = Rc::new(Node::start(store.clone(), Rc::new(Native), network).await.unwrap());
        let peering = Peering::open_on(node.clone(), transport, listening).await.unwrap();
        let joined = Self { node, store, mesh: peering.mesh(), life: spawn_local(peering.run()) };
        eventually("its relay is connected", async || joined.has_relay().await).await;
        joined
    }
}

impl WatchedNode {
    /// One that has a file. Every read of its store from now on is for a peer.
    pub async fn with_file(network: &Network, bytes: &[u8]) -> (Self, Artifact) {
        let store = Rc::<WatchedStore>::default();
        let node = Rc::new(Node::start(store.clone(), Rc::new(Native), network.clone()).await.unwrap());
        let artifact = node.content().keep_artifact(bytes, Pin::Own).await.unwrap();
        store.reads.borrow_mut().clear();
        (Self::join_as(node, store).await, artifact)
    }
}

impl<S: Store + Default + 'static> NodeOn<S> {
    pub async fn join(network: Network) -> Self {
        Self::join_with(Rc::default(), network).await
    }

    pub async fn join_with(store: Rc<S>, network: Network) -> Self {
        Self::join_on(Rc::new(Native), store, network).await
    }

    pub async fn join_on(environment: Rc<dyn Environment>, store: Rc<S>, network: Network) -> Self {
        let node = Rc::new(Node::start(store.clone(), environment, network).await.unwrap());
        Self::join_as(node, store).await
    }

    async fn join_as(node: Rc<Node>, store: Rc<S>) -> Self {
        let peering = Peering::open(node.clone()).await.unwrap();
        let mesh = peering.mesh();
        Self { node, store, mesh, life: spawn_local(peering.run()) }
    }

    /// As when its process is killed: nothing more is said.
    pub async fn killed(self) -> Rc<S> {
        self.life.abort();
        self.life.await.unwrap_err();
        self.store
    }

    pub async fn talk(&self, command: ChatCommand) -> Result<Answer, Failure> {
        self.node.handle(Command::Chat { command }).await
    }

    pub async fn leave(self) -> Rc<S> {
        self.mesh.close();
        self.life.await.unwrap();
        self.store
    }

    pub async fn claim(&self, name: &str) -> Result<Answer, Failure> {
        let changes = ProfileChanges::default();
        self.node.handle(Command::RegisterUsername { name: name.to_owned(), changes }).await
    }

    pub async fn look_up(&self, name: &str) -> NameReport {
        match self.node.handle(Command::LookupUsername { name: name.to_owned() }).await.unwrap() {
            Answer::Name(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn me(&self) -> Me {
        match self.node.handle(Command::WhoAmI).await.unwrap() {
            Answer::Me(me) => *me,
            other => panic!("{other:?}"),
        }
    }

    pub async fn people(&self) -> Vec<String> {
        let command = Command::ListUsernames { prefix: String::new(), limit: 500, cursor: None };
        match self.node.handle(command).await.unwrap() {
            Answer::People(page) => page.people.into_iter().filter_map(|entry| entry.person.username).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn network(&self) -> NetworkReport {
        match self.node.handle(Command::Network).await.unwrap() {
            Answer::Network(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn has_relay(&self) -> bool {
        self.network().await.relays.iter().any(|relay| relay.connected)
    }

    pub async fn has_peers(&self, count: usize) {
        eventually("peers are connected", async || self.network().await.peers.len() >= count).await;
    }

    pub async fn is_confirmed(&self) {
        eventually("the name is confirmed", async || self.me().await.name_status == Some(NameStatus::Confirmed)).await;
    }

    pub async fn sees(&self, name: &str) {
        eventually(name, async || self.look_up(name).await.holder.is_some()).await;
    }

    /// How often peers broke a rule, as this node counts it.
    pub async fn count_of(&self, why: Rejection) -> u64 {
        let rejections = self.network().await.rejections;
        rejections.iter().find(|(known, _)| *known == why).map_or(0, |(_, count)| *count)
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

    pub async fn publish(&self, draft: PublishDraft) -> Published {
        let command = ModuleCommand::Publish { draft: Box::new(draft) };
        match self.node.handle(Command::Modules { command }).await.unwrap() {
            Answer::Published(published) => published,
            other => panic!("{other:?}"),
        }
    }

    /// A module's page; none where the module is not known here.
    pub async fn module(&self, name: &str) -> Option<ModulePage> {
        let command = ModuleCommand::Page { name: name.to_owned() };
        match self.node.handle(Command::Modules { command }).await.unwrap() {
            Answer::Module(page) => page.map(|page| *page),
            other => panic!("{other:?}"),
        }
    }

    pub async fn find(&self, kind: NameKind, name: &str) -> FindReport {
        match self.node.handle(Command::Find { kind, name: name.to_owned() }).await.unwrap() {
            Answer::Lookup(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn find_username(&self, name: &str) -> FindReport {
        self.find(NameKind::Username, name).await
    }

    pub async fn did(&self) -> String {
        self.me().await.did.unwrap()
    }
}

impl TestNode {
    pub async fn online(&self) -> Vec<OnlineUser> {
        match self.talk(ChatCommand::Users).await.unwrap() {
            Answer::Online(report) => report.users,
            other => panic!("{other:?}"),
        }
    }

    pub async fn online_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.online().await.into_iter().filter_map(|user| user.person.username).collect();
        names.sort();
        names
    }

    pub async fn finds_online(&self, names: &[&str]) {
        eventually(&format!("{names:?} are online"), async || self.online_names().await == names).await;
    }

    pub async fn in_channel(&self, channel: &str) -> Vec<String> {
        let channel = channel.to_owned();
        match self.talk(ChatCommand::ChannelUsers { channel }).await.unwrap() {
            Answer::ChannelUsers(users) => {
                let mut names: Vec<String> = users.into_iter().filter_map(|user| user.person.username).collect();
                names.sort();
                names
            }
            other => panic!("{other:?}"),
        }
    }

    pub async fn finds_in(&self, channel: &str, names: &[&str]) {
        eventually(&format!("{names:?} are in {channel}"), async || self.in_channel(channel).await == names).await;
    }

    pub async fn joins(&self, channel: &str) {
        self.talk(ChatCommand::Join { username: None, channel: channel.to_owned() }).await.unwrap();
    }
}
