//! The relay at work: each event of the swarm is counted, a few are answered.
//!
//! It decides who is sent away and which other relays are dialled; what Kademlia may store is `dht_server`'s business.

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::transport::ListenerId,
    identify, relay,
    rendezvous::server,
    swarm::{SwarmEvent, dial_opts::DialOpts},
};
use tokio::{
    sync::{oneshot, watch},
    time::{MissedTickBehavior, interval, timeout},
};

use crate::net::{
    KADEMLIA_PROTOCOL,
    kademlia::{PROVIDER_ADDRESSES, values::is_short},
    relay::{
        RelayError,
        address::with_peer,
        behaviour::{Behaviour, BehaviourEvent},
        dht_server::DhtServer,
        limits::{BOOTSTRAP_RETRY, STOP_PATIENCE},
        metrics::Counts,
        registrations::{RegistrationVerdict, Registrations},
    },
};

pub(super) struct RelayLoop {
    pub(super) swarm: Swarm<Behaviour>,
    listener: ListenerId,
    pub(super) counts: Counts,
    /// Where others reach the relay.
    addresses: watch::Sender<Vec<Multiaddr>>,
    /// Those addresses were given; what the listener finds out changes nothing.
    announced: bool,
    pub(super) bootstrap: Vec<(PeerId, Multiaddr)>,
    pub(super) directory: DhtServer,
    registrations: Registrations,
}

