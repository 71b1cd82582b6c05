//! A SQLite file of pairs, for what is no part of a node's store: the same file as a store's, with one table of its own.

use std::path::Path;

use rusqlite::params;

use super::{SqliteError, SqliteStore, failed};
use crate::store::StoreError;

/// What its rows name in place of a table of the store.
const TABLE: &str = "pairs";

/// The file. Writes wait for no disk: a loss of power may take the last ones.
pub struct PairFile(SqliteStore);

impl PairFile {
    /// Opens the file, or creates it; fails as [`SqliteStore::open`] does.
    pub fn open(path: &Path) -> Result<Self, SqliteError> {
        let store = SqliteStore::open(path)?;
        let relaxed = store.connection.borrow().execute_batch("PRAGMA synchronous = NORMAL");
        relaxed.map_err(|source| SqliteError::Open { path: path.to_owned(), source })?;
        Ok(Self(store))
    }

    /// Returns all pairs, in the order of their keys.
    pub fn load(&self) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        let connection = self.0.connection.borrow();
        let read = || -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
            let mut statement = connection.prepare("SELECT key, bytes FROM records WHERE tbl = ?1 ORDER BY key")?;
            let rows = statement.query_map([TABLE], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        read().map_err(|error| failed(&error, StoreError::Read))
    }

    /// Writes a pair, in place of the one of its key.
    pub fn put(&self, key: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let write = "INSERT OR REPLACE INTO records (tbl, key, bytes) VALUES (?1, ?2, ?3)";
        let connection = self.0.connection.borrow();
        let written = connection.prepare_cached(write).and_then(|mut write| write.execute(params![TABLE, key, bytes]));
        written.map(drop).map_err(|error| failed(&error, StoreError::Aborted))
    }

    /// Removes the pair of a key, if there is one.
    pub fn remove(&self, key: &str) -> Result<(), StoreError> {
        let connection = self.0.connection.borrow();
        let removed = connection
            .prepare_cached("DELETE FROM records WHERE tbl = ?1 AND key = ?2")
            .and_then(|mut remove| remove.execute([TABLE, key]));
        removed.map(drop).map_err(|error| failed(&error, StoreError::Aborted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_there_again_after_the_file_was_closed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.db");
        let file = PairFile::open(&path).unwrap();
        for (key, bytes) in [("b", &b"1"[..]), ("a", b"2"), ("c", b"3"), ("b", b"4")] {
            file.put(key, bytes).unwrap();
        }
        file.remove("c").unwrap();
        file.remove("nothing").unwrap();
        drop(file);
        let read = PairFile::open(&path).unwrap().load().unwrap();
        assert_eq!(read, [("a".to_owned(), b"2".to_vec()), ("b".to_owned(), b"4".to_vec())]);
    }
}
