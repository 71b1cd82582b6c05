//! What must never get in: forged, replayed, foreign, weak-keyed, flipped, oversized and bomb-like entries.
//!
//! Every case counts what was admitted; the expected number is 0. Runs on the real node with the memory store.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use futures::executor::block_on;
use futures::future::join_all;
use gen_registry_api::{Answer, Command, ProfileChanges};
use gen_registry_core::actors::Device;
use gen_registry_core::digest::Digest;
use gen_registry_core::document::{
    CHANGE_MAX_BYTES, Checkpoint, ChunkError, Data, Document, Edit, NotAChange, Write, count_operations,
};
use gen_registry_core::identity::Topic;
use gen_registry_core::keys::{PublicKey, SIGNATURE_BYTES, SecretKey};
use gen_registry_core::log::{Body, BodyError, Capabilities, Entry, EntryId, HEADER_BYTES, Kind, LogId};
use gen_registry_core::receipt::Receipt;
use gen_registry_core::sync::exchange::wire::Piece;
use gen_registry_core::sync::rejection::Rejection;
use gen_registry_core::time::Timestamp;
use gen_registry_node::platform::native::Native;
use gen_registry_node::platform::test_environment::TestEnvironment;
use gen_registry_node::store::memory::MemoryStore;
use gen_registry_node::store::{Store, Table};
use gen_registry_node::{Network, Node};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};

use crate::support::network::numbered;
use crate::support::people::{LONG_AGO, claim};
use crate::support::store::WatchedStore;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn topic() -> Topic {
    Network::default().topic
}

fn entry(entry: &Entry) -> Piece {
    Piece::Entry(entry.encode())
}

struct Victim {
    node: Node,
    store: Rc<MemoryStore>,
}

impl Victim {
    fn new() -> Self {
        let store = Rc::new(MemoryStore::new());
        let environment = Rc::new(TestEnvironment::new(1, NOW));
        Self { node: block_on(Node::start(store.clone(), environment, Network::default())).unwrap(), store }
    }

    /// One that has the opening of this device: no entry of it has to wait.
    fn that_knows(device: &Device) -> Self {
        let victim = Self::new();
        let report = block_on(victim.node.admission().admit(vec![entry(&device.opening)])).unwrap();
        assert_eq!(report.outcome.kept.len(), 1);
        victim
    }

    /// Everything in the store.
    fn stored(&self) -> Vec<(Table, String, Vec<u8>)> {
        let of = |table| {
            let entries = block_on(self.store.scan(table, "", None, usize::MAX)).unwrap();
            entries.into_iter().map(move |(key, bytes)| (table, key, bytes))
        };
        Table::ALL.into_iter().flat_map(of).collect()
    }

    /// The faults; asserts that nothing was admitted and nothing stored.
    fn refuses(&self, pieces: Vec<Piece>) -> Vec<Rejection> {
        let before = self.stored();
        let outcome = block_on(self.node.admission().admit(pieces)).unwrap().outcome;
        assert_eq!((outcome.kept.as_slice(), outcome.has_news), (&[][..], false));
        assert_eq!(self.stored(), before, "nothing of what is refused is stored");
        outcome.rejections
    }
}

/// The entry with another signature.
fn signed_with(entry: &Entry, signature: &[u8]) -> Piece {
    let mut bytes = entry.encode();
    bytes[HEADER_BYTES - SIGNATURE_BYTES..HEADER_BYTES].copy_from_slice(signature);
    Piece::Entry(bytes)
}

