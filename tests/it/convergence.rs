//! After every partition, loss, restart and lie: one registry everywhere, and nothing forged in it.
//!
//! `SEED=7 cargo test convergence` runs one seed again; `make simulate SEEDS=1000 NODES=200` runs many large swarms.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use gen_registry_core::keys::Did;
use gen_registry_core::name::{NameKind, Username};
use gen_registry_core::outcome::NameOutcome;
use gen_registry_core::registry::State;

use crate::support::simulator::{Faults, Traffic};
use crate::support::swarm::Swarm;
use crate::support::swarm::liar::Trick;

const PARTITIONS: usize = 3;
const PARTED_MILLIS: u64 = 15_000;
const WHOLE_MILLIS: u64 = 8_000;
/// How long a healed network may take.
const HEALING_MAX_MILLIS: u64 = 300_000;
const LIARS_PERCENT: usize = 20;
/// Honest nodes that write in each partition.
const CLAIMING_PERMILLE: u64 = 500;
const PROFILES_PERMILLE: u64 = 200;

const FAULTS: Faults = Faults { latency_millis: 10..200, lost: 0, doubled: 0, late: 0, cut: 2 };
const CALM: Faults = Faults { cut: 0, ..FAULTS };

#[derive(Clone, Debug, Default, PartialEq)]
struct Figures {
    /// Honest ones; all that follows is theirs.
    nodes: usize,
    /// Names with more than one claim.
    rivalled: u64,
    messages: u64,
    bytes: u64,
    cuts: u64,
    parted: u64,
    restarts: u64,
    deepest_queue: usize,
    healing_millis: u64,
    rejections: BTreeMap<(Trick, String), u64>,
}

/// The state of every identity at a node, by which two nodes are compared.
fn state(swarm: &Swarm, id: usize) -> Vec<State> {
    swarm.node(id).known().summaries()
}

fn has_converged(swarm: &Swarm) -> bool {
    let mut honest = swarm.honest();
    let first = state(swarm, honest.next().expect("an honest node"));
    honest.all(|id| state(swarm, id) == first)
}

fn run(seed: u64, nodes: usize) -> Figures {
    let liars = nodes * LIARS_PERCENT / 100;
    let mut swarm = Swarm::new(seed, nodes, liars, FAULTS);
    let mut now = WHOLE_MILLIS;
    swarm.run_until(now);
    for _ in 0..PARTITIONS {
        let groups = 2 + swarm.random.below(2);
        let groups = (0..nodes).map(|_| swarm.random.below(groups) as usize).collect();
        swarm.network.part(groups);
        swarm.plan_writing(PARTED_MILLIS, CLAIMING_PERMILLE, PROFILES_PERMILLE);
        let restarted: Vec<usize> = swarm.honest().collect();
        for half in 0..2 {
            now += PARTED_MILLIS / 2;
            swarm.run_until(now);
            if half == 0 {
                for _ in 0..nodes.div_ceil(20) {
                    let id = *swarm.random.pick(&restarted).expect("an honest node");
                    swarm.restart(id);
                }
            }
        }
        swarm.network.heal();
        now += WHOLE_MILLIS;
        swarm.run_until(now);
    }
    swarm.quieten();
    swarm.network.set_faults(CALM);
    let healed = now;
    while !has_converged(&swarm) {
        assert!(now < healed + HEALING_MAX_MILLIS, "SEED={seed}: no agreement {:?}", differences(&swarm));
        now += 3_000;
        swarm.run_until(now);
    }
    check(&swarm, seed);
    // What liars send is not the protocol's doing.
    let honest: Vec<usize> = swarm.honest().collect();
    let traffic: Vec<Traffic> = honest.iter().map(|id| swarm.network.traffic()[*id]).collect();
    let sum = |of: fn(&Traffic) -> u64| traffic.iter().map(of).sum();
    let figures = Figures {
        nodes: honest.len(),
        rivalled: outcomes(&swarm, honest[0]).values().filter(|outcome| !outcome.others.is_empty()).count() as u64,
        messages: sum(|traffic| traffic.messages),
        bytes: sum(|traffic| traffic.bytes),
        cuts: sum(|traffic| traffic.cuts),
        parted: sum(|traffic| traffic.parted),
        restarts: swarm.counts.restarts,
        deepest_queue: swarm.network.deepest_queue(),
        healing_millis: now - healed,
        rejections: swarm.counts.rejections.clone(),
    };
    let happened = [figures.cuts, figures.parted, figures.restarts, figures.rivalled];
    assert!(happened.iter().all(|count| *count > 0), "SEED={seed}: every fault happens {happened:?}");
    figures
}

/// What a node says of every name.
fn outcomes(swarm: &Swarm, id: usize) -> BTreeMap<&String, NameOutcome> {
    let key = |name: &String| (NameKind::Username, name.parse::<Username>().expect("a valid name").folded());
    swarm.names().iter().map(|name| (name, swarm.node(id).known().name(&key(name)))).collect()
}

fn differences(swarm: &Swarm) -> Vec<(usize, usize)> {
    swarm.honest().map(|id| (id, state(swarm, id).len())).collect()
}

