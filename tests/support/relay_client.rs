//! A real libp2p client, and waiting for what must happen.

use std::{future::Future, time::Duration};

use futures::StreamExt;
use gen_registry_node::net::transport::{self, TransportOptions, TransportStack};
use gen_registry_node::net::{IDENTIFY_PROTOCOL, KADEMLIA_PROTOCOL};
use libp2p::{
    Multiaddr, PeerId, Swarm, identify,
    identity::Keypair,
    kad::{self, store::MemoryStore},
    multiaddr::Protocol,
    ping, relay, rendezvous,
    swarm::{NetworkBehaviour, StreamProtocol, SwarmEvent},
};
use tokio::task::JoinHandle;

/// How long a condition may take before the test gives up on it. Never a measurement.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub relay: relay::client::Behaviour,
    pub rendezvous: rendezvous::client::Behaviour,
    pub kademlia: kad::Behaviour<MemoryStore>,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub streams: libp2p_stream::Behaviour,
}

/// A swarm on what native nodes travel on.
pub fn swarm<B: NetworkBehaviour>(behaviour: impl FnOnce(&Keypair, relay::client::Behaviour) -> B) -> Swarm<B> {
    let key = Keypair::generate_ed25519();
    let TransportStack { transport, relay, .. } = transport::open(&key, &TransportOptions::default()).unwrap();
    let config = transport::swarm_config().with_idle_connection_timeout(PATIENCE);
    Swarm::new(transport, behaviour(&key, relay), key.public().to_peer_id(), config)
}

/// A node like a browser's, but for the transport.
pub struct Client(pub Swarm<Behaviour>);

impl Client {
    pub fn new() -> Self {
        Self::pinging_every(Duration::from_millis(50))
    }

    pub fn pinging_every(interval: Duration) -> Self {
        Self(swarm(|key, relay| {
            let peer = key.public().to_peer_id();
            let config = kad::Config::new(StreamProtocol::new(KADEMLIA_PROTOCOL));
            let mut kademlia = kad::Behaviour::with_config(peer, MemoryStore::new(peer), config);
            // Else a reservation makes a server of it.
            kademlia.set_mode(Some(kad::Mode::Client));
            Behaviour {
                relay,
                rendezvous: rendezvous::client::Behaviour::new(key.clone()),
                kademlia,
                identify: identify::Behaviour::new(identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())),
                ping: ping::Behaviour::new(ping::Config::new().with_interval(interval)),
                streams: libp2p_stream::Behaviour::new(),
            }
        }))
    }

    pub fn peer(&self) -> PeerId {
        *self.0.local_peer_id()
    }

    /// Runs until an event says so.
    pub async fn until<T>(&mut self, what: &str, mut says: impl FnMut(SwarmEvent<BehaviourEvent>) -> Option<T>) -> T {
        let waiting = async {
            loop {
                if let Some(found) = says(self.0.select_next_some().await) {
                    return found;
                }
            }
        };
        patient(what, waiting).await
    }

    pub async fn connect(&mut self, relay: &Multiaddr) {
        self.0.dial(relay.clone()).unwrap();
        let peer = peer_of(relay);
        self.until("connected to the relay", |event| {
            matches!(event, SwarmEvent::ConnectionEstablished { peer_id, .. } if peer_id == peer).then_some(())
        })
        .await;
        self.0.behaviour_mut().kademlia.add_address(&peer, relay.clone());
    }

    /// Asks for a place at the relay and gets it.
    pub async fn reserve(&mut self, relay: &Multiaddr) {
        self.0.listen_on(relay.clone().with(Protocol::P2pCircuit)).unwrap();
        self.until("a reservation", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Relay(relay::client::Event::ReservationReqAccepted { .. })) => {
                Some(())
            }
            SwarmEvent::ListenerClosed { reason, .. } => panic!("the reservation was refused: {reason:?}"),
            _ => None,
        })
        .await;
    }

    /// Pings the peer through the relay.
    pub async fn ping_through(&mut self, relay: &Multiaddr, peer: PeerId) {
        self.0.dial(relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(peer))).unwrap();
        self.until("a ping through the relay", |event| match event {
            SwarmEvent::Behaviour(BehaviourEvent::Ping(ping::Event { peer: from, result: Ok(_), .. }))
                if from == peer =>
            {
                Some(())
            }
            SwarmEvent::OutgoingConnectionError { error, .. } => panic!("could not dial: {error}"),
            _ => None,
        })
        .await;
    }

    pub async fn until_disconnected(&mut self, peer: PeerId) {
        self.until("the connection ends", |event| match event {
            SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == peer => Some(()),
            _ => None,
        })
        .await;
    }

    /// Goes on by itself until the test ends.
    pub fn left_running(mut self) -> JoinHandle<()> {
        tokio::spawn(async move {
            loop {
                self.0.select_next_some().await;
            }
        })
    }
}

pub fn peer_of(address: &Multiaddr) -> PeerId {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => peer,
        other => panic!("no peer at the end of {address}: {other:?}"),
    }
}

pub async fn patient<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"))
}

pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    patient(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
