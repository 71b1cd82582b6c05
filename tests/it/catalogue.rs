//! The starter catalogue: its modules are sound and compute what they say, and a node of the server brings them to
//! whoever comes, by the normal ways.

mod machine;
mod results;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gen_registry_api::*;
use gen_registry_core::modules::version::{parse_requirement, parse_version};
use gen_registry_core::validation::validate;
use gen_registry_node::net::relay::{Multiaddr, Relay};
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::store::{Store, Table};
use gen_registry_server::catalogue::catalogue;
use gen_registry_server::catalogue_node::{CatalogueNode, CatalogueNodeOptions, STORE_FILE, USERNAME, next_free};

use crate::support::node::TestNode;
use crate::support::relay::{network, relay};
use crate::support::server::{Server, dist, network_of, program};
use crate::support::wait::{eventually, in_one_thread};

#[test]
fn every_module_is_valid_and_imports_only_from_what_it_declares() {
    let mut versions = BTreeMap::new();
    let mut dependent = 0;
    for draft in catalogue().unwrap() {
        let report = validate(&draft.wasm);
        assert!(report.is_valid(), "{}: {:?}", draft.name, report.problem());
        assert!(draft.wasm.len() < 4096, "{} has {} bytes", draft.name, draft.wasm.len());
        let needed: BTreeSet<&str> = draft.dependencies.iter().map(|needed| &*needed.name).collect();
        let asked: BTreeSet<&str> = report.imports.iter().filter_map(|import| import.module.as_deref()).collect();
        assert_eq!(asked, needed, "{}", draft.name);
        dependent += usize::from(!needed.is_empty());
        for Requirement { name, requirement } in &draft.dependencies {
            let version = versions.get(name).unwrap_or_else(|| panic!("{} comes before {name}", draft.name));
            assert!(parse_requirement(requirement).unwrap().matches(version), "{name} {requirement}");
        }
        let details = draft.details;
        for text in [details.title, details.description, details.license, details.readme] {
            assert!(text.is_some_and(|text| !text.trim().is_empty()), "{} says what it is", draft.name);
        }
        assert!(details.tags.is_some_and(|tags| !tags.is_empty()));
        assert!(
            versions.insert(draft.name, parse_version(&draft.version).unwrap()).is_none(),
            "each stands there once"
        );
    }
    assert!(versions.len() >= 12 && dependent >= 3, "{} modules, {dependent} need others", versions.len());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server/catalogue");
    let files = fs::read_dir(folder)
        .unwrap()
        .filter_map(|file| Some(file.unwrap().file_name().to_str()?.strip_suffix(".wat")?.to_owned()));
    assert_eq!(files.collect::<BTreeSet<_>>(), versions.into_keys().collect(), "each file is published");
}

fn options(relay: &Relay, data: Option<&Path>, catalogue: Vec<PublishDraft>) -> CatalogueNodeOptions {
    let listen = "/ip4/127.0.0.1/tcp/0/ws".parse().unwrap();
    CatalogueNodeOptions { data: data.map(Path::to_owned), network: network(relay), listen, public: vec![], catalogue }
}

impl TestNode {
    async fn modules(&self) -> usize {
        let command = ModuleCommand::List {
            filter: ModuleFilter::default(),
            sort: ModuleSort::default(),
            limit: 200,
            cursor: None,
        };
        match self.node.handle(Command::Modules { command }).await.unwrap() {
            Answer::Modules(page) => page.modules.len(),
            other => panic!("{other:?}"),
        }
    }

    async fn versions(&self, name: &str) -> Vec<String> {
        let page = self.module(name).await;
        page.map(|page| page.versions.into_iter().map(|entry| entry.summary.version).collect()).unwrap_or_default()
    }
}

/// All entries that the catalogue node ever wrote: it is the only author in these stories.
async fn entries_in(data: &Path) -> usize {
    let store = SqliteStore::open(&data.join(STORE_FILE)).unwrap();
    let mut entries = 0;
    for table in [Table::Facts, Table::Changes] {
        entries += store.scan(table, "", None, 10_000).await.unwrap().len();
    }
    entries
}

