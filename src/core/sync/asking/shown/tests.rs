//! What a witness reads of pieces: what is new, what is worth verifying, and how much of it.

use super::*;
use crate::actors::{BEGIN, Device, Person, network};
use crate::keys::SecretKey;
use crate::statement::{Cut, CutLog, DeviceRevoke, Statement};

/// A network of three of which two confirm, as a registry, and the keys.
fn registry() -> (Registry, Vec<SecretKey>) {
    let (history, keys) = network(3, 2);
    (Registry::new(history), keys)
}

fn receipt(registry: &Registry, key: &SecretKey, device: &Device, entry: &Entry) -> Receipt {
    let opening = Opening::decode(&device.topic, device.opening.body()).expect("an opening");
    let fact = Fact::of(&device.topic, entry, &opening).expect("it says something");
    let slots = fact.slots().iter().map(Slot::digest).collect();
    Receipt::sign(&registry.topic(), key, 0, entry.id(), slots, BEGIN)
}

fn entry(entry: &Entry) -> Piece {
    Piece::Entry(entry.encode())
}

#[test]
fn only_what_is_confirmed_and_new_is_read() {
    let (mut registry, keys) = registry();
    let mut laptop = Person::new(registry.topic(), 1).device(0, 1);
    let rose = laptop.claim("rose", None);
    let receipts: Vec<Receipt> = keys.iter().map(|key| receipt(&registry, key, &laptop, &rose)).collect();
    let shown = |by: &[usize]| {
        let receipts = by.iter().map(|at| Piece::Receipt(receipts[*at].encode()));
        receipts.chain([entry(&rose), entry(&laptop.opening)]).collect::<Vec<_>>()
    };
    assert_eq!(confirmed(&registry, &shown(&[0])), Ok(vec![]));
    assert_eq!(confirmed(&registry, &shown(&[0, 0])), Ok(vec![]), "one twice is one");
    let read = confirmed(&registry, &shown(&[0, 1])).expect("nothing is forged");
    assert_eq!((read.len(), read[0].receipts.len()), (1, 2));
    let twice = [shown(&[0, 1]), shown(&[0, 1])].concat();
    assert_eq!(confirmed(&registry, &twice).expect("nothing is forged").len(), 1);
    assert_eq!(confirmed(&registry, &shown(&[0, 1])[..3]), Ok(vec![]), "without the opening nothing can be said");
    // One is known, so one more confirms it; then it is known and read no more, whatever comes with it.
    registry.add_receipt(receipts[0].clone());
    assert_eq!(confirmed(&registry, &shown(&[1])).expect("nothing is forged").len(), 1);
    registry.admit_alone(&laptop.opening, &rose, vec![receipts[1].clone()], vec![]).expect("valid");
    let mut forged = shown(&[0, 1, 2]);
    if let Piece::Receipt(bytes) = &mut forged[2] {
        *bytes.last_mut().expect("bytes") ^= 1;
    }
    assert_eq!(confirmed(&registry, &forged), Ok(vec![]));
}

/// Receipts over other slots, of another set or by strangers confirm nothing; the latter two are not even verified.
#[test]
fn receipts_that_do_not_count_are_passed_over() {
    let (registry, keys) = registry();
    let mut laptop = Person::new(registry.topic(), 1).device(0, 1);
    let rose = laptop.claim("rose", None);
    let good = receipt(&registry, &keys[0], &laptop, &rose);
    let sign = |key: &SecretKey, set: u32, slots: Vec<crate::digest::Digest>| {
        Receipt::sign(&registry.topic(), key, set, rose.id(), slots, BEGIN).encode()
    };
    let mut of_other_set = sign(&keys[1], 7, good.slots.clone());
    *of_other_set.last_mut().expect("bytes") ^= 1;
    let strange = sign(&SecretKey::from_seed(&[1; 32]), 0, good.slots.clone());
    let narrow = sign(&keys[1], 0, vec![good.slots[0]]);
    for other in [of_other_set, strange, narrow] {
        let pieces = vec![Piece::Receipt(good.encode()), Piece::Receipt(other), entry(&rose), entry(&laptop.opening)];
        assert_eq!(confirmed(&registry, &pieces), Ok(vec![]));
    }
}

