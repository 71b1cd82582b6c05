//! One log: order, forks, ends and bounds, in any order of arrival.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::*;
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::SecretKey;
use crate::log::Entry;

const TOPIC: Topic = Topic::from_bytes([9; 32]);

fn device() -> SecretKey {
    SecretKey::from_seed(&[3; 32])
}

/// The next entry of a log; `text` makes two of one place differ.
fn next(number: u32, previous: Option<&SignedHeader>, kind: Kind, text: &str) -> SignedHeader {
    let entry = match previous {
        Some(previous) => Entry::after(&TOPIC, &device(), previous, kind as u8, text.into()),
        None if number == 0 => Entry::open(&TOPIC, &device(), b"opening".into()),
        None => Entry::begin(&TOPIC, &device(), facts().log().numbered(number), kind as u8, text.into()),
    };
    *entry.signed_header()
}

/// A branch of `count` entries after `from`.
fn branch(number: u32, from: Option<&SignedHeader>, count: usize, text: &str) -> Vec<SignedHeader> {
    let mut entries: Vec<SignedHeader> = Vec::new();
    for at in 0..count {
        let previous = entries.last().or(from);
        let kind = if previous.is_none() && number == 0 { Kind::Opening } else { Kind::Claim };
        let entry = next(number, previous, kind, &format!("{text} {at}"));
        entries.push(entry);
    }
    entries
}

fn last(entry: &SignedHeader) -> End {
    let header = entry.header();
    End::After(CutLog { log: header.log.number, seq: header.seq, entry: entry.id() })
}

fn facts() -> Chain {
    Chain::new(LogId::facts(Digest::of(b"opening"), device().public()))
}

fn admit_all(chain: &mut Chain, entries: &[SignedHeader]) {
    for entry in entries {
        chain.admit(entry, 0).expect("no bound is near");
    }
}

#[test]
fn entries_are_taken_in_order_and_once() {
    let entries = branch(0, None, 3, "a");
    let mut chain = facts();
    assert_eq!(chain.admit(&entries[1], 0), Ok(Admitted::Waiting));
    for entry in &entries {
        assert_eq!(chain.admit(entry, 0), Ok(Admitted::Extended));
        assert_eq!(chain.admit(entry, 0), Ok(Admitted::Known));
    }
    assert_eq!((chain.len(), chain.head()), (3, Some(entries[2].id())));
    let elsewhere = branch(1, None, 1, "a");
    assert_eq!(chain.admit(&elsewhere[0], 0), Err(ChainRejection::OtherLog));
}

#[test]
fn fork_ends_the_log_before_the_place_that_was_signed_twice() {
    let owner = branch(0, None, 6, "owner");
    let thief = branch(0, Some(&owner[2]), 4, "thief");
    let mut chain = facts();
    admit_all(&mut chain, &owner);
    assert_eq!(chain.admit(&thief[0], 0), Ok(Admitted::Forked { at: 3, other: owner[3].id() }));
    assert_eq!((chain.len(), chain.fork()), (3, Some(3)));
    assert_eq!(chain.admit(&owner[3], 0), Ok(Admitted::Beyond));
    assert_eq!(chain.admit(&thief[1], 0), Ok(Admitted::Beyond));
    // A lower one that is proven later counts; a higher one changes nothing.
    assert!(!chain.note_fork(4) && chain.note_fork(1));
    assert_eq!(chain.len(), 1);

    let proof = ForkProof::new(owner[3], thief[0]).expect("two entries 3");
    assert_eq!((proof.seq(), proof.log()), (3, chain.log()));
    assert_eq!(ForkProof::new(thief[0], owner[3]), Some(proof), "in one order");
    assert_eq!(ForkProof::new(owner[3], owner[3]), None);
    assert_eq!(ForkProof::new(owner[3], owner[4]), None);
}

