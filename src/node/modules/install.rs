//! Installing: resolve, fetch, verify, keep. Nothing is changed before everything is here and has been looked at.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::Node;
use crate::blocks::{Pin, Progress};
use crate::modules::{errors, pages, parse_name};
use crate::store::records::{Damaged, Records, put};
use crate::store::{Batch, Durability, StoreError, Table, Write};
use crate::write::ChangeDraft;
use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::Edit;
use gen_registry_core::fact::release::parse_requirement;
use gen_registry_core::limits::{DEPENDENCIES_MAX, INSTALLS_MAX};
use gen_registry_core::modules::CountedRelease;
use gen_registry_core::name::ModuleName;
use gen_registry_core::resolver::{Dependency, Versions, resolve};
use gen_registry_core::time::Timestamp;
use gen_registry_core::validation::Report;

/// One installed module, as it is stored under its name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Installed {
    pub(crate) version: Version,
    pub(crate) release: Digest,
    /// What was asked for; none for what only others need.
    pub(crate) requirement: Option<String>,
    pub(crate) installed_at: Timestamp,
    /// As `namespace.name`; read off the bytes.
    pub(crate) imports: Vec<String>,
}

pub(crate) type InstalledModules = BTreeMap<ModuleName, Installed>;

/// What is to be done: all that will be installed afterwards, in the order of installation.
pub(super) struct Planned {
    order: Vec<(ModuleName, CountedRelease)>,
    /// What people asked for, by name.
    wanted: BTreeMap<ModuleName, String>,
}

/// Reads what is installed. What can't be read has to be installed again.
pub(crate) async fn read(records: &Records) -> Result<(InstalledModules, Vec<Damaged>), StoreError> {
    let (found, damaged) = records.all::<Installed>(Table::Installed, "").await?;
    Ok((found.into_iter().filter_map(|(name, record)| Some((name.parse().ok()?, record))).collect(), damaged))
}

impl Node {
    pub(super) async fn plan_answer(&self, requirements: &[Requirement]) -> Result<InstallPlan, Failure> {
        let planned = self.plan(requirements, &Versions::new())?;
        let mut steps = Vec::new();
        let mut to_fetch = 0;
        for (name, counted) in &planned.order {
            let before = self.state.borrow().installed.get(name).map(|installed| installed.version.clone());
            if before.as_ref() == Some(&counted.release.version)
                && !requirements.iter().any(|asked| asked.name == name.as_str())
            {
                continue;
            }
            let artifact = &counted.release.artifact;
            let Progress { done, total } = self.artifact_progress(artifact).await?;
            to_fetch += total - done;
            let needed_by = planned.order.iter().filter(|(_, other)| needs(other, name));
            let state = self.state.borrow();
            steps.push(PlannedModule {
                name: name.to_string(),
                version: counted.release.version.to_string(),
                size: artifact.size,
                sha256: artifact.sha256.to_string(),
                author: pages::author(&state, &counted.author),
                needed_by: needed_by.map(|(other, _)| other.to_string()).collect(),
                installed: before.map(|version| version.to_string()),
                here: done == total,
                withdrawn: counted.withdrawn.as_ref().map(pages::withdrawn),
            });
        }
        Ok(InstallPlan { steps, to_fetch })
    }

    pub(super) async fn install(
        &self,
        requirements: &[Requirement],
        accept: &[String],
        locked: &Versions,
    ) -> Result<(), Failure> {
        let _one_at_a_time = self.installing.lock().await;
        let planned = self.plan(requirements, locked)?;
        if let Some(blocked) = planned.order.iter().map(|(name, _)| name).find(|name| self.is_blocked(name)) {
            return Err(errors::blocked(blocked.as_str()));
        }
        let mut looked_at = Vec::new();
        let mut new_imports = Vec::new();
        for (name, counted) in &planned.order {
            let before = self.state.borrow().installed.get(name).cloned();
            if before.as_ref().is_some_and(|before| before.release == counted.fact) {
                looked_at.push(before.map(|before| before.imports).unwrap_or_default());
                continue;
            }
            let report = self.fetch_and_look(name, counted).await?;
            let imports = imports(&report);
            let accepted = accept.iter().any(|accepted| accepted == ACCEPT_ALL || accepted == name.as_str());
            if let Some(before) = before.filter(|_| !accepted) {
                let added: Vec<&str> =
                    imports.iter().filter(|import| !before.imports.contains(import)).map(String::as_str).collect();
                if !added.is_empty() {
                    new_imports.push(format!("{name} {} now asks for {}", counted.release.version, added.join(", ")));
                }
            }
            looked_at.push(imports);
        }
        if !new_imports.is_empty() {
            return Err(errors::new_imports(&new_imports));
        }
        self.keep(planned, looked_at).await
    }

