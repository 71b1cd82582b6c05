//! Everything that is installed as one file: each module, and the lockfile that names them.

use crate::modules::errors;
use crate::modules::install::Installer;
use gen_registry_api::Failure;
use gen_registry_core::jobs::{Job, JobOutput};

/// The lockfile's name in the bundle.
const LOCKFILE: &str = "gen-registry.lock.toml";

impl Installer {
    /// Returns an archive of all installed modules, `NAME-VERSION.wasm`, and their lockfile. Fails if one of them is
    /// not stored.
    pub(super) async fn export_all(&self) -> Result<Vec<u8>, Failure> {
        let mut files = vec![(LOCKFILE.to_owned(), self.export_lockfile().await?.into_bytes().into())];
        for module in self.catalog.list_installed() {
            let bytes = self.catalog.bytes_of(&module.name, &module.summary.version).await?;
            files.push((format!("{}-{}.wasm", module.name, module.summary.version), bytes.into()));
        }
        match self.context.environment.run_job(Job::Bundle(files)).await {
            Some(JobOutput::Bundled(Some(bundle))) => Ok(bundle.into_vec()),
            Some(_) => Err(errors::internal()),
            None => Err(errors::no_helper()),
        }
    }
}
