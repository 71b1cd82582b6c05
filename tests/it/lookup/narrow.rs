//! What a node does not keep by itself: looked up, fetched, and kept if the person says so.

use gen_registry_api::*;

use crate::support::memory_network::{self, Founded};
use crate::support::modules::{draft, wasm};
use crate::support::wait::{eventually, in_one_thread};

#[test]
fn what_a_connected_peer_answers_for_arrives_where_no_strangers_are_kept() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let relay = founded.relay(vec![]).await;
        let alice = memory_network::join(founded.through(&relay)).await;
        alice.claim("alice_smith").await.unwrap();
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
