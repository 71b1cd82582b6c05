//! Notices: announcements that concern this person, of people, modules and tags that are followed, and of installed
//! modules.
//!
//! News arrives with the changes that all nodes get; here it is only selected. What is followed never leaves the
//! device: no peer is asked for it.
//!
//! For example, Alice follows `person:did:gen:…Bob`. A change of Bob's document with a release arrives; the registry
//! compares his records ([`RecordDiff`]) and calls [`Notices`], which checks that the release counts and was published
//! after she followed him, stores a notice and emits it.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::rc::Rc;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::decisions::Decisions;
use crate::errors;
use crate::key_store::KeyStore;
use crate::modules::installed::{Installations, InstalledModules};
use crate::registry::diff::RecordDiff;
use crate::registry::{Registry, RegistryObserver};
use crate::store::records::put;
use crate::store::{Durability, StoreError, Table};
use gen_registry_api::*;
use gen_registry_core::document::is_tag;
use gen_registry_core::keys::Did;
use gen_registry_core::limits::CLOCK_SKEW;
use gen_registry_core::log::body::Release;
use gen_registry_core::log::{Body, EntryId};
use gen_registry_core::name::{ClaimedName, ModuleName};
use gen_registry_core::outcome::Counts;
use gen_registry_core::read_model::ReadModel;
use gen_registry_core::registry::Registry as KnownFacts;
use gen_registry_core::time::Timestamp;

/// Stored notices; the oldest is removed first.
pub const NOTICES_MAX: usize = 200;
/// Subjects that one profile may follow.
pub const FOLLOWS_MAX: usize = 500;

/// The key of [`Table::Settings`] under which they are stored.
pub(crate) const RECORD: &str = "notices";

/// A followed subject. Its stored form is its text, e.g. `tag:game`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
enum Followed {
    Person(Did),
    Module(ModuleName),
    Tag(String),
}

/// The text is no subject that can be followed.
#[derive(Debug, thiserror::Error)]
#[error("it begins with none of “person:”, “module:” and “tag:”, or is none of them")]
struct NotFollowed;

/// What is followed, and the notices.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct NoticeLog {
    /// The followed subjects, and since when.
    follows: BTreeMap<Followed, Timestamp>,
    /// The notices, the oldest first.
    kept: VecDeque<Notice>,
    /// The id of the next notice.
    next: u64,
    /// Whether something is not stored yet.
    #[serde(skip)]
    unsaved: bool,
}

impl FromStr for Followed {
    type Err = NotFollowed;

    fn from_str(text: &str) -> Result<Self, NotFollowed> {
        match text.split_once(':') {
            Some(("person", did)) => did.parse().map(Self::Person).map_err(|_| NotFollowed),
            Some(("module", name)) => name.parse().map(Self::Module).map_err(|_| NotFollowed),
            Some(("tag", tag)) if is_tag(tag) => Ok(Self::Tag(tag.to_owned())),
            _ => Err(NotFollowed),
        }
    }
}

impl fmt::Display for Followed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(identity) => write!(formatter, "person:{identity}"),
            Self::Module(name) => write!(formatter, "module:{name}"),
            Self::Tag(tag) => write!(formatter, "tag:{tag}"),
        }
    }
}

impl TryFrom<String> for Followed {
    type Error = NotFollowed;

    fn try_from(text: String) -> Result<Self, NotFollowed> {
        text.parse()
    }
}

impl From<Followed> for String {
    fn from(followed: Followed) -> Self {
        followed.to_string()
    }
}

impl NoticeLog {
    /// Returns the notices for the page, the newest first.
    fn list(&self) -> NoticeList {
        let unread = self.kept.iter().filter(|notice| !notice.read).count() as u64;
        NoticeList { notices: self.kept.iter().rev().cloned().collect(), unread }
    }

    /// Adds a notice under the next id.
    fn add(&mut self, notice: Notice) -> Notice {
        let notice = Notice { id: self.next, ..notice };
        self.next += 1;
        self.kept.push_back(notice.clone());
        if self.kept.len() > NOTICES_MAX {
            self.kept.pop_front();
        }
        self.unsaved = true;
        notice
    }

    /// Whether something of that date concerns a follower of any of these subjects. Its author's clock may be behind.
    fn follows(&self, any: impl IntoIterator<Item = Followed>, dated: Timestamp) -> bool {
        any.into_iter()
            .any(|followed| self.follows.get(&followed).is_some_and(|since| dated.plus(CLOCK_SKEW) >= *since))
    }
}

/// The service that selects what concerns this person.
pub(crate) struct Notices {
    context: Rc<Context>,
    keys: Rc<KeyStore>,
    registry: Rc<Registry>,
    decisions: Rc<Decisions>,
    installations: Rc<Installations>,
    log: RefCell<NoticeLog>,
}

impl RegistryObserver for Notices {
    fn records_changed(&self, diffs: &[RecordDiff]) {
        self.notice(diffs);
    }
}

