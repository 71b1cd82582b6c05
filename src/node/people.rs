//! Questions: what is known of names and people, in the boundary's data.

use std::rc::Rc;

use crate::VERSION;
use crate::block_list::Decisions;
use crate::context::Context;
use crate::errors;
use crate::key_store::KeyStore;
use crate::peering::PeerTable;
use crate::registry::Registry;
use crate::reputation::{Actor, ReputationTracker};
use gen_registry_api::*;
use gen_registry_core::document;
use gen_registry_core::identity::Identity;
use gen_registry_core::name::Username;
use gen_registry_core::ownership::{Availability, ClaimStatus, NameState, Position, Reason, Tenure};
use gen_registry_core::read_model::{PersonRecord, ReadModel};

/// The longest page of the directory.
const PEOPLE_PAGE_MAX: u32 = 500;

/// The service that answers questions about names and people.
pub(crate) struct People {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    reputation: Rc<ReputationTracker>,
    peers: Rc<PeerTable>,
}

impl People {
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        reputation: Rc<ReputationTracker>,
        peers: Rc<PeerTable>,
    ) -> Self {
        Self { context, keys, registry, decisions, reputation, peers }
    }

    pub(super) fn me(&self) -> Me {
        let (read_model, settings) = (self.registry.read_model(), self.keys.settings());
        let mut me = Me {
            protection: self.keys.protection(),
            phrase_checked: settings.phrase_checked,
            last_backup_at: settings.last_backup_at.map(gen_registry_core::time::Timestamp::as_millis),
            ..Me::default()
        };
        let Some(own) = self.keys.identity() else { return me };
        me.did = Some(own.to_string());
        me.public_key = Some(own.to_hex());
        me.safety_words = safety_words(&own);
        if let Some(person) = read_model.person(&own) {
            me.forked = person.forked;
            me.profile = profile(&person.profile);
            me.changes = person.changes;
            me.document_bytes = person.bytes;
        }
        let entry = entry(&read_model, Some(own), &own);
        me.name_status = entry.as_ref().map(|entry| entry.status);
        me.registered_at = entry.as_ref().map(|entry| entry.registered_at);
        me.username = entry.and_then(|entry| entry.person.username);
        me.history = history(&read_model, &own);
        if me.username.is_none() {
            let refused = settings.refused_name.as_ref().and_then(|refused| refused.name.parse::<Username>().ok());
            let refused = refused.map(|name| refused_name(&read_model, own, &name));
            me.lost_name = refused.or_else(|| last_lost_name(&read_model, &own));
        }
        me
    }

    pub(super) fn check_username(&self, text: &str) -> NameCheck {
        let (read_model, own) = (self.registry.read_model(), self.keys.identity());
        let (records, registries) = counts(&read_model, own);
        let (username, verdict) = match text.trim().parse::<Username>() {
            Err(error) => {
                let message = errors::sentence(&error.to_string());
                (None, NameVerdict::Invalid { rule: error.rule().to_owned(), message })
            }
            Ok(name) => {
                let verdict = match read_model.availability(&name, own.as_ref(), self.context.now()) {
                    Availability::Free => NameVerdict::Available,
                    Availability::Yours => NameVerdict::Yours,
                    Availability::ClosedUntil(at) => NameVerdict::CoolingDown { free_at: at.as_millis() },
                    Availability::HeldBy(holder) => match entry(&read_model, own, &holder) {
                        Some(by) => NameVerdict::Taken { by: Box::new(by) },
                        None => NameVerdict::Available,
                    },
                };
                (Some(name.to_string()), verdict)
            }
        };
        NameCheck { text: text.to_owned(), username, verdict, records, registries }
    }

    pub(super) fn look_up(&self, text: &str) -> NameReport {
        look_up(&self.registry.read_model(), self.keys.identity(), text)
    }

    pub(super) fn list(&self, prefix: &str, limit: u32, cursor: Option<String>) -> Result<PeoplePage, Failure> {
        let (read_model, own) = (self.registry.read_model(), self.keys.identity());
        let prefix = prefix.trim().to_lowercase();
        let after = cursor.map(|cursor| cursor.parse::<Username>()).transpose().map_err(|_| {
            Failure::new(
                FailureCode::InvalidArgument,
                "The cursor is not one that was given out.",
                "Start again without a cursor.",
            )
        })?;
        let limit = limit.clamp(1, PEOPLE_PAGE_MAX) as usize;
        let page = read_model.list(&prefix, after.as_ref(), limit);
        let cursor = page.people.last().filter(|_| page.more).map(|(name, _)| name.to_string());
        let visible = page.people.iter().filter(|(_, person)| !self.decisions.blocks_person(&person.identity));
        let people = visible.filter_map(|(_, person)| entry(&read_model, own, &person.identity)).collect();
        let blocked = self
            .decisions
            .blocked_people()
            .into_iter()
            .filter(|person| read_model.username_of(person).is_some_and(|name| name.as_str().starts_with(&prefix)));
        let total = page.total.saturating_sub(blocked.count()) as u64;
        let initials = read_model.initials().map(|(letter, count)| (letter.to_owned(), count)).collect();
        Ok(PeoplePage { people, cursor, total, initials })
    }

    pub(super) fn person(&self, did: &str) -> Result<Option<Person>, Failure> {
        let identity: Identity = did.trim().parse().map_err(|error| {
            Failure::new(
                FailureCode::InvalidArgument,
                errors::sentence(&format!("{error}")),
                "Check the did; it is copied best from a person's page.",
            )
        })?;
        let read_model = self.registry.read_model();
        let page = read_model.person(&identity).map(|person| person_page(&read_model, self.keys.identity(), person));
        Ok(page.map(|page| Person {
            blocked: self.decisions.blocks_person(&identity),
            reputation: self.reputation.report(Actor::Person(identity)),
            ..page
        }))
    }

    /// `clock_apart` is how far this device's clock is from its peers', in milliseconds.
    pub(super) async fn status(&self, clock_apart: Option<i64>) -> Status {
        let storage = self.context.environment.storage_use().await;
        let (names, registries) = counts(&self.registry.read_model(), self.keys.identity());
        Status {
            registries,
            names,
            peers: self.peers.count(),
            syncing: self.peers.is_syncing(),
            connection: self.peers.connection(),
            quarantined: self.context.quarantined().clone(),
            storage_used: storage.used,
            storage_quota: storage.quota,
            persisted: storage.persisted,
            writer: true,
            volatile: false,
            clock_apart,
            version: VERSION.to_owned(),
        }
    }
}

