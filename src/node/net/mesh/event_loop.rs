//! The event loop: routes events of the swarm, commands of the host and activity of streams to the parts.
//!
//! One turn waits for whichever comes first, passes it to the part that it concerns, and emits what follows:
//!
//! ```text
//!  swarm ──────► ConnectionEstablished ──► Connector, ConnectedPeers, StreamTable
//!                gossip message ─────────► GossipTopics ─────────────► HostEvents
//!                Kademlia result ────────► DhtClient
//!  host ───────► Publish ────────────────► GossipTopics, StreamTable
//!                OpenBlocks ─────────────► StreamTable
//!  streams ────► a peer opened one ──────► StreamTable ──────────────► HostEvents
//!  timer ──────► every 500 ms ───────────► Connector, StreamTable, DhtClient
//! ```
//!
//! The parts use neither each other nor the loop. They get the behaviour that they need, e.g. `&mut Gossip`, for one
//! call, and decide; the loop decides nothing. It waits for nothing but the next event, so that the swarm is always
//! polled. What happens when the host is slower than the peers is explained in [`host_events`](super::host_events).
//!
//! For example, a change that Bob publishes takes two turns of Alice's loop: in the first, the swarm yields the gossip
//! message, [`GossipTopics`] makes a ticket for it and [`HostEvents`] queues it; then the host verifies and stores the
//! change. In the second, the host's `Validate` command arrives, and gossipsub forwards the message to Carol.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use futures::future::{Fuse, poll_fn};
use futures::{FutureExt, StreamExt, select};
use futures_timer::Delay;
use libp2p::core::ConnectedPoint;
use libp2p::swarm::SwarmEvent;
use libp2p::{PeerId, Swarm, gossipsub, identify, kad, ping, relay, rendezvous};

use crate::net::address::is_webrtc;
use crate::net::mesh::behaviour::{Behaviour, BehaviourEvent, DirectProtocolsEvent};
use crate::net::mesh::connected_peers::ConnectedPeers;
use crate::net::mesh::connection_manager::Room;
use crate::net::mesh::connector::{Bootstrap, Connector};
use crate::net::mesh::dht_client::DhtClient;
use crate::net::mesh::gossip::GossipTopics;
use crate::net::mesh::handle::{Command, Commands};
use crate::net::mesh::host_events::HostEvents;
use crate::net::mesh::peer_exchange::encode_peers;
use crate::net::mesh::relay_questions::{RelayQuestion, RelayQuestions};
use crate::net::mesh::stream_table::{StreamActivity, StreamOutput, StreamTable};
use crate::net::mesh::types::{GossipTopic, MeshError, MeshEvent, MeshOptions, MeshView, MessageAcceptance};
use crate::net::transport::Reachability;
use crate::platform::{Environment, monotonic_clock::MonotonicClock};

/// How often the parts are asked what is due: dials, expired bans, sync streams to open, records to expire.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How long messages that were published last may take to be sent.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(150);
/// How long connections may take to close.
const CLOSE_TIMEOUT: Duration = HEARTBEAT;

/// The swarm, the parts, and the two queues to and from the host.
pub(super) struct EventLoop {
    swarm: Swarm<Behaviour>,
    connector: Connector,
    peers: ConnectedPeers,
    streams: StreamTable,
    gossip: GossipTopics,
    dht: DhtClient,
    relay_questions: RelayQuestions,
    commands: Commands,
    events: HostEvents,
    environment: Rc<dyn Environment>,
    /// The clock of all waits; it does not go back.
    clock: MonotonicClock,
    /// The view may differ from the last one that was emitted.
    view_changed: bool,
    /// The last view that was emitted.
    emitted_view: MeshView,
}

