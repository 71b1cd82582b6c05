//! Two people's devices, their lists, and what others make of them.

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Alice's list key.
const ALICE: [u8; 32] = [7; 32];

fn alice() -> Did {
    Did::from_digest(Digest::of(b"alice"))
}

fn subjects() -> [Subject; 3] {
    let peer = "12D3KooWGRUVh8".parse().expect("letters and digits");
    [
        Subject::Person(alice()),
        Subject::Peer(peer),
        Subject::Module("名".repeat(64).parse().expect("a name of the longest kind")),
    ]
}

fn entry(verdict: BlockDecision, at: u64) -> Entry {
    Entry { at: Timestamp::from_millis(at), verdict, note: "𠮷".repeat(NOTE_MAX_CHARS) }
}

#[test]
fn an_entry_comes_back_for_its_owner_only() {
    let (key, stranger) = (ListKey::of(&ALICE), ListKey::of(&[8; 32]));
    let [first, ..] = subjects();
    for subject in subjects() {
        for verdict in [BlockDecision::Block, BlockDecision::Allow, BlockDecision::Neither] {
            let (place, entry) = (key.place(&subject), entry(verdict, 5));
            let sealed = key.seal([1; NONCE_BYTES], &subject, &entry);
            assert_eq!(sealed.len(), SEALED_BYTES, "the length tells nothing");
            assert_eq!(key.open(&place, &sealed), Ok((subject.clone(), entry)));
            assert!(matches!(stranger.open(&place, &sealed), Err(OpenError::Sealed(_))));
            assert_ne!(stranger.place(&subject), place);
            if subject != first {
                assert!(key.open(&key.place(&first), &sealed).is_err(), "moved to another place");
            }
        }
    }
}

#[test]
fn subjects_come_back_from_their_text() {
    for subject in subjects() {
        assert_eq!(subject.to_string().parse(), Ok(subject));
    }
    for bad in ["", "person:", "person:did:gen:z7v1", "peer:a b", "peer:", "module:../x", "planet:mars"] {
        assert!(bad.parse::<Subject>().is_err(), "{bad}");
    }
}

#[test]
fn what_was_changed_does_not_open() {
    let key = ListKey::of(&ALICE);
    let [subject, ..] = subjects();
    let (place, sealed) = (key.place(&subject), key.seal([1; NONCE_BYTES], &subject, &entry(BlockDecision::Block, 5)));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(key.open(&place, &changed).is_err(), "byte {at}");
        assert!(key.open(&place, &sealed[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn two_devices_agree_in_any_order() {
    let [person, peer, module] = subjects();
    let here = [(person.clone(), entry(BlockDecision::Block, 1)), (peer, entry(BlockDecision::Allow, 4))];
    let there = [(person.clone(), entry(BlockDecision::Neither, 2)), (module, entry(BlockDecision::Block, 3))];
    let merged = |first: &[(Subject, Entry)], second: &[(Subject, Entry)]| {
        let mut lists = BlockList::default();
        assert!(lists.merge(first.to_vec()) && lists.merge(second.to_vec()));
        assert!(!lists.merge(first.to_vec()), "nothing new");
        lists
    };
    let lists = merged(&here, &there);
    assert_eq!(lists, merged(&there, &here));
    assert_eq!(lists.verdict(&person), BlockDecision::Neither, "taken back later");
    assert_eq!(lists.entries().count(), 2);
    let known: BTreeMap<Subject, Entry> = here.into_iter().collect();
    assert_eq!(lists.beyond(&known).count(), 2, "what the first device does not know yet");
}

#[test]
fn a_list_is_full_until_something_is_taken_back() {
    let mut lists = BlockList::default();
    let person = |seed: u16| {
        let mut entropy = [0; 32];
        entropy[..2].copy_from_slice(&seed.to_be_bytes());
        Subject::Person(Did::from_digest(Digest::from_bytes(entropy)))
    };
    for seed in 0..ENTRIES_MAX as u16 {
        lists.decide(person(seed), BlockDecision::Block, String::new(), NOW).expect("there is room");
    }
    let more = |lists: &mut BlockList| lists.decide(person(u16::MAX), BlockDecision::Block, String::new(), NOW);
    assert_eq!(more(&mut lists), Err(ListError::Full));
    assert!(!lists.merge([(person(u16::MAX), entry(BlockDecision::Block, 9))]), "nor from another device");
    lists.decide(person(3), BlockDecision::Neither, String::new(), NOW).expect("a known one");
    assert_eq!(more(&mut lists), Ok(()));
    let long = "x".repeat(NOTE_MAX_CHARS + 1);
    assert_eq!(lists.decide(person(0), BlockDecision::Block, long, NOW), Err(ListError::NoteTooLong));
}

#[test]
fn a_later_decision_wins_although_the_clock_was_set_back() {
    let mut lists = BlockList::default();
    let [person, ..] = subjects();
    lists.decide(person.clone(), BlockDecision::Block, String::new(), NOW).expect("room");
    let before = lists.clone();
    lists.decide(person.clone(), BlockDecision::Neither, String::new(), Timestamp::from_millis(5)).expect("room");
    assert!(!lists.merge(before.0), "the older one stays behind");
    assert_eq!(lists.verdict(&person), BlockDecision::Neither);
}
