//! Everything around a package but reputation: each topic as a test of its
//! name, over real nodes and, where they cross the network, the real relay process.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use futures::StreamExt;
use gen_registry_api::*;
use gen_registry_core::digest::Digest;
use gen_registry_core::name::ModuleName;
use gen_registry_core::name_proof;
use gen_registry_node::Network;
use tempfile::TempDir;

use crate::relay::program::ANY_PORT;
use crate::support::modules::{draft, wasm};
use crate::support::network::{numbered, of_server, through};
use crate::support::node::TestNode;
use crate::support::server::{Server, dist};
use crate::support::wait::{eventually, in_one_thread};

/// The real program with its relay and its witness, and the network as it tells it.
struct World {
    _folder: TempDir,
    _server: Server,
    network: Network,
}

fn world() -> World {
    let folder = dist();
    let server = Server::with(folder.path(), &[&ANY_PORT[..], &["--for-tests"]].concat());
    let network = of_server(&server);
    World { _folder: folder, _server: server, network }
}

impl World {
    async fn party(&self) -> Member {
        Member(TestNode::join(self.network.clone()).await)
    }

    /// An author and somebody who is connected to them.
    async fn two(&self) -> (Member, Member) {
        let (alice, bob) = (self.party().await, self.party().await);
        alice.has_peers(1).await;
        bob.has_peers(1).await;
        (alice, bob)
    }
}

/// One who publishes, looks for and installs.
struct Member(TestNode);

impl Deref for Member {
    type Target = TestNode;

    fn deref(&self) -> &TestNode {
        &self.0
    }
}

impl Member {
    async fn modules(&self, command: ModuleCommand) -> Result<Answer, Failure> {
        self.node.handle(Command::Modules { command }).await
    }

    async fn try_publish(&self, name: &str, version: &str, constant: i32) -> Result<Published, Failure> {
        let draft = Box::new(draft(name, version, wasm("f", constant), &[]));
        match self.modules(ModuleCommand::Publish { draft }).await? {
            Answer::Published(published) => Ok(published),
            other => panic!("{other:?}"),
        }
    }

    async fn publish(&self, name: &str, version: &str, constant: i32) -> Published {
        self.try_publish(name, version, constant).await.unwrap()
    }

    async fn page(&self, name: &str) -> Option<ModulePage> {
        match self.modules(ModuleCommand::Page { name: name.to_owned() }).await.unwrap() {
            Answer::Module(page) => page.map(|page| *page),
            other => panic!("{other:?}"),
        }
    }

    async fn versions(&self, name: &str) -> Vec<String> {
        self.page(name)
            .await
            .map_or_else(Vec::new, |page| page.versions.into_iter().map(|entry| entry.summary.version).collect())
    }

    async fn search(&self, query: &str) -> Vec<String> {
        let (filter, sort) = (ModuleFilter::default(), ModuleSort::Relevance);
        let command = ModuleCommand::Search { query: query.to_owned(), filter, sort, limit: 10, cursor: None };
        match self.modules(command).await.unwrap() {
            Answer::Found(found) => found.modules.into_iter().map(|card| card.name).collect(),
            other => panic!("{other:?}"),
        }
    }

    async fn install(&self, name: &str, requirement: &str) -> Vec<InstalledModule> {
        let requirements = vec![Requirement { name: name.to_owned(), requirement: requirement.to_owned() }];
        self.modules(ModuleCommand::Install { requirements, accept: vec![] }).await.unwrap();
        self.installed().await
    }

    async fn installed(&self) -> Vec<InstalledModule> {
        match self.modules(ModuleCommand::ListInstalled).await.unwrap() {
            Answer::Installed(modules) => modules,
            other => panic!("{other:?}"),
        }
    }

    async fn read(&self, name: &str, version: &str) -> Vec<u8> {
        let command = ModuleCommand::Read { name: name.to_owned(), version: version.to_owned() };
        match self.modules(command).await.unwrap() {
            Answer::Bytes(bytes) => bytes,
            other => panic!("{other:?}"),
        }
    }

    async fn peer_names(&self) -> Vec<String> {
        self.network().await.peers.into_iter().map(|peer| peer.id).collect()
    }
}

#[test]
fn node_joins_its_network() {
    in_one_thread(async {
        // Without anybody to find others through it works all the same, and says so.
        let world = world();
        let alone = TestNode::join(through(&world.network, vec![])).await;
        let report = alone.network().await;
        assert_eq!((report.relays.len(), report.peers.len()), (0, 0));
        alone.claim("alice_smith").await.unwrap();
        let name = alone.mesh.local_peer_id();

        let party = TestNode::join_with(alone.leave().await, world.network.clone()).await;
        eventually("its relay is connected", async || party.has_relay().await).await;
        assert_eq!(party.mesh.local_peer_id(), name, "a profile is one node for ever");
        let report = party.network().await;
        assert_eq!(report.topic, String::from(world.network.topic));
        assert_eq!(report.connection, ConnectionState::Waiting);
        assert_eq!(party.me().await.username.as_deref(), Some("alice_smith"));
    });
}

