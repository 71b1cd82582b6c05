//! The read model: what this node knows about all people, names and modules, in memory, ready for queries. A fold over
//! one [`PersonRecord`] for each person.
//!
//! A record has a few hundred bytes and is stored; no Automerge document needs to be loaded to answer a query. When a
//! record is put, its new facts go into [`Evidence`] and [`Releases`], and only the names they touch are resolved
//! again. So the result depends on the set of records, not on the order of arrival.
//!
//! Example: Dan's record arrives with a claim of `rose`, which Alice holds. [`ReadModel::put`] indexes one new fact,
//! resolves the one name `rose` (two candidates), keeps Alice as its holder with Dan among the losers, and returns
//! both: whatever displays one of them reads it again.

mod modules;
mod name_proofs;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::document::{ModuleAnnotations, ProfileFields};
use crate::fact::{ClaimedName, Fact, SignedFact};
use crate::identity::{Identity, SignatureError, Signed, Topic};
use crate::limits::CLOCK_SKEW;
use crate::modules::ratings::Ratings;
use crate::modules::{ModuleState, Releases};
use crate::name::{FoldedName, ModuleName, NameKind, Username};
use crate::ownership::{Availability, ClaimStatus, Evidence, NameKey, NameState, Rules, Tenure, counts_from};
use crate::time::Timestamp;

/// One person as the read model keeps and stores them.
#[derive(Clone, Debug, PartialEq)]
pub struct PersonRecord {
    pub identity: Identity,
    pub profile: ProfileFields,
    /// What this person says of modules.
    pub shelf: ModuleAnnotations,
    /// Every fact that was ever seen in this person's document: once seen, never unseen.
    pub facts: Vec<SignedFact>,
    /// The document's newest changes.
    pub heads: Vec<Digest>,
    pub changes: u64,
    pub bytes: u64,
    pub updated_at: Timestamp,
    /// The newest change's own date in seconds; none in records from before it was kept.
    pub changed_at: Option<u64>,
    /// This person is proven to have signed two changes for one place: nothing they say counts any more.
    pub forked: bool,
}

/// [`PersonRecord`] in its stored form.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredPerson {
    #[serde(with = "serde_bytes")]
    identity: Vec<u8>,
    profile: ProfileFields,
    #[serde(default)]
    shelf: ModuleAnnotations,
    facts: Vec<serde_bytes::ByteBuf>,
    heads: Vec<Digest>,
    changes: u64,
    bytes: u64,
    updated_at: Timestamp,
    #[serde(default)]
    changed_at: Option<u64>,
    #[serde(default)]
    forked: bool,
}

/// Everybody.
#[derive(Debug, Default)]
pub struct ReadModel {
    people: HashMap<Identity, PersonRecord>,
    evidence: Evidence,
    states: HashMap<NameKey, NameState>,
    /// Who goes by which username now, in the order of the names.
    live: BTreeMap<Username, Identity>,
    names: HashMap<Identity, Username>,
    /// Who holds the name of which module now, in the order of the names.
    modules: BTreeMap<ModuleName, Identity>,
    releases: Releases,
    /// What was worked out of them, until one of a module's facts or the state of its name changes.
    module_states: RefCell<HashMap<FoldedName, Rc<ModuleState>>>,
    opinions: Ratings,
    initials: BTreeMap<String, u64>,
    /// Claims and releases from the future, and when they begin to count.
    held_back: BTreeSet<(Timestamp, Digest)>,
    /// The latest time that was passed in.
    as_of: Timestamp,
}

/// A page of the directory.
#[derive(Debug)]
pub struct Page<'a> {
    pub people: Vec<(&'a Username, &'a PersonRecord)>,
    pub total: usize,
    /// More follow after the last one.
    pub more: bool,
}

/// 2025: there was no registry before, so a clock that says an earlier date was set back.
const CLOCK_EARLIEST: Timestamp = Timestamp::from_millis(1_735_689_600_000);

