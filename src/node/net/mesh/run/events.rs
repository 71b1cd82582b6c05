//! Handles libp2p's events about connections, relays and peers.

use futures::FutureExt;
use libp2p::{
    Multiaddr, PeerId, core::ConnectedPoint, gossipsub, identify, ping, relay, rendezvous, swarm::SwarmEvent,
};

use crate::net::address::{is_relayed, is_webrtc};
use crate::net::mesh::MeshEvent;
use crate::net::mesh::behaviour::{BehaviourEvent, RegistryEvent};
use crate::net::mesh::run::actions::random;
use crate::net::mesh::run::{Done, EventLoop, Peer};

impl EventLoop {
    pub(super) fn handle(&mut self, event: SwarmEvent<BehaviourEvent>) {
        // Gossip, of which there is most, says nothing of who is here.
        self.changed |= !matches!(event, SwarmEvent::Behaviour(BehaviourEvent::Registry(_)));
        let now = self.now();
        let environment = self.environment.clone();
        let mut random = |below| random(&environment, below);
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.ask_at(peer_id);
                if self.connection_manager.is_relay(&peer_id) {
                    return self.connection_manager.relay_connected(&peer_id);
                }
                if leads_directly(&endpoint) {
                    self.met(peer_id, endpoint.is_dialer(), now);
                }
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, endpoint, .. } => {
                if self.connection_manager.is_relay(&peer_id) {
                    if num_established == 0 {
                        self.connection_manager.relay_lost(&peer_id, now, &mut random);
                    }
                } else if leads_directly(&endpoint) {
                    self.lost(peer_id, now);
                }
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "not reached");
                if self.connection_manager.is_relay(&peer) {
                    // One of several dials to it may fail although another one has connected.
                    if !self.swarm.is_connected(&peer) {
                        self.connection_manager.relay_lost(&peer, now, &mut random);
                    }
                } else {
                    self.connection_manager.dial_failed(&peer, now, &mut random);
                }
            }
            // A native node is reached where it listens; a page learns from relays where it is reached.
            SwarmEvent::NewListenAddr { address, .. } if (self.reach.is_direct)(&address) && !is_relayed(&address) => {
                self.listens_at(address);
            }
            SwarmEvent::ExternalAddrConfirmed { address } if (self.reach.is_direct)(&address) => {
                self.connection_manager.reachable(true);
            }
            SwarmEvent::ListenerClosed { listener_id, .. } => {
                if let Some(relay) = self.places.remove(&listener_id) {
                    self.connection_manager.reserved(&relay, false, now, &mut random);
                }
            }
            SwarmEvent::Behaviour(event) => self.hear(event, now),
            _ => {}
        }
    }

    /// Registers an address at the relays.
    fn listens_at(&mut self, address: Multiaddr) {
        if self.server.as_mut().is_none_or(|server| server.listens_at(&address)) {
            self.swarm.add_external_address(address);
            self.connection_manager.reachable(true);
        }
    }

    fn met(&mut self, peer: PeerId, dialled: bool, now: u64) {
        let connections = self.peers.get(&peer).map_or(0, |state| state.connections);
        if connections == 0 && !self.connection_manager.has_room() {
            // The connection may have ended by itself.
            self.swarm.disconnect_peer_id(peer).ok();
            return;
        }
        let state = self.peers.entry(peer).or_insert_with(|| Peer {
            since: now,
            dialled,
            connections: 0,
            agent: None,
            round_trip: None,
            path: None,
            measuring: false,
            link: None,
            linked_at: now,
            open_at: now,
            attempts: 0,
            told_of_others: 0,
            opening: false,
        });
        state.connections += 1;
        self.connection_manager.connected(peer, dialled, now);
        if state.connections == 1 {
            self.open_link(peer);
            if self.connection_manager.wants_peers() {
                self.ask_for_others(peer);
            }
        }
    }

    /// A relay of which the network did not say so; a question led there.
    fn is_no_neighbour(&mut self, peer: PeerId, now: u64) {
        if self.peers.remove(&peer).is_some() {
            let environment = self.environment.clone();
            self.connection_manager.disconnected(&peer, now, &mut |below| random(&environment, below));
        }
    }

    fn measure(&mut self, peer: PeerId) {
        let Some(state) = self.peers.get_mut(&peer).filter(|state| !state.measuring) else { return };
        state.measuring = true;
        let paths = self.reach.paths.clone();
        self.tasks.push(async move { Done::Measured(peer, paths.measure(peer).await) }.boxed_local());
    }

    fn lost(&mut self, peer: PeerId, now: u64) {
        let Some(state) = self.peers.get_mut(&peer) else { return };
        state.connections = state.connections.saturating_sub(1);
        if state.connections == 0 {
            self.peers.remove(&peer);
            let environment = self.environment.clone();
            self.connection_manager.disconnected(&peer, now, &mut |below| random(&environment, below));
        } else {
            self.tell(MeshEvent::Thinned(peer.into()));
        }
    }

    fn hear(&mut self, event: BehaviourEvent, now: u64) {
        match event {
            BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. }) => {
                self.connection_manager.reserved(&relay_peer_id, true, now, &mut |_| 0);
            }
            BehaviourEvent::Rendezvous(rendezvous::client::Event::Discovered { registrations, .. }) => {
                for registration in registrations {
                    let record = registration.record;
                    self.connection_manager.add_addresses(record.peer_id(), record.addresses().iter().cloned());
                }
                self.on_heartbeat();
            }
            BehaviourEvent::Rendezvous(event) => tracing::debug!(?event, "rendezvous"),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => {
                if info.protocols.iter().any(|protocol| protocol == &relay::HOP_PROTOCOL_NAME) {
                    return self.is_no_neighbour(peer_id, now);
                }
                self.connection_manager.add_addresses(peer_id, info.listen_addrs);
                if let Some(state) = self.peers.get_mut(&peer_id) {
                    state.agent = Some(info.agent_version.chars().take(64).collect());
                }
            }
            BehaviourEvent::Kademlia(event) => self.hear_kademlia(event, now),
            BehaviourEvent::Ping(ping::Event { peer, result: Ok(time), .. }) => {
                if let Some(state) = self.peers.get_mut(&peer) {
                    state.round_trip = Some(time);
                    self.measure(peer);
                }
            }
            BehaviourEvent::Ping(ping::Event { peer, connection, result: Err(error) }) => {
                tracing::debug!(%peer, %error, "a dead peer");
                self.swarm.close_connection(connection);
            }
            BehaviourEvent::Registry(RegistryEvent::Gossip(gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            })) => {
                self.hear_gossip(propagation_source, message_id, message);
            }
            _ => {}
        }
    }
}

fn leads_directly(endpoint: &ConnectedPoint) -> bool {
    is_webrtc(endpoint.get_remote_address()) || !endpoint.is_relayed()
}
