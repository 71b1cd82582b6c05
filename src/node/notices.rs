//! Announcements that concern this person: of people, modules and tags that are followed, and of installed modules.
//!
//! News arrives with the changes that everybody gets; here it is only picked out. What is followed never leaves the
//! device.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Node;
use crate::State;
use crate::errors;
use crate::store::records::put;
use crate::store::{Durability, StoreError, Table};
use gen_registry_api::*;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::is_tag;
use gen_registry_core::fact::{ClaimedName, Fact, SignedFact};
use gen_registry_core::identity::Identity;
use gen_registry_core::limits::CLOCK_SKEW;
use gen_registry_core::name::ModuleName;
use gen_registry_core::read_model::PersonRecord;
use gen_registry_core::time::Timestamp;

/// Notices that are kept; the oldest goes first.
pub const NOTICES_MAX: usize = 200;
/// What one profile may follow.
pub const FOLLOWS_MAX: usize = 500;

/// Under which key of [`Table::Settings`] they stand.
pub(crate) const RECORD: &str = "notices";

/// What is followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
enum Followed {
    Person(Identity),
    Module(ModuleName),
    Tag(String),
}

/// It can't be followed.
#[derive(Debug, thiserror::Error)]
#[error("it begins with none of “person:”, “module:” and “tag:”, or is none of them")]
struct NotFollowed;

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notices {
    follows: BTreeMap<Followed, Timestamp>,
    kept: VecDeque<Notice>,
    next: u64,
    #[serde(skip)]
    unsaved: bool,
}

/// What somebody's new record says that the old one did not.
pub(crate) struct RecordDiff {
    person: Identity,
    facts: Vec<SignedFact>,
    /// Modules that are newly advised against, and why.
    advised: Vec<(ModuleName, String)>,
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

impl Notices {
    fn list(&self) -> NoticeList {
        let unread = self.kept.iter().filter(|notice| !notice.read).count() as u64;
        NoticeList { notices: self.kept.iter().rev().cloned().collect(), unread }
    }

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

    /// Whether something of that date concerns one who follows any of these. Its author's clock may be behind.
    fn follows(&self, any: impl IntoIterator<Item = Followed>, dated: Timestamp) -> bool {
        any.into_iter()
            .any(|followed| self.follows.get(&followed).is_some_and(|since| dated.plus(CLOCK_SKEW) >= *since))
    }
}

impl RecordDiff {
    /// Returns `None` if nothing changed that a follower could want to see.
    pub(crate) fn between(before: Option<&PersonRecord>, after: &PersonRecord) -> Option<Self> {
        let known: BTreeSet<Digest> =
            before.map(|b| b.facts.iter().map(SignedFact::hash).collect()).unwrap_or_default();
        let fresh = after.facts.iter().filter(|fact| fact.author() == after.identity && !known.contains(&fact.hash()));
        let facts: Vec<SignedFact> = fresh.cloned().collect();
        let advice = |record: &PersonRecord, name: &ModuleName| record.shelf.modules.get(name)?.deprecated.clone();
        let named = after.shelf.modules.keys().filter_map(|name| Some((name.clone(), advice(after, name)?)));
        let advised: Vec<(ModuleName, String)> =
            named.filter(|(name, why)| before.and_then(|before| advice(before, name)).as_ref() != Some(why)).collect();
        (!facts.is_empty() || !advised.is_empty()).then_some(Self { person: after.identity, facts, advised })
    }
}

impl Node {
    pub(crate) async fn handle_notices(&self, ask: NoticeCommand) -> Result<Answer, Failure> {
        match ask {
            NoticeCommand::Follows => {}
            NoticeCommand::Follow { subject, follow } => {
                self.follow(&subject, follow)?;
                self.save_notices().await.map_err(errors::store_failed)?;
            }
            NoticeCommand::List => return Ok(Answer::Notices(self.notices.borrow().list())),
            NoticeCommand::MarkRead { ids } => {
                self.change_notices(|notices| {
                    let marked = notices.kept.iter_mut().filter(|notice| ids.is_empty() || ids.contains(&notice.id));
                    marked.for_each(|notice| notice.read = true);
                });
                self.save_notices().await.map_err(errors::store_failed)?;
                return Ok(Answer::Notices(self.notices.borrow().list()));
            }
            NoticeCommand::Clear => {
                self.change_notices(|notices| notices.kept.clear());
                self.save_notices().await.map_err(errors::store_failed)?;
                return Ok(Answer::Notices(NoticeList::default()));
            }
        }
        let (notices, state) = (self.notices.borrow(), self.state.borrow());
        let row = |(followed, since): (&Followed, &Timestamp)| FollowRow {
            subject: followed.to_string(),
            since: since.as_millis(),
            username: match followed {
                Followed::Person(person) => state.index.username_of(person).map(ToString::to_string),
                Followed::Module(_) | Followed::Tag(_) => None,
            },
        };
        Ok(Answer::Follows(notices.follows.iter().map(row).collect()))
    }

    fn change_notices(&self, change: impl FnOnce(&mut Notices)) {
        let mut notices = self.notices.borrow_mut();
        change(&mut notices);
        notices.unsaved = true;
    }

