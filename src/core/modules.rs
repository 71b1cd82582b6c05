//! Releases of modules: which ones count, and which are withdrawn. A view of what [`outcome`](crate::outcome) decides.
//!
//! A release counts if it is confirmed and stands under the claim by which its author held the module's name. The first
//! one of a version is that version permanently. Others are kept and listed; nothing is overwritten.
//!
//! # Example
//! Alice holds `crc32`, gives it to Dan, and Dan holds it since.
//!
//! | release | result |
//! |---|---|
//! | Alice's `1.0.0`, confirmed | counts |
//! | Alice's `1.0.0` with other bytes from her phone | no witness signs it: [`WhyNotCounted::VersionTaken`] |
//! | Alice's `1.1.0`, which no witness has seen | [`WhyNotCounted::Pending`]: taken by its exact version only |
//! | Bob's `2.0.0` | [`WhyNotCounted::NotHolder`] |
//! | Dan's `1.0.1` under his claim | counts |
//! | Dan's `1.0.2`, after the last good entry of a device that he revoked | counts, [`CountedRelease::is_compromised`] |
//!
//! A withdrawn (yanked) release still counts, so what is locked to it can be installed, but no new resolution takes it. The
//! same holds for a compromised one, and whoever has it is warned.
//!
//! Ratings are in [`ratings`], what an owner says of a module in [`description`].

pub mod description;
pub mod ratings;
pub mod version;

use std::collections::BTreeMap;

use semver::Version;

use crate::keys::Did;
use crate::log::EntryId;
use crate::log::body::{Mark, Release};
use crate::name::{FoldedName, NameKind};
use crate::outcome::{Counts, Fact, NameOutcome, VersionOutcome};
use crate::registry::Registry;
use crate::time::Timestamp;

/// A release that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRelease {
    /// The entry that names the release.
    pub entry: EntryId,
    pub author: Did,
    pub release: Release,
    /// When the witnesses saw it; else its own date.
    pub at: Timestamp,
    /// The withdrawal in force, if any.
    pub withdrawn: Option<Withdrawn>,
    /// Written after the last good entry of a device that was revoked.
    pub is_compromised: bool,
    /// The last mark, which the next one follows.
    pub mark: Option<EntryId>,
}

/// Who withdrew a release, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    pub by: Did,
    pub at: Timestamp,
    pub reason: String,
}

/// A release that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UncountedRelease {
    pub entry: EntryId,
    pub author: Did,
    pub release: Release,
    pub why: WhyNotCounted,
}

/// Why a release does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WhyNotCounted {
    #[error("its author does not hold the module's name")]
    NotHolder,
    #[error("not enough witnesses have seen it yet")]
    Pending,
    #[error("another release has this version")]
    VersionTaken { first: EntryId },
}

/// What follows for one module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleState {
    /// The releases that count, oldest version first.
    pub releases: BTreeMap<Version, CountedRelease>,
    /// The others, in the order of their versions.
    pub others: Vec<UncountedRelease>,
}

impl CountedRelease {
    /// Returns whether a new resolution may take it.
    pub fn is_offered(&self) -> bool {
        self.withdrawn.is_none() && !self.is_compromised
    }
}

impl ModuleState {
    /// Computes which releases of a module count.
    pub fn of(registry: &Registry, module: &FoldedName) -> Self {
        let key = (NameKind::Module, module.clone());
        let (name, versions) = (registry.name(&key), registry.versions(&key));
        let counted =
            versions.iter().filter_map(|(version, outcome)| Some((version.clone(), counted(registry, outcome)?)));
        let mut state = Self { releases: counted.collect(), others: Vec::new() };
        let of_module = registry.facts().releases_of(module);
        let others = of_module.filter(|fact| registry.is_kept(fact));
        let others = others.filter(|fact| versions.values().all(|version| version.release != fact.id));
        state.others = others.filter_map(|fact| uncounted(registry, fact, &name, &versions)).collect();
        state.others.sort_by(|a, b| (&a.release.version, a.entry).cmp(&(&b.release.version, b.entry)));
        state
    }

    /// The newest version by semantic versioning: a pre-release only if there is nothing else, never a withdrawn one.
    pub fn latest(&self) -> Option<&CountedRelease> {
        let offered = || self.releases.values().rev().filter(|release| release.is_offered());
        offered().find(|release| release.release.version.pre.is_empty()).or_else(|| offered().next())
    }

    /// As [`ModuleState::latest`]; a withdrawn one where there is nothing else.
    pub fn newest(&self) -> Option<&CountedRelease> {
        self.latest().or_else(|| self.releases.values().next_back())
    }
}

fn counted(registry: &Registry, outcome: &VersionOutcome) -> Option<CountedRelease> {
    let fact = registry.facts().get(&outcome.release)?;
    let release = fact.release()?.clone();
    let mark = outcome.mark.and_then(|mark| registry.facts().get(&mark)).filter(|_| outcome.is_withdrawn);
    let withdrawn = mark.and_then(|fact| fact.mark().map(|mark| withdrawn(registry, fact, mark)));
    let at = registry.witnessed_at(&fact.id).unwrap_or(release.at);
    Some(CountedRelease {
        entry: fact.id,
        author: fact.did,
        release,
        at,
        withdrawn,
        is_compromised: registry.is_compromised(fact),
        mark: outcome.mark,
    })
}

fn withdrawn(registry: &Registry, fact: &Fact, mark: &Mark) -> Withdrawn {
    let at = registry.witnessed_at(&fact.id).unwrap_or(mark.at);
    Withdrawn { by: fact.did, at, reason: mark.reason.clone() }
}

fn uncounted(
    registry: &Registry,
    fact: &Fact,
    name: &NameOutcome,
    versions: &BTreeMap<Version, VersionOutcome>,
) -> Option<UncountedRelease> {
    let release = fact.release()?.clone();
    let held = name.tenures.iter().any(|tenure| tenure.claim == release.under && tenure.holder == fact.did);
    let why = match versions.get(&release.version) {
        _ if !held => WhyNotCounted::NotHolder,
        Some(first) => WhyNotCounted::VersionTaken { first: first.release },
        None if Counts::counts(registry, fact) => WhyNotCounted::NotHolder,
        None => WhyNotCounted::Pending,
    };
    Some(UncountedRelease { entry: fact.id, author: fact.did, release, why })
}

#[cfg(test)]
mod tests;
