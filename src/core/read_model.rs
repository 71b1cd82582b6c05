//! The read model: what this node knows of all people, names and modules, in memory, ready for queries. The
//! [`Registry`] is the fold over all logs; beside it stands one [`PersonRecord`] for each identity, with what the person's
//! document says.
//!
//! What follows for a name or module is computed at the first question and remembered until one of its facts changes.
//! No Automerge document needs to be loaded to answer anything.
//!
//! Example: Dan's log arrives with a claim of `rose`, which Alice holds. [`ReadModel::refresh`] is given the one name
//! that the new entry concerns, keeps Alice as its holder with Dan among the others, and returns both: whatever displays
//! one of them reads it again.

mod modules;
mod name_proofs;
mod names;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::artifact::Artifact;
use crate::document::{ModuleAnnotations, ProfileFields};
use crate::keys::Did;
use crate::log::EntryId;
use crate::modules::ModuleState;
use crate::modules::ratings::Ratings;
use crate::name::{ClaimedName, FoldedName, ModuleName, NameKind, Username};
use crate::outcome::{Fact, NameKey};
use crate::registry::Registry;
use crate::time::Timestamp;

pub use names::{Availability, ClaimStatus, DatedTenure, NameState, OtherClaim, WhyNot};

/// What one person's document says, as the read model keeps and stores it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonRecord {
    pub did: Did,
    pub profile: ProfileFields,
    /// What this person says of modules.
    pub annotations: ModuleAnnotations,
    /// The changes since the standing checkpoint.
    pub changes: u64,
    /// The bytes of the document's data.
    pub bytes: u64,
    /// When this node last got something of the person.
    pub updated_at: Timestamp,
    /// The data of their newest checkpoint while it is not here: the rest is as it was before.
    #[serde(default)]
    pub missing: Option<Artifact>,
}

/// Everybody.
pub struct ReadModel {
    registry: Registry,
    people: HashMap<Did, PersonRecord>,
    states: HashMap<NameKey, Rc<NameState>>,
    /// The name that each holder goes by, in the order of the names.
    listed: BTreeMap<Username, Did>,
    listed_as: HashMap<Did, Username>,
    /// The usernames that an identity holds.
    usernames: HashMap<Did, BTreeSet<Username>>,
    /// Since when an identity holds a username that witnesses confirmed: the oldest of those that it holds now.
    confirmed_since: HashMap<Did, Timestamp>,
    /// Who holds the name of which module now, in the order of the names.
    modules: BTreeMap<ModuleName, Did>,
    module_states: RefCell<HashMap<FoldedName, Rc<ModuleState>>>,
    ratings: Ratings,
    initials: BTreeMap<String, u64>,
}

/// A page of the directory.
#[derive(Debug)]
pub struct Page<'a> {
    pub people: Vec<(&'a Username, Did)>,
    pub total: usize,
    /// More follow after the last one.
    pub more: bool,
}

impl PersonRecord {
    pub fn new(did: Did) -> Self {
        Self {
            did,
            profile: ProfileFields::default(),
            annotations: ModuleAnnotations::default(),
            changes: 0,
            bytes: 0,
            updated_at: Timestamp::default(),
            missing: None,
        }
    }
}

