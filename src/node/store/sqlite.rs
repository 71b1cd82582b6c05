//! The store of a server: one SQLite file with one table.
//!
//! The file belongs to one process at a time, since two witnesses that answer from it could contradict each other: it
//! is locked for as long as it is open. A file that is damaged, foreign or newer is an error, never replaced. Calls
//! block their thread; a server gives the store its own.

mod pair_file;

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::{LocalBoxFuture, ready};
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, params};

use crate::store::{Batch, Durability, Entry, Store, StoreError, Table};

pub use pair_file::PairFile;

/// Marks the file as one of this program (SQLite, `PRAGMA application_id`): "GenR".
const APPLICATION_ID: i64 = 0x4765_6e52;
/// The version of the table below.
const SCHEMA_VERSION: i64 = 1;
/// How long to wait for another process to release the file, when one program follows another.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// The only table. Rows are stored in the order of the primary key, so a scan reads them in sequence.
const SCHEMA: &str = "CREATE TABLE records (tbl TEXT NOT NULL, key TEXT NOT NULL, bytes BLOB NOT NULL, \
    PRIMARY KEY (tbl, key)) WITHOUT ROWID";

/// Why the file can't be opened. Nothing was changed in it.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    #[error("the file {} is in use by another program; stop that one first", .0.display())]
    InUse(PathBuf),
    #[error("the file {} is damaged ({why}). Bring it back from a copy", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("the file {} is not one of this program", .0.display())]
    Foreign(PathBuf),
    #[error("the file {} belongs to a newer version of the program", .0.display())]
    Newer(PathBuf),
    #[error("could not open {}", path.display())]
    Open { path: PathBuf, source: rusqlite::Error },
}

/// The store: a connection to the file.
pub struct SqliteStore {
    connection: RefCell<Connection>,
}

impl SqliteStore {
    /// Opens the file, or creates it. Checks first that it is this program's and no newer, then takes the lock, then
    /// has SQLite check it for damage.
    pub fn open(path: &Path) -> Result<Self, SqliteError> {
        let failed = |source| open_failed(path, source);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(LOCK_PATIENCE).map_err(failed)?;
        match kind(&connection).map_err(failed)? {
            Kind::Ours(SCHEMA_VERSION) => {}
            Kind::Ours(..SCHEMA_VERSION) | Kind::Foreign => return Err(SqliteError::Foreign(path.to_owned())),
            Kind::Ours(_) => return Err(SqliteError::Newer(path.to_owned())),
            Kind::Empty => {}
        }
        // Before WAL: then the lock is held until the file is closed.
        let _: String =
            connection.query_row("PRAGMA locking_mode = EXCLUSIVE", [], |row| row.get(0)).map_err(failed)?;
        let _: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(failed)?;
        make_schema(&mut connection).map_err(failed)?;
        let found: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(failed)?;
        if found != "ok" {
            return Err(SqliteError::Damaged { path: path.to_owned(), why: found });
        }
        Ok(Self { connection: RefCell::new(connection) })
    }

    /// Reads one value.
    fn read(&self, table: Table, key: &str) -> rusqlite::Result<Option<Vec<u8>>> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare_cached("SELECT bytes FROM records WHERE tbl = ?1 AND key = ?2")?;
        statement.query_row(params![table.name(), key], |row| row.get(0)).optional()
    }

    /// Reads a page of entries.
    fn read_many(&self, table: Table, prefix: &str, after: Option<&str>, limit: usize) -> rusqlite::Result<Vec<Entry>> {
        let connection = self.connection.borrow();
        let mut statement = connection.prepare_cached(
            "SELECT key, bytes FROM records WHERE tbl = ?1 AND key >= ?2 AND (?3 IS NULL OR key > ?3) \
             ORDER BY key LIMIT ?4",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![table.name(), prefix, after, limit], |row| {
            Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        // Keys with the prefix stand together, first of all.
        rows.take_while(|row| row.as_ref().map_or(true, |(key, _)| key.starts_with(prefix))).collect()
    }

    /// Writes a batch in one transaction. With WAL, a relaxed one waits for no disk; the next strict one takes it
    /// along.
    /// Returns false, and writes nothing, if a write does not fit what is stored.
    fn write(&self, batch: Batch, durability: Durability) -> rusqlite::Result<bool> {
        let mut connection = self.connection.borrow_mut();
        // With WAL, NORMAL leaves the waiting for the disk to the next strict write, which brings all before it along.
        connection.execute_batch(match durability {
            Durability::Strict => "PRAGMA synchronous = FULL",
            Durability::Relaxed => "PRAGMA synchronous = NORMAL",
        })?;
        let transaction = connection.transaction()?;
        for write in batch {
            let (table, key) = (write.table().name(), write.key());
            if write.is_conditional() {
                let mut stored = transaction.prepare_cached("SELECT bytes FROM records WHERE tbl = ?1 AND key = ?2")?;
                let stored: Option<Vec<u8>> = stored.query_row(params![table, key], |row| row.get(0)).optional()?;
                if !write.fits(stored.as_deref()) {
                    return Ok(false);
                }
            }
            match write.bytes() {
                Some(bytes) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO records (tbl, key, bytes) VALUES (?1, ?2, ?3)")?
                    .execute(params![table, key, bytes])?,
                None => transaction
                    .prepare_cached("DELETE FROM records WHERE tbl = ?1 AND key = ?2")?
                    .execute(params![table, key])?,
            };
        }
        transaction.commit()?;
        Ok(true)
    }
}

impl Store for SqliteStore {
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>> {
        Box::pin(ready(self.read(table, key).map_err(|error| failed(&error, StoreError::Read))))
    }

    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        let read = self.read_many(table, prefix, after, limit);
        Box::pin(ready(read.map_err(|error| failed(&error, StoreError::Read))))
    }

    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>> {
        let written = self.write(batch, durability).map_err(|error| failed(&error, StoreError::Aborted));
        Box::pin(ready(written.and_then(|fits| if fits { Ok(()) } else { Err(StoreError::Taken) })))
    }
}

/// Whose file it is.
enum Kind {
    /// A new file.
    Empty,
    /// A file of this program, with the version of its schema.
    Ours(i64),
    /// A file of another program.
    Foreign,
}

/// Determines whose file it is; nothing is written.
fn kind(connection: &Connection) -> rusqlite::Result<Kind> {
    let number = |pragma: &str| connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, i64>(0));
    let things: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok(match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, version) => Kind::Ours(version),
        (0, 0) if things == 0 => Kind::Empty,
        _ => Kind::Foreign,
    })
}

/// Creates the schema in an empty file, all of it or nothing. Writing is what takes the lock.
fn make_schema(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    if matches!(kind(&transaction)?, Kind::Empty) {
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    transaction.commit()
}

/// Converts an error of opening.
fn open_failed(path: &Path, source: rusqlite::Error) -> SqliteError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SqliteError::InUse(path),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            SqliteError::Damaged { path, why: source.to_string() }
        }
        _ => SqliteError::Open { path, source },
    }
}

/// Converts an error of reading or writing.
fn failed(error: &rusqlite::Error, otherwise: fn(String) -> StoreError) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Unavailable(error.to_string()),
        _ => otherwise(error.to_string()),
    }
}
