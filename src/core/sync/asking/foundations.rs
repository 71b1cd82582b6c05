//! What an entry builds on: the facts that a witness has to know before it can sign, shown to it as pieces.
//!
//! For a claim these are the tenures of its name until now, for a release the claim of the module's name, for a finish the
//! give-up; and what the identity key says of its devices. A witness that knows them already skips them unread.

use std::collections::BTreeSet;

use crate::log::{Body, EntryId};
use crate::outcome::{Fact, NameKey};
use crate::registry::{Ask, Registry};
use crate::statement::Statement;
use crate::sync::exchange::{Part, plan_answer};

/// The most statements about keys that come along.
pub const KEY_STATEMENTS_SHOWN_MAX: usize = 16;

/// What a fact builds on, as far as it is here, in an order in which it can be admitted. A host loads it with
/// [`load_answer`](crate::sync::exchange::load_answer).
pub fn foundations(registry: &Registry, fact: &Fact) -> Vec<Part> {
    let mut entries = BTreeSet::new();
    let about_keys = registry.facts().by_identity(&fact.did).filter(|one| Registry::is_about_keys(one));
    entries.extend(about_keys.take(KEY_STATEMENTS_SHOWN_MAX).map(|one| one.id));
    match &fact.body {
        Body::Claim(claim) => add_name(registry, &(claim.name.kind(), claim.name.folded()), &mut entries),
        Body::Release(release) => add_claim(registry, &release.under, &mut entries),
        Body::Mark(mark) => {
            add_claim(registry, &mark.under, &mut entries);
            entries.insert(mark.release);
            add_marks(registry, mark.before, &mut entries);
        }
        Body::Veto(announced) => drop(entries.insert(*announced)),
        Body::Grant(grant) => add_claim(registry, &grant.under, &mut entries),
        Body::Revoke(revoke) => drop(entries.insert(revoke.grant)),
        Body::Statement(signed, _) => match &signed.statement {
            Statement::GiveUp(give_up) => add_claim(registry, &give_up.claim, &mut entries),
            Statement::Finish(finish) => {
                entries.insert(finish.announced);
                let announced = registry.facts().get(&finish.announced).and_then(Fact::give_up);
                announced.into_iter().for_each(|give_up| add_claim(registry, &give_up.claim, &mut entries));
            }
            Statement::Veto(veto) => drop(entries.insert(veto.announced)),
            _ => {}
        },
        _ => {}
    }
    entries.remove(&fact.id);
    let asks = entries.iter().flat_map(|entry| {
        let known = registry.facts().get(entry);
        let opening = known.map(|known| Ask::Opening(known.log.opening));
        opening.into_iter().chain(known.map(|_| Ask::Beside(*entry)))
    });
    plan_answer(registry, &asks.collect::<Vec<_>>())
}

/// Every tenure of the name of a claim, and the claim.
fn add_claim(registry: &Registry, claim: &EntryId, entries: &mut BTreeSet<EntryId>) {
    entries.insert(*claim);
    let name = registry.facts().get(claim).and_then(Fact::claim);
    name.into_iter().for_each(|claim| add_name(registry, &(claim.name.kind(), claim.name.folded()), entries));
}

/// The claims, give-ups and finishes that say who held a name.
fn add_name(registry: &Registry, name: &NameKey, entries: &mut BTreeSet<EntryId>) {
    for tenure in registry.name(name).tenures {
        entries.insert(tenure.claim);
        let Some(finish) = tenure.ended_by else { continue };
        entries.insert(finish);
        let announced = registry.facts().get(&finish).and_then(Fact::finish).map(|finish| finish.announced);
        entries.extend(announced);
    }
}

/// A mark and those before it.
fn add_marks(registry: &Registry, last: Option<EntryId>, entries: &mut BTreeSet<EntryId>) {
    let mut before = last;
    // A mark names one that was there before it, so this ends.
    while let Some(mark) = before.filter(|mark| entries.insert(*mark)) {
        before = registry.facts().get(&mark).and_then(Fact::mark).and_then(|mark| mark.before);
    }
}
