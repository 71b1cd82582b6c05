//! From changes to the read model, to what observers and listeners are told of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::people::answers;
use crate::registry::Registry;
use crate::registry::diff::{RecordDiff, modules_touched, newly_advised};
use gen_registry_api::*;
use gen_registry_core::keys::Did;
use gen_registry_core::log::EntryId;
use gen_registry_core::name::{ModuleName, NameKind, Username};
use gen_registry_core::outcome::NameKey;
use gen_registry_core::read_model::{PersonRecord, ReadModel, WhyNot};

/// What changed in the registry, and is stored.
#[derive(Default)]
pub(crate) struct Changed {
    /// Names that the new entries, receipts and ends concern.
    pub(crate) names: BTreeSet<NameKey>,
    /// People's records as they are now.
    pub(crate) records: Vec<PersonRecord>,
    /// Facts that were not known before, or count since now, by identity.
    pub(crate) facts: BTreeMap<Did, BTreeSet<EntryId>>,
    /// Everybody of whom something is new.
    pub(crate) people: BTreeSet<Did>,
    /// Who was evicted.
    pub(crate) gone: Vec<Did>,
}

impl Registry {
    /// Settles what changed, and notifies observers and listeners of everything that differs now.
    pub(crate) fn update(&self, changed: Changed) {
        let own = self.keys.identity();
        let before = self.own_username();
        let Changed { names, records, facts, mut people, gone } = changed;
        let mut modules: BTreeSet<ModuleName> = BTreeSet::new();
        let mut diffs: BTreeMap<Did, RecordDiff> = BTreeMap::new();
        let diff = |person: Did| RecordDiff { person, facts: Vec::new(), advised: Vec::new() };
        for (did, facts) in facts {
            diffs.entry(did).or_insert_with(|| diff(did)).facts.extend(facts);
        }
        for record in records {
            let mut read_model = self.read_model.borrow_mut();
            let known = read_model.person(&record.did);
            modules.extend(modules_touched(known, &record));
            let advised = newly_advised(known, &record);
            if !advised.is_empty() {
                diffs.entry(record.did).or_insert_with(|| diff(record.did)).advised = advised;
            }
            people.insert(record.did);
            read_model.put(record);
        }
        for did in gone {
            let removed = self.read_model.borrow_mut().remove(&did);
            modules.extend(removed.iter().flat_map(|before| modules_touched(Some(before), &PersonRecord::new(did))));
            people.insert(did);
        }
        let rivals = rivals_of(&self.read_model(), &names);
        let named = self.read_model.borrow_mut().refresh(&names);
        modules.extend(self.modules_with_opinions_of(&named));
        people.extend(named);
        let new_rivals = rivals_of(&self.read_model(), &names).into_iter().filter(|rival| !rivals.contains(rival));
        let contended: BTreeSet<Username> = new_rivals.map(|(name, _)| name).collect();
        modules.extend(names.iter().filter_map(|name| self.module_of(name)));
        contended.iter().for_each(|name| self.emit_conflict(name));
        let observers = self.observers();
        observers.iter().for_each(|observer| observer.states_changed(&names));
        observers.iter().for_each(|observer| observer.names_changed(&modules, &people));
        if !modules.is_empty() {
            let names = modules.iter().map(ToString::to_string).collect();
            self.context.emit(&Event::ModulesChanged { names });
        }
        self.emit_changes(people, before, own);
        let mut diffs: Vec<RecordDiff> = diffs.into_values().collect();
        diffs.iter_mut().for_each(|diff| self.sort_facts(&mut diff.facts));
        if !diffs.is_empty() {
            observers.iter().for_each(|observer| observer.records_changed(&diffs));
        }
    }

    /// Returns the modules that people rated or installed: whether that counts depends on their names.
    pub(crate) fn modules_with_opinions_of<'a>(&self, people: impl IntoIterator<Item = &'a Did>) -> Vec<ModuleName> {
        let read_model = self.read_model();
        let said = people.into_iter().filter_map(|did| read_model.person(did));
        said.flat_map(|person| person.annotations.ratings.keys().chain(person.annotations.installs.keys()).cloned())
            .collect()
    }

    /// Puts facts into the order in which they were written, as far as they are of one log.
    fn sort_facts(&self, facts: &mut [EntryId]) {
        let read_model = self.read_model();
        let known = read_model.registry().facts();
        facts.sort_by_key(|entry| known.get(entry).map(|fact| (fact.log, fact.seq)));
    }

    /// The module of a name as it is spelled.
    fn module_of(&self, name: &NameKey) -> Option<ModuleName> {
        if name.0 != NameKind::Module {
            return None;
        }
        name.1.as_str().parse().ok().map(|name: ModuleName| self.read_model().spelled(&name))
    }

    fn own_username(&self) -> Option<Username> {
        let own = self.keys.identity()?;
        self.read_model().username_of(&own).cloned()
    }

    fn emit_conflict(&self, name: &Username) {
        let report = answers::look_up(&self.read_model(), self.keys.identity(), name);
        let holder = report.holder.map(|holder| holder.person.did);
        let losers: BTreeSet<String> = report.losers.into_iter().map(|loser| loser.did).collect();
        let losers = losers.into_iter().collect();
        self.context.emit(&Event::Conflict { name: name.to_string(), holder, losers });
    }

    /// Emits what changed for these people. `before` is the name this profile went by until now.
    fn emit_changes(&self, mut people: BTreeSet<Did>, before: Option<Username>, own: Option<Did>) {
        if own.is_some_and(|own| people.remove(&own)) {
            self.context.emit(&Event::MeChanged);
        }
        let gone = before.filter(|before| self.own_username().as_ref() != Some(before));
        let lost = gone.zip(own).and_then(|(name, own)| answers::lost_name(&self.read_model(), &own, &name));
        if let Some(lost) = lost {
            self.context.emit(&Event::NameLost { lost });
        }
        let mut dids: Vec<String> = people.iter().map(Did::to_string).collect();
        dids.extend(own.map(|own| own.to_string()));
        self.context.emit(&Event::PeopleChanged { dids });
    }
}

/// The claims of usernames that another identity holds.
fn rivals_of(read_model: &ReadModel, names: &BTreeSet<NameKey>) -> BTreeSet<(Username, EntryId)> {
    let usernames = names.iter().filter(|name| name.0 == NameKind::Username);
    let states = usernames.filter_map(|name| read_model.name_state(name));
    let rivals = states.flat_map(|state| {
        let holder = state.holder().map(|held| (held.tenure.holder, held.tenure.spelled.clone()));
        let others = state.others.iter().chain(&state.contested);
        others.filter_map(move |other| {
            let (holder, spelled) = holder.as_ref()?;
            let gen_registry_core::name::ClaimedName::Username(name) = spelled else { return None };
            let is_rival = other.author != *holder && other.why != WhyNot::Pending;
            is_rival.then(|| (name.clone(), other.claim))
        })
    });
    rivals.collect()
}
