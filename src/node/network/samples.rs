//! Networks for the tests of this folder: real geneses with real keys.

use crate::network::{Network, NetworkParameters};
use gen_registry_core::digest::{Digest, hex};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::limits::PARAMETERS_VERSION;
use gen_registry_core::network::{
    Closing, FactList, Genesis, NetworkHistory, Parameters, SetChange, SignedSetChange, WitnessSet,
};
use gen_registry_core::time::Timestamp;

/// A key of a test.
pub(crate) fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed(&[seed; 32])
}

/// One witness, and the digest of the key that names the next one.
fn set(witness: u8, succession: u8) -> WitnessSet {
    WitnessSet::new([key(witness).public()], 1, [key(succession).public().digest()])
}

/// The network of witness 1, whose succession key is 2.
pub(crate) fn genesis() -> Genesis {
    Genesis {
        name: "Alice's network".to_owned(),
        created_at: Timestamp::from_millis(1_800_000_000_000),
        set: set(1, 2),
        parameters: Parameters::for_people(PARAMETERS_VERSION),
        nonce: [1; 16],
    }
}

/// What a server of that network says.
pub(crate) fn parameters() -> NetworkParameters {
    let network = Network::new(NetworkHistory::new(genesis()));
    NetworkParameters { relays: vec!["/ip4/127.0.0.1/tcp/1/ws".to_owned()], ..NetworkParameters::from(&network) }
}

/// What a server of another network says that is named alike.
pub(crate) fn elsewhere() -> NetworkParameters {
    let network = Network::new(NetworkHistory::new(Genesis { nonce: [2; 16], ..genesis() }));
    NetworkParameters { relays: vec!["/ip4/127.0.0.1/tcp/2/ws".to_owned()], ..NetworkParameters::from(&network) }
}

/// Change `number` after `before`, to this witness, signed by key `signer`; the next one is signed by `signer + 10`.
pub(crate) fn change(number: u32, before: Digest, witness: u8, signer: u8) -> SignedSetChange {
    let topic = genesis().topic();
    let (version, closing) = (PARAMETERS_VERSION, Closing::of(&FactList::default()));
    let change = SetChange { number, before, set: set(witness, signer + 10), version, closing };
    let signature = change.sign(&topic, &key(signer));
    SignedSetChange::new(&topic, change, vec![signature]).expect("a valid signature")
}

/// What a server says that knows these changes.
pub(crate) fn changed(changes: &[&SignedSetChange]) -> NetworkParameters {
    NetworkParameters { changes: changes.iter().map(|change| hex(&change.encode())).collect(), ..parameters() }
}
