//! A native node's transports: TCP between native nodes, WebSocket to relays, relayed connections.

use std::{
    future::{Ready, ready},
    io,
    time::Duration,
};

use libp2p::{
    Multiaddr, PeerId, Transport,
    core::{muxing::StreamMuxerBox, transport::timeout::TransportTimeout, upgrade::Version},
    dns,
    identity::Keypair,
    multiaddr::Protocol,
    noise, relay,
    swarm::{Config, dummy},
    tcp, websocket, yamux,
};

use super::{Reachability, TransportOptions, TransportStack};
use gen_registry_api::ConnectionPath;

/// From dialling to an authenticated connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// An unused connection is closed after this time.
pub const IDLE_TIME: Duration = Duration::from_secs(60);

/// Why the transport can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportSetupError {
    #[error("connections can't be encrypted")]
    Noise(#[from] noise::Error),
    #[error("the system's name servers are not known")]
    Dns(#[source] io::Error),
}

/// A node that can be dialled needs no upgrade.
pub type Upgrade = dummy::Behaviour;

/// A native node's connections are not measured.
#[derive(Clone, Debug, Default)]
pub struct Paths;

impl Paths {
    /// Returns `None`: only browsers report paths.
    pub fn measure(&self, _: PeerId) -> Ready<Option<ConnectionPath>> {
        ready(None)
    }
}

/// Builds the transport of a native node.
pub fn open(key: &Keypair, _: &TransportOptions) -> Result<TransportStack, TransportSetupError> {
    let secure = noise::Config::new(key)?;
    let (circuits, relay) = relay::client::new(key.public().to_peer_id());
    let circuits = circuits.upgrade(Version::V1Lazy).authenticate(secure.clone()).multiplex(yamux::Config::default());
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default());
    let names = |error: io::Error| TransportSetupError::Dns(error);
    let sockets = websocket::Config::new(dns::tokio::Transport::system(tcp()).map_err(names)?)
        .upgrade(Version::V1Lazy)
        .authenticate(secure.clone())
        .multiplex(yamux::Config::default());
    let direct = dns::tokio::Transport::system(tcp())
        .map_err(names)?
        .upgrade(Version::V1Lazy)
        .authenticate(secure)
        .multiplex(yamux::Config::default());
    let all = circuits.or_transport(sockets).or_transport(direct);
    let transport = TransportTimeout::new(all, CONNECT_TIMEOUT)
        .map(|either, _| {
            use futures::future::Either::{Left, Right};
            match either {
                Left(Left((peer, muxer))) => (peer, StreamMuxerBox::new(muxer)),
                Left(Right((peer, muxer))) => (peer, StreamMuxerBox::new(muxer)),
                Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
            }
        })
        .boxed();
    let reachability = Reachability { listening: listening(), is_direct, circuit, may_query: is_direct, paths: Paths };
    Ok(TransportStack { transport, relay, upgrade: dummy::Behaviour, reachability })
}

/// Returns a loopback address: a native node that others may reach is a public one, whose address is configured.
pub fn listening() -> Vec<Multiaddr> {
    vec![Multiaddr::from(std::net::Ipv4Addr::LOCALHOST).with(Protocol::Tcp(0))]
}

/// Whether this is the address of a direct connection.
pub fn is_direct(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_)))
        && !address.iter().any(|part| matches!(part, Protocol::P2pCircuit))
}

/// Relayed connections of native nodes are not upgraded.
fn circuit(_: &Multiaddr, _: PeerId) -> Option<Multiaddr> {
    None
}

/// Returns the swarm's configuration: tasks run on tokio.
pub fn swarm_config() -> Config {
    Config::with_tokio_executor().with_idle_connection_timeout(IDLE_TIME)
}
