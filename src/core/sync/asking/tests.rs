//! Clients that ask witnesses: the order, what counts as an answer, and rivals that ask at once.

use super::*;
use crate::actors::{BEGIN, Device, Person, Witness, network, username};
use crate::book::Refusal;
use crate::keys::SecretKey;
use crate::network::NetworkHistory;
use crate::time::Timestamp;

/// Three witnesses by key, of which two confirm.
fn witnesses() -> (NetworkHistory, Vec<Witness>) {
    let (history, keys) = network(3, 2);
    let make = |key: &SecretKey| Witness::new(history.clone(), key.clone(), Timestamp::default());
    let witnesses = keys.iter().map(make).collect();
    (history, witnesses)
}

fn asking(registry: &Registry, device: &Device, entry: &Entry) -> Asking {
    let opening = Opening::decode(&device.topic, device.opening.body()).expect("an opening");
    Asking::new(registry, &opening, entry).expect("it says something")
}

/// Asks one witness as the program does.
fn ask(
    witnesses: &mut [Witness],
    key: &PublicKey,
    device: &Device,
    entry: &Entry,
    others: &[(&Device, &Entry)],
) -> Answer {
    let witness = witnesses.iter_mut().find(|witness| witness.book.witness() == *key).expect("one of them");
    match witness.ask(device, entry, BEGIN) {
        Ok(receipt) => Answer::Signed(receipt),
        Err(Refusal::Taken(by)) => {
            let receipt = witness.book.receipt_of(&by).expect("it signed that");
            let (device, entry) = others.iter().find(|(_, entry)| entry.id() == by).expect("one of the rivals");
            Answer::Taken(vec![
                Piece::Entry(device.opening.encode()),
                Piece::Receipt(receipt.encode()),
                Piece::Entry(entry.encode()),
            ])
        }
        Err(refusal) => Answer::Refused(Refused::from(&refusal)),
    }
}

#[test]
fn rivals_ask_in_one_order_and_one_of_them_gets_all_votes() {
    for turn in 0..6 {
        let (history, mut witnesses) = witnesses();
        let registry = Registry::new(history.clone());
        let mut devices: Vec<Device> = (1..=3).map(|seed| Person::new(history.topic(), seed).device(0, seed)).collect();
        let claims: Vec<Entry> = devices.iter_mut().map(|device| device.claim("rose", None)).collect();
        let others: Vec<(&Device, &Entry)> = devices.iter().zip(&claims).collect();
        let mut askings: Vec<Asking> =
            devices.iter().zip(&claims).map(|(device, claim)| asking(&registry, device, claim)).collect();
        let first = askings[0].first().expect("there are witnesses");
        assert!(askings.iter().all(|asking| asking.first() == Some(first)));
        let mut steps: Vec<Step> = vec![Step::Next(first); 3];
        for round in 0..9 {
            let at = (round + turn) % 3;
            if let Step::Next(witness) = steps[at] {
                let answer = ask(&mut witnesses, &witness, &devices[at], &claims[at], &others);
                steps[at] = askings[at].answer(&registry, answer);
            }
        }
        let winner = steps.iter().position(|step| *step == Step::Confirmed).expect("one of them");
        assert!(steps.iter().enumerate().all(|(at, step)| at == winner || *step == Step::Lost(claims[winner].id())));
        assert_eq!(askings[winner].receipts().len(), 2);
    }
}

#[test]
fn order_is_spread_over_the_witnesses() {
    let (history, _) = network(7, 4);
    let firsts: BTreeSet<PublicKey> = (0..60u8).map(|at| order(history.set(), &Digest::of(&[at]))[0]).collect();
    assert_eq!(firsts.len(), 7);
}