    /// Newly: what is installed already stays.
    fn is_blocked(&self, name: &ModuleName) -> bool {
        let state = self.state.borrow();
        let holder = state.index.module_name(&name.folded()).and_then(|name_state| Some(name_state.holder()?.holder));
        !state.installed.contains_key(name) && self.blocks_module(name, holder.as_ref())
    }

    async fn fetch_and_look(&self, name: &ModuleName, counted: &CountedRelease) -> Result<Report, Failure> {
        let artifact = &counted.release.artifact;
        let version = counted.release.version.to_string();
        let tell = |stage, Progress { done, total }| {
            let (name, version) = (name.to_string(), version.clone());
            self.tell(&Event::Installing { progress: InstallProgress { name, version, stage, done, total } });
        };
        self.fetch(artifact, |progress| tell(InstallStage::Fetching, progress)).await?;
        tell(InstallStage::Verifying, Progress { done: artifact.size, total: artifact.size });
        let report = self.validate(self.artifact_bytes(artifact).await?).await?;
        match report.problem() {
            Some(problem) => Err(errors::published_invalid(name.as_str(), &version, problem)),
            None => Ok(report),
        }
    }

    /// Everything is here and good: from now on it is installed, all of it or nothing.
    async fn keep(&self, planned: Planned, imports: Vec<Vec<String>>) -> Result<(), Failure> {
        let before = self.state.borrow().installed.clone();
        let mut after = InstalledModules::new();
        for ((name, counted), imports) in planned.order.iter().zip(imports) {
            let same = before.get(name).filter(|before| before.release == counted.fact);
            let installed_at = same.map_or_else(|| self.now(), |same| same.installed_at);
            let installed = Installed {
                version: counted.release.version.clone(),
                release: counted.fact,
                requirement: planned.wanted.get(name).cloned(),
                installed_at,
                imports,
            };
            if same.is_none() {
                self.pin_artifact(&counted.release.artifact, Pin::Installed).await?;
            }
            after.insert(name.clone(), installed);
        }
        self.replace_installed(&before, after).await?;
        for (name, counted) in planned.order {
            let new = before.get(&name).is_none_or(|before| before.release != counted.fact);
            if new {
                let size = counted.release.artifact.size;
                let progress = InstallProgress {
                    name: name.to_string(),
                    version: counted.release.version.to_string(),
                    stage: InstallStage::Installed,
                    done: size,
                    total: size,
                };
                self.tell(&Event::Installing { progress });
                self.count_install(name).await;
            }
        }
        Ok(())
    }

    async fn replace_installed(&self, before: &InstalledModules, after: InstalledModules) -> Result<(), Failure> {
        let gone = before.keys().filter(|name| !after.contains_key(*name));
        let mut batch: Batch =
            gone.map(|name| Write::Delete { table: Table::Installed, key: name.to_string() }).collect();
        let changed = after.iter().filter(|(name, record)| before.get(*name) != Some(record));
        batch.extend(changed.map(|(name, record)| put(Table::Installed, name.as_str(), record)));
        self.records.commit(batch, Durability::Strict).await.map_err(errors::store_failed)?;
        let names = before.keys().chain(after.keys()).map(ToString::to_string).collect::<BTreeSet<_>>();
        let kept: BTreeSet<Digest> = after.values().map(|record| record.release).collect();
        self.state.borrow_mut().installed = after;
        for record in before.values().filter(|record| !kept.contains(&record.release)) {
            if let Some(artifact) = self.artifact_of(&record.release) {
                self.unpin_artifact(&artifact, Pin::Installed).await?;
            }
        }
        self.tell(&Event::ModulesChanged { names: names.into_iter().collect() });
        Ok(())
    }

    /// Counts an installation in the own document. Without a key it is not counted, which is no failure.
    async fn count_install(&self, name: ModuleName) {
        let _one_at_a_time = self.writing.lock().await;
        let Ok(signer) = self.state.borrow().key_state.signer() else { return };
        let full = self
            .state
            .borrow()
            .index
            .person(&signer.identity())
            .is_some_and(|own| own.shelf.installs.len() >= INSTALLS_MAX && !own.shelf.installs.contains_key(&name));
        if full {
            return;
        }
        if let Err(failure) = self.commit(None, signer, ChangeDraft::of(vec![Edit::CountInstall { name }])).await {
            tracing::warn!(code = ?failure.code, "an install is not counted");
        }
    }

    pub(super) async fn uninstall(&self, name: &str) -> Result<(), Failure> {
        let _one_at_a_time = self.installing.lock().await;
        let name = parse_name(name)?;
        let before = self.state.borrow().installed.clone();
        if !before.contains_key(&name) {
            return Err(errors::not_installed(name.as_str()));
        }
        let needed_by = self.needed_by(&before, &name);
        if !needed_by.is_empty() {
            return Err(errors::needed_by(name.as_str(), &needed_by));
        }
        let mut after = before.clone();
        after.remove(&name);
        // Removes what was neither asked for nor is needed any more.
        loop {
            let orphans: Vec<ModuleName> = after
                .iter()
                .filter(|(other, record)| record.requirement.is_none() && self.needed_by(&after, other).is_empty())
                .map(|(other, _)| other.clone())
                .collect();
            if orphans.is_empty() {
                break;
            }
            orphans.iter().for_each(|orphan| drop(after.remove(orphan)));
        }
        self.replace_installed(&before, after).await
    }

