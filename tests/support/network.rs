//! Networks for tests: with witnesses whose keys a test has, under a topic of its own, and as a server names one.

use gen_registry_core::digest::Digest;
use gen_registry_core::identity::{Identity, Topic};
use gen_registry_core::keys::PublicKey;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::{Genesis, NetworkHistory, Parameters, WitnessSet};
use gen_registry_core::time::Timestamp;
use gen_registry_node::Network;
use gen_registry_node::network::NetworkParameters;

use crate::support::server::{Server, network_of};

/// A network under this topic, without witnesses: what is signed for it is signed by a test.
pub fn of_topic(topic: Topic) -> Network {
    let mut network = Network::default();
    network.topic = topic;
    network
}

/// A network whose witnesses are these, which asks for work of so many bits.
pub fn founded_by(witnesses: &[Identity], threshold: u8, work_bits: u32) -> Network {
    let keys = witnesses.iter().map(|witness| PublicKey::from_trusted(*witness.as_bytes()));
    // Nobody has the keys behind these digests: the witnesses of a test stay.
    let succession = (0..witnesses.len()).map(|at| Digest::of(&[at as u8]));
    let genesis = Genesis {
        name: "A network of a test".to_owned(),
        created_at: Timestamp::from_millis(1_800_000_000_000),
        set: WitnessSet::new(keys, threshold, succession),
        parameters: Parameters { work_bits, ..Parameters::for_people(PARAMETERS_VERSION) },
        nonce: [9; 16],
    };
    genesis.check().unwrap();
    Network::new(NetworkHistory::new(genesis))
}

/// The network as somebody sees it who knows these relays.
pub fn through(network: &Network, relays: Vec<String>) -> Network {
    let mut network = network.clone();
    network.relays = relays;
    network
}

/// The network as a server names it.
pub fn of_server(server: &Server) -> Network {
    let parameters: NetworkParameters = serde_json::from_value(network_of(server)).unwrap();
    Network::try_from(&parameters).unwrap()
}