#[test]
fn peers_find_each_other() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        assert_eq!(alice.peer_names().await, [bob.mesh.local_peer_id().to_string()]);
        assert_eq!(bob.peer_names().await, [alice.mesh.local_peer_id().to_string()]);
    });
}

#[test]
fn published_release_is_announced_to_peers() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        let heard = Rc::<RefCell<Vec<String>>>::default();
        let hears = heard.clone();
        bob.node.subscribe(Rc::new(move |event: &Event| {
            if let Event::ModulesChanged { names } = event {
                hears.borrow_mut().extend(names.clone());
            }
        }));
        alice.claim("alice_smith").await.unwrap();
        let published = alice.publish("crc-32", "1.0.0", 1).await;
        assert_eq!(published.peers, 1, "there was somebody to tell");
        eventually("he is told of it", async || heard.borrow().iter().any(|name| name == "crc-32")).await;
        eventually("he has it", async || !bob.versions("crc-32").await.is_empty()).await;
        let page = bob.page("crc-32").await.unwrap();
        assert_eq!(
            (page.latest.as_deref(), page.versions[0].summary.release.as_str()),
            (Some("1.0.0"), published.release.as_str())
        );
    });
}

#[test]
fn search_finds_published_modules() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        alice.claim("alice_smith").await.unwrap();
        alice.publish("crc-32", "1.0.0", 1).await;
        alice.publish("base-64", "1.0.0", 2).await;
        for query in ["crc", "check sum"] {
            eventually(query, async || bob.search(query).await.contains(&"crc-32".to_owned())).await;
        }
        assert!(!bob.search("crc-32").await.contains(&"base-64".to_owned()));
        assert_eq!(bob.search("nothing of this kind").await, Vec::<String>::new());
        // What is known here is found here, whoever is gone.
        alice.0.leave().await;
        drop(world);
        assert!(bob.search("check sum").await.contains(&"crc-32".to_owned()));
    });
}

#[test]
fn installed_module_has_the_published_bytes() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        alice.claim("alice_smith").await.unwrap();
        let published = alice.publish("crc-32", "1.0.0", 7).await;
        eventually("he knows it", async || !bob.versions("crc-32").await.is_empty()).await;
        assert!(!bob.page("crc-32").await.unwrap().versions[0].here, "known, but not here");
        let installed = bob.install("crc-32", "^1").await;
        assert_eq!((installed.len(), installed[0].summary.sha256.as_str()), (1, published.sha256.as_str()));
        let bytes = bob.read("crc-32", "1.0.0").await;
        assert_eq!(bytes, wasm("f", 7));
        assert_eq!(Digest::of(&bytes).to_string(), published.sha256);
        // From him somebody else gets it when its author is gone.
        alice.0.leave().await;
        let carol = world.party().await;
        eventually("she knows it", async || !carol.versions("crc-32").await.is_empty()).await;
        assert_eq!(carol.install("crc-32", "^1").await.len(), 1);
    });
}

#[test]
fn module_is_found_at_several_peers() {
    in_one_thread(async {
        let world = world();
        let mut parties = Vec::new();
        for number in 0..5 {
            let party = world.party().await;
            party.claim(&format!("author_{}", ["one", "two", "three", "four", "five"][number])).await.unwrap();
            party.publish(&format!("module-{}", ["one", "two", "three", "four", "five"][number]), "1.0.0", 1).await;
            parties.push(party);
        }
        for party in &parties {
            party.has_peers(4).await;
            let mut names = party.peer_names().await;
            names.push(party.mesh.local_peer_id().to_string());
            names.sort();
            names.dedup();
            assert_eq!(names.len(), 5, "each of the others once");
            eventually("it knows what all of them have", async || party.search("check sum").await.len() == 5).await;
        }
    });
}

#[test]
fn published_version_is_never_replaced() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        alice.claim("alice_smith").await.unwrap();
        let first = alice.publish("crc-32", "1.0.0", 1).await;
        // Neither the same again nor something else under the same version; nor somebody else under the same name.
        for constant in [1, 2] {
            let refused = alice.try_publish("crc-32", "1.0.0", constant).await.unwrap_err();
            assert_eq!(refused.code, FailureCode::VersionTaken);
        }
        eventually("he knows it", async || !bob.versions("crc-32").await.is_empty()).await;
        let refused = bob.try_publish("CRC_32", "2.0.0", 3).await.unwrap_err();
        assert_eq!(refused.code, FailureCode::NotYourModule);
        for party in [&alice, &bob] {
            let page = party.page("crc-32").await.unwrap();
            assert_eq!((page.versions.len(), page.refused.len()), (1, 0));
            assert_eq!(page.versions[0].summary.release, first.release);
        }
    });
}

