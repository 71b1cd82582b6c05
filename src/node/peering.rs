//! A node among its peers: passes what the mesh brings to sessions and services, and own changes to the mesh.
//!
//! It does not decide what is valid: changes go through [`Admission::admit`]. A peer that breaks rules is counted and,
//! if nothing sensible can follow, banned.
//!
//! [`Peering::run`] is one task that drives everything else:
//!
//! ```text
//!   mesh.run()                          the libp2p node
//!   events of the mesh                  Linked ─► one exchange (`host`) and one exchange of rosters
//!                                       Gossip ─► `chat`
//!                                       streams and requests ─► `blocks`, `chat`, `lookup`, `modules`
//!                                       Changed ─► `peer_table`, stored peers, look-ups and receipts after a new relay
//!   every second                        presence and channels (`chat`), storing scores and notices
//!   every 20 s, and after own changes   what witnesses are to sign, block lists that are due
//!   fetcher, publisher                  until the node leaves its network
//! ```
//!
//! [`Admission::admit`]: crate::admit::Admission::admit

mod host;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc;
use futures::future::{LocalBoxFuture, join};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;

use crate::Node;
use crate::blocks;
use crate::chat;
use crate::history_requests::HistoryRequest;
use crate::lookup;
use crate::net::kademlia::values::ValidateRecord;
use crate::net::key::{NetPeerId, NodeKey};
use crate::net::mesh::{
    GossipTopic, Listening, Mesh, MeshError, MeshEvent, MeshHandle, MeshOptions, MeshView, MessageAcceptance,
    QuestionKind,
};
use crate::net::transport::TransportStack;
use crate::network::Endpoints;
use crate::peers::ViewChanges;
use crate::store::records::{StoredRecord, put};
use crate::store::{Durability, StoreError, Table};
use gen_registry_api::Event;
use gen_registry_core::keys::Did;
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_core::sync::exchange::budget::NodeBudget;
use gen_registry_core::sync::rejection::Rejection;
use host::{News, serve};

/// How often claims are settled: each stands alone for one to two of these before it is known.
const SETTLE_EVERY: Duration = Duration::from_secs(5);
/// How often in succession that is put off while comparisons are under way.
const SETTLINGS_PUT_OFF_MAX: u32 = 12;
/// The key of [`Table::Keys`] under which the node's own key is stored. It is never an identity.
const KEY_RECORD: &str = "node";
/// The key of [`Table::Settings`] under which the peers of earlier runs are stored.
const PEERS_RECORD: &str = "peers";

