//! Releases: who may publish, which of two counts, and withdrawals; in every order of arrival.

use std::time::Duration;

use super::*;
use crate::artifact::Artifact;
use crate::fact::{ClaimedName, NameClaim, NameRelinquish, Receipt, Unyank, Yank};
use crate::identity::{Signed, SigningIdentity, Topic};
use crate::limits::CLOCK_SKEW;
use crate::name::{ModuleName, NameKind};
use crate::ownership::{Evidence, Rules};
use crate::read_model::{PersonRecord, ReadModel};

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const LATER: Timestamp = Timestamp::from_millis(1_000_000);

fn person(seed: u8) -> SigningIdentity {
    SigningIdentity::from_entropy(&[seed; 32])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn module() -> ModuleName {
    "crc32".parse().expect("a name")
}

fn sign(who: &SigningIdentity, fact: Fact) -> SignedFact {
    Signed::sign(who, &TOPIC, fact)
}

fn claim(who: &SigningIdentity, when: u64) -> SignedFact {
    sign(who, Fact::NameClaim(NameClaim { work: 0, name: ClaimedName::Module(module()), claimed_at: at(when) }))
}

fn release(who: &SigningIdentity, version: &str, when: u64, bytes: &[u8]) -> SignedFact {
    let release = Release {
        module: module(),
        version: version.parse().expect("a version"),
        artifact: Artifact::of(bytes),
        dependencies: Vec::new(),
        published_at: at(when),
    };
    sign(who, Fact::Release(release))
}

/// What follows from these facts, which is the same in whatever order they come.
fn state(facts: &[SignedFact], rules: &Rules) -> ModuleState {
    let mut states = Vec::new();
    for turn in 0..facts.len() {
        let mut order = facts.to_vec();
        order.rotate_left(turn);
        for order in [order.clone(), order.into_iter().rev().collect()] {
            let (mut evidence, mut releases) = (Evidence::new(rules.clone()), Releases::default());
            for fact in &order {
                evidence.add(fact);
                releases.add(fact);
                releases.add(fact);
            }
            let name = evidence.resolve(&(NameKind::Module, module().folded()), LATER);
            states.push(releases.resolve(
                &module().folded(),
                &name,
                |fact, dated| evidence.position(fact, dated),
                LATER,
            ));
        }
    }
    assert!(states.windows(2).all(|two| two[0] == two[1]), "the order of arrival decides nothing");
    states.pop().expect("some facts")
}

#[test]
fn counts_a_release_dated_ahead_once_its_time_has_come() {
    let alice = person(1);
    let ahead = LATER.plus(CLOCK_SKEW).as_millis();
    let facts =
        [claim(&alice, 10), release(&alice, "1.0.0", ahead, b"good"), release(&alice, "2.0.0", ahead + 1, b"new")];
    let versions = |state: &ModuleState| state.releases.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(versions(&state(&facts, &Rules::default())), ["1.0.0"], "clocks differ by so much");
    // The read model, with an explicit time.
    let mut record = PersonRecord::new(alice.identity());
    record.add_facts(facts);
    let mut index = ReadModel::new(Rules::default());
    index.put(record, LATER);
    let folded = module().folded();
    assert_eq!(versions(&index.module(&folded)), ["1.0.0"]);
    let due = index.next_due().expect("something is held back");
    assert_eq!(due, LATER.plus(Duration::from_millis(1)));
    assert!(index.advance(due).contains(&alice.identity()));
    assert_eq!(versions(&index.module(&folded)), ["1.0.0", "2.0.0"]);
    assert_eq!(index.next_due(), None);
}

#[test]
fn refuses_releases_of_everyone_but_the_holder() {
    let (alice, mallory) = (person(1), person(2));
    let facts = [
        claim(&alice, 10),
        claim(&mallory, 20),
        release(&alice, "1.0.0", 30, b"good"),
        release(&mallory, "1.0.0", 5, b"bad"),
        release(&mallory, "9.9.9", 40, b"bad"),
    ];
    let state = state(&facts, &Rules::default());
    let counted: Vec<_> = state.releases.values().map(|release| (release.fact, release.author)).collect();
    assert_eq!(counted, [(facts[2].hash(), alice.identity())]);
    assert_eq!(state.refused.len(), 2);
    assert!(state.refused.iter().all(|refused| refused.why == WhyRefused::NotHolder));
}

#[test]
fn counts_the_first_of_two_releases_of_one_version_and_keeps_the_other() {
    let alice = person(1);
    let (first, second) = (release(&alice, "1.0.0", 30, b"one"), release(&alice, "1.0.0", 31, b"two"));
    let state = state(&[claim(&alice, 10), first.clone(), second.clone()], &Rules::default());
    assert_eq!(state.releases[&Version::new(1, 0, 0)].fact, first.hash());
    let why = WhyRefused::VersionTaken { first: first.hash() };
    let refused = RefusedRelease { fact: second.hash(), author: alice.identity(), version: Version::new(1, 0, 0), why };
    assert_eq!(state.refused, [refused]);
}

#[test]
fn keeps_the_witnessed_release_when_another_is_back_dated() {
    let (alice, witness) = (person(1), person(9));
    let rules = Rules { witnesses: vec![witness.identity()], threshold: 1, work_bits: 0 };
    let receipt =
        |fact: &SignedFact, when| sign(&witness, Fact::Receipt(Receipt { fact: fact.hash(), witnessed_at: at(when) }));
    let (claim, honest) = (claim(&alice, 10), release(&alice, "1.0.0", 30, b"one"));
    let backdated = release(&alice, "1.0.0", 1, b"two");
    let facts = [claim.clone(), receipt(&claim, 11), honest.clone(), receipt(&honest, 31), backdated];
    let state = state(&facts, &rules);
    assert_eq!(state.releases[&Version::new(1, 0, 0)].fact, honest.hash());
}

#[test]
fn keeps_releases_after_the_name_was_given_up_and_refuses_later_ones() {
    let alice = person(1);
    let claim = claim(&alice, 10);
    let left = sign(&alice, Fact::NameRelinquish(NameRelinquish { claim: claim.hash(), at: at(50) }));
    let facts = [claim, left, release(&alice, "1.0.0", 30, b"one"), release(&alice, "2.0.0", 60, b"two")];
    let state = state(&facts, &Rules::default());
    assert_eq!(state.releases.keys().map(Version::to_string).collect::<Vec<_>>(), ["1.0.0"]);
    assert_eq!(state.refused[0].why, WhyRefused::AfterLeaving);
}

#[test]
fn keeps_a_withdrawal_until_author_or_holder_reverses_it() {
    let (alice, mallory) = (person(1), person(2));
    let published = release(&alice, "1.0.0", 30, b"one");
    let yank = |who: &SigningIdentity, when| {
        let yank = Yank { release: published.hash(), reason: "leaks memory".to_owned(), at: at(when) };
        sign(who, Fact::Yank(yank))
    };
    let unyank =
        |who: &SigningIdentity, when| sign(who, Fact::Unyank(Unyank { release: published.hash(), at: at(when) }));
    let withdrawn = |more: &[SignedFact]| {
        let mut facts = vec![claim(&alice, 10), published.clone()];
        facts.extend_from_slice(more);
        state(&facts, &Rules::default()).releases[&Version::new(1, 0, 0)].withdrawn.clone()
    };
    assert_eq!(withdrawn(&[yank(&mallory, 40)]), None, "not a stranger's business");
    assert_eq!(withdrawn(&[yank(&alice, 40), unyank(&mallory, 50)]).map(|w| w.reason).as_deref(), Some("leaks memory"));
    assert_eq!(withdrawn(&[yank(&alice, 40), unyank(&alice, 50)]), None);
    assert!(withdrawn(&[yank(&alice, 40), unyank(&alice, 40)]).is_some(), "at one time, it stands");
    assert!(withdrawn(&[yank(&alice, 60), unyank(&alice, 50)]).is_some());
}

#[test]
fn returns_as_latest_no_pre_release_and_no_withdrawn_one() {
    let alice = person(1);
    let bad = release(&alice, "1.1.0", 31, b"two");
    let yank = Yank { release: bad.hash(), reason: String::new(), at: at(40) };
    let facts = [
        claim(&alice, 10),
        release(&alice, "1.0.0", 30, b"one"),
        bad,
        release(&alice, "2.0.0-rc.1", 32, b"three"),
        sign(&alice, Fact::Yank(yank)),
    ];
    let latest = |facts: &[SignedFact]| {
        state(facts, &Rules::default()).latest().map(|release| release.release.version.to_string())
    };
    assert_eq!(latest(&facts).as_deref(), Some("1.0.0"));
    assert_eq!(latest(&[facts[0].clone(), facts[3].clone()]).as_deref(), Some("2.0.0-rc.1"));
}
