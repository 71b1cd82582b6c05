//! Questions: what is known of names and people, in the boundary's data.

use cid::Cid;

use crate::Node;
use crate::State;
use crate::VERSION;
use crate::errors;
use crate::reputation::Actor;
use gen_registry_api::*;
use gen_registry_core::digest::{hash_in, verify_block};
use gen_registry_core::document;
use gen_registry_core::identity::Identity;
use gen_registry_core::name::Username;
use gen_registry_core::ownership::{Availability, ClaimStatus, NameState, Position, Reason, Tenure};
use gen_registry_core::picture;
use gen_registry_core::read_model::PersonRecord;

/// The longest page of the directory.
const PEOPLE_PAGE_MAX: u32 = 500;

impl Node {
    pub(super) fn me(&self) -> Answer {
        let state = self.state.borrow();
        let mut me = Me {
            protection: state.key_state.protection(),
            phrase_checked: state.settings.phrase_checked,
            last_backup_at: state.settings.last_backup_at.map(|at| at.as_millis()),
            ..Me::default()
        };
        if let Some(own) = state.key_state.identity() {
            me.did = Some(own.to_string());
            me.public_key = Some(own.to_hex());
            me.safety_words = safety_words(&own);
            if let Some(person) = state.index.person(&own) {
                me.forked = person.forked;
                me.profile = profile(&person.profile);
                me.changes = person.changes;
                me.document_bytes = person.bytes;
            }
            let entry = entry(&state, &own);
            me.name_status = entry.as_ref().map(|entry| entry.status);
            me.registered_at = entry.as_ref().map(|entry| entry.registered_at);
            me.username = entry.map(|entry| entry.username);
            me.history = history(&state, &own);
        }
        let refused = state.settings.refused_name.as_ref().and_then(|refused| refused.name.parse::<Username>().ok());
        drop(state);
        if me.username.is_none() {
            me.lost_name = refused.map(|name| self.refused(&name)).or_else(|| self.last_lost());
        }
        Answer::Me(Box::new(me))
    }

    /// A name that could not be claimed when the person was made.
    fn refused(&self, name: &Username) -> LostName {
        let state = self.state.borrow();
        let holder = state.index.state(name).and_then(NameState::holder).and_then(|held| entry(&state, &held.holder));
        let reason = "Somebody else had claimed it before.".to_owned();
        LostName { name: name.to_string(), holder, reason }
    }

    /// The newest own claim, if it lost.
    fn last_lost(&self) -> Option<LostName> {
        let name = {
            let state = self.state.borrow();
            let own = state.key_state.identity()?;
            let claims = state.index.claims_of(&own);
            let (claim, name, _, name_state) = claims.last()?;
            name_state.losers.iter().any(|loser| loser.claim == *claim).then(|| (*name).clone())?
        };
        self.lost_name(&name)
    }

    /// How an own claim of `name` was lost.
    pub(super) fn lost_name(&self, name: &Username) -> Option<LostName> {
        let state = self.state.borrow();
        let own = state.key_state.identity()?;
        let name_state = state.index.state(name)?;
        let loser = name_state.losers.iter().rev().find(|loser| loser.author == own)?;
        let holder = name_state.holder().and_then(|tenure| entry(&state, &tenure.holder));
        Some(LostName { name: name.to_string(), holder, reason: errors::reason(&loser.reason) })
    }

