//! Whole nodes, with real libp2p between them, on real sockets: found through a real relay, connected directly.

use std::rc::Rc;

use crate::support::network::through;
use crate::support::node::TestNode;
use crate::support::relay::ANY_PORT;
use crate::support::relay::network;
use crate::support::relay::relay;
use crate::support::relay::relay_of;
use crate::support::relay::witnessed;
use crate::support::wait::eventually;
use crate::support::wait::in_one_thread;
use gen_registry_api::*;
use gen_registry_node::Network;
use gen_registry_node::net::relay::{Relay, key::NodeKey};
use gen_registry_node::store::memory::MemoryStore;

#[test]
fn three_strangers_converge_and_continue_without_the_relay() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice_smith").await.unwrap();
        let bob = TestNode::join(network.clone()).await;
        let charlie = TestNode::join(network.clone()).await;
        for party in [&alice, &bob, &charlie] {
            party.has_peers(2).await;
        }
        bob.sees("alice_smith").await;
        charlie.sees("Alice-Smith").await;
        let refused = charlie.claim("alice_smith").await.unwrap_err();
        assert_eq!(refused.code, FailureCode::NameTaken);
        charlie.claim("charlie").await.unwrap();
        bob.claim("bob_jones").await.unwrap();
        for party in [&alice, &bob, &charlie] {
            eventually("all three are listed", async || party.people().await.len() == 3).await;
        }
        assert!(bob.look_up("nobody_here").await.holder.is_none());

        relay.stop().await;
        eventually("the relay is missed", async || !alice.has_relay().await).await;
        bob.claim("bob_later").await.unwrap();
        alice.sees("bob_later").await;
        charlie.sees("bob_later").await;
        assert_eq!(alice.network().await.rejections, [], "nobody broke a rule");
    });
}

#[test]
fn rival_claims_made_offline_are_resolved_when_peers_meet() {
    in_one_thread(async {
        let alone = Network::default();
        let (first, second): (Rc<MemoryStore>, Rc<MemoryStore>) = Default::default();
        for store in [&first, &second] {
            let party = TestNode::join_with(store.clone(), alone.clone()).await;
            party.claim("nova").await.unwrap();
            party.leave().await;
        }
        let relay = relay().await;
        let early = TestNode::join_with(first, network(&relay)).await;
        let late = TestNode::join_with(second, network(&relay)).await;
        eventually("the later one is told", async || late.me().await.lost_name.is_some()).await;
        eventually("both see one holder", async || {
            let (mine, theirs) = (early.look_up("nova").await, late.look_up("nova").await);
            mine.holder.as_ref().map(|holder| &holder.person.did)
                == theirs.holder.as_ref().map(|holder| &holder.person.did)
                && mine.losers.len() == 1
                && mine.losers[0].reason == theirs.losers[0].reason
        })
        .await;
        assert_eq!(early.me().await.username.as_deref(), Some("nova"));
        assert!(late.me().await.did.is_some(), "the loser keeps everything else");
    });
}

#[test]
fn returning_relay_is_found_again_and_introduces_newcomers() {
    in_one_thread(async {
        let key = NodeKey::fresh();
        let first = relay_of(key.clone(), ANY_PORT, None).await;
        let network = network(&first);
        let listen = network.relays[0].split("/p2p/").next().unwrap().to_owned();
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        eventually("connected", async || alice.has_relay().await).await;
        first.stop().await;
        eventually("lost", async || !alice.has_relay().await).await;
        let _second = relay_of(key, &listen, None).await;
        let bob = TestNode::join(network).await;
        bob.sees("alice").await;
    });
}

/// A relay, its network, Alice who has claimed a name, and the store of Bob who met her and left.
async fn alice_and_what_bob_left() -> (Relay, Network, TestNode, Rc<MemoryStore>) {
    let relay = relay().await;
    let network = network(&relay);
    let alice = TestNode::join(network.clone()).await;
    alice.claim("alice").await.unwrap();
    let bob = TestNode::join(network.clone()).await;
    bob.sees("alice").await;
    (relay, network, alice, bob.leave().await)
}

#[test]
fn remembered_peers_are_found_without_a_relay() {
    in_one_thread(async {
        let (relay, network, alice, store) = alice_and_what_bob_left().await;
        relay.stop().await;
        alice.claim("alice_later").await.unwrap();
        let bob = TestNode::join_with(store, network).await;
        bob.sees("alice_later").await;
        assert!(!bob.has_relay().await);
    });
}

#[test]
fn claim_is_confirmed_by_witnesses_and_peers_see_it() {
    in_one_thread(async {
        let (network, _servers) = witnessed(3, 2).await;
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        assert_eq!(alice.me().await.name_status, Some(NameStatus::Intent), "nobody has seen it yet");
        alice.is_confirmed().await;
        let bob = TestNode::join(network).await;
        eventually("bob sees a confirmed name", async || {
            bob.look_up("alice").await.holder.is_some_and(|holder| holder.status == NameStatus::Confirmed)
        })
        .await;
        // A new name needs new receipts: for the claim, and for the release of the old one.
        alice.node.handle(Command::Rename { name: "alice_later".to_owned() }).await.unwrap();
        alice.is_confirmed().await;
        eventually("bob sees the new name confirmed", async || {
            bob.look_up("alice_later").await.holder.is_some_and(|holder| holder.status == NameStatus::Confirmed)
        })
        .await;
    });
}

#[test]
fn offline_claim_is_confirmed_later_and_beats_an_earlier_date() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let alone = through(&network, vec![]);
        // The earlier date, but no witness: such a date costs nothing.
        let early = TestNode::join(alone).await;
        early.claim("nova").await.unwrap();
        let late = TestNode::join(network.clone()).await;
        late.claim("nova").await.unwrap();
        late.is_confirmed().await;
        assert_eq!(early.me().await.name_status, Some(NameStatus::Intent));
        let early = TestNode::join_with(early.leave().await, network).await;
        eventually("the unwitnessed claim gives way", async || early.me().await.lost_name.is_some()).await;
        assert_eq!(early.look_up("nova").await.holder.unwrap().person.did, late.me().await.did.unwrap());
        assert_eq!(late.me().await.username.as_deref(), Some("nova"));
    });
}

#[test]
fn peer_exchange_finds_peers_that_no_relay_lists() {
    in_one_thread(async {
        let (relay, network, alice, store) = alice_and_what_bob_left().await;
        // Charlie meets Alice, then the relay goes: nobody else tells Bob of Charlie.
        let charlie = TestNode::join(network.clone()).await;
        charlie.claim("charlie").await.unwrap();
        alice.sees("charlie").await;
        relay.stop().await;
        let bob = TestNode::join_with(store, network).await;
        bob.has_peers(2).await;
        assert!(!bob.has_relay().await);
        bob.sees("charlie").await;
    });
}
