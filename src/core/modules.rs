//! Which releases of a module count, and which are withdrawn: a pure rule over facts.
//!
//! A release counts when its author held the module's name when it was published. Of two releases of one version the
//! first counts, permanently: confirmed ones before provisional ones, then by position, then by hash, as with names.
//! The other is kept and shown as refused; nothing is ever overwritten. The order of arrival decides nothing.
//!
//! Who holds a name is decided by `ownership`; ratings are in [`ratings`].

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
    releases: HashMap<Digest, (Identity, Release)>,
    by_module: HashMap<FoldedName, BTreeSet<Digest>>,
    /// For each release: withdrawals and what takes them back.
    marks: HashMap<Digest, BTreeMap<Digest, Mark>>,
}

#[derive(Clone, Debug)]
struct Mark {
    author: Identity,
    at: Timestamp,
    /// None takes a withdrawal back.
    reason: Option<String>,
}

/// A release that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRelease {
    pub fact: Digest,
    pub author: Identity,
    pub release: Release,
    pub position: Position,
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

/// Everything the rule has to say about one module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ModuleState {
    pub releases: BTreeMap<Version, CountedRelease>,
    pub refused: Vec<RefusedRelease>,
}

impl ModuleState {
    /// The newest version, pre-releases only where there is nothing else, withdrawn ones never.
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
    /// Adds a fact; returns the modules of which something else may be true now.
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

    fn mark(&mut self, release: Digest, fact: Digest, mark: Mark) -> Option<FoldedName> {
        self.marks.entry(release).or_default().insert(fact, mark);
        self.releases.get(&release).map(|(_, release)| release.module.folded())
    }

    /// Which module's releases a witness's receipt is about.
    pub fn module_of(&self, receipt: &SignedFact) -> Option<FoldedName> {
        let Fact::Receipt(receipt) = receipt.statement() else { return None };
        self.releases.get(&receipt.fact).map(|(_, release)| release.module.folded())
    }

    /// The release that a fact's hash names.
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
