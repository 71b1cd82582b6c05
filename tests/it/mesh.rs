//! Whole nodes, with real libp2p between them, on real sockets: found through a real relay, connected directly.

use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

use gen_registry_api::*;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::net::mesh::MeshHandle;
use gen_registry_node::net::relay::{Relay, RelayOptions, key::NodeKey, limits::RelayLimits, witness::WitnessEndpoint};
use gen_registry_node::peering::Peering;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_server::witness::{self, Witness};
use tokio::task::{JoinHandle, LocalSet, spawn_local};

/// How long a condition may take before a test gives up on it. Never a measurement.
const PATIENCE: Duration = Duration::from_secs(30);

const ANY_PORT: &str = "/ip4/127.0.0.1/tcp/0/ws";

/// A relay as a server runs it. One address may do as it likes: here everybody has the same.
pub async fn relay() -> Relay {
    relay_of(NodeKey::fresh(), ANY_PORT, None).await
}

async fn relay_of(key: NodeKey, listen: &str, witness: Option<WitnessEndpoint>) -> Relay {
    let limits = RelayLimits { by_address: false, ..RelayLimits::default() };
    let listen = listen.parse().unwrap();
    Relay::start(RelayOptions {
        key,
        listen,
        public: vec![],
        bootstrap: vec![],
        dht_server: true,
        validator: None,
        limits,
        witness,
    })
    .await
    .unwrap()
}

pub fn network(relay: &Relay) -> Network {
    let relays = relay.view().addresses().iter().map(ToString::to_string).collect();
    Network { relays, ..Network::default() }
}

/// A network of one relay for each witness; all three witnesses are known, `threshold` receipts confirm a name.
async fn witnessed(count: usize, threshold: usize) -> (Network, Vec<(Relay, Witness)>) {
    let mut network = Network::default();
    let mut servers = Vec::new();
    for _ in 0..count {
        let witness = witness::start(None, network.topic, 0).await.unwrap();
        let relay = relay_of(NodeKey::fresh(), ANY_PORT, Some(witness.door.clone())).await;
        network.relays.extend(relay.view().addresses().iter().map(ToString::to_string));
        network.rules.witnesses.push(witness.identity);
        servers.push((relay, witness));
    }
    network.rules.threshold = threshold;
    (network, servers)
}

/// One profile that takes part.
pub struct Party {
    pub node: Rc<Node>,
    pub store: Rc<MemoryStore>,
    pub mesh: MeshHandle,
    life: JoinHandle<()>,
}

impl Party {
    pub async fn join(network: Network) -> Self {
        Self::join_with(Rc::default(), network).await
    }

    pub async fn join_with(store: Rc<MemoryStore>, network: Network) -> Self {
        Self::join_on(Rc::new(Native), store, network).await
    }

    pub async fn join_on(environment: Rc<dyn Environment>, store: Rc<MemoryStore>, network: Network) -> Self {
        let node = Rc::new(Node::start(store.clone(), environment, network).await.unwrap());
        let peering = Peering::open(node.clone()).await.unwrap();
        let mesh = peering.mesh();
        Self { node, store, mesh, life: spawn_local(peering.run()) }
    }

    /// As when its process is killed: nothing more is said.
    pub async fn killed(self) -> Rc<MemoryStore> {
        self.life.abort();
        self.life.await.unwrap_err();
        self.store
    }

    pub async fn talk(&self, command: ChatCommand) -> Result<Answer, Failure> {
        self.node.handle(Command::Chat { command }).await
    }

    pub async fn leave(self) -> Rc<MemoryStore> {
        self.mesh.close();
        self.life.await.unwrap();
        self.store
    }

    pub async fn claim(&self, name: &str) -> Result<Answer, Failure> {
        let changes = ProfileChanges::default();
        self.node.handle(Command::RegisterUsername { name: name.to_owned(), changes }).await
    }

