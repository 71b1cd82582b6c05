//! The story of a lost disk over real processes: one of three witnesses is gone, the other two hand over, and a new set
//! goes on with every name. What the old keys sign from then on is worth nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use futures::FutureExt;
use gen_registry_api::*;
use gen_registry_core::actors::Device;
use gen_registry_core::book::handover::{Gathered, Handover};
use gen_registry_core::log::Entry;
use gen_registry_core::network::NetworkHistory;
use gen_registry_core::outcome::Counts;
use gen_registry_core::receipt::Receipt;
use gen_registry_core::registry::Registry;
use gen_registry_core::sync::asking::wire::{self, Code, Learn, NotServed, Request};
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_node::Network;
use gen_registry_node::network::NetworkParameters;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_server::network::NetworkSource;
use libp2p::Multiaddr;

use super::operators::{Operators, flags, text};
use crate::support::asker::Asker;
use crate::support::modules::{draft, wasm};
use crate::support::network::{of_server, through};
use crate::support::node::TestNode;
use crate::support::people::{self, LONG_AGO};
use crate::support::server::{Server, network_of, printed, refused};
use crate::support::wait::{eventually, in_one_thread};

impl TestNode {
    /// Whether this name is held by somebody, and confirmed.
    async fn has_confirmed(&self, name: &str) -> bool {
        let holder = self.look_up(name).await.holder;
        holder.is_some_and(|holder| holder.status == NameStatus::Confirmed)
    }

    /// Waits until all of these names are confirmed here, and the release of the module.
    async fn has_everything(&self, names: &[&str]) {
        for name in names {
            eventually(&format!("{name} is confirmed"), async || self.has_confirmed(name).await).await;
        }
        eventually("the release is confirmed", async || {
            let page = self.module("crc-32").await;
            page.is_some_and(|page| page.versions.iter().any(|one| one.status == NameStatus::Confirmed))
        })
        .await;
    }

    /// Waits until the change of the witnesses is followed.
    async fn follows_the_change(&self) {
        eventually("the change is followed", async || self.network().await.changes.len() == 1).await;
    }
}

fn relay_of(server: &Server) -> Multiaddr {
    network_of(server)["relays"][0].as_str().unwrap().parse().unwrap()
}

