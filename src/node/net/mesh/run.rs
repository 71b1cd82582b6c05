//! A node at work: one loop over libp2p's events, the host's commands, and what is due.

mod actions;
mod events;
mod gossip;
mod links;
mod server;
mod view;

pub(super) use server::parse;

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use std::time::Duration;

use futures::channel::{mpsc, oneshot};
use futures::future::{Fuse, LocalBoxFuture, join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;
use libp2p::{PeerId, Stream, StreamProtocol, Swarm, core::transport::ListenerId, gossipsub, rendezvous};

use crate::net::mesh::behaviour::Behaviour;
use crate::net::mesh::connection_manager::ConnectionManager;
use crate::net::mesh::dht_client::DhtClient;
use crate::net::mesh::link::Outgoing;
use crate::net::mesh::neighbours;
use crate::net::mesh::question::{AskError, FIND_PROTOCOL, ask};
use crate::net::mesh::run::actions::random;
use crate::net::mesh::run::server::Server;
use crate::net::mesh::scoring;
use crate::net::mesh::{Command, MeshError, MeshEvent, MeshOptions, MeshView, MessageAcceptance};
use crate::net::streams::{Control, Incoming};
use crate::net::transport::Reachability;
use crate::platform::{Environment, monotonic_clock::MonotonicClock};
use gen_registry_api::ConnectionPath;
use gen_registry_core::sync::blocks::wire as blocks_wire;
use gen_registry_core::sync::{chat, wire};

/// How often the keeping is asked what is due.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// Between two attempts to open a sync stream; twice as long each time, up to 64 times as long.
const LINK_RETRY_MILLIS: u64 = 3_000;
const LINK_RETRY_DOUBLINGS: u32 = 6;
/// A sync stream that lasted so long was a good one.
const LINK_GOOD_MILLIS: u64 = 60_000;
/// How long what is published last may take to go out.
const LAST_WORDS: Duration = Duration::from_millis(150);
/// Peers taken from one answer of rendezvous.
const DISCOVERED_MAX: u64 = 64;

/// What a task of this node came to.
enum Done {
    Opened(PeerId, Option<Stream>),
    LinkEnded(PeerId, u64),
    /// A peer named other peers.
    Told(Vec<u8>),
    Answered,
    /// What is known of the connection to it.
    Measured(PeerId, Option<ConnectionPath>),
    /// A peer's question is answered, or not.
    Replied(PeerId),
    Quiet,
}

struct Peer {
    since: u64,
    dialled: bool,
    connections: usize,
    agent: Option<String>,
    round_trip: Option<Duration>,
    path: Option<ConnectionPath>,
    measuring: bool,
    /// The link that counts, and where its messages go.
    link: Option<(u64, Outgoing)>,
    linked_at: u64,
    open_at: u64,
    /// Attempts since the last good link.
    attempts: u32,
    /// Answers to its questions for other peers.
    told_of_others: u32,
    opening: bool,
}

pub(super) struct EventLoop {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) connection_manager: ConnectionManager,
    gossip: gossip::Topics,
    namespace: rendezvous::Namespace,
    environment: Rc<dyn Environment>,
    steady: MonotonicClock,
    orders: mpsc::UnboundedReceiver<Command>,
    events: mpsc::UnboundedSender<MeshEvent>,
    control: Control,
    inbound: Incoming,
    /// Peers that ask for others.
    asked: Incoming,
    answering: usize,
    /// Peers that ask what is known, and how many questions of each wait.
    questions: Incoming,
    pub(super) finding: BTreeMap<PeerId, usize>,
    /// Peers that want blocks.
    wanting: Incoming,
    /// Peers that ask who is here and what was said.
    talking: Incoming,
    tasks: FuturesUnordered<LocalBoxFuture<'static, Done>>,
    peers: BTreeMap<PeerId, Peer>,
    /// Under which listener there is a place at which relay.
    places: HashMap<ListenerId, PeerId>,
    server: Option<Server>,
    reach: Reachability,
    pub(super) directory: DhtClient,
    next_link: u64,
    /// The view may differ from the last one that was emitted.
    changed: bool,
    told: MeshView,
}

