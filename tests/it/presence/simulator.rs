//! A thousand nodes that come and go, on the simulated network, with the real presence machine in each: how soon everybody
//! knows, and what it costs. Each node pushes what is news to as many others as gossip's mesh has.
//!
//! `make simulate-presence NODES=1000 MINUTES=6` for the long run; `SEED=7` repeats one.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use gen_registry_core::actors::Device;
use gen_registry_core::digest::Digest;
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{Did, SecretKey};
use gen_registry_core::presence::{Attendance, Event, Input, NodeId, Output, Presence, pace};
use gen_registry_core::random::Random;
use gen_registry_core::sync::chat::{ChatFrame, pages};
use gen_registry_core::time::Timestamp;

use crate::support::simulator::{Delivery, Faults, NodeId as Number, SimulatedNetwork};

const TOPIC: Topic = Topic::from_bytes([7; 32]);

const BEGINNING: u64 = 1_800_000_000_000;
/// Links that each node makes; about twice as many stand, as many as gossip's mesh has.
const LINKS: usize = 3;
const TICK_MILLIS: u64 = 1_000;
/// Clocks differ by at most this, either way.
const CLOCKS_APART_MILLIS: u64 = 60_000;
/// Everybody comes within this time; what is measured begins after twice that.
const ARRIVAL_MILLIS: u64 = 60_000;
/// Up to so many nodes a run goes on until the last who were cut off are gone everywhere.
const SETTLING_MAX: usize = 1_000;
/// Of 1,000 nodes, those that go in a minute; as many come.
const CHURN_PER_MINUTE: u64 = 100;

struct Member {
    presence: Presence,
    user: Did,
    key: SecretKey,
    offset: u64,
    /// When this run of it began.
    since: u64,
    /// What gossip has brought already: it comes once, however many bring it.
    seen: HashSet<Digest>,
}

/// What was measured, in milliseconds, each list sorted at the end.
#[derive(Default)]
struct Figures {
    /// From somebody's coming to each other node's knowing it.
    online: Vec<u64>,
    /// From a goodbye to each other node's knowing it.
    goodbye: Vec<u64>,
    /// From a sudden end to each other node's knowing it.
    silent: Vec<u64>,
    /// From a node's coming to its knowing 99 of 100 who are there.
    late: Vec<u64>,
    /// Taken for gone and yet there.
    wronged: u64,
    /// Somebody went, and was never missed by somebody who knew them.
    never: u64,
}

struct Simulation {
    network: SimulatedNetwork,
    random: Random,
    members: Vec<Option<Member>>,
    runs: u64,
    /// When each person came or went last, and whether with a goodbye.
    came: BTreeMap<Did, u64>,
    went: BTreeMap<Did, (u64, bool)>,
    learning: BTreeMap<Number, u64>,
    figures: Figures,
    measuring: bool,
}

/// The key of the node in that run, counted over all.
fn node_key(run: u64) -> SecretKey {
    SecretKey::from_seed(Digest::of(format!("node {run}").as_bytes()).as_bytes())
}

impl Simulation {
    fn new(seed: u64, nodes: usize) -> Self {
        let faults = Faults { latency_millis: 20..150, lost: 20, doubled: 20, late: 20, cut: 0 };
        Self {
            network: SimulatedNetwork::new(seed, nodes, faults),
            random: Random::new(seed),
            members: (0..nodes).map(|_| None).collect(),
            runs: 0,
            came: BTreeMap::new(),
            went: BTreeMap::new(),
            learning: BTreeMap::new(),
            figures: Figures::default(),
            measuring: false,
        }
    }

    fn clock(&self, offset: u64) -> Timestamp {
        Timestamp::from_millis(BEGINNING + self.network.now() + offset)
    }

    fn live(&self) -> usize {
        self.members.iter().flatten().count()
    }

    fn come(&mut self, number: Number) {
        self.runs += 1;
        let (key, user) = (node_key(self.runs), Device::of(TOPIC, &format!("person {}", self.runs)));
        let offset = self.random.below(2 * CLOCKS_APART_MILLIS);
        let now = self.clock(offset);
        let presence = Presence::new(TOPIC, key.clone(), now);
        let since = self.network.now();
        let member = Member { presence, user: user.did, key, offset, since, seen: HashSet::new() };
        let node = NodeId::from(member.key.public());
        let until = now.plus(Duration::from_secs(86_400));
        let attendance = Box::new(user.author(Attendance { node, until }));
        self.came.insert(user.did, self.network.now());
        self.members[number] = Some(member);
        self.link(number);
        if self.measuring {
            self.learning.insert(number, self.network.now());
        }
        self.feed(number, Input::RegisterUser { attendance, channels: BTreeSet::new() }, None);
        let first = self.random.below(TICK_MILLIS);
        self.network.wake(number, first, self.runs);
    }

