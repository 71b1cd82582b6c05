//! Witnesses that come and go: random claims, ends and changes of the set, with clocks that differ, witnesses that know a
//! part, lie, are lost, and retired keys that are stolen. One holder everywhere, and nothing confirmed is ever unconfirmed.
//!
//! `SUCCESSION_SEEDS=10000 cargo test --release -p gen-registry-core successions` runs as many worlds as it says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use crate::actors::{BEGIN, Device, Person, Witness, network, succession_key, username};
use crate::book::{Book, Votes, close};
use crate::keys::SecretKey;
use crate::log::body::Withdrawal;
use crate::log::{Entry, EntryId};
use crate::network::{FactList, NetworkHistory, SetChange, SignedSetChange, WitnessSet};
use crate::outcome::{Counts, NameOutcome};
use crate::receipt::{ProvenPath, Receipt};
use crate::registry::Registry;
use crate::slot::Slot;
use crate::time::Timestamp;

const DEFAULT_SEEDS: u64 = 60;
const NAMES: [&str; 2] = ["rose", "lily"];
const SKEW_SECONDS: i64 = 300;

struct Member {
    witness: Witness,
    key: SecretKey,
    skew: i64,
    /// Signs everything, and shows a part of it at the closing.
    is_liar: bool,
    is_lost: bool,
    lies: Vec<Receipt>,
}

/// An entry that somebody wrote, and whose device did.
#[derive(Clone)]
struct Written {
    by: usize,
    entry: Entry,
    name: &'static str,
}

struct World {
    random: StdRng,
    now: Timestamp,
    members: Vec<Member>,
    people: Vec<(Person, Device)>,
    written: Vec<Written>,
    receipts: Vec<Receipt>,
    paths: Vec<(EntryId, ProvenPath)>,
    changes: Vec<SignedSetChange>,
    history: NetworkHistory,
    /// Everything that anybody knows.
    all: Registry,
    /// What was confirmed at some time.
    confirmed: BTreeSet<EntryId>,
    /// The holders so far, in order.
    holders: BTreeMap<&'static str, Vec<EntryId>>,
    withdrawn: BTreeSet<EntryId>,
    retired: Vec<(u32, SecretKey)>,
}

fn members(history: &NetworkHistory, keys: &[SecretKey], books: Vec<Book>, random: &mut StdRng) -> Vec<Member> {
    let set = history.set();
    let mut order: Vec<usize> = (0..keys.len()).collect();
    order.shuffle(random);
    let liars = random.random_range(0..=set.may_lie());
    let lost = random.random_range(0..=set.may_lose()).min(keys.len() - liars);
    let members = keys.iter().zip(books).enumerate().map(|(at, (key, book))| Member {
        witness: Witness { registry: Registry::new(history.clone()), book },
        key: key.clone(),
        skew: random.random_range(-SKEW_SECONDS..=SKEW_SECONDS),
        is_liar: order[..liars].contains(&at),
        // Who is to be lost is lost at some time before the next change.
        is_lost: order[liars..liars + lost].contains(&at),
        lies: Vec::new(),
    });
    members.collect()
}

impl Member {
    fn clock(&self, now: Timestamp) -> Timestamp {
        let shift = Duration::from_secs(self.skew.unsigned_abs());
        if self.skew < 0 { Timestamp::from_millis(now.as_millis() - shift.as_millis() as u64) } else { now.plus(shift) }
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let witnesses = random.random_range(1..=7);
        let threshold = random.random_range(witnesses / 2 + 1..=witnesses);
        let (history, keys) = network(witnesses, threshold);
        let books = keys.iter().map(|key| Book::new(key.clone(), 0, Timestamp::default())).collect();
        let members = members(&history, &keys, books, &mut random);
        let people = (1..=3).map(|seed| {
            let person = Person::new(history.topic(), seed);
            let device = person.device(0, seed);
            (person, device)
        });
        Self {
            random,
            now: BEGIN,
            members,
            people: people.collect(),
            written: Vec::new(),
            receipts: Vec::new(),
            paths: Vec::new(),
            changes: Vec::new(),
            all: Registry::new(history.clone()),
            history,
            confirmed: BTreeSet::new(),
            holders: BTreeMap::new(),
            withdrawn: BTreeSet::new(),
            retired: Vec::new(),
        }
    }

    fn outcome(&self, name: &str) -> NameOutcome {
        self.all.name(&username(name))
    }

    fn write(&mut self, by: usize, name: &'static str, entry: Entry) -> Written {
        let written = Written { by, entry, name };
        self.written.push(written.clone());
        self.all.admit_alone(&self.people[by].1.opening, &written.entry, vec![], vec![]).expect("a valid entry");
        written
    }

