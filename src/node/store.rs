//! The store: tables of byte strings under text keys, written in atomic batches.
//!
//! It does not know what the bytes mean: [`records`] adds types and a checksum. One conformance suite
//! (`store::conformance`) runs against every implementation: memory, IndexedDB, SQLite.
//!
//! What a command stores is one batch, so that a crash leaves all of it or nothing. For example a claimed name is: the
//! keys (if they are new), the settings with the command's id, the entries and the person's record.
//!
//! A stored key is never overwritten by another: in a protected table ([`Table::is_protected`]) a put succeeds only where
//! nothing or the same is stored, and a record changes only by a [`Write::Replace`] that names what it replaces.

pub mod conformance;
pub mod held;
#[cfg(target_arch = "wasm32")]
pub mod indexed_db;
pub mod memory;
pub mod migration;
pub mod records;
pub mod revocable;
#[cfg(not(target_arch = "wasm32"))]
pub mod sqlite;

use futures::future::{LocalBoxFuture, ready};

/// The tables of the database `gen-registry`. Their names are part of the stored form: a table may join, none is
/// renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// `identity/opening/log/place/entry` → an entry of a facts log
    Facts,
    /// The same key → the header of an entry of a changes log
    Headers,
    /// The same key → the body of that entry
    Changes,
    /// What confirms and contradicts: receipts, paths, forks, changes of the witness set, known holders
    Evidence,
    /// `identity` → what the read model keeps of a person
    People,
    /// CID → bytes
    Blocks,
    /// An artifact's hash → which blocks it has, and why it is kept
    Content,
    /// Name → an installed module
    Installed,
    /// Piece by piece, the search index
    SearchIndex,
    /// Name → a channel that this person joined
    Channels,
    /// `channel/time` → a message
    Messages,
    /// Peer id → its reputation
    Peers,
    /// The identity's key.
    Keys,
    /// Name → one setting, e.g. `state`, `schema`, `peers`
    Settings,
    /// `table/key` → a record that failed its check
    Quarantine,
}

impl Table {
    /// All tables, for creating them and for the conformance suite.
    pub const ALL: [Self; 15] = [
        Self::Facts,
        Self::Headers,
        Self::Changes,
        Self::Evidence,
        Self::People,
        Self::Blocks,
        Self::Content,
        Self::Installed,
        Self::SearchIndex,
        Self::Channels,
        Self::Messages,
        Self::Peers,
        Self::Keys,
        Self::Settings,
        Self::Quarantine,
    ];

    /// Whether no put overwrites a record of this table: what it holds exists nowhere else.
    pub const fn is_protected(self) -> bool {
        matches!(self, Self::Keys)
    }

    /// Whether its values are stored sealed, where the store can seal: keys, and what was set aside, which may be a key.
    pub const fn is_secret(self) -> bool {
        matches!(self, Self::Keys | Self::Quarantine)
    }

    /// Returns the table's stored name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Headers => "headers",
            Self::Changes => "changes",
            Self::Evidence => "evidence",
            Self::People => "people",
            Self::Blocks => "blocks",
            Self::Content => "content",
            Self::Installed => "installed",
            Self::SearchIndex => "search_index",
            Self::Channels => "channels",
            Self::Messages => "messages",
            Self::Peers => "peers",
            Self::Keys => "keys",
            Self::Settings => "settings",
            Self::Quarantine => "quarantine",
        }
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// Stores bytes under a key, in place of earlier ones; in a protected table only if there are none or the same.
    Put { table: Table, key: String, bytes: Vec<u8> },
    /// Stores bytes under a key in place of exactly these earlier ones.
    Replace { table: Table, key: String, before: Vec<u8>, bytes: Vec<u8> },
    /// Removes a key, if it is there.
    Delete { table: Table, key: String },
}

impl Write {
    /// Returns the table that is written.
    pub fn table(&self) -> Table {
        match self {
            Self::Put { table, .. } | Self::Replace { table, .. } | Self::Delete { table, .. } => *table,
        }
    }

