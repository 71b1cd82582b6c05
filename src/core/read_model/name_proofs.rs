//! The record of a name, as this read model can prove it.

use std::collections::BTreeMap;

use crate::digest::Digest;
use crate::fact::{Fact, SignedFact};
use crate::identity::Identity;
use crate::name::NameKind;
use crate::name_proof::{self, NameProof, RecordError};
use crate::ownership::{NameKey, Tenure};
use crate::read_model::ReadModel;
use crate::time::Timestamp;

impl ReadModel {
    /// The record of a name, or `None` if the name never had a holder or its history does not fit. A release is
    /// included as far as there is room.
    pub fn record(&self, name: &NameKey, now: Timestamp) -> Option<NameProof> {
        let state = self.states.get(name)?;
        let mut facts: Vec<SignedFact> = Vec::new();
        for tenure in &state.tenures {
            facts.extend(self.tenure_facts(tenure, name));
        }
        let release = if name.0 == NameKind::Module { self.release_facts(name) } else { Vec::new() };
        let rules = self.evidence.rules();
        // With the release and whether it is withdrawn, with the release alone, without.
        for with in (0..=release.len()).rev() {
            let all = facts.iter().chain(release[..with].iter().flatten()).cloned();
            match name_proof::compose(name, all, rules, now) {
                Ok(record) if record.state.tenures == state.tenures => return Some(record),
                Err(RecordError::TooLong) => {}
                Ok(_) | Err(_) => return None,
            }
        }
        None
    }

    /// The names that an identity holds or gave up last: those of which it has to say something.
    pub fn names_told_by(&self, who: &Identity) -> Vec<NameKey> {
        let last = |(name, state): (&NameKey, &crate::ownership::NameState)| {
            state.tenures.last().filter(|tenure| tenure.holder == *who).map(|_| name.clone())
        };
        let mut names: Vec<NameKey> = self.states.iter().filter_map(last).collect();
        names.sort();
        names
    }

    /// What proves one tenure: the claim, what ended it, and the receipts that place both.
    fn tenure_facts(&self, tenure: &Tenure, name: &NameKey) -> Vec<SignedFact> {
        let Some(person) = self.people.get(&tenure.holder) else { return Vec::new() };
        let own = person.facts.iter().filter(|fact| fact.author() == tenure.holder);
        let mut chosen: Vec<&SignedFact> = own
            .clone()
            .filter(|fact| match fact.statement() {
                Fact::NameClaim(claim) => {
                    fact.hash() == tenure.claim
                        || (claim.name == tenure.spelled && (claim.name.kind(), claim.name.folded()) == *name)
                }
                Fact::NameRelinquish(release) => release.claim == tenure.claim,
                _ => false,
            })
            .collect();
        let stated = chosen.iter().any(|fact| matches!(fact.statement(), Fact::NameRelinquish(_)));
        if tenure.until.is_some() && !stated {
            // A newer username ended it without a word.
            let claims = own.filter_map(|fact| match fact.statement() {
                Fact::NameClaim(claim) if claim.name.kind() == NameKind::Username => Some((claim.claimed_at, fact)),
                _ => None,
            });
            let mut later: Vec<(Timestamp, &SignedFact)> = claims.collect();
            later.sort_by_key(|(at, fact)| (*at, fact.hash()));
            let next = later
                .iter()
                .skip_while(|(_, fact)| fact.hash() != tenure.claim)
                .find(|(_, fact)| matches!(fact.statement(), Fact::NameClaim(claim) if claim.name.folded() != name.1));
            chosen.extend(next.map(|(_, fact)| *fact));
        }
        let mut facts: Vec<SignedFact> = chosen.iter().map(|fact| (*fact).clone()).collect();
        for fact in chosen {
            facts.extend(receipts(&person.facts, &fact.hash(), self.evidence.rules()));
        }
        facts
    }

    /// The newest release with its receipts, and beside it the newest word on whether it is withdrawn.
    fn release_facts(&self, name: &NameKey) -> Vec<Vec<SignedFact>> {
        let module = self.module(&name.1);
        let Some(newest) = module.newest() else { return Vec::new() };
        let Some(person) = self.people.get(&newest.author) else { return Vec::new() };
        let Some(release) = person.facts.iter().find(|fact| fact.hash() == newest.fact) else { return Vec::new() };
        let mut with = vec![release.clone()];
        with.extend(receipts(&person.facts, &newest.fact, self.evidence.rules()));
        let marks = person.facts.iter().filter(|fact| fact.author() == newest.author);
        let marks = marks.filter_map(|fact| match fact.statement() {
            Fact::Yank(yank) if yank.release == newest.fact => Some((yank.at, true, fact)),
            Fact::Unyank(unyank) if unyank.release == newest.fact => Some((unyank.at, false, fact)),
            _ => None,
        });
        let mark = marks.max_by_key(|(at, withdrawn, fact)| (*at, *withdrawn, fact.hash()));
        let mark: Vec<SignedFact> = mark.into_iter().map(|(_, _, fact)| fact.clone()).collect();
        if mark.is_empty() { vec![with] } else { vec![with, mark] }
    }
}

/// As many receipts of a fact as place it: those with the smallest times.
fn receipts(facts: &[SignedFact], of: &Digest, rules: &crate::ownership::Rules) -> Vec<SignedFact> {
    let mut seen: BTreeMap<Identity, (Timestamp, &SignedFact)> = BTreeMap::new();
    for fact in facts {
        if let Fact::Receipt(receipt) = fact.statement()
            && receipt.fact == *of
            && rules.witnesses.contains(&fact.author())
        {
            let entry = seen.entry(fact.author()).or_insert((receipt.witnessed_at, fact));
            if receipt.witnessed_at < entry.0 {
                *entry = (receipt.witnessed_at, fact);
            }
        }
    }
    if seen.len() < rules.threshold {
        return Vec::new();
    }
    let mut placing: Vec<(Timestamp, &SignedFact)> = seen.into_values().collect();
    placing.sort_by_key(|(at, fact)| (*at, fact.hash()));
    placing.into_iter().take(rules.threshold).map(|(_, fact)| fact.clone()).collect()
}