/// A witness that says "taken" and shows nothing, or something else, can't keep a name from anybody.
#[test]
fn refusal_that_shows_nothing_is_no_answer() {
    let (history, _) = witnesses();
    let (_, keys) = network(3, 2);
    let registry = Registry::new(history.clone());
    let topic = history.topic();
    let (mut laptop, mut other) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let claim = laptop.claim("rose", None);
    let (rival, lily) = (other.claim("r0se", None), other.claim("lily", None));
    let slots = |device: &Device, entry: &Entry| {
        let opening = Opening::decode(&topic, device.opening.body()).expect("an opening");
        Fact::of(&topic, entry, &opening).expect("a claim").slots().iter().map(Slot::digest).collect::<Vec<_>>()
    };
    let first = asking(&registry, &laptop, &claim).first().expect("a witness");
    let key = keys.iter().find(|key| key.public() == first).expect("one of them");
    let another = keys.iter().find(|key| key.public() != first).expect("one of them");
    let entry = |entry: &Entry| Piece::Entry(entry.encode());
    let signed = |key: &SecretKey, shown: &Entry| {
        Piece::Receipt(Receipt::sign(&topic, key, 0, shown.id(), slots(&other, shown), BEGIN).encode())
    };
    let opening = entry(&other.opening);
    let no_answers = [
        vec![],
        vec![opening.clone(), entry(&rival)],
        vec![opening.clone(), entry(&lily), signed(key, &lily)],
        vec![opening.clone(), entry(&rival), signed(another, &rival)],
        vec![entry(&rival), signed(key, &rival)],
        vec![opening.clone(), signed(key, &rival)],
    ];
    for pieces in no_answers {
        let step = asking(&registry, &laptop, &claim).answer(&registry, Answer::Taken(pieces.clone()));
        assert!(matches!(step, Step::Next(_)), "{pieces:?}");
    }
    let proof = vec![opening, entry(&rival), signed(key, &rival)];
    assert_eq!(asking(&registry, &laptop, &claim).answer(&registry, Answer::Taken(proof)), Step::Lost(rival.id()));
}

#[test]
fn receipt_of_another_witness_entry_or_slot_is_none() {
    let (history, _) = witnesses();
    let (_, keys) = network(3, 2);
    let registry = Registry::new(history.clone());
    let topic = history.topic();
    let mut laptop = Person::new(topic, 1).device(0, 1);
    let (claim, other) = (laptop.claim("rose", None), laptop.claim("lily", None));
    let first = asking(&registry, &laptop, &claim).first().expect("a witness");
    let key = keys.iter().find(|key| key.public() == first).expect("one of them");
    let another = keys.iter().find(|key| key.public() != first).expect("one of them");
    let good = asking(&registry, &laptop, &claim).slots;
    let bad = [
        Receipt::sign(&topic, another, 0, claim.id(), good.clone(), BEGIN),
        Receipt::sign(&topic, key, 0, other.id(), good.clone(), BEGIN),
        Receipt::sign(&topic, key, 1, claim.id(), good.clone(), BEGIN),
        Receipt::sign(&topic, key, 0, claim.id(), vec![good[0]], BEGIN),
    ];
    for receipt in bad {
        let mut asking = asking(&registry, &laptop, &claim);
        assert!(matches!(asking.answer(&registry, Answer::Signed(receipt)), Step::Next(_)));
        assert!(asking.receipts().is_empty());
    }
}

