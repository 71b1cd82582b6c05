//! A network that asks for work: its names cost something, and who did none holds none.

use gen_registry_core::actors::Device;
use gen_registry_core::sync::exchange::wire::Piece;

use crate::support::modules::{draft, wasm};
use crate::support::network::{founded_by, through};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};
use gen_registry_api::*;

const BITS: u32 = 12;

#[test]
fn claim_without_proof_of_work_does_not_count() {
    in_one_thread(async {
        let relay = relay().await;
        let network = through(&founded_by(&[], 0, BITS), network(&relay).relays);
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        // Mallory's claim is dated earlier, and shows no work.
        let mut mallory = Device::of(network.topic, "mallory");
        let claim = mallory.claim("alice", None);
        let pieces = [&mallory.opening, &claim].map(|entry| Piece::Entry(entry.encode()));
        bob.node.admission().admit(pieces.to_vec()).await.unwrap();
        alice.claim("alice").await.unwrap();
        let publish = ModuleCommand::Publish { draft: Box::new(draft("crc", "1.0.0", wasm("crc", 1), &[])) };
        alice.node.handle(Command::Modules { command: publish }).await.unwrap();
        bob.sees("alice").await;
        let me = alice.me().await;
        let held_by = |report: NameReport| report.holder.map(|holder| holder.person.did);
        assert_eq!(held_by(bob.look_up("alice").await), me.did);
        let page = ModuleCommand::Page { name: "crc".to_owned() };
        eventually("the module's name is held", async || {
            let asked = bob.node.handle(Command::Modules { command: page.clone() }).await.unwrap();
            matches!(asked, Answer::Module(Some(page)) if page.versions.len() == 1)
        })
        .await;
        let asked = alice.node.handle(Command::Person { did: mallory.did.to_string() }).await.unwrap();
        assert!(!matches!(asked, Answer::Person(Some(_))), "nor is it passed on: {asked:?}");
        assert_eq!(bob.people().await, ["alice"]);
    });
}