#[test]
fn cut_takes_the_branch_of_the_owner_whatever_forks_lie_below() {
    let owner = branch(0, None, 8, "owner");
    let thief = branch(0, Some(&owner[2]), 6, "thief");
    // A had the owner's branch, B the thief's; both go back to the fork and come to the same.
    for (first, second) in [(&owner, &thief), (&thief, &owner)] {
        let mut chain = facts();
        admit_all(&mut chain, &owner[..3]);
        admit_all(&mut chain, first);
        admit_all(&mut chain, second);
        assert_eq!(chain.len(), 3);
        assert!(chain.end_at(last(&owner[6])) && !chain.end_at(last(&owner[6])));
        // Fetched backwards, as it says.
        while let Some(wanted) = chain.wanted() {
            let entry = owner.iter().chain(&thief).find(|entry| entry.id() == wanted).expect("somebody has it");
            chain.admit(entry, 0).expect("it is taken");
        }
        assert_eq!((chain.len(), chain.head()), (7, Some(owner[6].id())));
        assert_eq!(chain.admit(&owner[7], 0), Ok(Admitted::Beyond), "after the cut nothing counts");
        assert_eq!(chain.admit(&thief[1], 0), Ok(Admitted::Beyond));
        assert!(chain.end_at(last(&owner[4])));
        assert_eq!(chain.len(), 5);
        assert!(chain.end_at(End::BeforeFirst));
        assert_eq!((chain.len(), chain.admit(&owner[0], 0)), (0, Ok(Admitted::Beyond)));
        // A rotation lets the device stay after all: the log goes on, up to the fork.
        assert!(chain.end_at(End::Open));
        admit_all(&mut chain, &owner);
        assert_eq!((chain.len(), chain.fork()), (3, Some(3)));
    }
}

#[test]
fn bounds_count_from_the_last_checkpoint() {
    let log = facts().log().numbered(1);
    let (mut chain, mut previous) = (Chain::new(log), None);
    for at in 0..CHANGES_MAX {
        let entry = next(1, previous.as_ref(), Kind::Change, &at.to_string());
        if chain.admit(&entry, 10) == Err(ChainRejection::ChangesFull) {
            panic!("full at {at}");
        }
        previous = Some(entry);
    }
    assert_eq!(chain.admit(&next(1, previous.as_ref(), Kind::Change, "more"), 1), Err(ChainRejection::ChangesFull));
    let checkpoint = next(1, previous.as_ref(), Kind::Checkpoint, "state");
    assert_eq!(chain.admit(&checkpoint, 0), Ok(Admitted::Extended));
    let change = next(1, Some(&checkpoint), Kind::Change, "after");
    assert_eq!(chain.admit(&change, OPERATIONS_MAX), Ok(Admitted::Extended));
    let bomb = next(1, Some(&change), Kind::Change, "a run of ten thousand");
    assert_eq!(chain.admit(&bomb, 1), Err(ChainRejection::ChangesFull), "operations count before they are decoded");
}

/// A log of changes with a checkpoint at each of these places.
fn changes(from: Option<&SignedHeader>, count: usize, text: &str, checkpoints: &[u64]) -> Vec<SignedHeader> {
    let mut entries: Vec<SignedHeader> = Vec::new();
    for at in 0..count {
        let previous = entries.last().or(from);
        let seq = previous.map_or(0, |before| before.header().seq + 1);
        let kind = if checkpoints.contains(&seq) { Kind::Checkpoint } else { Kind::Change };
        let entry = next(1, previous, kind, &format!("{text} {at}"));
        entries.push(entry);
    }
    entries
}

#[test]
fn log_of_changes_is_kept_from_a_checkpoint_on() {
    let entries = changes(None, 12, "a", &[4, 8]);
    let new = || Chain::new(facts().log().numbered(1));
    let mut whole = new();
    admit_all(&mut whole, &entries);
    assert!(whole.prune(3).is_empty(), "there is no checkpoint before");
    let mut fresh = new();
    assert_eq!(fresh.admit(&entries[9], 0), Ok(Admitted::Waiting), "a change is no beginning");
    admit_all(&mut fresh, &entries[8..]);
    assert_eq!((fresh.base(), fresh.len(), fresh.head()), (8, 12, whole.head()));
    assert_eq!(fresh.admit(&entries[3], 0), Ok(Admitted::Known), "what is before it is not needed");
    assert_eq!(whole.prune(9), entries[..8].iter().map(SignedHeader::id).collect::<Vec<_>>());
    assert_eq!((whole.base(), whole.len(), whole.entry(7)), (8, 12, None));
    // A proof that the device signed twice for a place that is not kept any more: the log ends there for everybody, and what
    // is before it is fetched again.
    assert!(whole.note_fork(2));
    assert_eq!((whole.base(), whole.len()), (0, 0));
    admit_all(&mut whole, &entries);
    assert_eq!(whole.len(), 2);
    // A facts log is never pruned.
    let mut log = facts();
    admit_all(&mut log, &branch(0, None, 5, "a"));
    assert!(log.prune(4).is_empty());
}

