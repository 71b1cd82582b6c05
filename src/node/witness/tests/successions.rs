//! Changes of the set over exported files, with one disk lost: names stay, reserved slots stay reserved, retired witnesses
//! sign nothing.

use super::*;
use crate::receipts::support::collected;
use crate::store::memory::MemoryStore;
use gen_registry_core::actors::{succession_key, username};
use gen_registry_core::book::handover::{Gathered, HandoverError};
use gen_registry_core::keys::SecretKey;
use gen_registry_core::network::{SetChangeError, SignedSetChange, WitnessSet};

/// Stops a witness and returns its file.
fn handed_over(witness: &Witness) -> Vec<u8> {
    block_on(witness.stop()).expect("it stops");
    block_on(witness.export()).expect("it has stopped")
}

fn gathered(network: &Network, files: &[Vec<u8>]) -> Gathered {
    let mut gathered = Gathered::new(network.history.clone());
    files.iter().for_each(|file| gathered.add(file).expect("a witness's file"));
    gathered
}

/// The witnesses of the next set.
fn next_keys() -> Vec<SecretKey> {
    (0..3).map(|at| SecretKey::from_seed(&[150 + at; 32])).collect()
}

/// The change to the next set, signed by the operators of witnesses 0 and 1, each for themselves.
fn signed_change(network: &Network, files: &[Vec<u8>]) -> SignedSetChange {
    let topic = network.history.topic();
    let succession = (0..3).map(|at| succession_key(1, at).public().digest());
    let set = WitnessSet::new(next_keys().iter().map(SecretKey::public), 2, succession);
    let sign = |at: u8| {
        let change = gathered(network, files).change(set.clone(), 1).expect("enough files");
        SignedSetChange::sign(&topic, change, &succession_key(0, at)).encode()
    };
    let parts = [sign(0), sign(1)].map(|bytes| SignedSetChange::decode(&topic, &bytes).expect("signed"));
    SignedSetChange::join(&topic, parts).expect("one change")
}

fn succeeded(network: &Network, files: &[Vec<u8>], change: &SignedSetChange, now: Timestamp) -> Network {
    let (keys, mut history) = (next_keys(), network.history.clone());
    history.follow(change.clone()).expect("the next change");
    let stores: Vec<Rc<MemoryStore>> = keys.iter().map(|_| Rc::new(MemoryStore::new())).collect();
    let begin = |(key, store): (&SecretKey, &Rc<MemoryStore>)| {
        let gathered = gathered(network, files);
        let witness = Witness::succeed(store.clone(), key.clone(), &gathered, change.clone(), now);
        Rc::new(block_on(witness).expect("it begins"))
    };
    let witnesses = keys.iter().zip(&stores).map(begin).collect();
    Network { history, keys, stores, witnesses }
}

/// Alice holds `rose` by witnesses 0 and 1, and Bob has one vote for `lily` of witness 1 (and maybe had one of 2, which is
/// lost). Carol's revoked phone is known to all.
#[test]
fn names_and_reserved_slots_outlive_a_set_with_one_disk_lost() {
    let old = Network::new(3, 2);
    let (mut alice, mut bob) = (device(&old, 1), device(&old, 2));
    let carol = Person::new(old.history.topic(), 3);
    let (mut laptop, mut phone) = (carol.device(0, 3), carol.device(1, 4));
    let (rose, lily, iris) = (alice.claim("rose", None), bob.claim("lily", None), laptop.claim("iris", None));
    let revoke = laptop.revoke(&carol, &phone, None);
    for witness in &old.witnesses[..2] {
        signed(ask(witness, &alice, &rose, BEGIN));
        signed(ask(witness, &laptop, &iris, BEGIN));
        let (opening, entry) = (laptop.opening.encode(), revoke.encode());
        let learn = Request::Learn(Learn { topic: old.history.topic(), opening, entry, receipts: vec![] });
        assert_eq!(block_on(witness.answer(&learn.encode(), BEGIN)), Answer::Noted);
    }
    signed(ask(&old.witnesses[1], &bob, &lily, BEGIN));
    assert!(matches!(block_on(old.witnesses[0].export()), Err(WitnessError::StillSigns)));
    let files: Vec<Vec<u8>> = old.witnesses[..2].iter().map(|witness| handed_over(witness)).collect();
    let change = signed_change(&old, &files);
    let mut new = succeeded(&old, &files, &change, later(10));
    for round in 0..2 {
        for witness in &new.witnesses {
            let mut mallory = device(&new, 9);
            let Answer::Taken(pieces) = claim(witness, &mut mallory, "rose", later(11)) else { panic!("not taken") };
            assert!(pieces.iter().any(|piece| matches!(piece, Piece::Path(id, _) if *id == rose.id())));
            let Answer::Refused(refused) = claim(witness, &mut device(&new, 9), "lily", later(11)) else {
                panic!("not refused")
            };
            let until = later(10).plus(new.history.genesis().parameters.cool_down);
            assert_eq!((refused.code, refused.until), (Code::Reserved, Some(until)));
            assert_eq!(super::refused(claim(witness, &mut phone, "aster", later(11))), Code::DeviceNotIn);
        }
        if round == 0 {
            (0..3).for_each(|at| new.restart(at, later(11)));
        }
    }
    // Whoever had the vote gets it, and after the cool-down anybody does.
    let registry = new.registry();
    assert!(matches!(collected(&registry, &bob, &lily, &new.link(later(12))), crate::receipts::Outcome::Confirmed(_)));
    assert_eq!(registry.borrow().name(&username("lily")).holder().expect("held").holder, bob.did);
    // The proof that a path gives is enough for a client, too.
    let mallory = device(&new, 9);
    let outcome = collected(&registry, &mallory, &mallory.clone().claim("rose", None), &new.link(later(12)));
    assert!(matches!(outcome, crate::receipts::Outcome::Lost { to, .. } if to == rose.id()), "{outcome:?}");
    assert_eq!(registry.borrow().name(&username("rose")).holder().expect("held").holder, alice.did);
}

