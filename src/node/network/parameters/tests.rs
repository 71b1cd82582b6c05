//! What a server says: each rule with an answer that breaks it, and both sides of each bound.

use super::*;
use crate::network::samples::{change, changed, elsewhere, genesis, parameters};
use gen_registry_core::digest::Digest;

fn read(parameters: &NetworkParameters) -> Result<Network, ParametersError> {
    Network::try_from(parameters)
}

#[test]
fn parameters_read_as_they_were_written_and_rules_follow_from_the_genesis() {
    let network = read(&parameters()).unwrap();
    assert_eq!(NetworkParameters::from(&network), parameters());
    assert_eq!(network.topic, genesis().topic());
    assert_eq!(network.history().set(), &genesis().set);
    assert_eq!(network.history().genesis().parameters, genesis().parameters);
    assert_ne!(read(&elsewhere()).unwrap().topic, network.topic);
    let built_in = Network::default();
    let genesis = built_in.history().genesis();
    assert_eq!((genesis.set.witnesses.len(), genesis.set.threshold, genesis.parameters.work_bits), (0, 0, 0));
    assert_eq!(read(&NetworkParameters::from(&built_in)), Ok(built_in));
}

#[test]
fn each_rule_of_the_parameters_has_its_refusal() {
    let stun = |urls: &str| IceServer { urls: urls.to_owned(), username: None, credential: None };
    let many = || vec![String::new(); ENTRIES_MAX + 1];
    let long = || vec!["a".repeat(ENTRY_MAX_BYTES + 1)];
    let good = parameters();
    let strange = hex(&Genesis { name: String::new(), ..genesis() }.encode());
    let mut later = genesis();
    later.parameters.version = PARAMETERS_VERSION + 1;
    let bad = [
        (NetworkParameters { parameters_version: 9, ..good.clone() }, ParametersError::Version(9)),
        (
            NetworkParameters { genesis: hex(&later.encode()), ..good.clone() },
            ParametersError::Version(PARAMETERS_VERSION + 1),
        ),
        (NetworkParameters { genesis: "x".into(), ..good.clone() }, ParametersError::Genesis),
        (NetworkParameters { genesis: good.genesis[1..].into(), ..good.clone() }, ParametersError::Genesis),
        (NetworkParameters { genesis: format!("{}00", good.genesis), ..good.clone() }, ParametersError::Genesis),
        (NetworkParameters { genesis: strange, ..good.clone() }, ParametersError::Genesis),
        (
            NetworkParameters { genesis: "0".repeat(2 * GENESIS_MAX_BYTES + 1), ..good.clone() },
            ParametersError::TooMuch,
        ),
        (NetworkParameters { relays: many(), ..good.clone() }, ParametersError::TooMuch),
        (NetworkParameters { relays: long(), ..good.clone() }, ParametersError::TooMuch),
        (NetworkParameters { public_nodes: many(), ..good.clone() }, ParametersError::TooMuch),
        (NetworkParameters { public_nodes: long(), ..good.clone() }, ParametersError::TooMuch),
        (NetworkParameters { ice_servers: vec![stun("http://x")], ..good.clone() }, ParametersError::IceServer),
        (
            NetworkParameters { ice_servers: vec![stun("stun:x"); ENTRIES_MAX + 1], ..good.clone() },
            ParametersError::IceServer,
        ),
        (
            NetworkParameters { changes: vec![String::new(); SET_CHANGES_MAX + 1], ..good.clone() },
            ParametersError::TooMuch,
        ),
        (
            NetworkParameters { changes: vec!["0".repeat(2 * SET_CHANGE_MAX_BYTES + 1)], ..good.clone() },
            ParametersError::TooMuch,
        ),
        (NetworkParameters { changes: vec!["no".into()], ..good.clone() }, ParametersError::SetChange(1)),
    ];
    for (parameters, why) in bad {
        assert_eq!(read(&parameters), Err(why), "{parameters:?}");
    }
    let full = NetworkParameters {
        relays: vec!["a".repeat(ENTRY_MAX_BYTES); ENTRIES_MAX],
        public_nodes: vec!["a".repeat(ENTRY_MAX_BYTES); ENTRIES_MAX],
        ice_servers: vec![stun("stun:x"); ENTRIES_MAX],
        ..good
    };
    assert!(read(&full).is_ok());
}

#[test]
fn bounds_leave_room_for_the_longest_genesis_and_change() {
    use gen_registry_core::network::{NETWORK_NAME_MAX_CHARS, WITNESSES_MAX, WitnessSet};
    let all = || (0..WITNESSES_MAX as u8).map(|seed| crate::network::samples::key(seed + 100));
    let set = WitnessSet::new(all().map(|key| key.public()), 8, (0..15).map(|at| Digest::of(&[at])));
    let mut largest = Genesis { name: "\u{10ffff}".repeat(NETWORK_NAME_MAX_CHARS), set: set.clone(), ..genesis() };
    assert!(largest.encode().len() <= GENESIS_MAX_BYTES);
    largest.name = "𝒢".repeat(NETWORK_NAME_MAX_CHARS);
    assert!(Genesis::decode(&largest.encode()).is_ok());
    let topic = genesis().topic();
    let mut long = change(1, Digest::from_bytes(*topic.as_bytes()), 3, 2).change().clone();
    long.set = set;
    let signed = SignedSetChange::new(&topic, long.clone(), all().map(|key| long.sign(&topic, &key)).collect());
    assert!(signed.unwrap().encode().len() <= SET_CHANGE_MAX_BYTES);
}

#[test]
fn changes_are_followed_in_order_and_only_from_their_own_succession() {
    let topic = Digest::from_bytes(*genesis().topic().as_bytes());
    let first = change(1, topic, 3, 2);
    let second = change(2, first.digest(), 4, 12);
    let network = read(&changed(&[&first, &second])).unwrap();
    assert_eq!(network.history().number(), 2);
    assert_ne!(network.history().set(), read(&parameters()).unwrap().history().set());
    // The witness's own key, which is on the server, is not a succession key.
    let stolen = change(1, topic, 5, 1);
    assert_eq!(read(&changed(&[&stolen])), Err(ParametersError::SetChange(1)));
    assert_eq!(read(&changed(&[&first, &change(2, first.digest(), 5, 2)])), Err(ParametersError::SetChange(2)));
    assert_eq!(read(&changed(&[&second])), Err(ParametersError::SetChange(1)), "one is missing");
    assert_eq!(read(&changed(&[&first, &first])), Err(ParametersError::SetChange(2)), "one twice");
    let unlinked = change(2, topic, 4, 12);
    assert_eq!(read(&changed(&[&first, &unlinked])), Err(ParametersError::Rival(2)));
}
