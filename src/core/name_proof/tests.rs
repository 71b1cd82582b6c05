//! Records: what is refused, and that every order of meeting them leaves the same one.

use super::*;
use crate::artifact::Artifact;
use crate::fact::{ClaimedName, NameRelinquish, Receipt, Release, Yank};
use crate::identity::{Signed, SigningIdentity};
use crate::limits::NAME_COOL_DOWN;

const TOPIC: Topic = Topic::from_bytes([7; 32]);
const DAY: u64 = 24 * 60 * 60 * 1000;
const NOW: Timestamp = Timestamp::from_millis(1_000 * DAY);

fn person(seed: u8) -> SigningIdentity {
    SigningIdentity::from_entropy(&[seed; 32])
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn sign(who: &SigningIdentity, fact: Fact) -> SignedFact {
    Signed::sign(who, &TOPIC, fact)
}

fn username(who: &SigningIdentity, name: &str, when: u64) -> SignedFact {
    let name = ClaimedName::Username(name.parse().expect("a name"));
    sign(who, Fact::NameClaim(NameClaim { work: 0, name, claimed_at: at(when) }))
}

fn module(who: &SigningIdentity, when: u64) -> SignedFact {
    let name = ClaimedName::Module("crc32".parse().expect("a name"));
    sign(who, Fact::NameClaim(NameClaim { work: 0, name, claimed_at: at(when) }))
}

fn release(who: &SigningIdentity, version: &str) -> SignedFact {
    let release = Release {
        module: "crc32".parse().expect("a name"),
        version: version.parse().expect("a version"),
        artifact: Artifact::of(version.as_bytes()),
        dependencies: Vec::new(),
        published_at: at(50),
    };
    sign(who, Fact::Release(release))
}

fn given_up(who: &SigningIdentity, claim: &SignedFact, when: u64) -> SignedFact {
    sign(who, Fact::NameRelinquish(NameRelinquish { claim: claim.hash(), at: at(when) }))
}

fn receipt(witness: &SigningIdentity, fact: &SignedFact, when: u64) -> SignedFact {
    sign(witness, Fact::Receipt(Receipt { fact: fact.hash(), witnessed_at: at(when) }))
}

/// One witness, whose receipt is enough.
fn rules() -> Rules {
    Rules { witnesses: vec![person(100).identity()], threshold: 1, work_bits: 0 }
}

fn alice_name() -> NameKey {
    (NameKind::Username, "alice".parse::<crate::name::Username>().expect("a name").folded())
}

fn crc32() -> NameKey {
    (NameKind::Module, "crc32".parse::<crate::name::ModuleName>().expect("a name").folded())
}

fn made(name: &NameKey, facts: &[SignedFact]) -> NameProof {
    compose(name, facts.to_vec(), &rules(), NOW).expect("a record")
}

fn read(name: &NameKey, bytes: &[u8]) -> Result<NameProof, RecordError> {
    verify(&key(&TOPIC, name), bytes, &TOPIC, &rules(), NOW)
}

/// Written down without a look at what the facts say.
fn raw(facts: &[SignedFact]) -> Vec<u8> {
    let mut facts = facts.to_vec();
    facts.sort_by_key(SignedFact::hash);
    let encoder = Encoder::new().byte(VERSION).integer(facts.len() as u64);
    facts.iter().fold(encoder, |encoder, fact| encoder.bytes(&fact.encode())).finish()
}

/// Alice has the name, gives it up, and after the cool-down Bob takes it.
fn story() -> [SignedFact; 3] {
    let (alice, bob) = (person(1), person(2));
    let first = username(&alice, "alice", 10);
    let end = given_up(&alice, &first, 20);
    let next = username(&bob, "Alice", 20 + NAME_COOL_DOWN.as_millis() as u64 + 1);
    [first, end, next]
}

#[test]
fn record_proves_what_its_facts_say() {
    let (alice, witness) = (person(1), person(100));
    let claim = username(&alice, "alice", 10);
    let record = made(&alice_name(), &[claim.clone(), receipt(&witness, &claim, 12)]);
    let found = read(&alice_name(), record.bytes()).expect("a good record");
    let holder = found.holder().expect("somebody holds it");
    assert_eq!((holder.holder, holder.claim), (alice.identity(), claim.hash()));
    assert_eq!(holder.position, crate::ownership::Position::Confirmed(at(12)));
    let claim = module(&alice, 10);
    let record = made(&crc32(), &[claim, release(&alice, "1.2.3")]);
    let found = read(&crc32(), record.bytes()).expect("a good record");
    assert_eq!(found.release.expect("a release").release.version, Version::new(1, 2, 3));
}

#[test]
fn no_flipped_bit_and_no_other_network_is_taken() {
    let (alice, witness) = (person(1), person(100));
    let claim = module(&alice, 10);
    let facts = [claim.clone(), receipt(&witness, &claim, 12), release(&alice, "1.0.0")];
    let good = made(&crc32(), &facts).bytes().to_vec();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        assert!(read(&crc32(), &bad).is_err(), "byte {at}");
        assert!(read(&crc32(), &good[..at]).is_err(), "cut at {at}");
    }
    assert!(read(&crc32(), &[good.as_slice(), &[0]].concat()).is_err());
    let elsewhere = Topic::from_bytes([8; 32]);
    assert!(verify(&key(&elsewhere, &crc32()), &good, &elsewhere, &rules(), NOW).is_err());
    assert_ne!(key(&TOPIC, &crc32()), key(&elsewhere, &crc32()));
}

