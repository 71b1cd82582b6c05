//! Documents on checkpoints: what counts, what is lost and written again, in any order of arrival.

use rand::rngs::StdRng;
use rand::seq::{IndexedMutRandom, SliceRandom};
use rand::{Rng, SeedableRng};

use super::*;
use crate::keys::SecretKey;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn log(seed: u8) -> LogId {
    LogId { opening: Digest::of(&[seed]), device: SecretKey::from_seed(&[seed; 32]).public(), number: 1 }
}

/// The id that the entry of a body would have.
fn entry(log: &LogId, seq: u64, body: &[u8]) -> EntryId {
    let encoder = Encoder::new().fixed(log.opening.as_bytes()).integer(seq).bytes(body);
    EntryId::from_digest(Digest::of(&encoder.finish()))
}

/// What an entry of a changes log carries.
#[derive(Clone)]
enum Body {
    Change(Vec<u8>),
    Checkpoint(Checkpoint, Data),
    Adoption,
}

#[derive(Clone)]
struct Item {
    log: LogId,
    seq: u64,
    id: EntryId,
    body: Body,
}

/// A device with its copy of the document.
struct Device {
    log: LogId,
    next: u64,
    document: Document,
}

impl Device {
    fn new(seed: u8) -> Self {
        Self { log: log(seed), next: 0, document: Document::default() }
    }

    fn put(&mut self, body: Body, bytes: &[u8]) -> Item {
        let item = Item { log: self.log, seq: self.next, id: entry(&self.log, self.next, bytes), body };
        self.next += 1;
        give(&mut self.document, &item);
        item
    }

    fn write(&mut self, writes: &[Write]) -> Item {
        let bytes = self.document.write(self.log, NOW, writes).expect("a small edit");
        let item = self.put(Body::Change(bytes.clone()), &bytes);
        assert!(self.document.counts(&item.id), "its own change counts");
        item
    }

    fn bio(&mut self, text: &str) -> Item {
        self.write(&[Write::put(Map::Profile, "bio", Value::Text(text.into()))])
    }

    fn checkpoint(&mut self, ends: Vec<(LogId, u64, EntryId)>) -> Item {
        let (checkpoint, data) = self.document.make_checkpoint(ends).expect("everything is here");
        let bytes = checkpoint.encode();
        self.put(Body::Checkpoint(checkpoint, data), &bytes)
    }
}

fn give(document: &mut Document, item: &Item) {
    match &item.body {
        Body::Change(bytes) => {
            document.insert_change(item.log, item.seq, item.id, bytes, &Capabilities::full()).expect("a change");
        }
        Body::Checkpoint(checkpoint, data) => {
            document.insert_checkpoint(item.id, checkpoint.clone(), Some(data.clone()));
        }
        Body::Adoption => document.insert_adoption(item.log, item.seq, item.id),
    }
}

fn end(item: &Item) -> (LogId, u64, EntryId) {
    (item.log, item.seq, item.id)
}

