//! Networks: each rule of a genesis, changes of the set, and paths under a root.

use super::*;
use crate::actors::{BEGIN, network, succession_key};
use crate::keys::SecretKey;

fn genesis() -> Genesis {
    network(3, 2).0.genesis().clone()
}

fn key(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

#[test]
fn genesis_reads_as_it_was_written_and_every_field_names_another_network() {
    let genesis = genesis();
    assert_eq!(Genesis::decode(&genesis.encode()), Ok(genesis.clone()));
    let other = |change: &dyn Fn(&mut Genesis)| {
        let mut other = genesis.clone();
        change(&mut other);
        other.topic()
    };
    let mut topics = vec![
        genesis.topic(),
        other(&|genesis| genesis.name.push('!')),
        other(&|genesis| genesis.created_at = BEGIN.plus(Duration::from_millis(1))),
        other(&|genesis| genesis.set.witnesses[0] = key(1)),
        other(&|genesis| genesis.set.threshold = 3),
        other(&|genesis| genesis.set.succession[0] = key(1).digest()),
        other(&|genesis| genesis.parameters.version += 1),
        other(&|genesis| genesis.parameters.hold += Duration::from_secs(1)),
        other(&|genesis| genesis.parameters.cool_down += Duration::from_secs(1)),
        other(&|genesis| genesis.parameters.usernames += 1),
        other(&|genesis| genesis.parameters.modules += 1),
        other(&|genesis| genesis.parameters.work_bits += 1),
        other(&|genesis| genesis.parameters.skew += Duration::from_secs(1)),
        other(&|genesis| genesis.nonce[0] ^= 1),
        Genesis::without_witnesses(1).topic(),
    ];
    let all = topics.len();
    topics.sort_unstable_by_key(|topic| *topic.as_bytes());
    topics.dedup();
    assert_eq!(topics.len(), all);
}

#[test]
fn each_rule_of_a_genesis_has_its_refusal() {
    let refused = |change: &dyn Fn(&mut Genesis)| {
        let mut bad = genesis();
        change(&mut bad);
        Genesis::decode(&bad.encode()).expect_err("it breaks a rule")
    };
    assert_eq!(refused(&|genesis| genesis.name.clear()), GenesisError::Name);
    assert_eq!(refused(&|genesis| genesis.name = "  ".into()), GenesisError::Name);
    assert_eq!(refused(&|genesis| genesis.name = "a\nb".into()), GenesisError::Name);
    assert_eq!(
        refused(&|genesis| genesis.name = "a\u{202e}b".into()),
        GenesisError::Name,
        "turned round beside a topic"
    );
    assert_eq!(refused(&|genesis| genesis.name = "x".repeat(NETWORK_NAME_MAX_CHARS + 1)), GenesisError::Name);
    assert_eq!(refused(&|genesis| genesis.set.witnesses.swap(0, 1)), GenesisError::Order);
    assert_eq!(refused(&|genesis| genesis.set.succession.swap(0, 1)), GenesisError::Order);
    let same = |genesis: &mut Genesis| genesis.set.witnesses[1] = genesis.set.witnesses[0];
    assert_eq!(refused(&same), GenesisError::Order);
    assert_eq!(refused(&|genesis| genesis.set.threshold = 1), GenesisError::Threshold { threshold: 1, witnesses: 3 });
    assert_eq!(refused(&|genesis| genesis.set.threshold = 4), GenesisError::Threshold { threshold: 4, witnesses: 3 });
    let both = |genesis: &mut Genesis| {
        let witness = genesis.set.witnesses[0];
        genesis.set = WitnessSet::new([witness], 1, [witness.digest()]);
    };
    assert_eq!(refused(&both), GenesisError::SameKey);
    type Change<'a> = &'a dyn Fn(&mut Parameters);
    let numbers: [(Change<'_>, &str); 9] = [
        (&|parameters| parameters.hold = SPAN_MAX + Duration::from_secs(1), "the hold"),
        (&|parameters| parameters.cool_down = parameters.hold - Duration::from_secs(1), "the cool-down"),
        (&|parameters| parameters.cool_down = SPAN_MAX + Duration::from_secs(1), "the cool-down"),
        (&|parameters| parameters.usernames = 0, "the number of usernames"),
        (&|parameters| parameters.modules = HELD_MAX + 1, "the number of modules"),
        (&|parameters| parameters.work_bits = WORK_BITS_MAX + 1, "the work"),
        (&|parameters| parameters.skew = Duration::ZERO, "the skew"),
        (&|parameters| parameters.skew = SKEW_MAX + Duration::from_secs(1), "the skew"),
        (&|parameters| parameters.usernames = HELD_MAX + 1, "the number of usernames"),
    ];
    for (change, what) in numbers {
        assert_eq!(refused(&|genesis| change(&mut genesis.parameters)), GenesisError::Parameter(what));
    }
    let without_witnesses = Genesis { set: WitnessSet::default(), parameters: Parameters::for_people(1), ..genesis() };
    assert_eq!(without_witnesses.check(), Err(GenesisError::Parameter("the work")), "work that none would ask for");
    let mut bytes = genesis().encode();
    bytes[0] = 1;
    assert_eq!(Genesis::decode(&bytes), Err(GenesisError::Format(1)));
    let bytes = genesis().encode();
    for length in 0..bytes.len() {
        assert!(Genesis::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
    let lone = Genesis { set: WitnessSet::new([key(1)], 1, []), ..genesis() };
    assert_eq!(lone.check(), Err(GenesisError::Succession { witnesses: 1, keys: 0 }));
}

#[test]
fn set_bears_what_the_table_says() {
    for (threshold, witnesses, lost, lying) in [(1, 1, 0, 0), (2, 3, 1, 0), (3, 4, 1, 1), (4, 5, 1, 2), (8, 15, 7, 0)] {
        let keys = (0..witnesses).map(|at| key(at + 1));
        let set = WitnessSet::new(keys, threshold, []);
        assert_eq!((set.may_lose(), set.may_lie()), (lost, lying), "{threshold} of {witnesses}");
    }
    assert_eq!((WitnessSet::default().may_lose(), WitnessSet::default().may_lie()), (0, 0));
}

/// A change to one new witness, signed with these succession keys of set `number - 1`.
fn change(history: &NetworkHistory, seed: u8, signers: &[u8]) -> SignedSetChange {
    let number = history.number() + 1;
    let change = SetChange {
        number,
        before: history.newest(),
        set: WitnessSet::new([key(seed)], 1, [succession_key(number as u8, 0).public().digest()]),
        version: 1,
        closing: Closing::of(&FactList::default()),
    };
    let by = |at: &u8| change.sign(&history.topic(), &succession_key(number as u8 - 1, *at));
    let signatures = signers.iter().map(by).collect();
    SignedSetChange::new(&history.topic(), change, signatures).expect("valid signatures")
}

#[test]
fn set_is_changed_by_its_own_succession_and_by_nothing_else() {
    let (mut history, witnesses) = network(3, 2);
    let unsigned = history.follow(change(&history, 50, &[0]));
    assert_eq!(unsigned, Err(FollowError::Unsigned { signers: 1, needed: 2 }));
    // The witnesses' own keys, which are on servers, are none of them.
    let next = change(&history, 50, &[0, 2]);
    let by_witnesses = witnesses.iter().map(|key| next.change().sign(&history.topic(), key)).collect();
    let stolen = SignedSetChange::new(&history.topic(), next.change().clone(), by_witnesses).expect("valid signatures");
    assert_eq!(history.follow(stolen), Err(FollowError::Unsigned { signers: 0, needed: 2 }));

    let bytes = next.encode();
    assert_eq!(SignedSetChange::decode(&history.topic(), &bytes), Ok(next.clone()));
    let elsewhere = SignedSetChange::decode(&Genesis::without_witnesses(1).topic(), &bytes);
    assert_eq!(elsewhere, Err(SetChangeError::Forged));
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(SignedSetChange::decode(&history.topic(), &flipped).is_err(), "bit {bit}");
    }

    let rival = change(&history, 51, &[0, 1, 2]);
    let same = change(&history, 50, &[1, 2]);
    assert_eq!(same.digest(), next.digest(), "whichever keys signed it");
    history.follow(next.clone()).expect("signed by two of three");
    assert_eq!(history.follow(same), Ok(()), "known already");
    assert_eq!(history.follow(rival.clone()), Err(FollowError::Rival { number: 1 }));
    assert_eq!((history.number(), history.newest()), (1, next.digest()));
    assert!(history.has(&next.digest()) && !history.has(&rival.digest()), "links carry the newest change");
    assert!(history.has(&Digest::from_bytes(*history.topic().as_bytes())), "or none, from before the first one");
    assert!(history.set().has(&key(50)));

    let second = change(&history, 52, &[0]);
    let (mut behind, _) = network(3, 2);
    assert_eq!(behind.follow(second.clone()), Err(FollowError::Ahead { number: 2, known: 0 }));
    behind.follow(rival).expect("signed by three of three");
    assert_eq!(behind.follow(second.clone()), Err(FollowError::Rival { number: 2 }), "it follows another change");
    // A person decides for the other one.
    behind.leave(1);
    behind.follow(next).expect("the other change 1");
    behind.follow(second).expect("the change after it");
    assert_eq!(behind.number(), 2);
}

#[test]
fn network_without_witnesses_gets_none_by_a_change() {
    let mut history = NetworkHistory::new(Genesis::without_witnesses(1));
    let signed = change(&history, 50, &[0, 1, 2]);
    assert!(matches!(history.follow(signed), Err(FollowError::Unsigned { .. })));
}

#[test]
fn path_leads_from_its_fact_to_its_root_only() {
    for facts in [1usize, 2, 3, 7, 8, 100] {
        let all: Vec<Digest> = (0..facts).map(|at| Digest::of(&at.to_be_bytes())).collect();
        let list = FactList::new(all.iter().copied().chain([all[0]]));
        let closing = Closing::of(&list);
        assert_eq!(closing.facts, facts as u64, "each once");
        let other = Closing::of(&FactList::new(all[1..].iter().copied()));
        for (at, fact) in all.iter().enumerate() {
            let path = list.path(fact).expect("it is in the list");
            assert!(closing.confirms(fact, &path) && !other.confirms(fact, &path), "{at} of {facts}");
            assert!(!closing.confirms(&all[(at + 1) % facts], &path) || facts == 1);
            assert!(!closing.confirms(&Digest::of(b"another"), &path));
            let encoded = path.encode(Encoder::new()).finish();
            assert_eq!(ClosingPath::decode(&mut Decoder::new(&encoded)), Ok(path));
        }
        assert_eq!(list.path(&Digest::of(b"another")), None);
    }
    let nothing = Closing::of(&FactList::default());
    let path = ClosingPath { place: 0, beside: vec![] };
    assert!(!nothing.confirms(&Digest::of(b"another"), &path));
}
