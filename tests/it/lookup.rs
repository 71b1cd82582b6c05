//! Names and modules that nobody knows here: asked of connected peers and of the wider network, with everything that
//! lies between.

mod asked;
mod crowd;
mod kept;
mod narrow;
pub mod poison;

use std::path::Path;

use gen_registry_api::*;
use gen_registry_core::name::Username;
use gen_registry_core::name_proof;
use gen_registry_node::Network;

use crate::lookup::crowd::{Crowd, farthest, nearest};
use crate::support::memory_network::{self, Founded};
use crate::support::modules::{draft, wasm};
use crate::support::network::of_server;
use crate::support::node::TestNode;
use crate::support::server::{Server, dist};
use crate::support::wait::{eventually, in_one_thread};

fn username_key(network: &Network, name: &str) -> [u8; 32] {
    let name = (NameKind::Username, name.parse::<Username>().unwrap().folded());
    *name_proof::key(&network.topic, &name).as_bytes()
}

/// Waits until the relay has so many values.
async fn relay_keeps(relay: &gen_registry_node::net::relay::Relay, values: i64) {
    let view = relay.view();
    eventually("the relay keeps it", async || view.counts().kademlia_values.get() >= values).await;
}

#[test]
fn name_and_module_of_unconnected_nodes_are_found_through_the_relay() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let relay = founded.relay(vec![]).await;
        let alice = memory_network::join(founded.through(&relay)).await;
        alice.claim("alice_smith").await.unwrap();
        let published = alice.publish(draft("crc-32", "1.2.3", wasm("f", 1), &[])).await;
        relay_keeps(&relay, 2).await;

        let bob = memory_network::join(founded.through(&relay)).await;
        assert_eq!(bob.find_username("nobody_at_all").await.answered_by, None);
        let report = bob.find_username("Alice-Smith").await;
        assert!(bob.network().await.peers.is_empty(), "he was connected to nobody when the answer came");
        assert_eq!(report.answered_by, Some(AnsweredBy::Network));
        let found = report.found.unwrap();
        assert_eq!((found.name.as_str(), found.did), ("alice_smith", alice.did().await));
        assert_eq!((report.peers_asked, report.network_asked, report.sought), (0, true, 1));

        // She is sought, and what she has comes by the ordinary way.
        eventually("her document comes", async || bob.look_up("alice_smith").await.holder.is_some()).await;
        assert_eq!(bob.look_up("alice_smith").await.answered_by, Some(AnsweredBy::Device));
        assert_eq!(bob.find_username("alice_smith").await.answered_by, Some(AnsweredBy::Device));

        let carol = memory_network::join(founded.through(&relay)).await;
        let report = carol.find(NameKind::Module, "CRC_32").await;
        assert!(carol.network().await.peers.is_empty());
        assert_eq!(report.answered_by, Some(AnsweredBy::Network));
        let release = report.found.unwrap().release.unwrap();
        assert_eq!((release.version.as_str(), release.sha256), ("1.2.3", published.sha256));
        eventually("the module's page comes", async || carol.module("crc-32").await.is_some()).await;
        let requirements = vec![Requirement { name: "crc-32".to_owned(), requirement: "*".to_owned() }];
        let install = ModuleCommand::Install { requirements, accept: vec![] };
        let installed = carol.node.handle(Command::Modules { command: install }).await.unwrap();
        assert!(matches!(installed, Answer::Installed(modules) if modules.len() == 1));
    });
}

#[test]
fn name_of_an_absent_holder_is_found_and_a_relinquished_one_is_not() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let relay = founded.relay(vec![]).await;
        let alice = memory_network::join(founded.through(&relay)).await;
        alice.claim("alice_smith").await.unwrap();
        relay_keeps(&relay, 1).await;
        let bob = memory_network::join(founded.through(&relay)).await;
        bob.claim("bob_jones").await.unwrap();
        relay_keeps(&relay, 2).await;
        bob.node.handle(Command::GiveUpName { name: None, to: None }).await.unwrap();
        let view = relay.view();
        eventually("his end is told, too", async || view.counts().kademlia_values_accepted.get() >= 3).await;
        alice.leave().await;
        bob.leave().await;

        let carol = memory_network::join(founded.through(&relay)).await;
        let report = carol.find_username("alice_smith").await;
        assert!(report.found.is_some() && report.answered_by == Some(AnsweredBy::Network));
        let report = carol.find_username("bob_jones").await;
        assert_eq!((report.found, report.answered_by), (None, Some(AnsweredBy::Network)));
        assert!(report.free_at.is_some(), "it was given up, and his older record did not come back");
    });
}

