//! The version of the stored records, and the steps from one version to the next.
//!
//! A step is a function named like `migrate_v1_to_v2`. [`migrate`] runs those that are missing, each in a batch of its
//! own together with the new version number, so that a crash between two leaves a version that the next start continues
//! from. There is one version so far.

use crate::store::records::{Records, StoredRecord, put};
use crate::store::{Durability, StoreError, Table};

/// The version that this program reads and writes.
pub const VERSION: u32 = 1;

/// The key of the version in [`Table::Settings`].
const KEY: &str = "schema";

/// Brings the stored records to [`VERSION`]. Fails with [`StoreError::Newer`] if they are beyond it: an older program
/// would damage what it can't read.
pub async fn migrate(records: &Records) -> Result<(), StoreError> {
    let found = match records.get::<u32>(Table::Settings, KEY).await? {
        StoredRecord::Record(version) => version,
        // An empty store, or a damaged number in one that works: both read as the first version.
        StoredRecord::Nothing | StoredRecord::Damaged(_) => 0,
    };
    match found {
        VERSION => Ok(()),
        newer if newer > VERSION => Err(StoreError::Newer),
        _ => start_at_v1(records).await,
    }
}

/// Marks an empty store as one of the first version.
async fn start_at_v1(records: &Records) -> Result<(), StoreError> {
    records.commit(vec![put(Table::Settings, KEY, &VERSION)], Durability::Strict).await
}