impl Notices {
    /// Creates the service with the stored log.
    pub(crate) fn new(
        context: Rc<Context>,
        keys: Rc<KeyStore>,
        registry: Rc<Registry>,
        decisions: Rc<Decisions>,
        installations: Rc<Installations>,
        log: NoticeLog,
    ) -> Self {
        Self { context, keys, registry, decisions, installations, log: RefCell::new(log) }
    }

    /// The people and modules that are followed.
    pub(crate) fn followed(&self) -> (Vec<Did>, Vec<ModuleName>) {
        let (mut people, mut modules) = (Vec::new(), Vec::new());
        for followed in self.log.borrow().follows.keys() {
            match followed {
                Followed::Person(did) => people.push(*did),
                Followed::Module(name) => modules.push(name.clone()),
                Followed::Tag(_) => {}
            }
        }
        (people, modules)
    }

    /// Carries out a command about notices.
    pub(crate) async fn handle(&self, ask: NoticeCommand) -> Result<Answer, Failure> {
        match ask {
            NoticeCommand::Follows => {}
            NoticeCommand::Follow { subject, follow } => {
                self.follow(&subject, follow)?;
                self.save().await.map_err(errors::store_failed)?;
            }
            NoticeCommand::List => return Ok(Answer::Notices(self.log.borrow().list())),
            NoticeCommand::MarkRead { ids } => {
                self.change(|log| {
                    let marked = log.kept.iter_mut().filter(|notice| ids.is_empty() || ids.contains(&notice.id));
                    marked.for_each(|notice| notice.read = true);
                });
                self.save().await.map_err(errors::store_failed)?;
                return Ok(Answer::Notices(self.log.borrow().list()));
            }
            NoticeCommand::Clear => {
                self.change(|log| log.kept.clear());
                self.save().await.map_err(errors::store_failed)?;
                return Ok(Answer::Notices(NoticeList::default()));
            }
        }
        let (log, read_model) = (self.log.borrow(), self.registry.read_model());
        let row = |(followed, since): (&Followed, &Timestamp)| FollowRow {
            subject: followed.to_string(),
            since: since.as_millis(),
            username: match followed {
                Followed::Person(person) => read_model.username_of(person).map(ToString::to_string),
                Followed::Module(_) | Followed::Tag(_) => None,
            },
        };
        Ok(Answer::Follows(log.follows.iter().map(row).collect()))
    }

    /// Changes the log and marks it as unsaved.
    fn change(&self, change: impl FnOnce(&mut NoticeLog)) {
        let mut log = self.log.borrow_mut();
        change(&mut log);
        log.unsaved = true;
    }

    /// Follows a subject, or stops following it.
    fn follow(&self, subject: &str, follow: bool) -> Result<(), Failure> {
        let invalid = |message: String, advice: &str| Failure::new(FailureCode::InvalidArgument, message, advice);
        let followed: Followed = subject.parse().map_err(|error: NotFollowed| {
            invalid(errors::sentence(&error.to_string()), "Write person:did:gen:…, module:name or tag:text.")
        })?;
        let now = self.context.now();
        let one_more = !self.log.borrow().follows.contains_key(&followed);
        if follow && one_more && self.log.borrow().follows.len() >= FOLLOWS_MAX {
            return Err(invalid(format!("At most {FOLLOWS_MAX} are followed at once."), "Leave some first."));
        }
        self.change(|log| {
            if follow {
                log.follows.entry(followed).or_insert(now);
            } else {
                log.follows.remove(&followed);
            }
        });
        Ok(())
    }

    /// Selects what concerns this person, adds it to the log and emits it.
    fn notice(&self, diffs: &[RecordDiff]) {
        let now = self.context.now();
        let mut fresh = Vec::new();
        for RecordDiff { person, facts, advised } in diffs {
            if self.decisions.blocks_person(person) || self.keys.identity() == Some(*person) {
                continue;
            }
            let mut log = self.log.borrow_mut();
            let (read_model, installed) = (self.registry.read_model(), self.installations.all());
            let scope = Scope { read_model: &read_model, installed: &installed, log: &log, person: *person };
            let of_facts = facts.iter().filter_map(|fact| scope.of_fact(fact));
            let of_advice = advised.iter().filter_map(|(name, why)| scope.of_advice(name, why, now));
            let of_ends = scope.of_ends(facts);
            let found: Vec<Notice> = of_facts.chain(of_advice).chain(of_ends).collect();
            let dated = found.into_iter().map(|notice| Notice { at: now.as_millis(), ..notice });
            fresh.extend(dated.map(|notice| log.add(notice)));
        }
        fresh.into_iter().for_each(|notice| self.context.emit(&Event::Announcement { notice }));
    }