    pub(super) fn check_username(&self, text: &str) -> NameCheck {
        let state = self.state.borrow();
        let (records, registries) = counts(&state);
        let (username, verdict) = match text.trim().parse::<Username>() {
            Err(error) => {
                let message = errors::sentence(&error.to_string());
                (None, NameVerdict::Invalid { rule: error.rule().to_owned(), message })
            }
            Ok(name) => {
                let own = state.key_state.identity();
                let verdict = match state.index.availability(&name, own.as_ref(), self.now()) {
                    Availability::Free => NameVerdict::Available,
                    Availability::Yours => NameVerdict::Yours,
                    Availability::ClosedUntil(at) => NameVerdict::CoolingDown { free_at: at.as_millis() },
                    Availability::HeldBy(holder) => match entry(&state, &holder) {
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
        let state = self.state.borrow();
        let (records, registries) = counts(&state);
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
        let Some(name_state) = name.ok().and_then(|name| state.index.state(&name)) else { return report };
        report.answered_by = Some(AnsweredBy::Device);
        if let Some(tenure) = name_state.holder() {
            report.holder = entry(&state, &tenure.holder);
            report.why = Some(why_held(name_state, tenure));
        }
        if let Some((tenure, free_at)) = name_state.given_up() {
            report.redirect = entry(&state, &tenure.holder);
            report.free_at = Some(free_at.as_millis());
        }
        report.losers = name_state
            .losers
            .iter()
            .map(|loser| LosingClaim {
                did: loser.author.to_string(),
                username: loser.spelled.as_str().to_owned(),
                claimed_at: loser.claimed_at.as_millis(),
                reason: errors::reason(&loser.reason),
            })
            .collect();
        report
    }

    pub(super) fn list(&self, prefix: &str, limit: u32, cursor: Option<String>) -> Result<PeoplePage, Failure> {
        let state = self.state.borrow();
        let prefix = prefix.trim().to_lowercase();
        let after = cursor.map(|cursor| cursor.parse::<Username>()).transpose().map_err(|_| {
            Failure::new(
                FailureCode::InvalidArgument,
                "The cursor is not one that was given out.",
                "Start again without a cursor.",
            )
        })?;
        let limit = limit.clamp(1, PEOPLE_PAGE_MAX) as usize;
        let page = state.index.list(&prefix, after.as_ref(), limit);
        let cursor = page.people.last().filter(|_| page.more).map(|(name, _)| name.to_string());
        let shown = page.people.iter().filter(|(_, person)| !self.blocks_person(&person.identity));
        let people = shown.filter_map(|(_, person)| entry(&state, &person.identity)).collect();
        let blocked = self
            .blocked_people()
            .into_iter()
            .filter(|person| state.index.username_of(person).is_some_and(|name| name.as_str().starts_with(&prefix)));
        let total = page.total.saturating_sub(blocked.count()) as u64;
        let initials = state.index.initials().map(|(letter, count)| (letter.to_owned(), count)).collect();
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
        let state = self.state.borrow();
        let page = state.index.person(&identity).map(|person| person_page(&state, person));
        Ok(page.map(|page| Person {
            blocked: self.blocks_person(&identity),
            reputation: self.reputation(Actor::Person(identity)),
            ..page
        }))
    }

    pub(super) async fn block(&self, cid: &str) -> Result<Option<Block>, Failure> {
        let Ok(address) = cid.parse::<Cid>() else { return Ok(None) };
        let Some(block) = hash_in(&address) else { return Ok(None) };
        let stored = self.stored_block(&block).await.map_err(errors::store_failed)?;
        let found = match stored.filter(|bytes| verify_block(&address, bytes)) {
            Some(bytes) => {
                self.note_use(&block).await;
                Some(bytes)
            }
            None => self.fetch_picture(&address).await,
        };
        Ok(found.map(|bytes| {
            let media_type = picture::media_type(&bytes).unwrap_or("application/octet-stream").to_owned();
            Block { bytes, media_type }
        }))
    }

    pub(super) async fn status(&self) -> Status {
        let storage = self.environment.storage_use().await;
        let state = self.state.borrow();
        let (names, registries) = counts(&state);
        Status {
            registries,
            names,
            peers: self.peering.borrow().peers(),
            syncing: self.peering.borrow().is_syncing(),
            connection: self.peering.borrow().connection(),
            quarantined: state.quarantined.clone(),
            storage_used: storage.used,
            storage_quota: storage.quota,
            persisted: storage.persisted,
            writer: true,
            volatile: false,
            clock_apart: self.clock_apart(),
            version: VERSION.to_owned(),
        }
    }
}

/// Names known here, and other people's registries.
fn counts(state: &State) -> (u64, u64) {
    let own = state.key_state.identity().is_some_and(|own| state.index.person(&own).is_some());
    (state.index.names() as u64, (state.index.registries() - usize::from(own)) as u64)
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
        joined_at: profile.joined_at.map(|at| at.as_millis()),
    }
}

pub(super) fn entry(state: &State, identity: &Identity) -> Option<UsernameEntry> {
    let person = state.index.person(identity)?;
    let (name, tenure, name_state) = state.index.held_name(identity)?;
    Some(UsernameEntry {
        username: name.to_string(),
        public_key: identity.to_hex(),
        did: identity.to_string(),
        registered_at: tenure.position.at().as_millis(),
        display_name: person.profile.display_name.clone(),
        avatar: person.profile.avatar.clone(),
        joined_at: person.profile.joined_at.map(|at| at.as_millis()),
        status: match name_state {
            ClaimStatus::Provisional => NameStatus::Provisional,
            ClaimStatus::Confirmed => NameStatus::Confirmed,
            ClaimStatus::Contested => NameStatus::Contested,
        },
        mine: state.key_state.identity() == Some(*identity),
    })
}

fn person_page(state: &State, person: &PersonRecord) -> Person {
    let identity = &person.identity;
    Person {
        did: identity.to_string(),
        public_key: identity.to_hex(),
        entry: entry(state, identity),
        profile: profile(&person.profile),
        history: history(state, identity),
        safety_words: safety_words(identity),
        mine: state.key_state.identity() == Some(*identity),
        updated_at: Some(person.updated_at.as_millis()),
        forked: person.forked,
        blocked: false,
        reputation: Reputation::default(),
    }
}

fn history(state: &State, identity: &Identity) -> Vec<HistoryEntry> {
    let claims = state.index.claims_of(identity);
    let mut history: Vec<HistoryEntry> = Vec::new();
    for (claim, name, claimed_at, name_state) in claims {
        let tenure = name_state.tenures.iter().find(|tenure| tenure.claim == claim);
        let lost = name_state.losers.iter().find(|loser| loser.claim == claim);
        let held_back = name_state.held_back.iter().any(|(hash, _)| *hash == claim);
        let outcome = match (tenure, lost) {
            (Some(tenure), _) if tenure.until.is_none() => HistoryOutcome::Held,
            (Some(_), _) => HistoryOutcome::Released,
            (None, Some(loser)) => HistoryOutcome::Lost { reason: errors::reason(&loser.reason) },
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
        let released_at = tenure.and_then(|tenure| tenure.until).map(|at| at.as_millis());
        history.push(HistoryEntry {
            username: name.to_string(),
            claimed_at: claimed_at.as_millis(),
            released_at,
            outcome,
        });
    }
    history
}

fn why_held(name_state: &NameState, tenure: &Tenure) -> String {
    let rivals = name_state.losers.iter().filter(|loser| loser.author != tenure.holder).map(|loser| &loser.reason);
    let nearest = rivals.min_by_key(|reason| match reason {
        Reason::LargerHash => 0,
        Reason::WitnessedLater { .. } | Reason::ClaimedLater { .. } => 1,
        Reason::NotConfirmed { .. } => 2,
        Reason::CoolingDown { .. } | Reason::TooMany => 3,
    });
    errors::why_held(nearest, matches!(tenure.position, Position::Confirmed(_)))
}
