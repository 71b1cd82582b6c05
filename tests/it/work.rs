//! A network that asks for work: its names cost something, and who did none holds none.

use crate::support::modules::{draft, wasm};
use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::wait::{eventually, in_one_thread};
use gen_registry_api::*;

const BITS: u32 = 12;

#[test]
fn claim_without_proof_of_work_does_not_count() {
    in_one_thread(async {
        let relay = relay().await;
        let lax = network(&relay);
        let mut strict = lax.clone();
        strict.rules.work_bits = BITS;
        let (alice, bob) = (TestNode::join(strict.clone()).await, TestNode::join(strict).await);
        let mallory = TestNode::join(lax).await;
        mallory.claim("alice").await.unwrap();
        mallory.has_peers(2).await;
        alice.claim("alice").await.unwrap();
        let publish = ModuleCommand::Publish { draft: Box::new(draft("crc", "1.0.0", wasm("crc", 1), &[])) };
        alice.node.handle(Command::Modules { command: publish }).await.unwrap();
        bob.sees("alice").await;
        let me = alice.me().await;
        assert_eq!(
            bob.look_up("alice").await.holder.map(|holder| holder.person.did),
            me.did,
            "the earlier claim shows none"
        );
        let page = ModuleCommand::Page { name: "crc".to_owned() };
        eventually("the module's name is held", async || {
            let asked = bob.node.handle(Command::Modules { command: page.clone() }).await.unwrap();
            matches!(asked, Answer::Module(Some(page)) if page.versions.len() == 1)
        })
        .await;
        let mallorys = mallory.me().await.did.unwrap();
        eventually("what she says has come", async || {
            let asked = bob.node.handle(Command::Person { did: mallorys.clone() }).await.unwrap();
            matches!(asked, Answer::Person(Some(_)))
        })
        .await;
        assert_eq!(bob.people().await, ["alice"]);
    });
}
