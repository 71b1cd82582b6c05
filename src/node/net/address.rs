//! Reads addresses: which peer they lead to, where a browser would connect to, and whether they go through a relay.
//!
//! Resolves no names and connects to nothing.
//!
//! The addresses of one browser, from the relay to the direct connection:
//!
//! ```text
//!   /dns4/r.example/tcp/443/wss/p2p/R                                  the relay R
//!   /dns4/r.example/tcp/443/wss/p2p/R/p2p-circuit/p2p/B                Bob, relayed through R
//!   /dns4/r.example/tcp/443/wss/p2p/R/p2p-circuit/webrtc/p2p/B         Bob directly, negotiated over R
//! ```
//!
//! So an address with `/p2p-circuit` may be that of a direct connection: [`is_relayed`] and [`is_webrtc`] decide.

use std::net::{IpAddr, SocketAddr};

use crate::net::key::NetPeerId;
use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// A text that is no multiaddress.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the address {0} can't be used")]
pub struct InvalidAddress(pub String);

/// Parses a multiaddress; the error contains the text.
pub(super) fn parse(text: &str) -> Result<Multiaddr, InvalidAddress> {
    text.parse().map_err(|_| InvalidAddress(text.to_owned()))
}

/// Parses all of them, or returns the first that is invalid.
pub(super) fn parse_all(texts: &[String]) -> Result<Vec<Multiaddr>, InvalidAddress> {
    texts.iter().map(|text| parse(text)).collect()
}

/// Returns the peer an address leads to, if its last component is a peer id.
pub fn peer_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Some(peer),
        _ => None,
    }
}

/// Returns the peer that the text of an address leads to.
pub fn peer_named_in(address: &str) -> Option<NetPeerId> {
    address.parse().ok().as_ref().and_then(peer_of).map(NetPeerId::from)
}

/// Returns the address with this peer id at its end, once.
pub fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    if peer_of(&address) == Some(peer) { address } else { address.with(Protocol::P2p(peer)) }
}

/// Returns the socket address of an `/ip4|ip6/…/tcp/…` address.
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

/// Returns the origin a page must be allowed to connect to before it can use this address, e.g. `ws://127.0.0.1:9090`,
/// or `None` if no browser can use it.
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

/// Whether the text is safe in a Content-Security-Policy header: nothing in it could end a source or a directive.
fn is_host_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// Returns the URL of a browser's WebSocket for exactly this address, with or without a peer id at its end.
pub fn websocket_url(address: &Multiaddr) -> Option<String> {
    let scheme_at = |part: &Protocol<'_>| matches!(part, Protocol::Ws(_) | Protocol::Wss(_));
    let mut rest = address.iter().skip_while(|part| !scheme_at(part));
    let bare = match rest.next()? {
        Protocol::Ws(path) | Protocol::Wss(path) => path == "/",
        _ => false,
    };
    let ends = matches!((rest.next(), rest.next()), (None | Some(Protocol::P2p(_)), None));
    if bare && ends { websocket_origin(address) } else { None }
}

/// Whether every byte on a connection with this address goes through a relay. The address of a direct connection that
/// was negotiated over a relay names the relay, too, but is not relayed.
pub fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit) && !is_webrtc(address)
}

/// Whether a direct connection between browsers has this address.
pub fn is_webrtc(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::WebRTC)
}

/// Returns the relay through which an address leads, if it does.
pub fn relay_of(address: &Multiaddr) -> Option<PeerId> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let circuit = parts.iter().position(|part| matches!(part, Protocol::P2pCircuit))?;
    match circuit.checked_sub(1).and_then(|at| parts.get(at)) {
        Some(Protocol::P2p(relay)) => Some(*relay),
        _ => None,
    }
}

