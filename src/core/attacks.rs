//! Attacks on the first format, one test each, on the second: what they relied on can't be said any more, or changes nothing.
//! Other attacks have their tests beside what stops them (two branches, bad signatures inside entries: `sync::exchange`; hostile documents: `document::rooted`; stolen keys: `registry`,
//! `standing`, `book`; retired witness keys: `receipt`, `book`).

use std::collections::BTreeSet;

use crate::actors::{BEGIN, Device, Person, Witness, module, network, username};
use crate::book::{Noticed, Refusal};
use crate::document::{Document, Write, count_operations};
use crate::document::{Map, Value};
use crate::log::body::{Claim, Mark, Withdrawal};
use crate::log::chain::OPERATIONS_MAX;
use crate::log::{Body, Capabilities, Chain, ChainRejection, Entry, EntryId, Kind};
use crate::name::ClaimedName;
use crate::network::{Genesis, NetworkHistory};
use crate::registry::Registry;
use crate::time::Timestamp;

fn witness() -> Witness {
    let (history, keys) = network(1, 1);
    Witness::new(history, keys[0].clone(), Timestamp::default())
}

fn device(witness: &Witness, seed: u8) -> (Person, Device) {
    let person = Person::new(witness.registry.topic(), seed);
    let device = person.device(0, seed);
    (person, device)
}

fn confirm(witness: &mut Witness, device: &Device, entry: &Entry, now: Timestamp) {
    let receipt = witness.ask(device, entry, now).expect("it is signed");
    witness.learn_confirmed(device, entry, &[receipt], now);
    if let Some(noticed) = witness.registry.facts().get(&entry.id()).and_then(Noticed::of) {
        witness.book.memory_mut().notice(noticed, now);
    }
}

fn claim_of(name: &str, at: Timestamp, withdrawals: Vec<Withdrawal>) -> Body {
    let name = ClaimedName::Username(name.parse().expect("a username"));
    let round = u32::from(!withdrawals.is_empty());
    Body::Claim(Box::new(Claim { name, after: None, round, withdrawals, at, work: 0 }))
}

/// A few hundred bytes announced ten thousand operations, and five thousand such changes were taken.
#[test]
fn operation_bomb_is_refused_before_anything_is_unpacked() {
    let laptop = Person::new(network(1, 1).0.topic(), 1).device(0, 1);
    let log = laptop.log().numbered(1);
    let mut document = Document::default();
    // One value under many keys: a byte for each in most columns.
    let writes = |value: u64| -> Vec<Write> {
        (0..1_000).map(|at| Write::put(Map::Private, format!("{at}"), Value::Integer(value))).collect()
    };
    let mut chain = Chain::new(log);
    let (mut head, mut operations, mut refused) = (None, 0, None);
    for seq in 0..10 {
        let body = document.write(log, BEGIN, &writes(seq)).expect("within one change's bounds");
        let counted = count_operations(&body).expect("it has the form of a change");
        let entry = match &head {
            None => Entry::begin(&laptop.topic, &laptop.key, log, Kind::Change as u8, body),
            Some(head) => Entry::after(&laptop.topic, &laptop.key, head, Kind::Change as u8, body),
        };
        if let Err(error) = chain.admit(entry.signed_header(), counted) {
            refused = Some(error);
            break;
        }
        operations += counted;
        document.insert_change(log, seq, entry.id(), entry.body(), &Capabilities::full()).expect("a change");
        head = Some(*entry.signed_header());
    }
    assert_eq!(refused, Some(ChainRejection::ChangesFull));
    assert!(operations <= OPERATIONS_MAX && operations > 1_000, "{operations}");
}

/// A holder gave a name up with a date before the releases, and every version that anybody depended on was gone.
#[test]
fn end_takes_back_no_release() {
    let mut witness = witness();
    let (alice, mut laptop) = device(&witness, 1);
    let claim = laptop.claim_module("crc-32");
    let releases = ["1.0.0", "1.1.0"].map(|version| laptop.release("crc-32", version, claim.id()));
    for entry in [&claim, &releases[0], &releases[1]] {
        confirm(&mut witness, &laptop, entry, BEGIN);
    }
    let give_up = laptop.give_up(&alice, claim.id(), None);
    confirm(&mut witness, &laptop, &give_up, BEGIN);
    let finish = laptop.finish(&alice, give_up.id(), claim.id().digest());
    confirm(&mut witness, &laptop, &finish, BEGIN.plus(std::time::Duration::from_secs(20)));
    assert!(witness.registry.name(&module("crc-32")).holder().is_none());
    let versions: BTreeSet<EntryId> =
        witness.registry.versions(&module("crc-32")).values().map(|version| version.release).collect();
    assert_eq!(versions, releases.iter().map(Entry::id).collect());
}