/// Why a node can't take part in its network.
#[derive(Debug, thiserror::Error)]
pub enum PeeringError {
    #[error(transparent)]
    Mesh(#[from] MeshError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A node that takes part in its network.
pub struct Peering {
    node: Rc<Node>,
    mesh: MeshHandle,
    /// What [`Peering::run`] drives.
    life: Option<(Mesh, mpsc::Receiver<MeshEvent>, mpsc::UnboundedReceiver<HistoryRequest>)>,
    sessions: Rc<Sessions>,
}

/// What the exchanges with all peers share.
pub(crate) struct Sessions {
    /// What each has still to say.
    news: RefCell<BTreeMap<NetPeerId, Rc<News>>>,
    /// How many strangers without a confirmed name are still taken.
    node_budget: Rc<RefCell<NodeBudget>>,
}

impl Sessions {
    fn new(limits: &NodeLimits) -> Self {
        let budget = NodeBudget::new(limits.newcomers_burst, limits.newcomers_per_second);
        Self { news: RefCell::default(), node_budget: Rc::new(RefCell::new(budget)) }
    }

    /// Has every session but one say that something of an identity changed.
    fn announce(&self, did: &Did, but: Option<NetPeerId>) {
        for (peer, news) in &*self.news.borrow() {
            if Some(*peer) != but {
                news.add(*did);
            }
        }
    }

    fn node_budget(&self) -> Rc<RefCell<NodeBudget>> {
        self.node_budget.clone()
    }
}

impl Peering {
    /// Sets the node up for its network, with the endpoints it knew at its start. Nothing happens before
    /// [`Peering::run`].
    pub async fn open(node: Rc<Node>) -> Result<Self, PeeringError> {
        let endpoints = node.endpoints();
        Self::open_through(node, endpoints).await
    }

    /// The same with newer endpoints.
    pub async fn open_through(node: Rc<Node>, endpoints: Endpoints) -> Result<Self, PeeringError> {
        Self::open_with(node, endpoints, None, None).await
    }

    /// Sets the node up as a server that others connect to, and that stores records for Kademlia.
    pub async fn open_listening(node: Rc<Node>, listening: Listening) -> Result<Self, PeeringError> {
        let endpoints = node.endpoints();
        Self::open_with(node, endpoints, Some(listening), None).await
    }

    /// Sets the node up on another transport than the platform's, for tests.
    pub async fn open_on(
        node: Rc<Node>,
        transport: impl FnOnce(NodeKey) -> TransportStack + 'static,
        listening: Option<Listening>,
    ) -> Result<Self, PeeringError> {
        let endpoints = node.endpoints();
        Self::open_with(node, endpoints, listening, Some(Box::new(transport))).await
    }

    /// Sets the node up: reads its key and its earlier peers, and opens the mesh. A node that listens stores records
    /// for Kademlia, too.
    async fn open_with(
        node: Rc<Node>,
        endpoints: Endpoints,
        listening: Option<Listening>,
        transport: Option<Box<dyn FnOnce(NodeKey) -> TransportStack>>,
    ) -> Result<Self, PeeringError> {
        let Endpoints { relays, public_nodes, ice_servers } = endpoints;
        let key = node.node_key().await?;
        let remembered_peers = match node.context.records.get(Table::Settings, PEERS_RECORD).await? {
            StoredRecord::Record(peers) => peers,
            StoredRecord::Nothing => Vec::new(),
            StoredRecord::Damaged(damaged) => {
                node.context.quarantine(&damaged).await;
                Vec::new()
            }
        };
        let topic = node.context.network.topic.into();
        let own = key.clone();
        // A node that can be dialled keeps records for others, and answers with what it knows itself.
        let validator =
            listening.as_ref().map(|_| Arc::new(node.lookups.validate_records()) as Arc<dyn ValidateRecord>);
        let known_records = listening.as_ref().map(|_| node.lookups.prove_records());
        let limits = node.context.limits;
        let options = MeshOptions {
            key,
            topic,
            relays,
            ice_servers,
            public_nodes,
            remembered_peers,
            listening,
            validator,
            known_records,
            limits,
        };
        let environment = node.context.environment.clone();
        let (mesh, handle, events) = match transport {
            Some(transport) => Mesh::open_on(transport(options.key.clone()), options, environment)?,
            None => Mesh::open(options, environment)?,
        };
        let sessions = Rc::new(Sessions::new(&node.context.limits));
        node.peers.join(handle.clone());
        let histories = node.chat.open(&own, &handle).await?;
        Ok(Self { node, mesh: handle, life: Some((mesh, events, histories)), sessions })
    }

    /// Returns the handle of the mesh.
    pub fn mesh(&self) -> MeshHandle {
        self.mesh.clone()
    }

    /// Runs until the mesh is closed, then stores scores and ends what needed the network.
    pub async fn run(mut self) {
        let Some((mesh, mut events, mut histories)) = self.life.take() else { return };
        let peering = Rc::new(self);
        let mut own_changes = peering.announce_own_changes();
        let mut mesh = mesh.run().boxed_local().fuse();
        let mut sessions: FuturesUnordered<LocalBoxFuture<'static, ()>> = FuturesUnordered::new();
        let content = &peering.node.content;
        let fetching = blocks::fetch_from_peers(content.clone(), peering.mesh.clone(), content.open());
        sessions.push(fetching.boxed_local());
        sessions.push(peering.node.checkpoints.clone().run().boxed_local());
        sessions.push(settle_holders(peering.node.clone()).boxed_local());
        sessions.push(peering.node.retainer.clone().run().boxed_local());
        let lookups = &peering.node.lookups;
        sessions.push(lookup::publish(lookups.clone(), peering.mesh.clone(), lookups.open()).boxed_local());
        let mut receipts = Delay::new(Duration::ZERO).fuse();
        let mut chat_tick = Delay::new(Duration::ZERO).fuse();
        loop {
            select! {
                () = mesh => break,
                event = events.next() => match event {
                    Some(event) => sessions.extend(peering.clone().handle_event(event)),
                    None => break,
                },
                () = sessions.select_next_some() => {}
                request = histories.select_next_some() => {
                    let asking = peering.node.chat.clone().ask_members(peering.mesh.clone(), request);
                    sessions.push(asking.boxed_local());
                }
                () = chat_tick => {
                    sessions.push(peering.node.chat.clone().tick(peering.mesh.clone()).boxed_local());
                    sessions.push(save_scores_and_notices(peering.node.clone()).boxed_local());
                    chat_tick = Delay::new(chat::TICK).fuse();
                }
                _ = own_changes.next() => {
                    receipts = Delay::new(Duration::ZERO).fuse();
                    // It may be the first sign of a person.
                    chat_tick = Delay::new(Duration::ZERO).fuse();
                }
                () = receipts => {
                    let node = peering.node.clone();
                    sessions.push(collect_receipts_and_share_lists(node).boxed_local());
                    receipts = Delay::new(peering.node.witnessing.pause()).fuse();
                }
            }
        }
        peering.node.reputation.save().await;
        peering.node.content.close();
        peering.node.lookups.close();
        peering.node.peers.leave();
        peering.node.context.emit(&Event::NetworkChanged);
    }

    /// Handles one event of the mesh. Returns what is left to be done, which runs beside everything else.
    fn handle_event(self: Rc<Self>, event: MeshEvent) -> Option<LocalBoxFuture<'static, ()>> {
        match event {
            MeshEvent::Linked(link) if !self.node.reputation.is_welcome(link.peer) => {
                self.mesh.ban(link.peer);
                None
            }
            MeshEvent::Linked(link) => {
                self.mesh.rate(link.peer, self.node.reputation.score(link.peer));
                let (news, woken) = News::new();
                let news_of_session = (Rc::downgrade(&news), woken);
                // An earlier session with this peer ends with its news.
                self.sessions.news.borrow_mut().insert(link.peer, news);
                let (node, mesh, peer) = (self.node.clone(), self.mesh.clone(), link.peer);
                let sessions = self.sessions.clone();
                let roster_exchange = node.chat.clone().exchange_rosters(mesh.clone(), peer);
                Some(join(serve(node, mesh, link, sessions, news_of_session), roster_exchange).map(drop).boxed_local())
            }
            // Two that dialled each other at once keep one of their connections. A goodbye that is lost with the other one
            // is not repeated, and changes are compared from time to time anyway.
            MeshEvent::RedundantConnectionClosed(peer) => {
                Some(self.node.chat.clone().exchange_rosters_again(self.mesh.clone(), peer).boxed_local())
            }
            MeshEvent::Gossip { ticket, bytes } => {
                let of_a_channel = ticket.topic != GossipTopic::Presence;
                let verdict = self.node.chat.validate_gossip(&ticket, &bytes);
                self.mesh.validate(ticket, verdict);
                let chat = self.node.chat.clone();
                let may_be_new = verdict != MessageAcceptance::Reject && of_a_channel;
                may_be_new.then(|| async move { chat.save_messages().await }.boxed_local())
            }
            MeshEvent::ChatOpened(stream) => Some(chat::serve(self.node.chat.clone(), stream).boxed_local()),
            MeshEvent::Closing => {
                self.node.say_goodbye();
                self.mesh.leave();
                None
            }
            MeshEvent::Graylisted(peer) => {
                self.node.reputation.note_rejection(peer, Rejection::TooManyMessages);
                self.node.reputation.ban(&self.mesh, peer);
                None
            }
            MeshEvent::BlocksRequested(stream) => {
                Some(blocks::serve(self.node.content.clone(), self.mesh.clone(), stream).boxed_local())
            }
            MeshEvent::QuestionAsked { kind: QuestionKind::Search, peer, request, reply } => {
                let node = self.node.clone();
                let answering = async move {
                    if let Some(answer) = node.modules.network_search.answer(peer, &request).await {
                        // The caller may be gone.
                        reply.send(answer).ok();
                    }
                };
                Some(answering.boxed_local())
            }
            MeshEvent::QuestionAsked { kind: QuestionKind::Name, peer, request, reply } => {
                if let Some(answer) = self.node.lookups.answer_find(peer, &request) {
                    // The caller may be gone.
                    reply.send(answer).ok();
                }
                None
            }
            MeshEvent::Changed(view) => {
                // At once: an older view must not come after a newer one.
                let news = self.node.peers.update(&view, self.node.context.now());
                self.sessions.news.borrow_mut().retain(|_, news| Rc::weak_count(news) > 0);
                Some(async move { self.apply_view_changes(news, &view).await }.boxed_local())
            }
        }
    }

    /// Does what follows from a new view: stores the peers for the next start, and uses a new relay.
    async fn apply_view_changes(&self, news: ViewChanges, view: &MeshView) {
        if news.known_changed {
            let record = put(Table::Settings, PEERS_RECORD, &view.remembered_peers);
            if let Err(error) = self.node.context.records.commit(vec![record], Durability::Relaxed).await {
                tracing::warn!(%error, "the peers of today will not be known tomorrow");
            }
        }
        if news.relay_came {
            self.node.lookups.wake(true);
            self.node.witnessing.collect().await;
        }
        self.node.context.emit(&Event::NetworkChanged);
    }

    /// Has sessions say what changes here. The returned receiver wakes when there are some.
    fn announce_own_changes(&self) -> mpsc::Receiver<()> {
        let (own_changes, receiver) = mpsc::channel(0);
        let (node, sessions) = (Rc::downgrade(&self.node), self.sessions.clone());
        self.node.registry.announce_through(Rc::new(move |did| {
            let Some(node) = node.upgrade() else { return };
            node.peers.count_unsent();
            sessions.announce(did, None);
            node.lookups.wake(false);
            // Full: the receiver is awake already.
            own_changes.clone().try_send(()).ok();
        }));
        receiver
    }
}

/// Does what is due from time to time, and after every own change.
async fn collect_receipts_and_share_lists(node: Rc<Node>) {
    node.witnessing.collect().await;
    node.block_lists.share_if_due().await;
}

/// Knows the holders of names whose claims stood alone for a while among peers. Never returns.
async fn settle_holders(node: Rc<Node>) {
    let mut put_off = 0;
    loop {
        Delay::new(SETTLE_EVERY).await;
        // What comes with a comparison came together. A peer that compares without end puts it off only so often.
        let is_busy = node.peers.is_syncing() && put_off < SETTLINGS_PUT_OFF_MAX;
        if node.peers.count() == 0 || is_busy {
            put_off += u32::from(is_busy);
            continue;
        }
        put_off = 0;
        if let Err(failure) = node.registry.settle_holders().await {
            tracing::warn!(code = ?failure.code, "who holds which name is not stored yet");
        }
    }
}

/// Stores scores and notices: a page may be closed at any moment.
async fn save_scores_and_notices(node: Rc<Node>) {
    node.reputation.save().await;
    if let Err(error) = node.notices.save().await {
        tracing::warn!(%error, "the newest notices are not kept yet");
    }
}

impl Node {
    /// Returns the node's key, generated at the first use. A damaged one is set aside and replaced: it names a node, not a
    /// person.
    async fn node_key(&self) -> Result<NodeKey, StoreError> {
        let records = &self.context.records;
        let damaged = match records.get::<serde_bytes::ByteBuf>(Table::Keys, KEY_RECORD).await? {
            StoredRecord::Record(bytes) => match NodeKey::decode(&bytes) {
                Ok(key) => return Ok(key),
                Err(error) => {
                    tracing::warn!(%error, "this node gets a new key");
                    records.get_foreign(Table::Keys, KEY_RECORD).await?
                }
            },
            StoredRecord::Nothing => None,
            StoredRecord::Damaged(found) => Some(found),
        };
        if let Some(damaged) = damaged {
            self.context.quarantine(&damaged).await;
        }
        let key = NodeKey::fresh();
        let bytes = serde_bytes::ByteBuf::from(key.encode());
        self.context.records.commit(vec![put(Table::Keys, KEY_RECORD, &bytes)], Durability::Strict).await?;
        Ok(key)
    }
}
