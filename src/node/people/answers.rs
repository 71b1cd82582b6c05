//! What the read model shows of names and people, in the boundary's data. `own` is this profile's person.

use gen_registry_api::*;
use gen_registry_core::document;
use gen_registry_core::keys::Did;
use gen_registry_core::log::{Body, Chain, End, EntryId, LogId};
use gen_registry_core::name::Username;
use gen_registry_core::outcome::Fact;
use gen_registry_core::read_model::{ClaimStatus, DatedTenure, NameState, OtherClaim, PersonRecord, ReadModel, WhyNot};
use gen_registry_core::time::Timestamp;

/// The most claims of a name that are shown and told of, beside the holder's: anybody can make any number.
const LOSERS_MAX: usize = 32;

/// A person as they are shown beside what they say or do. `own` is this profile's person.
pub(crate) fn summary(read_model: &ReadModel, own: Option<Did>, did: &Did) -> PersonSummary {
    let profile = read_model.person(did).map(|person| &person.profile);
    PersonSummary {
        did: did.to_string(),
        public_key: public_key(read_model, did),
        username: read_model.username_of(did).map(Username::to_string),
        display_name: profile.and_then(|profile| profile.display_name.clone()),
        avatar: profile.and_then(|profile| profile.avatar.clone()),
        mine: own == Some(*did),
    }
}

/// The present identity key as hex digits; empty for an identity that is not known here.
pub(crate) fn public_key(read_model: &ReadModel, did: &Did) -> String {
    let standing = read_model.registry().standing(did);
    standing.map(|standing| gen_registry_core::digest::hex(standing.link.key.as_bytes())).unwrap_or_default()
}

/// A name that could not be claimed when the person was made.
pub(crate) fn refused_name(read_model: &ReadModel, own: Did, name: &Username) -> LostName {
    let holder = read_model.state(name).and_then(NameState::holder).map(|held| held.tenure.holder);
    let holder = holder.and_then(|holder| entry(read_model, Some(own), &holder));
    LostName { name: name.to_string(), holder, reason: LossReason::AlreadyHeld }
}

/// The newest own claim, if it lost.
pub(crate) fn last_lost_name(read_model: &ReadModel, own: &Did) -> Option<LostName> {
    let claims = read_model.claims_of(own);
    let (claim, name, _, state) = claims.last()?;
    let other = state.others.iter().find(|other| other.claim == *claim)?;
    if other.why == WhyNot::Pending { None } else { lost_name(read_model, own, name) }
}

/// A give-up of a claim by its own author that nothing has answered yet, and when its hold has passed; no date until the
/// witnesses have seen it.
pub(crate) fn open_give_up(read_model: &ReadModel, own: &Did, claim: &EntryId) -> Option<(EntryId, Option<Timestamp>)> {
    let (registry, is_own) = (read_model.registry(), |fact: &&Fact| fact.did == *own);
    let facts = registry.facts();
    // What an earlier key announced is over.
    let present = registry.standing(own)?.link.key;
    let is_open = |fact: &&Fact| matches!(&fact.body, Body::Statement(signed, _) if signed.key == present);
    let announced = facts.give_ups_of(claim).filter(is_own).filter(is_open).find(|fact| {
        let mut answers = facts.finishes_of(&fact.id).chain(facts.vetoes_of(&fact.id)).filter(is_own);
        answers.next().is_none()
    })?;
    let hold = registry.history().genesis().parameters.hold;
    Some((announced.id, registry.witnessed_at(&announced.id).map(|seen| seen.plus(hold))))
}

/// How an own claim of `name` was lost.
pub(crate) fn lost_name(read_model: &ReadModel, own: &Did, name: &Username) -> Option<LostName> {
    let state = read_model.state(name)?;
    let other = state.others.iter().chain(&state.contested).rev().find(|other| other.author == *own)?;
    let holder = state.holder().and_then(|held| entry(read_model, Some(*own), &held.tenure.holder));
    Some(LostName { name: name.to_string(), holder, reason: loss_reason(other.why) })
}

/// What is known of a name: who holds it and why, who claimed it too.
pub(crate) fn look_up(read_model: &ReadModel, own: Option<Did>, name: &Username) -> NameReport {
    let (records, registries) = counts(read_model, own);
    let mut report = NameReport {
        asked: name.to_string(),
        holder: None,
        spelled: None,
        redirect: None,
        free_at: None,
        why: None,
        receipts: 0,
        losers: Vec::new(),
        more_losers: 0,
        answered_by: None,
        records,
        registries,
    };
    let Some(state) = read_model.state(name) else { return report };
    report.answered_by = Some(AnsweredBy::Device);
    if let Some(held) = state.holder() {
        report.holder = entry(read_model, own, &held.tenure.holder);
        report.spelled = Some(held.tenure.spelled.as_str().to_owned());
        report.why = Some(hold_reason(state));
        report.receipts = held.receipts as u64;
    }
    if let Some((dated, free_at)) = state.given_up() {
        let heir = dated.tenure.passed_to.unwrap_or(dated.tenure.holder);
        report.redirect = entry(read_model, own, &heir);
        report.free_at = Some(free_at.as_millis());
    }
    let is_own = |other: &&OtherClaim| own == Some(other.author);
    let others = || state.contested.iter().chain(&state.others);
    let shown = others().filter(is_own).chain(others().filter(|other| !is_own(other))).take(LOSERS_MAX);
    report.more_losers = others().count().saturating_sub(LOSERS_MAX) as u64;
    report.losers = shown
        .map(|other| LosingClaim {
            did: other.author.to_string(),
            username: other.spelled.as_str().to_owned(),
            claimed_at: other.claimed_at.as_millis(),
            reason: loss_reason(other.why),
        })
        .collect();
    report
}

