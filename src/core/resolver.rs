//! Dependency resolution: from requirements to versions, and from versions to the order in which to install them.
//!
//! Requirements are those of Cargo (`semver::VersionReq`). There is one version of each module in a result. The algorithm
//! is PubGrub (N. Weizenbaum, "PubGrub: Next-Generation Version Solving", 2018), which learns from each conflict and can
//! explain a failure; [`explain`] turns that into sentences. Nothing is fetched: all that is known is the catalogue.
//!
//! # What decides
//! 1. The module with the fewest versions left is chosen first, alphabetically among equals.
//! 2. Its locked version is taken, if that is in the catalogue and meets every requirement so far.
//! 3. Otherwise the newest version that meets them is taken. A withdrawn (yanked) version is taken only if it is
//!    locked.
//! 4. If the choice leads to a contradiction, the cause is recorded and the next version is tried.
//!
//! The rules read nothing but the arguments, so all peers resolve the same input to the same result.
//!
//! # Example
//! `png 1.1.0` is newer than `1.0.0`, but needs a `zlib` that `gallery` can't use:
//!
//! ```
//! use std::collections::BTreeMap;
//!
//! use gen_registry_core::name::ModuleName;
//! use gen_registry_core::resolver::{Catalogue, Dependency, ResolvableRelease, Versions, resolve};
//!
//! fn needs(modules: &[(&str, &str)]) -> Vec<Dependency> {
//!     let one = |(name, requirement): &(&str, &str)| Dependency {
//!         name: name.parse().unwrap(),
//!         requirement: requirement.parse().unwrap(),
//!     };
//!     modules.iter().map(one).collect()
//! }
//!
//! let mut catalogue = Catalogue::new();
//! for (name, version, dependencies) in [
//!     ("gallery", "1.0.0", needs(&[("png", "^1"), ("zlib", "^1")])),
//!     ("png", "1.0.0", needs(&[("zlib", "^1")])),
//!     ("png", "1.1.0", needs(&[("zlib", "^2")])),
//!     ("zlib", "1.2.0", vec![]),
//!     ("zlib", "1.3.0", vec![]),
//!     ("zlib", "2.0.0", vec![]),
//! ] {
//!     let release = ResolvableRelease { yanked: false, dependencies };
//!     catalogue.entry(name.parse().unwrap()).or_default().insert(version.parse().unwrap(), release);
//! }
//!
//! let wanted = needs(&[("gallery", "^1")]);
//! let plan = resolve(&wanted, &catalogue, &Versions::new()).unwrap();
//! let chosen: Vec<String> = plan.order.iter().map(|name| format!("{name} {}", plan.versions[name])).collect();
//! assert_eq!(chosen, ["zlib 1.3.0", "png 1.0.0", "gallery 1.0.0"], "what is depended on comes first");
//!
//! let zlib: ModuleName = "zlib".parse().unwrap();
//! let locked = BTreeMap::from([(zlib.clone(), "1.2.0".parse().unwrap())]);
//! assert_eq!(resolve(&wanted, &catalogue, &locked).unwrap().versions[&zlib].to_string(), "1.2.0");
//! ```

pub mod explain;

use std::cell::Cell;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pubgrub::{
    Dependencies, DependencyConstraints, DependencyProvider, PackageResolutionStatistics, PubGrubError, Ranges,
};
use semver::Version;

pub use crate::modules::version::Dependency;
use crate::name::ModuleName;
use explain::{Want, wants};

/// The most choices of one resolution. The problem is NP-hard, and strangers write the catalogue.
pub const CHOICES_MAX: u32 = 20_000;

/// What a resolution knows of one release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvableRelease {
    pub yanked: bool,
    pub dependencies: Vec<Dependency>,
}

/// The releases that may be chosen from, by module and version.
pub type Catalogue = BTreeMap<ModuleName, BTreeMap<Version, ResolvableRelease>>;
/// One version of each module: a result, or what is locked.
pub type Versions = BTreeMap<ModuleName, Version>;

/// A successful resolution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub versions: Versions,
    /// Every module after all that it depends on; alphabetically where that leaves a choice.
    pub order: Vec<ModuleName>,
}

