//! Runs the nodes.

use std::error::Error;
use std::path::Path;
use std::rc::Rc;
use tokio::time::Instant;

use futures::StreamExt;
use futures::channel::{mpsc, oneshot};
use gen_registry_core::node_limits::NodeLimits;
use gen_registry_node::net::mesh::{Listening, MeshHandle};
use gen_registry_node::peering::Peering;
use gen_registry_node::platform::native::Native;
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::{Network, Node};
use gen_registry_server::keys::WITNESS_KEY;

use super::liar::{Lies, lie};
use super::make::PROFILE;
use super::network_in;
use super::nodes::{self, TownNode};
use super::people::People;

/// Direct connections that each accepts, as the catalogue's node.
const DIRECT_MAX: usize = 128;
/// As much as nobody has.
const EVERYBODY: usize = usize::MAX;

pub(crate) async fn serve(town: &Path, network: &Path) -> Result<(), Box<dyn Error>> {
    let began = Instant::now();
    let network = network_in(network)?;
    let witness = WITNESS_KEY.load(&town.join("server"))?.ok_or("the server has no witness's key")?;
    let count =
        |file: &str| Ok::<u64, std::io::Error>(std::fs::read_to_string(town.join(file))?.lines().count() as u64);
    let (people, modules) = (count("names.txt")?, count("modules.txt")?);
    let lies = Lies::of(People { network: network.clone(), witness, people, modules });
    let mut running = Vec::new();
    for node in nodes::read(town)? {
        match node.role {
            role if role.is_honest() => running.push(run(town, &node, &network).await?),
            role => {
                tokio::task::spawn_local(lie(node.key(), &node.listen, &network.relays, role, lies.clone())?);
            }
        };
        eprintln!("{:?} listens after {} ms", node.role, began.elapsed().as_millis());
    }
    println!("ready");
    until_the_input_ends().await;
    running.iter().for_each(MeshHandle::close);
    Ok(())
}

/// Starts one node. Returns once it listens.
async fn run(town: &Path, node: &TownNode, network: &Network) -> Result<MeshHandle, Box<dyn Error>> {
    let store = Rc::new(SqliteStore::open(&node.folder(town).join(PROFILE))?);
    let limits = NodeLimits { strangers: EVERYBODY, ..NodeLimits::default() };
    let (running, listening) =
        (Node::start_within(store, Rc::new(Native), network.clone(), limits).await?, node.listen.clone());
    let (addresses, mut listening_at) = mpsc::unbounded();
    let listening = Listening { listen: listening, public: vec![], direct_max: DIRECT_MAX, addresses };
    let peering = Peering::open_listening(Rc::new(running), listening).await?;
    let mesh = peering.mesh();
    tokio::task::spawn_local(peering.run());
    let at = listening_at.next().await.ok_or("it does not listen")?;
    assert_eq!(at, std::slice::from_ref(&node.address), "it listens where pages are told");
    Ok(mesh)
}

async fn until_the_input_ends() {
    let (ended, end) = oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::io::stdin().lines().for_each(drop);
        drop(ended);
    });
    end.await.ok();
}