#[test]
fn stopped_or_retired_witness_signs_nothing() {
    let mut old = Network::new(3, 2);
    let mut alice = device(&old, 1);
    let rose = alice.claim("rose", None);
    let receipt = signed(ask(&old.witnesses[0], &alice, &rose, BEGIN));
    let files: Vec<Vec<u8>> = old.witnesses[..2].iter().map(|witness| handed_over(witness)).collect();
    assert_eq!(refused(claim(&old.witnesses[0], &mut alice, "lily", BEGIN)), Code::Closed);
    old.restart(0, later(1));
    assert!(block_on(old.witnesses[0].is_stopped()));
    assert_eq!(refused(claim(&old.witnesses[0], &mut alice, "lily", later(1))), Code::Closed);
    assert_eq!(signed(ask(&old.witnesses[0], &alice, &rose, later(1))), receipt, "what it gave it gives again");
    // The third one did not stop. It follows the change, and signs nothing from then on.
    let change = signed_change(&old, &files);
    let mut bob = device(&old, 2);
    signed(claim(&old.witnesses[2], &mut bob, "iris", BEGIN));
    block_on(old.witnesses[2].follow(change.clone())).expect("the next change");
    block_on(old.witnesses[2].follow(change)).expect("known");
    assert_eq!(refused(claim(&old.witnesses[2], &mut bob, "aster", later(1))), Code::OtherSet);
    old.restart(2, later(2));
    assert_eq!(refused(claim(&old.witnesses[2], &mut bob, "aster", later(2))), Code::OtherSet);
    assert!(matches!(
        block_on(old.witnesses[1].follow(unsigned_by_enough(&old, &files))),
        Err(WitnessError::Follow(_))
    ));
}

/// A change with the signature of one succession key where two are needed.
fn unsigned_by_enough(network: &Network, files: &[Vec<u8>]) -> SignedSetChange {
    let succession = (0..3).map(|at| succession_key(1, at).public().digest());
    let set = WitnessSet::new(next_keys().iter().map(SecretKey::public), 2, succession);
    let change = gathered(network, files).change(set, 1).expect("enough files");
    SignedSetChange::sign(&network.history.topic(), change, &succession_key(0, 0))
}

/// Three witnesses of which two signed a claim, and what each handed over.
fn handed_over_after_a_claim() -> (Network, Vec<Vec<u8>>) {
    let old = Network::new(3, 2);
    let mut alice = device(&old, 1);
    let rose = alice.claim("rose", None);
    for witness in &old.witnesses[1..] {
        signed(ask(witness, &alice, &rose, BEGIN));
    }
    let files: Vec<Vec<u8>> = old.witnesses.iter().map(|witness| handed_over(witness)).collect();
    (old, files)
}

