//! IndexedDB as the browser has it: one writer under a lease, and a database that is taken away while it is open.

use std::cell::RefCell;
use std::rc::Rc;

use gen_registry_node::store::indexed_db::{IndexedDb, StoreEvent};
use gen_registry_node::store::{Durability, Store, StoreError, Table, Write, conformance};
use gloo_timers::future::TimeoutFuture;
use js_sys::Uint8Array;
use rexie::{Rexie, TransactionMode};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

type Events = Rc<RefCell<Vec<StoreEvent>>>;

/// How often a condition is looked at before the test fails, and how long between.
const LOOKS: u32 = 400;
const LOOK_MILLIS: u32 = 25;

async fn open(name: &str) -> (IndexedDb, Events) {
    let events = Events::default();
    let heard = events.clone();
    let store = IndexedDb::open(name, move |event| heard.borrow_mut().push(event)).await.expect("a database opens");
    (store, events)
}

async fn eventually(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..LOOKS {
        if condition() {
            return;
        }
        TimeoutFuture::new(LOOK_MILLIS).await;
    }
    panic!("never happened: {what}");
}

fn put(table: Table, key: &str, bytes: &[u8]) -> Vec<Write> {
    vec![Write::Put { table, key: key.into(), bytes: bytes.to_vec() }]
}

async fn deleted(name: &str) {
    IndexedDb::delete(name).await.expect("a database of a test can be deleted");
}

#[wasm_bindgen_test]
async fn the_store_conforms_under_a_lease() {
    deleted("conformance-lease").await;
    let (store, events) = open("conformance-lease").await;
    assert_eq!(store.take_lease("a", None).await, Ok(true));
    conformance::check(&store).await;
    assert_eq!(store.renew_lease().await, Ok(()));
    assert!(events.borrow().is_empty());
    store.close();
}

#[wasm_bindgen_test]
async fn nothing_that_a_former_holder_of_the_lease_writes_is_stored() {
    let name = "former-holder";
    deleted(name).await;
    let ((former, events), (next, _)) = (open(name).await, open(name).await);
    assert_eq!(former.take_lease("former", None).await, Ok(true));
    former.commit(put(Table::Settings, "a", b"1"), Durability::Strict).await.expect("the holder writes");
    let seen = next.read_lease().await.expect("a lease");
    assert_eq!(former.renew_lease().await, Ok(()));
    assert_eq!(next.take_lease("next", seen.as_deref()).await, Ok(false), "it was renewed since it was seen");
    let seen = next.read_lease().await.expect("a lease");
    assert_eq!(next.take_lease("next", seen.as_deref()).await, Ok(true));
    assert!(events.borrow().is_empty(), "the former holder has not noticed yet");
    for durability in [Durability::Strict, Durability::Relaxed] {
        let late = former.commit(put(Table::Settings, "a", b"late"), durability).await;
        assert_eq!(late, Err(StoreError::NotWriter));
    }
    assert_eq!(events.borrow()[0], StoreEvent::Superseded);
    assert_eq!(former.renew_lease().await, Err(StoreError::NotWriter));
    assert_eq!(next.get(Table::Settings, "a").await, Ok(Some(b"1".to_vec())));
    next.commit(put(Table::Settings, "a", b"2"), Durability::Strict).await.expect("the new holder writes");
    assert_eq!(former.get(Table::Settings, "a").await, Ok(Some(b"2".to_vec())));
    former.close();
    next.close();
}

#[wasm_bindgen_test]
async fn of_many_that_take_the_lease_at_once_one_has_it() {
    let name = "at-once";
    deleted(name).await;
    let mut stores = Vec::new();
    for _ in 0..8 {
        stores.push(open(name).await.0);
    }
    let taking = stores.iter().enumerate().map(|(tab, store)| async move {
        let tab = tab.to_string();
        let taken = store.take_lease(&tab, None).await.expect("the database works");
        let written = store.commit(put(Table::Keys, "k", tab.as_bytes()), Durability::Strict).await;
        (taken, written)
    });
    let outcomes = futures::future::join_all(taking).await;
    assert_eq!(outcomes.iter().filter(|(taken, _)| *taken).count(), 1);
    // Those without a lease write as a store without one does; the key that is there stays all the same.
    assert_eq!(outcomes.iter().filter(|(_, written)| written.is_ok()).count(), 1);
    stores.into_iter().for_each(IndexedDb::close);
}

