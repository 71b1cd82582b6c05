//! Any order, any split: random logs with forks, revocations and rotations, delivered in random order, in pieces and more
//! than once. Replicas that have the same come to the same, and replicas whose summaries are equal have the same.
//!
//! `ORDER_SEEDS=10000 cargo test --release -p gen-registry-core orders` runs as many cases as it says.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::*;
use crate::network::Genesis;
use crate::outcome::NameOutcome;
use crate::statement::Cut;

const DEFAULT_SEEDS: u64 = 80;
const NAMES: [&str; 3] = ["rose", "lily", "iris"];

/// What can arrive.
#[derive(Clone)]
pub(crate) enum Item {
    Entry(Box<Entry>),
    Receipt(Box<Receipt>),
}

/// What follows for a replica.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) names: Vec<NameOutcome>,
    versions: BTreeMap<semver::Version, VersionOutcome>,
    standings: Vec<Option<Standing>>,
    logs: Vec<(LogId, u64, Option<EntryId>, End)>,
    compromised: Vec<EntryId>,
}

pub(crate) struct Case {
    pub(crate) random: StdRng,
    pub(crate) history: NetworkHistory,
    witnesses: Vec<SecretKey>,
    people: Vec<Person>,
    devices: Vec<(usize, Device)>,
    pub(crate) items: Vec<Item>,
    claims: Vec<EntryId>,
    releases: Vec<EntryId>,
    announced: Vec<(EntryId, EntryId)>,
    finishes: Vec<EntryId>,
}

impl Case {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (history, witnesses) = match random.random_range(0..4) {
            0 => (NetworkHistory::new(Genesis::without_witnesses(1)), vec![]),
            1 => network(3, 2),
            _ => network(1, 1),
        };
        let people: Vec<Person> = (1..=2).map(|seed| Person::new(history.topic(), seed)).collect();
        let mut case = Self {
            random,
            history,
            witnesses,
            people,
            devices: Vec::new(),
            items: Vec::new(),
            claims: Vec::new(),
            releases: Vec::new(),
            announced: Vec::new(),
            finishes: Vec::new(),
        };
        for who in 0..case.people.len() {
            for number in 0..case.random.random_range(1..=3) {
                case.add_device(who, number);
            }
        }
        for _ in 0..case.random.random_range(5..40) {
            case.write();
        }
        case
    }

    fn add_device(&mut self, who: usize, number: u8) {
        // Now and then one key is added twice, or one number.
        let seed = 10 + 10 * who as u8 + self.random.random_range(0..5);
        let device = self.people[who].device(number, seed);
        self.items.push(Item::Entry(Box::new(device.opening.clone())));
        self.devices.push((who, device));
    }

    fn write(&mut self) {
        let at = self.random.random_range(0..self.devices.len());
        let (who, mut device) = self.devices[at].clone();
        let forks = self.random.random_bool(0.1);
        let (devices, random) = (self.devices.clone(), &mut self.random);
        let other = &devices.choose(random).expect("there are some").1;
        let person = &mut self.people[who];
        let some = |ids: &[EntryId], random: &mut StdRng| ids.choose(random).copied();
        let name = NAMES.choose(random).expect("there are some");
        let entry = match random.random_range(0..12) {
            0 => device.claim(name, None),
            1 => device.claim(name, some(&self.finishes, random)),
            2 => device.claim_module("crc-32"),
            3 | 4 => {
                let Some(under) = some(&self.claims, random) else { return };
                device.release("crc-32", ["1.0.0", "2.0.0"].choose(random).expect("two"), under)
            }
            5 => {
                let (Some(release), Some(under)) = (some(&self.releases, random), some(&self.claims, random)) else {
                    return;
                };
                device.mark(release, None, random.random_bool(0.5), under)
            }
            6 => {
                let Some(claim) = some(&self.claims, random) else { return };
                device.give_up(person, claim, None)
            }
            7 => {
                let Some((announced, claim)) = self.announced.choose(random).copied() else { return };
                let finish = device.finish(person, announced, claim.digest());
                self.finishes.push(finish.id());
                finish
            }
            8 => device.write_raw(random.random_range(0..=255), vec![random.random(); 3]),
            9 => {
                let last = Some(other.last_good()).filter(|_| random.random_bool(0.8));
                device.revoke(person, other, last)
            }
            10 => {
                let listed = devices.iter().filter(|(of, _)| *of == who).filter(|_| random.random_bool(0.7));
                let listed: Vec<_> = listed.map(|(_, device)| device.clone()).collect();
                let fates = listed.into_iter().map(|device| {
                    let ends = random.random_bool(0.4);
                    (device.addition, ends.then(|| Cut::new(device.log().opening, [device.last_good()])))
                });
                let list = DeviceList::new(fates.collect::<Vec<_>>());
                let rotate = person.rotate(&list);
                device.carry(rotate, list)
            }
            _ => {
                let number = random.random_range(0..4);
                return self.add_device(who, number);
            }
        };
        match crate::log::Kind::of(entry.header().kind) {
            Some(crate::log::Kind::Claim) => self.claims.push(entry.id()),
            Some(crate::log::Kind::Release) => self.releases.push(entry.id()),
            _ => {}
        }
        if let Ok(crate::log::Body::Statement(signed, _)) = crate::log::Body::of(&self.history.topic(), &entry)
            && let Statement::GiveUp(give_up) = &signed.statement
        {
            self.announced.push((entry.id(), give_up.claim));
        }
        for witness in self.witnesses.clone() {
            if self.random.random_bool(0.6) {
                let slots = vec![*entry.id().digest()];
                let receipt = Receipt::sign(&self.history.topic(), &witness, 0, entry.id(), slots, BEGIN);
                self.items.push(Item::Receipt(Box::new(receipt)));
            }
        }
        self.items.push(Item::Entry(Box::new(entry)));
        // A thief goes on from where the copy was made.
        if !forks {
            self.devices[at].1 = device;
        }
    }

    fn give(&self, registry: &mut Registry, item: &Item) {
        match item {
            Item::Entry(entry) => drop(registry.admit(entry, 0)),
            Item::Receipt(receipt) => drop(registry.add_receipt((**receipt).clone())),
        }
    }

    pub(crate) fn verdict(&self, registry: &Registry) -> Verdict {
        let facts = registry.facts().all().filter(|fact| registry.is_kept(fact));
        let mut compromised: Vec<EntryId> =
            facts.filter(|fact| registry.is_compromised(fact)).map(|fact| fact.id).collect();
        compromised.sort_unstable();
        Verdict {
            names: NAMES
                .iter()
                .map(|name| username(name))
                .chain([module("crc-32")])
                .map(|name| registry.name(&name))
                .collect(),
            versions: registry.versions(&module("crc-32")),
            standings: self.people.iter().map(|person| registry.standing(&person.did)).collect(),
            logs: registry.chains.iter().map(|(log, chain)| (*log, chain.len(), chain.head(), chain.end())).collect(),
            compromised,
        }
    }

    /// Delivers everything in random order, in pieces, until nothing is new. What contested names come to depends on what a
    /// replica knew before, so those are left out by the caller.
    pub(crate) fn deliver(&mut self, seen: &mut Vec<(Vec<State>, Verdict)>) -> Registry {
        let mut registry = Registry::new(self.history.clone());
        let mut items = self.items.clone();
        loop {
            items.shuffle(&mut self.random);
            let piece = self.random.random_range(1..=items.len());
            for item in &items[..piece] {
                self.give(&mut registry, item);
            }
            seen.push((registry.summaries(), self.verdict(&registry)));
            assert_eq!(registry.summaries(), registry.computed_states(), "nothing changes behind its digest");
            if self.random.random_bool(0.2) {
                break;
            }
        }
        self.deliver_again(&mut registry);
        registry
    }

    /// Delivers everything in random order until nothing is new.
    pub(crate) fn deliver_again(&mut self, registry: &mut Registry) {
        let mut items = self.items.clone();
        // Twice without news: a receipt that comes after its entry counts once the entry comes again.
        let mut unchanged = 0;
        while unchanged < 2 {
            let before = state(registry);
            items.shuffle(&mut self.random);
            for item in &items {
                self.give(registry, item);
            }
            unchanged = if state(registry) == before { unchanged + 1 } else { 0 };
        }
    }

    pub(crate) fn dids(&self) -> [Did; 2] {
        [self.people[0].did, self.people[1].did]
    }
}

