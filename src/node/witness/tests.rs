//! A witness with its store: restarts, damage, clocks, strangers, and changes of the set.

mod restarts;
mod strangers;
mod successions;

use std::rc::Rc;

use futures::executor::block_on;

use super::*;
use crate::receipts::support::{Network, ask, later, signed, started};
use crate::store::sqlite::SqliteStore;
use gen_registry_core::actors::{BEGIN, Device, Person};
use gen_registry_core::sync::asking::wire::Code;

fn device(network: &Network, seed: u8) -> Device {
    Person::new(network.history.topic(), seed).device(0, seed)
}

/// Writes a claim and asks for it.
fn claim(witness: &Witness, device: &mut Device, name: &str, now: Timestamp) -> Answer {
    let entry = device.claim(name, None);
    ask(witness, device, &entry, now)
}

/// The code of a refusal.
fn refused(answer: Answer) -> Code {
    match answer {
        Answer::Refused(refused) => refused.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn first_come_is_signed_and_the_rival_is_shown_it() {
    let network = Network::new(3, 2);
    let witness = &network.witnesses[0];
    let (mut alice, mut bob) = (device(&network, 1), device(&network, 2));
    let (rose, rival) = (alice.claim("rose", None), bob.claim("r0se", None));
    let receipt = signed(ask(witness, &alice, &rose, BEGIN));
    assert_eq!(signed(ask(witness, &alice, &rose, later(9))), receipt, "the same at each asking");
    let Answer::Taken(pieces) = ask(witness, &bob, &rival, BEGIN) else { panic!("not taken") };
    let expected = [Piece::Entry(alice.opening.encode()), Piece::Receipt(receipt), Piece::Entry(rose.encode())];
    assert_eq!(pieces, expected);
    assert!(Answer::decode(&Answer::Taken(pieces).encode()).is_ok(), "within the bounds of an answer");
    assert_eq!(block_on(witness.receipts()), 1);
}

/// What one witness signed is known to the others as soon as it is passed on; with enough it is confirmed there.
#[test]
fn what_is_signed_is_passed_on() {
    let network = Network::new(3, 2);
    let (mut alice, mut bob) = (device(&network, 1), device(&network, 2));
    let rose = alice.claim("rose", None);
    for witness in &network.witnesses[..2] {
        signed(ask(witness, &alice, &rose, BEGIN));
    }
    network.pass_on(BEGIN);
    let third = &network.witnesses[2];
    let Answer::Taken(pieces) = claim(third, &mut bob, "rose", BEGIN) else { panic!("not taken") };
    assert_eq!(pieces.iter().filter(|piece| matches!(piece, Piece::Receipt(_))).count(), 2, "it signed none itself");
    assert_eq!(block_on(third.receipts()), 0);
    let crc = alice.claim_module("crc-32");
    signed(ask(third, &alice, &crc, BEGIN));
    let state = block_on(third.state.lock());
    assert!(state.unconfirmed.get(&network.keys[0].public()).is_none_or(|count| *count == 0));
    assert_eq!(state.unconfirmed.get(&network.keys[2].public()), Some(&1), "the module's claim waits");
    drop(state);
}

#[test]
fn everything_is_the_same_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("witness.db");
    let open = || -> Rc<dyn Store> { Rc::new(SqliteStore::open(&path).expect("it opens")) };
    let network = Network::new(1, 1);
    let (mut alice, bob) = (device(&network, 1), device(&network, 2));
    let rose = alice.claim("rose", None);
    let first = started(&network.history, &network.keys[0], open(), BEGIN);
    let receipt = signed(ask(&first, &alice, &rose, BEGIN));
    drop(first);
    let again = started(&network.history, &network.keys[0], open(), later(1));
    assert_eq!(signed(ask(&again, &alice, &rose, later(1))), receipt);
    assert!(matches!(ask(&again, &bob, &bob.clone().claim("rose", None), later(1)), Answer::Taken(_)));
    block_on(again.stop()).expect("it stops");
    drop(again);
    let stopped = started(&network.history, &network.keys[0], open(), later(2));
    assert_eq!(refused(ask(&stopped, &bob, &bob.clone().claim("lily", None), later(2))), Code::Closed);
    assert!(block_on(stopped.export()).is_ok());
}

/// Alice's device, and the finish of a give-up that the first witness signed at the beginning.
fn given_up(network: &Network) -> (Device, Entry) {
    let alice = Person::new(network.history.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let rose = laptop.claim("rose", None);
    let give_up = laptop.give_up(&alice, rose.id(), None);
    let finish = laptop.finish(&alice, give_up.id(), rose.id().digest());
    for entry in [&rose, &give_up] {
        signed(ask(&network.witnesses[0], &laptop, entry, BEGIN));
    }
    (laptop, finish)
}

#[test]
fn end_is_not_signed_right_after_the_witness_was_away() {
    let mut network = Network::new(1, 1);
    let (laptop, finish) = given_up(&network);
    // Reachable all the time until 15 s; then it is ended, and is back at 30 s. The hold of 20 s has passed.
    for seconds in 0..=15 {
        block_on(network.witnesses[0].note_reachable(later(seconds)));
    }
    network.restart(0, later(30));
    let Answer::Refused(refused) = ask(&network.witnesses[0], &laptop, &finish, later(31)) else { panic!("signed") };
    assert_eq!(refused.code, Code::Away);
    assert_eq!(refused.until, Some(later(30).plus(network.history.genesis().parameters.hold / 3)));
    for seconds in 31..37 {
        block_on(network.witnesses[0].note_reachable(later(seconds)));
    }
    // A restart that takes no time is no break.
    network.restart(0, later(37));
    signed(ask(&network.witnesses[0], &laptop, &finish, later(37)));
}

/// The same without a restart: a machine that slept, or a relay that was cut off.
#[test]
fn silence_is_a_break_as_well() {
    let network = Network::new(1, 1);
    let (laptop, finish) = given_up(&network);
    assert_eq!(refused(ask(&network.witnesses[0], &laptop, &finish, later(30))), Code::Away);
    for seconds in 31..37 {
        block_on(network.witnesses[0].note_reachable(later(seconds)));
    }
    signed(ask(&network.witnesses[0], &laptop, &finish, later(37)));
}

/// The hold is counted from when the witness saw the give-up, through any number of restarts.
#[test]
fn waits_go_on_through_a_restart() {
    let mut network = Network::new(1, 1);
    let (laptop, finish) = given_up(&network);
    for seconds in 1..20 {
        network.restart(0, later(seconds));
        let Answer::Refused(refused) = ask(&network.witnesses[0], &laptop, &finish, later(seconds)) else {
            panic!("signed after {seconds} s")
        };
        assert_eq!((refused.code, refused.until), (Code::HoldRuns, Some(later(20))));
    }
    network.restart(0, later(20));
    signed(ask(&network.witnesses[0], &laptop, &finish, later(20)));
}
