//! Drives the [`ConnectionManager`]: passes it what happened to connections and relays, and executes its actions on the
//! swarm.
//!
//! | action | call of the swarm | reported back by |
//! |---|---|---|
//! | `DialRelay` | `dial`, even if one is under way | `on_relay_connected`, `on_dial_failed` |
//! | `Reserve` | `listen_on(…/p2p-circuit)` | `on_reservation_accepted`, `on_listener_closed` |
//! | `Register`, `Discover` | the rendezvous client | – (repeated anyway); `on_discovered` |
//! | `Leave` | `disconnect_peer_id` | `on_relay_disconnected` |
//! | `Dial` | `dial`, if not connected | `on_peer_connected`, `on_dial_failed` |
//!
//! A call that fails at once, e.g. for an address that the transport can't dial, is reported to the manager as a failed
//! attempt, so that nothing remains "under way".

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, Swarm, rendezvous};

use crate::net::REGISTRATION_SECONDS;
use crate::net::address::{is_relayed, parse_all};
use crate::net::mesh::behaviour::Behaviour;
use crate::net::mesh::connection_manager::{Action, ConnectionManager};
use crate::net::mesh::listen_addresses::ListenAddresses;
use crate::net::mesh::types::{Listening, MeshError, RelayView};
use crate::net::transport::Reachability;
use crate::platform::Environment;

/// Peers taken from one answer of rendezvous.
const DISCOVERED_MAX: u64 = 64;

/// Where this node finds others, as text from its configuration and its storage.
pub(super) struct Bootstrap {
    /// The rendezvous namespace: the network's topic in hex.
    pub(super) namespace: String,
    /// The network's relays. One that is no multiaddress is an error.
    pub(super) relays: Vec<String>,
    /// Nodes that every page of this network may dial. One that is no multiaddress is an error.
    pub(super) public_nodes: Vec<String>,
    /// Peers of an earlier run with their addresses. What can't be read is skipped.
    pub(super) remembered_peers: Vec<(String, Vec<String>)>,
    /// For how long a ban excludes a peer.
    pub(super) ban_time: Duration,
}

/// The connection manager with what it needs to act.
pub(super) struct Connector {
    manager: ConnectionManager,
    environment: Rc<dyn Environment>,
    /// The rendezvous namespace: the network's topic.
    namespace: rendezvous::Namespace,
    /// The relay of each circuit listener: while it listens there, this node has a reservation.
    reservations: HashMap<ListenerId, PeerId>,
    /// Whether an address leads directly to a peer, on this platform.
    is_direct: fn(&Multiaddr) -> bool,
    /// `None` for a node that is no public one.
    server: Option<ListenAddresses>,
}

impl Connector {
    /// Sets the connection manager up and begins to listen; dials nothing yet. A public node (`listening`) dials its
    /// relays only, so it takes no candidate's address for a direct one.
    pub(super) fn new(
        bootstrap: Bootstrap,
        listening: Option<Listening>,
        reachability: &mut Reachability,
        environment: Rc<dyn Environment>,
        swarm: &mut Swarm<Behaviour>,
    ) -> Result<Self, MeshError> {
        let Bootstrap { namespace, relays, public_nodes, remembered_peers, ban_time } = bootstrap;
        let namespace = rendezvous::Namespace::new(namespace).map_err(|_| MeshError::Namespace)?;
        let (local_peer_id, relays) = (*swarm.local_peer_id(), parse_all(&relays)?);
        let manager = match &listening {
            None => ConnectionManager::new(local_peer_id, relays, reachability.is_direct)
                .with_circuits(reachability.circuit)
                .with_public_nodes(parse_all(&public_nodes)?),
            Some(listening) => {
                ConnectionManager::new(local_peer_id, relays, |_| false).with_direct_max(listening.direct_max)
            }
        };
        let mut manager = manager.with_ban_time(ban_time);
        for (peer, addresses) in &remembered_peers {
            if let Ok(peer) = peer.parse() {
                manager.add_addresses(peer, addresses.iter().filter_map(|address| address.parse().ok()));
            }
        }
        let server = match listening {
            Some(listening) => Some(ListenAddresses::open(listening, swarm)?),
            None => {
                for address in std::mem::take(&mut reachability.listening) {
                    if let Err(error) = swarm.listen_on(address) {
                        tracing::warn!(%error, "not listening: this node can't be dialled directly");
                    }
                }
                None
            }
        };
        manager.set_reachable(server.as_ref().is_some_and(ListenAddresses::is_configured));
        let is_direct = reachability.is_direct;
        Ok(Self { manager, environment, namespace, reservations: HashMap::new(), is_direct, server })
    }