fn text(document: &Document, key: &str) -> Option<String> {
    match document.data().expect("it is here").get(Map::Profile, key) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

#[test]
fn fresh_peer_needs_the_checkpoint_and_what_came_after_it() {
    let mut laptop = Device::new(1);
    for at in 0..20 {
        laptop.bio(&format!("bio {at}"));
    }
    let last = laptop.write(&[Write::put(Map::Profile, "display_name", Value::Text("Alice".into()))]);
    let checkpoint = laptop.checkpoint(vec![end(&last)]);
    let after = laptop.bio("newest");
    let mut fresh = Document::default();
    give(&mut fresh, &after);
    assert_eq!(text(&fresh, "bio"), None, "it waits for what it stands on");
    give(&mut fresh, &checkpoint);
    assert_eq!((text(&fresh, "bio"), text(&fresh, "display_name")), (Some("newest".into()), Some("Alice".into())));
    assert_eq!(fresh.data(), laptop.document.data());
    assert_eq!(fresh.automerge().map(Automerge::get_heads), laptop.document.automerge().map(Automerge::get_heads));
}

#[test]
fn document_waits_for_the_data_of_its_checkpoint() {
    let mut laptop = Device::new(1);
    let last = laptop.bio("one");
    let item = laptop.checkpoint(vec![end(&last)]);
    let Body::Checkpoint(checkpoint, data) = &item.body else { unreachable!("a checkpoint") };
    let mut fresh = Document::default();
    fresh.insert_checkpoint(item.id, checkpoint.clone(), None);
    assert_eq!((fresh.standing(), fresh.data()), (Some(item.id), None));
    assert_eq!(fresh.write(log(2), NOW, &[]), Err(WriteError::NotHere));
    fresh.insert_checkpoint(item.id, checkpoint.clone(), Some(data.clone()));
    assert_eq!(text(&fresh, "bio").as_deref(), Some("one"));
}

/// The example of the module about checkpoints.
#[test]
fn device_that_was_away_writes_its_own_values_again() {
    let (mut laptop, mut phone) = (Device::new(1), Device::new(2));
    let common = laptop.bio("one");
    give(&mut phone.document, &common);
    let counted = phone.write(&[Write { map: Map::Installs, key: "crc-32".into(), what: Written::Added(2) }]);
    give(&mut laptop.document, &counted);
    // The phone is offline from here on.
    let away: Vec<Item> = vec![
        phone.write(&[Write { map: Map::Installs, key: "crc-32".into(), what: Written::Added(3) }]),
        phone.write(&[
            Write::put(Map::Profile, "links", Value::List(vec!["https://example.org".into()])),
            Write::put(Map::Private, "a1", Value::Bytes(vec![1; 8])),
            Write::put(Map::Profile, "display_name", Value::Text("Al".into())),
        ]),
        phone.write(&[Write { map: Map::Profile, key: "display_name".into(), what: Written::Deleted }]),
    ];
    let last = laptop.bio("two");
    let checkpoint = laptop.checkpoint(vec![end(&last), end(&counted)]);
    let before = laptop.document.data();
    for item in &away {
        give(&mut laptop.document, item);
    }
    assert_eq!(laptop.document.data(), before, "they stand on the checkpoint of before");
    give(&mut phone.document, &last);
    give(&mut phone.document, &checkpoint);
    let lost = phone.document.lost_writes(&phone.log);
    let links = Write::put(Map::Profile, "links", Value::List(vec!["https://example.org".into()]));
    let sealed = Write::put(Map::Private, "a1", Value::Bytes(vec![1; 8]));
    let added = Write { map: Map::Installs, key: "crc-32".into(), what: Written::Added(3) };
    assert_eq!(lost, [links, added, sealed], "what it deleted again is gone anyway");
    assert!(laptop.document.lost_writes(&laptop.log).is_empty());
    let adoption = phone.put(Body::Adoption, checkpoint.id.as_bytes());
    give(&mut laptop.document, &adoption);
    let again = phone.write(&lost);
    give(&mut laptop.document, &again);
    assert_eq!(laptop.document.data(), phone.document.data());
    assert!(phone.document.lost_writes(&phone.log).is_empty(), "what is counted is not added once more");
    let data = laptop.document.data().expect("here");
    assert_eq!(data.get(Map::Installs, "crc-32"), Some(&Value::Counter(5)));
}

/// A revoked device's checkpoint goes out of effect; the document is based on the one before again, with what was written since.
#[test]
fn checkpoint_of_a_revoked_device_is_undone() {
    let (mut laptop, mut thief) = (Device::new(1), Device::new(2));
    let one = laptop.bio("one");
    let first = laptop.checkpoint(vec![end(&one)]);
    let two = laptop.bio("two");
    for item in [&one, &first, &two] {
        give(&mut thief.document, item);
    }
    let defaced = thief.bio("defaced");
    let stolen = thief.checkpoint(vec![end(&two), end(&defaced)]);
    let three = thief.bio("and more");
    for item in [&defaced, &stolen, &three] {
        give(&mut laptop.document, item);
    }
    assert_eq!(text(&laptop.document, "bio").as_deref(), Some("and more"));
    let gone = [defaced.id, stolen.id, three.id];
    laptop.document.retain(|entry| !gone.contains(entry));
    assert_eq!((laptop.document.standing(), text(&laptop.document, "bio").as_deref()), (Some(first.id), Some("two")));
    assert!(laptop.document.counts(&two.id));
}

/// Of two checkpoints with one number every replica takes the same one, and what the other one covered is written again.
#[test]
fn two_devices_make_a_checkpoint_at_once() {
    let (mut laptop, mut phone) = (Device::new(1), Device::new(2));
    let (hers, phones) =
        (laptop.bio("laptop"), phone.write(&[Write::put(Map::Modules, "crc-32/tag:hash", Value::True)]));
    let (one, other) = (laptop.checkpoint(vec![end(&hers)]), phone.checkpoint(vec![end(&phones)]));
    for item in [&phones, &other] {
        give(&mut laptop.document, item);
    }
    for item in [&hers, &one] {
        give(&mut phone.document, item);
    }
    assert_eq!(laptop.document.standing(), Some(one.id.min(other.id)));
    assert_eq!(laptop.document.data(), phone.document.data());
    let loser = if one.id < other.id { &mut phone } else { &mut laptop };
    let lost = loser.document.lost_writes(&loser.log);
    assert_eq!(lost.len(), 1);
    let again = loser.write(&lost);
    let winner = if one.id < other.id { &mut laptop } else { &mut phone };
    give(&mut winner.document, &again);
    let data = winner.document.data().expect("here");
    assert_eq!(
        (text(&winner.document, "bio").as_deref(), data.get(Map::Modules, "crc-32/tag:hash")),
        (Some("laptop"), Some(&Value::True))
    );
}

#[test]
fn change_in_another_logs_name_does_not_count() {
    let (mut laptop, phone) = (Device::new(1), Device::new(2));
    let bytes = laptop.document.write(laptop.log, NOW, &[Write::put(Map::Profile, "bio", Value::Text("x".into()))]);
    let bytes = bytes.expect("a small edit");
    let mut document = Document::default();
    let id = entry(&phone.log, 0, &bytes);
    document.insert_change(phone.log, 0, id, &bytes, &Capabilities::full()).expect("the form is good");
    assert!(!document.counts(&id));
    assert_eq!(text(&document, "bio"), None);
}

#[test]
fn wrong_bodies_are_refused_before_automerge_sees_them() {
    let mut document = Document::default();
    let id = EntryId::from_digest(Digest::of(b"x"));
    let large = vec![0; CHANGE_MAX_BYTES + 1];
    assert_eq!(
        document.insert_change(log(1), 0, id, &large, &Capabilities::full()),
        Err(NotAChange::TooLarge(large.len()))
    );
    assert!(matches!(
        document.insert_change(log(1), 0, id, b"no chunk", &Capabilities::full()),
        Err(NotAChange::Form(_))
    ));
    let whole = Automerge::new().save();
    assert!(matches!(document.insert_change(log(1), 0, id, &whole, &Capabilities::full()), Err(NotAChange::Form(_))));
    let mut laptop = Device::new(1);
    let writes: Vec<Write> = (0..50).map(|at| Write::put(Map::Modules, format!("m-{at}/tag:a"), Value::True)).collect();
    let bytes = laptop.document.write(laptop.log, NOW, &writes).expect("a small edit");
    assert_eq!(count_operations(&bytes), Ok(50));
    assert_eq!(laptop.document.write(laptop.log, NOW, &[]), Err(WriteError::Nothing));
    let long = Write::put(Map::Profile, "bio", Value::Text("x".repeat(CHANGE_MAX_BYTES)));
    let mut random = StdRng::seed_from_u64(1);
    let noise = Write::put(Map::Private, "a", Value::Bytes((0..CHANGE_MAX_BYTES).map(|_| random.random()).collect()));
    for write in [long, noise] {
        assert_eq!(laptop.document.write(laptop.log, NOW, &[write]), Err(WriteError::TooLarge));
    }
}

#[test]
fn edit_that_would_not_fit_into_a_checkpoint_is_refused_to_its_author() {
    let mut laptop = Device::new(1);
    let mut random = StdRng::seed_from_u64(2);
    let mut last = Ok(());
    for at in 0.. {
        let bytes: Vec<u8> = (0..15 * 1024).map(|_| random.random()).collect();
        let write = Write::put(Map::Private, format!("{at}"), Value::Bytes(bytes));
        match laptop.document.write(laptop.log, NOW, &[write]) {
            Ok(bytes) => drop(laptop.put(Body::Change(bytes.clone()), &bytes)),
            Err(error) => {
                last = Err(error);
                break;
            }
        }
    }
    assert_eq!(last, Err(WriteError::Full));
    let bytes = laptop.document.data().expect("here").encode().len();
    assert!(bytes <= DATA_MAX_BYTES && bytes > DATA_MAX_BYTES / 2, "{bytes}");
}

/// Any order, any split: three devices write, make checkpoints and are away; entries arrive in any order, some go out of
/// effect at the end.
#[test]
fn every_order_of_arrival_gives_one_document() {
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        let mut devices: Vec<Device> = (1..=3).map(Device::new).collect();
        let mut items: Vec<Item> = Vec::new();
        for step in 0..random.random_range(5..40) {
            let device = devices.choose_mut(&mut random).expect("three");
            let seen: Vec<Item> = items.iter().filter(|_| random.random_bool(0.6)).cloned().collect();
            seen.iter().for_each(|item| give(&mut device.document, item));
            let item = match random.random_range(0..6) {
                0 => device.checkpoint(Vec::new()),
                1 => {
                    let lost = device.document.lost_writes(&device.log);
                    if lost.is_empty() { continue } else { device.write(&lost) }
                }
                2 => device.write(&[Write { map: Map::Installs, key: "crc-32".into(), what: Written::Added(1) }]),
                _ => device.bio(&step.to_string()),
            };
            items.push(item);
        }
        let gone: BTreeSet<EntryId> = items.iter().filter(|_| random.random_bool(0.1)).map(|item| item.id).collect();
        let mut outcomes = Vec::new();
        for _ in 0..3 {
            let mut replica = Document::default();
            items.shuffle(&mut random);
            items.iter().for_each(|item| give(&mut replica, item));
            replica.retain(|entry| !gone.contains(entry));
            outcomes.push((replica.standing(), replica.data(), replica.automerge().map(Automerge::get_heads)));
        }
        assert!(outcomes.windows(2).all(|pair| pair[0] == pair[1]), "seed {seed}");
    }
}