/// Splits `…/p2p-circuit/webrtc/p2p/X` into the relayed address over which it is negotiated, and the peer. Returns
/// `None` for any other address.
pub fn relayed_of_webrtc(address: &Multiaddr) -> Option<(Multiaddr, PeerId)> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let [relay @ .., Protocol::P2pCircuit, Protocol::WebRTC, Protocol::P2p(peer)] = parts.as_slice() else {
        return None;
    };
    if relay.is_empty() || relay.contains(&Protocol::P2pCircuit) {
        return None;
    }
    let relayed = relay.iter().cloned().collect::<Multiaddr>().with(Protocol::P2pCircuit).with(Protocol::P2p(*peer));
    Some((relayed, *peer))
}

/// Converts `…/p2p-circuit` or `…/p2p-circuit/p2p/X` into the address of a direct WebRTC connection to this peer.
/// Returns `None` for any other address.
pub fn webrtc_of_relayed(address: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let ([relay @ .., Protocol::P2pCircuit] | [relay @ .., Protocol::P2pCircuit, Protocol::P2p(_)]) = parts.as_slice()
    else {
        return None;
    };
    if relay.is_empty() || relay.contains(&Protocol::P2pCircuit) {
        return None;
    }
    let circuit = relay.iter().cloned().collect::<Multiaddr>().with(Protocol::P2pCircuit);
    Some(circuit.with(Protocol::WebRTC).with(Protocol::P2p(peer)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    const RELAY: &str = "/ip4/127.0.0.1/tcp/9090/ws/p2p/12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";

    fn parsed(text: &str) -> Multiaddr {
        text.parse().expect("an address")
    }

    #[test]
    fn only_bare_websocket_addresses_have_a_url() {
        for (address, url) in [
            (RELAY.to_owned(), Some("ws://127.0.0.1:9090")),
            ("/dns4/example.org/tcp/443/tls/ws".into(), Some("wss://example.org:443")),
            ("/dns6/example.org/tcp/443/wss".into(), Some("wss://example.org:443")),
            ("/ip6/::1/tcp/1/ws".into(), Some("ws://[::1]:1")),
            ("/ip4/127.0.0.1/tcp/9090".into(), None),
            ("/ip4/127.0.0.1/tcp/9090/x-parity-ws/%2fsecret".into(), None),
            (format!("{RELAY}/p2p-circuit"), None),
            (format!("{RELAY}/p2p-circuit/p2p/{PEER}"), None),
            ("/webrtc".into(), None),
        ] {
            assert_eq!(websocket_url(&parsed(&address)).as_deref(), url, "{address}");
        }
    }

    #[test]
    fn distinguishes_relayed_and_direct_addresses() {
        let relayed = parsed(&format!("{RELAY}/p2p-circuit/p2p/{PEER}"));
        let direct = parsed(&format!("{RELAY}/p2p-circuit/webrtc/p2p/{PEER}"));
        let peer = PEER.parse().expect("a peer id");
        assert!(is_relayed(&relayed) && !is_relayed(&direct) && !is_relayed(&parsed(RELAY)));
        assert!(is_webrtc(&direct) && !is_webrtc(&relayed) && !is_webrtc(&parsed(RELAY)));
        assert_eq!(relayed_of_webrtc(&direct), Some((relayed.clone(), peer)));
        assert_eq!(webrtc_of_relayed(&relayed, peer), Some(direct.clone()));
        assert_eq!(webrtc_of_relayed(&parsed(&format!("{RELAY}/p2p-circuit")), peer), Some(direct.clone()));
        for other in [
            RELAY.to_owned(),
            "/webrtc".into(),
            format!("/p2p-circuit/webrtc/p2p/{PEER}"),
            format!("{RELAY}/p2p-circuit/webrtc"),
            format!("{RELAY}/webrtc/p2p/{PEER}"),
            format!("{direct}/p2p-circuit/webrtc/p2p/{PEER}"),
            format!("{RELAY}/p2p-circuit/{RELAY}/p2p-circuit/webrtc/p2p/{PEER}").replace("//", "/"),
        ] {
            assert_eq!(relayed_of_webrtc(&parsed(&other)), None, "{other}");
        }
        assert_eq!(webrtc_of_relayed(&direct, peer), None, "it is one already");
        assert_eq!(webrtc_of_relayed(&parsed(RELAY), peer), None);
    }
}
