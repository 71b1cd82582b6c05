//! A network that asks for work: its names cost something, and a claim that shows none is not signed.

use gen_registry_core::actors::Device;
use gen_registry_core::sync::asking::wire::{Answer as Answered, Code, Refused};
use gen_registry_core::sync::exchange::wire::Piece;

use crate::support::asker::{Asker, seen};
use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::people::{self, LONG_AGO};
use crate::support::relay::witnessed_for_work;
use crate::support::wait::{eventually, in_one_thread};

const BITS: u32 = 12;

#[test]
fn claim_without_proof_of_work_is_refused_and_never_counts() {
    in_one_thread(async {
        let (network, _servers) = witnessed_for_work(1, 1, BITS).await;
        let witness = network.history().set().witnesses[0];
        let mut asker = Asker::at(&network.relays[0].parse().unwrap()).await;
        let mut mallory = Device::of(network.topic, "mallory");
        let unworked = people::claim(&mut mallory, "alice", LONG_AGO);
        let refused = Answered::Refused(Refused { code: Code::NoWork, entry: None, until: None });
        assert_eq!(asker.ask(&mallory, &unworked).await, refused);

        // Nor does it count with those who have it, though it was there first.
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        let pieces = [&mallory.opening, &unworked].map(|entry| Piece::Entry(entry.encode()));
        bob.node.admission().admit(pieces.to_vec()).await.unwrap();
        alice.claim("alice").await.unwrap();
        alice.is_confirmed().await;
        alice.publish(draft("crc", "1.0.0", wasm("crc", 1), &[])).await;
        eventually("the name is hers with others", async || {
            let holder = bob.look_up("alice").await.holder;
            holder.map(|holder| holder.person.did) == alice.me().await.did
        })
        .await;
        eventually("the module comes", async || bob.module("crc").await.is_some_and(|page| page.versions.len() == 1))
            .await;
        assert_eq!(bob.people().await, ["alice"]);

        // With work the same device gets a name, but not one that is taken.
        let worked = people::claim_with_work(&mut mallory, "mallory", LONG_AGO, &network);
        seen(&asker.ask(&mallory, &worked).await, &witness, &mallory, &worked);
        let late = people::claim_with_work(&mut mallory, "alice", LONG_AGO, &network);
        let Answered::Taken(pieces) = asker.ask(&mallory, &late).await else { panic!("it is taken") };
        assert!(!pieces.is_empty());
    });
}
