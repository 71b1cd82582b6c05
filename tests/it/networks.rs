//! The real program founds, joins, keeps and shows networks, and refuses what would end one.

use std::fs;
use std::path::Path;

use gen_registry_node::Network;
use gen_registry_node::net::key::NodeKey;
use gen_registry_server::keys::{SUCCESSION_KEY, WITNESS_KEY, witness_text};
use gen_registry_server::network::NETWORK_FILE;
use tempfile::TempDir;

use crate::relay::program::ANY_PORT;
use crate::support::network::of_server;
use crate::support::server::{Server, dist, printed, refused};

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&ANY_PORT[..], more].concat()
}

/// The network of a server that is started with these flags, and stopped.
fn network_with(page: &TempDir, more: &[&str]) -> Network {
    of_server(&Server::with(page.path(), &with(more)))
}

/// Why a server does not start with these flags.
fn refused_start(page: &TempDir, more: &[&str]) -> String {
    let serve = ["serve", "--http", "127.0.0.1:0", "--dist", page.path().to_str().unwrap()];
    refused(&[&serve[..], &with(more)].concat())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn first_start_founds_a_network_that_the_data_folder_keeps() {
    let (page, data) = (dist(), tempfile::tempdir().unwrap());
    let flags = ["--data", text(data.path()), "--name", "Ours"];
    let network = network_with(&page, &flags);
    let set = network.history().set();
    assert_eq!((set.witnesses.len(), set.threshold, network.name().name.as_str()), (1, 1, "Ours"));
    assert!(!network.history().genesis().parameters.are_for_tests());
    let keys = [WITNESS_KEY.load(data.path()).unwrap().unwrap(), SUCCESSION_KEY.load(data.path()).unwrap().unwrap()];
    assert!(set.has(&keys[0].public()));
    assert_eq!(set.succession, [keys[1].public().digest()]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(SUCCESSION_KEY.path(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Moved away, as the server says; it goes on without the key, and as the same network whatever it is started with.
    fs::remove_file(SUCCESSION_KEY.path(data.path())).unwrap();
    assert_eq!(network_with(&page, &["--data", text(data.path()), "--for-tests"]).topic, network.topic);
    assert_eq!(network_with(&page, &["--data", text(data.path()), "--no-witness"]).topic, network.topic);
    assert!(!SUCCESSION_KEY.path(data.path()).exists(), "no other key takes its place");
    // Another folder is another network, and so is each start without one.
    assert_ne!(network_with(&page, &[]).topic, network_with(&page, &[]).topic);
    assert!(network_with(&page, &["--for-tests"]).history().genesis().parameters.are_for_tests());
}

#[test]
fn server_without_a_witness_founds_nothing() {
    let page = dist();
    let built_in = Network::default();
    for flags in [&["--no-witness"][..], &["--witness=false"], &["--no-p2p"]] {
        let network = network_with(&page, flags);
        assert_eq!(network.topic, built_in.topic, "{flags:?}");
    }
}

#[test]
fn folder_whose_network_was_lost_is_refused_and_left_as_it_is() {
    let (page, data) = (dist(), tempfile::tempdir().unwrap());
    let flags = ["--data", text(data.path())];
    let network = network_with(&page, &flags);
    let file = data.path().join(NETWORK_FILE);
    let whole = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let key = fs::read(WITNESS_KEY.path(data.path())).unwrap();
    let why = refused_start(&page, &flags);
    assert!(why.contains("no network.json") && why.contains("from a copy") && why.contains("--network"), "{why}");
    assert!(!file.exists() && fs::read(WITNESS_KEY.path(data.path())).unwrap() == key, "nothing was changed");
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(refused_start(&page, &flags).contains("is no network"));
    // Another server of the network has it, too.
    fs::remove_file(&file).unwrap();
    let copy = page.path().join("copy.json");
    fs::write(&copy, &whole).unwrap();
    let server = Server::with(page.path(), &with(&["--network", text(&copy)]));
    let url = format!("http://{}/", server.address);
    let brought_back = network_with(&page, &["--data", text(data.path()), "--network", &url]);
    assert_eq!(brought_back.topic, network.topic);
    drop(server);
    assert_eq!(network_with(&page, &flags).topic, network.topic, "kept again, and that server is not needed");
    let gone = ["--data", text(data.path()), "--network", &url];
    assert_eq!(network_with(&page, &gone).topic, network.topic, "nor where it is named");
}

#[test]
fn several_operators_found_one_network() {
    let (page, folder) = (dist(), tempfile::tempdir().unwrap());
    let data: Vec<String> = (0..3).map(|at| text(&folder.path().join(at.to_string())).to_owned()).collect();
    let keys: Vec<String> = data.iter().map(|data| printed(&["network", "key", "--data", data])).collect();
    assert_eq!(printed(&["network", "key", "--data", &data[0]]), keys[0], "the same again");
    let flags: Vec<&str> = keys.iter().flat_map(|printed| printed.lines().next().unwrap().split(' ')).collect();
    let file = folder.path().join("ours.json");
    let found =
        |more: &[&'static str]| [&["network", "found", "--name", "Ours", "--out", text(&file)][..], more].concat();
    let few: Vec<&str> = flags[..10].to_vec();
    assert!(refused(&[&found(&[])[..], &few].concat()).contains("one succession key for each witness"));
    assert!(refused(&[&found(&["--threshold", "1"])[..], &flags].concat()).contains("not more than half"));
    assert!(!file.exists());
    let shown = printed(&[&found(&[])[..], &flags].concat());
    assert!(shown.contains("2 of 3 witnesses") && shown.contains("One of them may be away"), "{shown}");
    assert!(refused(&[&found(&[])[..], &flags].concat()).contains("ours.json"), "no network is overwritten");
    assert_eq!(printed(&["network", "show", text(&file)]), shown);

    let join = |data: &str| Server::with(page.path(), &with(&["--data", data, "--network", text(&file)]));
    let servers: Vec<Server> = data.iter().map(|data| join(data)).collect();
    let topics: Vec<String> = servers.iter().map(|server| of_server(server).topic.into()).collect();
    assert!(topics.iter().all(|topic| *topic == topics[0] && shown.contains(topic)), "{topics:?}");
    let runs = |server: &Server| server.raw("/health").contains(r#""witness":"running""#);
    assert!(servers.iter().all(runs));
    for witness in &of_server(&servers[0]).history().set().witnesses {
        assert!(shown.contains(&witness_text(witness)));
    }
    let url = format!("http://{}", servers[0].address);
    assert!(printed(&["network", "show", &url]).contains(&topics[0]));
    // Whose key is not in the set is a relay of the network only.
    let stranger = Server::with(page.path(), &with(&["--network", &url]));
    assert_eq!((String::from(of_server(&stranger).topic), runs(&stranger)), (topics[0].clone(), false));
    assert_eq!(of_server(&stranger).relays.len(), 2, "its own, and the one that was named");

    let mut named: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let node = format!("/ip4/192.0.2.1/tcp/9191/ws/p2p/{}", NodeKey::fresh().net_peer_id());
    named["openNodes"] = vec![node.clone()].into();
    fs::write(&file, named.to_string()).unwrap();
    let naming = Server::with(page.path(), &with(&["--network", text(&file)]));
    assert_eq!(of_server(&naming).public_nodes, [node], "pages are told of others' nodes, too");
}

#[test]
fn catalogue_of_another_network_is_not_gone_on_with() {
    let (page, data) = (dist(), tempfile::tempdir().unwrap());
    let relay = ["--p2p", "/ip4/127.0.0.1/tcp/0/ws", "--data", text(data.path())];
    let start = |more: &[&str]| Server::with(page.path(), &[&relay[..], more].concat());
    assert!(start(&["--no-witness"]).raw("/health").contains(r#""catalogue":"running""#));
    // With a witness the folder gets a network, and this catalogue was published in the built-in one.
    let serve = ["serve", "--http", "127.0.0.1:0", "--dist", text(page.path())];
    let why = refused(&[&serve[..], &relay].concat());
    assert!(why.contains("catalogue.db is of another network") && why.contains("--no-catalogue"), "{why}");
    fs::remove_file(data.path().join("catalogue.db")).unwrap();
    assert!(start(&[]).raw("/health").contains(r#""catalogue":"running""#));
    assert!(start(&[]).raw("/health").contains(r#""catalogue":"running""#), "and goes on with the one that it began");
}

#[test]
fn data_folder_does_not_change_networks() {
    let (page, data) = (dist(), tempfile::tempdir().unwrap());
    let flags = ["--data", text(data.path())];
    let network = network_with(&page, &flags);
    let other = Server::with(page.path(), &with(&["--name", "Theirs"]));
    let url = format!("http://{}", other.address);
    let why = refused_start(&page, &["--data", text(data.path()), "--network", &url]);
    assert!(why.contains("Theirs") && why.contains(&network.name().label()) && why.contains("--data"), "{why}");
    assert_eq!(network_with(&page, &flags).topic, network.topic);
    assert!(refused_start(&page, &["--network", "/nowhere/network.json"]).contains("could not read the network"));
}
