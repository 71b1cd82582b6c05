//! Whole nodes in one page, over real WebSockets, a real relay in its own process and real WebRTC.

mod peer;

use libp2p::Multiaddr;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::mesh::peer::{Peer, direct_address, relay};

async fn two(relay: &Multiaddr) -> (Peer, Peer) {
    futures::future::join(Peer::at(relay), Peer::at(relay)).await
}

#[wasm_bindgen_test]
async fn who_is_dialled_is_connected_directly_and_the_relayed_connection_goes() {
    let relay = relay().await;
    let (alice, bob) = two(&relay).await;
    alice.dial(direct_address(&relay, bob.id));
    alice.until("a direct connection", |seen| seen.direct(bob.id).len() == 1).await;
    alice.exchange(&bob, b"hello bob").await;
    bob.exchange(&alice, b"hello alice").await;
    alice.until_only_directly_connected(&bob).await;
    bob.until_only_directly_connected(&alice).await;
    alice.exchange(&bob, &vec![7; 1024 * 1024]).await;
    assert!(alice.seen.borrow().failed_dials.is_empty());
}
