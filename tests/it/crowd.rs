//! The crowd that stories and the benchmark page start from is a registry like any other.

#[path = "../support/crowd.rs"]
#[allow(dead_code, reason = "benchmarks use the rest")]
mod shared;

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Durability, Store, Table, Write};

const PEOPLE: u64 = 50;

#[test]
fn crowd_round_trips_through_its_file() {
    let lines = shared::lines(PEOPLE);
    let store = Rc::new(MemoryStore::new());
    let mut batch = Vec::new();
    for line in lines.lines() {
        let (table, key, hex): (String, String, String) = serde_json::from_str(line).unwrap();
        let table = *Table::ALL.iter().find(|known| known.name() == table).unwrap();
        let bytes = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
        batch.push(Write::Put { table, key, bytes });
    }
    block_on(store.commit(batch, Durability::Relaxed)).unwrap();
    let node = shared::start(store);
    assert_eq!(block_on(node.replication().document_summaries()).unwrap().len() as u64, PEOPLE);
    for nth in [0, PEOPLE / 2, PEOPLE - 1] {
        assert!(node.replication().name_state(&shared::name(nth)).unwrap().holder().is_some());
    }
}
