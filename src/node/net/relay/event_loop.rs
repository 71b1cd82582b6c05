//! The relay's event loop: counts events of the swarm and passes them to the parts.
//!
//! ```text
//!   swarm ──► relay events ───────────────────► Counts
//!             a peer connects, leaves ────────► Origins; Places, Rendezvous: what it held ends
//!             Kademlia: PutRecord, AddProvider ► DhtServer ─► store, forward to the other relays
//!             identify: speaks our Kademlia ──► DhtServer: into the routing table
//!             listener closed ────────────────► the loop ends with an error: /health reports it
//!   every 30 s ───────────────────────────────► dial other relays that are not connected; remove what has expired
//!   stop ─────────────────────────────────────► close the listener and every connection
//! ```
//!
//! Reservations, circuits and pings are handled by libp2p's behaviours themselves, rendezvous and the witness's streams by
//! tasks of their own.

use std::collections::HashSet;

use futures::StreamExt;
use libp2p::{
    Multiaddr, PeerId, Swarm,
    core::transport::ListenerId,
    identify, relay,
    swarm::{SwarmEvent, dial_opts::DialOpts},
};
use tokio::{
    sync::{oneshot, watch},
    time::{Instant, MissedTickBehavior, interval, timeout},
};

use crate::net::{
    KADEMLIA_PROTOCOL,
    address::with_peer,
    relay::{
        behaviour::{Behaviour, BehaviourEvent},
        dht_server::DhtServer,
        error::RelayError,
        limits::{BOOTSTRAP_RETRY, RESTORE_EVERY, STOP_TIMEOUT},
        metrics::Counts,
        origins::Origins,
        places::Places,
        rendezvous::Rendezvous,
    },
};
use crate::platform::{Environment, native::Native};

/// The swarm and the parts that its events go to.
pub(super) struct RelayLoop {
    swarm: Swarm<Behaviour>,
    /// The only listener; the relay ends with it.
    listener: ListenerId,
    counts: Counts,
    /// Where others reach the relay.
    addresses: watch::Sender<Vec<Multiaddr>>,
    /// Whether the addresses were configured. If so, discovered listening addresses are not published.
    configured: bool,
    /// The other relays, which are dialled while they are not connected.
    bootstrap: Vec<(PeerId, Multiaddr)>,
    dht: DhtServer,
    /// The origins of connected peers.
    origins: Origins,
    places: Places,
    rendezvous: Rendezvous,
}

impl RelayLoop {
    /// Creates the loop around a listening swarm.
    pub(super) fn new(
        swarm: Swarm<Behaviour>,
        listener: ListenerId,
        counts: Counts,
        addresses: watch::Sender<Vec<Multiaddr>>,
        bootstrap: Vec<(PeerId, Multiaddr)>,
        dht: DhtServer,
        (places, rendezvous): (Places, Rendezvous),
    ) -> Self {
        let origins = places.origins().clone();
        Self { swarm, listener, counts, addresses, configured: false, bootstrap, dht, origins, places, rendezvous }
    }

    /// Publishes configured addresses in place of those the relay listens on. Without any it does nothing.
    pub(super) fn publish_addresses(&mut self, public: Vec<Multiaddr>) {
        self.configured = !public.is_empty();
        for address in public {
            self.add_address(address);
        }
    }

    /// Runs until the relay listens, and returns where.
    pub(super) async fn first_address(&mut self) -> Result<Multiaddr, RelayError> {
        loop {
            let event = self.swarm.select_next_some().await;
            let listening_at = match &event {
                SwarmEvent::NewListenAddr { address, .. } => Some(address.clone()),
                _ => None,
            };
            self.handle_swarm_event(event)?;
            if let Some(address) = listening_at {
                return Ok(address);
            }
        }
    }