#[test]
fn rejects_a_record_under_another_key() {
    let good = made(&alice_name(), &[username(&person(1), "alice", 10)]);
    let other = verify(&key(&TOPIC, &crc32()), good.bytes(), &TOPIC, &rules(), NOW);
    assert_eq!(other.expect_err("another key"), RecordError::WrongKey);
    // A username and a module of one spelling are two names.
    let same = (NameKind::Module, alice_name().1);
    assert_ne!(key(&TOPIC, &alice_name()), key(&TOPIC, &same));
}

#[test]
fn rejects_facts_that_do_not_belong_in_a_record() {
    let (alice, mallory, witness) = (person(1), person(66), person(100));
    let claim = module(&alice, 10);
    let other = username(&mallory, "mallory", 10);
    let mut late = module(&alice, NOW.as_millis() + DAY);
    let cases = [
        ("a stranger's receipt", vec![claim.clone(), receipt(&mallory, &claim, 1)], RecordError::Foreign),
        ("a receipt for another fact", vec![claim.clone(), receipt(&witness, &other, 1)], RecordError::Foreign),
        (
            "two of one witness",
            vec![claim.clone(), receipt(&witness, &claim, 1), receipt(&witness, &claim, 2)],
            RecordError::Foreign,
        ),
        ("a stranger's release", vec![claim.clone(), release(&mallory, "9.9.9")], RecordError::Foreign),
        ("two releases", vec![claim.clone(), release(&alice, "1.0.0"), release(&alice, "2.0.0")], RecordError::Foreign),
        ("a stranger's end", vec![claim.clone(), given_up(&mallory, &claim, 20)], RecordError::Foreign),
        ("somebody else's name", vec![claim.clone(), other], RecordError::Foreign),
        ("a claim that lost", vec![claim.clone(), module(&mallory, 11)], RecordError::Lost),
        ("a claim of tomorrow", vec![late.clone()], RecordError::Early),
        ("nothing", vec![], RecordError::WrongKey),
    ];
    for (what, facts, why) in cases {
        assert_eq!(read(&crc32(), &raw(&facts)).expect_err(what), why, "{what}");
    }
    late = claim;
    let mut twice = raw(&[late]);
    twice = [&[VERSION][..], &2_u64.to_be_bytes(), &twice[9..], &twice[9..]].concat();
    assert_eq!(read(&crc32(), &twice).expect_err("one fact twice"), RecordError::NotCanonical);
    assert_eq!(read(&crc32(), &vec![0; RECORD_MAX_BYTES + 1]).expect_err("too long"), RecordError::TooLong);
}

