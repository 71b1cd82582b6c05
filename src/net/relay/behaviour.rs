//! Which of libp2p's protocols the relay speaks, and how they are set up. No protocol is written here.
//!
//! - relay v2: a meeting place for browsers, which nobody can dial
//! - rendezvous: who else is in a network (a namespace is a topic in hex)
//! - Kademlia: who has which content. Nothing goes into its store by itself; what may is decided in `run`
//! - identify, ping, connection limits
//! - streams of protocols that are not libp2p's: only the witness's, when there is one
//!
//! Gossipsub is left out. A relay that does not subscribe to a topic forwards nothing of it, so it would serve nobody;
//! one that does would carry the gossip of peers that are connected directly, and know it. Either way its control
//! messages would be one more thing to attack.

use std::num::NonZeroUsize;

use libp2p::{
    Swarm, SwarmBuilder, connection_limits, identify,
    identity::Keypair,
    kad::{self, store::MemoryStore},
    metrics::Registry,
    noise, ping, relay, rendezvous,
    swarm::{NetworkBehaviour, StreamProtocol},
    tcp, yamux,
};

use crate::net::{
    AGENT, IDENTIFY_PROTOCOL, KADEMLIA_PROTOCOL,
    relay::{
        RelayError,
        limits::{
            IDLE_TIME, KADEMLIA_PACKET_BYTES, KADEMLIA_PROVIDER_TIME, KADEMLIA_PROVIDERS_PER_KEY, RelayLimits,
            STREAMS_NEGOTIATING, STREAMS_PER_CONNECTION, kademlia_store, rendezvous as rendezvous_limits,
        },
    },
};

#[derive(NetworkBehaviour)]
pub(super) struct Behaviour {
    pub(super) connection_limits: connection_limits::Behaviour,
    pub(super) relay: relay::Behaviour,
    pub(super) rendezvous: rendezvous::server::Behaviour,
    pub(super) kademlia: kad::Behaviour<MemoryStore>,
    pub(super) identify: identify::Behaviour,
    pub(super) ping: ping::Behaviour,
    pub(super) streams: libp2p_stream::Behaviour,
}

impl Behaviour {
    fn new(key: &Keypair, limits: &RelayLimits, dht_server: bool) -> Self {
        let peer = key.public().to_peer_id();
        let mut kademlia =
            kad::Behaviour::with_config(peer, MemoryStore::with_config(peer, kademlia_store()), kademlia());
        kademlia.set_mode(Some(if dht_server { kad::Mode::Server } else { kad::Mode::Client }));
        // Only confirmed external addresses are told: a listening address behind a proxy leads nobody here.
        let identify = identify::Config::new(IDENTIFY_PROTOCOL.to_owned(), key.public())
            .with_agent_version(AGENT.to_owned())
            .with_hide_listen_addrs(true);
        Self {
            connection_limits: connection_limits::Behaviour::new(limits.connections()),
            relay: relay::Behaviour::new(peer, limits.relay()),
            rendezvous: rendezvous::server::Behaviour::new(rendezvous_limits()),
            kademlia,
            identify: identify::Behaviour::new(identify),
            ping: ping::Behaviour::default(),
            streams: libp2p_stream::Behaviour::new(),
        }
    }
}

fn kademlia() -> kad::Config {
    let mut config = kad::Config::new(StreamProtocol::new(KADEMLIA_PROTOCOL));
    config
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_max_packet_size(KADEMLIA_PACKET_BYTES)
        .set_provider_record_ttl(Some(KADEMLIA_PROVIDER_TIME))
        .disjoint_query_paths(true);
    if let Some(number) = NonZeroUsize::new(KADEMLIA_PROVIDERS_PER_KEY) {
        config.set_replication_factor(number);
    }
    config
}

/// WebSocket for browsers, plain TCP beside it for relays among themselves.
pub(super) async fn swarm(
    key: Keypair,
    limits: &RelayLimits,
    dht_server: bool,
    registry: &mut Registry,
) -> Result<Swarm<Behaviour>, RelayError> {
    let broken = |source: Box<dyn std::error::Error + Send + Sync>| RelayError::Transport(source);
    let swarm = SwarmBuilder::with_existing_identity(key)
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, multiplexing)
        .map_err(|error| broken(error.into()))?
        .with_dns()
        .map_err(|error| broken(error.into()))?
        .with_websocket(noise::Config::new, multiplexing)
        .await
        .map_err(|error| broken(error.into()))?
        .with_bandwidth_metrics(registry)
        .with_behaviour(|key| Behaviour::new(key, limits, dht_server))
        .map_err(|error| broken(error.into()))?
        .with_swarm_config(|config| {
            config.with_idle_connection_timeout(IDLE_TIME).with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING)
        })
        .build();
    Ok(swarm)
}

fn multiplexing() -> yamux::Config {
    let mut config = yamux::Config::default();
    config.set_max_num_streams(STREAMS_PER_CONNECTION);
    config
}
