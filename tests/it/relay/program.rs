//! What stands before the swarm: addresses, the key, and the relay as the real program.

use std::fs;

use gen_registry_node::net::relay::{
    address::websocket_origin,
    key::{KEY_FILE, KeyError, NodeKey},
    limits::RelayLimits,
};
use libp2p::Multiaddr;

use crate::support::relay::relay_with;
use crate::support::relay_client::{Client, eventually, peer_of};
use crate::support::server::{Server, dist, network_of, program};

#[test]
fn only_browser_addresses_become_origins() {
    for (address, origin) in [
        ("/ip4/127.0.0.1/tcp/9090/ws", Some("ws://127.0.0.1:9090")),
        ("/ip6/::1/tcp/9090/ws", Some("ws://[::1]:9090")),
        ("/dns4/example.org/tcp/443/tls/ws", Some("wss://example.org:443")),
        ("/dns/a;script-src *.example.org/tcp/443/wss", None),
        ("/ip4/127.0.0.1/tcp/9090", None),
        ("/ip4/127.0.0.1/udp/9090/quic-v1", None),
    ] {
        assert_eq!(websocket_origin(&address.parse().unwrap()).as_deref(), origin, "{address}");
    }
}

#[test]
fn node_key_is_created_once_and_never_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let made = NodeKey::load_or_create(folder.path()).unwrap().peer_id();
    assert_eq!(NodeKey::load_or_create(folder.path()).unwrap().peer_id(), made);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    let file = folder.path().join(KEY_FILE);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let whole = fs::read(&file).unwrap();
    for damaged in [&whole[..whole.len() - 1], &[], b"not a key"] {
        fs::write(&file, damaged).unwrap();
        let error = NodeKey::load_or_create(folder.path()).err().unwrap();
        assert!(matches!(error, KeyError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(file.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&file).unwrap(), damaged, "the file is as it was");
    }
}

// ---- the real program ----

fn relay_address(server: &Server) -> Multiaddr {
    network_of(server)["relays"][0].as_str().unwrap().parse().unwrap()
}

pub(crate) const ANY_PORT: [&str; 3] = ["--p2p", "/ip4/127.0.0.1/tcp/0/ws", "--no-catalogue"];

#[tokio::test]
async fn clients_notice_that_the_program_was_killed() {
    let folder = dist();
    let mut server = Server::with(folder.path(), &ANY_PORT);
    let address = relay_address(&server);
    let mut alice = Client::new();
    alice.reserve(&address).await;
    eventually("it is counted", || server.counters().contains("\ngen_relay_reservations 1\n")).await;
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    alice.until_disconnected(peer_of(&address)).await;
}

#[test]
fn program_keeps_its_key_and_reports_a_damaged_one() {
    let (folder, data) = (dist(), tempfile::tempdir().unwrap());
    let with = [&ANY_PORT[..], &["--data", data.path().to_str().unwrap()]].concat();
    let peer = || peer_of(&relay_address(&Server::with(folder.path(), &with)));
    assert_eq!(peer(), peer());
    let without = || peer_of(&relay_address(&Server::with(folder.path(), &ANY_PORT)));
    assert_ne!(without(), without());

    let file = data.path().join(KEY_FILE);
    fs::write(&file, "damaged").unwrap();
    let arguments = ["serve", "--http", "127.0.0.1:0", "--dist", folder.path().to_str().unwrap()];
    let output = program(&[&arguments[..], &with].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(file.to_str().unwrap()) && error.contains("is damaged"), "{error}");
}

#[tokio::test]
async fn environment_variables_name_bootstrap_relays() {
    let (_first, first, address) = relay_with(RelayLimits::default()).await;
    let folder = dist();
    let arguments = ["serve", "--http", "127.0.0.1:0", "--dist", folder.path().to_str().unwrap()];
    let mut second = program(&[&arguments[..], &ANY_PORT].concat());
    // The first of them is not there.
    let nobody = format!("/ip4/127.0.0.1/tcp/9/ws/p2p/{}", NodeKey::fresh().peer_id());
    let mut second = second.env("GEN_P2P_BOOTSTRAP", format!("{nobody},{address}")).spawn().unwrap();
    eventually("it came", || first.counts().kademlia_peers.get() == 1).await;
    second.kill().unwrap();
    second.wait().unwrap();
    eventually("it is gone", || first.counts().connections.get() == 0).await;
}

#[test]
fn taken_address_is_reported_with_advice() {
    let folder = dist();
    let first = Server::with(folder.path(), &ANY_PORT);
    let address: Multiaddr = relay_address(&first).into_iter().take(3).collect();
    let arguments = ["serve", "--http", "127.0.0.1:0", "--dist", folder.path().to_str().unwrap()];
    // The environment says it as the flag does.
    let output = program(&arguments).env("GEN_P2P_LISTEN", address.to_string()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains(&format!("{address} is taken")) && error.contains("--p2p"), "{error}");
}
