//! Writes the records of 10,000 people, for stories and the benchmark page: `people FILE`.

#[path = "../support/records.rs"]
mod records;
#[path = "../support/crowd.rs"]
#[allow(dead_code, reason = "benchmarks use the rest")]
mod shared;

use gen_registry_node::store::Table;

const PEOPLE: u64 = 10_000;

fn main() -> std::io::Result<()> {
    let file = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: people FILE"))?;
    let tables = [Table::People, Table::Facts, Table::Headers, Table::Changes];
    std::fs::write(file, records::lines(&*shared::crowded_store(PEOPLE), &tables))
}
