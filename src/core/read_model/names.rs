//! Names as they are shown: who holds one and since when, what became of every other claim, and whether it can be had.
//! Computed from the [`NameOutcome`] and what is known of its facts; decides nothing.
//!
//! Example: Alice holds `rose` with two receipts. Bob's claim of `r0se` waits with one: it is among
//! [`NameState::others`], [`WhyNot::Held`]. For Carol the name is [`Availability::HeldBy`] Alice; for Alice it is
//! [`Availability::Yours`].

use std::time::Duration;

use serde::Serialize;

use crate::keys::Did;
use crate::log::EntryId;
use crate::name::ClaimedName;
use crate::outcome::{Counts, Fact, NameKey, NameOutcome, Tenure};
use crate::registry::Registry;
use crate::time::Timestamp;

/// Everything there is to say about one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameState {
    /// In order; the last one may still run.
    pub tenures: Vec<DatedTenure>,
    /// Every other claim that is kept.
    pub others: Vec<OtherClaim>,
    /// The claims of one place that are all in effect: more witnesses lied than the set bears.
    pub contested: Vec<OtherClaim>,
    /// Whether witnesses confirm names in this network.
    has_witnesses: bool,
    cool_down: Duration,
}

/// A tenure with its dates, for people; they order nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatedTenure {
    pub tenure: Tenure,
    /// When the witnesses saw the claim; else its own date.
    pub since: Timestamp,
    /// When they saw its end. `None` while it runs.
    pub until: Option<Timestamp>,
    /// The number of receipts of the present set; 0 for what counts by its path.
    pub receipts: usize,
}

/// A claim that does not hold the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherClaim {
    pub claim: EntryId,
    pub author: Did,
    pub spelled: ClaimedName,
    pub claimed_at: Timestamp,
    pub why: WhyNot,
}

/// Why a claim does not hold the name. None of these is an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum WhyNot {
    /// Not enough witnesses have signed it, and nobody else holds the name.
    Pending,
    /// Another identity's claim is confirmed.
    Held,
    /// In a network without witnesses: the other claim has the earlier date, or the smaller id.
    Later,
    /// Confirmed, but its author withdrew it for a rival's next round.
    Withdrawn,
    /// It comes after another end of the name than the last one.
    OtherPlace,
    /// As many as one other claim are confirmed for the place.
    Contested,
}

/// How firmly the present holder holds the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ClaimStatus {
    /// There are no witnesses here: an earlier claim that turns up takes it.
    Provisional,
    Confirmed,
    /// Another claim is confirmed as well; this device knew the holder before.
    Contested,
}

/// Whether a name can be claimed, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    Free,
    Yours,
    HeldBy(Did),
    /// Two are confirmed, and none is taken for its holder.
    Contested,
    /// It was given up, and is open to everybody from then on.
    ClosedUntil(Timestamp),
    /// It was given to this identity, which alone may claim it.
    GivenToYou,
}

impl NameState {
    /// The state of a name, or `None` if nothing that is kept says anything of it.
    pub(crate) fn of(registry: &Registry, name: &NameKey) -> Option<Self> {
        let outcome = registry.name(name);
        if outcome.tenures.is_empty() && outcome.others.is_empty() && outcome.contested.is_empty() {
            return None;
        }
        let holder = outcome.holder().map(|tenure| tenure.claim);
        let contested = outcome.contested.iter().filter(|claim| Some(**claim) != holder);
        let contested = contested.filter_map(|claim| other_claim(registry, claim, WhyNot::Contested));
        let others = outcome.others.iter().filter_map(|claim| {
            let why = why_not(registry, &outcome, registry.facts().get(claim)?);
            other_claim(registry, claim, why)
        });
        let mut state = Self {
            contested: contested.collect(),
            others: others.collect(),
            tenures: Vec::new(),
            has_witnesses: registry.has_witnesses(),
            cool_down: registry.history().genesis().parameters.cool_down,
        };
        state.others.sort_by_key(|other| (other.claimed_at, other.claim));
        state.tenures = outcome.tenures.into_iter().map(|tenure| DatedTenure::of(registry, tenure)).collect();
        Some(state)
    }

    /// The tenure that still runs.
    pub fn holder(&self) -> Option<&DatedTenure> {
        self.tenures.last().filter(|dated| dated.tenure.ended_by.is_none())
    }

    /// How firmly it is held; `None` without a holder.
    pub fn status(&self) -> Option<ClaimStatus> {
        self.holder().map(|_| match (self.has_witnesses, self.contested.is_empty()) {
            (false, _) => ClaimStatus::Provisional,
            (true, true) => ClaimStatus::Confirmed,
            (true, false) => ClaimStatus::Contested,
        })
    }

    /// The tenure that ended last, and when the name is open to everybody. `None` while somebody holds it.
    pub fn given_up(&self) -> Option<(&DatedTenure, Timestamp)> {
        let last = self.tenures.last()?;
        Some((last, last.until?.plus(if self.has_witnesses { self.cool_down } else { Duration::ZERO })))
    }

    /// The own claim that waits for witnesses.
    pub fn pending_of(&self, who: &Did) -> Option<&OtherClaim> {
        self.others.iter().find(|other| other.author == *who && other.why == WhyNot::Pending)
    }

    /// What a claim of `who` would come to.
    pub fn availability(&self, who: Option<&Did>, now: Timestamp) -> Availability {
        if let Some(held) = self.holder() {
            let is_own = who == Some(&held.tenure.holder);
            return if is_own { Availability::Yours } else { Availability::HeldBy(held.tenure.holder) };
        }
        if !self.contested.is_empty() {
            return Availability::Contested;
        }
        let Some((last, free_at)) = self.given_up() else { return Availability::Free };
        match (last.tenure.passed_to, who) {
            (Some(receiver), Some(who)) if receiver == *who => Availability::GivenToYou,
            (None, Some(who)) if last.tenure.holder == *who => Availability::Free,
            _ if now < free_at => Availability::ClosedUntil(free_at),
            _ => Availability::Free,
        }
    }
}

impl DatedTenure {
    fn of(registry: &Registry, tenure: Tenure) -> Self {
        let claimed_at = registry.facts().get(&tenure.claim).and_then(Fact::claim).map(|claim| claim.at);
        let since = registry.witnessed_at(&tenure.claim).or(claimed_at).unwrap_or_default();
        let until = tenure.ended_by.map(|finish| registry.witnessed_at(&finish).unwrap_or(since));
        let receipts = registry.confirmations().present_receipts_of(registry.history(), &tenure.claim).count();
        Self { tenure, since, until, receipts }
    }
}

fn other_claim(registry: &Registry, claim: &EntryId, why: WhyNot) -> Option<OtherClaim> {
    let fact = registry.facts().get(claim)?;
    let said = fact.claim()?;
    Some(OtherClaim { claim: *claim, author: fact.did, spelled: said.name.clone(), claimed_at: said.at, why })
}

fn why_not(registry: &Registry, outcome: &NameOutcome, fact: &Fact) -> WhyNot {
    let after = fact.claim().and_then(|claim| claim.after);
    let is_last_place = after == outcome.last_end_before_holder();
    match (registry.has_witnesses(), Counts::counts(registry, fact), outcome.holder()) {
        (true, true, _) => WhyNot::Withdrawn,
        (true, false, Some(_)) => WhyNot::Held,
        (false, _, Some(_)) => WhyNot::Later,
        (_, _, None) if !outcome.contested.is_empty() => WhyNot::Contested,
        (_, _, None) if is_last_place => WhyNot::Pending,
        (_, _, None) => WhyNot::OtherPlace,
    }
}

#[cfg(test)]
mod tests;