    fn link(&mut self, number: Number) {
        let there: Vec<Number> =
            (0..self.members.len()).filter(|n| *n != number && self.members[*n].is_some()).collect();
        while self.network.peers(number).len() < LINKS.min(there.len()) {
            let Some(other) = self.random.pick(&there).copied() else { return };
            self.network.dial(number, other);
        }
    }

    fn go(&mut self, number: Number, goodbye: bool) {
        if goodbye {
            self.feed(number, Input::UnregisterUser, None);
        }
        let Some(member) = self.members[number].take() else { return };
        self.went.insert(member.user, (self.network.now(), goodbye));
        self.learning.remove(&number);
        for peer in self.network.peers(number) {
            self.network.cut(number, peer);
        }
    }

    fn feed(&mut self, number: Number, input: Input, from: Option<Number>) {
        let Some(member) = &mut self.members[number] else { return };
        let now = Timestamp::from_millis(BEGINNING + self.network.now() + member.offset);
        if let Input::Heard(bytes) = &input
            && !member.seen.insert(Digest::of(bytes))
        {
            return;
        }
        let heard = if let Input::Heard(bytes) = &input { bytes.clone() } else { Vec::new() };
        let outputs = member.presence.handle(input, now).unwrap_or_default();
        for output in outputs {
            match output {
                Output::Say(bytes) => self.push(number, &bytes, None),
                Output::PassOn => self.push(number, &heard, from),
                Output::Event(event) => self.note(number, &event),
            }
        }
    }

    fn push(&mut self, number: Number, bytes: &[u8], but: Option<Number>) {
        for peer in self.network.peers(number) {
            if Some(peer) != but {
                self.network.gossip(number, peer, bytes);
            }
        }
    }

    fn note(&mut self, number: Number, event: &Event) {
        let now = self.network.now();
        let Some(observer) = &self.members[number] else { return };
        if !self.measuring {
            return;
        }
        match event {
            Event::UserOnline { user, .. } if *user != observer.user => {
                // Who came later than they did has it from the picture it was given.
                let came = self.came.get(user).copied().filter(|came| *came > observer.since);
                self.figures.online.extend(came.map(|came| now - came));
            }
            Event::NodeDown { user, silent, .. } if *user != observer.user => match self.went.get(user) {
                Some((went, true)) if *went > observer.since => self.figures.goodbye.push(now - went),
                Some((went, false)) if *went > observer.since => self.figures.silent.push(now - went),
                Some(_) => {}
                None => self.figures.wronged += u64::from(*silent),
            },
            _ => {}
        }
    }

    fn handle(&mut self, number: Number, delivery: Delivery) {
        match delivery {
            Delivery::Opened { peer, .. } => {
                let have = self.members[number].as_ref().map(|member| member.presence.have());
                if let Some(have) = have {
                    self.network.send(number, peer, ChatFrame::WhoIsHere { have }.encode());
                }
            }
            Delivery::Stream { peer, bytes, .. } => match ChatFrame::decode(&bytes) {
                Ok(ChatFrame::WhoIsHere { have }) => {
                    let Some(member) = &self.members[number] else { return };
                    let now = self.clock(member.offset);
                    let told = member.presence.sightings(&have.into_iter().collect(), now);
                    let entries = told.into_iter().map(|sighting| (sighting.age, sighting.bytes));
                    for page in pages(entries, |(_, bytes)| bytes.len()) {
                        self.network.send(number, peer, ChatFrame::Here(page).encode());
                    }
                }
                Ok(ChatFrame::Here(entries)) => {
                    for (age, bytes) in entries {
                        self.feed(number, Input::Told { bytes, age }, None);
                    }
                    self.has_learned(number);
                }
                other => panic!("{other:?}"),
            },
            Delivery::Gossip { peer, bytes } => self.feed(number, Input::Heard(bytes), Some(peer)),
            Delivery::Cut { .. } => {}
            Delivery::Timer(run) => {
                let mine = node_key(run).public();
                if self.members[number].as_ref().is_none_or(|member| member.key.public() != mine) {
                    return;
                }
                self.feed(number, Input::Tick, None);
                self.link(number);
                self.has_learned(number);
                self.network.wake(number, TICK_MILLIS, run);
            }
        }
    }

    fn has_learned(&mut self, number: Number) {
        let (Some(since), Some(member)) = (self.learning.get(&number), &self.members[number]) else { return };
        if member.presence.live() * 100 >= self.live() * 99 {
            self.figures.late.push(self.network.now() - since);
            self.learning.remove(&number);
        }
    }

