//! The crowd that stories and the benchmark page start from is a registry like any other.

#[path = "../support/crowd.rs"]
#[allow(dead_code, reason = "benchmarks use the rest")]
pub mod shared;

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::{Answer, Command};
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Durability, Store, Table, Write};

use crate::support::records::lines;

const PEOPLE: u64 = 50;

#[test]
fn crowd_round_trips_through_its_file() {
    let lines = lines(&*shared::crowded_store(PEOPLE));
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
    for nth in [0, PEOPLE / 2, PEOPLE - 1] {
        let name = shared::name(nth).to_string();
        let Ok(Answer::Name(report)) = block_on(node.handle(Command::LookupUsername { name })) else {
            panic!("no report")
        };
        let holder = report.holder.expect("the name is held").person;
        assert_eq!(holder.display_name, Some(format!("Person number {nth}")));
    }
    let list = Command::ListUsernames { prefix: String::new(), limit: 500, cursor: None };
    let Ok(Answer::People(page)) = block_on(node.handle(list)) else { panic!("no page") };
    assert_eq!(page.people.len() as u64, PEOPLE);
}
