//! What is known of modules, for the other services: versions, what each needs, what is installed.

use std::rc::Rc;

use semver::Version;

use crate::blocks::ContentStore;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::key_store::KeyStore;
use crate::modules::input::parse_name;
use crate::modules::installed::{Installations, Installed, InstalledModules};
use crate::modules::{answers, errors};
use crate::registry::Registry;
use gen_registry_api::*;
use gen_registry_core::modules::CountedRelease;
use gen_registry_core::modules::version::{parse_requirement, parse_version};
use gen_registry_core::name::ModuleName;
use gen_registry_core::resolver::{Dependency, Versions, resolve};

/// The service that answers questions about modules.
pub(crate) struct ModuleCatalog {
    pub(super) context: Rc<Context>,
    pub(super) keys: Rc<KeyStore>,
    pub(super) registry: Rc<Registry>,
    pub(super) decisions: Rc<Decisions>,
    pub(super) installations: Rc<Installations>,
    pub(super) content: Rc<ContentStore>,
}

impl ModuleCatalog {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        installations: Rc<Installations>,
        content: Rc<ContentStore>,
    ) -> Self {
        Self { context, keys, registry, decisions, installations, content }
    }

    /// Returns a module and one of its versions: the named one, else the installed one, else the newest.
    pub(super) fn version_here(&self, name: &str, version: Option<&str>) -> Result<(ModuleName, Version), Failure> {
        let name = parse_name(name)?;
        let read_model = self.registry.read_model();
        let name = read_model.spelled(&name);
        let module = read_model.module(&name.folded());
        let version = match version {
            Some(text) => parse_version(text.trim()).map_err(|error| errors::version_invalid(text, &error))?,
            None => {
                let installed = self.installations.version_of(&name);
                let latest = module.latest().map(|latest| latest.release.version.clone());
                installed.or(latest).ok_or_else(|| errors::absent_module(&read_model, &name))?
            }
        };
        if !module.releases.contains_key(&version) {
            return Err(errors::unknown_version(name.as_str(), &version.to_string()));
        }
        Ok((name, version))
    }

    /// Returns a version and everything it needs, in the installed versions as far as they fit, each after what it
    /// needs.
    pub(super) fn closure(
        &self,
        name: &ModuleName,
        version: &Version,
    ) -> Result<Vec<(ModuleName, CountedRelease)>, Failure> {
        let read_model = self.registry.read_model();
        let requirement = parse_requirement(&format!("={version}"))
            .map_err(|error| errors::requirement_invalid(name.as_str(), &version.to_string(), &error))?;
        let wanted = [Dependency { name: name.clone(), requirement }];
        let catalogue = read_model.catalogue(&wanted);
        let mut locked: Versions = self.installations.versions();
        locked.insert(name.clone(), version.clone());
        let plan = resolve(&wanted, &catalogue, &locked).map_err(|unresolved| errors::unresolvable(&unresolved))?;
        let releases = plan.order.into_iter().filter_map(|name| {
            let counted = read_model.module(&name.folded()).releases.get(plan.versions.get(&name)?)?.clone();
            Some((name, counted))
        });
        Ok(releases.collect())
    }

    /// Returns the bytes of a version. Fails if they are not stored.
    pub(super) async fn bytes_of(&self, name: &str, version: &str) -> Result<Vec<u8>, Failure> {
        let (name, version) = self.version_here(name, Some(version))?;
        let module = self.registry.read_model().module(&name.folded());
        let release = &module.releases.get(&version).ok_or_else(errors::internal)?.release;
        Ok(self.content.artifact_bytes(&release.artifact).await?)
    }

    /// Returns the installed modules that need this one.
    pub(super) fn needed_by(&self, all: &InstalledModules, name: &ModuleName) -> Vec<String> {
        let read_model = self.registry.read_model();
        let needs = |record: &Installed| {
            let release = read_model.release(&record.release).map(|(_, release)| release);
            release
                .is_some_and(|release| release.dependencies.iter().any(|needed| needed.name.folded() == name.folded()))
        };
        all.iter().filter(|(_, record)| needs(record)).map(|(other, _)| other.to_string()).collect()
    }

    /// Returns the installed modules as the page shows them.
    pub(super) fn list_installed(&self) -> Vec<InstalledModule> {
        let installed = self.installations.all().clone();
        installed.keys().filter_map(|name| self.installed_module(name)).collect()
    }

    /// Returns one installed module as the page shows it.
    pub(super) fn installed_module(&self, name: &ModuleName) -> Option<InstalledModule> {
        let all = self.installations.all().clone();
        let record = all.get(name)?;
        let needed_by = self.needed_by(&all, name);
        let read_model = self.registry.read_model();
        let (author, release) = read_model.release(&record.release)?;
        let module = read_model.module(&name.folded());
        let counted = module.releases.get(&record.version).filter(|counted| counted.entry == record.release);
        let update = module.latest().map(|latest| &latest.release.version).filter(|latest| **latest > record.version);
        Some(InstalledModule {
            name: name.to_string(),
            summary: ReleaseSummary {
                version: record.version.to_string(),
                release: record.release.to_string(),
                sha256: release.artifact.sha256.to_string(),
                size: release.artifact.size,
                author: answers::author(&read_model, &author),
                withdrawn: counted.and_then(answers::withdrawn),
            },
            requirement: record.requirement.clone(),
            needed_by,
            installed_at: record.installed_at.as_millis(),
            imports: record.imports.clone(),
            update: update.map(ToString::to_string),
        })
    }
}