/// A person as they are shown beside what they say or do. `own` is this profile's person.
pub(super) fn summary(read_model: &ReadModel, own: Option<Identity>, identity: &Identity) -> PersonSummary {
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
fn refused_name(read_model: &ReadModel, own: Identity, name: &Username) -> LostName {
    let holder = read_model.state(name).and_then(NameState::holder).map(|held| held.holder);
    let holder = holder.and_then(|holder| entry(read_model, Some(own), &holder));
    LostName { name: name.to_string(), holder, reason: LossReason::AlreadyHeld }
}

/// The newest own claim, if it lost.
fn last_lost_name(read_model: &ReadModel, own: &Identity) -> Option<LostName> {
    let claims = read_model.claims_of(own);
    let (claim, name, _, name_state) = claims.last()?;
    let lost = name_state.losers.iter().any(|loser| loser.claim == *claim);
    if lost { lost_name(read_model, own, name) } else { None }
}

/// How an own claim of `name` was lost.
pub(super) fn lost_name(read_model: &ReadModel, own: &Identity, name: &Username) -> Option<LostName> {
    let name_state = read_model.state(name)?;
    let loser = name_state.losers.iter().rev().find(|loser| loser.author == *own)?;
    let holder = name_state.holder().and_then(|tenure| entry(read_model, Some(*own), &tenure.holder));
    Some(LostName { name: name.to_string(), holder, reason: loss_reason(&loser.reason) })
}

/// What is known of a name: who holds it and why, who claimed it too.
pub(super) fn look_up(read_model: &ReadModel, own: Option<Identity>, text: &str) -> NameReport {
    let (records, registries) = counts(read_model, own);
    let name = text.trim().parse::<Username>();
    let asked = name.as_ref().map_or_else(|_| text.to_owned(), Username::to_string);
    let mut report = NameReport {
        asked,
        holder: None,
        redirect: None,
        free_at: None,
        why: None,
        losers: Vec::new(),
        answered_by: None,
        records,
        registries,
    };
    let Some(name_state) = name.ok().and_then(|name| read_model.state(&name)) else { return report };
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
fn counts(read_model: &ReadModel, own: Option<Identity>) -> (u64, u64) {
    let own = own.is_some_and(|own| read_model.person(&own).is_some());
    (read_model.names() as u64, (read_model.registries() - usize::from(own)) as u64)
}

fn safety_words(identity: &Identity) -> Vec<String> {
    identity.safety_words().into_iter().map(str::to_owned).collect()
}

fn profile(profile: &document::ProfileFields) -> Profile {
    Profile {
        display_name: profile.display_name.clone(),
        bio: profile.bio.clone(),
        avatar: profile.avatar.clone(),
        links: profile.links.clone(),
        joined_at: profile.joined_at.map(gen_registry_core::time::Timestamp::as_millis),
    }
}

/// A person as the directory lists them; none without a name. `own` is this profile's person.
pub(super) fn entry(read_model: &ReadModel, own: Option<Identity>, identity: &Identity) -> Option<UsernameEntry> {
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

fn person_page(read_model: &ReadModel, own: Option<Identity>, person: &PersonRecord) -> Person {
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

fn history(read_model: &ReadModel, identity: &Identity) -> Vec<HistoryEntry> {
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

fn loss_reason(reason: &Reason) -> LossReason {
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
fn hold_reason(name_state: &NameState, tenure: &Tenure) -> HoldReason {
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