#[test]
fn checkpoint_leaves_out_what_waits() {
    let mut laptop = Device::new(1);
    let mut phone = Device::new(2);
    let first = phone.bio("first");
    let second = phone.bio("second");
    give(&mut laptop.document, &second);
    let item = laptop.checkpoint(vec![end(&second)]);
    let Body::Checkpoint(checkpoint, _) = &item.body else { unreachable!("a checkpoint") };
    assert!(checkpoint.covered.is_empty(), "entry 0 is not here, so neither counts");
    give(&mut phone.document, &item);
    assert_eq!(phone.document.lost_writes(&phone.log).len(), 1);
    assert!(!laptop.document.counts(&first.id));
}

/// A change whose operation replaces one that its dependencies do not have was admitted only by replicas that had that one, and elsewhere the
/// carrier was marked. Now it counts for everybody once both are there, in whatever order they come.
#[test]
fn predecessor_outside_the_causal_past_is_the_same_in_every_order() {
    let bio = |text: &str| [Write::put(Map::Profile, "bio", Value::Text(text.into()))];
    let mut beginning = Document::default();
    let other = beginning.write(log(1), NOW, &bio("other")).expect("small");
    let mine = beginning.write(log(2), NOW, &bio("mine")).expect("small");
    let foreign = Change::from_bytes(other.clone()).expect("a change");
    let mut expanded: automerge::ExpandedChange = Change::from_bytes(mine).expect("a change").decode();
    expanded.operations[0].pred =
        vec![automerge::legacy::OpId::new(foreign.start_op().get(), foreign.actor_id())].into();
    let forged = Change::from(expanded).raw_bytes().to_vec();
    let ids = [entry(&log(1), 0, &other), entry(&log(2), 0, &forged)];
    let mut outcomes = Vec::new();
    for order in [[0, 1], [1, 0]] {
        let mut document = Document::default();
        for at in order {
            let (log, body) = if at == 0 { (log(1), &other) } else { (log(2), &forged) };
            document
                .insert_change(log, 0, ids[at], body, &Capabilities::full())
                .expect("both have the form of a change");
        }
        outcomes.push((document.data(), ids.map(|id| document.counts(&id))));
    }
    assert_eq!(outcomes[0], outcomes[1]);
}

/// A snapshot was Automerge's own bytes, which may hide anything. A checkpoint is values, in one form.
#[test]
fn hostile_snapshot_is_no_data() {
    let mut document = Automerge::new();
    let saved = document.save();
    assert!(Data::decode(&saved).is_err());
    let mut actor = document.transaction();
    actor.put(automerge::ROOT, "profile", "no map").expect("a put");
    actor.commit();
    // What does not keep to the schema is not taken into a checkpoint either.
    assert_eq!(Data::of(&document), Data::default());
}
