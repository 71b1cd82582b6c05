//! Names that only a node with the entries can prove: whoever holds them was never here, and published nothing.

use gen_registry_api::*;
use gen_registry_core::actors::{Device, Person};
use gen_registry_core::log::Entry;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_node::Network;
use gen_registry_node::lookup::PEERS_PATIENCE;
use gen_registry_node::net::KADEMLIA_PROTOCOL;
use gen_registry_node::net::mesh::connection_manager::DIRECT_TARGET;
use gen_registry_node::net::relay::Relay;
use libp2p::Multiaddr;
use tokio::time::Instant;

use crate::lookup::crowd::Asker;
use crate::lookup::poison::{Founded, key, listening_silently, written};
use crate::support::memory_network;
use crate::support::network::through;
use crate::support::node::TestNode;
use crate::support::wait::{eventually, in_one_thread};

async fn keep(node: &TestNode, entries: &[&Entry], receipts: Vec<Receipt>) {
    let pieces = entries.iter().map(|entry| Piece::Entry(entry.encode()));
    let pieces = pieces.chain(receipts.iter().map(|receipt| Piece::Receipt(receipt.encode()))).collect();
    let report = node.node.admission().admit(pieces).await.unwrap();
    assert_eq!(report.outcome.rejections, []);
}

/// A network with a relay and a server, which keeps Alice's claim and receipt.
struct Kept {
    relay: Relay,
    address: Multiaddr,
    network: Network,
    alice: Device,
    _keeper: TestNode,
}

impl Kept {
    async fn new() -> Self {
        let mut founded = Founded::new();
        let relay = memory_network::relay(&founded.network, vec![]).await;
        let address = relay.view().addresses().remove(0);
        let network = through(&founded.network, vec![address.to_string()]);
        let keeper = memory_network::serve(network.clone()).await;
        let mut alice = Device::of(network.topic, "alice");
        let (claim, receipt) = founded.claim(&mut alice, "alice_smith");
        keep(&keeper, &[&alice.opening, &claim], vec![receipt]).await;
        Self { relay, address, network, alice, _keeper: keeper }
    }

    /// Waits until the relay knows so many servers.
    async fn has_servers(&self, count: usize) {
        let view = self.relay.view();
        eventually("the relay knows them", async || view.counts().kademlia_peers.get() == count as i64).await;
    }
}

#[test]
fn name_that_was_never_published_is_found_at_a_server_that_keeps_its_holder() {
    in_one_thread(async {
        let kept = Kept::new().await;
        kept.has_servers(1).await;

        let bob = memory_network::join(kept.network.clone()).await;
        let report = bob.find_username("alice_smith").await;
        assert_eq!((report.peers_asked, report.answered_by), (0, Some(AnsweredBy::Network)));
        assert_eq!(report.found.unwrap().did, kept.alice.did.to_string());
        assert_eq!(kept.relay.view().counts().kademlia_values.get(), 0, "nobody put it anywhere");
        eventually("what the server keeps arrives", async || bob.look_up("alice_smith").await.holder.is_some()).await;
        assert_eq!(bob.find_username("nobody_at_all").await.answered_by, None);
    });
}

/// What others put there counts as long as the server knows nothing better, and the other way round.
#[test]
fn server_answers_with_the_better_of_what_it_keeps_and_what_it_stores() {
    in_one_thread(async {
        let mut founded = Founded::new();
        let topic = founded.network.topic;
        let relay = memory_network::relay(&founded.network, vec![]).await;
        let network = through(&founded.network, vec![relay.view().addresses().remove(0).to_string()]);
        let (keeper, place) = memory_network::serve_somewhere(network.clone()).await;
        let mut asker = Asker::at(&place).await;
        let (alice, mut dan) = (Person::new(topic, 1), Person::new(topic, 2).device(0, 2));
        let mut laptop = alice.device(0, 1);
        let (claim, first) = founded.claim(&mut laptop, "rose");
        let hers = written(&[&laptop.opening, &claim], std::slice::from_ref(&first));

        let give_up = laptop.give_up(&alice, claim.id(), None);
        let given_up = founded.sign(&laptop, &give_up);
        let finish = laptop.finish(&alice, give_up.id(), claim.id().digest());
        let finished = founded.sign(&laptop, &finish);
        let his = dan.claim("rose", Some(finish.id()));
        let taken = founded.sign(&dan, &his);
        let entries = [&laptop.opening, &claim, &give_up, &finish, &dan.opening, &his];
        let newest = written(&entries, &[first.clone(), given_up.clone(), finished.clone(), taken.clone()]);

        let here = key(&topic, "rose");
        keep(&keeper, &entries[..2], vec![first.clone()]).await;
        // First: a put ends with the first server that takes it, and to ask leads to others.
        asker.put(&here, &newest).await;
        eventually("it answers with what it stores", async || asker.get(&here).await == std::slice::from_ref(&newest))
            .await;

        // Another server, which knows how she gave it away; it is put her old proof.
        let (other, place) = memory_network::serve_somewhere(network).await;
        keep(&other, &entries, vec![first, given_up, finished, taken]).await;
        let mut asker = Asker::at(&place).await;
        asker.put(&here, &hers).await;
        for _ in 0..3 {
            let said = asker.get(&here).await;
            assert!(!said.is_empty() && said.iter().all(|value| *value == newest), "what it keeps is better");
        }
    });
}

/// Servers that take a query and never answer hold nobody up whom another one answers.
#[test]
fn silent_servers_do_not_delay_what_another_one_answers() {
    in_one_thread(async {
        let kept = Kept::new().await;
        let silent: Vec<_> = (0..7).map(|_| listening_silently(kept.address.clone(), KADEMLIA_PROTOCOL)).collect();
        kept.has_servers(1 + silent.len()).await;

        let bob = memory_network::join(kept.network.clone()).await;
        let began = Instant::now();
        let report = bob.find_username("alice_smith").await;
        assert_eq!(report.answered_by, Some(AnsweredBy::Network));
        assert!(began.elapsed() < PEERS_PATIENCE, "it waited for those that were silent");
    });
}

/// A query leads to all public nodes of a network. They become no neighbours by that.
#[test]
fn servers_that_a_query_leads_to_are_no_neighbours() {
    in_one_thread(async {
        let founded = Founded::new();
        let relay = memory_network::relay(&founded.network, vec![]).await;
        let (view, address) = (relay.view(), relay.view().addresses().remove(0));
        let mut network = through(&founded.network, vec![address.to_string()]);
        let mut servers = Vec::new();
        for _ in 0..2 * DIRECT_TARGET {
            servers.push(memory_network::serve_somewhere(network.clone()).await);
        }
        eventually("the relay knows them", async || view.counts().kademlia_peers.get() == servers.len() as i64).await;
        network.public_nodes = servers.iter().map(|(_, place)| place.to_string()).collect();
        let bob = memory_network::join(network).await;
        for _ in 0..3 {
            let report = bob.find_username("nobody_at_all").await;
            assert!(report.network_asked && report.found.is_none());
        }
        assert!((1..=DIRECT_TARGET).contains(&bob.network().await.peers.len()));
    });
}
