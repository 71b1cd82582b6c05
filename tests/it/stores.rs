//! The conformance suite against the memory store, and what a record's checksum catches.

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry::registry::time::Timestamp;
use gen_registry::store::memory::MemoryStore;
use gen_registry::store::migration::{self, migrate};
use gen_registry::store::records::{Found, Records, put};
use gen_registry::store::{Durability, StoreError, Table, conformance};

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
            assert!(matches!(found, Found::Damaged(_)), "bit {bit}");
        }
    });
}

#[test]
fn a_damaged_record_is_set_aside_byte_for_byte() {
    block_on(async {
        let store = Rc::new(MemoryStore::new());
        let records = Records::new(store.clone());
        let batch = vec![put(Table::People, "a", &1_u8), put(Table::People, "b", &2_u8)];
        records.commit(batch, Durability::Strict).await.unwrap();
        assert!(store.tamper(Table::People, "a", |raw| raw.truncate(3)));
        let (good, damaged) = records.all::<u8>(Table::People, "").await.unwrap();
        assert_eq!(good, [("b".to_owned(), 2)]);
        records.quarantine(&damaged[0], Timestamp::from_millis(5)).await.unwrap();
        assert_eq!(records.get::<u8>(Table::People, "a").await.unwrap(), Found::Nothing);
        assert_eq!(store.keys(Table::Quarantine), ["people/a"]);
    });
}

#[test]
fn stored_data_of_a_newer_version_is_left_alone() {
    block_on(async {
        let records = Records::new(Rc::new(MemoryStore::new()));
        migrate(&records).await.unwrap();
        migrate(&records).await.unwrap();
        let newer = put(Table::Settings, "schema", &(migration::VERSION + 1));
        records.commit(vec![newer], Durability::Strict).await.unwrap();
        assert_eq!(migrate(&records).await, Err(StoreError::Newer));
    });
}