#[test]
fn module_is_found_through_kademlia() {
    in_one_thread(async {
        let world = world();
        let alice = world.party().await;
        alice.claim("alice_smith").await.unwrap();
        let published = alice.publish("crc-32", "1.0.0", 1).await;
        let name = (NameKind::Module, "crc-32".parse::<ModuleName>().unwrap().folded());
        let key = name_proof::key(&world.network.topic, &name);
        let bob = world.party().await;
        eventually("his relay is connected", async || bob.has_relay().await).await;
        let network = &world.network;
        let latest = async || {
            let found = bob.mesh.find_values(*key.as_bytes()).collect::<Vec<_>>().await;
            let records = found.iter().map(|value| name_proof::verify(&key, &value.bytes, network.history()));
            let records: Vec<_> = records.collect::<Result<_, _>>().expect("only what proves itself is served");
            records
                .first()
                .and_then(|record| record.release.as_ref())
                .map(|counted| counted.release.version.to_string())
        };
        eventually("put and got", async || latest().await.as_deref() == Some("1.0.0")).await;
        let artifact: Digest = published.sha256.parse().unwrap();
        let author = alice.mesh.local_peer_id();
        let provided = async || bob.mesh.providers(*artifact.as_bytes()).await.contains(&author);
        eventually("it is known who has its file", provided).await;

        // Something better replaces it; junk does not.
        alice.publish("crc-32", "1.1.0", 2).await;
        eventually("the newer one is got", async || latest().await.as_deref() == Some("1.1.0")).await;
        bob.mesh.put_record(*key.as_bytes(), b"junk".to_vec());
        let refused = "\ngen_relay_kademlia_values_refused_unreadable_total 1\n";
        eventually("it was refused", async || world._server.counters().contains(refused)).await;
        assert_eq!(latest().await.as_deref(), Some("1.1.0"));
        let nothing = Digest::of(b"nobody has this");
        assert!(bob.mesh.find_values(*nothing.as_bytes()).collect::<Vec<_>>().await.is_empty());
        assert!(bob.mesh.providers(*nothing.as_bytes()).await.is_empty());
    });
}

#[test]
fn followers_get_notices() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        // The same relay, another network.
        let elsewhere = through(&numbered(9), world.network.relays.clone());
        let stranger = Member(TestNode::join(elsewhere.clone()).await);
        let neighbour = Member(TestNode::join(elsewhere).await);
        stranger.has_peers(1).await;
        alice.claim("alice_smith").await.unwrap();
        alice.publish("crc-32", "1.0.0", 1).await;
        eventually("who follows the topic hears of it", async || !bob.versions("crc-32").await.is_empty()).await;
        assert_eq!(stranger.peer_names().await, [neighbour.mesh.local_peer_id().to_string()]);
        assert!(stranger.page("crc-32").await.is_none());
        neighbour.claim("alice_smith").await.unwrap();
        stranger.sees("alice_smith").await;
        let (here, there) = (bob.look_up("alice_smith").await, stranger.look_up("alice_smith").await);
        assert_ne!(here.holder.unwrap().person.did, there.holder.unwrap().person.did, "two networks, two holders");
    });
}

#[test]
fn new_version_is_offered_as_an_update() {
    in_one_thread(async {
        let world = world();
        let (alice, bob) = world.two().await;
        alice.claim("alice_smith").await.unwrap();
        alice.publish("crc-32", "1.0.0", 1).await;
        eventually("he knows it", async || !bob.versions("crc-32").await.is_empty()).await;
        bob.install("crc-32", "^1").await;
        for (version, constant) in [("1.1.0", 2), ("2.0.0", 3), ("2.1.0-beta", 4)] {
            alice.publish("crc-32", version, constant).await;
        }
        let versions = ["2.1.0-beta", "2.0.0", "1.1.0", "1.0.0"];
        eventually("he knows all of them", async || bob.versions("crc-32").await == versions).await;
        let page = bob.page("crc-32").await.unwrap();
        assert_eq!(page.latest.as_deref(), Some("2.0.0"), "a beta is nobody's newest");
        assert_eq!(
            page.installed.as_ref().map(|installed| installed.summary.version.as_str()),
            Some("1.0.0"),
            "nothing is updated by itself"
        );
        assert!(page.installed.unwrap().update.is_some(), "but he is told");
        assert_eq!(bob.install("crc-32", "^1").await[0].summary.version, "1.1.0", "the newest that will do");
        assert_eq!(bob.read("crc-32", "1.1.0").await, wasm("f", 2));
        let reason = Some("wrong for long texts".to_owned());
        let yank = ModuleCommand::Yank { name: "crc-32".to_owned(), version: "2.0.0".to_owned(), reason };
        alice.modules(yank).await.unwrap();
        let latest = async || bob.page("crc-32").await.and_then(|page| page.latest);
        eventually("a withdrawn one is nobody's newest either", async || latest().await.as_deref() == Some("1.1.0"))
            .await;
    });
}
