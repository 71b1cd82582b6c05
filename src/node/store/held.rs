//! What a store holds in memory besides: records that exist nowhere else, for the moment in which a browser takes the
//! stored data away under an open page.
//!
//! What is held is named by ranges, each a table and the beginning of keys. A range is read once and then follows every
//! commit, so [`Held::batch`] is at any time what the store has in it.

use std::collections::{BTreeMap, BTreeSet};

use crate::store::{Batch, Entry, Table, Write};

/// The held records.
#[derive(Debug, Default)]
pub struct Held {
    /// Disjoint, so that the last one before a key is the only one that may have it.
    ranges: BTreeSet<(Table, String)>,
    /// Each with its bytes; `None` for one that was deleted while a range was being read.
    records: BTreeMap<(Table, String), Option<Vec<u8>>>,
    /// Ranges that are being read.
    loading: usize,
}

impl Held {
    /// Whether a range is held already.
    pub fn covers(&self, table: Table, prefix: &str) -> bool {
        let last = self.ranges.range(..=(table, prefix.to_owned())).next_back();
        last.is_some_and(|(of, held)| *of == table && prefix.starts_with(held.as_str()))
    }

    /// Begins to follow a range, which is then read from the store and given to [`Held::finish`].
    pub fn begin(&mut self, table: Table, prefix: &str) {
        if !self.covers(table, prefix) {
            self.ranges.retain(|(of, held)| *of != table || !held.starts_with(prefix));
            self.ranges.insert((table, prefix.to_owned()));
        }
        self.loading += 1;
    }

    /// Takes over what was read of a range. What was committed meanwhile is newer and stays.
    pub fn finish(&mut self, table: Table, entries: Vec<Entry>) {
        for (key, bytes) in entries {
            self.records.entry((table, key)).or_insert(Some(bytes));
        }
        self.loading = self.loading.saturating_sub(1);
        if self.loading == 0 {
            self.records.retain(|_, bytes| bytes.is_some());
        }
    }

    /// Follows a batch that was committed.
    pub fn apply(&mut self, batch: &[Write]) {
        for write in batch {
            if !self.covers(write.table(), write.key()) {
                continue;
            }
            let place = (write.table(), write.key().to_owned());
            match write.bytes() {
                None if self.loading == 0 => drop(self.records.remove(&place)),
                bytes => drop(self.records.insert(place, bytes.map(<[u8]>::to_vec))),
            }
        }
    }

    /// Returns the writes that store what is held in an empty store.
    pub fn batch(&self) -> Batch {
        let present = self.records.iter().filter_map(|((table, key), bytes)| Some((*table, key, bytes.as_ref()?)));
        present.map(|(table, key, bytes)| Write::Put { table, key: key.clone(), bytes: bytes.clone() }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(key: &str, bytes: &[u8]) -> Write {
        Write::Put { table: Table::Facts, key: key.to_owned(), bytes: bytes.to_vec() }
    }

    fn delete(key: &str) -> Write {
        Write::Delete { table: Table::Facts, key: key.to_owned() }
    }

    #[test]
    fn a_range_follows_every_commit_and_nothing_else_is_held() {
        let mut held = Held::default();
        held.apply(&[put("alice/0", b"before")]);
        assert!(held.batch().is_empty(), "no range is held");
        held.begin(Table::Facts, "alice/");
        held.finish(Table::Facts, vec![("alice/0".to_owned(), b"0".to_vec()), ("alice/1".to_owned(), b"1".to_vec())]);
        assert!(held.covers(Table::Facts, "alice/1") && !held.covers(Table::Headers, "alice/1"));
        held.apply(&[put("alice/1", b"one"), put("alice/2", b"2"), put("bob/0", b"0"), delete("alice/0")]);
        assert_eq!(held.batch(), [put("alice/1", b"one"), put("alice/2", b"2")]);
    }

    #[test]
    fn a_range_may_be_within_a_later_one() {
        let mut held = Held::default();
        for prefix in ["alice/1/", "alice/3/", "alice/", "alice/2/"] {
            held.begin(Table::Facts, prefix);
            held.finish(Table::Facts, Vec::new());
        }
        for key in ["alice/", "alice/0", "alice/1/0", "alice/2", "alice/4/0"] {
            assert!(held.covers(Table::Facts, key), "{key}");
        }
        assert!(!held.covers(Table::Facts, "alic") && !held.covers(Table::Facts, "bob"));
    }

    #[test]
    fn what_is_committed_while_a_range_is_read_is_not_overwritten_by_what_was_read() {
        let mut held = Held::default();
        held.begin(Table::Facts, "alice/");
        held.apply(&[put("alice/0", b"newer"), delete("alice/1")]);
        held.finish(
            Table::Facts,
            vec![("alice/0".to_owned(), b"older".to_vec()), ("alice/1".to_owned(), b"1".to_vec())],
        );
        assert_eq!(held.batch(), [put("alice/0", b"newer")]);
    }
}