impl ReadModel {
    /// The read model over a registry, with the people's records of before.
    pub fn new(registry: Registry, records: impl IntoIterator<Item = PersonRecord>) -> Self {
        let mut read_model = Self {
            registry,
            people: HashMap::new(),
            states: HashMap::new(),
            listed: BTreeMap::new(),
            listed_as: HashMap::new(),
            usernames: HashMap::new(),
            confirmed_since: HashMap::new(),
            modules: BTreeMap::new(),
            module_states: RefCell::default(),
            ratings: Ratings::default(),
            initials: BTreeMap::new(),
        };
        records.into_iter().for_each(|record| read_model.put(record));
        let names = read_model.registry.facts().names().cloned().collect();
        read_model.refresh(&names);
        read_model
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Lets the registry be changed. Afterwards [`ReadModel::refresh`] is called with the names that it concerns.
    pub fn registry_mut(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Adds or replaces what a person's document says.
    pub fn put(&mut self, record: PersonRecord) {
        let before = self.people.get(&record.did).map(|before| &before.annotations);
        self.ratings.replace(record.did, before, &record.annotations);
        self.people.insert(record.did, record);
    }

    /// Removes what a person's document said. Returns it.
    pub fn remove(&mut self, did: &Did) -> Option<PersonRecord> {
        let record = self.people.remove(did)?;
        self.ratings.replace(*did, Some(&record.annotations), &ModuleAnnotations::default());
        Some(record)
    }

    /// Settles names again. Returns the people whose name, history or profile may read differently now.
    pub fn refresh(&mut self, names: &BTreeSet<NameKey>) -> BTreeSet<Did> {
        let mut people = BTreeSet::new();
        for name in names {
            self.module_states.get_mut().remove(&name.1);
            let before = self.states.remove(name);
            if let Some(held) = before.as_ref().and_then(|state| state.holder()) {
                self.remove_holder(held);
            }
            let now = NameState::of(&self.registry, name).map(Rc::new);
            people.extend(concerned(before.as_deref(), now.as_deref()));
            if let Some(state) = now {
                if let Some(held) = state.holder() {
                    self.insert_holder(held);
                }
                self.states.insert(name.clone(), state);
            }
        }
        people.iter().for_each(|did| self.list_again(did));
        people
    }

    fn remove_holder(&mut self, dated: &DatedTenure) {
        match &dated.tenure.spelled {
            ClaimedName::Module(name) => drop(self.modules.remove(name)),
            ClaimedName::Username(name) => {
                if let Some(names) = self.usernames.get_mut(&dated.tenure.holder) {
                    names.remove(name);
                }
            }
        }
    }

    fn insert_holder(&mut self, dated: &DatedTenure) {
        match &dated.tenure.spelled {
            ClaimedName::Module(name) => drop(self.modules.insert(name.clone(), dated.tenure.holder)),
            ClaimedName::Username(name) => {
                self.usernames.entry(dated.tenure.holder).or_default().insert(name.clone());
            }
        }
    }

    /// Lists an identity under the username that it goes by now.
    fn list_again(&mut self, did: &Did) {
        if let Some(name) = self.listed_as.remove(did) {
            self.listed.remove(&name);
            let initial = initial(&name);
            if let Some(count) = self.initials.get_mut(&initial) {
                *count -= 1;
                if *count == 0 {
                    self.initials.remove(&initial);
                }
            }
        }
        if let Some(name) = self.newest_username(did) {
            *self.initials.entry(initial(&name)).or_default() += 1;
            self.listed.insert(name.clone(), *did);
            self.listed_as.insert(*did, name);
        }
        match self.oldest_confirmed(did) {
            Some(since) => drop(self.confirmed_since.insert(*did, since)),
            None => drop(self.confirmed_since.remove(did)),
        }
    }

    /// Of the usernames that an identity holds and that witnesses confirmed, since when it holds the first.
    fn oldest_confirmed(&self, did: &Did) -> Option<Timestamp> {
        let states = self.usernames.get(did)?.iter().filter_map(|name| self.state(name));
        let confirmed = states.filter(|state| state.status() == Some(ClaimStatus::Confirmed));
        confirmed.filter_map(|state| state.holder().map(|held| held.since)).min()
    }

    /// Of the usernames that an identity holds, the one that it took last.
    fn newest_username(&self, did: &Did) -> Option<Username> {
        let since = |name: &&Username| self.state(name).and_then(NameState::holder).map(|held| held.since);
        self.usernames.get(did)?.iter().max_by_key(|name| (since(name), (*name).clone())).cloned()
    }

    /// Everybody of whom there is a record, in no order.
    pub fn people(&self) -> impl Iterator<Item = &PersonRecord> {
        self.people.values()
    }

    pub fn person(&self, did: &Did) -> Option<&PersonRecord> {
        self.people.get(did)
    }

    /// The username by which an identity goes: of those it holds, the one that it took last.
    pub fn username_of(&self, did: &Did) -> Option<&Username> {
        self.listed_as.get(did)
    }

    /// Every username that an identity holds, in their order.
    pub fn usernames_of(&self, did: &Did) -> impl Iterator<Item = &Username> {
        self.usernames.get(did).into_iter().flatten()
    }

    /// The state of a username, or `None` if nothing is known of it.
    pub fn state(&self, name: &Username) -> Option<&NameState> {
        self.name_state(&(NameKind::Username, name.folded()))
    }

    /// The state of a name of either kind.
    pub fn name_state(&self, name: &NameKey) -> Option<&NameState> {
        self.states.get(name).map(Rc::as_ref)
    }

    /// The state of the name that an identity goes by.
    pub fn held_name(&self, did: &Did) -> Option<(&Username, &DatedTenure, ClaimStatus)> {
        let name = self.username_of(did)?;
        let state = self.state(name)?;
        Some((name, state.holder()?, state.status()?))
    }

    /// What a claim of `name` by `who` would come to.
    pub fn availability(&self, name: &Username, who: Option<&Did>, now: Timestamp) -> Availability {
        self.state(name).map_or(Availability::Free, |state| state.availability(who, now))
    }

    /// Every username that an identity claimed, in the order of the claims' dates, with the state of the name.
    pub fn claims_of(&self, did: &Did) -> Vec<(EntryId, Username, Timestamp, &NameState)> {
        let mut claims: Vec<(EntryId, Username, Timestamp, &NameState)> = Vec::new();
        for fact in self.registry.facts().by_identity(did).filter(|fact| self.registry.is_kept(fact)) {
            let Some(claim) = fact.claim() else { continue };
            let ClaimedName::Username(name) = &claim.name else { continue };
            claims.extend(self.state(name).map(|state| (fact.id, name.clone(), claim.at, state)));
        }
        claims.sort_by_key(|(id, _, at, _)| (*at, *id));
        claims
    }

    /// How many module names an identity claimed.
    pub fn module_claims_of(&self, did: &Did) -> usize {
        let of_module = |fact: &&Fact| fact.claim().is_some_and(|claim| claim.name.kind() == NameKind::Module);
        self.registry.facts().by_identity(did).filter(of_module).count()
    }

    /// People whose name begins with `prefix`, in the order of their names, after `after`.
    pub fn list(&self, prefix: &str, after: Option<&Username>, limit: usize) -> Page<'_> {
        let matching = self.from(prefix).take_while(|(name, _)| name.as_str().starts_with(prefix));
        let (mut total, mut people, mut more) = (0, Vec::new(), false);
        for (name, did) in matching {
            total += 1;
            if after.is_some_and(|after| name <= after) {
                continue;
            }
            if people.len() < limit {
                people.push((name, *did));
            } else {
                more = true;
            }
        }
        Page { people, total, more }
    }

    fn from<'a>(&'a self, prefix: &str) -> Box<dyn Iterator<Item = (&'a Username, &'a Did)> + 'a> {
        match Username::lower_bound(prefix) {
            Some(bound) => Box::new(self.listed.range((Bound::Included(bound), Bound::Unbounded))),
            None => Box::new(self.listed.iter()),
        }
    }

    /// How many people's names begin with each letter.
    pub fn initials(&self) -> impl Iterator<Item = (&str, u64)> {
        self.initials.iter().map(|(letter, count)| (letter.as_str(), *count))
    }

    /// People who hold a name now.
    pub fn names(&self) -> usize {
        self.listed.len()
    }

    /// Identities known here.
    pub fn identities(&self) -> usize {
        self.registry.identities().count()
    }
}

/// The people for whom a change of a name's state makes a difference: its holders, and the authors of claims that are new,
/// gone, or fail for another reason. Of a thousand claims each is concerned once, and not by each that follows.
fn concerned(before: Option<&NameState>, now: Option<&NameState>) -> BTreeSet<Did> {
    let claims = |state: Option<&NameState>| -> BTreeSet<(EntryId, WhyNot, Did)> {
        let others = state.into_iter().flat_map(|state| state.others.iter().chain(&state.contested));
        others.map(|other| (other.claim, other.why, other.author)).collect()
    };
    let (earlier, later) = (claims(before), claims(now));
    let changed = earlier.symmetric_difference(&later).map(|(_, _, author)| *author);
    let holders = before.into_iter().chain(now).flat_map(|state| &state.tenures).map(|dated| dated.tenure.holder);
    holders.chain(changed).collect()
}

/// The letter under which the directory lists a name.
fn initial(name: &Username) -> String {
    name.as_str().chars().take(1).flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests;
