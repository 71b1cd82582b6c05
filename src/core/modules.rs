//! Releases of modules: which ones count, and which are withdrawn. A pure rule over facts.
//!
//! A release counts if its author held the module's name when it was published. Of two releases of one version the
//! first counts, permanently: confirmed ones before provisional ones, then by position, then by hash, as with names
//! ([`ownership`](crate::ownership)). The other is kept and listed as refused; nothing is overwritten. The order of
//! arrival decides nothing.
//!
//! # Example
//! Alice holds `crc32` from 1 March to 10 June; Dan holds it from 12 July.
//!
//! | release | result |
//! |---|---|
//! | Alice's `1.0.0` from her laptop, witnessed 2 March | counts |
//! | Alice's `1.0.0` with other bytes from her phone, witnessed 3 March | refused: [`WhyRefused::VersionTaken`] |
//! | Alice's `1.1.0`, dated 20 June, after she gave the name up | refused: [`WhyRefused::AfterLeaving`] |
//! | Bob's `2.0.0` | refused: [`WhyRefused::NotHolder`] |
//! | Dan's `1.0.0` | refused: the version is taken by Alice's, which outlives her tenure |
//! | Dan's `1.0.1` | counts |
//!
//! Alice and Dan may each withdraw (yank) Alice's `1.0.0`: she as its author, he as the present holder. A withdrawn
//! release still counts, so what is locked to it can be installed, but no new resolution takes it.
//!
//! Ratings are in [`ratings`], what an owner says of a module in [`description`].

pub mod description;
pub mod ratings;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use semver::Version;
use serde::Serialize;

use crate::digest::Digest;
use crate::fact::{Fact, Release, SignedFact};
use crate::identity::Identity;
use crate::name::FoldedName;
use crate::ownership::{NameState, Position, counts_from};
use crate::time::Timestamp;

/// A growing set of facts about releases. Adding is idempotent and commutative.
#[derive(Clone, Debug, Default)]
pub struct Releases {
    /// Every release by the hash of its fact, with its author.
    releases: HashMap<Digest, (Identity, Release)>,
    by_module: HashMap<FoldedName, BTreeSet<Digest>>,
    /// For each release: withdrawals and what takes them back.
    marks: HashMap<Digest, BTreeMap<Digest, Mark>>,
}

/// A withdrawal of a release, or its reversal.
#[derive(Clone, Debug)]
struct Mark {
    author: Identity,
    at: Timestamp,
    /// The reason of a withdrawal; `None` reverses one.
    reason: Option<String>,
}

/// A release that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRelease {
    /// The hash that names the release.
    pub fact: Digest,
    pub author: Identity,
    pub release: Release,
    pub position: Position,
    /// The withdrawal in force, if any.
    pub withdrawn: Option<Withdrawn>,
}

/// Who withdrew a release, when and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawn {
    pub by: Identity,
    pub at: Timestamp,
    pub reason: String,
}

/// A release that does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedRelease {
    pub fact: Digest,
    pub author: Identity,
    pub version: Version,
    pub why: WhyRefused,
}

/// The rule by which a release does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "rule", rename_all = "camelCase")]
pub enum WhyRefused {
    #[error("its author does not hold the module's name")]
    NotHolder,
    #[error("its author had given up the module's name before")]
    AfterLeaving,
    #[error("another release of this version was first")]
    VersionTaken { first: Digest },
}

/// The result of the rule for one module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleState {
    /// The releases that count, oldest version first.
    pub releases: BTreeMap<Version, CountedRelease>,
    /// The others, in the order of their positions.
    pub refused: Vec<RefusedRelease>,
}

impl ModuleState {
    /// The newest version by semantic versioning: a pre-release only if there is nothing else, never a withdrawn one.
    pub fn latest(&self) -> Option<&CountedRelease> {
        let standing = || self.releases.values().rev().filter(|release| release.withdrawn.is_none());
        standing().find(|release| release.release.version.pre.is_empty()).or_else(|| standing().next())
    }

    /// As [`ModuleState::latest`]; a withdrawn one where there is nothing else.
    pub fn newest(&self) -> Option<&CountedRelease> {
        self.latest().or_else(|| self.releases.values().next_back())
    }
}

