//! The libp2p behaviours of the relay and their configuration. Implements no protocol.
//!
//! - circuit relay v2: connections to browsers, which can't be dialled
//! - Kademlia: name records and provider records. libp2p stores none by itself; `dht_server` decides
//! - identify, ping, connection limits
//! - streams of rendezvous and of the witness, if there is one
//!
//! Gossipsub is left out. A relay without subscriptions forwards nothing, so it would serve no one; one with
//! subscriptions would carry, and could read, the gossip of peers that are connected directly. Either way its control
//! messages would be one more thing to attack.

use libp2p::{
    PeerId, Swarm, SwarmBuilder, Transport, connection_limits,
    core::{muxing::StreamMuxerBox, transport::Boxed, upgrade::Version},
    dns, identify,
    identity::Keypair,
    kad::{self, store::MemoryStore},
    metrics::Registry,
    noise, ping, relay,
    swarm::{self, NetworkBehaviour},
    tcp, websocket, yamux,
};

use crate::net::{
    AGENT, IDENTIFY_PROTOCOL,
    forwarded::TrustedProxies,
    kademlia::{
        self,
        guard::{Guarded, Permitted},
    },
    relay::{
        error::RelayError,
        ip_limiter::IpLimiter,
        limits::{IDLE_TIME, RelayLimits, STREAMS_NEGOTIATING, STREAMS_PER_CONNECTION},
        places::Places,
        proxied::Proxied,
    },
    streams::Streams,
};

/// All behaviours of the relay. The two that refuse connections come first.
#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    /// Connections in total and of one peer id.
    pub(super) connection_limits: connection_limits::Behaviour,
    /// Connections from one IP address.
    pub(super) ip_limiter: IpLimiter,
    /// Reservations and circuits.
    pub(super) relay: relay::Behaviour,
    /// Records, or only queries if this relay is no Kademlia server; dials the configured relays only.
    pub(super) kademlia: Guarded<kad::Behaviour<MemoryStore>>,
    /// Shows every node the address that it is seen with.
    pub(super) identify: identify::Behaviour,
    /// Answers pings, and closes dead connections.
    pub(super) ping: ping::Behaviour,
    /// The streams of rendezvous and of the witness.
    pub(super) streams: Streams,
}

/// What the behaviours are made of, besides the key.
pub(super) struct Parts<'a> {
    pub(super) limits: &'a RelayLimits,
    pub(super) places: Places,
    /// Whether it is a Kademlia server.
    pub(super) dht_server: bool,
    /// The configured other relays.
    pub(super) others: Vec<PeerId>,
}

impl Behaviour {
    /// Strangers must not choose which hosts a server connects to: it dials the configured relays only.
    fn new(key: &Keypair, Parts { limits, places, dht_server, others }: Parts<'_>) -> Self {
        let peer = key.public().to_peer_id();
        let store = kademlia::store(peer);
        let kademlia = if dht_server { kademlia::server(peer, store) } else { kademlia::client(peer, store) };
        let kademlia = Guarded::new(kademlia, Permitted::Peers(others.into_iter().collect()));
        let ip_limiter = IpLimiter::new(limits, places.origins().clone());
        // Only external addresses are sent: a listening address behind a proxy leads nowhere.
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true);
        Self {
            connection_limits: connection_limits::Behaviour::new(limits.connections()),
            ip_limiter,
            relay: relay::Behaviour::new(peer, limits.relay(places)),
            kademlia,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            streams: Streams::default(),
        }
    }
}

/// Builds a swarm on WebSocket, for browsers, and plain TCP, for other relays.
pub(super) fn swarm(
    key: Keypair,
    proxies: TrustedProxies,
    parts: Parts<'_>,
    registry: &mut Registry,
) -> Result<Swarm<Behaviour>, RelayError> {
    let transport = transport(&key, proxies).map_err(RelayError::Transport)?;
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| RelayError::Transport(source);
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_other_transport(|_| transport)
        .map_err(|error| failed(error.into()))?
        .with_bandwidth_metrics(registry)
        .with_behaviour(|key| Behaviour::new(key, parts))
        .map_err(|error| failed(error.into()))?
        .with_swarm_config(config)
        .build();
    Ok(swarm)
}

/// Builds the transport: WebSocket, perhaps behind trusted proxies, and TCP.
fn transport(
    key: &Keypair,
    proxies: TrustedProxies,
) -> Result<Boxed<(PeerId, StreamMuxerBox)>, Box<dyn std::error::Error + Send + Sync>> {
    let secure = noise::Config::new(key)?;
    let tcp = || dns::tokio::Transport::system(tcp::tokio::Transport::new(tcp::Config::default()));
    let sockets = websocket::Config::new(Proxied::new(tcp()?, proxies))
        .upgrade(Version::V1Lazy)
        .authenticate(secure.clone())
        .multiplex(multiplexing());
    let direct = tcp()?.upgrade(Version::V1Lazy).authenticate(secure).multiplex(multiplexing());
    let both = sockets.or_transport(direct).map(|either, _| {
        use futures::future::Either::{Left, Right};
        match either {
            Left((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
            Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        }
    });
    Ok(both.boxed())
}

/// Builds a swarm on another transport.
pub(super) fn swarm_on(transport: Boxed<(PeerId, StreamMuxerBox)>, key: Keypair, parts: Parts<'_>) -> Swarm<Behaviour> {
    let behaviour = Behaviour::new(&key, parts);
    Swarm::new(transport, behaviour, key.public().to_peer_id(), config(swarm::Config::with_tokio_executor()))
}

/// Sets what does not depend on the transport.
fn config(config: swarm::Config) -> swarm::Config {
    config.with_idle_connection_timeout(IDLE_TIME).with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING)
}

/// Returns yamux with a bound on the streams of one connection.
fn multiplexing() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION);
    config
}
