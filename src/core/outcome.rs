//! Who holds a name and which releases count: a pure function of facts that are in effect, without a clock and without
//! comparing times.
//!
//! *May this be signed now?* is another question, asked by witnesses when they sign ([`book`](crate::book)).
//!
//! # Who holds a name
//! The claim in effect that comes after nothing holds the name until a finish in effect ends it; then the claim that comes
//! after that finish; and so on.
//!
//! ```text
//! claim of rose by Alice, after –     ──ends with──▶  give-up, and its finish F1
//! claim of r0se by Bob,   after F1    ──ends with──▶  …
//! ```
//!
//! In a network with witnesses a fact is in effect when it is confirmed, and a witness signs one claim for (`rose`, after,
//! round); so there is at most one, whatever arrives in whatever order. If more witnesses lied than the set bears, there
//! are two, and the name is [`contested`](NameOutcome::contested): nodes that knew the holder keep it, others take neither.
//!
//! In a network without witnesses every known fact is in effect, and of several claims the one with the earlier date holds,
//! then the one with the smaller id. Every such name says that it is provisional.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::digest::Digest;
use crate::few::Few;
use crate::identity::Topic;
use crate::keys::{Did, PublicKey};
use crate::log::body::{BodyError, Claim, Mark, Release, Verify, Withdrawal};
use crate::log::{Body, Capability, Entry, EntryId, LogId, Opening};
use crate::name::{ClaimedName, FoldedName, NameKind};
use crate::slot::{Slot, slots_of};
use crate::statement::{Finish, GiveUp, Statement};

/// A name as it is compared.
pub type NameKey = (NameKind, FoldedName);

/// The longest chain of holders, or of marks, that is walked. Each takes a hold and a cool-down, or a receipt.
pub const CHAIN_MAX: usize = 4_096;

/// What an entry says, in whose name, by which device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    pub id: EntryId,
    pub did: Did,
    pub log: LogId,
    pub seq: u64,
    pub body: Body,
}

/// Why an entry is without effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEffect {
    #[error("{0}")]
    Body(#[from] BodyError),
    #[error("the device may not do this")]
    NotAllowed,
    #[error("the statement is of another identity than the log")]
    OtherIdentity,
}

/// The facts about names and modules, by what they are about. A growing set; adding commutes.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    facts: HashMap<EntryId, Box<Fact>>,
    /// By the digest of each of their slots.
    slots: HashMap<Digest, Few<EntryId>>,
    claims: HashMap<NameKey, Few<EntryId>>,
    /// By the finish that they come after.
    claims_after: HashMap<EntryId, Few<EntryId>>,
    by_identity: HashMap<Did, Few<EntryId>>,
    give_ups: HashMap<EntryId, Few<EntryId>>,
    /// By what they end: a claim, or the link before new words.
    finishes: HashMap<Digest, Few<EntryId>>,
    /// By what they finish.
    finished: HashMap<EntryId, Few<EntryId>>,
    vetoes: HashMap<EntryId, Few<EntryId>>,
    releases: HashMap<FoldedName, BTreeMap<semver::Version, Few<EntryId>>>,
    marks: HashMap<EntryId, Few<EntryId>>,
}

/// Which facts count, as a network and a replica have it.
pub trait Counts {
    /// Whether the fact is part of what is kept; of others that are known nothing follows.
    fn is_kept(&self, fact: &Fact) -> bool;
    /// Whether the fact is in effect: confirmed, or in a network without witnesses, known.
    fn counts(&self, fact: &Fact) -> bool;
    /// Whether of several facts for one slot the earlier one holds: in a network without witnesses.
    fn earlier_holds(&self) -> bool;
    /// The claim that this replica knew as the holder's before a rival was confirmed as well.
    fn known_holder(&self, name: &NameKey, after: Option<&EntryId>) -> Option<EntryId>;
}

/// One identity's time with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    pub claim: EntryId,
    pub holder: Did,
    pub spelled: ClaimedName,
    /// The finish by which it ended. `None` while it runs.
    pub ended_by: Option<EntryId>,
    /// The identity that it was given to.
    pub passed_to: Option<Did>,
}

