//! What is read from addresses: who is meant, and where a browser would connect to.
//!
//! It looks nothing up and connects to nothing.

use std::net::{IpAddr, SocketAddr};

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// The peer an address leads to, if it says so at its end.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// The address with this peer at its end, once.
pub fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    if peer_of(&address) == Some(peer) { address } else { address.with(Protocol::P2p(peer)) }
}

/// Where a socket for this address listens.
pub fn socket_of(address: &Multiaddr) -> Option<SocketAddr> {
    let mut parts = address.iter();
    let host = match parts.next()? {
        Protocol::Ip4(host) => IpAddr::V4(host),
        Protocol::Ip6(host) => IpAddr::V6(host),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some(SocketAddr::new(host, port)),
        _ => None,
    }
}

/// The origin a page must be allowed to connect to before it can use this address: `ws://127.0.0.1:9090`. `None` for an
/// address that no browser can use.
pub fn websocket_origin(address: &Multiaddr) -> Option<String> {
    let mut parts = address.iter();
    let host = match parts.next()? {
        Protocol::Ip4(host) => host.to_string(),
        Protocol::Ip6(host) => format!("[{host}]"),
        Protocol::Dns(host) | Protocol::Dns4(host) | Protocol::Dns6(host) if is_host_name(&host) => host.into_owned(),
        _ => return None,
    };
    let Protocol::Tcp(port) = parts.next()? else { return None };
    let scheme = match (parts.next()?, parts.next()) {
        (Protocol::Ws(_), _) => "ws",
        (Protocol::Wss(_), _) | (Protocol::Tls, Some(Protocol::Ws(_))) => "wss",
        _ => return None,
    };
    Some(format!("{scheme}://{host}:{port}"))
}

/// It goes into a header: nothing that could end a source or a directive there.
fn is_host_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}