/// The bytes of an entry from a place on are these.
fn with(entry: &Entry, at: usize, bytes: &[u8]) -> Piece {
    let mut encoded = entry.encode();
    encoded[at..at + bytes.len()].copy_from_slice(bytes);
    Piece::Entry(encoded)
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

/// Where an entry's header has the key of the device: behind the digest of the opening.
const DEVICE_AT: usize = 32;

#[test]
fn forged_replayed_and_foreign_entries_are_refused() {
    let (mut alice, mallory) = (Device::of(topic(), "alice"), Device::of(topic(), "mallory"));
    let (victim, other) = (Victim::that_knows(&alice), numbered(8).topic);
    let opening = alice.opening.clone();
    let genuine = claim(&mut alice, "nova", LONG_AGO);
    let later = claim(&mut alice, "stella", LONG_AGO);
    let header = genuine.signed_header().encode();
    let signature_of = |entry: &Entry| entry.signed_header().encode()[HEADER_BYTES - SIGNATURE_BYTES..].to_vec();
    let by = |key: &SecretKey, topic: &Topic| {
        let (kind, body) = (genuine.header().kind, genuine.body().to_vec());
        entry(&Entry::after(topic, key, opening.signed_header(), kind, body))
    };
    let as_receipt = alice.key.sign(&topic(), "gen-registry/receipt/v2", &header[..HEADER_BYTES - SIGNATURE_BYTES]);
    let receipt =
        Receipt::sign(&topic(), &mallory.key, 0, genuine.id(), vec![Digest::of(b"a slot")], LONG_AGO).encode();
    let mut forged_receipt = receipt.clone();
    *forged_receipt.last_mut().unwrap() ^= 1;
    let forgeries = vec![
        by(&mallory.key, &topic()),
        by(&alice.key, &other),
        signed_with(&genuine, as_receipt.as_bytes()),
        signed_with(&genuine, &signature_of(&later)),
        signed_with(&genuine, &[0; SIGNATURE_BYTES]),
        with(&genuine, DEVICE_AT, mallory.key.public().as_bytes()),
        with(&genuine, 0, mallory.log().opening.as_bytes()),
        Piece::Entry(header[..HEADER_BYTES - SIGNATURE_BYTES].to_vec()),
        Piece::Entry([&header[..], &later.encode()[HEADER_BYTES..]].concat()),
        Piece::Receipt(forged_receipt),
        Piece::Fork(header.clone(), later.signed_header().encode()[1..].to_vec()),
    ];
    assert_eq!(victim.refuses(forgeries.clone()), vec![Rejection::Forged; forgeries.len()]);
    // Genuine, but no proof of anything: two different places, and a receipt of no witness.
    let no_fork = Piece::Fork(header, later.signed_header().encode());
    assert_eq!(victim.refuses(vec![no_fork, Piece::Receipt(receipt)]), [Rejection::BadChange]);
    // The test can fail: the honest one is admitted, and is no news the second time.
    let report = block_on(victim.node.admission().admit(vec![entry(&genuine)])).unwrap();
    assert_eq!((report.outcome.kept, report.outcome.rejections), (vec![genuine.clone()], vec![]));
    assert_eq!(victim.refuses(vec![entry(&genuine)]), []);
}

#[test]
fn every_flipped_bit_of_an_entry_is_refused() {
    let mut alice = Device::of(topic(), "alice");
    let victim = Victim::that_knows(&alice);
    let pieces: Vec<Piece> = flips(&claim(&mut alice, "nova", LONG_AGO).encode()).map(Piece::Entry).collect();
    assert_eq!(victim.refuses(pieces.clone()).len(), pieces.len());
    let pieces: Vec<Piece> = flips(&alice.opening.encode()).map(Piece::Entry).collect();
    assert_eq!(Victim::new().refuses(pieces.clone()).len(), pieces.len());
}

#[test]
fn weak_keys_are_rejected() {
    // With the neutral point as key and R, S = 0, a plain ed25519 check accepts any message.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert!(PublicKey::from_bytes(&neutral).is_err());
    let mut alice = Device::of(topic(), "alice");
    let victim = Victim::that_knows(&alice);
    for genuine in [alice.opening.clone(), claim(&mut alice, "nova", LONG_AGO)] {
        let mut bytes = genuine.encode();
        bytes[DEVICE_AT..DEVICE_AT + 32].copy_from_slice(&neutral);
        let signature = HEADER_BYTES - SIGNATURE_BYTES;
        bytes[signature..signature + 32].copy_from_slice(&neutral);
        bytes[signature + 32..HEADER_BYTES].fill(0);
        assert_eq!(victim.refuses(vec![Piece::Entry(bytes)]), [Rejection::Forged]);
    }
}

/// What a device's changes log begins with.
fn first_change(device: &Device, body: Vec<u8>) -> Entry {
    Entry::begin(&topic(), &device.key, device.log().numbered(1), Kind::Change as u8, body)
}

/// A change as an honest device makes it.
fn plain_change(document: &mut Document, log: LogId, edits: &[Edit]) -> Vec<u8> {
    let writes: Vec<Write> = edits.iter().map(Edit::to_write).collect();
    document.write(log, NOW, &writes).unwrap()
}

#[test]
fn signed_bytes_that_are_no_plain_change_never_reach_automerge() {
    let alice = Device::of(topic(), "alice");
    let victim = Victim::that_knows(&alice);
    let plain = plain_change(&mut Document::default(), alice.log().numbered(1), &[Edit::Bio(Some("hello".into()))]);
    let with = |at: usize, value: u8| {
        let mut bytes = plain.clone();
        bytes[at] = value;
        bytes
    };
    let mut long = plain.clone();
    long.push(0);
    let form = NotAChange::Form;
    let cases: Vec<(Vec<u8>, NotAChange)> = vec![
        (with(0, 0), form(ChunkError::NotAChunk)),
        (with(8, 0), form(ChunkError::NotAPlainChange(0))),
        (with(8, 2), form(ChunkError::NotAPlainChange(2))),
        (Vec::new(), form(ChunkError::NotAChunk)),
        (plain[..plain.len() - 1].to_vec(), form(ChunkError::Length)),
        (long, form(ChunkError::Length)),
        (vec![0; CHANGE_MAX_BYTES + 1], NotAChange::TooLarge(CHANGE_MAX_BYTES + 1)),
        (bomb(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00]), form(ChunkError::TooManyOperations)),
    ];
    for (bytes, expected) in cases {
        assert_eq!(count_operations(&bytes), Err(expected));
        // Its owner signed it: the carrier is not to blame.
        assert_eq!(victim.refuses(vec![entry(&first_change(&alice, bytes))]), []);
    }
    let report = block_on(victim.node.admission().admit(vec![entry(&first_change(&alice, plain))])).unwrap();
    assert_eq!(report.outcome.kept.len(), 1, "the test can fail");
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

/// The bomb's form with an honest run length passes the outer check, so the bound is what refuses the bomb.
#[test]
fn run_length_within_bounds_is_left_out_by_automerge() {
    let alice = Device::of(topic(), "alice");
    let bytes = bomb(&[1]);
    assert_eq!(count_operations(&bytes), Ok(1));
    let (log, first) = (alice.log().numbered(1), first_change(&alice, bytes.clone()));
    let inserted = Document::default().insert_change(log, 0, first.id(), &bytes, &Capabilities::full());
    assert_eq!(inserted, Err(NotAChange::Unreadable));
    // A node keeps the entry and reads nothing in it; what follows in its log counts.
    let victim = Victim::that_knows(&alice);
    let bio = plain_change(&mut Document::default(), log, &[Edit::Bio(Some("hello".into()))]);
    let second = Entry::after(&topic(), &alice.key, first.signed_header(), Kind::Change as u8, bio);
    let report = block_on(victim.node.admission().admit(vec![entry(&first), entry(&second)])).unwrap();
    assert_eq!((report.outcome.kept.len(), report.outcome.rejections), (2, vec![]));
    let person = block_on(victim.node.handle(Command::Person { did: alice.did.to_string() })).unwrap();
    let Answer::Person(Some(person)) = person else { panic!("{person:?}") };
    assert_eq!(person.profile.bio.as_deref(), Some("hello"));
}

#[test]
fn signed_noise_neither_panics_nor_spoils_a_document() {
    const ROUNDS: usize = 6_000;
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let log = Device::of(topic(), "alice").log().numbered(1);
    let id = |bytes: &[u8]| EntryId::from_digest(Digest::of(bytes));
    let put = |document: &mut Document, seq: usize, bytes: &[u8]| {
        document.insert_change(log, seq as u64, id(bytes), bytes, &Capabilities::full())
    };
    let edits = [
        vec![Edit::JoinedAt(LONG_AGO), Edit::Bio(Some("hello".into()))],
        vec![
            Edit::Links(vec!["https://a.example".into(), "https://b.example".into()]),
            Edit::DisplayName(Some("A".into())),
        ],
        vec![Edit::Bio(None), Edit::Links(Vec::new()), Edit::JoinedAt(Timestamp::from_millis(6))],
    ];
    let mut document = Document::default();
    let honest: Vec<Vec<u8>> = edits
        .iter()
        .enumerate()
        .map(|(seq, edits)| {
            let bytes = plain_change(&mut document, log, edits);
            put(&mut document, seq, &bytes).unwrap();
            bytes
        })
        .collect();
    let (mut counted, mut left_out) = (0, 0);
    for round in 0..ROUNDS {
        let which = round % honest.len();
        let mut bytes = honest[which].clone();
        // Most harm the columns alone: whose change it is, and after what, is the same.
        let from = if rng.random_bool(0.25) { 9 } else { bytes.len() * 2 / 3 };
        for _ in 0..rng.random_range(1..3) {
            let at = rng.random_range(from..bytes.len());
            bytes[at] = if rng.random_bool(0.5) { rng.random_range(0..8) } else { rng.next_u32() as u8 };
        }
        let hash = Digest::of(&bytes[8..]);
        bytes[4..8].copy_from_slice(&hash.as_bytes()[..4]);
        let mut document = Document::default();
        for (seq, change) in honest[..which].iter().enumerate() {
            put(&mut document, seq, change).unwrap();
        }
        let before = document.data();
        let _ = put(&mut document, which, &bytes);
        if document.counts(&id(&bytes)) {
            counted += 1;
        } else {
            left_out += 1;
            assert_eq!(document.data(), before);
        }
        // In either case the document can be written down, read again and written on.
        let (checkpoint, data) = document.make_checkpoint(vec![(log, which as u64, id(&bytes))]).unwrap();
        let (checkpoint, data) =
            (Checkpoint::decode(&checkpoint.encode()).unwrap(), Data::decode(&data.encode()).unwrap());
        let mut again = Document::default();
        again.insert_checkpoint(id(b"checkpoint"), checkpoint, Some(data));
        let after = plain_change(&mut again, log, &[Edit::Bio(Some("after".into()))]);
        put(&mut again, which + 1, &after).unwrap();
        assert!(again.counts(&id(&after)), "round {round}");
    }
    assert!(left_out > ROUNDS / 4 && counted > ROUNDS / 10, "{counted} count, {left_out} are left out");
}

#[test]
fn claim_has_exactly_one_encoding() {
    // An unprepared name signed by its author is still no claim: the canonical bytes say "nova".
    let mut alice = Device::of(topic(), "alice");
    let canonical = claim(&mut alice, "nova", LONG_AGO);
    assert!(Body::of(&topic(), &canonical).is_ok());
    let mut bytes = canonical.body().to_vec();
    let name = bytes.windows(4).position(|window| window == b"nova").unwrap();
    bytes[name] = b'N';
    let unprepared = alice.write_raw(Kind::Claim as u8, bytes);
    assert!(matches!(Body::of(&topic(), &unprepared), Err(BodyError::Unreadable(_))));
    // It is kept, as every entry in its place is, and gives the name to no one.
    let victim = Victim::that_knows(&alice);
    let look_up = || match block_on(victim.node.handle(Command::LookupUsername { name: "nova".into() })) {
        Ok(Answer::Name(report)) => report.holder,
        other => panic!("{other:?}"),
    };
    let mut mallory = Device::of(topic(), "alice");
    let first = mallory.write_raw(Kind::Claim as u8, unprepared.body().to_vec());
    let report = block_on(victim.node.admission().admit(vec![entry(&first)])).unwrap();
    assert_eq!((report.outcome.kept.len(), look_up()), (1, None));
}

#[test]
fn flood_of_forgeries_leaves_own_data_untouched() {
    let victim = Victim::new();
    let command = Command::RegisterUsername { name: "victim".into(), changes: ProfileChanges::default() };
    let Ok(Answer::Me(before)) = block_on(victim.node.handle(command)) else { panic!("no claim") };
    let mut mallory = Device::of(topic(), "mallory");
    let genuine = claim(&mut mallory, "victim", LONG_AGO);
    let forged = (0..500).map(|nth| {
        let mut bytes = genuine.encode();
        bytes[HEADER_BYTES - SIGNATURE_BYTES + nth % SIGNATURE_BYTES] ^= 1;
        Piece::Entry(bytes)
    });
    assert_eq!(victim.refuses(forged.collect()), vec![Rejection::Forged; 500]);
    let Ok(Answer::Me(after)) = block_on(victim.node.handle(Command::WhoAmI)) else { panic!("no me") };
    assert_eq!(before, after);
}

/// Each of many peers has a page of strangers on its way. What the person writes, and what an honest peer says, come before
/// all of them but those that have begun.
#[tokio::test]
async fn own_write_and_few_pieces_do_not_wait_for_the_pages_of_many() {
    let store = Rc::<WatchedStore>::default();
    let node = Node::start(store.clone(), Rc::new(Native), Network::default()).await.unwrap();
    store.commit_takes.set(Duration::from_millis(5));
    let page = |peer: usize| {
        (0..STRANGERS).map(move |nth| entry(&Device::of(topic(), &format!("stranger {peer} {nth}")).opening)).collect()
    };
    let done = Cell::new(0);
    let admit = async |peer: usize| {
        node.admission().admit(page(peer)).await.unwrap();
        done.set(done.get() + 1);
    };
    let pages = async {
        join_all((0..PEERS).map(admit)).await;
    };
    let own = async {
        let command = Command::RegisterUsername { name: "victim".into(), changes: ProfileChanges::default() };
        node.handle(command).await.unwrap();
        done.get()
    };
    let honest = async {
        let report = node.admission().admit(vec![entry(&Device::of(topic(), "bob").opening)]).await.unwrap();
        assert_eq!(report.outcome.kept.len(), 1);
        done.get()
    };
    let ((), before_own, before_honest) = futures::join!(pages, own, honest);
    assert_eq!(done.get(), PEERS);
    let few = PEERS / 3;
    assert!(before_own <= few && before_honest <= few, "after {before_own} and {before_honest} of {PEERS} pages");
}

/// Twenty thousand at the next comparison would be one piece of a quarter of a second.
#[test]
fn page_leaves_no_digests_to_the_next_comparison() {
    let victim = Victim::new();
    let page = (0..STRANGERS).map(|nth| entry(&Device::of(topic(), &format!("stranger {nth}")).opening)).collect();
    assert_eq!(block_on(victim.node.admission().admit(page)).unwrap().outcome.kept.len(), STRANGERS);
    assert_eq!(victim.node.known().unsettled_states(), 0);
}

/// One thread of a server does everything: what arrives meanwhile is read between two slices of a page.
#[tokio::test]
async fn page_lets_a_native_node_do_other_things() {
    let node = Node::start(Rc::new(MemoryStore::new()), Rc::new(Native), Network::default()).await.unwrap();
    let page = (0..20 * STRANGERS).map(|nth| entry(&Device::of(topic(), &format!("stranger {nth}")).opening)).collect();
    let done = Cell::new(false);
    let admitting = async {
        node.admission().admit(page).await.unwrap();
        done.set(true);
    };
    let others = async {
        let mut turns = 0;
        while !done.get() {
            turns += 1;
            tokio::task::yield_now().await;
        }
        turns
    };
    let ((), turns) = futures::join!(admitting, others);
    assert!(turns > 3, "{turns} turns of others");
}

/// Peers with a page each, and the strangers in one.
const PEERS: usize = 12;
const STRANGERS: usize = 40;

/// Automerge panics on this one.
#[test]
fn predecessors_with_integer_actors_are_rejected() {
    let log = Device::of(topic(), "alice").log().numbered(1);
    let mut document = Document::default();
    let edits = [Some("one"), Some("two"), None].map(|bio| Edit::Bio(bio.map(str::to_owned)));
    let mut last = Vec::new();
    for (seq, edit) in edits.iter().enumerate() {
        last = plain_change(&mut document, log, std::slice::from_ref(edit));
        let id = EntryId::from_digest(Digest::of(&last));
        document.insert_change(log, seq as u64, id, &last, &Capabilities::full()).unwrap();
    }
    let columns = last.windows(2).position(|pair| pair[0] == 0x70).expect("a predecessor");
    assert_eq!(last[columns + 2], 0x71, "the column of its actors");
    last[columns + 2] = 0x72;
    let hash = Digest::of(&last[8..]);
    last[4..8].copy_from_slice(&hash.as_bytes()[..4]);
    assert_eq!(count_operations(&last), Err(NotAChange::Form(ChunkError::UnknownColumn(0x72))));
}
