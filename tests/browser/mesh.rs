//! Whole nodes in one page, over real WebSockets, a real relay in its own process and real WebRTC.

mod glare;
mod js;
pub mod peer;
mod stranger;

use futures::future::{join, join_all};
use futures::{AsyncReadExt, AsyncWriteExt, FutureExt, StreamExt};
use gen_registry_core::sync::signaling::PROTOCOL;
use gen_registry_node::net::webrtc::slots::INBOUND_HANDSHAKES_PER_PEER;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::StreamProtocol;
use libp2p::{Multiaddr, PeerId};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::mesh::peer::{ECHO, Peer, direct_address, patient, relay};
use crate::mesh::stranger::Stranger;

const SIGNALLING: StreamProtocol = StreamProtocol::new(PROTOCOL);

async fn two(relay: &Multiaddr) -> (Peer, Peer) {
    join(Peer::at(relay), Peer::at(relay)).await
}

async fn connected(relay: &Multiaddr, from: &Peer, to: &Peer) {
    from.dial(direct_address(relay, to.id));
    from.until("a direct connection", |seen| seen.direct(to.id).len() == 1).await;
    to.until("a direct connection", |seen| seen.direct(from.id).len() == 1).await;
}

fn relay_of(relay: &Multiaddr) -> PeerId {
    match relay.iter().last() {
        Some(Protocol::P2p(peer)) => peer,
        other => panic!("the relay's address ends with {other:?}"),
    }
}

#[wasm_bindgen_test]
async fn dialled_peer_is_connected_directly_and_its_relayed_connection_closes() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    connected(&relay, &alice, &bob).await;
    alice.exchange(bob.id, b"hello bob").await;
    bob.exchange(alice.id, b"hello alice").await;
    alice.until_only_directly_connected(bob.id).await;
    bob.until_only_directly_connected(alice.id).await;
    assert_eq!(alice.seen.borrow().ever.iter().filter(|one| one.peer == bob.id).count(), 2, "one of each kind");
    alice.exchange(bob.id, &vec![7; 1024 * 1024]).await;
    let direct = alice.seen.borrow().direct(bob.id)[0].id;
    alice.until("a ping over it", |seen| seen.pinged.contains(&direct)).await;
    assert_eq!(alice.seen.borrow().failed_dials, Vec::<String>::new());
}

#[wasm_bindgen_test]
async fn relayed_connection_is_upgraded_to_a_direct_one() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    alice.dial(relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(bob.id)));
    alice.until_only_directly_connected(bob.id).await;
    bob.until_only_directly_connected(alice.id).await;
    let seen = alice.seen.borrow();
    assert_eq!(seen.ever.iter().filter(|one| one.peer == bob.id).count(), 2, "the relayed one was used");
}

#[wasm_bindgen_test]
async fn three_pages_are_connected_pairwise() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    let carol = Peer::at(&relay).await;
    let pairs = [(&alice, &bob), (&bob, &carol), (&carol, &alice)];
    join_all(pairs.map(|(from, to)| connected(&relay, from, to))).await;
    for (from, to) in pairs {
        from.until_only_directly_connected(to.id).await;
        to.until_only_directly_connected(from.id).await;
        join(from.exchange(to.id, b"there"), to.exchange(from.id, b"and back")).await;
    }
}

#[wasm_bindgen_test]
async fn direct_connection_outlives_the_relay() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    connected(&relay, &alice, &bob).await;
    let mut before = alice.open(bob.id).await.expect("a stream opens");
    before.write_all(b"before").await.expect("it is written");
    before.read_exact(&mut [0; 6]).await.expect("it comes back");
    alice.until_only_directly_connected(bob.id).await;
    bob.until_only_directly_connected(alice.id).await;
    for peer in [&alice, &bob] {
        peer.disconnect(relay_of(&relay));
        peer.until("the relay is gone", |seen| seen.connections.iter().all(|one| one.peer != relay_of(&relay))).await;
        // Nobody is told any more to dial it there.
        peer.until("its place is gone", |seen| seen.external.is_empty()).await;
        assert_eq!(peer.seen.borrow().connections.len(), 1);
    }
    before.write_all(b"after").await.expect("it is written");
    before.read_exact(&mut [0; 5]).await.expect("it comes back");
    bob.exchange(alice.id, b"a new stream").await;
}

#[wasm_bindgen_test]
async fn peer_that_leaves_is_noticed_and_dialling_an_absent_one_fails() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    connected(&relay, &alice, &bob).await;
    alice.until_only_directly_connected(bob.id).await;
    let bobs = bob.id;
    drop(bob);
    alice.until("it is seen that bob left", |seen| seen.direct(bobs).is_empty()).await;
    for (number, gone) in [bobs, PeerId::random()].into_iter().enumerate() {
        alice.dial(direct_address(&relay, gone));
        // The relayed dial, and the direct one that waited for it.
        alice.until("both dials failed", |seen| seen.failed_dials.len() == 2 * (number + 1)).await;
        let seen = alice.seen.borrow();
        let last = seen.failed_dials.last().expect("one");
        assert!(last.contains("there is no relayed connection"), "{last}");
        assert!(!last.to_lowercase().contains("timeout"), "the relay said so: {last}");
    }
}