impl EventLoop {
    pub(super) fn new(
        mut swarm: Swarm<Behaviour>,
        mut reach: Reachability,
        options: MeshOptions,
        environment: Rc<dyn Environment>,
        orders: mpsc::UnboundedReceiver<Command>,
        events: mpsc::UnboundedSender<MeshEvent>,
    ) -> Result<Self, MeshError> {
        let MeshOptions { topic, relays, public_nodes, known, listening, validator, key: _, ice_servers: _ } = options;
        let namespace = rendezvous::Namespace::new(topic.clone()).map_err(|_| MeshError::Namespace)?;
        let registry = swarm.behaviour_mut().registry.inner_mut();
        let gossip = gossip::Topics::new(topic, &mut registry.gossip)?;
        let streams = &mut registry.streams;
        let mut accept = |protocol| streams.accept(StreamProtocol::new(protocol));
        let (inbound, asked) = (accept(wire::PROTOCOL), accept(neighbours::PROTOCOL));
        let (questions, talking) = (accept(FIND_PROTOCOL), accept(chat::PROTOCOL));
        let wanting = accept(blocks_wire::PROTOCOL);
        let control = streams.control();
        let mut connection_manager = match &listening {
            None => ConnectionManager::new(*swarm.local_peer_id(), parse(&relays)?, reach.is_direct)
                .with_circuits(reach.circuit)
                .with_public_nodes(parse(&public_nodes)?),
            Some(listening) => ConnectionManager::new(*swarm.local_peer_id(), parse(&relays)?, |_| false)
                .with_room_for(listening.direct_max),
        };
        for (peer, addresses) in &known {
            if let Ok(peer) = peer.parse() {
                connection_manager.add_addresses(peer, addresses.iter().filter_map(|address| address.parse().ok()));
            }
        }
        let server = match listening {
            Some(listening) => Some(Server::open(listening, &mut swarm)?),
            None => {
                for address in std::mem::take(&mut reach.listening) {
                    if let Err(error) = swarm.listen_on(address) {
                        tracing::warn!(%error, "nobody can reach this node directly");
                    }
                }
                None
            }
        };
        connection_manager.reachable(server.as_ref().is_some_and(Server::is_announced));
        Ok(Self {
            swarm,
            connection_manager,
            gossip,
            namespace,
            environment,
            steady: MonotonicClock::default(),
            orders,
            events,
            control,
            inbound,
            asked,
            answering: 0,
            questions,
            finding: BTreeMap::new(),
            wanting,
            talking,
            tasks: FuturesUnordered::new(),
            peers: BTreeMap::new(),
            places: HashMap::new(),
            server,
            reach,
            directory: DhtClient::new(validator),
            next_link: 0,
            changed: true,
            told: MeshView::default(),
        })
    }

    pub(super) async fn run(mut self) {
        let mut heartbeat = Delay::new(Duration::ZERO).fuse();
        let mut goodbye = Fuse::terminated();
        loop {
            select! {
                event = self.swarm.select_next_some() => self.handle(event),
                order = self.orders.next() => match order {
                    None | Some(Command::Leave) => break,
                    Some(Command::Close) => {
                        self.tell(MeshEvent::Closing);
                        if self.events.is_closed() {
                            break;
                        }
                        goodbye = Delay::new(HEARTBEAT).fuse();
                    }
                    Some(order) => self.handle_command(order),
                },
                stream = self.inbound.next().fuse() => if let Some((peer, stream)) = stream {
                    self.accept(peer, stream);
                },
                stream = self.asked.next().fuse() => if let Some((peer, stream)) = stream {
                    self.tell_of_others(peer, stream);
                },
                stream = self.questions.next().fuse() => if let Some((peer, stream)) = stream {
                    self.hear_question(peer, stream);
                },
                stream = self.wanting.next().fuse() => if let Some((peer, stream)) = stream {
                    self.accept_blocks(peer, stream);
                },
                stream = self.talking.next().fuse() => if let Some((peer, stream)) = stream {
                    self.accept_talk(peer, stream);
                },
                done = self.tasks.select_next_some() => self.finish(done),
                () = goodbye => break,
                () = heartbeat => {
                    self.on_heartbeat();
                    heartbeat = Delay::new(HEARTBEAT).fuse();
                }
            }
            self.tell_changes();
        }
        self.last_words().await;
        self.tasks.clear();
        let everybody: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in everybody {
            // Those who are gone already need no goodbye.
            self.swarm.disconnect_peer_id(peer).ok();
        }
        self.leave().await;
    }

    /// What was published just now goes out.
    async fn last_words(&mut self) {
        let mut patience = Delay::new(LAST_WORDS).fuse();
        while self.swarm.connected_peers().next().is_some() {
            select! {
                _ = self.swarm.select_next_some() => {}
                _ = self.tasks.select_next_some() => {}
                () = patience => break,
            }
        }
    }

    /// Lets goodbyes out.
    async fn leave(&mut self) {
        let mut patience = Delay::new(HEARTBEAT).fuse();
        while self.swarm.connected_peers().next().is_some() {
            select! {
                _ = self.swarm.select_next_some() => {}
                () = patience => break,
            }
        }
    }

    fn now(&self) -> u64 {
        self.steady.millis(self.environment.now())
    }

