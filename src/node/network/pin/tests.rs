//! The pin: what a server may add to a stored network, and what it can't.

use std::rc::Rc;

use futures::executor::block_on;

use super::*;
use crate::network::samples::{change, changed, elsewhere, genesis, parameters};
use crate::store::memory::MemoryStore;
use gen_registry_core::digest::Digest;

fn records() -> Records {
    Records::new(Rc::new(MemoryStore::new()))
}

/// What a profile of the network of [`parameters`] makes of an answer.
fn settle_in(records: &Records, answer: Option<NetworkParameters>) -> (Network, Option<ParametersError>) {
    let own = Network::try_from(&parameters()).unwrap();
    block_on(settle(records, &own, answer)).expect("the memory store answers")
}

/// A profile whose first server said this.
fn pinned(answer: &NetworkParameters) -> (Records, Network) {
    let records = records();
    let network = Network::try_from(answer).unwrap();
    assert_eq!(block_on(at_start(&records, network.clone())).unwrap(), network);
    (records, network)
}

#[test]
fn no_other_network_replaces_the_pinned_one() {
    let (records, network) = pinned(&parameters());
    assert_eq!(settle_in(&records, None), (network.clone(), None));
    let theirs = crate::network::name_of(&elsewhere().genesis().unwrap());
    let other = Some(ParametersError::OtherNetwork(theirs));
    assert_eq!(settle_in(&records, Some(elsewhere())), (network.clone(), other));
    let broken = NetworkParameters { genesis: String::new(), ..parameters() };
    assert_eq!(settle_in(&records, Some(broken)), (network.clone(), Some(ParametersError::Genesis)));
    // The attack that this is about: the same network, other witnesses. There is no such answer: it is another network.
    let mut robbed = genesis();
    robbed.set.witnesses = vec![crate::network::samples::key(66).public()];
    let robbed = NetworkParameters::from(&Network::new(gen_registry_core::network::NetworkHistory::new(robbed)));
    let (kept, fault) = settle_in(&records, Some(robbed));
    assert_eq!((kept.history(), &kept.relays), (network.history(), &network.relays));
    assert!(matches!(fault, Some(ParametersError::OtherNetwork(_))), "{fault:?}");
    assert_eq!(settle_in(&records, None), (network, None));
}

#[test]
fn pin_counts_before_what_the_directory_lists_and_only_in_its_own_network() {
    let first = change(1, Digest::from_bytes(*genesis().topic().as_bytes()), 3, 2);
    let (records, listed) = pinned(&parameters());
    let (followed, _) = settle_in(&records, Some(changed(&[&first])));
    assert_eq!(block_on(at_start(&records, listed)).unwrap(), followed, "it has followed a change since");
    // Another network's pin in this database would be a mistake, and is none.
    let other = Network::try_from(&elsewhere()).unwrap();
    assert_eq!(block_on(at_start(&records, other.clone())).unwrap(), other);
}

#[test]
fn store_of_another_network_or_of_none_is_told_apart() {
    use crate::Node;
    use crate::platform::test_environment::TestEnvironment;
    use gen_registry_api::{Command, ProfileChanges};
    use gen_registry_core::time::Timestamp;

    let (ours, other) = (Network::try_from(&parameters()).unwrap(), Network::try_from(&elsewhere()).unwrap());
    let is_of = |store: &Rc<MemoryStore>, network: &Network| {
        block_on(is_of(&Records::new(store.clone()), network)).expect("the memory store answers")
    };
    let store = Rc::new(MemoryStore::new());
    assert!(is_of(&store, &ours) && is_of(&store, &ours), "it was empty");
    assert!(!is_of(&store, &other));
    // As it was before there was a genesis: an identity, and nothing that says of which network.
    let store = Rc::new(MemoryStore::new());
    let environment = Rc::new(TestEnvironment::new(1, Timestamp::from_millis(1_800_000_000_000)));
    let node = block_on(Node::start(store.clone(), environment, Network::default())).unwrap();
    let claim = Command::RegisterUsername { name: "alice".into(), changes: ProfileChanges::default() };
    block_on(node.handle(claim)).expect("a name is claimed");
    assert!(!is_of(&store, &ours) && !is_of(&store, &Network::default()));
}

#[test]
fn changes_count_when_the_succession_signed_them_and_then_for_good() {
    let topic = Digest::from_bytes(*genesis().topic().as_bytes());
    let first = change(1, topic, 3, 2);
    let (records, before) = pinned(&parameters());
    let stolen = change(1, topic, 6, 1);
    assert_eq!(settle_in(&records, Some(changed(&[&stolen]))), (before.clone(), Some(ParametersError::SetChange(1))));
    let (after, fault) = settle_in(&records, Some(changed(&[&first])));
    assert_eq!((after.history().number(), fault), (1, None));
    assert_ne!(after.history().set(), before.history().set());
    assert_eq!(settle_in(&records, None), (after.clone(), None), "stored");

    let rival = change(1, topic, 7, 2);
    assert_eq!(settle_in(&records, Some(changed(&[&rival]))), (after.clone(), Some(ParametersError::Rival(1))));
    let behind = ParametersError::Behind { served: 0, known: 1 };
    let relays = vec!["/ip4/127.0.0.1/tcp/9/ws".to_owned()];
    let short = NetworkParameters { relays, ..parameters() };
    assert_eq!(settle_in(&records, Some(short)), (after.clone(), Some(behind)), "its relays don't count either");
    assert_eq!(settle_in(&records, None), (after, None));
}

#[test]
fn known_relays_stay_known_within_their_bound() {
    let relay = |number: usize| format!("/ip4/127.0.0.1/tcp/{number}/ws");
    let named =
        |numbers: std::ops::Range<usize>| NetworkParameters { relays: numbers.map(relay).collect(), ..parameters() };
    let (records, network) = pinned(&named(0..2));
    assert_eq!(network.relays, [relay(0), relay(1)]);
    let (network, _) = settle_in(&records, Some(named(1..3)));
    assert_eq!(network.relays, [relay(0), relay(1), relay(2)], "each once");
    let (network, _) = settle_in(&records, Some(named(3..RELAYS_KNOWN_MAX)));
    assert_eq!(network.relays, (0..RELAYS_KNOWN_MAX).map(relay).collect::<Vec<_>>(), "all that there is room for");
    // A server that names others again and again does not crowd out the first ones.
    for visit in 2..9 {
        settle_in(&records, Some(named(visit * 100..visit * 100 + 16)));
    }
    let (network, _) = settle_in(&records, None);
    let expected: Vec<String> = (0..RELAYS_KEPT).chain(808..816).map(relay).collect();
    assert_eq!(network.relays, expected);
}
