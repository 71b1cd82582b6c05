//! What must never get in: forged, replayed, foreign, weak-keyed, flipped, oversized and bomb-like changes and facts.
//!
//! Every case counts what was admitted; the expected number is 0. Runs on the real node with the memory store.

use std::rc::Rc;

use futures::executor::block_on;
use gen_registry_api::{Answer, Command, ProfileChanges};
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{ChangeError, ChangeRejection, ChunkError, Document, Edit, SignedChange};
use gen_registry_core::fact::{self, Fact, SignedFact};
use gen_registry_core::identity::{Identity, IdentityError, SigningIdentity, Statement, Topic};
use gen_registry_core::limits::*;
use gen_registry_node::Node;
use gen_registry_node::RefusedChange;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::Table;
use gen_registry_node::store::memory::MemoryStore;
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::support::network::of_topic;
use crate::support::people::{TOPIC, at, claim, person, receipt, release};

const CHANGE_DOMAIN: &str = "gen-registry/change/v1";

struct Victim {
    node: Node,
    store: Rc<MemoryStore>,
}

impl Victim {
    fn new() -> Self {
        let store = Rc::new(MemoryStore::new());
        let network = of_topic(TOPIC);
        let environment = Rc::new(TestEnvironment::new(1, at(1_800_000_000_000)));
        Self { node: block_on(Node::start(store.clone(), environment, network)).unwrap(), store }
    }

    /// What was refused; asserts that nothing was admitted and nothing stored.
    fn refuses(&self, changes: Vec<SignedChange>) -> Vec<RefusedChange> {
        let report = block_on(self.node.admission().admit(changes)).unwrap();
        assert_eq!((report.admitted, report.known), (0, 0));
        for table in Table::ALL.into_iter().filter(|table| *table != Table::Settings) {
            assert_eq!(self.store.keys(table), Vec::<String>::new(), "nothing of a refused change is stored");
        }
        report.refused
    }
}

/// An honest change by `author`: a claim of `name`.
fn honest(author: &SigningIdentity, name: &str) -> SignedChange {
    let mut document = Document::new(author.identity());
    let edit = Edit::AddFact(claim(author, name, at(1_000)));
    document.edit(author, &TOPIC, &[3; 16], at(1_000), &[edit]).unwrap().signed().clone()
}

fn signed(author: &SigningIdentity, bytes: Vec<u8>) -> SignedChange {
    let signature = author.sign(&TOPIC, CHANGE_DOMAIN, &bytes).to_vec();
    SignedChange { owner: author.identity(), bytes, signature }
}

#[test]
fn forged_replayed_and_foreign_changes_are_refused() {
    let (alice, mallory) = (person("alice"), person("mallory"));
    let change = honest(&alice, "nova");
    let signature = |identity: &SigningIdentity, topic: &Topic, domain: &str| SignedChange {
        signature: identity.sign(topic, domain, &change.bytes).to_vec(),
        ..change.clone()
    };
    let forgeries = vec![
        signature(&mallory, &TOPIC, CHANGE_DOMAIN),
        signature(&alice, &Topic::from_bytes([8; 32]), CHANGE_DOMAIN),
        signature(&alice, &TOPIC, "gen-registry/name-claim/v1"),
        SignedChange { owner: mallory.identity(), ..change.clone() },
        SignedChange { signature: Vec::new(), ..change.clone() },
        SignedChange { signature: vec![0; 64], ..change.clone() },
    ];
    let refused = Victim::new().refuses(forgeries.clone());
    assert_eq!(refused.len(), forgeries.len());
    assert!(refused.iter().all(|refused| matches!(refused, RefusedChange::Invalid { why: ChangeError::Forged, .. })));
    // The test can fail: the honest one is admitted.
    let report = block_on(Victim::new().node.admission().admit(vec![change])).unwrap();
    assert_eq!((report.admitted, report.refused.len()), (1, 0));
}

#[test]
fn every_flipped_bit_of_a_change_is_refused() {
    let change = honest(&person("alice"), "nova");
    let flips = |bytes: &[u8]| -> Vec<Vec<u8>> {
        (0..bytes.len() * 8)
            .map(|bit| {
                let mut flipped = bytes.to_vec();
                flipped[bit / 8] ^= 1 << (bit % 8);
                flipped
            })
            .collect()
    };
    let in_bytes = flips(&change.bytes).into_iter().map(|bytes| SignedChange { bytes, ..change.clone() });
    let in_signature =
        flips(&change.signature).into_iter().map(|signature| SignedChange { signature, ..change.clone() });
    let all: Vec<SignedChange> = in_bytes.chain(in_signature).collect();
    assert_eq!(Victim::new().refuses(all.clone()).len(), all.len());
}

#[test]
fn weak_keys_are_rejected() {
    // With the neutral point as key and R, S = 0, a plain ed25519 check accepts any message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(Identity::from_bytes(&neutral), Err(IdentityError::Weak));
    let mut signature = neutral.to_vec();
    signature.extend_from_slice(&[0; 32]);
    let owner = Identity::from_trusted(neutral);
    let change = SignedChange { owner, signature, ..honest(&person("alice"), "nova") };
    assert_eq!(Victim::new().refuses(vec![change]).len(), 1);
}