/// What a replica has, and what it fetches next. A log that is fetched backwards from its end does not get longer with
/// each entry.
fn state(registry: &Registry) -> (Vec<State>, Vec<Option<EntryId>>) {
    (registry.summaries(), registry.chains.values().map(Chain::wanted).collect())
}

fn run(seed: u64) -> usize {
    let mut case = Case::new(seed);
    let mut seen = Vec::new();
    let replicas: Vec<Registry> = (0..3).map(|_| case.deliver(&mut seen)).collect();
    let (summaries, verdict) = (replicas[0].summaries(), case.verdict(&replicas[0]));
    for replica in &replicas[1..] {
        let contested = |verdict: &Verdict| verdict.names.iter().any(|name| !name.contested.is_empty());
        let theirs = case.verdict(replica);
        assert_eq!(replica.summaries(), summaries, "seed {seed}");
        if !contested(&verdict) {
            assert_eq!(theirs, verdict, "seed {seed}");
        }
    }
    for (at, (summaries, verdict)) in seen.iter().enumerate() {
        let same = seen[..at].iter().find(|(others, _)| others == summaries);
        if let Some((_, other)) = same
            && verdict.names.iter().all(|name| name.contested.is_empty())
        {
            assert_eq!(verdict, other, "seed {seed}: equal summaries");
        }
    }
    verdict.logs.len()
}

#[test]
fn every_order_and_every_split_gives_one_registry() {
    let seeds = std::env::var("ORDER_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_SEEDS);
    let logs: usize = (0..seeds).map(run).sum();
    println!("seeds 0 to {seeds}: {logs} logs");
    assert!(logs as u64 > seeds);
}