impl Releases {
    /// Adds a fact. Returns the module whose state may have changed, or `None` if the fact is known or about something
    /// else.
    pub fn add(&mut self, fact: &SignedFact) -> Option<FoldedName> {
        let (hash, author) = (fact.hash(), fact.author());
        match fact.statement() {
            Fact::Release(release) => {
                let module = release.module.folded();
                if self.releases.insert(hash, (author, release.clone())).is_some() {
                    return None;
                }
                self.by_module.entry(module.clone()).or_default().insert(hash);
                Some(module)
            }
            Fact::Yank(yank) => {
                self.mark(yank.release, hash, Mark { author, at: yank.at, reason: Some(yank.reason.clone()) })
            }
            Fact::Unyank(unyank) => self.mark(unyank.release, hash, Mark { author, at: unyank.at, reason: None }),
            Fact::NameClaim(_) | Fact::NameRelinquish(_) | Fact::Receipt(_) => None,
        }
    }

    /// Adds a withdrawal or its reversal, which may arrive before the release it is about.
    fn mark(&mut self, release: Digest, fact: Digest, mark: Mark) -> Option<FoldedName> {
        self.marks.entry(release).or_default().insert(fact, mark);
        self.releases.get(&release).map(|(_, release)| release.module.folded())
    }

    /// The module whose release a witness's receipt is about, or `None` if that release is not known.
    pub fn module_of(&self, receipt: &SignedFact) -> Option<FoldedName> {
        let Fact::Receipt(receipt) = receipt.statement() else { return None };
        self.releases.get(&receipt.fact).map(|(_, release)| release.module.folded())
    }

    /// The release with this fact hash and its author, whether it counts or not.
    pub fn release(&self, fact: &Digest) -> Option<(&Identity, &Release)> {
        self.releases.get(fact).map(|(author, release)| (author, release))
    }

    /// Computes which releases of a module count. `name` is the state of its name, `position` returns the rank of a
    /// dated fact; what is dated ahead of `observed_at` does not count yet, as with claims.
    pub fn resolve(
        &self,
        module: &FoldedName,
        name: &NameState,
        position: impl Fn(&Digest, Timestamp) -> Position,
        observed_at: Timestamp,
    ) -> ModuleState {
        let mut candidates: Vec<CountedRelease> = self
            .by_module
            .get(module)
            .into_iter()
            .flatten()
            .filter_map(|fact| {
                let (author, release) = self.releases.get(fact)?;
                let position = position(fact, release.published_at);
                Some(CountedRelease {
                    fact: *fact,
                    author: *author,
                    release: release.clone(),
                    position,
                    withdrawn: None,
                })
            })
            .filter(|candidate| counts_from(candidate.release.published_at.max(candidate.position.at())) <= observed_at)
            .collect();
        candidates.sort_by_key(|candidate| (candidate.position, candidate.fact));
        let mut state = ModuleState::default();
        for mut candidate in candidates {
            let version = candidate.release.version.clone();
            let first = state.releases.get(&version).map(|first| first.fact);
            match why_refused(&candidate, name).or(first.map(|first| WhyRefused::VersionTaken { first })) {
                Some(why) => {
                    let CountedRelease { fact, author, .. } = candidate;
                    state.refused.push(RefusedRelease { fact, author, version, why });
                }
                None => {
                    candidate.withdrawn = self.withdrawn(&candidate, name);
                    state.releases.insert(version, candidate);
                }
            }
        }
        state
    }

    /// The latest mark by those who may set one: the release's author and the present holder of the name.
    fn withdrawn(&self, release: &CountedRelease, name: &NameState) -> Option<Withdrawn> {
        let holder = name.holder().map(|tenure| tenure.holder);
        let marks = self.marks.get(&release.fact).into_iter().flatten();
        let valid = marks.filter(|(_, mark)| mark.author == release.author || Some(mark.author) == holder);
        // Of two marks with one date the withdrawal counts: the safer one for users.
        let (_, last) = valid.max_by_key(|(fact, mark)| (mark.at, mark.reason.is_some(), **fact))?;
        last.reason.clone().map(|reason| Withdrawn { by: last.author, at: last.at, reason })
    }
}

/// Checks a release against the tenures of its author, by position as the claims are.
fn why_refused(release: &CountedRelease, name: &NameState) -> Option<WhyRefused> {
    let at = release.position.at();
    let mut tenures = name.tenures.iter().filter(|tenure| tenure.holder == release.author).peekable();
    if tenures.peek().is_none() {
        return Some(WhyRefused::NotHolder);
    }
    // The clocks of a person's devices differ: a release may be dated before the claim. That conflicts with no other
    // holder.
    let held = tenures.any(|tenure| tenure.until.is_none_or(|until| at <= until));
    (!held).then_some(WhyRefused::AfterLeaving)
}

#[cfg(test)]
mod tests;