impl RelayLoop {
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        listener: ListenerId,
        counts: Counts,
        addresses: watch::Sender<Vec<Multiaddr>>,
        bootstrap: Vec<(PeerId, Multiaddr)>,
        directory: DhtServer,
    ) -> Self {
        Self {
            swarm,
            listener,
            counts,
            addresses,
            announced: false,
            bootstrap,
            directory,
            registrations: Registrations::default(),
        }
    }

    /// Says these addresses to everybody instead of those it listens on. Nothing happens without any.
    pub(super) fn announce(&mut self, public: Vec<Multiaddr>) {
        self.announced = !public.is_empty();
        for address in public {
            self.reachable_at(address);
        }
    }

    /// Runs until there is an address.
    pub(super) async fn first_address(&mut self) -> Result<Multiaddr, RelayError> {
        loop {
            let event = self.swarm.select_next_some().await;
            let found = match &event {
                SwarmEvent::NewListenAddr { address, .. } => Some(address.clone()),
                _ => None,
            };
            self.handle(event)?;
            if let Some(address) = found {
                return Ok(address);
            }
        }
    }

    /// Runs until it is asked to stop (or the handle is dropped).
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Result<(), RelayError> {
        let mut retry = interval(BOOTSTRAP_RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.handle(event)?,
                _ = retry.tick() => {
                    self.meet_others();
                    self.tidy();
                }
                _ = &mut stopped => break,
            }
        }
        let _ = timeout(STOP_PATIENCE, self.close()).await;
        Ok(())
    }

    async fn close(&mut self) {
        self.swarm.remove_listener(self.listener);
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.ban(peer);
        }
        while self.swarm.network_info().num_peers() > 0 {
            let event = self.swarm.select_next_some().await;
            // That the listener closed is no fault any more.
            let _ = self.handle(event);
        }
    }

    fn meet_others(&mut self) {
        for (peer, address) in self.bootstrap.clone() {
            if self.swarm.is_connected(&peer) {
                continue;
            }
            self.swarm.behaviour_mut().kademlia.inner_mut().add_address(&peer, address.clone());
            let options = DialOpts::peer_id(peer).addresses(vec![address]).build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, %error, "another relay was not dialled");
            }
        }
    }

    fn reachable_at(&mut self, address: Multiaddr) {
        // Peers learn it with identify, and relay v2 hands out places only under confirmed addresses.
        self.swarm.add_external_address(address.clone());
        let address = with_peer(address, *self.swarm.local_peer_id());
        self.addresses.send_if_modified(|known| {
            let new = !known.contains(&address);
            if new {
                known.push(address);
            }
            new
        });
    }

    fn handle(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<(), RelayError> {
        match event {
            SwarmEvent::Behaviour(event) => self.handle_protocol(event),
            SwarmEvent::NewListenAddr { address, .. } if !self.announced => self.reachable_at(address),
            SwarmEvent::ExpiredListenAddr { address, .. } if !self.announced => {
                self.swarm.remove_external_address(&address);
                let address = with_peer(address, *self.swarm.local_peer_id());
                self.addresses.send_modify(|known| known.retain(|known| *known != address));
            }
            SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == self.listener => {
                let unasked = || std::io::Error::other("nobody asked it to");
                return Err(RelayError::ListenerClosed(reason.err().unwrap_or_else(unasked)));
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "the relay's listener had an error"),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.directory.came(peer_id, endpoint.get_remote_address());
                self.counts.connections.inc();
                self.counts.connections_opened.inc();
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, .. } => {
                self.counts.connections.dec();
                if num_established == 0 {
                    self.registrations.left(&peer_id);
                    self.directory.left(&peer_id);
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                self.counts.connections_refused.inc();
                tracing::debug!(%error, "a connection failed");
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "another relay could not be reached");
            }
            _ => {}
        }
        Ok(())
    }

    fn handle_protocol(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Relay(event) => self.count_relay(&event),
            BehaviourEvent::Rendezvous(event) => self.handle_rendezvous(event),
            BehaviourEvent::Kademlia(event) => self.handle_kademlia(event),
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. }) => self.route_to(peer_id, info),
            _ => {}
        }
    }

    fn count_relay(&self, event: &relay::Event) {
        let counts = &self.counts;
        match event {
            relay::Event::ReservationReqAccepted { renewed, .. } => {
                counts.reservations_accepted.inc();
                if !renewed {
                    counts.reservations.inc();
                }
            }
            relay::Event::ReservationReqDenied { .. } => {
                counts.reservations_refused.inc();
            }
            relay::Event::ReservationClosed { .. } | relay::Event::ReservationTimedOut { .. } => {
                counts.reservations.dec();
            }
            relay::Event::CircuitReqAccepted { .. } => {
                counts.circuits.inc();
                counts.circuits_opened.inc();
            }
            relay::Event::CircuitReqDenied { .. } => {
                counts.circuits_refused.inc();
            }
            relay::Event::CircuitClosed { error, .. } => {
                counts.circuits.dec();
                if error.is_some() {
                    counts.circuits_cut.inc();
                }
            }
            _ => {}
        }
    }

    fn handle_rendezvous(&mut self, event: server::Event) {
        match event {
            server::Event::PeerRegistered { peer, registration } => {
                self.counts.registrations_accepted.inc();
                let from = self.directory.address_of(&peer);
                let verdict = self.registrations.came(peer, from, &registration, DhtServer::now());
                if let (RegistrationVerdict::ShutOut, Some(address)) = (verdict, from) {
                    self.swarm.behaviour_mut().crowd.shut_out(address, DhtServer::now());
                }
                if verdict != RegistrationVerdict::Fine {
                    self.counts.peers_disconnected.inc();
                    self.ban(peer);
                }
            }
            server::Event::PeerNotRegistered { .. } => {
                self.counts.registrations_refused.inc();
            }
            server::Event::PeerUnregistered { peer, namespace } => {
                self.registrations.withdrawn(peer, namespace);
            }
            server::Event::RegistrationExpired(registration) => {
                self.registrations.expired(registration);
            }
            server::Event::DiscoverServed { .. } => {
                self.counts.discoveries.inc();
            }
            server::Event::DiscoverNotServed { .. } => {}
        }
        self.counts.registrations.set(number(self.registrations.listed()));
        self.counts.registrations_kept.set(number(self.registrations.kept()));
    }

    /// Other servers of this network's Kademlia are found by those who ask here.
    fn route_to(&mut self, peer: PeerId, info: identify::Info) {
        if !info.protocols.iter().any(|protocol| protocol.as_ref() == KADEMLIA_PROTOCOL) {
            return;
        }
        let addresses = info.listen_addrs.into_iter().filter(is_short).take(PROVIDER_ADDRESSES);
        for address in addresses {
            self.swarm.behaviour_mut().kademlia.inner_mut().add_address(&peer, address);
        }
    }

    fn ban(&mut self, peer: PeerId) {
        if self.swarm.disconnect_peer_id(peer).is_err() {
            tracing::debug!(%peer, "a peer left before it was sent away");
        }
    }
}

pub(super) fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
