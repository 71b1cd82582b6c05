//! Explanations of a failed resolution: which requirements contradict each other and what there is, as data ([`Want`])
//! and as sentences (`Display`).

use std::collections::BTreeSet;
use std::fmt;

use pubgrub::{DerivationTree, External, Ranges};
use semver::{Version, VersionReq};

use super::{Package, ResolutionProblem, SelfDependency, Unresolved};
use crate::name::ModuleName;

/// One of the requirements that can't all be met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// The releases that state it, or `None` if the person asked for it.
    pub by: Option<Wanting>,
    pub name: ModuleName,
    pub requirement: VersionReq,
    pub there_is: ThereIs,
}

/// The releases of one module that state the same requirement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanting {
    pub name: ModuleName,
    pub versions: Vec<Version>,
}

/// What a requirement would find if it were the only one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ThereIs {
    /// At least one version matches; another requirement conflicts with it.
    Some,
    /// Versions, but none that meets the requirement.
    OnlyOthers { newest: Version },
    /// Only withdrawn versions meet it.
    OnlyYanked,
    /// A release depends on its own module.
    Itself,
    /// No module of this name is known here.
    Nothing,
}

/// The requirements at the leaves of PubGrub's derivation tree, those of the person first.
pub(super) fn wants(
    problem: &ResolutionProblem<'_>,
    tree: &DerivationTree<Package, Ranges<Version>, SelfDependency>,
) -> Vec<Want> {
    let mut found: Vec<Want> = Vec::new();
    let mut seen = BTreeSet::new();
    // The tree shares its branches; each is looked at once.
    let mut open = vec![tree];
    while let Some(node) = open.pop() {
        match node {
            DerivationTree::Derived(derived) => {
                for cause in [&derived.cause2, &derived.cause1] {
                    if seen.insert(std::ptr::from_ref(cause.as_ref()) as usize) {
                        open.push(cause);
                    }
                }
            }
            DerivationTree::External(External::FromDependencyOf(package, versions, on, _)) => {
                if let Package::Module(on) = on {
                    add(&mut found, problem, package, versions, on);
                }
            }
            DerivationTree::External(External::Custom(Package::Module(name), versions, SelfDependency)) => {
                add(&mut found, problem, &Package::Module(name.clone()), versions, name);
            }
            DerivationTree::External(_) => {}
        }
    }
    // Who asked comes first.
    found.sort_by_key(|want| want.by.is_some());
    found
}

/// Adds every requirement on the module `on` that these versions of a package state, merged where it is the same one.
fn add(
    found: &mut Vec<Want>,
    problem: &ResolutionProblem<'_>,
    package: &Package,
    versions: &Ranges<Version>,
    on: &ModuleName,
) {
    let you = Version::new(0, 0, 0);
    let versions: Vec<&Version> = match package {
        Package::You => vec![&you],
        Package::Module(name) => {
            problem.available(name).map(|(version, _)| version).filter(|version| versions.contains(version)).collect()
        }
    };
    for version in versions {
        for dependency in problem.dependencies(package, version).iter().filter(|dependency| dependency.name == *on) {
            let same = |want: &&mut Want| {
                let by = want.by.as_ref().map(|by| &by.name);
                let package = match package {
                    Package::You => None,
                    Package::Module(name) => Some(name),
                };
                by == package && want.name == *on && want.requirement == dependency.requirement
            };
            match (found.iter_mut().find(same), package) {
                (Some(Want { by: Some(by), .. }), _) if !by.versions.contains(version) => {
                    by.versions.push(version.clone());
                    by.versions.sort();
                }
                (Some(_), _) => {}
                (None, _) => found.push(Want {
                    by: match package {
                        Package::You => None,
                        Package::Module(name) => Some(Wanting { name: name.clone(), versions: vec![version.clone()] }),
                    },
                    name: on.clone(),
                    requirement: dependency.requirement.clone(),
                    there_is: there_is(problem, package, on, &dependency.requirement),
                }),
            }
        }
    }
}

/// Looks a requirement up by itself.
fn there_is(
    problem: &ResolutionProblem<'_>,
    package: &Package,
    name: &ModuleName,
    requirement: &VersionReq,
) -> ThereIs {
    if matches!(package, Package::Module(own) if own == name) {
        return ThereIs::Itself;
    }
    if problem.available(name).any(|(version, _)| requirement.matches(version)) {
        return ThereIs::Some;
    }
    let Some(releases) = problem.catalogue.get(name).filter(|releases| !releases.is_empty()) else {
        return ThereIs::Nothing;
    };
    if releases.keys().any(|version| requirement.matches(version)) {
        return ThereIs::OnlyYanked;
    }
    releases.keys().next_back().map_or(ThereIs::Nothing, |newest| ThereIs::OnlyOthers { newest: newest.clone() })
}

impl fmt::Display for Want {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { by, name, requirement, there_is } = self;
        match by {
            None => write!(formatter, "You want {name} {requirement}")?,
            Some(Wanting { name: by, versions }) => {
                let versions: Vec<String> = versions.iter().map(ToString::to_string).collect();
                let many = versions.len() > 1;
                write!(
                    formatter,
                    "{by} {} {} {name} {requirement}",
                    list(&versions),
                    if many { "want" } else { "wants" }
                )?;
            }
        }
        match there_is {
            ThereIs::Some => formatter.write_str("."),
            ThereIs::OnlyOthers { newest } => write!(formatter, ", but no version meets that; the newest is {newest}."),
            ThereIs::OnlyYanked => formatter.write_str(", but all versions that meet that were withdrawn."),
            ThereIs::Itself => formatter.write_str(": itself, which can't be installed."),
            ThereIs::Nothing => formatter.write_str(", but no module of that name is known here."),
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Impossible(wants) => {
                let sentences: Vec<String> = wants.iter().map(ToString::to_string).collect();
                write!(formatter, "These can't all be met. {}", sentences.join(" "))
            }
            Self::Cycle(path) => {
                let names: Vec<String> = path.iter().map(ToString::to_string).collect();
                write!(formatter, "These modules need each other in a circle: {}.", names.join(" → "))
            }
            Self::TooHard => formatter
                .write_str("There are too many possibilities. Ask for narrower versions, for example the exact ones."),
        }
    }
}

impl std::error::Error for Unresolved {}

/// Joins texts for a sentence: “1.0.0”, “1.0.0 and 1.1.0”, “1.0.0, 1.1.0 and 2.0.0”, “1.0.0, 1.1.0 and 7 more”.
fn list(texts: &[String]) -> String {
    const SHOWN: usize = 3;
    match texts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] if texts.len() <= SHOWN => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", texts[..SHOWN - 1].join(", "), texts.len() - SHOWN + 1),
    }
}