    /// Returns the key that is written.
    pub fn key(&self) -> &str {
        match self {
            Self::Put { key, .. } | Self::Replace { key, .. } | Self::Delete { key, .. } => key,
        }
    }

    /// Returns the bytes that are stored afterwards, or `None` after a delete.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Put { bytes, .. } | Self::Replace { bytes, .. } => Some(bytes),
            Self::Delete { .. } => None,
        }
    }

    /// Whether the write depends on what is stored: a store then reads that first, in the same transaction.
    pub fn is_conditional(&self) -> bool {
        match self {
            Self::Put { table, .. } => table.is_protected(),
            Self::Replace { .. } => true,
            Self::Delete { .. } => false,
        }
    }

    /// Whether the write may take place where `stored` is what its key has now.
    pub fn fits(&self, stored: Option<&[u8]>) -> bool {
        match self {
            Self::Put { table, bytes, .. } => !table.is_protected() || stored.is_none_or(|stored| stored == bytes),
            Self::Replace { before, .. } => stored == Some(before),
            Self::Delete { .. } => true,
        }
    }
}

/// Writes that happen all or not at all.
pub type Batch = Vec<Write>;

/// How safe a finished write must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// On the disk: keys and own changes.
    Strict,
    /// Handed to the system: what peers can send again.
    Relaxed,
}

/// Why the store could not read or write. After a failed commit, nothing of its batch is stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("the storage is full")]
    Full,
    #[error("the storage can't be opened: {0}")]
    Unavailable(String),
    #[error("the stored data belongs to a newer version of the program")]
    Newer,
    #[error("a write did not happen: {0}")]
    Aborted(String),
    #[error("a read failed: {0}")]
    Read(String),
    #[error("something else is stored in this place, and it is not overwritten")]
    Taken,
    #[error("another tab writes this profile now")]
    NotWriter,
    #[error("the browser has taken the stored data away")]
    Lost,
}

impl StoreError {
    /// Whether nothing further can work on this store.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Newer | Self::NotWriter | Self::Lost => true,
            Self::Full | Self::Aborted(_) | Self::Read(_) | Self::Taken => false,
        }
    }
}

/// A key and its bytes.
pub type Entry = (String, Vec<u8>);

/// What is stored under several keys.
pub type Values = Vec<Option<Vec<u8>>>;

/// A key-value store with tables. Futures stay on the thread that made them.
pub trait Store {
    /// Returns the bytes under a key, if there are any.
    fn get<'a>(&'a self, table: Table, key: &'a str) -> LocalBoxFuture<'a, Result<Option<Vec<u8>>, StoreError>>;

    /// Returns the bytes under each of these keys, in their order.
    fn get_many<'a>(&'a self, table: Table, keys: &'a [String]) -> LocalBoxFuture<'a, Result<Values, StoreError>> {
        Box::pin(async move {
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                values.push(self.get(table, key).await?);
            }
            Ok(values)
        })
    }

    /// Returns the entries whose key begins with `prefix` and comes after `after`, in the order of their keys, at most
    /// `limit`. A caller reads page by page, with the last key of a page as the next `after`.
    fn scan<'a>(
        &'a self,
        table: Table,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> LocalBoxFuture<'a, Result<Vec<Entry>, StoreError>>;

    /// Writes a batch, all of it or nothing, in its order. When this returns `Ok`, it is as durable as requested. Fails
    /// with [`StoreError::Taken`] if a write does not fit what is stored ([`Write::fits`]).
    fn commit(&self, batch: Batch, durability: Durability) -> LocalBoxFuture<'_, Result<(), StoreError>>;

    /// Whether the secrets of this store are sealed where they lie, under a key that can't be read out.
    fn seals_secrets(&self) -> bool {
        false
    }

    /// Keeps what is stored under a prefix in memory too, from now on, where the data can be taken away while the store
    /// is open (`held`). Other stores do nothing.
    fn hold<'a>(&'a self, _table: Table, _prefix: &'a str) -> LocalBoxFuture<'a, Result<(), StoreError>> {
        Box::pin(ready(Ok(())))
    }
}
