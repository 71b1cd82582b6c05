//! A browser's transports: WebRTC to other browsers, relayed connections to negotiate it, WebSocket to the relays.
//!
//! A browser can be dialled over a relay or WebRTC only.

use std::time::Duration;

use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::timeout::TransportTimeout;
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport, noise, relay, swarm, yamux};

use super::{Reachability, TransportOptions, TransportStack};
use crate::net::address::{is_webrtc, webrtc_of_relayed};
use crate::net::{webrtc, websocket};

/// From dialling a WebSocket to an authenticated connection.
pub const WEBSOCKET_TIMEOUT: Duration = Duration::from_secs(15);
/// The same for a relayed connection, whose relay may have to be dialled first.
pub const RELAYED_TIMEOUT: Duration = Duration::from_secs(20);
/// The same for a direct connection: first its relayed connection, then the handshake, which has a timeout of its own.
pub const WEBRTC_TIMEOUT: Duration = Duration::from_secs(50);
/// An unused connection is closed after this time.
pub const IDLE_TIME: Duration = Duration::from_secs(60);
/// Incoming streams of one connection whose protocol is being negotiated.
pub const STREAMS_NEGOTIATING: usize = 32;

pub use crate::net::webrtc::Paths;

/// Upgrades relayed connections to direct ones.
pub type Upgrade = webrtc::Behaviour;

/// Why the transport can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TransportSetupError {
    #[error("the key can't authenticate connections")]
    Authentication(#[from] noise::Error),
}

/// Builds the transport of a page. Each kind of connection has a timeout of its own, since a direct one takes the
/// longest.
pub fn open(key: &Keypair, options: &TransportOptions) -> Result<TransportStack, TransportSetupError> {
    let local = key.public().to_peer_id();
    let (webrtc, upgrade) =
        webrtc::new(local, webrtc::Config { ice_servers: options.ice_servers.clone(), limits: options.limits });
    let (circuits, relay) = relay::client::new(local);
    let paths = Paths::default();
    let measured = paths.clone();
    let webrtc = webrtc.map(move |(peer, connection), _| {
        measured.add(peer, &connection);
        (peer, StreamMuxerBox::new(connection))
    });
    let circuits = circuits
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let websocket = websocket::WebSocketTransport
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(key)?)
        .multiplex(yamux::Config::default())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    // WebRTC first: the relay transport accepts its addresses, too.
    let transport = TransportTimeout::new(webrtc, WEBRTC_TIMEOUT)
        .or_transport(TransportTimeout::new(circuits, RELAYED_TIMEOUT))
        .or_transport(TransportTimeout::new(websocket, WEBSOCKET_TIMEOUT))
        .map(|connection, _| match connection {
            Either::Left(Either::Left(connection) | Either::Right(connection)) | Either::Right(connection) => {
                connection
            }
        })
        .boxed();
    // A page connects only to addresses of its network.
    let reachability = Reachability { listening: listening(), is_direct, circuit, may_query: |_| false, paths };
    Ok(TransportStack { transport, relay, upgrade, reachability })
}

/// Returns the listening addresses, besides relayed ones.
pub fn listening() -> Vec<Multiaddr> {
    vec![Multiaddr::from(Protocol::WebRTC)]
}

/// Returns the swarm's configuration: tasks run on the browser's event loop.
pub fn swarm_config() -> swarm::Config {
    swarm::Config::with_wasm_executor()
        .with_idle_connection_timeout(IDLE_TIME)
        .with_max_negotiating_inbound_streams(STREAMS_NEGOTIATING)
}

/// Whether this is the address of a direct connection.
pub fn is_direct(address: &Multiaddr) -> bool {
    is_webrtc(address)
}

/// Returns how a peer with a reservation at this relay, whose peer id ends its address, is reached directly.
fn circuit(relay: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    webrtc_of_relayed(&relay.clone().with(Protocol::P2pCircuit), peer)
}
