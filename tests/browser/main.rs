//! Tests that need a real browser: IndexedDB, WebRTC, and that WebAssembly comes to the same verdicts as the native program.
#![cfg(target_arch = "wasm32")]

mod indexed_db;
mod mesh;
#[path = "../support/pipe.rs"]
mod pipe;
#[path = "../support/verdicts.rs"]
mod verdicts;
mod webrtc;
mod websocket;

use std::cell::Cell;
use std::rc::Rc;

use gen_registry_api::{Answer, Command, FailureCode, ModuleCommand, ProfileChanges};
use gen_registry_core::jobs::Job;
use gen_registry_node::Network;
use gen_registry_node::Node;
use gen_registry_node::platform::Environment;
use gen_registry_node::platform::browser::Browser;
use gen_registry_node::store::indexed_db::{IndexedDb, StoreEvent};
use gen_registry_node::store::{Durability, Store, StoreError, Table, Write, conformance};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

async fn fresh(name: &str) -> IndexedDb {
    IndexedDb::delete(name).await.expect("a database of a test can be deleted");
    IndexedDb::open(name, |_| {}).await.expect("a database opens")
}

fn put(key: &str, bytes: &[u8]) -> Write {
    Write::Put { table: Table::Settings, key: key.into(), bytes: bytes.to_vec() }
}

#[wasm_bindgen_test]
async fn the_indexed_db_store_conforms() {
    let store = fresh("conformance").await;
    conformance::check(&store).await;
    store.close();
}

#[wasm_bindgen_test]
async fn committed_data_is_there_after_reopening() {
    let store = fresh("again").await;
    store.commit(vec![put("a", b"1")], Durability::Strict).await.expect("a put");
    store.close();
    let store = IndexedDb::open("again", |_| {}).await.expect("a database opens");
    assert_eq!(store.get(Table::Settings, "a").await, Ok(Some(b"1".to_vec())));
    store.close();
}

#[wasm_bindgen_test]
async fn older_database_gets_the_newest_tables_and_keeps_its_data() {
    let name = "older";
    IndexedDb::delete(name).await.expect("a database of a test can be deleted");
    let tables = Table::ALL.into_iter().filter(|table| *table != Table::Content);
    let first = tables.fold(rexie::Rexie::builder(name).version(1), |builder, table| {
        builder.add_object_store(rexie::ObjectStore::new(table.name()))
    });
    let first = first.build().await.expect("the first version's database");
    let writing = first.transaction(&["blocks"], rexie::TransactionMode::ReadWrite).expect("a transaction");
    let value = js_sys::Uint8Array::from(&b"old"[..]);
    writing.store("blocks").expect("a table").put(&value, Some(&"kept".into())).await.expect("a put");
    writing.done().await.expect("it is written");
    first.close();
    let store = IndexedDb::open(name, |_| {}).await.expect("a database opens");
    assert_eq!(store.get(Table::Blocks, "kept").await, Ok(Some(b"old".to_vec())));
    let write = Write::Put { table: Table::Content, key: "a".into(), bytes: vec![1] };
    store.commit(vec![write], Durability::Strict).await.expect("a put");
    assert_eq!(store.get(Table::Content, "a").await, Ok(Some(vec![1])));
    store.close();
}

#[wasm_bindgen_test]
async fn a_newer_page_takes_the_database_over() {
    let told = Rc::new(Cell::new(false));
    let heard = told.clone();
    let name = "versions";
    IndexedDb::delete(name).await.expect("a database of a test can be deleted");
    let old = IndexedDb::open(name, move |event| heard.set(event == StoreEvent::Newer)).await;
    let old = old.expect("a database opens");
    old.commit(vec![put("a", b"1")], Durability::Strict).await.expect("a put");
    // A page of the future asks for a higher version; this one must make way, not block it.
    let newer = rexie::Rexie::builder(name).version(99).build().await.expect("the upgrade is not blocked");
    assert!(told.get());
    assert_eq!(old.get(Table::Settings, "a").await, Err(StoreError::Newer));
    assert_eq!(old.commit(vec![put("a", b"2")], Durability::Strict).await, Err(StoreError::Newer));
    newer.close();
    assert_eq!(IndexedDb::open(name, |_| {}).await.err(), Some(StoreError::Newer));
}

#[wasm_bindgen_test]
async fn a_profile_survives_on_indexed_db() {
    let store = Rc::new(fresh("profile").await);
    let node = Node::start(store.clone(), Rc::new(Browser), Network::default()).await.expect("a profile opens");
    let claim = Command::RegisterUsername { name: "alice".into(), changes: ProfileChanges::default() };
    let Ok(Answer::Me(before)) = node.handle(claim).await else { panic!("no claim") };
    drop(node);
    let node = Node::start(store, Rc::new(Browser), Network::default()).await.expect("a profile opens");
    assert_eq!(node.handle(Command::WhoAmI).await, Ok(Answer::Me(before)));
}

#[wasm_bindgen_test]
fn webassembly_reaches_the_native_verdicts() {
    assert_eq!(verdicts::verdicts(), verdicts::EXPECTED);
}

/// No worker can be had on a test page, so this is the way without one; the end-to-end tests have the other.
#[wasm_bindgen_test]
async fn without_a_worker_keys_are_locked_and_modules_are_not_validated() {
    assert!(Browser.run_job(Job::Render("text".to_owned())).await.is_none());
    let store = Rc::new(fresh("no-worker").await);
    let node = Node::start(store, Rc::new(Browser), Network::default()).await.expect("a profile opens");
    let claim = Command::RegisterUsername { name: "alice".into(), changes: ProfileChanges::default() };
    assert!(node.handle(claim).await.is_ok());
    let passphrase = "correct horse".to_owned();
    let lock = Command::SetPassphrase { passphrase: Some(passphrase.clone()) };
    assert!(node.handle(lock).await.is_ok());
    assert!(node.handle(Command::Lock).await.is_ok());
    let wrong = node.handle(Command::Unlock { passphrase: "wrong horse".to_owned() }).await;
    assert_eq!(wrong.map_err(|failure| failure.code), Err(FailureCode::WrongPassphrase));
    assert!(node.handle(Command::Unlock { passphrase }).await.is_ok());
    let look = Command::Modules { command: ModuleCommand::Validate { bytes: b"\0asm".to_vec() } };
    assert_eq!(node.handle(look).await.map_err(|failure| failure.code), Err(FailureCode::ReloadNeeded));
}