/// Names known here, and other people's registries.
pub(crate) fn counts(read_model: &ReadModel, own: Option<Did>) -> (u64, u64) {
    let own = own.is_some_and(|own| read_model.registry().standing(&own).is_some());
    (read_model.names() as u64, (read_model.identities() - usize::from(own)) as u64)
}

pub(crate) fn safety_words(did: &Did) -> Vec<String> {
    did.safety_words().into_iter().map(str::to_owned).collect()
}

pub(crate) fn profile(profile: &document::ProfileFields) -> Profile {
    Profile {
        display_name: profile.display_name.clone(),
        bio: profile.bio.clone(),
        avatar: profile.avatar.clone(),
        links: profile.links.clone(),
        joined_at: profile.joined_at.map(Timestamp::as_millis),
    }
}

/// A person as the directory lists them; none without a name. `own` is this profile's person.
pub(crate) fn entry(read_model: &ReadModel, own: Option<Did>, did: &Did) -> Option<UsernameEntry> {
    let (_, held, status) = read_model.held_name(did)?;
    let joined_at = read_model.person(did).and_then(|person| person.profile.joined_at);
    Some(UsernameEntry {
        person: summary(read_model, own, did),
        registered_at: held.since.as_millis(),
        joined_at: joined_at.map(Timestamp::as_millis),
        status: name_status(status),
    })
}

pub(crate) fn name_status(status: ClaimStatus) -> NameStatus {
    match status {
        ClaimStatus::Provisional => NameStatus::Provisional,
        ClaimStatus::Confirmed => NameStatus::Confirmed,
        ClaimStatus::Contested => NameStatus::Contested,
    }
}

/// A person's page, or `None` if nothing is known of the identity.
pub(crate) fn person_page(read_model: &ReadModel, own: Option<Did>, did: &Did) -> Option<Person> {
    read_model.registry().standing(did)?;
    let nothing = PersonRecord::new(*did);
    let record = read_model.person(did).unwrap_or(&nothing);
    Some(Person {
        did: did.to_string(),
        public_key: public_key(read_model, did),
        entry: entry(read_model, own, did),
        profile: profile(&record.profile),
        history: history(read_model, did),
        safety_words: safety_words(did),
        mine: own == Some(*did),
        updated_at: Some(record.updated_at.as_millis()),
        forked: is_forked(read_model, did),
        blocked: false,
        reputation: Reputation::default(),
    })
}

/// Whether a log of the identity that still goes on has two entries for one place.
pub(crate) fn is_forked(read_model: &ReadModel, did: &Did) -> bool {
    read_model.registry().logs_of(did).any(|(_, chain)| is_open_fork(chain))
}

/// The same of one device, which is named by its facts log: another device of the identity can go on.
pub(crate) fn is_device_forked(read_model: &ReadModel, did: &Did, device: &LogId) -> bool {
    let mut logs = read_model.registry().logs_of(did);
    logs.any(|(log, chain)| log.opening == device.opening && is_open_fork(chain))
}

fn is_open_fork(chain: &Chain) -> bool {
    chain.fork().is_some() && chain.end() == End::Open
}

pub(crate) fn history(read_model: &ReadModel, did: &Did) -> Vec<HistoryEntry> {
    let claims = read_model.claims_of(did);
    let entries = claims.into_iter().filter_map(|(claim, name, claimed_at, state)| {
        let dated = state.tenures.iter().find(|dated| dated.tenure.claim == claim);
        let other = state.others.iter().chain(&state.contested).find(|other| other.claim == claim);
        let outcome = match (dated, other) {
            (Some(DatedTenure { until: None, .. }), _) => HistoryOutcome::Held,
            (Some(_), _) => HistoryOutcome::Released,
            (None, Some(other)) if other.why == WhyNot::Pending => HistoryOutcome::Pending,
            (None, Some(other)) => HistoryOutcome::Lost { reason: loss_reason(other.why) },
            (None, None) => return None,
        };
        Some(HistoryEntry {
            username: name.to_string(),
            claimed_at: dated.map_or(claimed_at, |dated| dated.since).as_millis(),
            released_at: dated.and_then(|dated| dated.until).map(Timestamp::as_millis),
            outcome,
        })
    });
    entries.collect()
}

pub(crate) fn loss_reason(why: WhyNot) -> LossReason {
    match why {
        WhyNot::Pending => LossReason::Pending,
        WhyNot::Held => LossReason::NotConfirmed,
        WhyNot::Later => LossReason::ClaimedLater,
        WhyNot::Withdrawn => LossReason::Withdrawn,
        WhyNot::OtherPlace => LossReason::OtherPlace,
        WhyNot::Contested => LossReason::Contested,
    }
}

/// What the holder's right rests on.
pub(crate) fn hold_reason(state: &NameState) -> HoldReason {
    match state.status() {
        Some(ClaimStatus::Confirmed) => HoldReason::Confirmed,
        Some(ClaimStatus::Contested) => HoldReason::KnownBefore,
        Some(ClaimStatus::Provisional) | None if state.others.is_empty() => HoldReason::NoRival,
        Some(ClaimStatus::Provisional) | None => HoldReason::EarliestDate,
    }
}
