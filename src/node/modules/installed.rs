//! What is installed on this device, for every service that asks.

use std::cell::{Ref, RefCell};
use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::store::records::{Damaged, Records};
use crate::store::{StoreError, Table};
use gen_registry_core::log::EntryId;
use gen_registry_core::name::ModuleName;
use gen_registry_core::resolver::Versions;
use gen_registry_core::time::Timestamp;

/// One installed module, as it is stored under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Installed {
    /// The installed version.
    pub(crate) version: Version,
    /// The release's fact, by its hash.
    pub(crate) release: EntryId,
    /// The requirement that a person gave; `None` if only other modules need it.
    pub(crate) requirement: Option<String>,
    /// When this release was installed.
    pub(crate) installed_at: Timestamp,
    /// What it imports, as `namespace.name`, read from its bytes.
    pub(crate) imports: Vec<String>,
}

/// The installed modules by name.
pub(crate) type InstalledModules = BTreeMap<ModuleName, Installed>;

/// What is installed on this device, for every service that asks. [`Installer`] changes it.
#[derive(Default)]
pub(crate) struct Installations(RefCell<InstalledModules>);

impl Installations {
    /// Wraps what was read from the store.
    pub(crate) fn new(installed: InstalledModules) -> Self {
        Self(RefCell::new(installed))
    }

    /// Returns the installed modules. Not to be held across an await.
    pub(crate) fn all(&self) -> Ref<'_, InstalledModules> {
        self.0.borrow()
    }

    /// Returns the installed version of a module.
    pub(crate) fn version_of(&self, name: &ModuleName) -> Option<Version> {
        self.all().get(name).map(|installed| installed.version.clone())
    }

    /// Returns the installed version of every module.
    pub(crate) fn versions(&self) -> Versions {
        self.all().iter().map(|(name, installed)| (name.clone(), installed.version.clone())).collect()
    }

    /// Takes over what is stored already.
    pub(crate) fn replace(&self, installed: InstalledModules) {
        *self.0.borrow_mut() = installed;
    }
}

/// Reads what is installed. What can't be read has to be installed again.
pub(crate) async fn read(records: &Records) -> Result<(InstalledModules, Vec<Damaged>), StoreError> {
    let (found, damaged) = records.all::<Installed>(Table::Installed, "").await?;
    Ok((found.into_iter().filter_map(|(name, record)| Some((name.parse().ok()?, record))).collect(), damaged))
}