    fn needed_by(&self, shelf: &InstalledModules, name: &ModuleName) -> Vec<String> {
        let state = self.state.borrow();
        let needs = |record: &Installed| {
            let release = state.index.release(&record.release).map(|(_, release)| release);
            release
                .is_some_and(|release| release.dependencies.iter().any(|needed| needed.name.folded() == name.folded()))
        };
        shelf.iter().filter(|(_, record)| needs(record)).map(|(other, _)| other.to_string()).collect()
    }

    pub(super) fn list_installed(&self) -> Vec<InstalledModule> {
        let installed = self.state.borrow().installed.clone();
        installed.keys().filter_map(|name| self.installed_module(name)).collect()
    }

    pub(super) fn installed_module(&self, name: &ModuleName) -> Option<InstalledModule> {
        let shelf = self.state.borrow().installed.clone();
        let record = shelf.get(name)?;
        let needed_by = self.needed_by(&shelf, name);
        let state = self.state.borrow();
        let (author, release) = state.index.release(&record.release)?;
        let module = state.index.module(&name.folded());
        let counted = module.releases.get(&record.version).filter(|counted| counted.fact == record.release);
        let update = module.latest().map(|latest| &latest.release.version).filter(|latest| **latest > record.version);
        Some(InstalledModule {
            name: name.to_string(),
            version: record.version.to_string(),
            release: record.release.to_string(),
            sha256: release.artifact.sha256.to_string(),
            size: release.artifact.size,
            author: pages::author(&state, author),
            requirement: record.requirement.clone(),
            needed_by,
            installed_at: record.installed_at.as_millis(),
            imports: record.imports.clone(),
            withdrawn: counted.and_then(|counted| counted.withdrawn.as_ref()).map(pages::withdrawn),
            update: update.map(ToString::to_string),
        })
    }

    /// What installing `requirements` beside all that is wanted already comes to. What is not asked for stays as it is,
    /// where that goes.
    pub(super) fn plan(&self, requirements: &[Requirement], locked: &Versions) -> Result<Planned, Failure> {
        if requirements.len() > DEPENDENCIES_MAX {
            return Err(errors::details_invalid(format!("At most {DEPENDENCIES_MAX} modules are installed at once.")));
        }
        let state = self.state.borrow();
        let mut wanted: BTreeMap<ModuleName, String> = state
            .installed
            .iter()
            .filter_map(|(name, installed)| Some((name.clone(), installed.requirement.clone()?)))
            .collect();
        let mut keep: Versions =
            state.installed.iter().map(|(name, installed)| (name.clone(), installed.version.clone())).collect();
        for Requirement { name, requirement } in requirements {
            let parsed = state.index.spelled(&parse_name(name)?);
            parse_requirement(requirement.trim())
                .map_err(|error| errors::requirement_invalid(name, requirement, &error))?;
            if state.index.module(&parsed.folded()).releases.is_empty() {
                return Err(errors::unknown_module(parsed.as_str()));
            }
            keep.remove(&parsed);
            wanted.insert(parsed, requirement.trim().to_owned());
        }
        keep.extend(locked.clone());
        let dependencies: Vec<Dependency> = wanted
            .iter()
            .filter_map(|(name, text)| {
                Some(Dependency { name: name.clone(), requirement: parse_requirement(text).ok()? })
            })
            .collect();
        let catalogue = state.index.catalogue(&dependencies);
        let plan = resolve(&dependencies, &catalogue, &keep).map_err(|unresolved| errors::unresolvable(&unresolved))?;
        let order = plan.order.into_iter().filter_map(|name| {
            let version = plan.versions.get(&name)?;
            let counted = state.index.module(&name.folded()).releases.get(version)?.clone();
            Some((name, counted))
        });
        Ok(Planned { order: order.collect(), wanted })
    }

    pub(super) fn artifact_of(&self, release: &Digest) -> Option<Artifact> {
        self.state.borrow().index.release(release).map(|(_, release)| release.artifact.clone())
    }
}

fn needs(counted: &CountedRelease, name: &ModuleName) -> bool {
    counted.release.dependencies.iter().any(|needed| needed.name.folded() == name.folded())
}

/// What a module asks for, as `namespace.name`.
pub(super) fn imports(report: &Report) -> Vec<String> {
    let full = |import: &Extern| match &import.module {
        Some(module) => format!("{module}.{}", import.name),
        None => import.name.clone(),
    };
    let names: BTreeSet<String> = report.imports.iter().map(full).collect();
    names.into_iter().collect()
}
