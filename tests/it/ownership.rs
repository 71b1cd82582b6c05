//! The rule of ownership over random sets of facts: one set, one result, whatever the order and the repetitions.
//!
//! `SEED=… cargo test --test it ownership` repeats a run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gen_registry_core::digest::Digest;
use gen_registry_core::fact::{Fact, SignedFact};
use gen_registry_core::identity::{Identity, SigningIdentity};
use gen_registry_core::limits::{CLOCK_SKEW, MODULE_CLAIMS_MAX, NAME_COOL_DOWN};
use gen_registry_core::name::{ModuleName, NameKind};
use gen_registry_core::ownership::{Evidence, NameKey, NameState, Rules};
use gen_registry_core::read_model::{PersonRecord, ReadModel};
use gen_registry_core::time::Timestamp;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use crate::support::people::{at, claim, module_claim, person, receipt, release};

const SETS: usize = 10_000;
const ORDERS: usize = 3;
const OBSERVED_AT: Timestamp = at_days(100);
const NAMES: [&str; 5] = ["nova", "N0va", "stella", "alice_smith", "Alice-Smith"];
const PEOPLE: [&str; 4] = ["alice", "bob", "carol", "dave"];
const WITNESSES: [&str; 3] = ["wanda", "wilma", "wim"];

const fn at_days(days: u64) -> Timestamp {
    Timestamp::from_millis(days * 24 * 60 * 60 * 1000)
}

fn seed() -> u64 {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    seed
}

/// Times that make rules meet: ties, cool-downs that just end, the edge of the future.
fn moment(rng: &mut StdRng) -> Timestamp {
    let base = *[at_days(1), at_days(1), at_days(2), at_days(40), at_days(80), OBSERVED_AT].choose(rng).unwrap();
    let nudge =
        *[Duration::ZERO, Duration::from_millis(1), NAME_COOL_DOWN, CLOCK_SKEW, CLOCK_SKEW * 2].choose(rng).unwrap();
    base.plus(nudge)
}

/// Signing is the slow part, so facts are drawn from one pool.
fn pool(rng: &mut StdRng) -> Vec<SignedFact> {
    let keys = |names: &[&str]| names.iter().map(|name| person(name)).collect::<Vec<SigningIdentity>>();
    let (people, witnesses) = (keys(&PEOPLE), keys(&WITNESSES));
    let mut facts: Vec<SignedFact> =
        (0..120).map(|_| claim(people.choose(rng).unwrap(), NAMES.choose(rng).unwrap(), moment(rng))).collect();
    let claims = facts.clone();
    facts.extend((0..120).map(|_| {
        let (author, claim) = (people.choose(rng).unwrap(), claims.choose(rng).unwrap());
        let own = people.iter().find(|person| person.identity() == claim.author()).unwrap();
        release(if rng.random_bool(0.8) { own } else { author }, claim, moment(rng))
    }));
    let receiptable = facts.clone();
    facts.extend((0..360).map(|_| {
        let author = if rng.random_bool(0.9) { witnesses.choose(rng).unwrap() } else { people.choose(rng).unwrap() };
        receipt(author, receiptable.choose(rng).unwrap(), moment(rng))
    }));
    facts
}

/// A set whose facts have to do with each other.
fn draw(rng: &mut StdRng, pool: &[SignedFact]) -> Vec<SignedFact> {
    let claims: Vec<&SignedFact> = pool.iter().filter(|fact| matches!(fact.statement(), Fact::NameClaim(_))).collect();
    let chosen: BTreeSet<Digest> = (0..rng.random_range(1..7)).map(|_| claims.choose(rng).unwrap().hash()).collect();
    let mut set: BTreeMap<Digest, SignedFact> = BTreeMap::new();
    for fact in pool {
        let about = match fact.statement() {
            Fact::NameClaim(_) => fact.hash(),
            Fact::NameRelinquish(release) => release.claim,
            Fact::Receipt(receipt) => receipt.fact,
            other => panic!("no fact about names: {other:?}"),
        };
        let wanted = chosen.contains(&about) || set.contains_key(&about);
        if wanted && (fact.hash() == about || rng.random_bool(0.6)) {
            set.insert(fact.hash(), fact.clone());
        }
    }
    set.into_values().collect()
}

