//! What the read model shows of names and people, in the boundary's data. `own` is this profile's person.

use gen_registry_api::*;
use gen_registry_core::document;
use gen_registry_core::identity::Identity;
use gen_registry_core::name::Username;
use gen_registry_core::ownership::{ClaimStatus, NameState, Position, Reason, Tenure};
use gen_registry_core::read_model::{PersonRecord, ReadModel};

/// A person as they are shown beside what they say or do. `own` is this profile's person.
pub(crate) fn summary(read_model: &ReadModel, own: Option<Identity>, identity: &Identity) -> PersonSummary {
    let profile = read_model.person(identity).map(|person| &person.profile);
    PersonSummary {
        did: identity.to_string(),
        public_key: identity.to_hex(),
        username: read_model.held_name(identity).map(|(name, _, _)| name.to_string()),
        display_name: profile.and_then(|profile| profile.display_name.clone()),
        avatar: profile.and_then(|profile| profile.avatar.clone()),
        mine: own == Some(*identity),
    }
}

/// A name that could not be claimed when the person was made.
pub(crate) fn refused_name(read_model: &ReadModel, own: Identity, name: &Username) -> LostName {
    let holder = read_model.state(name).and_then(NameState::holder).map(|held| held.holder);
    let holder = holder.and_then(|holder| entry(read_model, Some(own), &holder));
    LostName { name: name.to_string(), holder, reason: LossReason::AlreadyHeld }
}

/// The newest own claim, if it lost.
pub(crate) fn last_lost_name(read_model: &ReadModel, own: &Identity) -> Option<LostName> {
    let claims = read_model.claims_of(own);
    let (claim, name, _, name_state) = claims.last()?;
    let lost = name_state.losers.iter().any(|loser| loser.claim == *claim);
    if lost { lost_name(read_model, own, name) } else { None }
}

/// How an own claim of `name` was lost.
pub(crate) fn lost_name(read_model: &ReadModel, own: &Identity, name: &Username) -> Option<LostName> {
    let name_state = read_model.state(name)?;
    let loser = name_state.losers.iter().rev().find(|loser| loser.author == *own)?;
    let holder = name_state.holder().and_then(|tenure| entry(read_model, Some(*own), &tenure.holder));
    Some(LostName { name: name.to_string(), holder, reason: loss_reason(&loser.reason) })
}

/// What is known of a name: who holds it and why, who claimed it too.
pub(crate) fn look_up(read_model: &ReadModel, own: Option<Identity>, name: &Username) -> NameReport {
    let (records, registries) = counts(read_model, own);
    let mut report = NameReport {
        asked: name.to_string(),
        holder: None,
        redirect: None,
        free_at: None,
        why: None,
        losers: Vec::new(),
        answered_by: None,
        records,
        registries,
    };
    let Some(name_state) = read_model.state(name) else { return report };
    report.answered_by = Some(AnsweredBy::Device);
    if let Some(tenure) = name_state.holder() {
        report.holder = entry(read_model, own, &tenure.holder);
        report.why = Some(hold_reason(name_state, tenure));
    }
    if let Some((tenure, free_at)) = name_state.given_up() {
        report.redirect = entry(read_model, own, &tenure.holder);
        report.free_at = Some(free_at.as_millis());
    }
    report.losers = name_state
        .losers
        .iter()
        .map(|loser| LosingClaim {
            did: loser.author.to_string(),
            username: loser.spelled.as_str().to_owned(),
            claimed_at: loser.claimed_at.as_millis(),
            reason: loss_reason(&loser.reason),
        })
        .collect();
    report
}

/// Names known here, and other people's registries.
pub(crate) fn counts(read_model: &ReadModel, own: Option<Identity>) -> (u64, u64) {
    let own = own.is_some_and(|own| read_model.person(&own).is_some());
    (read_model.names() as u64, (read_model.registries() - usize::from(own)) as u64)
}

pub(crate) fn safety_words(identity: &Identity) -> Vec<String> {
    identity.safety_words().into_iter().map(str::to_owned).collect()
}

pub(crate) fn profile(profile: &document::ProfileFields) -> Profile {
    Profile {
        display_name: profile.display_name.clone(),
        bio: profile.bio.clone(),
        avatar: profile.avatar.clone(),
        links: profile.links.clone(),
        joined_at: profile.joined_at.map(gen_registry_core::time::Timestamp::as_millis),
    }
}