#[test]
fn change_takes_the_files_that_it_was_made_of() {
    let (old, files) = handed_over_after_a_claim();
    // With 0 and 1 one vote is seen, with 1 and 2 both.
    let change = signed_change(&old, &files[1..]);
    let begin = |files: &[Vec<u8>], key: &SecretKey, store: Rc<MemoryStore>| {
        block_on(Witness::succeed(store, key.clone(), &gathered(&old, files), change.clone(), BEGIN)).err()
    };
    let (keys, fresh) = (next_keys(), || Rc::new(MemoryStore::new()));
    let other = begin(&files[..2], &keys[0], fresh());
    assert!(matches!(other, Some(WitnessError::Handover(HandoverError::OtherClosing))), "{other:?}");
    let few = begin(&files[1..2], &keys[0], fresh());
    assert!(matches!(few, Some(WitnessError::Handover(HandoverError::TooFew { have: 1, needed: 2 }))), "{few:?}");
    let stranger = begin(&files[1..], &SecretKey::from_seed(&[1; 32]), fresh());
    assert!(matches!(stranger, Some(WitnessError::NotOfSet)), "{stranger:?}");
    let used = begin(&files[1..], &keys[0], old.stores[0].clone());
    assert!(matches!(used, Some(WitnessError::InUse)), "{used:?}");
    let store = fresh();
    assert!(begin(&files[1..], &keys[0], store.clone()).is_none());
    // A write that broke off before the owner and the head: the store is not used, nor begun again.
    let broken = Rc::new(store.copy());
    let delete = |key: &str| crate::store::Write::Delete { table: crate::store::Table::Settings, key: key.to_owned() };
    block_on(broken.commit(vec![delete("next/owner"), delete("next/head")], Durability::Strict)).expect("a delete");
    let again = begin(&files[1..], &keys[0], broken.clone());
    assert!(matches!(again, Some(WitnessError::NoOwner)), "{again:?}");
    let start = block_on(Witness::start(broken, keys[0].clone(), old.history.genesis().clone(), BEGIN)).err();
    assert!(matches!(start, Some(WitnessError::NoOwner)), "{start:?}");
}

#[test]
fn signatures_over_different_changes_are_not_joined() {
    let (old, files) = handed_over_after_a_claim();
    let topic = old.history.topic();
    let (one, other) = (unsigned_by_enough(&old, &files[..2]), unsigned_by_enough(&old, &files[1..]));
    assert_eq!(SignedSetChange::join(&topic, [one.clone(), other]), Err(SetChangeError::OtherChange));
    assert_eq!(SignedSetChange::join(&topic, [one.clone(), one.clone()]), Ok(one));
    assert_eq!(SignedSetChange::join(&topic, []), Err(SetChangeError::Signatures));
}

/// More facts than are written in one batch, from SQLite to SQLite: all of them are there, and go on from there.
#[test]
fn long_book_is_succeeded_on_sqlite() {
    let network = Network::new(1, 1);
    let folder = tempfile::tempdir().expect("a folder");
    let open =
        |name: &str| -> Rc<dyn Store> { Rc::new(SqliteStore::open(&folder.path().join(name)).expect("it opens")) };
    let old = started(&network.history, &network.keys[0], open("old.db"), BEGIN);
    let mut alice = device(&network, 1);
    let crc = alice.claim_module("crc-32");
    signed(ask(&old, &alice, &crc, BEGIN));
    let releases = super::super::succession::BATCH_WRITES;
    for at in 0..releases {
        let release = alice.release("crc-32", &format!("1.0.{at}"), crc.id());
        signed(ask(&old, &alice, &release, BEGIN));
    }
    let file = handed_over(&old);
    let mut gathered = Gathered::new(network.history.clone());
    gathered.add(&file).expect("a witness's file");
    let key = &next_keys()[0];
    let set = WitnessSet::new([key.public()], 1, [succession_key(1, 0).public().digest()]);
    let change = gathered.change(set, 1).expect("enough files");
    assert_eq!(change.closing.facts, releases as u64 + 1);
    let change = SignedSetChange::sign(&network.history.topic(), change, &succession_key(0, 0));
    let new = Witness::succeed(open("new.db"), key.clone(), &gathered, change.clone(), later(1));
    drop(block_on(new).expect("it begins"));
    let new = started(&network.history, key, open("new.db"), later(2));
    let again = alice.release("crc-32", "1.0.0", crc.id());
    assert!(matches!(ask(&new, &alice, &again, later(2)), Answer::Taken(_)));
    let more = alice.release("crc-32", "2.0.0", crc.id());
    signed(ask(&new, &alice, &more, later(2)));
    // And so on: what was under the first root keeps its path there, what came after is under the second one.
    let mut history = network.history;
    history.follow(change).expect("the next change");
    let mut gathered = Gathered::new(history.clone());
    gathered.add(&handed_over(&new)).expect("a witness's file");
    let last = SecretKey::from_seed(&[170; 32]);
    let set = WitnessSet::new([last.public()], 1, [succession_key(2, 0).public().digest()]);
    let change = gathered.change(set, 1).expect("enough files");
    assert_eq!((change.number, change.closing.facts), (2, 1));
    let change = SignedSetChange::sign(&history.topic(), change, &succession_key(1, 0));
    let third = Witness::succeed(open("third.db"), last, &gathered, change, later(3));
    let third = block_on(third).expect("it begins");
    for version in ["1.0.0", "2.0.0"] {
        let again = alice.release("crc-32", version, crc.id());
        assert!(matches!(ask(&third, &alice, &again, later(3)), Answer::Taken(_)), "{version}");
    }
}