impl PersonRecord {
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            profile: ProfileFields::default(),
            shelf: ModuleAnnotations::default(),
            facts: Vec::new(),
            heads: Vec::new(),
            changes: 0,
            bytes: 0,
            updated_at: Timestamp::default(),
            changed_at: None,
            forked: false,
        }
    }

    pub fn to_stored(&self) -> StoredPerson {
        StoredPerson {
            identity: self.identity.as_bytes().to_vec(),
            profile: self.profile.clone(),
            shelf: self.shelf.clone(),
            facts: self.facts.iter().map(|fact| fact.encode().into()).collect(),
            heads: self.heads.clone(),
            changes: self.changes,
            bytes: self.bytes,
            updated_at: self.updated_at,
            changed_at: self.changed_at,
            forked: self.forked,
        }
    }

    /// Reads a record that this node wrote; its facts were verified then.
    pub fn from_stored(stored: StoredPerson, topic: &Topic) -> Result<Self, SignatureError> {
        let identity = stored.identity.as_slice().try_into().map_err(|_| SignatureError::NotCanonical)?;
        let facts =
            stored.facts.iter().map(|bytes| Signed::decode_unverified(bytes, topic)).collect::<Result<_, _>>()?;
        Ok(Self {
            identity: Identity::from_trusted(identity),
            profile: stored.profile,
            shelf: stored.shelf,
            facts,
            heads: stored.heads,
            changes: stored.changes,
            bytes: stored.bytes,
            updated_at: stored.updated_at,
            changed_at: stored.changed_at,
            forked: stored.forked,
        })
    }

    /// Returns the date of the newest own claim or release, of those whose date can be believed: dated at most
    /// [`CLOCK_SKEW`] after `clock`, or with a receipt of a witness, which signs nothing that its own clock takes for the
    /// future. What was dated while this device's clock was years ahead moves nothing else there. A clock that says that
    /// there is no registry yet was set back itself, and every date is believed.
    pub fn newest_claim(&self, clock: Timestamp, rules: &Rules) -> Option<Timestamp> {
        let witnessed: BTreeSet<Digest> = self.facts.iter().filter_map(|fact| receipted(fact, rules)).collect();
        let own = self.facts.iter().filter(|fact| fact.author() == self.identity);
        let dated = own.filter_map(|fact| match fact.statement() {
            Fact::NameClaim(claim) => Some((claim.claimed_at, fact.hash())),
            Fact::Release(release) => Some((release.published_at, fact.hash())),
            _ => None,
        });
        let is_believed = |at: Timestamp, hash: &Digest| {
            clock < CLOCK_EARLIEST || at <= clock.plus(CLOCK_SKEW) || witnessed.contains(hash)
        };
        dated.filter(|(at, hash)| is_believed(*at, hash)).map(|(at, _)| at).max()
    }

    /// Adds facts that are not here yet.
    pub fn add_facts(&mut self, facts: impl IntoIterator<Item = SignedFact>) {
        let known: BTreeSet<Digest> = self.facts.iter().map(SignedFact::hash).collect();
        self.facts.extend(facts.into_iter().filter(|fact| !known.contains(&fact.hash())));
    }
}

/// Returns the fact that a receipt of one of the network's witnesses is about.
fn receipted(fact: &SignedFact, rules: &Rules) -> Option<Digest> {
    match fact.statement() {
        Fact::Receipt(receipt) if rules.witnesses.contains(&fact.author()) => Some(receipt.fact),
        _ => None,
    }
}

impl ReadModel {
    pub fn new(rules: Rules) -> Self {
        Self { evidence: Evidence::new(rules), ..Self::default() }
    }

    /// Adds or replaces a person and settles every name that this touches. Returns the people whose name, history or
    /// profile may read differently now.
    pub fn put(&mut self, record: PersonRecord, now: Timestamp) -> BTreeSet<Identity> {
        let touched = self.index_facts(&record, now);
        let identity = record.identity;
        self.people.insert(identity, record);
        let mut people = self.resolve_names(&touched, now);
        people.insert(identity);
        people
    }

