//! Installing: resolve, fetch, validate, commit. What is installed changes only in the last step, all at once.
//!
//! For example, `chess ^2` is installed, and the person installs `game ^1`, which needs `board ^3`:
//!
//! ```text
//!   plan               requirements: chess ^2 (installed before), game ^1
//!                      resolved:     board 3.1.0, chess 2.4.0 (stays: it still fits), game 1.0.2
//!   fetch_and_validate board, game: bytes compared with the release's hash, then validated in a worker
//!   new imports        an update that imports more than before is refused, unless it is in `accept`
//!   commit_plan        pin the files, then one batch of all records; then the installs are counted in the own document
//! ```
//!
//! A failure before the last step leaves everything as it was; fetched blocks stay in the cache and need not be fetched
//! again. `game` is recorded with its requirement, `board` without one: it is removed together with the last module
//! that needs it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use crate::blocks::{ContentStore, Pin, Progress};
use crate::context::Context;
use crate::decisions::Decisions;
use crate::key_store::KeyStore;
use crate::modules::answers;
use crate::modules::catalog::ModuleCatalog;
use crate::modules::errors;
use crate::modules::input::{parse_name, validate};
use crate::modules::installed::{Installations, Installed, InstalledModules};
use crate::registry::{Draft, Registry};
use crate::store::records::put;
use crate::store::{Batch, Durability, Table, Write};
use gen_registry_api::*;
use gen_registry_core::artifact::Artifact;
use gen_registry_core::document::Edit;
use gen_registry_core::limits::{DEPENDENCIES_MAX, INSTALLS_MAX};
use gen_registry_core::log::EntryId;
use gen_registry_core::modules::CountedRelease;
use gen_registry_core::modules::version::parse_requirement;
use gen_registry_core::name::ModuleName;
use gen_registry_core::resolver::{Dependency, Versions, resolve};
use gen_registry_core::validation::Report;

/// A plan: everything that will be installed afterwards, in the order of installation.
pub(super) struct Planned {
    /// The releases, each after those it needs.
    order: Vec<(ModuleName, CountedRelease)>,
    /// The requirements that people gave.
    wanted: BTreeMap<ModuleName, String>,
}

/// How often counted installs are written at most.
const COUNT_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// The service that installs and removes modules.
pub(crate) struct Installer {
    pub(super) context: Rc<Context>,
    keys: Rc<KeyStore>,
    pub(super) registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    installations: Rc<Installations>,
    content: Rc<ContentStore>,
    pub(super) catalog: Rc<ModuleCatalog>,
    /// Held while modules are installed or removed.
    installing: async_lock::Mutex<()>,
}