fn resolve_all(rules: &Rules, facts: &[SignedFact]) -> BTreeMap<NameKey, NameState> {
    let mut evidence = Evidence::new(rules.clone());
    for fact in facts {
        evidence.add(fact);
    }
    evidence.names().map(|key| (key.clone(), evidence.resolve(key, OBSERVED_AT))).collect()
}

#[test]
fn ownership_is_independent_of_order_in_ten_thousand_sets() {
    let mut rng = StdRng::seed_from_u64(seed());
    let witnesses: Vec<Identity> = WITNESSES.iter().map(|name| person(name).identity()).collect();
    let pool = pool(&mut rng);
    let mut with_rivals = 0;
    for _ in 0..SETS {
        let rules = Rules { witnesses: witnesses.clone(), threshold: rng.random_range(0..4), work_bits: 0 };
        let set = draw(&mut rng, &pool);
        let expected = resolve_all(&rules, &set);
        with_rivals += usize::from(expected.values().any(|state| !state.losers.is_empty()));
        for _ in 0..ORDERS {
            let mut order = set.clone();
            let again: Vec<SignedFact> = set.choose_multiple(&mut rng, set.len() / 2).cloned().collect();
            order.extend(again);
            order.shuffle(&mut rng);
            assert_eq!(resolve_all(&rules, &order), expected);
            assert_eq!(through_the_index(&rules, &order), expected, "the read model settles as the rule does");
        }
        check_invariants(&set, &expected);
    }
    assert!(with_rivals > SETS / 10, "the sets must be about something: only {with_rivals} had rivals");
}

#[test]
fn module_names_beyond_the_limit_do_not_count_in_any_order() {
    let mut rng = StdRng::seed_from_u64(seed());
    let (mallory, bob) = (person("mallory"), person("bob"));
    let names: Vec<ModuleName> =
        (0..MODULE_CLAIMS_MAX + 3).map(|nth| format!("taken-{nth}").parse().unwrap()).collect();
    let claims = names.iter().enumerate().map(|(nth, name)| module_claim(&mallory, name, at(10_000 + nth as u64)));
    let claims: Vec<SignedFact> = claims.collect();
    let name = |nth: usize| &names[nth];
    let bobs = module_claim(&bob, name(MODULE_CLAIMS_MAX), at(99_000));
    let holder = |evidence: &Evidence, index: &ReadModel, name: &ModuleName| {
        let key = (NameKind::Module, name.folded());
        let by_rule = evidence.resolve(&key, OBSERVED_AT).holder().map(|tenure| tenure.holder);
        let by_model = index.module_name(&key.1).and_then(NameState::holder).map(|tenure| tenure.holder);
        assert_eq!(by_rule, by_model, "{name}");
        by_rule
    };
    for _ in 0..ORDERS {
        let mut order: Vec<SignedFact> = claims.iter().cloned().chain([bobs.clone()]).collect();
        order.shuffle(&mut rng);
        let (mut evidence, mut index) = (Evidence::new(Rules::default()), ReadModel::new(Rules::default()));
        let add = |evidence: &mut Evidence, index: &mut ReadModel, fact: &SignedFact| {
            evidence.add(fact);
            let mut record = index.person(&fact.author()).cloned().unwrap_or_else(|| PersonRecord::new(fact.author()));
            record.add_facts([fact.clone()]);
            index.put(record, OBSERVED_AT);
        };
        order.iter().for_each(|fact| add(&mut evidence, &mut index, fact));
        for nth in [0, 1, MODULE_CLAIMS_MAX - 1] {
            assert_eq!(holder(&evidence, &index, name(nth)), Some(mallory.identity()), "{nth}");
        }
        assert_eq!(holder(&evidence, &index, name(MODULE_CLAIMS_MAX)), Some(bob.identity()), "it was free for him");
        assert_eq!(holder(&evidence, &index, name(MODULE_CLAIMS_MAX + 1)), None);
        assert_eq!(index.module_claims_of(&mallory.identity()), MODULE_CLAIMS_MAX + 3);
        // One that is dated before all of them takes a place from the last that counted.
        add(&mut evidence, &mut index, &module_claim(&mallory, &"earlier".parse().unwrap(), at(1)));
        assert_eq!(holder(&evidence, &index, name(MODULE_CLAIMS_MAX - 1)), None);
        assert_eq!(holder(&evidence, &index, &"earlier".parse().unwrap()), Some(mallory.identity()));
    }
}

