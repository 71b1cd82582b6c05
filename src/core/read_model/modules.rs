//! What the read model answers about modules. What a module comes to is worked out at the first question, from its facts
//! alone, and remembered until one of them changes.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use semver::Version;

use crate::document::ModuleFacet;
use crate::keys::Did;
use crate::log::EntryId;
use crate::log::body::Release;
use crate::modules::ModuleState;
use crate::modules::ratings::{NAMED_FOR, OpinionClass, RatingState};
use crate::name::{ClaimedName, FoldedName, ModuleName, NameKind};
use crate::read_model::{Availability, NameState, ReadModel};
use crate::resolver::{self, Catalogue, Dependency};
use crate::time::Timestamp;

impl ReadModel {
    /// The modules whose names somebody holds, in the order of the names, after `after`.
    pub fn modules(&self, after: Option<&ModuleName>) -> impl Iterator<Item = (&ModuleName, &Did)> {
        let begin = after.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        self.modules.range::<ModuleName, _>((begin, std::ops::Bound::Unbounded))
    }

    /// The state of a module's name, or `None` if it has no claims that count.
    pub fn module_name(&self, name: &FoldedName) -> Option<&NameState> {
        self.name_state(&(NameKind::Module, name.clone()))
    }

    /// What a claim of a module's name by `who` would come to.
    pub fn module_availability(&self, name: &ModuleName, who: Option<&Did>, now: Timestamp) -> Availability {
        self.module_name(&name.folded()).map_or(Availability::Free, |state| state.availability(who, now))
    }

    /// Which releases of a module count.
    pub fn module(&self, name: &FoldedName) -> Rc<ModuleState> {
        if let Some(known) = self.module_states.borrow().get(name) {
            return known.clone();
        }
        let state = Rc::new(ModuleState::of(&self.registry, name));
        self.module_states.borrow_mut().insert(name.clone(), state.clone());
        state
    }

    /// The release that an entry is, whether it counts or not.
    pub fn release(&self, entry: &EntryId) -> Option<(Did, &Release)> {
        let fact = self.registry.facts().get(entry)?;
        Some((fact.did, fact.release()?))
    }

    /// How the holder of a module's name describes it.
    pub fn facet(&self, name: &ModuleName) -> Option<&ModuleFacet> {
        let folded = name.folded();
        let holder = self.module_name(&folded)?.holder()?.tenure.holder;
        let described = &self.person(&holder)?.annotations.modules;
        described
            .get(name)
            .or_else(|| described.iter().find(|(other, _)| other.folded() == folded).map(|(_, facet)| facet))
    }

    /// The ratings and installs of a module, or `None` if it has neither.
    pub fn ratings(&self, name: &FoldedName) -> Option<&RatingState> {
        self.ratings.on(name)
    }

    /// What is done with a person's opinions of modules, blocking apart. In a network without witnesses no name is confirmed:
    /// then all opinions count.
    pub fn opinion_class(&self, who: &Did, now: Timestamp) -> OpinionClass {
        let is_known = || self.confirmed_since.get(who).is_some_and(|since| since.plus(NAMED_FOR) <= now);
        if !self.registry.has_witnesses() || is_known() { OpinionClass::Counted } else { OpinionClass::Apart }
    }

    /// The modules whose names an identity holds.
    pub fn modules_of(&self, did: &Did) -> impl Iterator<Item = &ModuleName> {
        self.modules.iter().filter(move |(_, holder)| *holder == did).map(|(name, _)| name)
    }

    /// Modules with a counted release that needs `name`.
    pub fn dependents(&self, name: &FoldedName) -> Vec<(&ModuleName, Version)> {
        let needs = |release: &Release| release.dependencies.iter().any(|needed| needed.name.folded() == *name);
        let mut found = Vec::new();
        for (module, _) in self.modules(None) {
            let state = self.module(&module.folded());
            if let Some(latest) = state.latest().filter(|latest| needs(&latest.release)) {
                found.push((module, latest.release.version.clone()));
            }
        }
        found
    }

    /// Everything that a resolution of `wanted` can come to ask for, and nothing else. Names are those that are asked for;
    /// a name and its look-alikes are one module.
    pub fn catalogue(&self, wanted: &[Dependency]) -> Catalogue {
        let mut catalogue = Catalogue::new();
        let mut open: BTreeSet<ModuleName> = wanted.iter().map(|wanted| self.spelled(&wanted.name)).collect();
        while let Some(name) = open.pop_first() {
            let mut versions = BTreeMap::new();
            for (version, counted) in &self.module(&name.folded()).releases {
                let dependencies: Vec<Dependency> = counted
                    .release
                    .dependencies
                    .iter()
                    .map(|needed| Dependency {
                        name: self.spelled(&needed.name),
                        requirement: needed.requirement.clone(),
                    })
                    .collect();
                open.extend(
                    dependencies.iter().map(|needed| needed.name.clone()).filter(|n| !catalogue.contains_key(n)),
                );
                versions.insert(
                    version.clone(),
                    resolver::ResolvableRelease { yanked: !counted.is_offered(), dependencies },
                );
            }
            open.remove(&name);
            catalogue.insert(name, versions);
        }
        catalogue
    }

    /// A module's name as its holder spells it.
    pub fn spelled(&self, name: &ModuleName) -> ModuleName {
        let holder = self.module_name(&name.folded()).and_then(NameState::holder);
        match holder.map(|held| &held.tenure.spelled) {
            Some(ClaimedName::Module(spelled)) => spelled.clone(),
            _ => name.clone(),
        }
    }
}