    /// Adds many people at once: as [`ReadModel::put`] for each, but every name is settled only once.
    pub fn put_all(&mut self, records: impl IntoIterator<Item = PersonRecord>, now: Timestamp) {
        let mut touched = BTreeSet::new();
        for record in records {
            touched.extend(self.index_facts(&record, now));
            self.people.insert(record.identity, record);
        }
        self.resolve_names(&touched, now);
    }

    /// Adds what a person says to the evidence.
    fn index_facts(&mut self, record: &PersonRecord, now: Timestamp) -> BTreeSet<NameKey> {
        self.as_of = self.as_of.max(now);
        let mut touched = BTreeSet::new();
        // Facts are only ever added, at the end; what was weighed before says nothing new.
        let before = self.people.get(&record.identity).map_or(&[][..], |before| &before.facts);
        let weighed = before.iter().zip(&record.facts).take_while(|(old, new)| old.hash() == new.hash()).count();
        for fact in &record.facts[weighed..] {
            touched.extend(self.evidence.add(fact));
            if let Fact::Release(release) = fact.statement()
                && counts_from(release.published_at) > now
            {
                self.held_back.insert((counts_from(release.published_at), fact.hash()));
            }
            let module = self.releases.add(fact).or_else(|| self.releases.module_of(fact));
            if let Some(module) = module {
                self.module_states.get_mut().remove(&module);
            }
        }
        self.opinions.replace(
            record.identity,
            self.people.get(&record.identity).map(|before| &before.shelf),
            &record.shelf,
        );
        if record.forked {
            touched.extend(self.evidence.discredit(record.identity));
        }
        touched
    }

    /// Everybody, in no order.
    pub fn people(&self) -> impl Iterator<Item = &PersonRecord> {
        self.people.values()
    }

    /// Lets claims and releases count whose date has come. Returns their authors and all people affected.
    pub fn advance(&mut self, now: Timestamp) -> BTreeSet<Identity> {
        self.as_of = self.as_of.max(now);
        let later =
            self.held_back.split_off(&(now.plus(std::time::Duration::from_millis(1)), Digest::from_bytes([0; 32])));
        let due = std::mem::replace(&mut self.held_back, later);
        let touched = due.iter().flat_map(|(_, claim)| self.evidence.names_touched_by(claim)).collect();
        let mut people = self.resolve_names(&touched, now);
        for (_, fact) in &due {
            if let Some((author, release)) = self.releases.release(fact) {
                self.module_states.get_mut().remove(&release.module.folded());
                people.insert(*author);
            }
        }
        people
    }