#[test]
fn signed_bytes_that_are_no_plain_change_never_reach_automerge() {
    let alice = person("alice");
    let plain = honest(&alice, "nova").bytes;
    let with = |at: usize, value: u8| {
        let mut bytes = plain.clone();
        bytes[at] = value;
        bytes
    };
    let mut long = plain.clone();
    long.push(0);
    let cases: Vec<(Vec<u8>, ChunkError)> = vec![
        (with(0, 0), ChunkError::NotAChunk),
        (with(8, 0), ChunkError::NotAPlainChange(0)),
        (with(8, 2), ChunkError::NotAPlainChange(2)),
        (Vec::new(), ChunkError::NotAChunk),
        (plain[..plain.len() - 1].to_vec(), ChunkError::Length),
        (long, ChunkError::Length),
        (vec![0; CHANGE_MAX_BYTES + 1], ChunkError::TooLarge(CHANGE_MAX_BYTES + 1)),
        (bomb(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]), ChunkError::TooManyOperations),
    ];
    let victim = Victim::new();
    for (bytes, expected) in cases {
        match victim.refuses(vec![signed(&alice, bytes)]).as_slice() {
            [RefusedChange::Invalid { why: ChangeError::Form(why), .. }] => assert_eq!(*why, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

/// A change of a few bytes with one column: a run length (LEB128), as large as one likes, and one value.
fn bomb(run_length: &[u8]) -> Vec<u8> {
    let mut column = run_length.to_vec();
    column.push(1);
    let mut data = vec![0]; // no dependencies
    data.extend_from_slice(&[2, 5, 5, 1, 1, 0, 0, 0]); // actor, seq, start, time, no message, no other actors
    data.extend_from_slice(&[1, 0x42, column.len() as u8]); // one column: action, integers
    data.extend_from_slice(&column);
    let mut chunk = vec![0x85, 0x6f, 0x4a, 0x83, 0, 0, 0, 0, 1, data.len() as u8];
    chunk.extend_from_slice(&data);
    let hash = Digest::of(&chunk[8..]);
    chunk[4..8].copy_from_slice(&hash.as_bytes()[..4]);
    chunk
}

#[test]
fn run_length_within_bounds_is_rejected_by_automerge() {
    // The bomb's form with an honest run length passes the outer check, so the bound is what refuses the bomb.
    let refused = Victim::new().refuses(vec![signed(&person("alice"), bomb(&[1]))]);
    assert!(
        matches!(refused.as_slice(), [RefusedChange::Rejected { why: ChangeRejection::Unreadable(_), .. }]),
        "{refused:?}"
    );
}

#[test]
fn signed_noise_neither_panics_nor_changes_a_document() {
    const ROUNDS: usize = 6_000;
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let alice = person("alice");
    let mut document = Document::new(alice.identity());
    let edits = [
        vec![Edit::AddFact(claim(&alice, "nova", at(1_000))), Edit::Bio(Some("hello".into()))],
        vec![
            Edit::Links(vec!["https://a.example".into(), "https://b.example".into()]),
            Edit::DisplayName(Some("A".into())),
        ],
        vec![Edit::Bio(None), Edit::Links(Vec::new()), Edit::JoinedAt(at(5))],
    ];
    let honest = edits.map(|edits| document.edit(&alice, &TOPIC, &[3; 16], at(1_000), &edits).unwrap());
    let (mut admitted, mut refused) = (0, 0);
    for round in 0..ROUNDS {
        let which = round % honest.len();
        let mut bytes = honest[which].signed().bytes.clone();
        for _ in 0..rng.random_range(1..4) {
            let at = rng.random_range(9..bytes.len());
            bytes[at] = if rng.random_bool(0.5) { rng.random_range(0..8) } else { rng.next_u32() as u8 };
        }
        let hash = Digest::of(&bytes[8..]);
        bytes[4..8].copy_from_slice(&hash.as_bytes()[..4]);
        let mut document = Document::new(alice.identity());
        for change in &honest[..which] {
            document.admit(change.clone()).unwrap();
        }
        let before = document.view(&TOPIC).profile;
        let change = SignedChange { owner: alice.identity(), bytes, signature: Vec::new() }.decode_unverified();
        match change.map_err(|error| error.to_string()).and_then(|c| document.admit(c).map_err(|e| e.to_string())) {
            Ok(_) => admitted += 1,
            Err(_) => {
                refused += 1;
                assert_eq!(document.view(&TOPIC).profile, before);
            }
        }
        // Whatever it was: the document can be stored, read again and written on.
        let mut again = Document::load(alice.identity(), &document.snapshot()).expect("a snapshot loads");
        again.edit(&alice, &TOPIC, &[4; 16], at(2_000), &[Edit::Bio(Some("after".into()))]).unwrap();
        assert_eq!(again.view(&TOPIC).profile.bio.as_deref(), Some("after"));
    }
    assert!(refused > ROUNDS / 4 && admitted > ROUNDS / 10, "{admitted} admitted, {refused} refused");
}

#[test]
fn facts_do_not_verify_as_another_kind_or_network() {
    let alice = person("alice");
    let one = claim(&alice, "nova", at(5));
    let facts = [one.clone(), release(&alice, &one, at(6)), receipt(&alice, &one, at(6))];
    for (row, fact) in facts.iter().enumerate() {
        for (column, other) in facts.iter().enumerate() {
            // The signature of `fact` under the statement of `other`.
            let mut bytes = other.encode();
            let signature = fact.encode()[fact.encode().len() - 64..].to_vec();
            let from = bytes.len() - 64;
            bytes[from..].copy_from_slice(&signature);
            assert_eq!(fact::verify(&bytes, &TOPIC).is_ok(), row == column, "{row} as {column}");
        }
        assert!(fact::verify(&fact.encode(), &Topic::from_bytes([8; 32])).is_err());
        let bytes = fact.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(fact::verify(&flipped, &TOPIC).is_err(), "bit {bit}");
        }
    }
}

#[test]
fn claim_has_exactly_one_encoding() {
    // An unprepared name signed by its author is still no claim: the canonical bytes say "nova".
    let alice = person("alice");
    let canonical = claim(&alice, "nova", at(5));
    let mut bytes = canonical.statement().encode();
    let name = bytes.windows(4).position(|window| window == b"nova").unwrap();
    bytes[name] = b'N';
    assert!(Fact::decode(&bytes).is_ok_and(|fact| fact.encode() != bytes) || Fact::decode(&bytes).is_err());
    let domain = canonical.statement().domain();
    let mut signed = alice.identity().as_bytes().to_vec();
    signed.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
    signed.extend_from_slice(&bytes);
    signed.extend_from_slice(&alice.sign(&TOPIC, domain, &bytes));
    assert!(fact::verify(&signed, &TOPIC).is_err());
}

#[test]
fn facts_of_others_inside_a_document_are_verified() {
    let (alice, mallory) = (person("alice"), person("mallory"));
    let mut forged = claim(&alice, "nova", at(1)).encode();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    // Mallory's document carries a claim that Alice never signed.
    assert!(SignedFact::verify_within_change_of(&mallory.identity(), &forged, &TOPIC).is_err());
    // Even where the owner vouches, an own fact with a bad signature stays the owner's own statement.
    let own = SignedFact::verify_within_change_of(&alice.identity(), &forged, &TOPIC).unwrap();
    let mut document = Document::new(mallory.identity());
    document.edit(&mallory, &TOPIC, &[1; 16], at(1), &[Edit::AddFact(own)]).unwrap();
    let view = document.view(&TOPIC);
    assert_eq!((view.facts.len(), view.rejections.len()), (0, 1));
}

#[test]
fn flood_of_changes_leaves_own_data_untouched() {
    let victim = Victim::new();
    let command = Command::RegisterUsername { name: "victim".into(), changes: ProfileChanges::default() };
    let Ok(Answer::Me(before)) = block_on(victim.node.handle(command)) else { panic!("no claim") };
    let mallory = person("mallory");
    let stored: Vec<String> = victim.store.keys(Table::Changes);
    let forged = (0..500).map(|nth| {
        let mut change = honest(&mallory, "victim");
        change.signature[nth % 64] ^= 1;
        change
    });
    let report = block_on(victim.node.admission().admit(forged.collect())).unwrap();
    assert_eq!((report.admitted, report.refused.len()), (0, 500));
    assert_eq!(victim.store.keys(Table::Changes), stored);
    let Ok(Answer::Me(after)) = block_on(victim.node.handle(Command::WhoAmI)) else { panic!("no me") };
    assert_eq!(before, after);
}

/// Automerge panics on this one.
#[test]
fn predecessors_with_integer_actors_are_rejected() {
    let alice = person("alice");
    let mut document = Document::new(alice.identity());
    for bio in ["one", "two"] {
        document.edit(&alice, &TOPIC, &[3; 16], at(1_000), &[Edit::Bio(Some(bio.into()))]).unwrap();
    }
    let last = document.edit(&alice, &TOPIC, &[3; 16], at(1_000), &[Edit::Bio(None)]).unwrap().signed().clone();
    assert!(last.clone().decode_unverified().is_ok());
    let mut bytes = last.bytes;
    let columns = bytes.windows(2).position(|pair| pair[0] == 0x70).expect("a predecessor");
    assert_eq!(bytes[columns + 2], 0x71, "the column of its actors");
    bytes[columns + 2] = 0x72;
    let hash = Digest::of(&bytes[8..]);
    bytes[4..8].copy_from_slice(&hash.as_bytes()[..4]);
    let refused = SignedChange { owner: alice.identity(), bytes, signature: Vec::new() }.decode_unverified();
    assert_eq!(refused, Err(ChangeError::Form(ChunkError::UnknownColumn(0x72))));
}
