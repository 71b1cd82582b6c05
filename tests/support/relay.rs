//! Relays as a server runs them, and networks through them.

use gen_registry_core::keys::{PublicKey, SecretKey};
use gen_registry_node::Network;
use gen_registry_node::net::forwarded::TrustedProxies;
use gen_registry_node::net::relay::key::NodeKey;
use gen_registry_node::net::relay::limits::RelayLimits;
use gen_registry_node::net::relay::witness::WitnessEndpoint;
use gen_registry_node::net::relay::{Relay, RelayOptions, RelayStatus};
use gen_registry_server::keys::fresh_key;
use gen_registry_server::witness::{self, Witness};
use libp2p::Multiaddr;

use crate::support::network::{founded_by, through};

/// A free port of this machine.
pub const ANY_PORT: &str = "/ip4/127.0.0.1/tcp/0/ws";

/// What a relay of these limits is started with: a key of its own and any port.
pub fn options(limits: RelayLimits) -> RelayOptions {
    RelayOptions {
        key: NodeKey::fresh(),
        listen: ANY_PORT.parse().unwrap(),
        public: vec![],
        proxies: TrustedProxies::default(),
        bootstrap: vec![],
        dht_server: true,
        validator: None,
        archive: None,
        witness: None,
        limits,
    }
}

/// A relay of these limits, what it says of itself, and its address.
pub async fn relay_with(limits: RelayLimits) -> (Relay, RelayStatus, Multiaddr) {
    let relay = Relay::start(options(limits)).await.unwrap();
    let view = relay.view();
    let address = view.addresses().remove(0);
    (relay, view, address)
}

/// A relay as a server runs it. One address may do as it likes: here everybody has the same.
pub async fn relay() -> Relay {
    relay_of(NodeKey::fresh(), ANY_PORT, None).await
}

pub async fn relay_of(key: NodeKey, listen: &str, witness: Option<WitnessEndpoint>) -> Relay {
    let limits = RelayLimits { by_address: false, ..RelayLimits::default() };
    let listen = listen.parse().unwrap();
    Relay::start(RelayOptions { key, listen, witness, ..options(limits) }).await.unwrap()
}

/// The network as everybody sees it who knows only this relay.
pub fn network(relay: &Relay) -> Network {
    let relays = relay.view().addresses().iter().map(ToString::to_string).collect();
    through(&Network::default(), relays)
}

/// A network of one relay for each witness, where `threshold` receipts confirm a name.
pub async fn witnessed(count: usize, threshold: u8) -> (Network, Vec<(Relay, Witness)>) {
    witnessed_for_work(count, threshold, 0).await
}

/// The same where a claim shows work of so many bits.
pub async fn witnessed_for_work(count: usize, threshold: u8, work_bits: u32) -> (Network, Vec<(Relay, Witness)>) {
    let keys: Vec<SecretKey> = (0..count).map(|_| fresh_key()).collect();
    let witnesses: Vec<PublicKey> = keys.iter().map(SecretKey::public).collect();
    let mut network = founded_by(&witnesses, threshold, work_bits);
    let mut servers = Vec::new();
    for key in keys {
        let witness = witness::start(None, key, network.history().clone()).await.unwrap();
        let relay = relay_of(NodeKey::fresh(), ANY_PORT, Some(witness.door.clone())).await;
        network.relays.extend(relay.view().addresses().iter().map(ToString::to_string));
        servers.push((relay, witness));
    }
    (network, servers)
}
