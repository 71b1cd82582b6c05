//! Lockfiles: exactly what is installed, as a text (TOML) that another person can install from.

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::node::Node;
use crate::node::api::*;
use crate::node::modules::{parse_name, words};
use crate::registry::digest::Digest;
use crate::registry::fact::release::parse_version;
use crate::registry::resolver::Versions;

/// The version of the format.
const LOCKFILE_VERSION: u32 = 1;
/// A longer text is not read.
const LOCKFILE_MAX_BYTES: usize = 1024 * 1024;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lockfile {
    version: u32,
    #[serde(default, rename = "module")]
    modules: Vec<Locked>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Locked {
    name: String,
    version: String,
    sha256: Digest,
    /// `did:key:…` of whoever signed the release.
    signer: String,
    /// Absent for what only others need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    requirement: Option<String>,
}

impl Node {
    /// In the order of the names.
    pub(super) fn export_lockfile(&self) -> Result<String, Failure> {
        let modules = self.list_installed().into_iter().filter_map(|module| {
            let sha256 = module.sha256.parse().ok()?;
            let (name, version, signer) = (module.name, module.version, module.author.did);
            Some(Locked { name, version, sha256, signer, requirement: module.requirement })
        });
        let lockfile = Lockfile { version: LOCKFILE_VERSION, modules: modules.collect() };
        toml::to_string(&lockfile).map_err(|error| words::lockfile_invalid(error.to_string()))
    }

    /// Every line is compared with what is known here before anything is fetched.
    pub(super) async fn import_lockfile(&self, text: &str) -> Result<(), Failure> {
        if text.len() > LOCKFILE_MAX_BYTES {
            return Err(words::lockfile_invalid(format!("it has more than {} KiB", LOCKFILE_MAX_BYTES / 1024)));
        }
        let lockfile: Lockfile =
            toml::from_str(text).map_err(|error| words::lockfile_invalid(error.message().to_owned()))?;
        if lockfile.version != LOCKFILE_VERSION {
            return Err(words::lockfile_invalid(format!("its format {} is not known here", lockfile.version)));
        }
        let mut locked = Versions::new();
        let mut requirements = Vec::new();
        for entry in &lockfile.modules {
            let name = parse_name(&entry.name)?;
            let version =
                parse_version(&entry.version).map_err(|error| words::version_invalid(&entry.version, &error))?;
            self.is_as_locked(entry, &version)?;
            if let Some(requirement) = &entry.requirement {
                requirements.push(Requirement { name: entry.name.clone(), requirement: requirement.clone() });
            }
            locked.insert(self.state.borrow().index.spelled(&name), version);
        }
        self.install(&requirements, &[], &locked).await
    }

    fn is_as_locked(&self, entry: &Locked, version: &Version) -> Result<(), Failure> {
        let name = parse_name(&entry.name)?;
        let state = self.state.borrow();
        let module = state.index.module(&name.folded());
        let Some(known) = module.releases.get(version) else {
            return Err(words::unknown_version(name.as_str(), &entry.version));
        };
        if known.release.artifact.sha256 != entry.sha256 {
            return Err(words::locked_otherwise(name.as_str(), &entry.version, "other bytes"));
        }
        if known.author.to_string() != entry.signer {
            return Err(words::locked_otherwise(name.as_str(), &entry.version, "another signer"));
        }
        Ok(())
    }
}