    fn on_heartbeat(&mut self) {
        let now = self.now();
        self.tidy_directory(now);
        for peer in self.connection_manager.expired_bans(now) {
            self.swarm.behaviour_mut().banned.unblock_peer(peer);
        }
        let environment = self.environment.clone();
        for action in self.connection_manager.poll(now, &mut |below| random(&environment, below)) {
            self.act(action);
        }
        let gossip = &self.swarm.behaviour().registry.inner().gossip;
        let unheard = |peer: &PeerId| gossip.peer_score(peer).is_some_and(|score| score < scoring::GRAYLIST_BELOW);
        let graylisted: Vec<PeerId> = self.peers.keys().copied().filter(unheard).collect();
        graylisted.into_iter().for_each(|peer| self.tell(MeshEvent::Graylisted(peer.into())));
        let due: Vec<PeerId> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.link.is_none() && !peer.opening && peer.open_at <= now)
            .map(|(peer, _)| *peer)
            .collect();
        due.into_iter().for_each(|peer| self.open_link(peer));
    }

    fn handle_command(&mut self, order: Command) {
        match order {
            Command::Publish { topic, bytes, frame } => self.publish(topic, bytes, frame),
            Command::Listen(topic, on) => self.listen(topic, on),
            Command::Validate(ticket, verdict) => {
                let verdict = match verdict {
                    MessageAcceptance::Accept => gossipsub::MessageAcceptance::Accept,
                    MessageAcceptance::Ignore => gossipsub::MessageAcceptance::Ignore,
                    MessageAcceptance::Reject => gossipsub::MessageAcceptance::Reject,
                };
                let gossip = &mut self.swarm.behaviour_mut().registry.inner_mut().gossip;
                gossip.report_message_validation_result(&ticket.message, &ticket.from.peer_id(), verdict);
            }
            Command::Ban(peer) => {
                let peer = peer.peer_id();
                if self.connection_manager.is_relay(&peer) {
                    return;
                }
                self.connection_manager.ban(peer, self.now());
                self.swarm.behaviour_mut().banned.block_peer(peer);
            }
            Command::Rate(peer, score) => {
                let gossip = &mut self.swarm.behaviour_mut().registry.inner_mut().gossip;
                // Returns false for a peer that is not connected: it is rated when it connects.
                gossip.set_application_score(&peer.peer_id(), scoring::of_host(score));
            }
            Command::ConnectTo(peer) => {
                if self.connection_manager.connect_to(peer.peer_id(), self.now()) {
                    self.on_heartbeat();
                }
            }
            Command::Ask { protocol, request, answers } => self.ask(protocol, &request, answers),
            Command::AskPeer { peer, protocol, request, answer } => {
                self.ask_peer(peer.peer_id(), protocol, request, answer);
            }
            Command::LookUp(order) => self.look_up(order),
            Command::OpenBlocks(peer, opened) => self.open_blocks(peer.peer_id(), opened),
            Command::OpenChat(peer, opened) => self.open_chat(peer.peer_id(), opened),
            Command::RetryConnections => {
                self.connection_manager.reset_backoff();
                self.on_heartbeat();
            }
            Command::Close | Command::Leave => {}
        }
    }

    fn ask(
        &mut self,
        protocol: &'static str,
        request: &[u8],
        answers: oneshot::Sender<Vec<Result<Vec<u8>, AskError>>>,
    ) {
        let questions: Vec<_> = self
            .connection_manager
            .connected_relays()
            .map(|relay| ask(self.control.clone(), relay, protocol, request.to_vec()))
            .collect();
        let asking = async move {
            // The caller may be gone.
            answers.send(join_all(questions).await).ok();
            Done::Quiet
        };
        self.tasks.push(asking.boxed_local());
    }

    fn finish(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Opened(peer, stream) => {
                let Some(state) = self.peers.get_mut(&peer) else { return };
                let wait = LINK_RETRY_MILLIS << state.attempts.min(LINK_RETRY_DOUBLINGS);
                (state.opening, state.open_at, state.attempts) = (false, now + wait, state.attempts + 1);
                if let Some(stream) = stream {
                    self.link(peer, stream, true);
                }
            }
            Done::LinkEnded(peer, number) => {
                let Some(state) = self.peers.get_mut(&peer) else { return };
                if state.link.as_ref().is_some_and(|(current, _)| *current == number) {
                    state.link = None;
                    if now >= state.linked_at + LINK_GOOD_MILLIS {
                        state.attempts = 0;
                    }
                    // It has waited already when the link had lasted: a new connection replaced the old one.
                    state.open_at = state.open_at.max(now);
                }
            }
            Done::Measured(peer, path) => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    (state.measuring, state.path) = (false, path);
                    self.changed = true;
                }
            }
            Done::Answered => self.answering -= 1,
            Done::Replied(peer) => self.question_over(peer),
            Done::Told(bytes) => {
                self.changed = true;
                for (peer, addresses) in neighbours::decode_peers(&bytes) {
                    self.connection_manager.add_addresses(peer, addresses);
                }
            }
            Done::Quiet => {}
        }
    }

    fn tell(&self, event: MeshEvent) {
        if self.events.unbounded_send(event).is_err() {
            tracing::debug!("nobody listens to the mesh");
        }
    }
}