#[test]
fn witness_that_can_not_be_reached_is_passed_over() {
    let (history, mut witnesses) = witnesses();
    let mut registry = Registry::new(history.clone());
    let alice = Person::new(history.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let claim = laptop.claim("rose", None);
    let mut one = asking(&registry, &laptop, &claim);
    let mut step = one.answer(&registry, Answer::Nothing);
    while let Step::Next(witness) = step {
        let answer = ask(&mut witnesses, &witness, &laptop, &claim, &[]);
        step = one.answer(&registry, answer);
    }
    assert_eq!(step, Step::Confirmed);
    registry.admit_alone(&laptop.opening, &claim, one.receipts().to_vec(), vec![]).expect("valid");
    assert_eq!(registry.name(&username("rose")).holder().expect("held").holder, alice.did);
    // Two that can't be reached are too many.
    let mut none = asking(&registry, &laptop, &claim);
    assert!(matches!(none.answer(&registry, Answer::Nothing), Step::Next(_)));
    assert!(matches!(none.answer(&registry, Answer::Nothing), Step::Next(_)));
    assert_eq!(none.answer(&registry, Answer::Nothing), Step::Exhausted);
    assert_eq!(none.answer(&registry, Answer::Nothing), Step::Exhausted);
}

/// Receipts of the threshold show a rival that the witness itself has not signed.
#[test]
fn confirmed_rival_is_shown_by_others_receipts() {
    let (history, _) = witnesses();
    let (_, keys) = network(3, 2);
    let registry = Registry::new(history.clone());
    let topic = history.topic();
    let (mut laptop, mut other) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let (claim, rival) = (laptop.claim("rose", None), other.claim("r0se", None));
    let slots = asking(&registry, &other, &rival).slots;
    let first = asking(&registry, &laptop, &claim).first().expect("a witness");
    let others: Vec<&SecretKey> = keys.iter().filter(|key| key.public() != first).collect();
    let shown = |by: &[&SecretKey]| {
        let sign = |key: &&SecretKey| Receipt::sign(&topic, key, 0, rival.id(), slots.clone(), BEGIN).encode();
        let receipts = by.iter().map(sign).map(Piece::Receipt);
        receipts.chain([Piece::Entry(other.opening.encode()), Piece::Entry(rival.encode())]).collect::<Vec<_>>()
    };
    let answer = |pieces| asking(&registry, &laptop, &claim).answer(&registry, Answer::Taken(pieces));
    assert!(matches!(answer(shown(&others[..1])), Step::Next(_)));
    assert!(matches!(answer(shown(&[others[0], others[0]])), Step::Next(_)), "one twice is one");
    assert!(matches!(answer(shown(&[others[0], &SecretKey::from_seed(&[1; 32])])), Step::Next(_)));
    assert_eq!(answer(shown(&others)), Step::Lost(rival.id()));
}

/// A refusal counts once the others are too few; of several the earliest time is the one to ask again at.
#[test]
fn refusals_count_when_too_few_are_left() {
    use wire::Code;
    let (history, _) = witnesses();
    let registry = Registry::new(history.clone());
    let mut laptop = Person::new(history.topic(), 1).device(0, 1);
    let claim = laptop.claim("rose", None);
    let refused = |until: Option<u64>| {
        let until = until.map(|seconds| BEGIN.plus(std::time::Duration::from_secs(seconds)));
        Refused { code: Code::CoolingDown, entry: None, until }
    };
    let mut one = asking(&registry, &laptop, &claim);
    assert!(matches!(one.answer(&registry, Answer::Refused(refused(Some(9)))), Step::Next(_)));
    assert_eq!(one.answer(&registry, Answer::Refused(refused(Some(3)))), Step::Refused(refused(Some(3))));
    let mut one = asking(&registry, &laptop, &claim);
    one.answer(&registry, Answer::Refused(refused(None)));
    assert_eq!(one.answer(&registry, Answer::Refused(refused(Some(7)))), Step::Refused(refused(Some(7))));
}

/// Who has receipts goes on with them: their witnesses are not asked again, and others' receipts are passed over.
#[test]
fn asking_goes_on_with_receipts_of_before() {
    let (history, mut witnesses) = witnesses();
    let registry = Registry::new(history.clone());
    let mut laptop = Person::new(history.topic(), 1).device(0, 1);
    let (claim, other) = (laptop.claim("rose", None), laptop.claim("lily", None));
    let order = asking(&registry, &laptop, &claim).order;
    let mut sign = |at: usize, entry: &Entry| {
        let witness = witnesses.iter_mut().find(|witness| witness.book.witness() == order[at]).expect("one of them");
        witness.ask(&laptop, entry, BEGIN).expect("it is free")
    };
    let (last, strange) = (sign(2, &claim), sign(1, &other));
    let resumed = asking(&registry, &laptop, &claim).with_receipts([strange, last.clone(), last.clone()]);
    assert_eq!((resumed.receipts(), resumed.first()), (&[last.clone()][..], Some(order[0])));
    let first = sign(0, &claim);
    let mut one = asking(&registry, &laptop, &claim).with_receipts([last.clone()]);
    assert_eq!(one.answer(&registry, Answer::Signed(first.clone())), Step::Confirmed);
    let both = asking(&registry, &laptop, &claim).with_receipts([last, first]);
    assert_eq!((both.receipts().len(), both.first()), (2, None));
}