impl EventLoop {
    /// Builds the parts and begins to listen. Fails if an address or a topic is invalid.
    pub(super) fn new(
        mut swarm: Swarm<Behaviour>,
        mut reachability: Reachability,
        options: MeshOptions,
        environment: Rc<dyn Environment>,
        commands: Commands,
        events: HostEvents,
    ) -> Result<Self, MeshError> {
        let MeshOptions { topic, relays, public_nodes, remembered_peers, listening, validator, limits, .. } = options;
        let local_peer_id = *swarm.local_peer_id();
        let ban_time = Duration::from_secs(limits.ban_seconds);
        let bootstrap = Bootstrap { namespace: topic.clone(), relays, public_nodes, remembered_peers, ban_time };
        let gossip = GossipTopics::new(topic, swarm.behaviour_mut().gossip())?;
        let streams = StreamTable::new(local_peer_id, swarm.behaviour_mut().streams());
        let connector = Connector::new(bootstrap, listening, &mut reachability, environment.clone(), &mut swarm)?;
        Ok(Self {
            swarm,
            connector,
            peers: ConnectedPeers::new(reachability.paths),
            streams,
            gossip,
            dht: DhtClient::new(local_peer_id, validator),
            relay_questions: RelayQuestions::default(),
            commands,
            events,
            environment,
            clock: MonotonicClock::default(),
            view_changed: true,
            emitted_view: MeshView::default(),
        })
    }

    /// Runs until the host leaves or has ended.
    pub(super) async fn run(mut self) {
        let mut heartbeat = Delay::new(Duration::ZERO).fuse();
        let mut closing = Fuse::terminated();
        loop {
            if !self.events.has_room() {
                // The host may run in the same task: it gets a turn before more is received for it.
                yield_once().await;
            }
            let may_accept = !self.events.is_full();
            select! {
                event = self.swarm.select_next_some() => self.handle_swarm_event(event),
                command = self.commands.next().fuse() => match command {
                    None | Some(Command::Leave) => break,
                    Some(Command::Close) => {
                        self.events.emit(MeshEvent::Closing);
                        if self.events.is_closed() {
                            break;
                        }
                        closing = Delay::new(CLOSE_TIMEOUT).fuse();
                    }
                    Some(command) => self.handle_command(command),
                },
                activity = self.streams.next(may_accept).fuse() => self.handle_stream_activity(activity),
                () = self.peers.measured().fuse() => self.view_changed = true,
                () = self.events.flush().fuse() => {}
                () = closing => break,
                () = heartbeat => {
                    self.on_heartbeat();
                    heartbeat = Delay::new(HEARTBEAT).fuse();
                }
            }
            self.emit_view();
        }
        self.close().await;
    }