    fn follow(&self, subject: &str, follow: bool) -> Result<(), Failure> {
        let invalid = |message: String, advice: &str| Failure::new(FailureCode::InvalidArgument, message, advice);
        let followed: Followed = subject.parse().map_err(|error: NotFollowed| {
            invalid(errors::sentence(&error.to_string()), "Write person:did:key:…, module:name or tag:text.")
        })?;
        let now = self.now();
        let one_more = !self.notices.borrow().follows.contains_key(&followed);
        if follow && one_more && self.notices.borrow().follows.len() >= FOLLOWS_MAX {
            return Err(invalid(format!("At most {FOLLOWS_MAX} are followed at once."), "Leave some first."));
        }
        self.change_notices(|notices| {
            if follow {
                notices.follows.entry(followed).or_insert(now);
            } else {
                notices.follows.remove(&followed);
            }
        });
        Ok(())
    }

    /// Whether there can be any news for this person.
    pub(crate) fn listens_for_news(&self) -> bool {
        !self.notices.borrow().follows.is_empty() || !self.state.borrow().installed.is_empty()
    }

    /// Selects what concerns this person, stores it and emits it.
    pub(crate) fn notice(&self, news: Vec<RecordDiff>) {
        let now = self.now();
        let mut told = Vec::new();
        for RecordDiff { person, facts, advised } in news {
            if self.blocks_person(&person) || self.identity() == Some(person) {
                continue;
            }
            let (state, mut notices) = (self.state.borrow(), self.notices.borrow_mut());
            let found: Vec<Notice> = facts
                .iter()
                .filter_map(|fact| of_fact(&state, &notices, person, fact))
                .chain(
                    advised.into_iter().filter_map(|(name, why)| of_advice(&state, &notices, person, &name, why, now)),
                )
                .map(|notice| Notice { at: now.as_millis(), ..notice })
                .collect();
            told.extend(found.into_iter().map(|notice| notices.add(notice)));
        }
        told.into_iter().for_each(|notice| self.tell(&Event::Announcement { notice }));
    }

    /// Stores what changed since the last time.
    pub(crate) async fn save_notices(&self) -> Result<(), StoreError> {
        if !std::mem::take(&mut self.notices.borrow_mut().unsaved) {
            return Ok(());
        }
        let record = put(Table::Settings, RECORD, &*self.notices.borrow());
        let saved = self.records.commit(vec![record], Durability::Relaxed).await;
        if saved.is_err() {
            self.notices.borrow_mut().unsaved = true;
        }
        saved
    }
}

fn of_fact(state: &State, notices: &Notices, person: Identity, fact: &SignedFact) -> Option<Notice> {
    let notice = |kind| blank(state, kind, person);
    let followed = |name: &ModuleName, dated| concerns(state, notices, person, name, dated);
    match fact.statement() {
        Fact::Release(release) => {
            // A release that does not count makes no notice.
            let module = state.index.module(&release.module.folded());
            let counts = module.releases.get(&release.version).is_some_and(|counted| counted.fact == fact.hash());
            let version = Some(release.version.to_string());
            (counts && followed(&release.module, release.published_at)).then(|| Notice {
                module: Some(release.module.to_string()),
                version,
                ..notice(NoticeKind::Release)
            })
        }
        Fact::Yank(yank) => {
            let (_, release) = state.index.release(&yank.release)?;
            let module = state.index.module(&release.module.folded());
            // By somebody who may.
            let counts = module.releases.get(&release.version).is_some_and(|counted| counted.withdrawn.is_some());
            (counts && followed(&release.module, yank.at)).then(|| Notice {
                module: Some(release.module.to_string()),
                version: Some(release.version.to_string()),
                text: Some(yank.reason.clone()),
                ..notice(NoticeKind::Yank)
            })
        }
        Fact::NameClaim(claim) => {
            if !notices.follows([Followed::Person(person)], claim.claimed_at) {
                return None;
            }
            Some(match &claim.name {
                ClaimedName::Username(name) => Notice { text: Some(name.to_string()), ..notice(NoticeKind::Username) },
                ClaimedName::Module(name) => {
                    Notice { module: Some(name.to_string()), ..notice(NoticeKind::ModuleName) }
                }
            })
        }
        Fact::NameRelinquish(_) | Fact::Receipt(_) | Fact::Unyank(_) => None,
    }
}

/// An advice has no date of its own: it counts as given when it arrived.
fn of_advice(
    state: &State,
    notices: &Notices,
    person: Identity,
    name: &ModuleName,
    why: String,
    now: Timestamp,
) -> Option<Notice> {
    let holder = state.index.module_name(&name.folded())?.holder()?.holder;
    (holder == person && concerns(state, notices, person, name, now)).then(|| Notice {
        module: Some(name.to_string()),
        text: Some(why),
        ..blank(state, NoticeKind::Advisory, person)
    })
}

/// What is installed is followed without being asked.
fn concerns(state: &State, notices: &Notices, person: Identity, name: &ModuleName, dated: Timestamp) -> bool {
    let name = state.index.spelled(name);
    let tags = state.index.facet(&name).map(|facet| facet.tags.iter().cloned().map(Followed::Tag).collect::<Vec<_>>());
    let any = [Followed::Person(person), Followed::Module(name.clone())].into_iter().chain(tags.unwrap_or_default());
    let installed = state.installed.get(&name).is_some_and(|installed| dated >= installed.installed_at);
    installed || notices.follows(any, dated)
}

fn blank(state: &State, kind: NoticeKind, person: Identity) -> Notice {
    let who = Author { did: person.to_string(), username: state.index.username_of(&person).map(ToString::to_string) };
    Notice { id: 0, at: 0, kind, who, module: None, version: None, text: None, read: false }
}