/// Everything that must hold once the honest nodes agree.
fn check(swarm: &Swarm, seed: u64) {
    let honest: Vec<usize> = swarm.honest().collect();
    let first = outcomes(swarm, honest[0]);
    for id in &honest[1..] {
        assert_eq!(outcomes(swarm, *id), first, "SEED={seed}: node {id}");
    }
    assert!(first.values().any(|outcome| outcome.holder().is_some()), "SEED={seed}: nobody holds a name");
    let known = swarm.node(honest[0]).known();
    let (identities, genuine): (BTreeSet<Did>, _) = (known.identities().copied().collect(), swarm.genuine());
    assert!(identities.is_subset(&genuine), "SEED={seed}: somebody is known who never was there");
    let liars = swarm.equivocators();
    let owner = |log| known.opening(&log).expect("its opening is here").did();
    let is_honest = |did: &Did| !liars.contains(did);
    let forked_and_honest: Vec<Did> = known.forks().map(|fork| owner(fork.log())).filter(is_honest).collect();
    assert_eq!(forked_and_honest, [], "SEED={seed}: a fork was found where there is none");
    assert!(swarm.counts.wronged.is_empty(), "SEED={seed}: honest nodes blamed {:?}", swarm.counts.wronged);
}

/// Each liar's trick is met by the rule that it breaks.
fn assert_tricks_counted(all: &[Figures]) {
    let rejections = added_up(all);
    let counted = |trick: Trick, rules: &[&str]| {
        let of = rejections.iter().filter(|((by, rule), _)| *by == trick && rules.contains(&rule.as_str()));
        let count: u64 = of.map(|(_, count)| count).sum();
        assert!(count > 0, "{trick:?} was never met by {rules:?}: {rejections:?}");
    };
    counted(Trick::Forge, &["Forged"]);
    counted(Trick::Replay, &["Unasked", "OutOfOrder", "Comparison"]);
    counted(Trick::Garbage, &["Malformed"]);
    counted(Trick::Flood, &["TooManyAnnouncements"]);
    // To have nothing of what one says one has, or to carry a fork, is no fault; to say so before the greeting is.
    let is_harmless = |trick: &Trick| matches!(trick, Trick::Withhold | Trick::Equivocate);
    let is_timing = |rule: &str| ["Stalled", "OutOfOrder"].contains(&rule);
    let blamed: Vec<_> = rejections.keys().filter(|(trick, rule)| is_harmless(trick) && !is_timing(rule)).collect();
    assert!(blamed.is_empty(), "{blamed:?}");
}

#[allow(clippy::disallowed_methods, reason = "the run's own duration; nothing in it depends on that")]
fn started() -> Instant {
    Instant::now()
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Runs swarms on all processors (or on as many as `JOBS` says) and adds up what they came to.
fn run_all(seeds: std::ops::Range<u64>, nodes: usize) -> Vec<Figures> {
    let started = started();
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => seeds.collect(),
    };
    let (next, all) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let jobs = asked("JOBS").map(|jobs| jobs.max(1) as usize);
    let processors = || std::thread::available_parallelism().map_or(1, usize::from);
    let workers = jobs.unwrap_or_else(processors).min(seeds.len());
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
                    println!("SEED={seed} with {nodes} nodes");
                    let figures = run(*seed, nodes);
                    all.lock().expect("no other worker failed").push(figures);
                }
            });
        }
    });
    let all = all.into_inner().expect("no worker failed");
    report(&all, started);
    all
}

fn report(all: &[Figures], started: Instant) {
    let total = |of: fn(&Figures) -> u64| all.iter().map(of).sum::<u64>();
    let nodes = total(|figures| figures.nodes as u64).max(1);
    println!(
        "{} seeds in {:.1} s · per honest node {} messages, {} bytes · {} cuts, {} refused at borders, {} restarts · \
         {} names with rivals · deepest queue {} · healed after {} s on average, {} s at most",
        all.len(),
        started.elapsed().as_secs_f64(),
        total(|figures| figures.messages) / nodes,
        total(|figures| figures.bytes) / nodes,
        total(|figures| figures.cuts),
        total(|figures| figures.parted),
        total(|figures| figures.restarts),
        total(|figures| figures.rivalled),
        all.iter().map(|figures| figures.deepest_queue).max().unwrap_or(0),
        total(|figures| figures.healing_millis) / 1000 / all.len().max(1) as u64,
        all.iter().map(|figures| figures.healing_millis).max().unwrap_or(0) / 1000,
    );
    println!("rejections {:?}", added_up(all));
}

fn added_up(all: &[Figures]) -> BTreeMap<(Trick, String), u64> {
    let mut rejections: BTreeMap<(Trick, String), u64> = BTreeMap::new();
    for (rule, count) in all.iter().flat_map(|figures| &figures.rejections) {
        *rejections.entry(rule.clone()).or_default() += count;
    }
    rejections
}

#[test]
fn convergence_of_many_small_swarms() {
    run_all(1..9, 20);
}

#[test]
fn convergence_of_larger_swarms_against_every_trick() {
    let all = run_all(101..102, 60);
    assert_tricks_counted(&all);
}

#[test]
fn the_same_seed_gives_the_same_run() {
    println!("SEED=7");
    assert_eq!(run(7, 15), run(7, 15));
}

/// Swarms of the size and number that `make simulate` asks for.
#[test]
#[ignore = "long: make simulate"]
fn simulated_swarms_converge() {
    let seeds = asked("SIMULATED_SEEDS").unwrap_or(20);
    let first = asked("FIRST_SEED").unwrap_or(1);
    let all = run_all(first..first + seeds, asked("SIMULATED_NODES").unwrap_or(200) as usize);
    assert_tricks_counted(&all);
}