#[wasm_bindgen_test]
async fn what_is_held_is_written_anew_when_the_database_is_deleted() {
    let name = "deleted";
    deleted(name).await;
    let (store, events) = open(name).await;
    assert_eq!(store.take_lease("a", None).await, Ok(true));
    store.commit(put(Table::Settings, "before", b"1"), Durability::Strict).await.expect("a put");
    store.hold(Table::Settings, "").await.expect("what is stored is read");
    store.hold(Table::Keys, "").await.expect("what is stored is read");
    store.commit(put(Table::Keys, "k", b"key"), Durability::Strict).await.expect("a put");
    store.commit(put(Table::People, "bob", b"bob"), Durability::Strict).await.expect("a put");
    deleted(name).await;
    eventually("the store is told", || !events.borrow().is_empty()).await;
    assert_eq!(*events.borrow(), [StoreEvent::Emptied]);
    assert!(store.was_emptied());
    assert_eq!(store.get(Table::Keys, "k").await, Ok(Some(b"key".to_vec())));
    assert_eq!(store.get(Table::Settings, "before").await, Ok(Some(b"1".to_vec())));
    assert_eq!(store.get(Table::People, "bob").await, Ok(None), "it was really deleted");
    store.commit(put(Table::Settings, "after", b"2"), Durability::Strict).await.expect("the lease goes on");
    // Another page reads the same.
    let (other, _) = open(name).await;
    assert_eq!(other.get(Table::Keys, "k").await, Ok(Some(b"key".to_vec())));
    assert_eq!(other.get(Table::Settings, "after").await, Ok(Some(b"2".to_vec())));
    other.close();
    store.close();
}

#[wasm_bindgen_test]
async fn a_key_that_another_page_stored_meanwhile_is_not_written_over() {
    let name = "deleted-and-taken";
    deleted(name).await;
    let (store, events) = open(name).await;
    store.hold(Table::Keys, "").await.expect("what is stored is read");
    store.commit(put(Table::Keys, "k", b"mine"), Durability::Strict).await.expect("a put");
    // The other page's opening is queued right behind the deletion, before this store hears of it.
    let other = async {
        let keys = rexie::ObjectStore::new(Table::Keys.name());
        let other = rexie::Rexie::builder(name).version(1).add_object_store(keys).build().await.expect("it is new");
        let writing =
            other.transaction(&[Table::Keys.name()], rexie::TransactionMode::ReadWrite).expect("a transaction");
        let value = js_sys::Uint8Array::from(&b"theirs"[..]);
        writing.store(Table::Keys.name()).expect("a table").put(&value, Some(&"k".into())).await.expect("a put");
        writing.done().await.expect("it is written");
        other.close();
    };
    futures::join!(deleted(name), other);
    eventually("the store is told", || !events.borrow().is_empty()).await;
    assert_eq!(*events.borrow(), [StoreEvent::Withdrawn]);
    assert_eq!(store.commit(put(Table::Settings, "x", b"x"), Durability::Strict).await, Err(StoreError::Lost));
    assert_eq!(store.held(), put(Table::Keys, "k", b"mine"), "it still has its own");
    store.close();
    let (later, _) = open(name).await;
    assert_eq!(later.get(Table::Keys, "k").await, Ok(Some(b"theirs".to_vec())), "which took the place of no other");
    later.close();
}

#[wasm_bindgen_test]
async fn secrets_are_stored_sealed_and_every_page_of_the_database_opens_them() {
    let name = "sealed-secrets";
    deleted(name).await;
    let ((store, _), (other, _)) = futures::join!(open(name), open(name));
    assert!(store.seals_secrets() && other.seals_secrets());
    let secret = b"0123456789abcdef0123456789abcdef";
    for table in [Table::Keys, Table::Quarantine, Table::Settings] {
        store.commit(put(table, "k", secret), Durability::Strict).await.expect("it is stored");
        assert_eq!(other.get(table, "k").await, Ok(Some(secret.to_vec())), "{}", table.name());
        assert_eq!(other.scan(table, "", None, 9).await, Ok(vec![("k".into(), secret.to_vec())]));
        let raw = read_raw(name, table, "k").await;
        let is_sealed = !raw.windows(secret.len()).any(|part| part == secret);
        assert_eq!(is_sealed, table.is_secret(), "{}", table.name());
    }

    // Put in another place it does not open, and is left as it is.
    write_raw(name, Table::Keys, "moved", &read_raw(name, Table::Keys, "k").await).await;
    let moved = other.get(Table::Keys, "moved").await.expect("it can be read").expect("it is there");
    assert!(!moved.windows(secret.len()).any(|part| part == secret));
    store.close();
    other.close();
}

/// What a script reads in a database.
async fn read_raw(name: &str, table: Table, key: &str) -> Vec<u8> {
    let database = Rexie::builder(name).build().await.expect("a database");
    let reading = database.transaction(&[table.name()], TransactionMode::ReadOnly).expect("a transaction");
    let value = reading.store(table.name()).expect("a table").get(JsValue::from_str(key)).await.expect("a value");
    database.close();
    Uint8Array::new(&value.expect("it is stored")).to_vec()
}

/// What a script writes into it.
async fn write_raw(name: &str, table: Table, key: &str, bytes: &[u8]) {
    let database = Rexie::builder(name).build().await.expect("a database");
    let writing = database.transaction(&[table.name()], TransactionMode::ReadWrite).expect("a transaction");
    let store = writing.store(table.name()).expect("a table");
    store.put(&Uint8Array::from(bytes), Some(&JsValue::from_str(key))).await.expect("a write");
    writing.done().await.expect("it is stored");
    database.close();
}