    /// Stores the log if it changed. On failure it is stored the next time.
    pub(crate) async fn save(&self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.log.borrow_mut().unsaved) {
            return Ok(());
        }
        let record = put(Table::Settings, RECORD, &*self.log.borrow());
        let saved = self.context.records.commit(vec![record], Durability::Relaxed).await;
        if saved.is_err() {
            self.log.borrow_mut().unsaved = true;
        }
        saved
    }
}

/// What is examined to decide whether one person's news concerns this profile.
struct Scope<'a> {
    read_model: &'a ReadModel,
    installed: &'a InstalledModules,
    log: &'a NoticeLog,
    person: Did,
}

impl Scope<'_> {
    /// Returns the notice of a fact, if it counts and concerns this profile.
    fn of_fact(&self, fact: &EntryId) -> Option<Notice> {
        let registry = self.read_model.registry();
        let fact = registry.facts().get(fact).filter(|fact| Counts::counts(registry, fact))?;
        let notice = |kind| self.blank(kind);
        let of_module = |release: &Release, kind| Notice {
            module: Some(release.module.to_string()),
            version: Some(release.version.to_string()),
            ..notice(kind)
        };
        match &fact.body {
            Body::Release(release) => {
                // A release that does not count makes no notice.
                let module = self.read_model.module(&release.module.folded());
                let counts = module.releases.get(&release.version).is_some_and(|counted| counted.entry == fact.id);
                let wanted = counts && self.concerns(&release.module, release.at);
                wanted.then(|| of_module(release, NoticeKind::Release))
            }
            Body::Mark(mark) if mark.is_withdrawn => {
                let (_, release) = self.read_model.release(&mark.release)?;
                let module = self.read_model.module(&release.module.folded());
                // By somebody who may.
                let counts = module.releases.get(&release.version).is_some_and(|counted| counted.withdrawn.is_some());
                let wanted = counts && self.concerns(&release.module, mark.at);
                wanted.then(|| Notice { text: Some(mark.reason.clone()), ..of_module(release, NoticeKind::Yank) })
            }
            Body::Claim(claim) if self.log.follows([Followed::Person(self.person)], claim.at) => {
                Some(match &claim.name {
                    ClaimedName::Username(name) => {
                        Notice { text: Some(name.to_string()), ..notice(NoticeKind::Username) }
                    }
                    ClaimedName::Module(name) => {
                        Notice { module: Some(name.to_string()), ..notice(NoticeKind::ModuleName) }
                    }
                })
            }
            _ => None,
        }
    }

    /// Returns the notice of a deprecation. It has no date of its own: it counts as made when it arrived.
    fn of_advice(&self, name: &ModuleName, why: &str, now: Timestamp) -> Option<Notice> {
        let holder = self.read_model.module_name(&name.folded())?.holder()?.tenure.holder;
        (holder == self.person && self.concerns(name, now)).then(|| Notice {
            module: Some(name.to_string()),
            text: Some(why.to_owned()),
            ..self.blank(NoticeKind::Advisory)
        })
    }

    /// Returns the notices of installed releases that turned out to be compromised, if any of these facts ends a device.
    fn of_ends(&self, facts: &[EntryId]) -> Vec<Notice> {
        let registry = self.read_model.registry();
        let known = facts.iter().filter_map(|fact| registry.facts().get(fact));
        if !known.into_iter().any(KnownFacts::is_about_keys) {
            return Vec::new();
        }
        let compromised = self.installed.iter().filter(|(_, installed)| {
            let release = registry.facts().get(&installed.release);
            release.is_some_and(|release| release.did == self.person && registry.is_compromised(release))
        });
        let notices = compromised.map(|(name, installed)| Notice {
            module: Some(name.to_string()),
            version: Some(installed.version.to_string()),
            ..self.blank(NoticeKind::Compromised)
        });
        let is_new = |notice: &Notice| {
            let is_same = |known: &Notice| {
                (known.kind, &known.module, &known.version) == (notice.kind, &notice.module, &notice.version)
            };
            !self.log.kept.iter().any(is_same)
        };
        notices.filter(is_new).collect()
    }

    /// Whether news of that date about a module is wanted. Installed modules are followed without being asked.
    fn concerns(&self, name: &ModuleName, dated: Timestamp) -> bool {
        let name = self.read_model.spelled(name);
        let facet = self.read_model.facet(&name);
        let tags = facet.into_iter().flat_map(|facet| facet.description.tags.iter().cloned().map(Followed::Tag));
        let any = [Followed::Person(self.person), Followed::Module(name.clone())].into_iter().chain(tags);
        let installed = self.installed.get(&name).is_some_and(|installed| dated >= installed.installed_at);
        installed || self.log.follows(any, dated)
    }

    /// Returns a notice about the person, to be completed.
    fn blank(&self, kind: NoticeKind) -> Notice {
        let username = self.read_model.username_of(&self.person).map(ToString::to_string);
        let who = Author { did: self.person.to_string(), username };
        Notice { id: 0, at: 0, kind, who, module: None, version: None, text: None, read: false }
    }
}
