//! A stored key is never written over: not by a second node on the same store, not by a start that can't read it, not by
//! one of another network.

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::{Answer, Command, FailureCode};
use gen_registry_core::time::Timestamp;
use gen_registry_node::Node;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Store, StoreError, Table};

use crate::support::network;
use crate::support::profile::TestProfile;

const IDENTITY: &str = "identity";

fn clock(seed: u64) -> TestEnvironment {
    TestEnvironment::new(seed, Timestamp::from_millis(1_700_000_000_000))
}

fn stored(store: &MemoryStore, table: Table, key: &str) -> Option<Vec<u8>> {
    block_on(store.get(table, key)).unwrap()
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

fn register(name: &str) -> Command {
    Command::RegisterUsername { name: name.to_owned(), changes: Default::default() }
}

/// The bytes of the keys that were set aside, which must all be there.
fn assert_set_aside(store: &MemoryStore, keys: &[Vec<u8>]) {
    let names = store.keys(Table::Quarantine);
    let names: Vec<_> = names.iter().filter(|name| name.starts_with("keys/identity/")).collect();
    assert_eq!(names.len(), keys.len(), "each has a name of its own: {names:?}");
    for key in keys {
        let aside = names.iter().any(|name| contains(&stored(store, Table::Quarantine, name).unwrap(), key));
        assert!(aside, "byte for byte");
    }
}

#[test]
fn of_two_nodes_on_one_store_the_second_writes_over_no_key() {
    let store = Rc::new(MemoryStore::new());
    let [first, second] = [1, 2].map(|seed| TestProfile::open(store.clone(), clock(seed)));
    first.claim("first_name");
    let key = stored(&store, Table::Keys, IDENTITY);
    assert!(key.is_some());
    assert_eq!(second.code(register("second_name")), FailureCode::StorageFailed);
    assert_eq!(stored(&store, Table::Keys, IDENTITY), key);
    assert_eq!(store.keys(Table::Facts).len(), 2, "nothing else of it is stored: an opening and a claim");
}

#[test]
fn a_node_changes_only_its_own_stored_key() {
    let store = Rc::new(MemoryStore::new());
    let first = TestProfile::open(store.clone(), clock(1));
    first.claim("first_name");
    let copy = Rc::new(store.copy());
    // In the copy another identity takes the place, as if a tab had missed that.
    let first = TestProfile::open(copy.clone(), clock(1));
    let did = first.me(Command::WhoAmI).did.unwrap();
    let forgetful = TestProfile::open(copy.clone(), clock(3));
    forgetful.me(Command::ForgetIdentity { confirm: did });
    forgetful.claim("another_one");
    let key = stored(&copy, Table::Keys, IDENTITY);
    assert_ne!(key, stored(&store, Table::Keys, IDENTITY), "another key is really stored");
    let seal = Command::SetPassphrase { passphrase: Some("correct horse battery".to_owned()) };
    assert_eq!(first.code(seal.clone()), FailureCode::StorageFailed);
    assert_eq!(stored(&copy, Table::Keys, IDENTITY), key);
    // Its own it may change: sealed, and plain again.
    let owner = TestProfile::open(copy.clone(), clock(4));
    owner.me(seal);
    assert_ne!(stored(&copy, Table::Keys, IDENTITY), key);
    owner.me(Command::SetPassphrase { passphrase: None });
    assert_eq!(stored(&copy, Table::Keys, IDENTITY), key);
}

#[test]
fn a_damaged_key_is_set_aside_under_a_name_of_its_own() {
    let mut alice = TestProfile::new(1);
    let mut aside = Vec::new();
    for name in ["alice", "alice_again", "and_again"] {
        alice.claim(name);
        assert!(alice.store.tamper(Table::Keys, IDENTITY, |raw| raw[40] ^= 1));
        aside.push(stored(&alice.store, Table::Keys, IDENTITY).unwrap());
        alice = alice.restart();
        assert_eq!(alice.me(Command::WhoAmI).did, None, "the key can't be used");
        let Ok(Answer::Status(status)) = alice.ask(Command::Status) else { panic!("no status") };
        assert!(status.quarantined.iter().any(|record| record.table == "keys" && record.key == IDENTITY));
        assert_set_aside(&alice.store, &aside);
    }
}

#[test]
fn a_key_that_can_not_be_set_aside_is_not_written_over_either() {
    let alice = TestProfile::new(1);
    alice.claim("alice");
    assert!(alice.store.tamper(Table::Keys, IDENTITY, |raw| raw[40] ^= 1));
    let key = stored(&alice.store, Table::Keys, IDENTITY).unwrap();
    alice.store.fail_commits(Some(StoreError::Full));
    let store = alice.store.clone();
    drop(alice);
    let full = TestProfile::open(store.clone(), clock(2));
    assert!(store.keys(Table::Quarantine).is_empty(), "there was no room for it");
    store.fail_commits(None);
    assert_eq!(full.code(register("another")), FailureCode::StorageFailed);
    assert_eq!(stored(&store, Table::Keys, IDENTITY), Some(key.clone()));
    // The next start sets it aside.
    let again = full.restart();
    assert_set_aside(&again.store, &[key]);
    again.claim("another");
}

#[test]
fn a_key_of_another_network_is_set_aside_not_written_over() {
    let store = Rc::new(MemoryStore::new());
    let alice = TestProfile::open(store.clone(), clock(1));
    alice.claim("alice");
    let key = stored(&store, Table::Keys, IDENTITY).unwrap();
    drop(alice);
    let start = || block_on(Node::start(store.clone(), Rc::new(clock(2)), network::numbered(7))).unwrap();
    let node = start();
    assert_set_aside(&store, std::slice::from_ref(&key));
    assert!(block_on(node.handle(register("bob"))).is_ok());
    drop(node);
    assert_set_aside(&store, &[key]);
    let Ok(Answer::Me(me)) = block_on(start().handle(Command::WhoAmI)) else { panic!("no answer") };
    assert_eq!(me.username.as_deref(), Some("bob"));
}