/// Why there is no plan. Its `Display` is made of sentences for people ([`explain`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unresolved {
    /// These requirements contradict each other, or nothing meets one of them.
    Impossible(Vec<Want>),
    /// The chosen versions depend on each other in a circle: each on the next; the last is the first.
    Cycle(Vec<ModuleName>),
    /// The resolution took more than [`CHOICES_MAX`] choices.
    TooHard,
}

/// Chooses a version of each module that is needed for `wanted`, preferring those in `locked`.
pub fn resolve(wanted: &[Dependency], catalogue: &Catalogue, locked: &Versions) -> Result<Plan, Unresolved> {
    let problem = ResolutionProblem { wanted, catalogue, locked, choices: Cell::new(0) };
    let chosen = match pubgrub::resolve(&problem, Package::You, Version::new(0, 0, 0)) {
        Ok(chosen) => chosen,
        Err(PubGrubError::NoSolution(tree)) => return Err(Unresolved::Impossible(wants(&problem, &tree))),
        Err(_) => return Err(Unresolved::TooHard),
    };
    let versions: Versions = chosen
        .into_iter()
        .filter_map(|(package, version)| match package {
            Package::You => None,
            Package::Module(name) => Some((name, version)),
        })
        .collect();
    let order = install_order(&versions, catalogue).map_err(Unresolved::Cycle)?;
    Ok(Plan { versions, order })
}

/// Sorts the chosen modules so that each comes after its dependencies (depth-first). Fails with a cycle, if there is
/// one.
fn install_order(versions: &Versions, catalogue: &Catalogue) -> Result<Vec<ModuleName>, Vec<ModuleName>> {
    let mut order = Vec::with_capacity(versions.len());
    let mut done: BTreeSet<&ModuleName> = BTreeSet::new();
    for start in versions.keys() {
        // A walk without recursion: a chain of dependencies may be as long as the catalogue.
        let mut path: Vec<(&ModuleName, std::vec::IntoIter<&ModuleName>)> = Vec::new();
        if !done.contains(start) {
            path.push((start, needs(start, versions, catalogue)));
        }
        while let Some((name, rest)) = path.last_mut() {
            match rest.next() {
                Some(next) if done.contains(next) => {}
                Some(next) => {
                    if let Some(at) = path.iter().position(|(open, _)| *open == next) {
                        let cycle = path[at..].iter().map(|(name, _)| (*name).clone());
                        return Err(cycle.chain([next.clone()]).collect());
                    }
                    path.push((next, needs(next, versions, catalogue)));
                }
                None => {
                    done.insert(name);
                    order.push((*name).clone());
                    path.pop();
                }
            }
        }
    }
    Ok(order)
}

/// The modules that the chosen version of `name` depends on, alphabetically.
fn needs<'a>(
    name: &ModuleName,
    versions: &'a Versions,
    catalogue: &'a Catalogue,
) -> std::vec::IntoIter<&'a ModuleName> {
    let release = versions.get(name).and_then(|version| catalogue.get(name)?.get(version));
    let names: BTreeSet<&ModuleName> =
        release.into_iter().flat_map(|release| &release.dependencies).map(|dependency| &dependency.name).collect();
    names.into_iter().collect::<Vec<_>>().into_iter()
}

/// What PubGrub chooses versions of. The requirements of the person are the dependencies of one artificial package,
/// [`Package::You`] at version 0.0.0.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Package {
    /// The person who asked.
    You,
    Module(ModuleName),
}

impl fmt::Display for Package {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::You => formatter.write_str("you"),
            Self::Module(name) => name.fmt(formatter),
        }
    }
}

/// The arguments of a resolution as PubGrub asks for them, and the number of choices so far.
struct ResolutionProblem<'a> {
    wanted: &'a [Dependency],
    catalogue: &'a Catalogue,
    locked: &'a Versions,
    choices: Cell<u32>,
}

/// The error by which a resolution is cancelled.
#[derive(Debug, thiserror::Error)]
#[error("too many choices")]
struct GivenUp;