    /// Asks some of the witnesses in some order, as a client that may be cut off at any time.
    fn ask(&mut self, written: &Written) {
        let mut order: Vec<usize> = (0..self.members.len()).collect();
        order.shuffle(&mut self.random);
        let until = self.random.random_range(1..=order.len());
        for at in order.into_iter().take(until) {
            if !self.members[at].is_lost || self.random.random_bool(0.5) {
                self.ask_one(at, written);
            }
        }
    }

    fn ask_one(&mut self, at: usize, written: &Written) -> bool {
        self.show_record(at, written.name);
        let (set, topic) = (self.history.number(), self.history.topic());
        let device = self.people[written.by].1.clone();
        let member = &mut self.members[at];
        let now = member.clock(self.now);
        let receipt = if member.is_liar {
            let fact = self.all.effect(&written.entry).expect("it is known").expect("it says something");
            let slots = fact.slots().iter().map(Slot::digest).collect();
            let receipt = Receipt::sign(&topic, &member.key, set, fact.id, slots, now);
            member.lies.push(receipt.clone());
            receipt
        } else {
            match member.witness.ask(&device, &written.entry, now) {
                Ok(receipt) => receipt,
                Err(_) => return false,
            }
        };
        self.receipts.push(receipt.clone());
        self.all.add_receipt(receipt);
        // It may count by itself now.
        self.all.admit_alone(&device.opening, &written.entry, vec![], vec![]).expect("a valid entry");
        self.spread(written);
        true
    }

    /// What is confirmed reaches about every second witness.
    fn spread(&mut self, written: &Written) {
        let receipts: Vec<Receipt> =
            self.receipts.iter().filter(|receipt| receipt.entry == written.entry.id()).cloned().collect();
        for at in 0..self.members.len() {
            if self.random.random_bool(0.5) {
                let now = self.members[at].clock(self.now);
                let device = &self.people[written.by].1;
                self.members[at].witness.learn_confirmed(device, &written.entry, &receipts, now);
            }
        }
    }

    /// The record of a name: what is confirmed of it comes along with each question about it.
    fn show_record(&mut self, at: usize, name: &str) {
        for written in self.written.iter().filter(|written| written.name == name) {
            let id = written.entry.id();
            if !self.confirmed.contains(&id) && !is_confirmed(&self.all, &id) {
                continue;
            }
            let now = self.members[at].clock(self.now);
            let device = &self.people[written.by].1;
            let receipts: Vec<Receipt> = self.receipts.iter().filter(|receipt| receipt.entry == id).cloned().collect();
            let member = &mut self.members[at];
            for (_, path) in self.paths.iter().filter(|(of, _)| *of == id) {
                member.witness.registry.add_path(id, path.clone());
            }
            member.witness.learn_confirmed(device, &written.entry, &receipts, now);
        }
    }

    fn act(&mut self) {
        self.now = self.now.plus(Duration::from_secs(self.random.random_range(1..30)));
        let name = *NAMES.choose(&mut self.random).expect("there are some");
        let outcome = self.outcome(name);
        let holder = outcome.holder().map(|tenure| (tenure.claim, tenure.holder));
        match (self.random.random_range(0..10), holder) {
            (0..=3, _) => {
                let by = self.random.random_range(0..self.people.len());
                let entry = self.people[by].1.claim(name, outcome.last_end());
                let written = self.write(by, name, entry);
                self.ask(&written);
            }
            (4..=6, _) => {
                let Some(written) = self.written.choose(&mut self.random).cloned() else { return };
                if !self.withdrawn.contains(&written.entry.id()) {
                    self.ask(&written);
                }
            }
            (7, None) => self.settle_votes(name, &outcome),
            (8..=9, Some((claim, did))) => self.end(name, claim, did),
            _ => {}
        }
    }

    /// The holder gives a name up and finishes it as soon as may be, or is cut off in between.
    fn end(&mut self, name: &'static str, claim: EntryId, did: crate::keys::Did) {
        let by = self.people.iter().position(|(person, _)| person.did == did).expect("one of the people");
        let (person, device) = &mut self.people[by];
        let entry = device.give_up(person, claim, None);
        let give_up = self.write(by, name, entry);
        self.ask(&give_up);
        self.now = self.now.plus(Duration::from_secs(self.random.random_range(0..120)));
        let (person, device) = &mut self.people[by];
        let entry = device.finish(person, give_up.entry.id(), claim.digest());
        let finish = self.write(by, name, entry);
        self.ask(&finish);
    }

