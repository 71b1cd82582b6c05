//! Questions: what is known of names and people, in the boundary's data.

pub(crate) mod answers;

use std::rc::Rc;

use crate::VERSION;
use crate::context::Context;
use crate::decisions::Decisions;
use crate::errors;
use crate::key_store::KeyStore;
use crate::peers::PeerTable;
use crate::people::answers::*;
use crate::registry::Registry;
use crate::reputation::{Actor, ReputationTracker};
use crate::retention::StrangersQuota;
use gen_registry_api::*;
use gen_registry_core::keys::Did;
use gen_registry_core::name::{Username, parse_input};
use gen_registry_core::read_model::Availability;
use gen_registry_core::time::Timestamp;

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
            last_backup_at: settings.last_backup_at.map(Timestamp::as_millis),
            ..Me::default()
        };
        let Some(own) = self.keys.identity() else { return me };
        me.did = Some(own.to_string());
        me.public_key = Some(public_key(&read_model, &own));
        me.safety_words = safety_words(&own);
        me.forked = self.keys.device_log().is_some_and(|log| is_device_forked(&read_model, &own, &log));
        if let Some(person) = read_model.person(&own) {
            me.profile = profile(&person.profile);
            me.changes = person.changes;
            me.document_bytes = person.bytes;
        }
        let entry = entry(&read_model, Some(own), &own);
        me.name_status = entry.as_ref().map(|entry| entry.status);
        me.registered_at = entry.as_ref().map(|entry| entry.registered_at);
        me.username = entry.and_then(|entry| entry.person.username);
        let others = read_model.usernames_of(&own).map(ToString::to_string);
        me.other_usernames = others.filter(|name| Some(name) != me.username.as_ref()).collect();
        me.history = history(&read_model, &own);
        let wanted = self.wanted_name(&own);
        let has_wish = wanted.is_some();
        if let Some((_, held, _)) = read_model.held_name(&own) {
            me.next_username = wanted.map(|(name, _)| name);
            let given_up = open_give_up(&read_model, &own, &held.tenure.claim);
            me.giving_up = given_up.map(|(_, until)| GivingUp { final_at: until.map(Timestamp::as_millis) });
        } else if let Some((name, status)) = wanted {
            (me.username, me.name_status) = (Some(name), Some(status));
        }
        if !has_wish {
            let refused = settings.refused_name.as_ref().and_then(|refused| refused.name.parse::<Username>().ok());
            let refused = refused.map(|name| refused_name(&read_model, own, &name));
            me.lost_name = refused.or_else(|| last_lost_name(&read_model, &own));
        }
        me
    }

    /// The name that this profile is to get: claimed and pending, or to be claimed.
    fn wanted_name(&self, own: &Did) -> Option<(String, NameStatus)> {
        let read_model = self.registry.read_model();
        let pending = read_model
            .claims_of(own)
            .into_iter()
            .rev()
            .find(|(claim, _, _, state)| state.pending_of(own).is_some_and(|other| other.claim == *claim));
        if let Some((_, name, ..)) = pending {
            return Some((name.to_string(), NameStatus::Pending));
        }
        let settings = self.keys.settings();
        settings.wanted_usernames().last().map(|name| (name.to_string(), NameStatus::Intent))
    }

    pub(super) fn check_username(&self, text: &str) -> NameCheck {
        let (read_model, own) = (self.registry.read_model(), self.keys.identity());
        let (records, registries) = counts(&read_model, own);
        let (username, verdict) = match parse_input::<Username>(text) {
            Err(error) => {
                let message = errors::sentence(&error.to_string());
                (None, NameVerdict::Invalid { rule: error.rule().to_owned(), message })
            }
            Ok(name) => {
                let verdict = match read_model.availability(&name, own.as_ref(), self.context.now()) {
                    Availability::Free | Availability::GivenToYou => NameVerdict::Available,
                    Availability::Contested => NameVerdict::Contested,
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

    pub(super) fn look_up(&self, text: &str) -> Result<NameReport, Failure> {
        let name = parse_input(text).map_err(|error| errors::name_invalid(&error))?;
        Ok(answers::look_up(&self.registry.read_model(), self.keys.identity(), &name))
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
        let visible = page.people.iter().filter(|(_, did)| !self.decisions.blocks_person(did));
        let people = visible.filter_map(|(_, did)| entry(&read_model, own, did)).collect();
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
        let identity: Did = did.trim().parse().map_err(|error| {
            Failure::new(
                FailureCode::InvalidArgument,
                errors::sentence(&format!("{error}")),
                "Check the did; it is copied best from a person's page.",
            )
        })?;
        let read_model = self.registry.read_model();
        let page = person_page(&read_model, self.keys.identity(), &identity);
        Ok(page.map(|page| Person {
            blocked: self.decisions.blocks_person(&identity),
            reputation: self.reputation.report(Actor::Person(identity)),
            ..page
        }))
    }

    /// Returns the state of store and network, without the limit on what is given to others. `quota` is of strangers; `clock_apart` is how far this device's clock is from its peers', in milliseconds.
    pub(super) async fn status(&self, clock_apart: Option<i64>, quota: StrangersQuota) -> Status {
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
            withdrawn: false,
            clock_apart,
            strangers_max: u32::try_from(quota.most).unwrap_or(u32::MAX),
            strangers_share: quota.share,
            upload_limit: None,
            version: VERSION.to_owned(),
        }
    }
}