#[wasm_bindgen_test]
async fn refusal_of_a_relay_is_reported_with_its_reason() {
    let alice = Peer::new();
    let page = web_sys::window().and_then(|window| window.location().port().ok()).expect("the page's own port");
    // A port that browsers block, one where nobody listens, and one where somebody does but not for WebSockets.
    for (number, port) in ["1", "61999", &page].into_iter().enumerate() {
        let address = format!("/ip4/127.0.0.1/tcp/{port}/ws/p2p/{}", PeerId::random());
        alice.dial(address.parse().expect("an address"));
        alice.until("the dial failed", |seen| seen.failed_dials.len() == number + 1).await;
        let seen = alice.seen.borrow();
        assert!(seen.failed_dials[number].contains("no answer, or not that of a WebSocket"), "{:?}", seen.failed_dials);
    }
}

#[wasm_bindgen_test]
async fn protocols_are_offered_on_direct_connections_only() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    connected(&relay, &alice, &bob).await;
    for (peer, other) in [(&alice, &bob), (&bob, &alice)] {
        let find = |seen: &peer::Seen, direct: bool| {
            let connections: Vec<_> = seen.ever.iter().filter(|one| one.peer == other.id).collect();
            let id = connections.iter().find(|one| one.is_direct() == direct)?.id;
            seen.identified.iter().find(|(on, _)| *on == id).map(|(_, info)| info.clone())
        };
        peer.until("identified over both", |seen| find(seen, true).is_some() && find(seen, false).is_some()).await;
        let (direct, relayed) = (find(&peer.seen.borrow(), true), find(&peer.seen.borrow(), false));
        let (direct, relayed) = (direct.expect("one"), relayed.expect("one"));
        assert!(direct.protocols.contains(&ECHO) && !relayed.protocols.contains(&ECHO), "{:?}", relayed.protocols);
        assert!(relayed.protocols.contains(&SIGNALLING), "{:?}", relayed.protocols);
        assert!(!direct.protocols.contains(&SIGNALLING), "{:?}", direct.protocols);
        assert!(direct.listen_addrs.contains(&direct_address(&relay, other.id)), "{:?}", direct.listen_addrs);
    }
}

#[wasm_bindgen_test]
async fn a_second_direct_connection_is_not_dialled() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    connected(&relay, &alice, &bob).await;
    bob.dial(direct_address(&relay, alice.id));
    bob.until("the dial failed", |seen| seen.failed_dials.len() == 1).await;
    assert!(
        bob.seen.borrow().failed_dials[0].contains("direct connection to this peer already"),
        "{:?}",
        bob.seen.borrow().failed_dials
    );
    assert_eq!(bob.seen.borrow().direct(alice.id).len(), 1);
}

#[wasm_bindgen_test]
async fn handshakes_of_one_peer_are_limited() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    let mallory = Stranger::at(&relay, Some(bob.id)).await;
    let mut silent = Vec::new();
    for _ in 0..INBOUND_HANDSHAKES_PER_PEER {
        silent.push(mallory.open(bob.id, SIGNALLING).await);
    }
    let mut beyond = mallory.open(bob.id, SIGNALLING).await;
    let read = patient(beyond.read(&mut [0; 1])).await.expect("it is refused at once");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    for stream in &mut silent {
        assert!(stream.read(&mut [0; 1]).now_or_never().is_none(), "those within the bound are waited for");
    }
    connected(&relay, &alice, &bob).await;
    // Nonsense ends a handshake, and makes room for another.
    let mut nonsense = silent.remove(0);
    nonsense.write_all(&[0xff; 64]).await.expect("it is written");
    nonsense.flush().await.expect("it is sent");
    let read = patient(nonsense.read(&mut [0; 1])).await.expect("it is refused at once");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    let mut again = mallory.open(bob.id, SIGNALLING).await;
    assert!(again.read(&mut [0; 1]).now_or_never().is_none());
    assert!(bob.seen.borrow().direct(mallory.id).is_empty());
}

#[wasm_bindgen_test]
async fn handshake_with_a_silent_peer_times_out() {
    let relay = relay().await;
    let (alice, mallory) = join(Peer::at(&relay), Stranger::at(&relay, None)).await;
    let mut held = mallory.accept(SIGNALLING);
    alice.dial(direct_address(&relay, mallory.id));
    let _stream = patient(held.next()).await.expect("alice tries").expect("a stream");
    alice.until("the dial failed", |seen| seen.failed_dials.len() == 1).await;
    let seen = alice.seen.borrow();
    assert!(seen.failed_dials[0].contains("no direct connection in time"), "{:?}", seen.failed_dials);
}