    /// Runs until it is stopped or its handle is dropped, then closes every connection.
    pub(super) async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Result<(), RelayError> {
        let mut retry = interval(BOOTSTRAP_RETRY);
        retry.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut restoring = interval(RESTORE_EVERY);
        restoring.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = self.swarm.select_next_some() => self.handle_swarm_event(event)?,
                _ = retry.tick() => {
                    self.dial_other_relays();
                    self.dht.expire(self.swarm.behaviour_mut().kademlia.inner_mut(), now());
                    self.places.expire(Instant::now().into_std());
                    self.rendezvous.expire();
                }
                _ = restoring.tick(), if self.dht.is_restoring() => {
                    self.dht.restore_some(self.swarm.behaviour_mut().kademlia.inner_mut(), now());
                }
                _ = &mut stopped => break,
            }
        }
        let _ = timeout(STOP_TIMEOUT, self.close()).await;
        Ok(())
    }

    /// Disconnects every peer and waits until all connections are closed.
    async fn close(&mut self) {
        self.swarm.remove_listener(self.listener);
        let peers: Vec<PeerId> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.disconnect(peer);
        }
        while self.swarm.network_info().num_peers() > 0 {
            let event = self.swarm.select_next_some().await;
            // That the listener closed is no error any more.
            let _ = self.handle_swarm_event(event);
        }
    }

    /// Dials the other relays that are not connected, and adds them to the routing table.
    fn dial_other_relays(&mut self) {
        for (peer, address) in self.bootstrap.clone() {
            if self.swarm.is_connected(&peer) {
                continue;
            }
            self.swarm.behaviour_mut().kademlia.inner_mut().add_address(&peer, address.clone());
            let options = DialOpts::peer_id(peer).addresses(vec![address]).build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, %error, "other relay not dialled");
            }
        }
    }

    /// Publishes an address of the relay.
    fn add_address(&mut self, address: Multiaddr) {
        // Identify sends it to peers, and circuit relay v2 gives reservations only under external addresses.
        self.swarm.add_external_address(address.clone());
        let address = with_peer(address, *self.swarm.local_peer_id());
        self.addresses.send_if_modified(|addresses| {
            let is_new = !addresses.contains(&address);
            if is_new {
                addresses.push(address);
            }
            is_new
        });
    }

    /// Withdraws an address of the relay.
    fn remove_address(&mut self, address: Multiaddr) {
        self.swarm.remove_external_address(&address);
        let address = with_peer(address, *self.swarm.local_peer_id());
        self.addresses.send_modify(|addresses| addresses.retain(|other| *other != address));
    }

    /// Counts an event and passes it on. Fails if the listener has closed: a relay that can't be reached must end.
    fn handle_swarm_event(&mut self, event: SwarmEvent<BehaviourEvent>) -> Result<(), RelayError> {
        match event {
            SwarmEvent::Behaviour(event) => self.handle_behaviour_event(event),
            SwarmEvent::NewListenAddr { address, .. } if !self.configured => self.add_address(address),
            SwarmEvent::ExpiredListenAddr { address, .. } if !self.configured => self.remove_address(address),
            SwarmEvent::ListenerClosed { listener_id, reason, .. } if listener_id == self.listener => {
                let no_reason = || std::io::Error::other("no reason given");
                return Err(RelayError::ListenerClosed(reason.err().unwrap_or_else(no_reason)));
            }
            SwarmEvent::ListenerError { error, .. } => tracing::warn!(%error, "relay listener failed"),
            SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. } => {
                self.origins.on_connected(peer_id, endpoint.get_remote_address());
                self.counts.connections.inc();
                self.counts.connections_opened.inc();
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established, .. } => {
                self.counts.connections.dec();
                if num_established == 0 {
                    // First, so that nothing is taken any more.
                    self.origins.on_disconnected(&peer_id);
                    self.places.on_disconnected(&peer_id);
                    self.rendezvous.on_disconnected(&peer_id);
                }
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                self.counts.connections_refused.inc();
                tracing::debug!(%error, "incoming connection failed");
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(%peer, %error, "dial of other relay failed");
            }
            _ => {}
        }
        Ok(())
    }

    /// Passes an event of one of libp2p's behaviours to the part that it concerns.
    fn handle_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Relay(event) => {
                if matches!(event, relay::Event::ReservationTimedOut { .. }) {
                    self.places.expire(Instant::now().into_std());
                }
                self.counts.count_relay_event(&event);
            }
            BehaviourEvent::Kademlia(event) => {
                let connected: HashSet<PeerId> = self.swarm.connected_peers().copied().collect();
                self.dht.on_event(self.swarm.behaviour_mut().kademlia.inner_mut(), event, &connected, now());
            }
            BehaviourEvent::Identify(identify::Event::Received { peer_id, info, .. })
                if info.protocols.iter().any(|protocol| protocol.as_ref() == KADEMLIA_PROTOCOL) =>
            {
                let kademlia = self.swarm.behaviour_mut().kademlia.inner_mut();
                self.dht.add_server(kademlia, peer_id, info.listen_addrs);
            }
            _ => {}
        }
    }

    /// Closes all connections to a peer.
    fn disconnect(&mut self, peer: PeerId) {
        if self.swarm.disconnect_peer_id(peer).is_err() {
            tracing::debug!(%peer, "peer already disconnected");
        }
    }
}

/// Milliseconds since 1970.
fn now() -> u64 {
    Native.now().as_millis()
}