    pub async fn look_up(&self, name: &str) -> NameReport {
        match self.node.handle(Command::LookupUsername { name: name.to_owned() }).await.unwrap() {
            Answer::Name(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn me(&self) -> Me {
        match self.node.handle(Command::WhoAmI).await.unwrap() {
            Answer::Me(me) => *me,
            other => panic!("{other:?}"),
        }
    }

    pub async fn people(&self) -> Vec<String> {
        let command = Command::ListUsernames { prefix: String::new(), limit: 500, cursor: None };
        match self.node.handle(command).await.unwrap() {
            Answer::People(page) => page.people.into_iter().map(|person| person.username).collect(),
            other => panic!("{other:?}"),
        }
    }

    pub async fn network(&self) -> NetworkReport {
        match self.node.handle(Command::Network).await.unwrap() {
            Answer::Network(report) => report,
            other => panic!("{other:?}"),
        }
    }

    pub async fn has_relay(&self) -> bool {
        self.network().await.relays.iter().any(|relay| relay.connected)
    }

    pub async fn has_peers(&self, count: usize) {
        eventually("peers are connected", async || self.network().await.peers.len() >= count).await;
    }

    pub async fn is_confirmed(&self) {
        eventually("the name is confirmed", async || self.me().await.name_status == Some(NameStatus::Confirmed)).await;
    }

    pub async fn sees(&self, name: &str) {
        eventually(name, async || self.look_up(name).await.holder.is_some()).await;
    }
}

pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// Nodes are of one thread, as in a page.
pub fn in_one_thread(story: impl Future<Output = ()> + 'static) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(LocalSet::new().run_until(story));
}

#[test]
fn three_who_never_met_agree_and_go_on_without_the_relay() {
    in_one_thread(async {
        let relay = relay().await;
        let network = network(&relay);
        let alice = Party::join(network.clone()).await;
        alice.claim("alice_smith").await.unwrap();
        let bob = Party::join(network.clone()).await;
        let charlie = Party::join(network.clone()).await;
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
        assert!(bob.look_up("nobody").await.holder.is_none());

        relay.stop().await;
        eventually("the relay is missed", async || !alice.has_relay().await).await;
        bob.claim("bob_later").await.unwrap();
        alice.sees("bob_later").await;
        charlie.sees("bob_later").await;
        assert_eq!(alice.network().await.rejections, [], "nobody broke a rule");
    });
}

#[test]
fn two_who_claimed_one_name_apart_learn_who_holds_it() {
    in_one_thread(async {
        let alone = Network::default();
        let (first, second): (Rc<MemoryStore>, Rc<MemoryStore>) = Default::default();
        for store in [&first, &second] {
            let party = Party::join_with(store.clone(), alone.clone()).await;
            party.claim("nova").await.unwrap();
            party.leave().await;
        }
        let relay = relay().await;
        let early = Party::join_with(first, network(&relay)).await;
        let late = Party::join_with(second, network(&relay)).await;
        eventually("the later one is told", async || late.me().await.lost_name.is_some()).await;
        eventually("both see one holder", async || {
            let (mine, theirs) = (early.look_up("nova").await, late.look_up("nova").await);
            mine.holder.as_ref().map(|holder| &holder.did) == theirs.holder.as_ref().map(|holder| &holder.did)
                && mine.losers.len() == 1
                && mine.losers[0].reason == theirs.losers[0].reason
        })
        .await;
        assert_eq!(early.me().await.username.as_deref(), Some("nova"));
        assert!(late.me().await.did.is_some(), "the loser keeps everything else");
    });
}

#[test]
fn a_relay_that_comes_back_is_found_again_and_brings_newcomers() {
    in_one_thread(async {
        let key = NodeKey::fresh();
        let first = relay_of(key.clone(), ANY_PORT, None).await;
        let network = network(&first);
        let listen = network.relays[0].split("/p2p/").next().unwrap().to_owned();
        let alice = Party::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        eventually("connected", async || alice.has_relay().await).await;
        first.stop().await;
        eventually("lost", async || !alice.has_relay().await).await;
        let _second = relay_of(key, &listen, None).await;
        let bob = Party::join(network).await;
        bob.sees("alice").await;
    });
}

/// A relay, its network, Alice who has claimed a name, and the store of Bob who met her and left.
async fn alice_and_what_bob_left() -> (Relay, Network, Party, Rc<MemoryStore>) {
    let relay = relay().await;
    let network = network(&relay);
    let alice = Party::join(network.clone()).await;
    alice.claim("alice").await.unwrap();
    let bob = Party::join(network.clone()).await;
    bob.sees("alice").await;
    (relay, network, alice, bob.leave().await)
}

#[test]
fn peers_of_earlier_are_found_without_any_relay() {
    in_one_thread(async {
        let (relay, network, alice, store) = alice_and_what_bob_left().await;
        relay.stop().await;
        alice.claim("alice_later").await.unwrap();
        let bob = Party::join_with(store, network).await;
        bob.sees("alice_later").await;
        assert!(!bob.has_relay().await);
    });
}

#[test]
fn a_claim_is_confirmed_by_itself_and_everybody_sees_that() {
    in_one_thread(async {
        let (network, _servers) = witnessed(3, 2).await;
        let alice = Party::join(network.clone()).await;
        alice.claim("alice").await.unwrap();
        assert_eq!(alice.me().await.name_status, Some(NameStatus::Provisional), "nobody has seen it yet");
        alice.is_confirmed().await;
        let bob = Party::join(network).await;
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
fn a_claim_made_alone_is_confirmed_once_a_witness_is_met_and_beats_an_earlier_date() {
    in_one_thread(async {
        let (network, _servers) = witnessed(1, 1).await;
        let alone = Network { relays: Vec::new(), ..network.clone() };
        // The earlier date, but no witness: such a date costs nothing.
        let early = Party::join(alone).await;
        early.claim("nova").await.unwrap();
        let late = Party::join(network.clone()).await;
        late.claim("nova").await.unwrap();
        late.is_confirmed().await;
        assert_eq!(early.me().await.name_status, Some(NameStatus::Provisional));
        let early = Party::join_with(early.leave().await, network).await;
        eventually("the unwitnessed claim gives way", async || early.me().await.lost_name.is_some()).await;
        assert_eq!(early.look_up("nova").await.holder.unwrap().did, late.me().await.did.unwrap());
        assert_eq!(late.me().await.username.as_deref(), Some("nova"));
    });
}

#[test]
fn no_receipt_comes_from_somebody_who_is_no_witness_of_the_network() {
    in_one_thread(async {
        let (network, servers) = witnessed(2, 1).await;
        let mut believed = network.clone();
        // This profile's network knows only the second witness, and its relay is gone.
        believed.rules.witnesses = vec![servers[1].1.identity];
        believed.relays.truncate(1);
        let alice = Party::join(believed).await;
        alice.claim("alice").await.unwrap();
        let asked = async |times: usize| {
            let count = format!("witness_receipts_total {times}");
            eventually("the first witness was asked", async || {
                servers[0].0.view().metrics().text().unwrap().contains(&count)
            })
            .await;
        };
        asked(1).await;
        // It asks again after each own change, once it is done with the answer before.
        let changes = ProfileChanges { bio: Some("asks again".to_owned()), ..ProfileChanges::default() };
        alice.node.handle(Command::UpdateProfile { changes }).await.unwrap();
        asked(2).await;
        let me = alice.me().await;
        assert_eq!(me.name_status, Some(NameStatus::Provisional));
        assert_eq!(me.changes, 2, "the claim and the bio; nothing was written for the receipt");
    });
}

#[test]
fn peers_tell_of_peers_that_no_relay_lists() {
    in_one_thread(async {
        let (relay, network, alice, store) = alice_and_what_bob_left().await;
        // Charlie meets Alice, then the relay goes: nobody else tells Bob of Charlie.
        let charlie = Party::join(network.clone()).await;
        charlie.claim("charlie").await.unwrap();
        alice.sees("charlie").await;
        relay.stop().await;
        let bob = Party::join_with(store, network).await;
        bob.has_peers(2).await;
        assert!(!bob.has_relay().await);
        bob.sees("charlie").await;
    });
}
