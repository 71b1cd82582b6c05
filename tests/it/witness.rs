//! A witness with a store: what it signs, what it refuses, and that no crash, clock or full disk makes it contradict
//! itself.

use std::rc::Rc;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{LocalBoxFuture, join_all};
use gen_registry_core::fact::{Fact, SignedFact};
use gen_registry_core::identity::Topic;
use gen_registry_core::limits::{CLOCK_SKEW, NAME_COOL_DOWN};
use gen_registry_core::sync::witness::wire::check_receipt;
use gen_registry_core::sync::witness::{NotServed, Request, WitnessAnswer, WitnessRefusal};
use gen_registry_core::time::Timestamp;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::sqlite::SqliteStore;
use gen_registry_node::store::{Batch, Durability, Entry, Store, StoreError, Table};
use gen_registry_node::witness::{WitnessError, WitnessServer};

use crate::support::people::{TOPIC, at, claim, person, receipt, release};

const SKEW: u64 = CLOCK_SKEW.as_millis() as u64;
const COOL_DOWN: u64 = NAME_COOL_DOWN.as_millis() as u64;
/// Some time of the tests.
const NOON: u64 = 1_800_000_000_000;

fn start(store: &Rc<MemoryStore>) -> WitnessServer {
    block_on(WitnessServer::start(store.clone(), person("witness"), TOPIC)).unwrap()
}

fn refused_start(store: Rc<MemoryStore>, key: &str, topic: Topic) -> WitnessError {
    block_on(WitnessServer::start(store, person(key), topic)).err().expect("it does not start")
}

fn request(fact: &SignedFact) -> Vec<u8> {
    Request { topic: TOPIC, fact: fact.encode() }.encode()
}

fn ask(witness: &WitnessServer, fact: &SignedFact, now: u64) -> WitnessAnswer {
    block_on(witness.answer(&request(fact), at(now)))
}

/// When the witness says it saw the fact, by a receipt that holds.
fn seen(answer: &WitnessAnswer, fact: &SignedFact) -> Timestamp {
    let WitnessAnswer::Receipt(bytes) = answer else { panic!("no receipt: {answer:?}") };
    let signed = check_receipt(bytes, &[person("witness").identity()], fact, &TOPIC).unwrap();
    match signed.statement() {
        Fact::Receipt(receipt) => receipt.witnessed_at,
        other => panic!("{other:?}"),
    }
}

fn taken(by: &str, witnessed_at: u64) -> WitnessAnswer {
    WitnessAnswer::Refused(WitnessRefusal::Taken { by: person(by).identity(), witnessed_at: at(witnessed_at) })
}

#[test]
fn first_claim_gets_a_receipt_and_look_alikes_none_after_a_restart_too() {
    let store = Rc::new(MemoryStore::new());
    let witness = start(&store);
    let alices = claim(&person("alice"), "alice_smith", at(NOON));
    // Dated before, and spelled with a digit.
    let mallorys = claim(&person("mallory"), "A1ice-Smith", at(5));
    assert_eq!(seen(&ask(&witness, &alices, NOON), &alices), at(NOON));
    assert_eq!(ask(&witness, &mallorys, NOON + 1), taken("alice", NOON));
    let again = start(&Rc::new(store.copy()));
    assert_eq!(ask(&again, &mallorys, NOON + 2), taken("alice", NOON));
    assert_eq!(seen(&ask(&again, &alices, NOON + 3), &alices), at(NOON), "asked again it says the same");
    assert_eq!(block_on(again.receipted()), 1, "a replay takes no room");
}

#[test]
fn relinquished_name_is_receipted_after_the_cool_down() {
    let store = Rc::new(MemoryStore::new());
    let witness = start(&store);
    let (alice, bob) = (person("alice"), person("bob"));
    let first = claim(&alice, "nova", at(NOON));
    let given_up = release(&alice, &first, at(NOON + 1));
    assert_eq!(ask(&witness, &given_up, NOON), WitnessAnswer::Refused(WitnessRefusal::UnknownClaim));
    seen(&ask(&witness, &first, NOON), &first);
    assert_eq!(ask(&witness, &release(&bob, &first, at(NOON)), NOON), WitnessAnswer::Refused(WitnessRefusal::NotYours));
    seen(&ask(&witness, &given_up, NOON + 2), &given_up);
    let wanted = claim(&bob, "nova", at(NOON + 3));
    let witness = start(&Rc::new(store.copy()));
    let free_at = NOON + 2 + COOL_DOWN;
    let cooling = WitnessAnswer::Refused(WitnessRefusal::CoolingDown { free_at: at(free_at) });
    assert_eq!(ask(&witness, &wanted, free_at - 1), cooling);
    assert_eq!(seen(&ask(&witness, &wanted, free_at), &wanted), at(free_at));
}