impl Installer {
    /// Creates the service.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        installations: Rc<Installations>,
        content: Rc<ContentStore>,
        catalog: Rc<ModuleCatalog>,
    ) -> Self {
        let installing = async_lock::Mutex::new(());
        Self { context, keys, registry, decisions, installations, content, catalog, installing }
    }

    /// Returns what installing these would do and how many bytes it would fetch, without doing it.
    pub(super) async fn report_plan(&self, requirements: &[Requirement]) -> Result<InstallPlan, Failure> {
        let planned = self.plan(requirements, &Versions::new())?;
        let mut steps = Vec::new();
        let mut to_fetch = 0;
        for (name, counted) in &planned.order {
            let before = self.installations.version_of(name);
            if before.as_ref() == Some(&counted.release.version)
                && !requirements.iter().any(|asked| asked.name == name.as_str())
            {
                continue;
            }
            let artifact = &counted.release.artifact;
            let Progress { done, total } = self.content.artifact_progress(artifact).await?;
            to_fetch += total - done;
            let needed_by = planned.order.iter().filter(|(_, other)| needs(other, name));
            let read_model = self.registry.read_model();
            steps.push(PlannedModule {
                name: name.to_string(),
                summary: answers::release_summary(&read_model, counted),
                needed_by: needed_by.map(|(other, _)| other.to_string()).collect(),
                installed: before.map(|version| version.to_string()),
                here: done == total,
            });
        }
        Ok(InstallPlan { steps, to_fetch })
    }

    /// Installs requirements beside what is installed. `accept` names modules whose new imports are accepted; `locked`
    /// are versions to prefer, from a lockfile. Fails without a change if one is blocked, invalid, can't be fetched, or
    /// imports more.
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
        let mut imports_of = Vec::new();
        let mut new_imports = Vec::new();
        for (name, counted) in &planned.order {
            let before = self.installations.all().get(name).cloned();
            if before.as_ref().is_some_and(|before| before.release == counted.entry) {
                imports_of.push(before.map(|before| before.imports).unwrap_or_default());
                continue;
            }
            let report = self.fetch_and_validate(name, counted).await?;
            let imports = imports(&report);
            let accepted = accept.iter().any(|accepted| accepted == ACCEPT_ALL || accepted == name.as_str());
            if let Some(before) = before.filter(|_| !accepted) {
                let added: Vec<&str> =
                    imports.iter().filter(|import| !before.imports.contains(import)).map(String::as_str).collect();
                if !added.is_empty() {
                    new_imports.push(format!("{name} {} now asks for {}", counted.release.version, added.join(", ")));
                }
            }
            imports_of.push(imports);
        }
        if !new_imports.is_empty() {
            return Err(errors::new_imports(&new_imports));
        }
        self.commit_plan(planned, imports_of).await
    }

    /// Whether a module may not be newly installed; what is installed already stays.
    fn is_blocked(&self, name: &ModuleName) -> bool {
        let read_model = self.registry.read_model();
        let holder =
            read_model.module_name(&name.folded()).and_then(|name_state| Some(name_state.holder()?.tenure.holder));
        !self.installations.all().contains_key(name) && self.decisions.blocks_module(name, holder.as_ref())
    }

    /// Fetches a release and validates its bytes, with events about the progress.
    async fn fetch_and_validate(&self, name: &ModuleName, counted: &CountedRelease) -> Result<Report, Failure> {
        let artifact = &counted.release.artifact;
        let version = counted.release.version.to_string();
        let report = |stage, Progress { done, total }| {
            let (name, version) = (name.to_string(), version.clone());
            self.context.emit(&Event::Installing { progress: InstallProgress { name, version, stage, done, total } });
        };
        self.content.fetch(artifact, |progress| report(InstallStage::Fetching, progress)).await?;
        report(InstallStage::Verifying, Progress { done: artifact.size, total: artifact.size });
        let found = validate(&self.context, self.content.artifact_bytes(artifact).await?).await?;
        match found.problem() {
            Some(problem) => Err(errors::published_invalid(name.as_str(), &version, problem)),
            None => Ok(found),
        }
    }

    /// Commits a plan whose files are all stored and validated.
    async fn commit_plan(&self, planned: Planned, imports: Vec<Vec<String>>) -> Result<(), Failure> {
        let before = self.installations.all().clone();
        let mut after = InstalledModules::new();
        for ((name, counted), imports) in planned.order.iter().zip(imports) {
            let same = before.get(name).filter(|before| before.release == counted.entry);
            let installed_at = same.map_or_else(|| self.context.now(), |same| same.installed_at);
            let installed = Installed {
                version: counted.release.version.clone(),
                release: counted.entry,
                requirement: planned.wanted.get(name).cloned(),
                installed_at,
                imports,
            };
            if same.is_none() {
                self.content.pin_artifact(&counted.release.artifact, Pin::Installed).await?;
            }
            after.insert(name.clone(), installed);
        }
        self.replace_installed(&before, after).await?;
        let mut installed = Vec::new();
        for (name, counted) in planned.order {
            let new = before.get(&name).is_none_or(|before| before.release != counted.entry);
            if new {
                let size = counted.release.artifact.size;
                let progress = InstallProgress {
                    name: name.to_string(),
                    version: counted.release.version.to_string(),
                    stage: InstallStage::Installed,
                    done: size,
                    total: size,
                };
                self.context.emit(&Event::Installing { progress });
                installed.push(name);
            }
        }
        self.count_installs(installed).await;
        Ok(())
    }

    /// Replaces the records of what is installed in one batch, then unpins the files of those that are gone.
    async fn replace_installed(&self, before: &InstalledModules, after: InstalledModules) -> Result<(), Failure> {
        let removed = before.keys().filter(|name| !after.contains_key(*name));
        let mut batch: Batch =
            removed.map(|name| Write::Delete { table: Table::Installed, key: name.to_string() }).collect();
        let changed = after.iter().filter(|(name, record)| before.get(*name) != Some(record));
        batch.extend(changed.map(|(name, record)| put(Table::Installed, name.as_str(), record)));
        self.context.commit(batch, Durability::Strict).await?;
        let names = before.keys().chain(after.keys()).map(ToString::to_string).collect::<BTreeSet<_>>();
        let kept: BTreeSet<EntryId> = after.values().map(|record| record.release).collect();
        self.installations.replace(after);
        for record in before.values().filter(|record| !kept.contains(&record.release)) {
            if let Some(artifact) = self.artifact_of(&record.release) {
                self.content.unpin_artifact(&artifact, Pin::Installed).await?;
            }
        }
        self.context.emit(&Event::ModulesChanged { names: names.into_iter().collect() });
        Ok(())
    }

    /// Counts installations, and writes what was counted into the own document, at most once in [`COUNT_EVERY`]. Without
    /// keys nothing is written, which is no failure.
    async fn count_installs(&self, names: Vec<ModuleName>) {
        let _one_at_a_time = self.registry.begin_write().await;
        let Ok(keys) = self.keys.keys() else { return };
        let now = self.context.now();
        let mut settings = Rc::unwrap_or_clone(self.keys.settings());
        names.into_iter().for_each(|name| *settings.installs.counted.entry(name).or_default() += 1);
        let is_due = settings.installs.written_at.is_none_or(|at| at.plus(COUNT_EVERY) <= now);
        let mut edits = Vec::new();
        if is_due {
            let known = self.registry.read_model().person(&keys.did()).map(|own| own.annotations.installs.clone());
            let known = known.unwrap_or_default();
            let counted = std::mem::take(&mut settings.installs.counted).into_iter();
            let counted = counted.filter(|(name, _)| known.len() < INSTALLS_MAX || known.contains_key(name));
            edits.extend(counted.map(|(name, count)| Edit::CountInstalls { name, count }));
            settings.installs.written_at = Some(now);
        }
        let counted = async {
            self.keys.save_settings(settings).await?;
            match edits.is_empty() {
                true => Ok(()),
                false => self.registry.write(None, keys, Draft::of_edits(edits)).await.map(drop),
            }
        };
        if let Err(failure) = counted.await {
            tracing::warn!(code = ?failure.code, "installs are not counted");
        }
    }

    /// Removes a module and what only it needed. Fails if another installed module needs it.
    pub(super) async fn uninstall(&self, name: &str) -> Result<(), Failure> {
        let _one_at_a_time = self.installing.lock().await;
        let name = parse_name(name)?;
        let before = self.installations.all().clone();
        if !before.contains_key(&name) {
            return Err(errors::not_installed(name.as_str()));
        }
        let needed_by = self.catalog.needed_by(&before, &name);
        if !needed_by.is_empty() {
            return Err(errors::needed_by(name.as_str(), &needed_by));
        }
        let mut after = before.clone();
        after.remove(&name);
        // Removes what was neither asked for nor is needed any more.
        loop {
            let orphans: Vec<ModuleName> = after
                .iter()
                .filter(|(other, record)| {
                    record.requirement.is_none() && self.catalog.needed_by(&after, other).is_empty()
                })
                .map(|(other, _)| other.clone())
                .collect();
            if orphans.is_empty() {
                break;
            }
            orphans.iter().for_each(|orphan| drop(after.remove(orphan)));
        }
        self.replace_installed(&before, after).await
    }

    /// Resolves requirements together with those of what is installed. Versions that are not asked for stay as far as
    /// possible.
    pub(super) fn plan(&self, requirements: &[Requirement], locked: &Versions) -> Result<Planned, Failure> {
        if requirements.len() > DEPENDENCIES_MAX {
            return Err(errors::details_invalid(format!("At most {DEPENDENCIES_MAX} modules are installed at once.")));
        }
        let (read_model, installed) = (self.registry.read_model(), self.installations.all());
        let mut wanted: BTreeMap<ModuleName, String> = installed
            .iter()
            .filter_map(|(name, installed)| Some((name.clone(), installed.requirement.clone()?)))
            .collect();
        let mut keep = self.installations.versions();
        for Requirement { name, requirement } in requirements {
            let parsed = read_model.spelled(&parse_name(name)?);
            parse_requirement(requirement.trim())
                .map_err(|error| errors::requirement_invalid(name, requirement, &error))?;
            if read_model.module(&parsed.folded()).releases.is_empty() {
                return Err(errors::absent_module(&read_model, &parsed));
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
        let catalogue = read_model.catalogue(&dependencies);
        let plan = resolve(&dependencies, &catalogue, &keep).map_err(|unresolved| errors::unresolvable(&unresolved))?;
        let order = plan.order.into_iter().filter_map(|name| {
            let version = plan.versions.get(&name)?;
            let counted = read_model.module(&name.folded()).releases.get(version)?.clone();
            Some((name, counted))
        });
        Ok(Planned { order: order.collect(), wanted })
    }

    /// Returns the file of a release.
    pub(super) fn artifact_of(&self, release: &EntryId) -> Option<Artifact> {
        self.registry.read_model().release(release).map(|(_, release)| release.artifact.clone())
    }
}

/// Whether a release depends on a module.
fn needs(counted: &CountedRelease, name: &ModuleName) -> bool {
    counted.release.dependencies.iter().any(|needed| needed.name.folded() == name.folded())
}

/// Returns what a module imports, as `namespace.name`, each once.
pub(super) fn imports(report: &Report) -> Vec<String> {
    let full = |import: &Extern| match &import.module {
        Some(module) => format!("{module}.{}", import.name),
        None => import.name.clone(),
    };
    let names: BTreeSet<String> = report.imports.iter().map(full).collect();
    names.into_iter().collect()
}
