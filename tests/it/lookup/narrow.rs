//! What a node does not keep by itself: looked up, fetched, and kept if the person says so.

use gen_registry_api::*;
use gen_registry_node::lookup::PEERS_PATIENCE;
use gen_registry_node::net::mesh::FIND_PROTOCOL;
use tokio::time::Instant;

use crate::lookup::poison::{Answering, silent};
use crate::lookup::relay_keeps;
use crate::support::memory_network::{self, Founded};
use crate::support::modules::{draft, wasm};
use crate::support::wait::{eventually, in_one_thread};

#[test]
fn what_a_connected_peer_answers_for_arrives_where_no_strangers_are_kept() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        alice.publish(draft("crc-32", "1.2.3", wasm("f", 1), &[])).await;
        eventually("it is published", async || alice.module("crc-32").await.is_some()).await;

        let bob = memory_network::join_narrow(founded.through(&relay), &alice).await;
        assert!(bob.module("crc-32").await.is_none());
        let report = bob.find(NameKind::Module, "crc-32").await;
        assert_eq!(report.answered_by, Some(AnsweredBy::Peers));
        eventually("what was found arrives", async || bob.module("crc-32").await.is_some()).await;
        assert_eq!(bob.network().await.rejections, []);
    });
}

/// Peers that take a question and never answer hold nobody up who has an answer: neither a connected peer's, nor the
/// network's.
#[test]
fn silent_peers_do_not_delay_what_others_answer() {
    in_one_thread(async {
        let (founded, relay, alice) = Founded::with_alice().await;
        let bob = memory_network::join_narrow(founded.through(&relay), &alice).await;
        let carol = memory_network::join(founded.through(&relay)).await;
        carol.claim("carol_jones").await.unwrap();
        carol.is_confirmed().await;
        relay_keeps(&relay, 2).await;
        carol.leave().await;
        let place = memory_network::place(&bob.mesh);
        let silent: Vec<Answering> = (0..3).map(|_| silent(place.clone(), FIND_PROTOCOL)).collect();
        eventually("all are connected", async || bob.network().await.peers.len() == 1 + silent.len()).await;

        let began = Instant::now();
        let report = bob.find_username("alice_smith").await;
        assert_eq!((report.peers_asked, report.answered_by), (4, Some(AnsweredBy::Peers)));
        assert!(began.elapsed() < PEERS_PATIENCE, "it did not wait for those that were silent");

        alice.leave().await;
        eventually("she is gone", async || bob.network().await.peers.len() == silent.len()).await;
        let began = Instant::now();
        let report = bob.find_username("carol_jones").await;
        assert_eq!((report.peers_asked, report.answered_by), (3, Some(AnsweredBy::Network)));
        assert!(began.elapsed() < PEERS_PATIENCE, "nor when nobody connected answered");
    });
}