#[test]
fn foreign_requests_are_neither_served_nor_stored() {
    let store = Rc::new(MemoryStore::new());
    let witness = start(&store);
    let fact = claim(&person("alice"), "nova", at(NOON));
    let answer = |bytes: &[u8]| block_on(witness.answer(bytes, at(NOON)));
    let other = Request { topic: Topic::from_bytes([8; 32]), fact: fact.encode() };
    assert_eq!(answer(&other.encode()), WitnessAnswer::NotServed(NotServed::ForeignTopic));
    for bytes in [&b""[..], b"hello", &request(&fact)[1..]] {
        assert_eq!(answer(bytes), WitnessAnswer::NotServed(NotServed::Unreadable));
    }
    let whole = fact.encode();
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut forged = whole.clone();
        forged[at] ^= 1;
        let asked = Request { topic: TOPIC, fact: forged }.encode();
        assert_eq!(answer(&asked), WitnessAnswer::NotServed(NotServed::BadFact), "{at}");
    }
    let receipt = receipt(&person("witness"), &fact, at(NOON));
    assert_eq!(answer(&request(&receipt)), WitnessAnswer::Refused(WitnessRefusal::NotAboutNames));
    assert_eq!(store.keys(Table::Changes), Vec::<String>::new());
    seen(&ask(&witness, &fact, NOON), &fact);
}

#[test]
fn receipt_is_not_signed_when_the_store_fails() {
    let store = Rc::new(MemoryStore::new());
    let witness = start(&store);
    let (alices, bobs) = (claim(&person("alice"), "nova", at(NOON)), claim(&person("bob"), "nova", at(NOON)));
    store.fail_commits(Some(StoreError::Full));
    assert_eq!(ask(&witness, &alices, NOON), WitnessAnswer::Busy);
    store.fail_commits(None);
    // It was not noted either: whoever comes first now is the first.
    seen(&ask(&witness, &bobs, NOON + 1), &bobs);
    assert_eq!(ask(&witness, &alices, NOON + 2), taken("bob", NOON + 1));
    store.fail_commits(Some(StoreError::Full));
    assert_eq!(seen(&ask(&witness, &bobs, NOON + 3), &bobs), at(NOON + 1), "what is stored is signed again");
}

/// The process ends after the write and before the answer: every write takes place, no caller hears of it.
struct CrashAfterWrite(Rc<MemoryStore>);

impl Store for CrashAfterWrite {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        self.0.get(table, key)
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.0.scan(table, prefix, after, limit)
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        Box::pin(async move {
            assert_eq!(durability, Durability::Strict, "a receipt waits for the disk");
            self.0.commit(batch, durability).await?;
            std::future::pending().await
        })
    }
}

#[test]
fn witness_killed_before_answering_gives_the_same_receipt_later() {
    let store = Rc::new(MemoryStore::new());
    drop(start(&store));
    let fact = claim(&person("alice"), "nova", at(NOON));
    let crashing = Rc::new(CrashAfterWrite(store.clone()));
    let witness = block_on(WitnessServer::start(crashing, person("witness"), TOPIC)).unwrap();
    let asked = request(&fact);
    let mut answering = Box::pin(witness.answer(&asked, at(NOON)));
    assert!((&mut answering).now_or_never().is_none(), "it has not answered");
    drop(answering);
    let again = start(&Rc::new(store.copy()));
    assert_eq!(ask(&again, &claim(&person("bob"), "nova", at(NOON)), NOON + 1), taken("alice", NOON));
    assert_eq!(seen(&ask(&again, &fact, NOON + 500), &fact), at(NOON));
}

#[test]
fn concurrent_claims_of_one_name_get_one_receipt() {
    let witness = start(&Rc::new(MemoryStore::new()));
    let people: Vec<_> = (0..20).map(|number| person(&format!("person {number}"))).collect();
    let requests: Vec<_> = people.iter().map(|author| request(&claim(author, "nova", at(NOON)))).collect();
    let answers = block_on(join_all(requests.iter().map(|request| witness.answer(request, at(NOON)))));
    let receipts = answers.iter().filter(|answer| matches!(answer, WitnessAnswer::Receipt(_))).count();
    let refused =
        answers.iter().filter(|answer| matches!(answer, WitnessAnswer::Refused(WitnessRefusal::Taken { .. }))).count();
    assert_eq!((receipts, refused), (1, 19));
}