    /// Sends what was published last, then closes all connections.
    async fn close(mut self) {
        let mut timeout = Delay::new(FLUSH_TIMEOUT).fuse();
        while self.swarm.connected_peers().next().is_some() {
            select! {
                _ = self.swarm.select_next_some() => {}
                _ = self.streams.next(false).fuse() => {}
                () = timeout => break,
            }
        }
        self.streams.close();
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            // It may have disconnected meanwhile.
            self.swarm.disconnect_peer_id(peer).ok();
        }
        let mut timeout = Delay::new(CLOSE_TIMEOUT).fuse();
        while self.swarm.connected_peers().next().is_some() {
            select! {
                _ = self.swarm.select_next_some() => {}
                () = timeout => break,
            }
        }
    }

    /// Returns milliseconds that never go back.
    fn now(&self) -> u64 {
        self.clock.millis(self.environment.now())
    }

    /// Does what is due in all parts. Also called at once when a part may have got something to do.
    fn on_heartbeat(&mut self) {
        let now = self.now();
        self.dht.expire(self.swarm.behaviour_mut().kademlia(), now);
        self.dht.end_abandoned(self.swarm.behaviour_mut().kademlia());
        self.relay_questions.forget_abandoned();
        for relay in self.relay_questions.relays() {
            if self.connector.call_relay(&relay, now).is_none() {
                drop(self.relay_questions.take(&relay));
            }
        }
        self.connector.poll(&mut self.swarm, now);
        let graylisted = self.gossip.graylisted(self.swarm.behaviour_mut().gossip(), self.peers.ids());
        if !self.events.is_full() {
            // Else the next heartbeat finds them again.
            graylisted.into_iter().for_each(|peer| self.events.emit(MeshEvent::Graylisted(peer.into())));
            self.streams.open_due_links(now);
        }
    }

    /// Passes a command of the host to the part that it concerns.
    fn handle_command(&mut self, command: Command) {
        let _span = tracing::info_span!("command", name = command.name()).entered();
        let now = self.now();
        match command {
            Command::Publish { topic, bytes, frame } => self.publish(topic, bytes, frame),
            Command::SetSubscribed { topic, subscribed: true } => {
                self.gossip.subscribe(self.swarm.behaviour_mut().gossip(), topic);
            }
            Command::SetSubscribed { topic, subscribed: false } => {
                self.gossip.unsubscribe(self.swarm.behaviour_mut().gossip(), topic);
            }
            Command::Validate(ticket, acceptance) => {
                self.gossip.validate(self.swarm.behaviour_mut().gossip(), &ticket, acceptance);
            }
            Command::Rate(peer, score) => self.gossip.rate(self.swarm.behaviour_mut().gossip(), peer, score),
            Command::Ban(peer) => self.connector.ban(&mut self.swarm, peer.peer_id(), now),
            Command::ConnectTo(peer) => {
                if self.connector.connect_to(peer.peer_id(), now) {
                    self.on_heartbeat();
                }
            }
            Command::RetryConnections => {
                self.connector.reset_backoff();
                self.on_heartbeat();
            }
            Command::SetRelays(relays) => {
                self.connector.set_relays(&relays);
                let addresses = self.connector.manager().network_addresses();
                self.swarm.behaviour_mut().kademlia.set_network_addresses(addresses);
                self.view_changed = true;
                self.on_heartbeat();
            }
            Command::Dht(command) => {
                // Who uses other relays stores and looks up there: a query leads to all of them.
                for (relay, address) in self.connector.manager().relay_addresses() {
                    self.dht.add_server(self.swarm.behaviour_mut().kademlia(), relay, vec![address]);
                }
                self.connector.keep_relays_for_query(now);
                self.dht.handle_command(self.swarm.behaviour_mut().kademlia(), command);
            }
            Command::AskRelay { relay, protocol, request, answer } => {
                self.ask_relay(relay.peer_id(), RelayQuestion { protocol, request, answer }, now);
            }
            Command::AskPeer { peer, kind, request, answer } => {
                self.streams.ask_peer(peer.peer_id(), kind, request, answer);
            }
            Command::OpenBlocks(peer, opened) => self.streams.open_blocks(peer.peer_id(), opened),
            Command::OpenChat(peer, opened) => self.streams.open_chat(peer.peer_id(), opened),
            // Handled by the loop.
            Command::Close | Command::Leave => {}
        }
    }

    /// Sends a request to a relay, which is connected first if it is not and may be.
    fn ask_relay(&mut self, relay: PeerId, question: RelayQuestion, now: u64) {
        match self.connector.call_relay(&relay, now) {
            None => {}
            Some(true) => self.streams.ask_relay(relay, question),
            Some(false) => {
                self.relay_questions.wait(relay, question);
                self.on_heartbeat();
            }
        }
    }

    /// Publishes as gossip, and over streams to peers that gossip does not cover yet.
    fn publish(&mut self, topic: GossipTopic, bytes: Vec<u8>, frame: Option<Vec<u8>>) {
        let covered = self.gossip.publish(self.swarm.behaviour_mut().gossip(), topic, bytes.clone());
        match frame {
            None => self.streams.send_changes(&bytes, &covered),
            Some(frame) => self.streams.send_frame(&frame, &covered),
        }
    }

    /// Passes an activity of streams to the table, and what follows from it to the host or the connector.
    fn handle_stream_activity(&mut self, activity: StreamActivity) {
        let manager = self.connector.manager();
        let neighbours = |asker: &PeerId| encode_peers(manager.neighbours(asker));
        match self.streams.handle(activity, self.clock.millis(self.environment.now()), neighbours) {
            Some(StreamOutput::Emit(event)) => self.events.emit(event),
            Some(StreamOutput::Discovered(peers)) => {
                for (peer, addresses) in peers {
                    self.connector.add_addresses(peer, addresses);
                }
                self.view_changed = true;
            }
            None => {}
        }
    }

    /// Passes an event of the swarm to the parts that it concerns.
    fn handle_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        // Gossip, the most frequent event, changes nothing in the view.
        self.view_changed |= !matches!(event, SwarmEvent::Behaviour(BehaviourEvent::Data(_)));
        let now = self.now();
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                let addresses = self.connector.manager().addresses_of_network(&peer_id);
                self.dht.add_server(self.swarm.behaviour_mut().kademlia(), peer_id, addresses);
                if self.connector.manager().is_relay(&peer_id) {
                    self.connector.on_relay_connected(&peer_id, now);
                    for question in self.relay_questions.take(&peer_id) {
                        self.ask_relay(peer_id, question, now);
                    }
                } else if is_direct(&endpoint) && !self.is_of_query(&peer_id, &endpoint) {
                    self.on_peer_connected(peer_id, endpoint.is_dialer(), now);
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, endpoint, .. } => {
                if self.connector.manager().is_relay(&peer_id) {
                    if num_established == 0 {
                        self.connector.on_relay_disconnected(&peer_id, now);
                    }
                } else if is_direct(&endpoint) {
                    match self.peers.on_disconnected(&peer_id) {
                        Some(0) => self.on_peer_removed(peer_id, now),
                        Some(_) => self.events.emit_connection_closed(peer_id.into()),
                        None => {}
                    }
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "dial failed");
                self.connector.on_dial_failed(&self.swarm, &peer, now);
                if !self.swarm.is_connected(&peer) {
                    drop(self.relay_questions.take(&peer));
                }
            }
            SwarmEvent::NewListenAddr { address, .. } => self.connector.on_listen_address(&mut self.swarm, address),
            SwarmEvent::ExternalAddrConfirmed { address } => self.connector.on_external_address(&address),
            SwarmEvent::ListenerClosed { listener_id, .. } => self.connector.on_listener_closed(listener_id, now),
            SwarmEvent::Behaviour(event) => self.handle_behaviour_event(event, now),
            _ => {}
        }
    }

    /// Whether a query of Kademlia made this connection. Queries lead to all public nodes of the network: as neighbours they
    /// would be more than a node looks for, each with a comparison of its own. An unused connection is closed soon.
    fn is_of_query(&self, peer: &PeerId, endpoint: &ConnectedPoint) -> bool {
        let manager = self.connector.manager();
        endpoint.is_dialer()
            && manager.is_public_node(peer)
            && !manager.is_dialling(peer)
            && !manager.is_dial_target(peer)
            && !self.peers.contains(peer)
    }

    /// Passes an event of one of libp2p's behaviours to the part that it concerns.
    fn handle_behaviour_event(&mut self, event: BehaviourEvent, now: u64) {
        match event {
            BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. }) => {
                self.connector.on_reservation_accepted(&relay_peer_id, now);
            }
            BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered {
                rendezvous_node,
                registrations,
                ..
            }) => {
                self.connector.on_discovered(&rendezvous_node, registrations, now);
                self.on_heartbeat();
            }
            BehaviourEvent::Rendezvous(event) => tracing::debug!(?event, "rendezvous"),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                self.on_identified(peer_id, info, now);
            }
            BehaviourEvent::Kademlia(event) => self.handle_kademlia_event(event, now),
            BehaviourEvent::Ping(ping::Event { peer, result: Ok(time), .. }) => self.peers.on_pong(peer, time),
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(error) }) => {
                tracing::debug!(%peer, %error, "ping failed, connection closed");
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Data(DirectProtocolsEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            })) => self.on_gossip(propagation_source, message_id, message),
            _ => {}
        }
    }

    /// Passes a result of a query, or a request to store, to [`DhtClient`].
    fn handle_kademlia_event(&mut self, event: kad::Event, now: u64) {
        match event {
            kad::Event::OutboundQueryProgressed { id, result, step, .. } => {
                let relays = self.connector.manager().connected_relays();
                self.dht.on_query_progress(self.swarm.behaviour_mut().kademlia(), id, result, step.last, relays);
            }
            kad::Event::InboundRequest { request } => {
                let connected: BTreeSet<PeerId> = self.swarm.connected_peers().copied().collect();
                let kademlia = self.swarm.behaviour_mut().kademlia();
                self.dht.on_inbound_request(kademlia, request, |peer| connected.contains(peer), now);
            }
            _ => {}
        }
    }

    /// Queues a gossip message for the host. One that finds no room is ignored, so that gossipsub does not wait for it.
    fn on_gossip(&mut self, from: PeerId, id: gossipsub::MessageId, message: gossipsub::Message) {
        let gossip = self.swarm.behaviour_mut().gossip();
        let Some((ticket, bytes)) = self.gossip.on_message(gossip, from, id, message) else { return };
        if let Some(ticket) = self.events.emit_gossip(ticket, bytes) {
            self.gossip.validate(gossip, &ticket, MessageAcceptance::Ignore);
        }
    }

    /// Adds the addresses that identify received, and recognizes foreign relays, which are no peers.
    fn on_identified(&mut self, peer: PeerId, info: identify::Info, now: u64) {
        // A relay that is none of this network's; a query led there. It is no neighbour.
        if info.protocols.iter().any(|protocol| protocol == &relay::HOP_PROTOCOL_NAME) {
            if self.peers.remove(&peer) {
                self.on_peer_removed(peer, now);
            }
            return;
        }
        self.connector.add_addresses(peer, info.listen_addrs);
        self.peers.on_identified(&peer, &info.agent_version);
    }

    /// Admits a direct connection if there is room, opens its sync stream, and asks the peer for others if some are
    /// missing.
    fn on_peer_connected(&mut self, peer: PeerId, dialled: bool, now: u64) {
        if !self.peers.contains(&peer) && !self.make_room(peer, now) {
            self.connector.on_dial_failed(&self.swarm, &peer, now);
            return;
        }
        let is_first = self.peers.on_connected(peer, dialled, now);
        self.connector.on_peer_connected(peer, dialled, now);
        if !is_first {
            return;
        }
        self.streams.on_peer_connected(peer, now);
        if !self.events.is_full() {
            self.streams.open_due_links(now);
        }
        if self.connector.manager().wants_peers() {
            self.streams.ask_for_peers(peer);
        }
    }

    /// Makes room for a peer by closing the connection of another one, or the peer's own if none may be closed now. Returns
    /// whether there is room.
    fn make_room(&mut self, peer: PeerId, now: u64) -> bool {
        let (closed, has_room) = match self.connector.manager().room(now) {
            Room::Some => return true,
            Room::InPlaceOf(guest) => (guest, true),
            Room::None => (peer, false),
        };
        // The connection may have ended by itself.
        self.swarm.disconnect_peer_id(closed).ok();
        if has_room && self.peers.remove(&closed) {
            self.on_peer_removed(closed, now);
        }
        has_room
    }

    /// Ends what belongs to a peer without direct connections.
    fn on_peer_removed(&mut self, peer: PeerId, now: u64) {
        self.streams.on_peer_disconnected(&peer);
        self.connector.on_peer_disconnected(&peer, now);
    }

    /// Emits the host's view if it differs from the last one.
    fn emit_view(&mut self) {
        if !std::mem::take(&mut self.view_changed) {
            return;
        }
        let view = MeshView {
            relays: self.connector.relay_views(),
            peers: self.peers.views(),
            remembered_peers: self.connector.remembered_peers(),
        };
        if view != self.emitted_view {
            self.emitted_view = view.clone();
            self.events.emit_view(view);
        }
    }
}

/// Whether a connection is a direct one. A page's direct connections have addresses of their relay.
fn is_direct(endpoint: &ConnectedPoint) -> bool {
    is_webrtc(endpoint.get_remote_address()) || !endpoint.is_relayed()
}

/// Lets other tasks, and other futures of this one, run once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
