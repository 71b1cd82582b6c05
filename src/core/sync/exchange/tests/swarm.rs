//! Whole nodes with witnesses among them: people claim, publish and give up while the network is split again and again;
//! each node knows what it met. At the end all have the same, every name has one holder, and no witness contradicted itself.
//!
//! `SWARM_SEEDS=200 SWARM_NODES=60 cargo test --release -p gen-registry-core swarm` runs more and larger ones.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::compare;
use crate::actors::{BEGIN, Device, Person, Replica, module, network, username};
use crate::book::{Book, Noticed};
use crate::log::{Entry, EntryId};
use crate::outcome::{Counts, NameOutcome};
use crate::time::Timestamp;

const NAMES: [&str; 6] = ["rose", "lily", "iris", "aster", "poppy", "daisy"];
const WITNESSES: usize = 3;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// An entry that its author shows to the witnesses until enough have signed it, or one has refused it.
struct Intent {
    entry: Entry,
    is_over: bool,
}

/// A person's node.
struct Author {
    person: Person,
    device: Device,
    intents: Vec<Intent>,
}

struct Swarm {
    random: StdRng,
    now: Timestamp,
    /// The first ones are the witnesses'.
    nodes: Vec<Replica>,
    books: Vec<Book>,
    skews: Vec<i64>,
    authors: BTreeMap<usize, Author>,
    sides: Vec<u8>,
    refused: usize,
}

