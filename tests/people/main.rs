//! Writes the records of 10,000 people, for stories and the benchmark page: `people FILE`.

#[path = "../support/records.rs"]
mod records;
#[path = "../support/crowd.rs"]
#[allow(dead_code, reason = "benchmarks use the rest")]
mod shared;

const PEOPLE: u64 = 10_000;

fn main() -> std::io::Result<()> {
    let file = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("usage: people FILE"))?;
    std::fs::write(file, records::lines(&*shared::crowded_store(PEOPLE)))
}