    /// All claims that wait for the same withdraw, and one of them goes on.
    fn settle_votes(&mut self, name: &'static str, outcome: &NameOutcome) {
        let after = outcome.last_end();
        let claim_of = |world: &Self, id: &EntryId| world.all.facts().get(id).and_then(|fact| fact.claim().cloned());
        let waiting: Vec<EntryId> = outcome
            .others
            .iter()
            .filter(|id| claim_of(self, id).is_some_and(|claim| claim.after == after))
            .copied()
            .collect();
        let round = waiting.iter().filter_map(|id| claim_of(self, id)).map(|claim| claim.round).max();
        let (Some(first), Some(round)) = (waiting.first(), round.filter(|round| *round < 3)) else { return };
        let by = |world: &Self, id: &EntryId| {
            world.written.iter().find(|written| written.entry.id() == *id).expect("somebody wrote it").by
        };
        let mut withdrawals: Vec<Withdrawal> = waiting
            .iter()
            .map(|id| Withdrawal::sign(&self.history.topic(), &self.people[by(self, id)].1.key, *id))
            .collect();
        withdrawals.sort();
        self.withdrawn.extend(&waiting);
        let who = by(self, first);
        let entry = self.people[who].1.claim_again(name, after, round + 1, withdrawals);
        let written = self.write(who, name, entry);
        self.ask(&written);
    }

    /// The set is succeeded: by those whose books are there.
    fn change_set(&mut self) {
        let (topic, set) = (self.history.topic(), self.history.set().clone());
        let number = self.history.number() + 1;
        let mut votes = Votes::default();
        for member in self.members.iter_mut().filter(|member| !member.is_lost) {
            member.witness.book.stop();
            member.witness.book.receipts().for_each(|receipt| votes.add(receipt));
            for written in &self.written {
                let id = written.entry.id();
                let received = member.witness.registry.confirmations().receipts_of(&id);
                received.filter(|receipt| receipt.set + 1 == number).for_each(|receipt| votes.add(receipt));
            }
            for lie in &member.lies {
                if self.random.random_bool(0.5) {
                    votes.add(lie);
                }
            }
        }
        for fact in self.all.facts().all().filter(|fact| has_path(&self.all, &fact.id)) {
            votes.add_settled(fact.id, fact.slots().iter().map(Slot::digest).collect());
        }
        let closed = close(&set, &votes);
        let witnesses = self.random.random_range(1..=7u8);
        let threshold = self.random.random_range(witnesses / 2 + 1..=witnesses);
        let seed = |at: u8| 100 + 8 * number as u8 + at;
        let keys: Vec<SecretKey> = (0..witnesses).map(|at| SecretKey::from_seed(&[seed(at); 32])).collect();
        let succession = (0..witnesses).map(|at| succession_key(number as u8, at).public().digest());
        let change = SetChange {
            number,
            before: self.history.newest(),
            set: WitnessSet::new(keys.iter().map(SecretKey::public), threshold, succession),
            version: 1,
            closing: closed.closing(),
        };
        let signers = (0..set.threshold).map(|at| change.sign(&topic, &succession_key(number as u8 - 1, at))).collect();
        let signed = SignedSetChange::new(&topic, change, signers).expect("a valid change");
        self.history.follow(signed.clone()).expect("the next change");
        self.all.follow(signed.clone()).expect("the next change");
        self.changes.push(signed);
        self.retired.extend(self.members.iter().map(|member| (number - 1, member.key.clone())));
        self.publish_paths(number - 1, &closed.confirmed);
        let parameters = self.history.genesis().parameters.clone();
        let books = keys.iter().map(|key| Book::succeed(key.clone(), number, &closed, &parameters, self.now)).collect();
        self.members = members(&self.history, &keys, books, &mut self.random);
        // A new witness has everything under the roots before it signs.
        for at in 0..self.members.len() {
            NAMES.iter().for_each(|name| self.show_record(at, name));
        }
        self.steal_retired_keys();
        // Whatever has come to count by itself is fetched again where it was not kept.
        for written in &self.written {
            let opening = &self.people[written.by].1.opening;
            self.all.admit_alone(opening, &written.entry, vec![], vec![]).expect("a valid entry");
        }
    }

    fn publish_paths(&mut self, set: u32, list: &FactList) {
        for fact in list.facts() {
            let path = ProvenPath { set, path: list.path(&fact).expect("it is in the list") };
            self.all.add_path(EntryId::from_digest(fact), path.clone());
            self.paths.push((EntryId::from_digest(fact), path));
        }
    }

    /// Every retired key signs what it never signed.
    fn steal_retired_keys(&mut self) {
        let topic = self.history.topic();
        for written in self.written.clone() {
            let Some(Ok(fact)) = self.all.effect(&written.entry) else { continue };
            for (set, key) in self.retired.clone() {
                let slots = fact.slots().iter().map(Slot::digest).collect();
                let receipt = Receipt::sign(&topic, &key, set, fact.id, slots, BEGIN);
                self.receipts.push(receipt.clone());
                self.all.add_receipt(receipt);
            }
        }
    }