/// A holder of an identity key signs revocations without end.
#[test]
fn statements_about_keys_are_bounded_on_both_sides() {
    let (mut registry, _) = registry();
    let alice = Person::new(registry.topic(), 1);
    let (laptop, phone) = (alice.device(0, 1), alice.device(1, 2));
    registry.admit(&laptop.opening, 0).expect("an opening");
    let mut writer = laptop.clone();
    let revoke = |writer: &mut Device, at: usize| {
        let last = CutLog { log: 0, seq: at as u64, entry: phone.opening.id() };
        let cut = Cut::new(phone.log().opening, [last]);
        writer.state(&alice, Statement::DeviceRevoke(DeviceRevoke { device: phone.key.public(), cut }))
    };
    let all: Vec<Entry> = (0..=KEY_STATEMENTS_MAX).map(|at| revoke(&mut writer, at)).collect();
    let pieces =
        |entries: &[Entry]| -> Vec<Piece> { entries.iter().map(entry).chain([entry(&laptop.opening)]).collect() };
    let read = key_statements(&registry, &pieces(&all[..KEY_STATEMENTS_READ_MAX + 1])).expect("nothing is forged");
    assert_eq!(read.len(), KEY_STATEMENTS_READ_MAX);
    for one in &all[..KEY_STATEMENTS_MAX - 1] {
        registry.admit(one, 0).expect("valid");
    }
    let read = key_statements(&registry, &pieces(&all[KEY_STATEMENTS_MAX - 1..])).expect("nothing is forged");
    assert_eq!(read.len(), 1, "there is room for one");
    registry.admit(&read[0].entry, 0).expect("valid");
    let last = pieces(&all[KEY_STATEMENTS_MAX..]);
    assert_eq!(key_statements(&registry, &last), Ok(vec![]));
    let learn = |entry: &Entry| Learn {
        topic: registry.topic(),
        opening: laptop.opening.encode(),
        entry: entry.encode(),
        receipts: vec![],
    };
    assert_eq!(learned(&registry, &learn(&all[KEY_STATEMENTS_MAX])), Err(NotServed::Unproven));
    assert_eq!(learned(&registry, &learn(&all[0])), Ok(None), "known");
    // Of an identity that nobody knows here nothing is read.
    let (fresh, _) = self::registry();
    assert_eq!(key_statements(&fresh, &pieces(&all[..2])), Ok(vec![]));
}

/// A stranger who has a device of a known identity puts statements by keys of their own before everything else: one of them
/// is verified in vain, no more.
#[test]
fn reading_ends_with_the_first_that_comes_to_nothing() {
    let (mut registry, keys) = registry();
    let (alice, stranger) = (Person::new(registry.topic(), 1), Person::new(registry.topic(), 2));
    let (laptop, phone) = (alice.device(0, 1), alice.device(1, 2));
    registry.admit(&laptop.opening, 0).expect("an opening");
    let revoke = |key: &Person| {
        let revoke = DeviceRevoke { device: phone.key.public(), cut: Cut::default() };
        let statement = Statement::DeviceRevoke(revoke);
        let signed = crate::statement::SignedStatement::sign(&alice.topic, alice.did, &key.key(), statement);
        laptop.clone().carry(signed, crate::statement::DeviceList::default())
    };
    let (strange, hers) = (revoke(&stranger), revoke(&alice));
    let read = |entries: [&Entry; 3]| key_statements(&registry, &entries.map(entry)).expect("nothing is forged").len();
    assert_eq!(read([&laptop.opening, &hers, &strange]), 1);
    assert_eq!(read([&laptop.opening, &strange, &hers]), 0);
    // Receipts that name a witness of the set for an entry that says nothing: no honest witness signed that.
    let mut writer = laptop.clone();
    let (nothing, rose) = (writer.write_raw(200, vec![1]), writer.claim("rose", None));
    let sign = |key: &SecretKey, id: EntryId| {
        Piece::Receipt(Receipt::sign(&alice.topic, key, 0, id, vec![*id.digest()], BEGIN).encode())
    };
    let receipts = |id: EntryId| keys[..2].iter().map(move |key| sign(key, id)).collect::<Vec<_>>();
    let good = keys[..2].iter().map(|key| Piece::Receipt(receipt(&registry, key, &laptop, &rose).encode()));
    let pieces: Vec<Piece> = receipts(nothing.id()).into_iter().chain(good).chain([entry(&laptop.opening)]).collect();
    let in_order = |entries: [&Entry; 2]| [pieces.clone(), entries.map(entry).to_vec()].concat();
    assert_eq!(confirmed(&registry, &in_order([&nothing, &rose])), Ok(vec![]));
    assert_eq!(confirmed(&registry, &in_order([&rose, &nothing])).expect("nothing is forged").len(), 1);
}