    /// Returns the connection manager, to be asked only.
    pub(super) fn manager(&self) -> &ConnectionManager {
        &self.manager
    }

    /// Returns the relays for the host's view.
    pub(super) fn relay_views(&self) -> Vec<RelayView> {
        self.manager.relays().collect()
    }

    /// Returns the peers to dial first at the next start, as text.
    pub(super) fn remembered_peers(&self) -> Vec<(String, Vec<String>)> {
        let peers = self.manager.remembered_peers().into_iter();
        peers.map(|(peer, addresses)| (peer.to_string(), addresses.iter().map(ToString::to_string).collect())).collect()
    }

    /// Does what is due: lifts bans, dials, renews registrations.
    pub(super) fn poll(&mut self, swarm: &mut Swarm<Behaviour>, now: u64) {
        self.lift_bans(swarm, now);
        for action in self.manager.poll(now, &mut random(&self.environment)) {
            self.execute(swarm, action, now);
        }
    }

    /// Executes one action on the swarm.
    fn execute(&mut self, swarm: &mut Swarm<Behaviour>, action: Action, now: u64) {
        tracing::debug!(?action, "connection manager");
        match action {
            Action::DialRelay { relay, address } => {
                let dial = DialOpts::peer_id(relay).addresses(vec![address]).condition(PeerCondition::Always).build();
                if let Err(error) = swarm.dial(dial) {
                    tracing::debug!(%relay, %error, "relay not dialled");
                    self.manager.relay_disconnected(&relay, now, &mut random(&self.environment));
                }
            }
            Action::Reserve { relay, address } => match swarm.listen_on(address.with(Protocol::P2pCircuit)) {
                Ok(listener) => drop(self.reservations.insert(listener, relay)),
                Err(error) => {
                    tracing::debug!(%relay, %error, "no reservation requested");
                    self.manager.set_reserved(&relay, false, now, &mut random(&self.environment));
                }
            },
            Action::Register { relay } => {
                let namespace = self.namespace.clone();
                let rendezvous = &mut swarm.behaviour_mut().rendezvous;
                if let Err(error) = rendezvous.register(namespace, relay, Some(REGISTRATION_SECONDS)) {
                    tracing::debug!(%relay, %error, "not registered");
                }
            }
            Action::Discover { relay } => {
                let namespace = Some(self.namespace.clone());
                swarm.behaviour_mut().rendezvous.discover(namespace, None, Some(DISCOVERED_MAX), relay);
            }
            Action::Leave { relay } => {
                // It may have ended by itself.
                swarm.disconnect_peer_id(relay).ok();
            }
            Action::Dial { peer, addresses } => {
                // A relayed connection left over from a failed attempt must not prevent a dial that the host requested, nor a
                // query's connection that of a public node.
                let condition = if self.manager.is_dial_target(&peer) || self.manager.is_public_node(&peer) {
                    PeerCondition::NotDialing
                } else {
                    PeerCondition::DisconnectedAndNotDialing
                };
                let dial = DialOpts::peer_id(peer).addresses(addresses).condition(condition);
                if let Err(error) = swarm.dial(dial.build()) {
                    tracing::debug!(%peer, %error, "peer not dialled");
                    self.manager.dial_failed(&peer, now, &mut random(&self.environment));
                }
            }
        }
    }

    /// Bans a peer, unless it is a relay of this network.
    pub(super) fn ban(&mut self, swarm: &mut Swarm<Behaviour>, peer: PeerId, now: u64) {
        if !self.manager.is_relay(&peer) {
            self.manager.ban(peer, now);
            swarm.behaviour_mut().banned.block_peer(peer);
            self.lift_bans(swarm, now);
        }
    }

    /// Admits the peers again whose ban is over.
    fn lift_bans(&mut self, swarm: &mut Swarm<Behaviour>, now: u64) {
        for peer in self.manager.take_expired_bans(now) {
            swarm.behaviour_mut().banned.unblock_peer(peer);
        }
    }

    /// Makes a peer a dial target of the host. Returns whether it is to be dialled.
    pub(super) fn connect_to(&mut self, peer: PeerId, now: u64) -> bool {
        self.manager.connect_to(peer, now)
    }

    /// Ends all backoffs.
    pub(super) fn reset_backoff(&mut self) {
        self.manager.reset_backoff();
    }