/// What follows for one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameOutcome {
    /// In order; the last one may still run.
    pub tenures: Vec<Tenure>,
    /// Claims that are in effect for one slot; not empty only if more witnesses lied than the set bears.
    pub contested: BTreeSet<EntryId>,
    /// Claims that are not in effect, or not any more: waiting for receipts, refused, withdrawn, or later.
    pub others: BTreeSet<EntryId>,
}

/// What follows for one version of a module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionOutcome {
    /// The release that the version is permanently.
    pub release: EntryId,
    /// The last mark of the chain.
    pub mark: Option<EntryId>,
    pub is_withdrawn: bool,
    /// Releases in effect for the same slot; not empty only if more witnesses lied than the set bears.
    pub contested: BTreeSet<EntryId>,
}

impl Fact {
    /// Reads what an entry says, if the opening of its log allows it. Looks at these two and at nothing else.
    pub fn of(topic: &Topic, entry: &Entry, opening: &Opening) -> Result<Self, NoEffect> {
        Self::read(topic, entry, opening, Verify::Now)
    }

    pub(crate) fn read(topic: &Topic, entry: &Entry, opening: &Opening, verify: Verify) -> Result<Self, NoEffect> {
        let body = Body::read(topic, entry, verify)?;
        check_allowed(opening, &body)?;
        let header = entry.header();
        Ok(Self { id: entry.id(), did: opening.did(), log: header.log, seq: header.seq, body })
    }

    /// The withdrawal of a claim that it passes on.
    pub fn withdrawal(&self) -> Option<&Withdrawal> {
        match &self.body {
            Body::Withdraw(withdrawal) => Some(withdrawal),
            _ => None,
        }
    }

    /// The device that wrote it.
    pub fn device(&self) -> PublicKey {
        self.log.device
    }

    /// What at most one fact may have at one witness.
    pub fn slots(&self) -> Vec<Slot> {
        slots_of(self.log, self.seq, &self.body)
    }

    pub fn claim(&self) -> Option<&Claim> {
        match &self.body {
            Body::Claim(claim) => Some(claim),
            _ => None,
        }
    }

    pub fn release(&self) -> Option<&Release> {
        match &self.body {
            Body::Release(release) => Some(release),
            _ => None,
        }
    }

    pub fn mark(&self) -> Option<&Mark> {
        match &self.body {
            Body::Mark(mark) => Some(mark),
            _ => None,
        }
    }

    pub fn give_up(&self) -> Option<&GiveUp> {
        match self.statement() {
            Some(Statement::GiveUp(give_up)) => Some(give_up),
            _ => None,
        }
    }

    pub fn finish(&self) -> Option<&Finish> {
        match self.statement() {
            Some(Statement::Finish(finish)) => Some(finish),
            _ => None,
        }
    }

    pub fn statement(&self) -> Option<&Statement> {
        match &self.body {
            Body::Statement(signed, _) => Some(&signed.statement),
            _ => None,
        }
    }

    /// What this forbids, if it is a veto of either kind.
    pub fn vetoed(&self) -> Option<EntryId> {
        match (&self.body, self.statement()) {
            (Body::Veto(announced), _) => Some(*announced),
            (_, Some(Statement::Veto(veto))) => Some(veto.announced),
            _ => None,
        }
    }
}

/// Checks that a device may say something, by the opening of its log.
pub fn check_allowed(opening: &Opening, body: &Body) -> Result<(), NoEffect> {
    let capabilities = opening.capabilities();
    let is_allowed = match body {
        Body::Claim(_) => capabilities.allow(Capability::Claim),
        Body::Release(release) => capabilities.allow_publishing(release.module.as_str()),
        Body::Mark(_) => capabilities.allow(Capability::Yank),
        Body::Veto(_) => capabilities.are_full(),
        Body::Grant(_) | Body::Revoke(_) => capabilities.allow(Capability::Grant),
        Body::Statement(signed, _) if signed.did != opening.did() => return Err(NoEffect::OtherIdentity),
        // Of its own claims: another device's were refused by the witnesses.
        Body::Withdraw(withdrawal) => withdrawal.device == opening.device(),
        Body::Statement(..)
        | Body::Opening(_)
        | Body::NextChanges(_)
        | Body::Label(_)
        | Body::LabelSet(_)
        | Body::Attestation(_)
        | Body::Holding(_) => true,
    };
    if is_allowed { Ok(()) } else { Err(NoEffect::NotAllowed) }
}

