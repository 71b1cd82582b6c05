//! A network in memory: real relays and real nodes over libp2p's memory transport. As with pages, nobody is found by an
//! address; who is sought is reached through the relay (here: by a list that stands for it).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use gen_registry_api::Command;
use gen_registry_node::Network;
use gen_registry_node::lookup::RecordValidator;
use gen_registry_node::net::forwarded::TrustedProxies;
use gen_registry_node::net::key::NodeKey;
use gen_registry_node::net::mesh::{Listening, MeshHandle};
use gen_registry_node::net::relay::witness::WitnessEndpoint;
use gen_registry_node::net::relay::{Relay, RelayOptions, limits::RelayLimits};
use gen_registry_node::net::transport::{Paths, Reachability, TransportStack};
use gen_registry_server::keys::fresh_key;
use gen_registry_server::witness::{self, Witness};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dummy;
use libp2p::{Multiaddr, PeerId, Transport, noise, relay, yamux};

use crate::support::network;
use crate::support::node::TestNode;
use crate::support::wait::eventually;

/// Where each node listens: what a relay would lead to.
static PLACES: LazyLock<Mutex<HashMap<PeerId, Multiaddr>>> = LazyLock::new(Mutex::default);

pub fn keypair(key: &NodeKey) -> Keypair {
    Keypair::from_protobuf_encoding(&key.encode()).unwrap()
}

pub fn memory(key: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)> {
    let secure = noise::Config::new(key).unwrap();
    let memory = MemoryTransport::default().upgrade(Version::V1Lazy).authenticate(secure);
    memory.multiplex(yamux::Config::default()).boxed()
}

fn is_memory(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    matches!(parts.next(), Some(Protocol::Memory(_))) && !parts.any(|part| part == Protocol::P2pCircuit)
}

/// With a name at its end only: what a node listens on by itself is told to nobody.
fn is_named(address: &Multiaddr) -> bool {
    is_memory(address) && matches!(address.iter().last(), Some(Protocol::P2p(_)))
}

fn place_of(_: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    let place = PLACES.lock().unwrap().get(&peer).cloned()?;
    Some(place.with(Protocol::P2p(peer)))
}

/// Where a node of this kind is reached.
pub fn place(mesh: &MeshHandle) -> Multiaddr {
    let peer = mesh.local_peer_id().to_string().parse().unwrap();
    place_of(&Multiaddr::empty(), peer).unwrap()
}

pub fn transport(key: NodeKey) -> TransportStack {
    let key = keypair(&key);
    let peer = key.public().to_peer_id();
    let (circuits, relay) = relay::client::new(peer);
    let secure = noise::Config::new(&key).unwrap();
    let transport = circuits.or_transport(MemoryTransport::default()).upgrade(Version::V1Lazy).authenticate(secure);
    let transport = transport.multiplex(yamux::Config::default()).boxed();
    let place: Multiaddr = Protocol::Memory(rand::random::<u64>().max(1)).into();
    PLACES.lock().unwrap().insert(peer, place.clone());
    let reachability = Reachability {
        listening: vec![place],
        is_direct: is_named,
        circuit: place_of,
        may_query: is_memory,
        paths: Paths,
    };
    TransportStack { transport, relay, upgrade: dummy::Behaviour, reachability }
}

/// A relay as a server runs it, that can tell this network's records.
pub async fn relay(network: &Network, bootstrap: Vec<Multiaddr>) -> Relay {
    let listen = Protocol::Memory(rand::random::<u64>().max(1)).into();
    relay_at(network, NodeKey::fresh(), listen, bootstrap, None).await
}

/// A network with one witness, beside each of its relays.
pub struct Founded {
    pub network: Network,
    witness: Witness,
}

impl Founded {
    pub async fn new() -> Self {
        let key = fresh_key();
        let network = network::founded_by(&[key.public()], 1, 0);
        let witness = witness::start(None, key, network.history().clone()).await.unwrap();
        Self { network, witness }
    }

    /// A network with one relay, and Alice, who claims her name there.
    pub async fn with_alice() -> (Self, Relay, TestNode) {
        let founded = Self::new().await;
        let relay = founded.relay(vec![]).await;
        let alice = join(founded.through(&relay)).await;
        alice.claim("alice_smith").await.unwrap();
        (founded, relay, alice)
    }

    /// A relay that knows these others.
    pub async fn relay(&self, bootstrap: Vec<Multiaddr>) -> Relay {
        let listen = Protocol::Memory(rand::random::<u64>().max(1)).into();
        let witness = Some(self.witness.door.clone());
        relay_at(&self.network, NodeKey::fresh(), listen, bootstrap, witness).await
    }

    /// The same where a former one was, or (`None`) somewhere; and what makes another one of it.
    pub async fn relay_again(&self, former: Option<(NodeKey, Multiaddr)>) -> (Relay, (NodeKey, Multiaddr)) {
        let fresh = || (NodeKey::fresh(), Protocol::Memory(rand::random::<u64>().max(1)).into());
        let (key, listen) = former.unwrap_or_else(fresh);
        let witness = Some(self.witness.door.clone());
        (relay_at(&self.network, key.clone(), listen.clone(), vec![], witness).await, (key, listen))
    }

    /// The network as somebody sees it who knows only this relay.
    pub fn through(&self, relay: &Relay) -> Network {
        network::through(&self.network, relay.view().addresses().iter().map(ToString::to_string).collect())
    }
}

async fn relay_at(
    network: &Network,
    key: NodeKey,
    listen: Multiaddr,
    bootstrap: Vec<Multiaddr>,
    witness: Option<WitnessEndpoint>,
) -> Relay {
    let validator = RecordValidator::new(network.history().clone());
    let options = RelayOptions {
        key: key.clone(),
        listen,
        public: vec![],
        proxies: TrustedProxies::default(),
        bootstrap,
        dht_server: true,
        validator: Some(Arc::new(validator)),
        archive: None,
        witness,
        limits: RelayLimits { by_address: false, ..RelayLimits::default() },
    };
    Relay::start_on(memory(&keypair(&key)), options).await.unwrap()
}

/// A node that others can dial; it keeps records for them.
pub async fn serve(network: Network) -> TestNode {
    serve_somewhere(network).await.0
}

/// The same, and where it is dialled.
pub async fn serve_somewhere(network: Network) -> (TestNode, Multiaddr) {
    let (addresses, _) = futures::channel::mpsc::unbounded();
    let place = Multiaddr::from(Protocol::Memory(rand::random::<u64>().max(1)));
    let listening = Listening { listen: place.to_string(), public: vec![], direct_max: 16, addresses };
    let node = TestNode::join_over(network, transport, Some(listening)).await;
    let peer = node.mesh.local_peer_id().to_string().parse().unwrap();
    (node, place.with(Protocol::P2p(peer)))
}

/// A node that is reached through its relay. Returns once it has its relay.
pub async fn join(network: Network) -> TestNode {
    TestNode::join_over(network, transport, None).await
}

/// The same, one that keeps no strangers, and is connected directly with this one.
pub async fn join_narrow(network: Network, peer: &TestNode) -> TestNode {
    let node = join(network).await;
    node.node.handle(Command::KeepStrangers { most: 0 }).await.unwrap();
    node.mesh.connect_to(peer.mesh.local_peer_id());
    node.has_peers(1).await;
    let is_narrow = async || node.node.known().retention().range().bits() > 0;
    eventually("it keeps no strangers", is_narrow).await;
    node
}