impl Swarm {
    fn new(seed: u64, count: usize) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let (history, keys) = network(WITNESSES as u8, 2);
        let nodes: Vec<Replica> = (0..count).map(|_| Replica::new(history.clone())).collect();
        let books = keys.iter().map(|key| Book::new(key.clone(), 0, Timestamp::default())).collect();
        let authors = (WITNESSES..count).map(|at| {
            let person = Person::new(history.topic(), at as u8);
            let device = person.device(0, at as u8);
            (at, Author { person, device, intents: Vec::new() })
        });
        let mut swarm = Self {
            skews: (0..WITNESSES).map(|_| random.random_range(-300..=300)).collect(),
            authors: authors.collect(),
            sides: vec![0; count],
            random,
            now: BEGIN,
            nodes,
            books,
            refused: 0,
        };
        for (at, author) in &swarm.authors {
            swarm.nodes[*at].give(&author.device.opening);
        }
        swarm
    }

    fn clock(&self, witness: usize) -> Timestamp {
        let shift = Duration::from_secs(self.skews[witness].unsigned_abs());
        match self.skews[witness] {
            ..0 => Timestamp::from_millis(self.now.as_millis() - shift.as_millis() as u64),
            _ => self.now.plus(shift),
        }
    }

    /// What a person does next, as their own node sees things.
    fn act(&mut self, at: usize) {
        let random = &mut self.random;
        let name = *NAMES.choose(random).expect("there are some");
        let author = self.authors.get_mut(&at).expect("an author");
        let registry = &self.nodes[at].registry;
        let outcome: NameOutcome = registry.name(&username(name));
        let (device, person) = (&mut author.device, &author.person);
        let holds = outcome.holder().filter(|tenure| tenure.holder == person.did).map(|tenure| tenure.claim);
        let entry = match (random.random_range(0..6), outcome.holder()) {
            (0..=2, None) => device.claim(name, outcome.last_end()),
            (3, _) => {
                let crc = registry.name(&module("crc-32"));
                match crc.holder() {
                    Some(tenure) if tenure.holder == person.did => device.release(
                        "crc-32",
                        ["1.0.0", "1.1.0", "2.0.0"].choose(random).expect("some"),
                        tenure.claim,
                    ),
                    Some(_) => return,
                    None => device.claim_module("crc-32"),
                }
            }
            (4, _) => match holds {
                Some(claim) => device.give_up(person, claim, None),
                None => return,
            },
            (5, _) => {
                let Some(claim) = holds else { return };
                let announced =
                    registry.facts().give_ups_of(&claim).find(|fact| registry.counts(fact)).map(|fact| fact.id);
                match announced {
                    Some(announced) => device.finish(person, announced, claim.digest()),
                    None => return,
                }
            }
            _ => return,
        };
        author.intents.push(Intent { entry, is_over: false });
    }

    /// Shows what a person wants to every witness that can be reached, in the order that all use.
    fn ask(&mut self, at: usize) {
        let mut author = self.authors.remove(&at).expect("an author");
        for intent in author.intents.iter_mut().filter(|intent| !intent.is_over) {
            for witness in 0..WITNESSES {
                if self.sides[witness] != self.sides[at] {
                    continue;
                }
                // What the entry builds on comes along: here the witness compares with the asker first.
                self.meet(at, witness);
                let now = self.clock(witness);
                let answer =
                    self.books[witness].ask(&self.nodes[witness].registry, &author.device.opening, &intent.entry, now);
                match answer {
                    Ok(receipt) => drop(self.nodes[at].registry.add_receipt(receipt)),
                    Err(_) => {
                        self.refused += 1;
                        break;
                    }
                }
            }
            // It is announced once a witness has signed it, with its receipts.
            if self.nodes[at].registry.confirmations().receipts_of(&intent.entry.id()).next().is_some() {
                self.nodes[at].give(&intent.entry);
            }
            let history = self.nodes[at].registry.history();
            intent.is_over = self.nodes[at].registry.confirmations().is_confirmed(history, &intent.entry.id());
        }
        self.authors.insert(at, author);
    }

    fn meet(&mut self, one: usize, other: usize) {
        let (low, high) = (one.min(other), one.max(other));
        if low == high || self.sides[low] != self.sides[high] {
            return;
        }
        let (left, right) = self.nodes.split_at_mut(high);
        let traffic = compare(&mut left[low], &mut right[0]);
        assert_eq!(traffic.rejections, []);
        for at in [low, high] {
            self.nodes[at].refresh();
            if at < WITNESSES {
                self.notice(at);
            }
        }
    }

    /// A witness notes since when it knows what waits are counted from.
    fn notice(&mut self, witness: usize) {
        let now = self.clock(witness);
        let noticed: Vec<Noticed> = self.nodes[witness].registry.facts().all().filter_map(Noticed::of).collect();
        noticed.into_iter().for_each(|noticed| self.books[witness].memory_mut().notice(noticed, now));
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.now = self.now.plus(Duration::from_secs(self.random.random_range(1..40)));
            if self.random.random_bool(0.1) {
                let sides = self.random.random_range(1..=3);
                self.sides.iter_mut().for_each(|side| *side = self.random.random_range(0..sides));
            }
            let at = self.random.random_range(WITNESSES..self.nodes.len());
            self.act(at);
            self.ask(at);
            let others: Vec<usize> = (0..self.nodes.len()).collect();
            let pair: Vec<usize> = others.choose_multiple(&mut self.random, 2).copied().collect();
            self.meet(pair[0], pair[1]);
        }
        // All meet again.
        self.sides.fill(0);
        for _ in 0..4 {
            let mut order: Vec<usize> = (0..self.nodes.len()).collect();
            order.shuffle(&mut self.random);
            order.windows(2).for_each(|pair| self.meet(pair[0], pair[1]));
            order.reverse();
            order.windows(2).for_each(|pair| self.meet(pair[0], pair[1]));
        }
    }

    /// Checks that all have the same, and returns how many names are held and how many facts are confirmed.
    fn check(&self, seed: u64) -> (usize, usize) {
        let first = &self.nodes[0].registry;
        for node in &self.nodes[1..] {
            assert_eq!(node.registry.summaries(), first.summaries(), "seed {seed}");
            for name in NAMES {
                assert_eq!(node.registry.name(&username(name)), first.name(&username(name)), "seed {seed}");
            }
            assert_eq!(node.registry.versions(&module("crc-32")), first.versions(&module("crc-32")), "seed {seed}");
        }
        assert_eq!(first.confirmations().contradictions().count(), 0, "seed {seed}");
        let mut taken: BTreeSet<crate::digest::Digest> = BTreeSet::new();
        let confirmed: Vec<EntryId> =
            first.facts().all().filter(|fact| first.counts(fact)).map(|fact| fact.id).collect();
        for id in &confirmed {
            for slot in first.facts().get(id).expect("it is there").slots() {
                assert!(taken.insert(slot.digest()), "seed {seed}: two for {slot:?}");
            }
        }
        let held = NAMES.iter().filter(|name| first.name(&username(name)).holder().is_some()).count();
        (held, confirmed.len())
    }
}

#[test]
fn swarm_with_partitions_agrees_with_its_witnesses() {
    let (seeds, nodes) = (setting("SWARM_SEEDS", 3), setting("SWARM_NODES", 12));
    let (mut held, mut confirmed, mut refused, mut finishes) = (0, 0, 0, 0);
    for seed in 0..seeds as u64 {
        let mut swarm = Swarm::new(seed, nodes);
        swarm.run(8 * nodes);
        let (names, facts) = swarm.check(seed);
        let registry = &swarm.nodes[0].registry;
        finishes += registry.facts().all().filter(|fact| fact.finish().is_some() && registry.counts(fact)).count();
        (held, confirmed, refused) = (held + names, confirmed + facts, refused + swarm.refused);
    }
    println!(
        "seeds 0 to {seeds}, {nodes} nodes: {held} names held, {confirmed} facts confirmed, {refused} refusals, {finishes} ends"
    );
    assert!(held > 0 && confirmed > held && refused > 0, "something happened");
}