impl Facts {
    /// Adds a fact. Returns whether it was new.
    pub fn add(&mut self, fact: Fact) -> bool {
        let id = fact.id;
        if self.facts.contains_key(&id) {
            return false;
        }
        self.by_identity.entry(fact.did).or_default().insert(id);
        for slot in fact.slots() {
            self.slots.entry(slot.digest()).or_default().insert(id);
        }
        if let Some(claim) = fact.claim() {
            self.claims.entry((claim.name.kind(), claim.name.folded())).or_default().insert(id);
            if let Some(after) = claim.after {
                self.claims_after.entry(after).or_default().insert(id);
            }
        }
        if let Some(release) = fact.release() {
            let versions = self.releases.entry(release.module.folded()).or_default();
            versions.entry(release.version.clone()).or_default().insert(id);
        }
        if let Some(mark) = fact.mark() {
            self.marks.entry(mark.release).or_default().insert(id);
        }
        if let Some(give_up) = fact.give_up() {
            self.give_ups.entry(give_up.claim).or_default().insert(id);
        }
        if let Some(finish) = fact.finish() {
            self.finishes.entry(finish.ends).or_default().insert(id);
            self.finished.entry(finish.announced).or_default().insert(id);
        }
        if let Some(announced) = fact.vetoed() {
            self.vetoes.entry(announced).or_default().insert(id);
        }
        self.facts.insert(id, Box::new(fact));
        true
    }

    /// Removes a fact.
    pub(crate) fn remove(&mut self, id: &EntryId) {
        let Some(fact) = self.facts.remove(id) else { return };
        remove_from(&mut self.by_identity, &fact.did, id);
        for slot in fact.slots() {
            remove_from(&mut self.slots, &slot.digest(), id);
        }
        if let Some(claim) = fact.claim() {
            remove_from(&mut self.claims, &(claim.name.kind(), claim.name.folded()), id);
            claim.after.iter().for_each(|after| remove_from(&mut self.claims_after, after, id));
        }
        if let Some(release) = fact.release()
            && let Some(versions) = self.releases.get_mut(&release.module.folded())
        {
            if let Some(releases) = versions.get_mut(&release.version) {
                releases.remove(id);
            }
            versions.retain(|_, releases| !releases.is_empty());
            if versions.is_empty() {
                self.releases.remove(&release.module.folded());
            }
        }
        if let Some(mark) = fact.mark() {
            remove_from(&mut self.marks, &mark.release, id);
        }
        if let Some(give_up) = fact.give_up() {
            remove_from(&mut self.give_ups, &give_up.claim, id);
        }
        if let Some(finish) = fact.finish() {
            remove_from(&mut self.finishes, &finish.ends, id);
            remove_from(&mut self.finished, &finish.announced, id);
        }
        if let Some(announced) = fact.vetoed() {
            remove_from(&mut self.vetoes, &announced, id);
        }
    }

    pub fn get(&self, id: &EntryId) -> Option<&Fact> {
        self.facts.get(id).map(Box::as_ref)
    }

