//! What a store holds, written as lines that a page's store takes: for stories and benchmarks in a browser.

use std::fmt::Write as _;

use futures::executor::block_on;
use gen_registry_node::store::{Store, Table};

/// What is known of people and modules; not whose profile it is.
const TABLES: [Table; 7] =
    [Table::People, Table::Facts, Table::Headers, Table::Changes, Table::Evidence, Table::Blocks, Table::Content];

/// The records of these tables, one JSON line `[table, key, base-16 bytes]` for each.
pub fn lines(store: &dyn Store) -> String {
    let mut lines = String::new();
    for table in TABLES {
        for (key, bytes) in block_on(store.scan(table, "", None, usize::MAX)).expect("a scan") {
            write!(lines, "[\"{}\",\"{key}\",\"", table.name()).expect("a String takes all");
            for byte in bytes {
                write!(lines, "{byte:02x}").expect("a String takes all");
            }
            lines.push_str("\"]\n");
        }
    }
    lines
}
