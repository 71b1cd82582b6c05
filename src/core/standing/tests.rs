//! Who speaks and acts for an identity: additions, revocations, rotations, new words.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};

use super::*;
use crate::actors::Person;
use crate::keys::SecretKey;
use crate::statement::{CutLog, DeviceRevoke, NewWords, Rotate};

const TOPIC: Topic = Topic::from_bytes([9; 32]);

/// Which entries count.
#[derive(Default)]
struct Only {
    confirmed: BTreeSet<EntryId>,
    finished: BTreeSet<EntryId>,
}

impl Effects for Only {
    fn counts(&self, entry: &EntryId) -> bool {
        self.confirmed.contains(entry)
    }

    fn is_finished(&self, announced: &EntryId) -> bool {
        self.finished.contains(announced)
    }
}

/// A statement, its list, and the entry that says it.
type Said = (SignedStatement, DeviceList, Option<EntryId>);

fn device(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

fn entry(text: &str) -> EntryId {
    EntryId::from_digest(Digest::of(text.as_bytes()))
}

fn add(number: u8, seed: u8) -> Statement {
    let capabilities = Capabilities::full();
    Statement::DeviceAdd(DeviceAdd { number, device: device(seed), sealing_key: [1; 32], capabilities, list_key: None })
}

fn cut(seq: u64) -> Cut {
    Cut::new(Digest::of(b"opening"), [CutLog { log: 0, seq, entry: entry(&seq.to_string()) }])
}

fn revoke(seed: u8, cut: Cut) -> Statement {
    Statement::DeviceRevoke(DeviceRevoke { device: device(seed), cut })
}

fn simple(signed: SignedStatement) -> Said {
    (signed, DeviceList::default(), None)
}

fn resolve(person: &Person, said: &[Said], effects: &Only) -> Standing {
    let mut statements = Statements::new(&TOPIC, person.master.inception());
    for (signed, list, entry) in said {
        statements.add(signed, list, *entry);
    }
    statements.resolve(&TOPIC, effects)
}

#[test]
fn devices_are_added_and_revoked_in_any_order() {
    let alice = Person::new(TOPIC, 1);
    let said: Vec<Said> = [add(0, 10), add(1, 11), revoke(11, cut(9)), revoke(11, cut(4)), add(2, 12), add(2, 13)]
        .into_iter()
        .map(|statement| simple(alice.say(statement)))
        .collect();
    let expected = resolve(&alice, &said, &Only::default());
    assert_eq!(expected.devices[&device(11)].state, DeviceState::EndedAt(cut(4)), "of two ends the earlier");
    assert!(expected.device_in(&device(10)).is_some());
    let numbers: Vec<_> = [12, 13].iter().filter(|seed| expected.devices.contains_key(&device(**seed))).collect();
    assert_eq!(numbers.len(), 1, "one number is one device");
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..50 {
        let mut order = said.clone();
        order.shuffle(&mut random);
        assert_eq!(resolve(&alice, &order, &Only::default()), expected);
    }
    // What a stranger signs for her is nothing.
    let mallory = Person::new(TOPIC, 2);
    let forged = SignedStatement::sign(&TOPIC, alice.did, &mallory.key(), add(5, 15));
    let more: Vec<Said> = said.into_iter().chain([simple(forged)]).collect();
    assert_eq!(resolve(&alice, &more, &Only::default()), expected);
}

/// The example of the module's documentation.
#[test]
fn rotation_takes_back_what_a_thief_did_with_the_key_before() {
    let (laptop, phone, thiefs) = (device(10), device(11), device(15));
    let mut alice = Person::new(TOPIC, 1);
    let mut said: Vec<Said> = [add(0, 10), add(1, 11), add(5, 15), revoke(11, Cut::default())]
        .into_iter()
        .map(|statement| simple(alice.say(statement)))
        .collect();
    let before = resolve(&alice, &said, &Only::default());
    assert!(before.device_in(&thiefs).is_some() && before.device_in(&phone).is_none(), "so far the thief has the say");
    let [of_laptop, of_phone] = [&said[0], &said[1]].map(|(signed, ..)| signed.digest());
    let list = DeviceList::new([(of_phone, None), (of_laptop, Some(cut(40)))]);
    let rotate = alice.rotate(&list);
    said.push((rotate, list, Some(entry("rotate"))));
    let mut effects = Only::default();
    assert_eq!(resolve(&alice, &said, &effects), before, "not confirmed yet");
    effects.confirmed.insert(entry("rotate"));
    let after = resolve(&alice, &said, &effects);
    assert_eq!(after.link.key, alice.key().public());
    assert_eq!(after.links.len(), 2);
    assert!(after.device_in(&phone).is_some());
    assert_eq!(after.devices[&laptop].state, DeviceState::EndedAt(cut(40)));
    assert_eq!(after.devices[&thiefs].state, DeviceState::EndedAt(Cut::default()));
    // Key 0 says nothing any more.
    let thief = Person::new(TOPIC, 1);
    said.push(simple(thief.say(add(6, 16))));
    said.push(simple(thief.say(revoke(11, Cut::default()))));
    // Nor does another device with the phone's number, however small its digest, or the phone with less to do.
    said.extend((20..60).map(|seed| simple(thief.say(add(1, seed)))));
    let weak = Capabilities::of([crate::log::Capability::Chat], "");
    let less = |sealing: u8| DeviceAdd {
        number: 9,
        device: phone,
        sealing_key: [sealing; 32],
        capabilities: weak.clone(),
        list_key: None,
    };
    said.extend((0..40).map(|sealing| simple(thief.say(Statement::DeviceAdd(less(sealing))))));
    let still = resolve(&alice, &said, &effects);
    assert_eq!(still.devices[&phone], after.devices[&phone]);
    let in_now =
        |standing: &Standing| standing.devices.values().filter(|device| device.state == DeviceState::In).count();
    assert_eq!((in_now(&still), in_now(&after)), (1, 1));
    // A number is free again once its device has ended.
    said.push(simple(alice.say(add(0, 17))));
    assert!(resolve(&alice, &said, &effects).device_in(&device(17)).is_some());
    said.push(simple(alice.say(add(1, 18))));
    assert!(resolve(&alice, &said, &effects).device_in(&device(18)).is_none(), "the phone has number 1");
}

#[test]
fn new_words_count_once_finished_and_a_rotation_overtakes_them() {
    let (mut alice, other) = (Person::new(TOPIC, 1), Person::new(TOPIC, 2));
    let next = other.master.identity_key(1);
    let words = alice.say(Statement::NewWords(NewWords { before: *alice.did.digest(), next: next.public().digest() }));
    let devices = DeviceList::default();
    let by_new_words = SignedStatement::sign(
        &TOPIC,
        alice.did,
        &next,
        Statement::Rotate(Rotate {
            before: words.digest(),
            key: next.public(),
            next: other.master.identity_key(2).public().digest(),
            devices: devices.digest(),
        }),
    );
    let by_old_words = alice.rotate(&devices);
    let said: Vec<Said> = vec![
        (words, devices.clone(), Some(entry("words"))),
        (by_new_words, devices.clone(), Some(entry("new"))),
        (by_old_words.clone(), devices, Some(entry("old"))),
    ];
    let mut effects = Only::default();
    effects.confirmed.insert(entry("new"));
    let first = resolve(&alice, &said, &effects);
    assert_eq!(first.link.key, Person::new(TOPIC, 1).key().public(), "the new words are not in effect");
    effects.finished.insert(entry("words"));
    assert_eq!(resolve(&alice, &said, &effects).link.key, next.public());
    effects.finished.clear();
    effects.confirmed.insert(entry("old"));
    assert_eq!(resolve(&alice, &said, &effects).link.digest, by_old_words.digest());
    // Both after one link: more witnesses lied than the set bears.
    effects.finished.insert(entry("words"));
    assert!(resolve(&alice, &said, &effects).is_contested);
}

/// An opening shows a rotation without its list; replicas that get the entry first or last come to the same.
#[test]
fn list_of_a_rotation_may_come_later() {
    let mut alice = Person::new(TOPIC, 1);
    let added = simple(alice.say(add(0, 10)));
    let list = DeviceList::new([(added.0.digest(), None)]);
    let rotate = alice.rotate(&list);
    let effects = Only { confirmed: [entry("rotate")].into(), ..Only::default() };
    let shown = (rotate.clone(), DeviceList::default(), None);
    let said = (rotate, list, Some(entry("rotate")));
    let orders = [vec![added.clone(), shown.clone(), said.clone()], vec![said, shown, added]];
    for order in orders {
        assert!(resolve(&alice, &order, &effects).device_in(&device(10)).is_some());
    }
}

#[test]
fn cuts_are_joined_to_what_both_leave() {
    let other = |seq| Cut::new(Digest::of(b"another opening"), [CutLog { log: 0, seq, entry: entry("x") }]);
    let (a, b) = (cut(4), cut(9));
    assert_eq!((a.earlier(&b), b.earlier(&a)), (a.clone(), a.clone()));
    assert_eq!(a.earlier(&Cut::default()), Cut::default());
    assert_eq!(a.earlier(&other(1)), Cut::default(), "each says that nothing of the other's counts");
    let mut random = StdRng::seed_from_u64(2);
    for _ in 0..200 {
        let mut any = || {
            let logs = (0..3).filter(|_| random.random_bool(0.7)).collect::<Vec<u32>>();
            let last = |log| CutLog {
                log,
                seq: random.random_range(0..3),
                entry: entry(&random.random_range(0..3).to_string()),
            };
            Cut::new(Digest::of(b"opening"), logs.into_iter().map(last))
        };
        let (a, b, c) = (any(), any(), any());
        assert_eq!(a.earlier(&b), b.earlier(&a));
        assert_eq!(a.earlier(&b).earlier(&c), a.earlier(&b.earlier(&c)));
        assert_eq!(a.earlier(&a), a);
    }
}