    fn run_until(&mut self, until: u64) {
        while let Some((number, delivery)) = self.network.advance(until) {
            self.handle(number, delivery);
        }
    }
}

fn quantile(sorted: &[u64], of_thousand: usize) -> u64 {
    sorted.get((sorted.len().saturating_sub(1)) * of_thousand / 1_000).copied().unwrap_or_default()
}

fn simulate(seed: u64, nodes: usize, minutes: u64) -> Figures {
    println!("SEED={seed}");
    let started = tokio::time::Instant::now();
    let mut simulation = Simulation::new(seed, nodes);
    for number in 0..nodes {
        let until = ARRIVAL_MILLIS * number as u64 / nodes as u64;
        simulation.run_until(until);
        simulation.come(number);
    }
    simulation.run_until(2 * ARRIVAL_MILLIS);
    let before = simulation.network.traffic().iter().fold((0, 0), |sum, t| (sum.0 + t.messages, sum.1 + t.bytes));
    simulation.measuring = true;
    let begin = simulation.network.now();
    let each = 60_000 * 1_000 / (CHURN_PER_MINUTE * nodes as u64);
    let mut until = begin;
    while until < begin + minutes * 60_000 {
        until += each;
        simulation.run_until(until);
        let number = simulation.random.below(nodes as u64) as Number;
        let goodbye = simulation.random.chance(500);
        simulation.go(number, goodbye);
        simulation.come(number);
    }
    // No one comes or goes any more: in the end all see the same. With many nodes that end is far away.
    // Those who were cut off count among the living until they are missed, so some say a longer time than the number of
    // nodes asks for.
    let settle = pace::VALID_MAX.as_millis() as u64 + 10_000;
    let settles = nodes <= SETTLING_MAX;
    let after = simulation.network.traffic().iter().fold((0, 0), |sum, t| (sum.0 + t.messages, sum.1 + t.bytes));
    simulation.run_until(until + if settles { settle } else { 0 });
    let truth: BTreeSet<Did> = simulation.members.iter().flatten().map(|member| member.user).collect();
    for member in simulation.members.iter().flatten().filter(|_| settles) {
        let seen: BTreeSet<Did> = member.presence.users().into_iter().map(|user| user.user).collect();
        simulation.figures.never += seen.symmetric_difference(&truth).count() as u64;
    }
    let mut figures = simulation.figures;
    for list in [&mut figures.online, &mut figures.goodbye, &mut figures.silent, &mut figures.late] {
        list.sort_unstable();
    }
    let per = |total: u64| total / (nodes as u64 * minutes);
    println!(
        "{nodes} nodes, {minutes} minutes, {} of 1,000 go and come each minute; interval {:?}, valid {:?}; took {:?}",
        CHURN_PER_MINUTE,
        pace::interval(nodes),
        pace::valid_for(pace::interval(nodes)),
        started.elapsed(),
    );
    println!("per node and minute: {} messages, {} bytes", per(after.0 - before.0), per(after.1 - before.1));
    for (what, list) in [
        ("somebody came: known after", &figures.online),
        ("somebody said goodbye: known after", &figures.goodbye),
        ("somebody was cut off: known after", &figures.silent),
        ("a newcomer knows 99 % after", &figures.late),
    ] {
        let [half, most, all] = [500, 990, 1_000].map(|q| quantile(list, q));
        println!("{what}: median {half} ms, 99 % {most} ms, all {all} ms ({} times)", list.len());
    }
    println!("wrongly taken for gone: {}; seen otherwise in the end: {}", figures.wronged, figures.never);
    figures
}

fn assert_honest(figures: &Figures, nodes: usize) {
    assert!(!figures.online.is_empty() && !figures.goodbye.is_empty() && !figures.late.is_empty());
    assert!(nodes > SETTLING_MAX || !figures.silent.is_empty(), "somebody was cut off and missed");
    assert_eq!(figures.wronged, 0, "nobody is gone before their time");
    assert_eq!(figures.never, 0, "in the end all see the same");
    assert!(quantile(&figures.late, 990) <= 2_000, "virtual time: a newcomer has the picture within two seconds");
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn presence_of_forty_nodes_with_churn_converges() {
    let seed = asked("SEED").unwrap_or_else(rand::random);
    assert_honest(&simulate(seed, 40, 2), 40);
}

/// A network of the size that `make simulate-presence` asks for.
#[test]
#[ignore = "long: make simulate-presence"]
fn simulated_presence_converges() {
    let nodes = asked("SIMULATED_PRESENCE").unwrap_or(1_000);
    let (seed, minutes) = (asked("SEED").unwrap_or(7), asked("SIMULATED_MINUTES").unwrap_or(6));
    let nodes = nodes as usize;
    assert_honest(&simulate(seed, nodes, minutes), nodes);
}
