//! The node and its lines.

use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use gen_registry_api::Command;
use gen_registry_node::net::mesh::Listening;
use gen_registry_node::network::NetworkParameters;
use gen_registry_node::peering::Peering;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::{Network, Node};
use tokio::task::LocalSet;
use tokio::time::timeout;

/// Direct connections it accepts, as the catalogue's node.
const DIRECT_MAX: usize = 128;
/// How long it may take to say goodbye.
const STOP_PATIENCE: Duration = Duration::from_secs(3);

pub(crate) fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [folder, network, quota, limits] = &words[..] else {
        eprintln!("usage: replica FOLDER NETWORK QUOTA LIMITS");
        std::process::exit(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(LocalSet::new().run_until(live(folder.as_ref(), network.as_ref(), quota, limits)));
}

async fn live(folder: &Path, network: &Path, quota: &str, limits: &str) {
    let parameters = std::fs::read(network).expect("the network's file");
    let parameters: NetworkParameters = serde_json::from_slice(&parameters).expect("a network");
    let is_guest = !parameters.public_nodes.is_empty();
    let network = Network::try_from(&parameters).expect("a network");
    let limits = serde_json::from_str(limits).expect("limits");
    let store = Rc::new(SqliteStore::open(&folder.join("replica.db")).expect("a store"));
    let node = Node::start_within(store, Rc::new(Native), network, limits).await.expect("a node");
    let node = Rc::new(node);
    node.limit_strangers(quota.parse().expect("a number"));
    // Unbounded: one message for each address that the node listens on.
    let (addresses, mut listening_at) = mpsc::unbounded();
    let listen = "/ip4/127.0.0.1/tcp/0/ws".to_owned();
    let listening = Listening { listen, public: Vec::new(), direct_max: DIRECT_MAX, addresses };
    let opened = if is_guest {
        Peering::open(node.clone()).await
    } else {
        Peering::open_listening(node.clone(), listening).await
    };
    let peering = opened.expect("it takes part");
    let mesh = peering.mesh();
    let life = tokio::task::spawn_local(peering.run());
    let at = if is_guest { Vec::new() } else { listening_at.next().await.expect("it listens") };
    println!("{}", serde_json::to_string(&at).expect("addresses"));
    let mut lines = lines();
    while let Some(line) = lines.next().await {
        let command: Command = serde_json::from_str(&line).expect("a command");
        println!("{}", serde_json::to_string(&node.handle(command).await).expect("an answer"));
    }
    mesh.close();
    timeout(STOP_PATIENCE, life).await.ok();
}

/// The lines of the standard input, which a thread of its own waits for.
fn lines() -> mpsc::UnboundedReceiver<String> {
    // Unbounded: who asks waits for the answer.
    let (read, lines) = mpsc::unbounded();
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if read.unbounded_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
