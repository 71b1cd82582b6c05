//! Peer exchange (`/gen/peers/1`). The request is empty; the answer is a list of addresses, each with its length in
//! front and the id of the peer it leads to at its end. The addresses are hints: a dialled peer proves its id.
//!
//! A node with fewer direct connections than it looks for asks each new peer once, so it finds peers that the one
//! answer of rendezvous did not contain. For example Alice, connected to Bob only, receives from him that Carol can be
//! reached over relay R, and dials her as soon as she is connected to R herself.

use std::collections::BTreeMap;

use libp2p::{Multiaddr, PeerId};
use unsigned_varint::{decode, encode};

use crate::net::address::peer_of;
use crate::net::mesh::connection_manager::{ADDRESS_MAX_BYTES, ADDRESSES_MAX};
use crate::net::mesh::request::ANSWER_MAX_BYTES;

/// The protocol's name when a stream is opened.
pub const PROTOCOL: &str = "/gen/peers/1";
/// Peers in one answer.
pub const PEERS_MAX: usize = 16;
/// Answers under way; streams of further requests are dropped.
pub const ANSWERS_UNDER_WAY_MAX: usize = 4;

/// Answers to one peer while it is connected, and one more in each minute; streams of further requests are dropped.
pub const ANSWERS_PER_PEER: u32 = 4;

/// Encodes at most [`PEERS_MAX`] peers with [`ADDRESSES_MAX`] addresses each.
pub(super) fn encode_peers<'a>(peers: impl IntoIterator<Item = &'a [Multiaddr]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for address in peers.into_iter().take(PEERS_MAX).flat_map(|addresses| addresses.iter().take(ADDRESSES_MAX)) {
        let mut length = encode::usize_buffer();
        let length = encode::usize(address.len(), &mut length);
        if bytes.len() + length.len() + address.len() > ANSWER_MAX_BYTES as usize {
            break;
        }
        bytes.extend_from_slice(length);
        bytes.extend_from_slice(address.as_ref());
    }
    bytes
}

/// Decodes as far as the bytes can be read; a truncated answer gives its first part.
pub(super) fn decode_peers(mut bytes: &[u8]) -> BTreeMap<PeerId, Vec<Multiaddr>> {
    let mut peers: BTreeMap<PeerId, Vec<Multiaddr>> = BTreeMap::new();
    while let Ok((length, rest)) = decode::usize(bytes) {
        let Some((address, rest)) = rest.split_at_checked(length).filter(|_| length <= ADDRESS_MAX_BYTES) else {
            break;
        };
        bytes = rest;
        let Some(address) = Multiaddr::try_from(address.to_vec()).ok() else { continue };
        let Some(peer) = peer_of(&address) else { continue };
        if peers.len() < PEERS_MAX || peers.contains_key(&peer) {
            peers.entry(peer).or_default().push(address);
        }
    }
    peers
}

#[cfg(test)]
mod tests {
    use libp2p::multiaddr::Protocol;

    use super::*;
    use crate::net::key::NodeKey;

    fn at(port: u16, peer: PeerId) -> Multiaddr {
        format!("/ip4/127.0.0.1/tcp/{port}/p2p/{peer}").parse().expect("an address")
    }

    #[test]
    fn peers_round_trip_within_their_limits() {
        let peers: Vec<Vec<Multiaddr>> = (0..2 * PEERS_MAX as u16)
            .map(|number| {
                let peer = NodeKey::fresh().peer_id();
                (0..2 * ADDRESSES_MAX as u16).map(|port| at(port + 10 * number + 1, peer)).collect()
            })
            .collect();
        let bytes = encode_peers(peers.iter().map(Vec::as_slice));
        let decoded = decode_peers(&bytes);
        assert_eq!(decoded.len(), PEERS_MAX);
        assert!(decoded.values().all(|addresses| addresses.len() == ADDRESSES_MAX));
        assert!(peers.iter().take(PEERS_MAX).all(|addresses| decoded.values().any(|peer| addresses.starts_with(peer))));
    }

    #[test]
    fn malformed_answers_give_no_peers() {
        let peer = NodeKey::fresh().peer_id();
        let nameless = at(1, peer).iter().take(2).collect::<Multiaddr>();
        let endless = at(1, peer).with(Protocol::Dns("a".repeat(ADDRESS_MAX_BYTES).into())).with(Protocol::P2p(peer));
        let list = |addresses: &[Multiaddr]| encode_peers([addresses]);
        assert!(decode_peers(&list(&[nameless])).is_empty());
        assert!(decode_peers(&list(&[endless])).is_empty());
        let good = list(&[at(1, peer)]);
        for cut in 0..good.len() {
            assert!(decode_peers(&good[..cut]).is_empty());
        }
        for first in 0..=u8::MAX {
            drop(decode_peers(&[&[first, 0xff, 0xff], good.as_slice()].concat()));
        }
        assert_eq!(
            decode_peers(&[good.as_slice(), &[7, 1, 2]].concat()).len(),
            1,
            "the peers before the malformed part are kept"
        );
    }
}