/// One replica stops at an entry that breaks a bound; another one never saw it. Both go on from the next checkpoint.
#[test]
fn checkpoint_goes_on_after_what_was_refused() {
    let entries = changes(None, 6, "a", &[4]);
    let mut whole = Chain::new(facts().log().numbered(1));
    for (at, entry) in entries.iter().enumerate() {
        let operations = if at == 2 { OPERATIONS_MAX + 1 } else { 1 };
        let admitted = whole.admit(entry, operations);
        assert_eq!(admitted.is_err(), at == 2, "{at}: {admitted:?}");
    }
    let mut fresh = Chain::new(whole.log());
    entries[4..].iter().for_each(|entry| assert_eq!(fresh.admit(entry, 1), Ok(Admitted::Extended)));
    assert_eq!((whole.len(), whole.head()), (fresh.len(), fresh.head()));
}

/// Any order, any split: entries of two branches, and ends that change, delivered in random order and more than once.
/// Every replica that has them all has the same log.
#[test]
fn every_order_of_arrival_gives_one_log() {
    for seed in 0..2_000 {
        let mut random = StdRng::seed_from_u64(seed);
        let are_changes = random.random_bool(0.5);
        let checkpoints: Vec<u64> = (0..14).filter(|_| random.random_bool(0.25)).collect();
        let branch = |from: Option<&SignedHeader>, count, text| {
            if are_changes { changes(from, count, text, &checkpoints) } else { branch(0, from, count, text) }
        };
        let owner = branch(None, random.random_range(2..9), "owner");
        let from = random.random_range(0..owner.len());
        let thief = branch(Some(&owner[from]), random.random_range(1..6), "thief");
        let all: Vec<SignedHeader> = owner.iter().chain(&thief).copied().collect();
        let mut ends: Vec<End> =
            (0..random.random_range(0..3)).map(|_| last(&all[random.random_range(0..all.len())])).collect();
        ends.extend([End::Open, End::BeforeFirst].into_iter().filter(|_| random.random_bool(0.3)));
        let last = ends.choose(&mut random).copied().unwrap_or_default();
        let mut chains: Vec<Chain> = (0..3).map(|_| deliver(&all, &ends, last, &mut random)).collect();
        // Proofs of forks are passed on, where they matter.
        let fork = chains.iter().filter_map(Chain::fork).min().filter(|_| last == End::Open);
        for chain in &mut chains {
            if let Some(fork) = fork {
                chain.note_fork(fork);
            }
            deliver_all(chain, &all);
        }
        let outcomes: Vec<_> = chains.iter().map(|chain| (chain.len(), chain.head())).collect();
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}: {outcomes:?}");
    }
}

fn deliver(all: &[SignedHeader], ends: &[End], last: End, random: &mut StdRng) -> Chain {
    let mut chain = Chain::new(all[0].header().log);
    let mut ends = ends.to_vec();
    ends.shuffle(random);
    // More rounds than there are entries: whatever waits is delivered again, as a peer would.
    for _ in 0..2 * all.len() + 2 {
        let mut entries = all.to_vec();
        entries.shuffle(random);
        for entry in entries.iter().take(random.random_range(1..=all.len())) {
            chain.admit(entry, 0).expect("no bound is near");
            if random.random_bool(0.2)
                && let Some(end) = ends.pop()
            {
                chain.end_at(end);
            }
        }
    }
    chain.end_at(last);
    deliver_all(&mut chain, all);
    chain
}

fn deliver_all(chain: &mut Chain, all: &[SignedHeader]) {
    let backwards: Vec<SignedHeader> = all.iter().rev().copied().collect();
    for _ in 0..=all.len() {
        admit_all(chain, all);
        admit_all(chain, &backwards);
    }
}
