//! Receipts: what confirms, what contradicts, and what is left of a closed set.

use super::*;
use crate::actors::{BEGIN, network, succession_key};
use crate::network::{Closing, FactList, SetChange, SignedSetChange, WitnessSet};

fn entry(text: &str) -> EntryId {
    EntryId::from_digest(Digest::of(text.as_bytes()))
}

fn slot(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

fn receipt(topic: &Topic, witness: &SecretKey, text: &str, slots: &[&str]) -> Receipt {
    Receipt::sign(topic, witness, 0, entry(text), slots.iter().map(|text| slot(text)).collect(), BEGIN)
}

#[test]
fn receipt_is_read_as_written_and_every_flipped_bit_is_noticed() {
    let (history, keys) = network(3, 2);
    let receipt = receipt(&history.topic(), &keys[0], "claim", &["place", "rose"]);
    let bytes = receipt.encode();
    assert_eq!(Receipt::decode(&history.topic(), &bytes), Ok(receipt.clone()));
    assert_eq!(Receipt::decode(&Topic::from_bytes([1; 32]), &bytes), Err(ReceiptError::Forged));
    for bit in 0..8 * bytes.len() {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(Receipt::decode(&history.topic(), &flipped).is_err(), "bit {bit}");
    }
    let none = Receipt::sign(&history.topic(), &keys[0], 0, receipt.entry, vec![], BEGIN).encode();
    assert!(matches!(Receipt::decode(&history.topic(), &none), Err(ReceiptError::Unreadable(_))));
    let many = vec![slot("x"); SLOTS_MAX + 1];
    let many = Receipt::sign(&history.topic(), &keys[0], 0, receipt.entry, many, BEGIN).encode();
    assert!(matches!(Receipt::decode(&history.topic(), &many), Err(ReceiptError::Unreadable(_))));
}

#[test]
fn threshold_of_receipts_by_witnesses_of_the_set_confirms() {
    let (history, keys) = network(3, 2);
    let mut known = Confirmations::default();
    let topic = history.topic();
    let of = |witness: &SecretKey| receipt(&topic, witness, "claim", &["place"]);
    assert!(!known.add_receipt(&history, of(&SecretKey::from_seed(&[1; 32]))), "of nobody's witness");
    assert!(known.add_receipt(&history, of(&keys[0])) && !known.add_receipt(&history, of(&keys[0])));
    assert!(!known.is_confirmed(&history, &entry("claim")), "one of two");
    assert!(known.add_receipt(&history, of(&keys[2])));
    assert!(known.is_confirmed(&history, &entry("claim")));
    assert_eq!(known.witnessed_at(&history, &entry("claim")), Some(BEGIN));
    let ahead = Receipt::sign(&topic, &keys[1], 7, entry("other"), vec![slot("x")], BEGIN);
    assert!(!known.add_receipt(&history, ahead), "of a set that is not known");
}

#[test]
fn of_several_receipts_of_one_witness_the_earliest_is_kept_in_any_order() {
    let (history, keys) = network(1, 1);
    let at = |millis| {
        Receipt::sign(&history.topic(), &keys[0], 0, entry("claim"), vec![slot("x")], Timestamp::from_millis(millis))
    };
    for order in [[5, 9, 7], [9, 5, 7], [7, 9, 5]] {
        let mut known = Confirmations::default();
        for millis in order {
            known.add_receipt(&history, at(millis));
        }
        assert_eq!(known.witnessed_at(&history, &entry("claim")), Some(Timestamp::from_millis(5)));
        assert_eq!(known.contradictions().count(), 0, "it is one entry");
    }
}

#[test]
fn two_entries_for_one_slot_are_a_contradiction_that_voids_nothing() {
    let (history, keys) = network(1, 1);
    let mut known = Confirmations::default();
    known.add_receipt(&history, receipt(&history.topic(), &keys[0], "alice", &["place 1", "rose"]));
    known.add_receipt(&history, receipt(&history.topic(), &keys[0], "bob", &["place 2", "rose"]));
    known.add_receipt(&history, receipt(&history.topic(), &keys[0], "carol", &["place 3", "lily"]));
    let (witness, proofs) = known.contradictions().next().expect("rose was signed twice");
    assert_eq!((*witness, proofs.len()), (keys[0].public(), 1));
    assert!(["alice", "bob", "carol"].iter().all(|text| known.is_confirmed(&history, &entry(text))));
    for at in 0..2 * CONTRADICTIONS_MAX {
        known.add_receipt(&history, receipt(&history.topic(), &keys[0], &at.to_string(), &["rose"]));
    }
    let (_, proofs) = known.contradictions().next().expect("it goes on");
    assert_eq!(proofs.len(), CONTRADICTIONS_MAX);
}

/// A retired key is worth nothing: what its set confirmed counts by its path, and nothing else does.
#[test]
fn receipts_of_a_closed_set_count_only_under_its_root() {
    let (mut history, keys) = network(1, 1);
    let topic = history.topic();
    let mut known = Confirmations::default();
    for text in ["listed", "overlooked"] {
        known.add_receipt(&history, receipt(&topic, &keys[0], text, &[text]));
    }
    let list = FactList::new([*entry("listed").digest()]);
    let path = ProvenPath { set: 0, path: list.path(entry("listed").digest()).expect("listed") };
    assert_eq!(ProvenPath::decode(&path.encode()), Ok(path.clone()));
    assert!(!known.add_path(&history, entry("listed"), path.clone()), "its set is not closed yet");
    let change = SetChange {
        number: 1,
        before: history.newest(),
        set: WitnessSet::new([SecretKey::from_seed(&[50; 32]).public()], 1, [succession_key(1, 0).public().digest()]),
        version: 1,
        closing: Closing::of(&list),
    };
    let signature = change.sign(&topic, &succession_key(0, 0));
    history.follow(SignedSetChange::new(&topic, change, vec![signature]).expect("valid")).expect("the next change");
    assert!(!known.is_confirmed(&history, &entry("listed")) && !known.is_confirmed(&history, &entry("overlooked")));
    assert!(known.add_path(&history, entry("listed"), path.clone()));
    assert!(!known.add_path(&history, entry("overlooked"), path), "it is the path of another fact");
    assert!(known.is_confirmed(&history, &entry("listed")));
    assert!(!known.add_receipt(&history, receipt(&topic, &keys[0], "stolen", &["rose"])), "and none more is kept");
    assert_eq!(known.receipts_of(&entry("stolen")).count(), 0);
    assert!(!known.is_confirmed(&history, &entry("stolen")));
}