impl ResolutionProblem<'_> {
    /// The releases of a module that may be chosen, oldest first.
    fn available<'b>(
        &'b self,
        name: &'b ModuleName,
    ) -> impl DoubleEndedIterator<Item = (&'b Version, &'b ResolvableRelease)> {
        let locked = self.locked.get(name);
        let releases = self.catalogue.get(name).into_iter().flatten();
        releases.filter(move |(version, release)| !release.yanked || locked == Some(version))
    }

    /// The set of versions that meet a requirement. It is an enumeration, not a range: `^1` matches no pre-release, for
    /// example.
    fn matching(&self, dependency: &Dependency) -> Ranges<Version> {
        let matching = self.available(&dependency.name).map(|(version, _)| version);
        matching
            .filter(|version| dependency.requirement.matches(version))
            .fold(Ranges::empty(), |set, version| set.union(&Ranges::singleton(version.clone())))
    }

    /// The requirements of a release, or those of the person.
    fn dependencies(&self, package: &Package, version: &Version) -> &[Dependency] {
        match package {
            Package::You => self.wanted,
            Package::Module(name) => {
                let release = self.catalogue.get(name).and_then(|releases| releases.get(version));
                release.map_or(&[], |release| &release.dependencies)
            }
        }
    }
}

impl DependencyProvider for ResolutionProblem<'_> {
    type P = Package;
    type V = Version;
    type VS = Ranges<Version>;
    type Priority = (Reverse<usize>, Reverse<Option<ModuleName>>);
    type M = SelfDependency;
    type Err = GivenUp;

    /// The package with the fewest versions left goes first; then alphabetical order decides.
    fn prioritize(
        &self,
        package: &Package,
        range: &Ranges<Version>,
        _: &PackageResolutionStatistics,
    ) -> Self::Priority {
        match package {
            Package::You => (Reverse(0), Reverse(None)),
            Package::Module(name) => {
                let left = self.available(name).filter(|(version, _)| range.contains(version)).count();
                (Reverse(left), Reverse(Some(name.clone())))
            }
        }
    }

    /// The locked version if it is in the range, else the newest one that is.
    fn choose_version(&self, package: &Package, range: &Ranges<Version>) -> Result<Option<Version>, GivenUp> {
        let Package::Module(name) = package else { return Ok(Some(Version::new(0, 0, 0))) };
        let locked = self.locked.get(name).filter(|version| range.contains(version));
        let locked = locked.filter(|version| self.catalogue.get(name).is_some_and(|known| known.contains_key(version)));
        let newest = self.available(name).rev().map(|(version, _)| version).find(|version| range.contains(version));
        Ok(locked.or(newest).cloned())
    }

    /// A release's requirements as sets of versions, one for each module.
    fn get_dependencies(
        &self,
        package: &Package,
        version: &Version,
    ) -> Result<Dependencies<Package, Ranges<Version>, SelfDependency>, GivenUp> {
        let mut constraints: BTreeMap<&ModuleName, Ranges<Version>> = BTreeMap::new();
        for dependency in self.dependencies(package, version) {
            if matches!(package, Package::Module(name) if *name == dependency.name) {
                return Ok(Dependencies::Unavailable(SelfDependency));
            }
            let set = self.matching(dependency);
            // Two requirements on one module must both be met.
            let both =
                constraints.remove(&dependency.name).map_or_else(|| set.clone(), |first| first.intersection(&set));
            constraints.insert(&dependency.name, both);
        }
        let constraints = constraints.into_iter().map(|(name, set)| (Package::Module(name.clone()), set));
        Ok(Dependencies::Available(constraints.collect::<DependencyConstraints<_, _>>()))
    }

    /// Called at each choice; an error cancels the resolution.
    fn should_cancel(&self) -> Result<(), GivenUp> {
        self.choices.set(self.choices.get() + 1);
        if self.choices.get() > CHOICES_MAX { Err(GivenUp) } else { Ok(()) }
    }
}

/// A release that depends on its own module can't be installed.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SelfDependency;

impl fmt::Display for SelfDependency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("depends on itself")
    }
}
