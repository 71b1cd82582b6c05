//! Networks for tests: with witnesses whose keys a test has, and as a server names one.

use std::time::Duration;

use gen_registry_core::actors::{BEGIN, succession_key};
use gen_registry_core::keys::PublicKey;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::{Genesis, NetworkHistory, Parameters, WitnessSet};
use gen_registry_node::Network;
use gen_registry_node::network::NetworkParameters;

use crate::support::server::{Server, network_of};

/// A network whose witnesses are these, which asks for work of so many bits. A hold lasts 2 s.
pub fn founded_by(witnesses: &[PublicKey], threshold: u8, work_bits: u32) -> Network {
    let succession = (0..witnesses.len()).map(|at| succession_key(0, at as u8).public().digest());
    let genesis = Genesis {
        name: "A network of a test".to_owned(),
        created_at: BEGIN,
        set: WitnessSet::new(witnesses.iter().copied(), threshold, succession),
        parameters: Parameters { work_bits, hold: Duration::from_secs(2), ..Parameters::for_tests(PARAMETERS_VERSION) },
        nonce: [9; 16],
    };
    genesis.check().unwrap();
    Network::new(NetworkHistory::new(genesis))
}

/// A network without witnesses, another one for each number.
pub fn numbered(number: u8) -> Network {
    let genesis = Genesis { nonce: [number; 16], ..Genesis::without_witnesses(PARAMETERS_VERSION) };
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