/// The same facts one by one through the read model, each in its author's record.
fn through_the_index(rules: &Rules, facts: &[SignedFact]) -> BTreeMap<NameKey, NameState> {
    let mut index = ReadModel::new(rules.clone());
    let mut keys: BTreeMap<NameKey, &str> = BTreeMap::new();
    for fact in facts {
        let author = fact.author();
        let mut record = index.person(&author).cloned().unwrap_or_else(|| PersonRecord::new(author));
        record.add_facts([fact.clone()]);
        index.put(record, OBSERVED_AT);
        if let Fact::NameClaim(claim) = fact.statement() {
            keys.insert((claim.name.kind(), claim.name.folded()), claim.name.as_str());
        }
    }
    let state = |name: &str| index.state(&name.parse().unwrap()).expect("a claimed name has a state").clone();
    let states: BTreeMap<NameKey, NameState> = keys.into_iter().map(|(key, name)| (key, state(name))).collect();
    for tenure in states.values().filter_map(NameState::holder) {
        assert_eq!(index.username_of(&tenure.holder).unwrap().as_str(), tenure.spelled.as_str());
    }
    states
}

/// What must be true of every result, whatever the rule decides.
fn check_invariants(facts: &[SignedFact], states: &BTreeMap<NameKey, NameState>) {
    let mut held: BTreeSet<Identity> = BTreeSet::new();
    for state in states.values() {
        for (earlier, later) in state.tenures.iter().zip(state.tenures.iter().skip(1)) {
            let until = earlier.until.expect("only the last tenure may still run");
            assert!(until <= later.position.at(), "tenures do not overlap");
            assert!(earlier.holder == later.holder || until.plus(NAME_COOL_DOWN) <= later.position.at());
        }
        if let Some(tenure) = state.holder() {
            assert!(held.insert(tenure.holder), "one live username per identity");
        }
    }
    for fact in facts {
        if let Fact::NameClaim(claim) = fact.statement() {
            let state = &states[&(claim.name.kind(), claim.name.folded())];
            let placed = state.tenures.iter().filter(|tenure| tenure.claim == fact.hash()).count()
                + state.losers.iter().filter(|loser| loser.claim == fact.hash()).count()
                + state.held_back.iter().filter(|(hash, _)| *hash == fact.hash()).count();
            let respelled = state.tenures.iter().any(|tenure| tenure.holder == fact.author());
            assert!(placed == 1 || (placed == 0 && respelled), "a claim has exactly one fate");
        }
    }
}

#[test]
fn held_back_claims_count_from_their_date() {
    let (alice, bob) = (person("alice"), person("bob"));
    let (now, soon) = (at(1_000_000), at(1_000_000).plus(CLOCK_SKEW * 2));
    let record = |author: &SigningIdentity, fact: SignedFact| {
        let mut record = PersonRecord::new(author.identity());
        record.add_facts([fact]);
        record
    };
    let mut index = ReadModel::new(Rules::default());
    index.put(record(&alice, claim(&alice, "nova", soon)), now);
    assert_eq!(index.username_of(&alice.identity()), None);
    let due = index.next_due().expect("a claim is held back");
    assert!(due > now && index.advance(now).is_empty());
    assert!(index.advance(due).contains(&alice.identity()));
    assert_eq!(index.username_of(&alice.identity()).unwrap().as_str(), "nova");
    assert_eq!(index.next_due(), None);
    // An earlier claim that arrives late still wins.
    index.put(record(&bob, claim(&bob, "nova", now)), due);
    assert_eq!(index.username_of(&bob.identity()).unwrap().as_str(), "nova");
    assert_eq!(index.username_of(&alice.identity()), None);
}

#[test]
fn name_claimed_by_a_forked_identity_only_is_free() {
    let alice = person("alice");
    let claimed = claim(&alice, "nova", at_days(1));
    let mut record = PersonRecord::new(alice.identity());
    record.forked = true;
    let mut late = ReadModel::new(Rules::default());
    late.put(record.clone(), OBSERVED_AT);
    let mut early = ReadModel::new(Rules::default());
    record.forked = false;
    record.add_facts([claimed]);
    early.put(record.clone(), OBSERVED_AT);
    let name = "nova".parse().unwrap();
    assert!(early.state(&name).is_some_and(|state| state.holder().is_some()));
    record.forked = true;
    early.put(record, OBSERVED_AT);
    assert_eq!(early.state(&name), late.state(&name));
    assert_eq!(early.names(), 0);
}
