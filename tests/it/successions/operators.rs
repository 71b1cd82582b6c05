//! The operators of a network: their data folders, where they keep their succession keys, and what they type.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use gen_registry_node::net::relay::key::NodeKey;
use gen_registry_server::keys::SUCCESSION_KEY;
use gen_registry_server::network::NETWORK_FILE;
use tempfile::TempDir;

use crate::support::server::{Server, dist, printed};

/// How many witnesses each set has; two of them confirm.
pub const WITNESSES: usize = 3;

/// A path as an argument.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Operators with their files in one folder.
pub struct Operators {
    folder: TempDir,
    page: TempDir,
}

impl Operators {
    /// Operators who have no network yet.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), page: dist() }
    }

    /// A file of theirs.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The data folder of a witness, such as `old-0`.
    pub fn data(&self, witness: &str) -> PathBuf {
        self.file(witness)
    }

    /// Where an operator keeps the succession key: not on the server.
    pub fn succession_key(&self, witness: &str) -> PathBuf {
        self.file(&format!("{witness}.succession"))
    }

    /// Makes the keys of the witnesses of a set, moves the succession keys away, and returns what was printed.
    pub fn keys(&self, set: &str) -> Vec<String> {
        let keys = (0..WITNESSES).map(|at| {
            let witness = format!("{set}-{at}");
            let data = self.data(&witness);
            let keys = printed(&["network", "key", "--data", text(&data)]);
            fs::rename(SUCCESSION_KEY.path(&data), self.succession_key(&witness)).unwrap();
            keys.lines().next().unwrap().to_owned()
        });
        keys.collect()
    }

    /// Founds a network for tests of the witnesses `old-0` and so on, and returns its file.
    pub fn found(&self) -> PathBuf {
        let (keys, file) = (self.keys("old"), self.file("ours.json"));
        let found = ["network", "found", "--for-tests", "--name", "Ours", "--out", text(&file)];
        printed(&[&found[..], &flags(&keys)].concat());
        file
    }

    /// As if the server of a witness had been started once: its data folder has the network.
    pub fn joined(&self, witness: &str, network: &Path) {
        fs::copy(network, self.data(witness).join(NETWORK_FILE)).unwrap();
    }

    /// Stops a witness, whose server does not run, and returns the file that it handed over.
    pub fn stopped(&self, witness: &str) -> PathBuf {
        let file = self.file(&format!("{witness}.handover"));
        let said = printed(&["network", "stop", "--data", text(&self.data(witness)), "--out", text(&file)]);
        assert!(said.contains("has stopped signing, for good"), "{said}");
        file
    }

    /// Starts the server of a witness.
    pub fn serve(&self, witness: &str, network: &Path, more: &[&str]) -> Server {
        self.serve_at("/ip4/127.0.0.1/tcp/0/ws", witness, network, more)
    }

    fn serve_at(&self, address: &str, witness: &str, network: &Path, more: &[&str]) -> Server {
        let data = self.data(witness);
        let flags = ["--p2p", address, "--no-catalogue", "--data", text(&data), "--network", text(network)];
        Server::with(self.page.path(), &[&flags[..], more].concat())
    }

    /// Starts the witnesses of a set. Each relay is named to all others, so that they pass on what they sign.
    pub fn serve_set(&self, set: &str, network: &Path, more: &[&str]) -> Vec<Server> {
        let witnesses: Vec<String> = (0..WITNESSES).map(|at| format!("{set}-{at}")).collect();
        let listens = free_addresses();
        let named = witnesses.iter().zip(&listens).map(|(witness, listen)| {
            let relay = NodeKey::load_or_create(&self.data(witness)).unwrap().peer_id();
            format!("{listen}/p2p/{relay}")
        });
        let named: Vec<String> = named.collect();
        let serve = |at: usize| {
            let others = named.iter().enumerate().filter(|(other, _)| *other != at);
            let bootstrap: Vec<&str> = others.flat_map(|(_, relay)| ["--p2p-bootstrap", relay]).collect();
            self.serve_at(&listens[at], &witnesses[at], network, &[more, &bootstrap].concat())
        };
        (0..WITNESSES).map(serve).collect()
    }

    /// The flags of a server that is not started.
    pub fn serve_flags<'a>(&'a self, data: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
        let flags = ["serve", "--http", "127.0.0.1:0", "--no-catalogue", "--p2p", "/ip4/127.0.0.1/tcp/0/ws"];
        [&flags[..], &["--dist", text(self.page.path()), "--data", text(data)], more].concat()
    }
}

/// Addresses at which nobody listens.
fn free_addresses() -> Vec<String> {
    let taken: Vec<TcpListener> = (0..WITNESSES).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
    taken.iter().map(|listener| format!("/ip4/127.0.0.1/tcp/{}/ws", port(listener))).collect()
}

/// The flags of a set, as its keys were printed.
pub fn flags(keys: &[String]) -> Vec<&str> {
    keys.iter().flat_map(|keys| keys.split(' ')).collect()
}
