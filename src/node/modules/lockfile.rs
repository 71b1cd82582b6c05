//! Lockfiles (`core::lockfile`) of what is installed here, and installing from one. Their text is read and written in a
//! worker: the page's own program contains no TOML parser.

use semver::Version;

use crate::modules::errors;
use crate::modules::input::parse_name;
use crate::modules::install::Installer;
use gen_registry_api::*;
use gen_registry_core::jobs::{Job, JobOutput};
use gen_registry_core::lockfile::{LOCKFILE_MAX_BYTES, Locked, Lockfile, LockfileError};
use gen_registry_core::modules::version::parse_version;
use gen_registry_core::resolver::Versions;

impl Installer {
    /// Returns the lockfile of what is installed, in the order of the names.
    pub(super) async fn export_lockfile(&self) -> Result<String, Failure> {
        let modules = self.catalog.list_installed().into_iter().filter_map(|module| {
            let sha256 = module.summary.sha256.parse().ok()?;
            let (name, version, signer) = (module.name, module.summary.version, module.summary.author.did);
            Some(Locked { name, version, sha256, signer, requirement: module.requirement })
        });
        match self.context.environment.run_job(Job::WriteLockfile(Lockfile::new(modules.collect()))).await {
            Some(JobOutput::LockfileWritten(text)) => text.map_err(|error| errors::lockfile_invalid(&error)),
            _ => Err(errors::no_helper()),
        }
    }

    /// Installs what a lockfile lists. Every entry is compared with what is known here before anything is fetched:
    /// other bytes or another signer under the same name and version is a refusal. `accept`: as for installing.
    pub(super) async fn import_lockfile(&self, text: String, accept: &[String]) -> Result<(), Failure> {
        // Not even sent to be read.
        if text.len() > LOCKFILE_MAX_BYTES {
            return Err(errors::lockfile_invalid(&LockfileError::TooLong));
        }
        let lockfile = match self.context.environment.run_job(Job::ReadLockfile(text)).await {
            Some(JobOutput::LockfileRead(read)) => read.map_err(|error| errors::lockfile_invalid(&error))?,
            _ => return Err(errors::no_helper()),
        };
        let mut locked = Versions::new();
        let mut requirements = Vec::new();
        for entry in &lockfile.modules {
            let name = parse_name(&entry.name)?;
            let version =
                parse_version(&entry.version).map_err(|error| errors::version_invalid(&entry.version, &error))?;
            self.check_lock_entry(entry, &version)?;
            if let Some(requirement) = &entry.requirement {
                requirements.push(Requirement { name: entry.name.clone(), requirement: requirement.clone() });
            }
            locked.insert(self.registry.read_model().spelled(&name), version);
        }
        self.install(&requirements, accept, &locked).await
    }

    /// Compares an entry with the release that counts here.
    fn check_lock_entry(&self, entry: &Locked, version: &Version) -> Result<(), Failure> {
        let name = parse_name(&entry.name)?;
        let read_model = self.registry.read_model();
        let module = read_model.module(&name.folded());
        let Some(known) = module.releases.get(version) else {
            return Err(errors::unknown_version(name.as_str(), &entry.version));
        };
        if known.release.artifact.sha256 != entry.sha256 {
            return Err(errors::lockfile_mismatch(name.as_str(), &entry.version, "other bytes"));
        }
        if known.author.to_string() != entry.signer {
            return Err(errors::lockfile_mismatch(name.as_str(), &entry.version, "another signer"));
        }
        Ok(())
    }
}
