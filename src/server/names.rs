//! The file in which the relay keeps, beyond its run, what it stores of names and modules for look-ups.

use std::path::Path;

use gen_registry_core::digest::{bytes_from_hex, hex};
use gen_registry_node::net::kademlia::kept_record::RecordArchive;
use gen_registry_node::store::sqlite::{PairFile, SqliteError};

/// Its name in the data folder.
const FILE: &str = "names.db";

/// The file. It is no loss: without it, names are found again as their holders come online.
pub struct NamesFile(PairFile);

impl NamesFile {
    /// Opens the file in the data folder, or creates it.
    pub fn open(data: &Path) -> Result<Self, SqliteError> {
        PairFile::open(&data.join(FILE)).map(Self)
    }
}

impl RecordArchive for NamesFile {
    fn load(&mut self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let pairs = self.0.load().unwrap_or_else(|error| {
            tracing::warn!(%error, "names of the last run can't be read");
            Vec::new()
        });
        pairs.into_iter().filter_map(|(key, bytes)| Some((bytes_from_hex(&key).ok()?.to_vec(), bytes))).collect()
    }

    fn put(&mut self, key: &[u8], bytes: &[u8]) {
        if let Err(error) = self.0.put(&hex(key), bytes) {
            tracing::warn!(%error, "a name is not kept beyond this run");
        }
    }

    fn remove(&mut self, key: &[u8]) {
        if let Err(error) = self.0.remove(&hex(key)) {
            tracing::warn!(%error, "a name that is gone is still kept");
        }
    }
}