    /// Passes on addresses that others reported.
    pub(super) fn add_addresses(&mut self, peer: PeerId, addresses: impl IntoIterator<Item = Multiaddr>) {
        self.manager.add_addresses(peer, addresses);
    }

    /// Passes on that a relay was connected.
    pub(super) fn on_relay_connected(&mut self, relay: &PeerId, now: u64) {
        self.manager.relay_connected(relay, now);
    }

    /// Passes on the peers that a relay's rendezvous named.
    pub(super) fn on_discovered(&mut self, relay: &PeerId, registrations: Vec<rendezvous::Registration>, now: u64) {
        for registration in registrations {
            let record = registration.record;
            self.add_addresses(record.peer_id(), record.addresses().iter().cloned());
        }
        self.manager.relay_answered(relay, now);
    }

    /// Has a relay connected for a question. Returns whether it is already, or `None` if it can't be reached now.
    pub(super) fn call_relay(&mut self, relay: &PeerId, now: u64) -> Option<bool> {
        self.manager.call_relay(relay, now)
    }

    /// Has the connected relays stay for the time of a query.
    pub(super) fn keep_relays_for_query(&mut self, now: u64) {
        self.manager.keep_relays_for_query(now);
    }

    /// Sets the network's relays. What can't be read is skipped.
    pub(super) fn set_relays(&mut self, relays: &[String]) {
        self.manager.set_relays(relays.iter().filter_map(|relay| relay.parse().ok()).collect());
    }

    /// Passes on that the last connection to a relay ended.
    pub(super) fn on_relay_disconnected(&mut self, relay: &PeerId, now: u64) {
        self.manager.relay_disconnected(relay, now, &mut random(&self.environment));
    }

    /// Passes on a direct connection, and which side dialled it.
    pub(super) fn on_peer_connected(&mut self, peer: PeerId, dialled: bool, now: u64) {
        self.manager.connected(peer, dialled, now);
    }

    /// Passes on that the last direct connection to a peer ended.
    pub(super) fn on_peer_disconnected(&mut self, peer: &PeerId, now: u64) {
        self.manager.disconnected(peer, now, &mut random(&self.environment));
    }

    /// Passes on that a dial failed, of a candidate or of a relay.
    pub(super) fn on_dial_failed(&mut self, swarm: &Swarm<Behaviour>, peer: &PeerId, now: u64) {
        if !self.manager.is_relay(peer) {
            self.manager.dial_failed(peer, now, &mut random(&self.environment));
        } else if !swarm.is_connected(peer) {
            // One of several dials to a relay may fail although another one has connected.
            self.on_relay_disconnected(peer, now);
        }
    }

    /// Passes on that a relay gave a reservation.
    pub(super) fn on_reservation_accepted(&mut self, relay: &PeerId, now: u64) {
        self.manager.set_reserved(relay, true, now, &mut random(&self.environment));
    }

    /// A closed circuit listener is a lost reservation: it is requested again with backoff.
    pub(super) fn on_listener_closed(&mut self, listener: ListenerId, now: u64) {
        if let Some(relay) = self.reservations.remove(&listener) {
            self.manager.set_reserved(&relay, false, now, &mut random(&self.environment));
        }
    }

    /// Registers a new listening address at the relays, if it is one of direct connections. (A native node is reached
    /// where it listens; a page is reached at its relays, see [`Connector::on_external_address`].)
    pub(super) fn on_listen_address(&mut self, swarm: &mut Swarm<Behaviour>, address: Multiaddr) {
        if !(self.is_direct)(&address) || is_relayed(&address) {
            return;
        }
        if self.server.as_mut().is_none_or(|server| server.add(&address)) {
            swarm.add_external_address(address);
            self.manager.set_reachable(true);
        }
    }

    /// An external address was confirmed. For a page this is one over a relay that gave it a reservation: from now on
    /// it registers.
    pub(super) fn on_external_address(&mut self, address: &Multiaddr) {
        if (self.is_direct)(address) {
            self.manager.set_reachable(true);
        }
    }
}

/// Returns a source of numbers below a bound. They are not quite evenly distributed, but good enough to spread dials
/// and registrations of many nodes over time.
fn random(environment: &Rc<dyn Environment>) -> impl FnMut(u64) -> u64 + use<> {
    let environment = environment.clone();
    move |below| {
        let mut bytes = [0; 8];
        environment.random(&mut bytes);
        u64::from_le_bytes(bytes) % below.max(1)
    }
}