    /// The earliest time at which [`ReadModel::advance`] has something to do.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.held_back.first().map(|(at, _)| *at)
    }

    fn resolve_names(&mut self, touched: &BTreeSet<NameKey>, now: Timestamp) -> BTreeSet<Identity> {
        let mut people = BTreeSet::new();
        let resolved: Vec<(NameKey, NameState)> =
            touched.iter().map(|key| (key.clone(), self.evidence.resolve(key, now))).collect();
        // First take down every old name, then put up the new ones: two people may have changed places.
        for (key, state) in &resolved {
            if let Some(old) = self.states.get(key).and_then(NameState::holder).cloned() {
                self.remove_holder(&old);
                people.insert(old.holder);
            }
            people.extend(state.losers.iter().map(|loser| loser.author));
            people.extend(state.tenures.iter().map(|tenure| tenure.holder));
            self.held_back.extend(state.held_back.iter().map(|(claim, from)| (*from, *claim)));
        }
        for (key, state) in resolved {
            self.module_states.get_mut().remove(&key.1);
            if let Some(tenure) = state.holder() {
                self.insert_holder(tenure);
            }
            // A name of which nothing is left (its claims were a fork's) is as one without claims: not every node receives
            // the claims, and all must show the same.
            if state.is_empty() {
                self.states.remove(&key);
            } else {
                self.states.insert(key, state);
            }
        }
        people
    }

    fn remove_holder(&mut self, tenure: &Tenure) {
        let name = match &tenure.spelled {
            ClaimedName::Username(name) => name,
            ClaimedName::Module(name) => {
                self.modules.remove(name);
                return;
            }
        };
        if self.live.remove(name).is_some() {
            let initial = initial(name);
            if let Some(count) = self.initials.get_mut(&initial) {
                *count -= 1;
                if *count == 0 {
                    self.initials.remove(&initial);
                }
            }
        }
        if self.names.get(&tenure.holder) == Some(name) {
            self.names.remove(&tenure.holder);
        }
    }

    fn insert_holder(&mut self, tenure: &Tenure) {
        let name = match &tenure.spelled {
            ClaimedName::Username(name) => name,
            ClaimedName::Module(name) => {
                self.modules.insert(name.clone(), tenure.holder);
                return;
            }
        };
        if self.live.insert(name.clone(), tenure.holder).is_none() {
            *self.initials.entry(initial(name)).or_default() += 1;
        }
        self.names.insert(tenure.holder, name.clone());
    }

    pub fn person(&self, identity: &Identity) -> Option<&PersonRecord> {
        self.people.get(identity)
    }

    /// The username this identity holds now.
    pub fn username_of(&self, identity: &Identity) -> Option<&Username> {
        self.names.get(identity)
    }

    /// The state of a username, or `None` if it has no claims that count.
    pub fn state(&self, name: &Username) -> Option<&NameState> {
        self.states.get(&(NameKind::Username, name.folded()))
    }

    /// The state of the name that this identity holds.
    pub fn held_name(&self, identity: &Identity) -> Option<(&Username, &Tenure, ClaimStatus)> {
        let name = self.username_of(identity)?;
        let state = self.state(name)?;
        Some((name, state.holder()?, state.status()?))
    }

    /// What a claim of `name` by `who` would come to.
    pub fn availability(&self, name: &Username, who: Option<&Identity>, now: Timestamp) -> Availability {
        self.state(name).map_or(Availability::Free, |state| state.availability(who, now))
    }

    /// Every username that an identity ever claimed, in its own order, with the state of the name.
    pub fn claims_of(&self, identity: &Identity) -> Vec<(Digest, &Username, Timestamp, &NameState)> {
        let claims = self.evidence.usernames_of(identity);
        claims.filter_map(|(hash, name, at)| Some((hash, name, at, self.state(name)?))).collect()
    }

    /// How many module names an identity ever claimed.
    pub fn module_claims_of(&self, identity: &Identity) -> usize {
        self.evidence.module_claims_of(identity)
    }

    /// The hash of the claim by which an identity holds its present name.
    pub fn live_claim(&self, identity: &Identity) -> Option<Digest> {
        self.held_name(identity).map(|(_, tenure, _)| tenure.claim)
    }

    /// People whose name begins with `prefix`, in the order of their names, after `after`.
    pub fn list(&self, prefix: &str, after: Option<&Username>, limit: usize) -> Page<'_> {
        let matching = self.from(prefix).take_while(|(name, _)| name.as_str().starts_with(prefix));
        let mut total = 0;
        let mut people = Vec::new();
        let mut more = false;
        for (name, identity) in matching {
            total += 1;
            if after.is_some_and(|after| name <= after) {
                continue;
            }
            match self.people.get(identity) {
                Some(person) if people.len() < limit => people.push((name, person)),
                _ => more = true,
            }
        }
        Page { people, total, more }
    }

    fn from<'a>(&'a self, prefix: &str) -> Box<dyn Iterator<Item = (&'a Username, &'a Identity)> + 'a> {
        match Username::lower_bound(prefix) {
            Some(bound) => Box::new(self.live.range((Bound::Included(bound), Bound::Unbounded))),
            None => Box::new(self.live.iter()),
        }
    }

    /// How many people's names begin with each letter.
    pub fn initials(&self) -> impl Iterator<Item = (&str, u64)> {
        self.initials.iter().map(|(letter, count)| (letter.as_str(), *count))
    }

    /// Names that somebody holds now.
    pub fn names(&self) -> usize {
        self.live.len()
    }

    /// Registries known here.
    pub fn registries(&self) -> usize {
        self.people.len()
    }
}

/// The letter under which the directory lists a name.
fn initial(name: &Username) -> String {
    name.as_str().chars().take(1).flat_map(char::to_uppercase).collect()
}