/// A person as the directory lists them; none without a name. `own` is this profile's person.
pub(crate) fn entry(read_model: &ReadModel, own: Option<Identity>, identity: &Identity) -> Option<UsernameEntry> {
    let person = read_model.person(identity)?;
    let (_, tenure, name_state) = read_model.held_name(identity)?;
    Some(UsernameEntry {
        person: summary(read_model, own, identity),
        registered_at: tenure.position.at().as_millis(),
        joined_at: person.profile.joined_at.map(gen_registry_core::time::Timestamp::as_millis),
        status: match name_state {
            ClaimStatus::Provisional => NameStatus::Provisional,
            ClaimStatus::Confirmed => NameStatus::Confirmed,
            ClaimStatus::Contested => NameStatus::Contested,
        },
    })
}

pub(crate) fn person_page(read_model: &ReadModel, own: Option<Identity>, person: &PersonRecord) -> Person {
    let identity = &person.identity;
    Person {
        did: identity.to_string(),
        public_key: identity.to_hex(),
        entry: entry(read_model, own, identity),
        profile: profile(&person.profile),
        history: history(read_model, identity),
        safety_words: safety_words(identity),
        mine: own == Some(*identity),
        updated_at: Some(person.updated_at.as_millis()),
        forked: person.forked,
        blocked: false,
        reputation: Reputation::default(),
    }
}

pub(crate) fn history(read_model: &ReadModel, identity: &Identity) -> Vec<HistoryEntry> {
    let claims = read_model.claims_of(identity);
    let mut history: Vec<HistoryEntry> = Vec::new();
    for (claim, name, claimed_at, name_state) in claims {
        let tenure = name_state.tenures.iter().find(|tenure| tenure.claim == claim);
        let lost = name_state.losers.iter().find(|loser| loser.claim == claim);
        let held_back = name_state.held_back.iter().any(|(hash, _)| *hash == claim);
        let outcome = match (tenure, lost) {
            (Some(tenure), _) if tenure.until.is_none() => HistoryOutcome::Held,
            (Some(_), _) => HistoryOutcome::Released,
            (None, Some(loser)) => HistoryOutcome::Lost { reason: loss_reason(&loser.reason) },
            (None, None) if held_back => HistoryOutcome::HeldBack,
            // A new spelling of a name already held: the same tenure goes on.
            (None, None) => {
                let same = |entry: &&mut HistoryEntry| {
                    entry.username.parse::<Username>().is_ok_and(|earlier| earlier.folded() == name.folded())
                };
                if let Some(earlier) = history.iter_mut().rev().find(same) {
                    earlier.username = name.to_string();
                }
                continue;
            }
        };
        let released_at = tenure.and_then(|tenure| tenure.until).map(gen_registry_core::time::Timestamp::as_millis);
        history.push(HistoryEntry {
            username: name.to_string(),
            claimed_at: claimed_at.as_millis(),
            released_at,
            outcome,
        });
    }
    history
}

pub(crate) fn loss_reason(reason: &Reason) -> LossReason {
    match reason {
        Reason::WitnessedLater { .. } => LossReason::WitnessedLater,
        Reason::NotConfirmed { .. } => LossReason::NotConfirmed,
        Reason::ClaimedLater { .. } => LossReason::ClaimedLater,
        Reason::LargerHash => LossReason::LargerHash,
        Reason::CoolingDown { .. } => LossReason::CoolingDown,
        Reason::TooMany => LossReason::TooManyNames,
    }
}

/// Why the holder holds the name: by what the nearest rival lost.
pub(crate) fn hold_reason(name_state: &NameState, tenure: &Tenure) -> HoldReason {
    let rivals = name_state.losers.iter().filter(|loser| loser.author != tenure.holder).map(|loser| &loser.reason);
    let nearest = rivals.min_by_key(|reason| match reason {
        Reason::LargerHash => 0,
        Reason::WitnessedLater { .. } | Reason::ClaimedLater { .. } => 1,
        Reason::NotConfirmed { .. } => 2,
        Reason::CoolingDown { .. } | Reason::TooMany => 3,
    });
    match nearest {
        Some(Reason::WitnessedLater { .. }) => HoldReason::WitnessedFirst,
        Some(Reason::NotConfirmed { .. }) => HoldReason::OnlyConfirmed,
        Some(Reason::ClaimedLater { .. }) => HoldReason::EarliestDate,
        Some(Reason::LargerHash) => HoldReason::SmallerHash,
        Some(Reason::CoolingDown { .. } | Reason::TooMany) | None => match tenure.position {
            Position::Confirmed(_) => HoldReason::Confirmed,
            Position::Provisional(_) => HoldReason::NoRival,
        },
    }
}