/// A withdrawal of a release that was dated in the far future was permanent. Now the chain of marks decides, not a date.
#[test]
fn withdrawal_from_the_far_future_is_undone_like_any_other() {
    let mut witness = witness();
    let (_, mut laptop) = device(&witness, 1);
    let claim = laptop.claim_module("crc-32");
    let release = laptop.release("crc-32", "1.0.0", claim.id());
    for entry in [&claim, &release] {
        confirm(&mut witness, &laptop, entry, BEGIN);
    }
    let far = Body::Mark(Mark {
        release: release.id(),
        before: None,
        is_withdrawn: true,
        reason: "for ever".into(),
        under: claim.id(),
        at: Timestamp::LATEST,
    });
    let refused = laptop.clone().write(&far);
    assert_eq!(witness.ask(&laptop, &refused, BEGIN), Err(Refusal::DatedAhead));
    // Without witnesses it is not refused, and can be undone all the same.
    let mut registry = Registry::new(NetworkHistory::new(Genesis::without_witnesses(1)));
    let mut laptop = Person::new(registry.topic(), 1).device(0, 1);
    let claim = laptop.claim_module("crc-32");
    let release = laptop.release("crc-32", "1.0.0", claim.id());
    let Body::Mark(mark) = far else { unreachable!("a mark") };
    let mark = laptop.write(&Body::Mark(Mark { release: release.id(), under: claim.id(), ..mark }));
    let undone = laptop.mark(release.id(), Some(mark.id()), false, claim.id());
    let mut withdrawn = Vec::new();
    for entry in [&laptop.opening, &claim, &release, &mark, &undone] {
        registry.admit(entry, 0).expect("a valid entry");
        withdrawn.extend(registry.versions(&module("crc-32")).values().map(|version| version.is_withdrawn));
    }
    assert_eq!(withdrawn, [false, true, false]);
}

/// Claims with earlier dates moved a confirmed one out of those that counted.
#[test]
fn backdated_claims_move_no_confirmed_one() {
    let mut witness = witness();
    let ((alice, mut laptop), (_, mut mallory)) = (device(&witness, 1), device(&witness, 2));
    let claim = laptop.claim("rose", None);
    confirm(&mut witness, &laptop, &claim, BEGIN);
    let early = Timestamp::from_millis(1);
    for device in [&mut laptop, &mut mallory] {
        let names = (0..40).map(|at| format!("early-{at}")).chain(["rose".to_owned()]);
        let entries: Vec<Entry> = names.map(|name| device.write(&claim_of(&name, early, vec![]))).collect();
        for entry in &entries {
            witness.learn(&device.opening, entry, BEGIN);
        }
    }
    assert_eq!(witness.registry.name(&username("rose")).holder().expect("held").holder, alice.did);
}

/// The witness's book and everybody else came to different holders, by the order in which receipts were asked for.
#[test]
fn both_orders_of_two_claims_come_to_the_same() {
    for order in [[200, 100], [100, 200]] {
        let mut witness = witness();
        let (alice, mut laptop) = device(&witness, 1);
        for (name, at) in ["alice", "alice-two"].into_iter().zip(order) {
            let entry = laptop.write(&claim_of(name, Timestamp::from_millis(at), vec![]));
            confirm(&mut witness, &laptop, &entry, BEGIN);
        }
        // A new name ends none, and what the witness holds taken is held by rule.
        for name in ["alice", "alice-two"] {
            assert_eq!(witness.registry.name(&username(name)).holder().expect("held").holder, alice.did);
            let (_, mut carol) = device(&witness, 3);
            let rival = carol.claim(name, None);
            assert!(matches!(witness.ask(&carol, &rival, BEGIN), Err(Refusal::Taken(_))));
        }
    }
}

/// A receipt that was kept back: names looked free, and a year later the attacker published it.
#[test]
fn withheld_receipt_is_shown_to_the_next_who_asks() {
    let mut witness = witness();
    let ((_, mut mallory), (_, mut bob)) = (device(&witness, 1), device(&witness, 2));
    let hidden = mallory.claim("rose", None);
    witness.ask(&mallory, &hidden, BEGIN).expect("it is free");
    let mut registry = Registry::new(witness.registry.history().clone());
    assert!(registry.name(&username("rose")).holder().is_none(), "nobody else knows");
    let rival = bob.claim("r0se", None);
    let Err(Refusal::Taken(by)) = witness.ask(&bob, &rival, BEGIN) else { panic!("it is taken") };
    // The answer comes with that entry and the receipt, so the name is known to be held from then on.
    let receipt = witness.book.receipt_of(&by).expect("it was signed").clone();
    registry.admit_alone(&mallory.opening, &hidden, vec![receipt], vec![]).expect("valid");
    assert_eq!(registry.name(&username("rose")).holder().map(|tenure| tenure.claim), Some(by));
}