#[test]
fn fresh_node_gets_the_catalogue_by_replication() {
    in_one_thread(async {
        let relay = relay().await;
        let expected = catalogue().unwrap();
        let catalogue_node = CatalogueNode::start(options(&relay, None, expected.clone())).await.unwrap();
        let alice = TestNode::join(network(&relay)).await;
        alice.sees(USERNAME).await;
        eventually("the whole catalogue", async || alice.modules().await == expected.len()).await;
        let requirements = vec![Requirement { name: "data-url".to_owned(), requirement: "^1".to_owned() }];
        let command = ModuleCommand::Install { requirements, accept: vec![] };
        let installed = match alice.node.handle(Command::Modules { command }).await.unwrap() {
            Answer::Installed(modules) => modules.into_iter().map(|module| module.name).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        assert_eq!(installed, ["base64", "data-url"]);
        let command = ModuleCommand::Read { name: "base64".to_owned(), version: "1.0.0".to_owned() };
        match alice.node.handle(Command::Modules { command }).await.unwrap() {
            Answer::Bytes(bytes) => {
                assert_eq!(bytes, expected.iter().find(|draft| draft.name == "base64").unwrap().wasm);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(alice.network().await.rejections, [], "nobody broke a rule");
        catalogue_node.stop().await;
        eventually("it is gone", async || alice.network().await.peers.is_empty()).await;
        // Others have it now: from Alice, who is nobody special.
        let bob = TestNode::join(network(&relay)).await;
        eventually("Bob has it, too", async || bob.modules().await == expected.len()).await;
    });
}

#[test]
fn restart_publishes_only_new_versions() {
    in_one_thread(async {
        let (relay, folder) = (relay().await, tempfile::tempdir().unwrap());
        let data = Some(folder.path());
        let alice = TestNode::join(network(&relay)).await;
        let first = catalogue().unwrap();
        let catalogue_node = CatalogueNode::start(options(&relay, data, first.clone())).await.unwrap();
        eventually("it comes", async || alice.modules().await == first.len()).await;
        let page = alice.module("crc32").await.unwrap();
        catalogue_node.stop().await;
        eventually("it is gone", async || alice.network().await.peers.is_empty()).await;
        let before = entries_in(folder.path()).await;
        assert!(before > first.len(), "{before} entries");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(STORE_FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "its key is in there");
        }

        let catalogue_node = CatalogueNode::start(options(&relay, data, first.clone())).await.unwrap();
        alice.has_peers(1).await;
        catalogue_node.stop().await;
        assert_eq!(entries_in(folder.path()).await, before, "nothing was written");
        eventually("it is gone again", async || alice.network().await.peers.is_empty()).await;

        // The source moves on: one module has a new version.
        let mut second = first.clone();
        let crc32 = second.iter_mut().find(|draft| draft.name == "crc32").unwrap();
        crc32.version = "1.1.0".to_owned();
        for _ in 0..2 {
            let catalogue_node = CatalogueNode::start(options(&relay, data, second.clone())).await.unwrap();
            eventually("the new version", async || alice.versions("crc32").await == ["1.1.0", "1.0.0"]).await;
            catalogue_node.stop().await;
            assert_eq!(entries_in(folder.path()).await, before + 1, "one entry, for the one new version");
            eventually("it is gone once more", async || alice.network().await.peers.is_empty()).await;
        }
        assert_eq!(alice.module("crc32").await.unwrap().holder, page.holder, "one identity all the time");
        assert_eq!(alice.modules().await, first.len());
    });
}

#[test]
fn modules_under_taken_names_are_left_out_with_their_dependents() {
    in_one_thread(async {
        let (relay, folder) = (relay().await, tempfile::tempdir().unwrap());
        let data = Some(folder.path());
        let alice = TestNode::join(network(&relay)).await;
        let all = catalogue().unwrap();
        let base64 = all.iter().find(|draft| draft.name == "base64").unwrap().clone();
        let draft = PublishDraft { version: "7.0.0".to_owned(), ..base64 };
        let command = ModuleCommand::Publish { draft: Box::new(draft) };
        alice.node.handle(Command::Modules { command }).await.unwrap();
        // It hears of her module before it has anything to publish.
        let catalogue_node = CatalogueNode::start(options(&relay, data, vec![])).await.unwrap();
        alice.sees(USERNAME).await;
        alice.has_peers(1).await;
        eventually("both have the same", async || alice.network().await.peers.iter().all(|peer| !peer.syncing)).await;
        catalogue_node.stop().await;
        let catalogue_node = CatalogueNode::start(options(&relay, data, all.clone())).await.unwrap();
        eventually("the rest comes", async || alice.modules().await == all.len() - 2).await;
        assert_eq!(alice.versions("base64").await, ["7.0.0"]);
        for absent in ["data-url", "basic-auth"] {
            assert!(alice.module(absent).await.is_none(), "{absent} would need a stranger's module");
        }
        catalogue_node.stop().await;
    });
}

#[test]
fn the_next_free_port_is_taken() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let relay: Multiaddr = format!("/ip4/127.0.0.1/tcp/{}/ws", port - 1).parse().unwrap();
    let next = next_free(&relay).to_string();
    let found: u16 = next.split('/').nth(4).unwrap().parse().unwrap();
    assert!(found > port && found <= port + 15 && next.ends_with("/ws"), "{next}");
    let any: Multiaddr = "/ip4/127.0.0.1/tcp/0/ws".parse().unwrap();
    assert_eq!(next_free(&any), any);
}

#[test]
fn network_parameters_name_the_catalogue_node() {
    let folder = dist();
    let any = "/ip4/127.0.0.1/tcp/0/ws";
    let server = Server::with(folder.path(), &["--p2p", any, "--for-tests"]);
    let network = network_of(&server);
    let [node] = &network["openNodes"].as_array().unwrap()[..] else { panic!("{network}") };
    let node = node.as_str().unwrap();
    assert!(!network["relays"].as_array().unwrap().contains(&node.into()), "it is no relay");
    assert!(server.raw("/").contains("connect-src 'self' wss: ws:"), "a page may connect to it");
    assert!(server.raw("/health").contains(r#""catalogue":"running""#));

    // Of two with one address the second says so and ends.
    let address = node.split("/p2p/").next().unwrap();
    let arguments = ["serve", "--http", "127.0.0.1:0", "--dist", folder.path().to_str().unwrap(), "--p2p", any];
    let output = program(&[&arguments[..], &["--p2p-catalogue", address]].concat()).output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(&format!("{address} is taken")) && error.contains("--p2p-catalogue"), "{error}");

    // Behind TLS pages are told another address, and only that.
    let public = "/dns4/example.org/tcp/8443/wss";
    let server = Server::with(folder.path(), &["--p2p", any, "--for-tests", "--p2p-catalogue-public", public]);
    let told = network_of(&server)["openNodes"].clone();
    assert_eq!(told.as_array().unwrap().len(), 1, "{told}");
    assert!(told[0].as_str().unwrap().starts_with(&format!("{public}/p2p/")), "{told}");
    assert!(server.raw("/").contains("connect-src 'self' wss:"));

    for without in [&["--p2p", any, "--no-catalogue"][..], &["--no-p2p"]] {
        let server = Server::with(folder.path(), without);
        assert!(network_of(&server)["openNodes"].is_null(), "{without:?}");
        assert!(server.raw("/health").contains(r#""catalogue":"off""#));
    }
}
