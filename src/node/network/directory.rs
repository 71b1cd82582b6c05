//! The networks of one browser: a database of its own, beside the database of each network's profile.
//!
//! A page opens the profile of one network. Which one is decided here and in [`opening`](super::opening), before
//! anything of a profile is read.

use crate::network::{Network, NetworkParameters};
use crate::store::records::{Records, StoredRecord, put};
use crate::store::{Batch, Durability, StoreError, Table};
use gen_registry_core::identity::Topic;

/// Networks of one browser. Only a person adds one, so the bound is far above what anybody has.
pub const NETWORKS_MAX: usize = 32;

/// The beginning of the keys of [`Table::Settings`] under which each network is listed, by its topic.
const LISTED: &str = "networks/";
/// The key of the topic whose profile the page opens.
const SHOWN: &str = "network-shown";
/// The key that says that a page once began without a network, since no server named one.
const ALONE: &str = "network-alone";

/// Which networks this browser has a profile of. Cheap to clone.
#[derive(Clone)]
pub struct NetworkDirectory(Records);

/// Why a network is not listed.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    #[error("this browser has {NETWORKS_MAX} networks already")]
    Full,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NetworkDirectory {
    /// The directory in this store.
    pub fn new(records: Records) -> Self {
        Self(records)
    }

    /// Returns the listed networks as they were when they were listed, in the order of their topics. What can't be read
    /// is left out; its profile is still there.
    pub async fn all(&self) -> Result<Vec<Network>, StoreError> {
        let (listed, damaged) = self.0.all::<NetworkParameters>(Table::Settings, LISTED).await?;
        for found in damaged {
            tracing::warn!(key = found.key, why = %found.why, "a listed network can't be read");
        }
        Ok(listed.iter().filter_map(|(_, parameters)| Network::try_from(parameters).ok()).collect())
    }

    /// Returns the network whose profile the page opens, if there is one.
    pub async fn shown(&self) -> Result<Option<Network>, StoreError> {
        let StoredRecord::Record(topic) = self.0.get::<Topic>(Table::Settings, SHOWN).await? else { return Ok(None) };
        self.find(&topic).await
    }

    /// Returns a listed network.
    pub async fn find(&self, topic: &Topic) -> Result<Option<Network>, StoreError> {
        let found = self.0.get::<NetworkParameters>(Table::Settings, &key_of(topic)).await?;
        let StoredRecord::Record(parameters) = found else { return Ok(None) };
        Ok(Network::try_from(&parameters).ok().filter(|network| network.topic == *topic))
    }

    /// Lists a network, unless it is listed already, and has the page open its profile from the next start.
    pub async fn show(&self, network: &Network) -> Result<(), DirectoryError> {
        let mut batch: Batch = vec![put(Table::Settings, SHOWN, &network.topic)];
        if self.find(&network.topic).await?.is_none() {
            if self.all().await?.len() >= NETWORKS_MAX {
                return Err(DirectoryError::Full);
            }
            batch.push(put(Table::Settings, &key_of(&network.topic), &NetworkParameters::from(network)));
        }
        Ok(self.0.commit(batch, Durability::Strict).await?)
    }

    /// Records that a page began without a network: what was written then is in the built-in one.
    pub async fn note_alone(&self) -> Result<(), StoreError> {
        self.0.commit(vec![put(Table::Settings, ALONE, &true)], Durability::Strict).await
    }

    /// Returns whether a page ever began without a network.
    pub async fn was_alone(&self) -> Result<bool, StoreError> {
        Ok(matches!(self.0.get::<bool>(Table::Settings, ALONE).await?, StoredRecord::Record(true)))
    }
}

fn key_of(topic: &Topic) -> String {
    format!("{LISTED}{}", String::from(*topic))
}