/// Nobody who knows her is online when the server comes back; a record in its file that proves nothing is not served.
#[test]
fn name_is_found_after_the_server_was_started_again() {
    in_one_thread(async {
        let (page, data) = (dist(), tempfile::tempdir().unwrap());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address = format!("/ip4/127.0.0.1/tcp/{port}/ws");
        let folder = data.path().to_str().unwrap();
        let flags = ["--data", folder, "--for-tests", "--no-catalogue", "--p2p", &address];
        let mut server = Server::with(page.path(), &flags);
        let network = of_server(&server);
        let alice = TestNode::join(network.clone()).await;
        alice.claim("alice_smith").await.unwrap();
        alice.is_confirmed().await;
        eventually("the relay keeps her name", async || kept(&server) == 1).await;
        alice.leave().await;
        server.kill();
        forge_a_record(&data.path().join("names.db"), &username_key(&network, "bob_jones"));

        let server = Server::with(page.path(), &flags);
        eventually("the relay has what it kept", async || kept(&server) == 1).await;
        let carol = TestNode::join(network).await;
        eventually("the relay is connected", async || carol.has_relay().await).await;
        let report = carol.find_username("alice_smith").await;
        assert_eq!((report.found.is_some(), report.answered_by), (true, Some(AnsweredBy::Network)));
        assert!(carol.find_username("bob_jones").await.found.is_none());
        assert!(server.counters().contains("gen_relay_kademlia_values 1"), "the forged one is gone");
    });
}

/// How many records the relay has.
fn kept(server: &Server) -> usize {
    let counters = server.counters();
    let line = counters.lines().find_map(|line| line.strip_prefix("gen_relay_kademlia_values "));
    line.and_then(|number| number.parse().ok()).expect("it is counted")
}

/// Puts the only record of the file under another key, too.
fn forge_a_record(file: &Path, key: &[u8; 32]) {
    let connection = rusqlite::Connection::open(file).unwrap();
    let forge = "INSERT INTO records SELECT tbl, lower(hex(?1)), bytes FROM records";
    assert_eq!(connection.execute(forge, [&key[..]]).unwrap(), 1);
}

/// 20 nodes nearest to a key, which take every value and keep none, and deny what they are
/// asked for. He knows one relay, she another.
#[test]
fn twenty_sybils_around_a_key_do_not_hide_it() {
    in_one_thread(async {
        let founded = Founded::new().await;
        let theirs = founded.relay(vec![]).await;
        let hers = founded.relay(theirs.view().addresses()).await;
        let relays = [theirs.view().addresses().remove(0), hers.view().addresses().remove(0)];
        let others = [theirs.view().peer_id(), hers.view().peer_id()];
        // Of some names the one to which the relays are least near.
        let names = ('a'..='z').map(|letter| format!("alice_{letter}smith"));
        let name = names.max_by_key(|name| nearest(&username_key(&founded.network, name), &others)).unwrap();
        let key = username_key(&founded.network, &name);
        let crowd = Crowd::around(&key, 20, &relays);
        assert!(farthest(&key, &crowd.names) < nearest(&key, &others), "they are the nearest");
        for view in [theirs.view(), hers.view()] {
            eventually("both relays send people to them", async || view.counts().kademlia_peers.get() >= 20).await;
        }

        let alice = memory_network::join(founded.through(&hers)).await;
        alice.claim(&name).await.unwrap();
        eventually("they got the value", async || crowd.asked.puts.get() > 0).await;
        let bob = memory_network::join(founded.through(&theirs)).await;
        let found = async || {
            let report = bob.find_username(&name).await;
            report.answered_by == Some(AnsweredBy::Network) && report.found.is_some()
        };
        eventually("he finds it", found).await;
        // A look-up waits no longer for better answers than it has to.
        eventually("and again once they were asked, and denied it", async || {
            found().await && crowd.asked.gets.get() > 0
        })
        .await;
    });
}