    /// Every fact, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Fact> {
        self.facts.values().map(Box::as_ref)
    }

    /// Every name that was ever claimed.
    pub fn names(&self) -> impl Iterator<Item = &NameKey> {
        self.claims.keys()
    }

    /// The claims of a name, whether they count or not.
    pub fn claims_of<'a>(&'a self, name: &NameKey) -> impl Iterator<Item = &'a Fact> + use<'a> {
        self.claims.get(name).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// The claims that come after a finish, whether they count or not.
    pub fn claims_after(&self, finish: &EntryId) -> impl Iterator<Item = &Fact> {
        self.claims_after.get(finish).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// The facts with a slot of this digest.
    pub fn of_slot(&self, slot: &Digest) -> impl Iterator<Item = &Fact> {
        self.slots.get(slot).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// The facts of an identity, in the order of their ids.
    pub fn by_identity(&self, did: &Did) -> impl Iterator<Item = &Fact> {
        self.by_identity.get(did).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// The releases of a module, whether they count or not.
    pub fn releases_of(&self, module: &FoldedName) -> impl Iterator<Item = &Fact> {
        let ids = self.releases.get(module).into_iter().flat_map(BTreeMap::values).flatten();
        ids.filter_map(|id| self.get(id))
    }

    /// The give-ups of a claim.
    pub fn give_ups_of(&self, claim: &EntryId) -> impl Iterator<Item = &Fact> {
        self.give_ups.get(claim).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// The finishes of what an entry announced.
    pub fn finishes_of(&self, announced: &EntryId) -> impl Iterator<Item = &Fact> {
        self.finished.get(announced).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// The vetoes of what an entry announced.
    pub fn vetoes_of(&self, announced: &EntryId) -> impl Iterator<Item = &Fact> {
        self.vetoes.get(announced).into_iter().flatten().filter_map(|id| self.get(id))
    }

    /// Computes who held a name, and who holds it.
    pub fn name(&self, name: &NameKey, network: &dyn Counts) -> NameOutcome {
        let mut outcome = NameOutcome::default();
        let claims: Vec<&Fact> = self.claims_of(name).filter(|fact| network.is_kept(fact)).collect();
        let mut after: Option<EntryId> = None;
        for _ in 0..CHAIN_MAX {
            let Some(holder) = self.holder_after(name, &claims, after.as_ref(), network, &mut outcome.contested) else {
                break;
            };
            let tenure = self.tenure(holder, network);
            after = tenure.ended_by;
            outcome.tenures.push(tenure);
            if after.is_none() {
                break;
            }
        }
        let held: BTreeSet<EntryId> = outcome.tenures.iter().map(|tenure| tenure.claim).collect();
        let others = claims.iter().map(|fact| fact.id).filter(|id| !held.contains(id));
        outcome.others = others.filter(|id| !outcome.contested.contains(id)).collect();
        outcome
    }

    /// The claim that holds a name after a finish, or from the beginning.
    fn holder_after<'a>(
        &'a self,
        name: &NameKey,
        claims: &[&'a Fact],
        after: Option<&EntryId>,
        network: &dyn Counts,
        contested: &mut BTreeSet<EntryId>,
    ) -> Option<&'a Fact> {
        let of_place = |fact: &&&Fact| fact.claim().is_some_and(|claim| claim.after.as_ref() == after);
        let counting: Vec<&Fact> =
            claims.iter().filter(of_place).copied().filter(|fact| network.counts(fact)).collect();
        let withdrawn: BTreeSet<EntryId> = counting.iter().flat_map(|fact| self.withdrawn_by(fact)).collect();
        let mut standing = counting.iter().copied().filter(|fact| !withdrawn.contains(&fact.id));
        if network.earlier_holds() {
            return standing.min_by_key(|fact| (fact.claim().map(|claim| claim.at), fact.id));
        }
        let (first, second) = (standing.next()?, standing.next());
        let Some(second) = second else { return Some(first) };
        contested.extend([first.id, second.id]);
        contested.extend(standing.map(|fact| fact.id));
        let known = network.known_holder(name, after)?;
        counting.iter().copied().find(|fact| fact.id == known)
    }

    /// The claims that this one may count instead of: each withdrawn by the device that made it.
    fn withdrawn_by<'a>(&'a self, fact: &'a Fact) -> impl Iterator<Item = EntryId> + 'a {
        let withdrawals = fact.claim().into_iter().flat_map(|claim| &claim.withdrawals);
        let is_own = |claim: &EntryId, device: &PublicKey| self.facts.get(claim).is_some_and(|f| f.device() == *device);
        withdrawals.filter(move |one| is_own(&one.claim, &one.device)).map(|one| one.claim)
    }

    fn tenure(&self, claim: &Fact, network: &dyn Counts) -> Tenure {
        let spelled = claim.claim().expect("a tenure is of a claim").name.clone();
        let ends = self.finishes.get(claim.id.digest()).into_iter().flatten().filter_map(|id| self.get(id));
        // The slot of the end admits one finish. Without witnesses the smaller id counts.
        let ends = ends.filter(|finish| self.ends(claim, finish, network) && network.counts(finish));
        let end = ends.min_by_key(|fact| fact.id);
        let give_up = end.and_then(|finish| self.facts.get(&finish.finish()?.announced)?.give_up());
        Tenure {
            claim: claim.id,
            holder: claim.did,
            spelled,
            ended_by: end.map(|finish| finish.id),
            passed_to: give_up.and_then(|give_up| give_up.to),
        }
    }

    /// Whether a finish is of a give-up of this claim that counts, both by its holder.
    fn ends(&self, claim: &Fact, finish: &Fact, network: &dyn Counts) -> bool {
        let Some(announced) = finish.finish().and_then(|finish| self.facts.get(&finish.announced)) else {
            return false;
        };
        let of_claim = announced.give_up().is_some_and(|give_up| give_up.claim == claim.id);
        of_claim && announced.did == claim.did && finish.did == claim.did && network.counts(announced)
    }

    /// Computes which releases of a module count, by version. `name` is the outcome of the module's name.
    pub fn versions(
        &self,
        module: &FoldedName,
        name: &NameOutcome,
        network: &dyn Counts,
    ) -> BTreeMap<semver::Version, VersionOutcome> {
        let holders: HashMap<EntryId, Did> = name.tenures.iter().map(|tenure| (tenure.claim, tenure.holder)).collect();
        let stands = |fact: &Fact, under: &EntryId| holders.get(under) == Some(&fact.did) && network.counts(fact);
        let mut versions = BTreeMap::new();
        for (version, ids) in self.releases.get(module).into_iter().flatten() {
            let releases = ids.into_iter().filter_map(|id| self.get(id));
            let mut counting: Vec<&Fact> =
                releases.filter(|fact| fact.release().is_some_and(|release| stands(fact, &release.under))).collect();
            if network.earlier_holds() {
                counting.sort_by_key(|fact| (fact.release().map(|release| release.at), fact.id));
                counting.truncate(1);
            }
            let Some(first) = counting.first() else { continue };
            let contested =
                if counting.len() > 1 { counting.iter().map(|fact| fact.id).collect() } else { BTreeSet::new() };
            let mark = self.last_mark(&first.id, &stands);
            let is_withdrawn = mark.and_then(Fact::mark).is_some_and(|mark| mark.is_withdrawn);
            let outcome = VersionOutcome { release: first.id, mark: mark.map(|fact| fact.id), is_withdrawn, contested };
            versions.insert(version.clone(), outcome);
        }
        versions
    }

    /// Walks the marks of a release to the last one.
    fn last_mark(&self, release: &EntryId, stands: &dyn Fn(&Fact, &EntryId) -> bool) -> Option<&Fact> {
        let marks = self.marks.get(release).into_iter().flatten().filter_map(|id| self.get(id));
        let mut after: BTreeMap<Option<EntryId>, &Fact> = BTreeMap::new();
        for fact in marks.filter(|fact| fact.mark().is_some_and(|mark| stands(fact, &mark.under))) {
            let before = fact.mark().and_then(|mark| mark.before);
            // Two for one slot: more lied than the set bears, or there are no witnesses. The smaller id is taken.
            let first = after.entry(before).or_insert(fact);
            if fact.id < first.id {
                *first = fact;
            }
        }
        let mut last: Option<&Fact> = None;
        for _ in 0..CHAIN_MAX {
            match after.remove(&last.map(|fact| fact.id)) {
                Some(next) => last = Some(next),
                None => break,
            }
        }
        last
    }
}

impl NameOutcome {
    /// The tenure that still runs.
    pub fn holder(&self) -> Option<&Tenure> {
        self.tenures.last().filter(|tenure| tenure.ended_by.is_none())
    }

    /// The finish that the present holder's claim comes after, or a claim of now without one.
    pub fn last_end_before_holder(&self) -> Option<EntryId> {
        match self.tenures.split_last() {
            Some((last, before)) if last.ended_by.is_none() => before.last().and_then(|tenure| tenure.ended_by),
            _ => self.last_end(),
        }
    }

    /// The finish that a claim of now comes after.
    pub fn last_end(&self) -> Option<EntryId> {
        self.tenures.last().and_then(|tenure| tenure.ended_by)
    }
}

/// Removes an entry from what is known under a key, and the key with its last entry.
fn remove_from<K: std::hash::Hash + Eq>(index: &mut HashMap<K, Few<EntryId>>, key: &K, id: &EntryId) {
    if let Some(entries) = index.get_mut(key) {
        entries.remove(id);
        if entries.is_empty() {
            index.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
