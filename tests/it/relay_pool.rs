//! Networks of several relays: each node uses some of them, and everybody finds everybody.

use std::collections::BTreeMap;
use std::fs;

use gen_registry_api::*;
use gen_registry_node::Network;
use gen_registry_node::net::RELAYS_MAX;
use gen_registry_node::net::relay::Relay;
use gen_registry_node::net::relay::key::{KEY_FILE, NodeKey};
use gen_registry_node::relay_renewal::renew_relays;

use crate::support::network::{of_server, through};
use crate::support::node::TestNode;
use crate::support::relay::{ANY_PORT, relay_of, witnessed};
use crate::support::server::{Server, dist, network_of};
use crate::support::wait::{eventually, in_one_thread};

/// Relays with these keys, and the network that names them all.
async fn relays(count: usize) -> (Vec<Relay>, Network) {
    let mut relays = Vec::new();
    for _ in 0..count {
        relays.push(relay_of(NodeKey::fresh(), ANY_PORT, None).await);
    }
    let addresses = relays.iter().flat_map(|relay| relay.view().addresses()).map(|address| address.to_string());
    let network = through(&Network::default(), addresses.collect());
    (relays, network)
}

/// The relays that a node uses.
async fn used(node: &TestNode) -> Vec<String> {
    let relays = node.network().await.relays.into_iter();
    relays.filter(|relay| relay.used && relay.connected).map(|relay| relay.address).collect()
}

/// A node of the network that uses exactly these of its relays and no other: the others are of no use to its choice.
async fn using(network: &Network, wanted: &[&str]) -> TestNode {
    loop {
        let node = TestNode::join(network.clone()).await;
        eventually("two relays are used", async || used(&node).await.len() == 2).await;
        if used(&node).await == wanted {
            return node;
        }
        node.leave().await;
    }
}

#[test]
fn every_node_uses_few_relays_and_all_of_them_find_each_other() {
    in_one_thread(async {
        let (relays, network) = relays(4).await;
        let names: Vec<String> = (0..6).map(|number| format!("person_{number}")).collect();
        let mut nodes = Vec::new();
        for name in &names {
            let node = TestNode::join(network.clone()).await;
            node.claim(name).await.unwrap();
            nodes.push(node);
        }
        for node in &nodes {
            node.has_peers(1).await;
            for name in &names {
                node.sees(name).await;
            }
        }
        // What was connected to ask for others is left again.
        for (node, name) in nodes.iter().zip(&names) {
            eventually("no relay but its own", async || {
                let report = node.network().await;
                let connected = report.relays.iter().filter(|relay| relay.connected);
                connected.count() <= RELAYS_MAX && report.relays.iter().all(|relay| relay.used || !relay.connected)
            })
            .await;
            assert_eq!(used(node).await.len(), 2, "{name}");
        }
        let mut at = BTreeMap::<String, usize>::new();
        for node in &nodes {
            used(node).await.into_iter().for_each(|relay| *at.entry(relay).or_default() += 1);
        }
        let counted: i64 = relays.iter().map(|relay| relay.view().counts().reservations.get()).sum();
        assert_eq!(counted, 2 * nodes.len() as i64, "no place is taken elsewhere: {at:?}");
    });
}

#[test]
fn two_that_use_different_relays_find_each_other() {
    in_one_thread(async {
        let (_relays, network) = relays(4).await;
        let [first, second, third, fourth] = &network.relays[..] else { panic!("four relays") };
        let alice = using(&network, &[first, second]).await;
        alice.claim("alice").await.unwrap();
        let bob = using(&network, &[third, fourth]).await;
        bob.claim("bobby").await.unwrap();
        bob.sees("alice").await;
        alice.sees("bobby").await;
    });
}

#[test]
fn killed_relay_is_replaced_and_newcomers_are_found() {
    in_one_thread(async {
        let (mut relays, network) = relays(4).await;
        let [first, second, ..] = &network.relays[..] else { panic!("four relays") };
        let alice = using(&network, &[first, second]).await;
        alice.claim("alice").await.unwrap();
        relays.remove(0).stop().await;
        eventually("another takes its place", async || {
            let used = used(&alice).await;
            used.len() == 2 && used.contains(second) && !used.contains(first)
        })
        .await;
        let bob = TestNode::join(network.clone()).await;
        bob.claim("bobby").await.unwrap();
        bob.sees("alice").await;
        alice.sees("bobby").await;
        relays.remove(0).stop().await;
        eventually("two are left", async || {
            let used = used(&alice).await;
            used.len() == 2 && !used.contains(second)
        })
        .await;
    });
}

#[test]
fn witness_beside_a_relay_that_is_not_used_confirms_a_claim() {
    in_one_thread(async {
        // Each of four relays has a witness, and all of them have to sign.
        let (network, _servers) = witnessed(4, 4).await;
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        alice.is_confirmed().await;
        assert!(used(&alice).await.len() <= RELAYS_MAX);
        let relays = alice.network().await.relays;
        assert!(relays.iter().any(|relay| !relay.used), "there is one that it does not use: {relays:?}");
        let bob = TestNode::join(network).await;
        eventually("bob sees a confirmed name", async || {
            bob.look_up("alice").await.holder.is_some_and(|holder| holder.status == NameStatus::Confirmed)
        })
        .await;
    });
}

/// The folder of a relay was lost, and its server runs again at the same address. Alice's page stayed open.
#[test]
fn relay_that_comes_back_with_a_new_key_is_found_by_a_node_that_asks_its_server() {
    in_one_thread(async {
        let (page, data) = (dist(), tempfile::tempdir().unwrap());
        let flags = |listen| ["--no-catalogue", "--data", data.path().to_str().unwrap(), "--p2p", listen];
        let first = Server::with(page.path(), &flags(ANY_PORT));
        let before = of_server(&first);
        let listen = before.relays[0].split("/p2p/").next().unwrap().to_owned();
        let alice = TestNode::join(before.clone()).await;
        alice.claim("alice").await.unwrap();
        alice.is_confirmed().await;
        drop(first);
        eventually("the relay is missed", async || !alice.has_relay().await).await;
        fs::remove_file(data.path().join(KEY_FILE)).unwrap();
        let again = Server::with(page.path(), &flags(&listen));
        let after = of_server(&again);
        assert!(after.relays != before.relays && after.relays[0].starts_with(&listen), "{:?}", after.relays);
        let server = network_of(&again);
        let asking = renew_relays(alice.node.clone(), alice.mesh.clone(), async || {
            Some(serde_json::from_value(server.clone()).unwrap())
        });
        let story = async {
            eventually("the relay is found again", async || alice.has_relay().await).await;
            let bob = TestNode::join(after.clone()).await;
            bob.claim("bobby").await.unwrap();
            bob.is_confirmed().await;
            alice.sees("bobby").await;
            bob.sees("alice").await;
            alice.claim("alice_later").await.unwrap();
            bob.sees("alice_later").await;
        };
        tokio::select! {
            () = asking => unreachable!("it never ends"),
            () = story => {}
        }
    });
}
