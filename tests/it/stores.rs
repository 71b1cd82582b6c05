//! The conformance suite against the memory store and SQLite, what SQLite refuses to open, and what a record's checksum catches.

use std::fs;
use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_core::time::Timestamp;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::migration::{self, migrate};
use gen_registry_node::store::records::{Records, StoredRecord, put};
use gen_registry_node::store::sqlite::{SqliteError, SqliteStore};
use gen_registry_node::store::{Durability, Store, StoreError, Table, conformance};

#[test]
fn the_memory_store_conforms() {
    block_on(conformance::check(&MemoryStore::new()));
}

#[test]
fn every_flipped_bit_of_a_record_is_found() {
    block_on(async {
        let store = Rc::new(MemoryStore::new());
        let records = Records::new(store.clone());
        let record = ("some text".to_owned(), 42_u64);
        records.commit(vec![put(Table::Settings, "a", &record)], Durability::Strict).await.unwrap();
        let length = store.copy();
        let mut bytes = 0;
        assert!(length.tamper(Table::Settings, "a", |raw| bytes = raw.len()));
        for bit in 0..bytes * 8 {
            let copy = Rc::new(store.copy());
            assert!(copy.tamper(Table::Settings, "a", |raw| raw[bit / 8] ^= 1 << (bit % 8)));
            let found = Records::new(copy).get::<(String, u64)>(Table::Settings, "a").await.unwrap();
            assert!(matches!(found, StoredRecord::Damaged(_)), "bit {bit}");
        }
    });
}

#[test]
fn damaged_record_is_quarantined_byte_for_byte() {
    block_on(async {
        let store = Rc::new(MemoryStore::new());
        let records = Records::new(store.clone());
        let batch = vec![put(Table::People, "a", &1_u8), put(Table::People, "b", &2_u8)];
        records.commit(batch, Durability::Strict).await.unwrap();
        assert!(store.tamper(Table::People, "a", |raw| raw.truncate(3)));
        let (good, damaged) = records.all::<u8>(Table::People, "").await.unwrap();
        assert_eq!(good, [("b".to_owned(), 2)]);
        records.quarantine(&damaged[0], Timestamp::from_millis(5)).await.unwrap();
        assert_eq!(records.get::<u8>(Table::People, "a").await.unwrap(), StoredRecord::Nothing);
        assert_eq!(store.keys(Table::Quarantine), ["people/a"]);
    });
}

#[test]
fn data_of_a_newer_version_is_not_opened() {
    block_on(async {
        let records = Records::new(Rc::new(MemoryStore::new()));
        migrate(&records).await.unwrap();
        migrate(&records).await.unwrap();
        let newer = put(Table::Settings, "schema", &(migration::VERSION + 1));
        records.commit(vec![newer], Durability::Strict).await.unwrap();
        assert_eq!(migrate(&records).await, Err(StoreError::Newer));
    });
}

#[test]
fn sqlite_store_conforms_and_persists() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let batch = || vec![put(Table::Settings, "a", &7_u8)];
    for durability in [Durability::Strict, Durability::Relaxed] {
        let store = SqliteStore::open(&path).unwrap();
        block_on(conformance::check(&store));
        block_on(store.commit(batch(), durability)).unwrap();
        drop(store);
        let records = Records::new(Rc::new(SqliteStore::open(&path).unwrap()));
        assert_eq!(block_on(records.get::<u8>(Table::Settings, "a")).unwrap(), StoredRecord::Record(7));
    }
}

#[test]
fn database_file_is_locked_by_one_program() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let first = SqliteStore::open(&path).unwrap();
    assert!(matches!(SqliteStore::open(&path), Err(SqliteError::InUse(_))));
    drop(first);
    SqliteStore::open(&path).unwrap();
}

#[test]
fn damaged_foreign_or_newer_files_are_not_opened_nor_changed() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |name: &str| {
        let path = folder.path().join(name);
        let before = fs::read(&path).unwrap();
        let error = SqliteStore::open(&path).err().expect("it is refused");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        assert_eq!(fs::read(&path).unwrap(), before, "{name} is as it was");
        error
    };
    fs::write(
        folder.path().join("text"),
        "this is a letter and no database, and it is long enough to have a header ".repeat(9),
    )
    .unwrap();
    assert!(matches!(refused("text"), SqliteError::Damaged { .. }));

    let sql = |name: &str, sql: &str| {
        rusqlite::Connection::open(folder.path().join(name)).unwrap().execute_batch(sql).unwrap();
    };
    sql("foreign", "CREATE TABLE letters (text)");
    assert!(matches!(refused("foreign"), SqliteError::Foreign(_)));

    let ours = |name: &str| {
        let store = SqliteStore::open(&folder.path().join(name)).unwrap();
        let batch = (0..200).map(|key| put(Table::Blocks, &key.to_string(), &vec![7_u8; 900])).collect();
        block_on(store.commit(batch, Durability::Strict)).unwrap();
    };
    ours("newer");
    sql("newer", "PRAGMA user_version = 2");
    assert!(matches!(refused("newer"), SqliteError::Newer(_)));

    ours("damaged");
    let path = folder.path().join("damaged");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 4096].fill(0xaa);
    fs::write(&path, bytes).unwrap();
    assert!(matches!(refused("damaged"), SqliteError::Damaged { .. }));
}