#[test]
fn neither_a_released_name_nor_a_loser_lasts() {
    let [first, end, next] = story();
    let name = alice_name();
    let old = made(&name, std::slice::from_ref(&first));
    let gone = made(&name, &[first.clone(), end.clone()]);
    let new = made(&name, &[first, end, next]);
    assert!(gone.holder().is_none() && new.holder().is_some_and(|tenure| tenure.holder == person(2).identity()));
    let loser = made(&name, &[username(&person(3), "alice", 11)]);
    let ranked = [&new, &gone, &old, &loser];
    for (at, better) in ranked.iter().enumerate() {
        for worse in &ranked[at + 1..] {
            assert_eq!(better.compare(worse), Ordering::Greater);
            assert_eq!(worse.compare(better), Ordering::Less);
        }
    }
}

#[test]
fn of_a_module_the_newest_release_is_kept_and_its_withdrawal() {
    let alice = person(1);
    let claim = module(&alice, 10);
    let newest = release(&alice, "2.0.0");
    let yank = sign(&alice, Fact::Yank(Yank { release: newest.hash(), reason: "broken".to_owned(), at: at(60) }));
    let with = |facts: &[SignedFact]| made(&crc32(), &[std::slice::from_ref(&claim), facts].concat());
    let ranked = [
        with(&[newest.clone(), yank]),
        with(&[newest]),
        with(&[release(&alice, "1.9.0")]),
        with(&[release(&alice, "3.0.0-beta")]),
        with(&[]),
    ];
    assert!(ranked[0].release.as_ref().is_some_and(|release| release.withdrawn.is_some()));
    assert!(ranked.windows(2).all(|pair| pair[0].compare(&pair[1]) == Ordering::Greater));
}

/// Every record that some handful of people, claims, ends, receipts and releases can make, in every order.
#[test]
fn keeps_one_record_in_any_order() {
    let witness = person(100);
    let mut records = Vec::new();
    for seed in 1..6 {
        let who = person(seed);
        let claim = module(&who, 10 + u64::from(seed % 3));
        let (end, seen) = (given_up(&who, &claim, 20), receipt(&witness, &claim, 90 - u64::from(seed)));
        let next = module(&person(seed + 10), 20 + NAME_COOL_DOWN.as_millis() as u64 + 5);
        let parts: [&[SignedFact]; 6] = [
            &[],
            std::slice::from_ref(&end),
            std::slice::from_ref(&seen),
            &[release(&who, "1.0.0")],
            &[release(&who, "1.1.0"), seen.clone()],
            &[end.clone(), next],
        ];
        for part in parts {
            records.extend(compose(&crc32(), [std::slice::from_ref(&claim), part].concat(), &rules(), NOW));
        }
    }
    assert!(records.len() >= 25, "{}", records.len());
    for (at, one) in records.iter().enumerate() {
        for (other_at, other) in records.iter().enumerate() {
            assert_eq!(one.compare(other), other.compare(one).reverse());
            assert_eq!(one.compare(other) == Ordering::Equal, at == other_at, "two records are never equal");
            for third in &records {
                if one.compare(other).is_gt() && other.compare(third).is_gt() {
                    assert!(one.compare(third).is_gt(), "the order goes round in a circle");
                }
            }
        }
    }
    let kept = |order: Vec<&NameProof>| {
        let better =
            |kept: &NameProof, next: &NameProof| if next.compare(kept).is_gt() { next.clone() } else { kept.clone() };
        order[1..].iter().fold(order[0].clone(), |kept, next| better(&kept, next)).bytes().to_vec()
    };
    let mut left = BTreeSet::new();
    for turn in 0..records.len() {
        let mut order: Vec<&NameProof> = records.iter().collect();
        order.rotate_left(turn);
        left.insert(kept(order.clone()));
        left.insert(kept(order.into_iter().rev().collect()));
    }
    assert_eq!(left.len(), 1);
}