fn relays_of(servers: &[Server]) -> Vec<String> {
    servers.iter().map(|server| relay_of(server).to_string()).collect()
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for file in fs::read_dir(from).unwrap().map(|file| file.unwrap().path()) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

/// Waits until a witness refuses rivals of all these with the receipts of two witnesses. The rivals show no work, so it
/// signs none of them either way.
async fn knows_everything(server: &Server, network: &Network, names: &[&str]) {
    let mut mallory = Device::of(network.topic, "mallory");
    let mut rivals: Vec<Entry> = names.iter().map(|name| people::claim(&mut mallory, name, LONG_AGO)).collect();
    let module = mallory.claim_module("crc-32");
    let release = mallory.release("crc-32", "1.0.0", module.id());
    rivals.extend([module, release]);
    for rival in rivals {
        // Each asks a few times only, and so it is not turned away.
        let mut asker = Asker::at(&relay_of(server)).await;
        let mut receipts = 0;
        for _ in 0..50 {
            receipts = match asker.ask(&mallory, &rival).await {
                wire::Answer::Taken(pieces) => pieces.iter().filter(|one| matches!(one, Piece::Receipt(_))).count(),
                wire::Answer::Refused(_) => 0,
                other => panic!("{other:?}"),
            };
            if receipts >= 2 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(receipts >= 2, "the witness was not told of {:?}", rival.header().seq);
    }
}

/// What the two operators type whose witnesses are left. Returns the file of the network with its new set.
fn change_witnesses(operators: &Operators, network: &Path) -> PathBuf {
    let handovers = [operators.stopped("old-0"), operators.stopped("old-1")];
    let keys = operators.keys("new");
    let (change, signed) = (operators.file("change.json"), operators.file("signed.json"));
    let signing = |command: &'static str, key: &Path, out: &Path| -> Vec<String> {
        let mut arguments = vec!["network", command, "--network", text(network)];
        arguments.extend(handovers.iter().flat_map(|file| ["--handover", text(file)]));
        arguments.extend(["--succession-key", text(key), "--out", text(out)]);
        arguments.into_iter().map(str::to_owned).collect()
    };
    let first = signing("change", &operators.succession_key("old-0"), &change);
    let first: Vec<&str> = first.iter().map(String::as_str).chain(flags(&keys)).collect();
    let said = printed(&first);
    // Five names and the module's claim and release.
    assert!(said.contains("Closes      7 facts") && said.contains("1 of the 2 that are needed"), "{said}");
    let changed = operators.file("changed.json");
    let apply = |change: &'static str| -> Vec<String> {
        let (change, network, out) = (operators.file(change), text(network), text(&changed));
        ["network", "apply", text(&change), "--network", network, "--out", out].map(str::to_owned).to_vec()
    };
    let early = apply("change.json");
    let why = refused(&early.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(why.contains("1 of the 2 signatures that a change needs is missing"), "{why}");
    let second = signing("sign", &operators.succession_key("old-1"), &signed);
    let second: Vec<&str> = second.iter().map(String::as_str).chain([text(&change)]).collect();
    assert!(printed(&second).contains("2 of the 2 that are needed"));
    let last = apply("signed.json");
    assert!(printed(&last.iter().map(String::as_str).collect::<Vec<_>>()).contains("Change      1 "));
    changed
}

/// A claim that both servers sign, and their receipts.
async fn signed_by(servers: &[Server], network: &Network, who: &str, name: &str) -> (Device, Entry, Vec<Receipt>) {
    let mut device = Device::of(network.topic, who);
    let claim = people::claim_with_work(&mut device, name, LONG_AGO, network);
    let mut receipts = Vec::new();
    for server in servers {
        let answer = Asker::at(&relay_of(server)).await.ask(&device, &claim).await;
        let wire::Answer::Signed(bytes) = answer else { panic!("not signed: {answer:?}") };
        receipts.push(Receipt::decode(&network.topic, &bytes).unwrap());
    }
    (device, claim, receipts)
}

/// Everybody's names in this story.
const NAMES: [&str; 5] = ["rose", "lily", "iris", "dahlia", "fern"];

struct Story {
    operators: Operators,
    /// The network's file as it was founded.
    file: PathBuf,
    /// The network before the change.
    ours: Network,
}

impl Story {
    fn new() -> Self {
        let operators = Operators::new();
        let file = operators.found();
        let ours = NetworkSource::File(file.clone()).read().unwrap();
        Self { operators, file, ours }
    }

    /// Names and a release are confirmed, the third disk is lost, and the other two go on. Returns what Alice and Dora
    /// have stored; nobody else comes back.
    async fn before(&self) -> [Rc<MemoryStore>; 2] {
        let mut servers = self.operators.serve_set("old", &self.file, &[]);
        let network = through(&self.ours, relays_of(&servers));
        let (alice, bob) = (TestNode::join(network.clone()).await, TestNode::join(network.clone()).await);
        let (carol, dora) = (TestNode::join(network.clone()).await, TestNode::join(network).await);
        for (node, name) in [(&alice, "rose"), (&bob, "lily"), (&carol, "iris")] {
            node.claim(name).await.unwrap();
            node.is_confirmed().await;
        }
        alice.publish(draft("crc-32", "1.0.0", wasm("f", 1), &[])).await;
        dora.has_everything(&NAMES[..3]).await;
        for server in &servers[..2] {
            knows_everything(server, &self.ours, &NAMES[..3]).await;
        }
        // Key and all.
        drop(servers.pop());
        fs::remove_dir_all(self.operators.data("old-2")).unwrap();
        bob.node.handle(Command::Rename { name: "dahlia".to_owned() }).await.unwrap();
        bob.is_confirmed().await;
        dora.claim("fern").await.unwrap();
        dora.is_confirmed().await;
        dora.has_everything(&NAMES).await;
        bob.leave().await;
        carol.leave().await;
        [alice.leave().await, dora.leave().await]
    }

    /// A stopped witness signs nothing, though its server knows of no change.
    async fn stopped_witness_signs_nothing(&self) {
        let stopped = self.operators.serve("old-0", &self.file, &[]);
        let mut mallory = Device::of(self.ours.topic, "mallory");
        let aster = people::claim_with_work(&mut mallory, "aster", LONG_AGO, &self.ours);
        let answer = Asker::at(&relay_of(&stopped)).await.ask(&mallory, &aster).await;
        let wire::Answer::Refused(why) = answer else { panic!("{answer:?}") };
        assert_eq!(why.code, Code::Closed);
    }

    /// Alice's page asks its server, Dora's learns of the change from Alice's, and Erin's was never here before.
    async fn after(&self, new: &[Server], [alice, dora]: [Rc<MemoryStore>; 2]) -> [TestNode; 3] {
        let before = through(&self.ours, relays_of(new));
        let alice = TestNode::join_with(alice, before.clone()).await;
        let served: NetworkParameters = serde_json::from_value(network_of(&new[0])).unwrap();
        alice.node.refresh_endpoints(Some(served)).await;
        alice.follows_the_change().await;
        alice.has_everything(&NAMES).await;
        alice.is_confirmed().await;
        // What it found is stored: without a way to anybody it is the same.
        let alone = Network::new(of_server(&new[0]).history().clone());
        let alice = TestNode::join_with(alice.leave().await, alone).await;
        alice.has_everything(&NAMES).await;
        let alice = TestNode::join_with(alice.leave().await, before.clone()).await;
        let dora = TestNode::join_with(dora, before.clone()).await;
        dora.follows_the_change().await;
        dora.has_everything(&NAMES).await;
        dora.is_confirmed().await;
        let erin = TestNode::join(through(&of_server(&new[0]), before.relays)).await;
        erin.has_everything(&NAMES).await;
        assert_eq!(erin.claim("rose").await.unwrap_err().code, FailureCode::NameTaken);
        erin.claim("poppy").await.unwrap();
        erin.is_confirmed().await;
        eventually("others see it", async || dora.has_confirmed("poppy").await).await;
        [alice, dora, erin]
    }

    /// A thief starts both witnesses with what was stolen before they stopped. Who knows nothing of the change believes
    /// them; returns what is stored there.
    async fn stolen(&self, new: &[Server]) -> Rc<MemoryStore> {
        let stolen = ["stolen-0", "stolen-1"].map(|witness| self.operators.serve(witness, &self.file, &[]));
        let thief = TestNode::join(through(&self.ours, relays_of(&stolen))).await;
        thief.claim("poppy").await.unwrap();
        thief.is_confirmed().await;
        let (device, claim, receipts) = signed_by(&stolen, &self.ours, "mallory", "tulip").await;
        let counts = |history: &NetworkHistory| {
            let mut registry = Registry::new(history.clone());
            registry.admit_alone(&device.opening, &claim, receipts.clone(), vec![]).unwrap();
            let fact = registry.facts().get(&claim.id()).cloned().expect("the log has it");
            registry.counts(&fact)
        };
        assert!(counts(self.ours.history()), "two signed, so it would count");
        assert!(!counts(of_server(&new[0]).history()), "with the change it does not, whatever its date");
        // No witness of the new set takes it for signed.
        let learn = Learn {
            topic: self.ours.topic,
            opening: device.opening.encode(),
            entry: claim.encode(),
            receipts: receipts.iter().map(Receipt::encode).collect(),
        };
        let answer = Asker::at(&relay_of(&new[0])).await.send(&Request::Learn(learn).encode()).await.unwrap();
        assert_eq!(wire::Answer::decode(&answer), Ok(wire::Answer::NotServed(NotServed::Unproven)));
        thief.leave().await
    }
}

#[test]
fn names_stand_after_a_disk_was_lost_and_retired_keys_are_worth_nothing() {
    in_one_thread(async {
        let story = Story::new();
        let operators = &story.operators;
        let stored = story.before().boxed_local().await;
        for at in 0..2 {
            copy_folder(&operators.data(&format!("old-{at}")), &operators.data(&format!("stolen-{at}")));
        }
        let changed = change_witnesses(operators, &story.file);
        story.stopped_witness_signs_nothing().boxed_local().await;

        let handovers = [operators.file("old-0.handover"), operators.file("old-1.handover")];
        let begin: Vec<&str> = handovers.iter().flat_map(|file| ["--handover", text(file)]).collect();
        let new = operators.serve_set("new", &changed, &begin);
        // The old server goes on as a relay, and tells whoever asks of the change.
        let retired = operators.serve("old-0", &changed, &[]);
        assert_eq!(of_server(&retired).history(), of_server(&new[0]).history());
        assert_eq!(of_server(&retired).history().number(), 1);
        assert!(retired.raw("/health").contains(r#""witness":"off""#));
        let nodes = story.after(&new, stored).boxed_local().await;

        // The thief's page comes to the others with its receipts, and loses the name.
        let thief = story.stolen(&new).boxed_local().await;
        let thief = TestNode::join_with(thief, through(&story.ours, relays_of(&new))).boxed_local().await;
        thief.follows_the_change().boxed_local().await;
        let erins = nodes[2].did().boxed_local().await;
        for node in nodes.iter().chain([&thief]) {
            eventually("all agree", async || {
                let holder = node.look_up("poppy").await.holder;
                holder.is_some_and(|holder| holder.person.did == erins && holder.status == NameStatus::Confirmed)
            })
            .boxed_local()
            .await;
        }
        assert_ne!(thief.me().boxed_local().await.name_status, Some(NameStatus::Confirmed));
        // With the change, a stolen folder runs no witness at all.
        let stolen = operators.serve("stolen-1", &changed, &[]);
        assert!(stolen.raw("/health").contains(r#""witness":"off""#));
    });
}

/// The witnesses do not reach each other: who claims shows each of them what the others signed. So any disk may be lost.
#[test]
fn each_witness_that_signed_can_show_alone_that_a_name_is_confirmed() {
    in_one_thread(async {
        let operators = Operators::new();
        let file = operators.found();
        let ours = NetworkSource::File(file.clone()).read().unwrap();
        let servers = ["old-0", "old-1", "old-2"].map(|witness| operators.serve(witness, &file, &[]));
        let network = through(&ours, relays_of(&servers));
        let mut names = 0;
        for who in ["alice", "bob"] {
            let node = TestNode::join(network.clone()).boxed_local().await;
            // Then a command is answered when the witnesses have been asked, and shown what the others signed.
            eventually("all relays are connected", async || {
                node.network().await.relays.iter().filter(|relay| relay.connected).count() == 3
            })
            .boxed_local()
            .await;
            for name in ["one", "two", "three", "four"] {
                let name = format!("{who}_{name}");
                let changes = ProfileChanges::default();
                let command = match node.me().boxed_local().await.username {
                    None => Command::RegisterUsername { name: name.clone(), changes },
                    Some(_) => Command::Rename { name: name.clone() },
                };
                node.node.handle(command).boxed_local().await.unwrap();
                eventually(&name, async || node.has_confirmed(&name).await).boxed_local().await;
                names += 1;
            }
            node.leave().boxed_local().await;
        }
        drop(servers);
        // The last disk is lost. Some names were signed by it and one other witness.
        fs::remove_dir_all(operators.data("old-2")).unwrap();
        let handovers = [operators.stopped("old-0"), operators.stopped("old-1")];
        let mut gathered = Gathered::new(ours.history().clone());
        let mut own = 0;
        for file in &handovers {
            let bytes = fs::read(file).unwrap();
            own += Handover::decode(&bytes).unwrap().facts.len();
            gathered.add(&bytes).unwrap();
        }
        assert_eq!(gathered.close().unwrap().confirmed.root().1, names, "of {own} facts in the files");
    });
}