    /// Notes what is confirmed by now, and checks that what was confirmed before still is.
    fn check(&mut self, seed: u64) {
        for written in &self.written {
            let id = written.entry.id();
            // Announced: receipts that only the client has are lost with it.
            let is_known =
                |member: &Member| !member.is_lost && !member.is_liar && is_confirmed(&member.witness.registry, &id);
            if self.members.iter().any(is_known) {
                self.confirmed.insert(id);
            }
        }
        for id in &self.confirmed {
            assert!(is_confirmed(&self.all, id), "seed {seed}: {id} was confirmed once");
        }
        for name in NAMES {
            let outcome = self.outcome(name);
            let is_real = |claim: &EntryId| self.confirmed.contains(claim);
            let contested: Vec<_> = outcome.contested.iter().filter(|claim| is_real(claim)).collect();
            assert!(contested.is_empty(), "seed {seed}: {name} is contested");
            let claims: Vec<EntryId> =
                outcome.tenures.iter().map(|tenure| tenure.claim).filter(|claim| is_real(claim)).collect();
            let before = self.holders.entry(name).or_default();
            assert!(claims.starts_with(before), "seed {seed}: {name} was {before:?} and is {claims:?}");
            *before = claims;
        }
    }

    /// Somebody who gets everything in some order.
    fn observe(&mut self) -> Registry {
        let mut registry = Registry::new(NetworkHistory::new(self.history.genesis().clone()));
        let mut followed = 0;
        let mut deliveries: Vec<(u8, usize)> = (0..self.written.len()).map(|at| (0, at)).collect();
        deliveries.extend((0..self.receipts.len()).map(|at| (1, at)));
        // Each of these often enough that they are all taken once their change is.
        for _ in 0..3 {
            deliveries.extend((0..self.paths.len()).map(|at| (2, at)));
            deliveries.extend((0..self.receipts.len()).map(|at| (1, at)));
            deliveries.extend((0..self.changes.len()).map(|at| (3, at)));
        }
        deliveries.shuffle(&mut self.random);
        let last = (0..self.changes.len()).map(|at| (3, at));
        let last = last.chain((0..self.receipts.len()).map(|at| (1, at)));
        let last = last.chain((0..self.paths.len()).map(|at| (2, at))).chain((0..self.written.len()).map(|at| (0, at)));
        for (kind, at) in deliveries.into_iter().chain(last) {
            match kind {
                0 => {
                    let written = &self.written[at];
                    let opening = &self.people[written.by].1.opening;
                    registry.admit_alone(opening, &written.entry, vec![], vec![]).expect("a valid entry");
                }
                1 => drop(registry.add_receipt(self.receipts[at].clone())),
                2 => drop(registry.add_path(self.paths[at].0, self.paths[at].1.clone())),
                _ if at == followed => {
                    registry.follow(self.changes[at].clone()).expect("the next change");
                    followed += 1;
                }
                _ => {}
            }
        }
        registry
    }
}

fn is_confirmed(registry: &Registry, id: &EntryId) -> bool {
    registry.facts().get(id).is_some_and(|fact| Counts::counts(registry, fact))
}

fn has_path(registry: &Registry, id: &EntryId) -> bool {
    registry.confirmations().paths_of(id).next().is_some()
}

fn run(seed: u64) -> (usize, usize) {
    let mut world = World::new(seed);
    for _ in 0..world.random.random_range(1..=3) {
        for _ in 0..world.random.random_range(4..20) {
            world.act();
            world.check(seed);
        }
        world.change_set();
        world.check(seed);
    }
    let real: BTreeMap<&str, Vec<EntryId>> =
        world.holders.iter().map(|(name, claims)| (*name, claims.clone())).collect();
    let confirmed = world.confirmed.clone();
    for _ in 0..2 {
        let observer = world.observe();
        for name in NAMES {
            let outcome = observer.name(&username(name));
            let claims: Vec<EntryId> =
                outcome.tenures.iter().map(|tenure| tenure.claim).filter(|claim| confirmed.contains(claim)).collect();
            assert_eq!(claims, real[name], "seed {seed}: {name}");
            assert_eq!(outcome.tenures, world.outcome(name).tenures, "seed {seed}: {name}");
        }
    }
    (confirmed.len(), real.values().map(Vec::len).sum())
}

#[test]
fn one_holder_everywhere_and_nothing_is_ever_unconfirmed() {
    let seeds = std::env::var("SUCCESSION_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_SEEDS);
    let (mut confirmed, mut holders) = (0, 0);
    for seed in 0..seeds {
        let (facts, tenures) = run(seed);
        confirmed += facts;
        holders += tenures;
    }
    println!("seeds 0 to {seeds}: {confirmed} facts confirmed, {holders} tenures");
    // A model in which nothing happens proves nothing.
    assert!(confirmed as u64 > seeds && holders as u64 > seeds / 2, "{confirmed} facts, {holders} tenures");
}