#[test]
fn wrong_witness_clock_does_not_reorder_receipts() {
    let store = Rc::new(MemoryStore::new());
    let witness = start(&store);
    let fact = |name: &str| claim(&person(name), name, at(NOON - 2 * SKEW));
    let (first, second, third) = (fact("first"), fact("second"), fact("third"));
    seen(&ask(&witness, &first, NOON), &first);
    assert_eq!(seen(&ask(&witness, &second, NOON - SKEW), &second), at(NOON), "set back a little: never before");
    let witness = start(&Rc::new(store.copy()));
    assert_eq!(ask(&witness, &third, NOON - SKEW - 1), WitnessAnswer::Busy, "set back a lot");
    seen(&ask(&witness, &third, NOON), &third);
    let ahead = claim(&person("fourth"), "fourth", at(NOON + SKEW + 1));
    let counts_from = at(NOON + 1);
    assert_eq!(ask(&witness, &ahead, NOON), WitnessAnswer::Refused(WitnessRefusal::FromTheFuture { counts_from }));
}

#[test]
fn full_receipt_log_repeats_old_receipts_only() {
    let witness = start(&Rc::new(MemoryStore::new())).with_room_for(2);
    let fact = |name: &str| claim(&person(name), name, at(NOON));
    let (first, second) = (fact("first"), fact("second"));
    seen(&ask(&witness, &first, NOON), &first);
    seen(&ask(&witness, &second, NOON), &second);
    assert_eq!(ask(&witness, &fact("third"), NOON), WitnessAnswer::Busy);
    seen(&ask(&witness, &first, NOON + 1), &first);
}

#[test]
fn incomplete_or_foreign_receipt_log_is_rejected() {
    let store = Rc::new(MemoryStore::new());
    let witness = start(&store);
    for name in ["first", "second", "third"] {
        let fact = claim(&person(name), name, at(NOON));
        seen(&ask(&witness, &fact, NOON), &fact);
    }
    let copy = || Rc::new(store.copy());
    let error = refused_start(copy(), "another", TOPIC);
    assert!(matches!(error, WitnessError::OtherKey { .. }), "{error}");
    let error = refused_start(copy(), "witness", Topic::from_bytes([8; 32]));
    assert!(matches!(error, WitnessError::OtherTopic), "{error}");
    let middle = store.keys(Table::Changes)[1].clone();
    let damaged = copy();
    assert!(damaged.tamper(Table::Changes, &middle, |raw| raw[10] ^= 1));
    let error = refused_start(damaged, "witness", TOPIC);
    assert!(matches!(&error, WitnessError::Damaged(key) if *key == middle), "{error}");
    let gap = copy();
    let delete = vec![gen_registry_node::store::Write::Delete { table: Table::Changes, key: middle }];
    block_on(gap.commit(delete, Durability::Strict)).unwrap();
    let error = refused_start(gap, "witness", TOPIC);
    assert!(matches!(error, WitnessError::Gap(_)), "{error}");
    start(&copy());
}

#[test]
fn unsaved_witness_key_leaves_no_receipt_log() {
    let store = Rc::new(MemoryStore::new());
    drop(start(&store));
    let next = block_on(WitnessServer::start(store, person("another"), TOPIC)).unwrap();
    assert_eq!(next.identity(), person("another").identity());
}

#[test]
fn receipt_log_in_a_file_survives_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("witness.db");
    let open = || {
        let store = Rc::new(SqliteStore::open(&path).unwrap());
        block_on(WitnessServer::start(store, person("witness"), TOPIC)).unwrap()
    };
    let fact = |number: usize| claim(&person(&format!("person {number}")), &format!("name{number}x"), at(NOON));
    let first = open();
    // More than one page of records.
    for number in 0..300 {
        seen(&ask(&first, &fact(number), NOON + number as u64), &fact(number));
    }
    drop(first);
    let second = open();
    assert_eq!(block_on(second.receipted()), 300);
    for number in [0, 255, 256, 299] {
        assert_eq!(seen(&ask(&second, &fact(number), NOON + 999), &fact(number)), at(NOON + number as u64));
    }
}
