//! Clients and witnesses with their stores: rivals, front-running, split votes, and witnesses that are away.

use std::collections::BTreeSet;

use futures::executor::block_on;

use super::*;
use crate::receipts::support::{Link, Network, asked, collected, later, resumed};
use gen_registry_core::actors::{BEGIN, Device, Person, username};
use gen_registry_core::log::Body;
use gen_registry_core::log::body::{Claim, Withdrawal};
use gen_registry_core::sync::asking::foundations::foundations;
use gen_registry_core::sync::asking::wire::Code;
use gen_registry_core::sync::exchange::admit;
use gen_registry_core::sync::exchange::load_answer;

fn device(network: &Network, seed: u8) -> Device {
    Person::new(network.history.topic(), seed).device(0, seed)
}

fn holder(registry: &RefCell<Registry>, name: &str) -> Option<gen_registry_core::keys::Did> {
    registry.borrow().name(&username(name)).holder().map(|tenure| tenure.holder)
}

#[test]
fn of_two_rivals_one_is_confirmed_and_the_other_is_shown_by_whom() {
    let network = Network::new(3, 2);
    let (mut alice, mut bob) = (device(&network, 1), device(&network, 2));
    let (rose, rival) = (alice.claim("rose", None), bob.claim("r0se", None));
    let (mine, theirs) = (network.registry(), network.registry());
    let Outcome::Confirmed(receipts) = collected(&mine, &alice, &rose, &network.link(BEGIN)) else { panic!("lost") };
    assert_eq!((receipts.len(), holder(&mine, "rose")), (2, Some(alice.did)));
    network.pass_on(BEGIN);
    let Outcome::Lost { to, proof } = collected(&theirs, &bob, &rival, &network.link(BEGIN)) else {
        panic!("not lost")
    };
    assert_eq!(to, rose.id());
    assert_eq!(holder(&theirs, "rose"), Some(alice.did), "the proof was admitted");
    // What it comes with is enough for a node that knows nothing.
    let fresh = network.registry();
    admit(&mut fresh.borrow_mut(), &proof, |_| Some(0));
    assert_eq!(holder(&fresh, "rose"), Some(alice.did));
    // And after that every witness says the same to everybody.
    for witness in &network.witnesses {
        let link = network.link(later(1)).only(witness);
        let step = collected(&network.registry(), &bob, &rival, &link);
        assert!(matches!(step, Outcome::Lost { to, .. } if to == rose.id()), "{step:?}");
    }
}

/// A stranger sees a claim on its way to the second witness, and shows a claim of their own.
#[test]
fn front_runner_gets_nothing() {
    let network = Network::new(3, 2);
    let (mut alice, mut mallory) = (device(&network, 1), device(&network, 2));
    let (rose, stolen) = (alice.claim("rose", None), mallory.claim("rose", None));
    let mine = network.registry();
    // One witness has signed; the others can't be reached for a while.
    let order: Vec<_> = ordered(&network, &alice, &rose);
    let first = network.witnesses.iter().find(|witness| witness.key() == order[0]).expect("one of them");
    let partly = collected(&mine, &alice, &rose, &network.link(BEGIN).only(first));
    assert!(matches!(partly, Outcome::Exhausted(receipts) if receipts.len() == 1));
    assert!(holder(&mine, "rose").is_none(), "it is not announced");
    let theirs = network.registry();
    let outcome = collected(&theirs, &mallory, &stolen, &network.link(BEGIN));
    assert!(matches!(outcome, Outcome::Lost { to, .. } if to == rose.id()), "{outcome:?}");
    assert!(matches!(collected(&mine, &alice, &rose, &network.link(later(9))), Outcome::Confirmed(_)));
    assert_eq!(holder(&mine, "rose"), Some(alice.did));
}

fn ordered(network: &Network, device: &Device, entry: &Entry) -> Vec<PublicKey> {
    let registry = network.registry();
    let opening = Opening::decode(&device.topic, device.opening.body()).expect("an opening");
    let mut asking = Asking::new(&registry.borrow(), &opening, entry).expect("it says something");
    let mut order = vec![asking.first().expect("there are witnesses")];
    while let Step::Next(next) = asking.answer(&registry.borrow(), Answer::Nothing) {
        order.push(next);
    }
    order
}

/// Each of three rivals reaches another witness alone. They count the same, two withdraw, and the third goes on.
#[test]
fn split_votes_are_healed_by_a_next_round() {
    let network = Network::new(3, 2);
    let mut devices: Vec<Device> = (1..=3).map(|seed| device(&network, seed)).collect();
    let claims: Vec<Entry> = devices.iter_mut().map(|device| device.claim("rose", None)).collect();
    let registries: Vec<_> = devices.iter().map(|_| network.registry()).collect();
    let mut votes = Vec::new();
    for (at, witness) in network.witnesses.iter().enumerate() {
        match collected(&registries[at], &devices[at], &claims[at], &network.link(BEGIN).only(witness)) {
            Outcome::Exhausted(receipts) => votes.push(receipts),
            other => panic!("{other:?}"),
        }
    }
    assert!(votes.iter().all(|receipts| receipts.len() == 1));
    // With one witness away nobody knows yet.
    let link = network.link(later(1)).without(&network.witnesses[2]);
    assert!(matches!(resumed(&registries[0], &devices[0], &claims[0], &votes[0], &link), Outcome::Exhausted(_)));
    let splits: Vec<Split> = (0..3)
        .map(|at| match resumed(&registries[at], &devices[at], &claims[at], &votes[at], &network.link(later(2))) {
            Outcome::Split { split, .. } => split,
            other => panic!("not split: {other:?}"),
        })
        .collect();
    assert!(splits.iter().all(|split| *split == splits[0]), "all count the same");
    let stays = claims.iter().position(|claim| claim.id() == splits[0].stays()).expect("one of them");
    assert_eq!(Some(claims[stays].id()), claims.iter().map(Entry::id).min(), "the smallest, as all have one vote");
    let topic = network.history.topic();
    let withdrawals: Vec<Withdrawal> =
        devices.iter().zip(&claims).map(|(device, claim)| Withdrawal::sign(&topic, &device.key, claim.id())).collect();
    let claim = claim_of(&devices[stays], &claims[stays]);
    let missing = splits[0].next_round(&claim, withdrawals[..2].to_vec(), later(3));
    assert_eq!(missing, Err(gen_registry_core::sync::asking::split::SplitError::Missing(vec![claims[2].id()])));
    let next = splits[0].next_round(&claim, withdrawals, later(3)).expect("all have withdrawn");
    let again = devices[stays].write(&Body::Claim(Box::new(next)));
    let outcome = collected(&registries[stays], &devices[stays], &again, &network.link(later(3)));
    assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome:?}");
    assert_eq!(holder(&registries[stays], "rose"), Some(devices[stays].did));
    // Who goes on with the first round all the same gets nothing more.
    let other = (stays + 1) % 3;
    let late = collected(&registries[other], &devices[other], &claims[other], &network.link(later(4)));
    assert!(!matches!(late, Outcome::Confirmed(_)), "{late:?}");
}

fn claim_of(device: &Device, entry: &Entry) -> Claim {
    match Body::of(&device.topic, entry).expect("a body") {
        Body::Claim(claim) => *claim,
        other => panic!("{other:?}"),
    }
}

#[test]
fn rule_that_forbids_it_is_said_with_its_time() {
    let network = Network::new(3, 2);
    let alice = Person::new(network.history.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let registry = network.registry();
    let rose = laptop.claim("rose", None);
    assert!(matches!(collected(&registry, &laptop, &rose, &network.link(BEGIN)), Outcome::Confirmed(_)));
    let give_up = laptop.give_up(&alice, rose.id(), None);
    // The third witness has not heard of the claim: what it builds on comes along.
    let pieces = foundations_of(&registry, &give_up, &[&laptop.opening, &rose]);
    assert!(!pieces.is_empty());
    let link = network.link(later(1));
    let outcome = asked(&registry, &laptop, &give_up, pieces, &[], &link);
    assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome:?}");
    network.pass_on(later(1));
    let finish = laptop.finish(&alice, give_up.id(), rose.id().digest());
    let Outcome::Refused(refused) = collected(&registry, &laptop, &finish, &network.link(later(3))) else {
        panic!("not refused")
    };
    assert_eq!((refused.code, refused.until), (Code::HoldRuns, Some(later(21))));
}

/// What an entry builds on, loaded from these.
fn foundations_of(registry: &RefCell<Registry>, entry: &Entry, store: &[&Entry]) -> Vec<Piece> {
    let fact = registry.borrow().effect(entry).expect("its opening is here").expect("it says something");
    let parts = foundations(&registry.borrow(), &fact);
    load_answer(parts, |id| store.iter().find(|entry| entry.id() == *id).map(|entry| entry.encode()))
}

/// A name was given to Bob while one witness was away for good. His claim comes with all that shows it: the claim before,
/// the give-up and the finish. Then a release and its marks, at a witness that knows of nothing.
#[test]
fn everything_an_entry_builds_on_comes_along() {
    let network = Network::new(3, 2);
    let topic = network.history.topic();
    let (alice, bob) = (Person::new(topic, 1), Person::new(topic, 2));
    let (mut hers, mut his) = (alice.device(0, 1), bob.device(0, 2));
    let registry = network.registry();
    let away = &network.witnesses[2];
    registry.borrow_mut().admit(&his.opening, 0).expect("an opening");
    let crc = hers.claim_module("crc-32");
    let give_up = hers.give_up(&alice, crc.id(), Some(bob.did));
    let finish = hers.finish(&alice, give_up.id(), crc.id().digest());
    let openings = [hers.opening.clone(), his.opening.clone()];
    let mut store: Vec<&Entry> = openings.iter().collect();
    for (seconds, entry) in [(0, &crc), (1, &give_up), (25, &finish)] {
        for second in 0..=seconds {
            network.witnesses.iter().for_each(|witness| block_on(witness.note_reachable(later(second))));
        }
        let pieces = foundations_of_new(&registry, &hers, entry, &store);
        let link = network.link(later(seconds)).without(away);
        let outcome = asked(&registry, &hers, entry, pieces, &[], &link);
        assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome:?}");
        store.push(entry);
    }
    let name = gen_registry_core::name::ClaimedName::Module("crc-32".parse().expect("a name"));
    let claim = Claim { name, after: Some(finish.id()), round: 0, withdrawals: vec![], at: BEGIN, work: 0 };
    let claim = his.write(&Body::Claim(Box::new(claim)));
    let release = his.release("crc-32", "1.0.0", claim.id());
    let first = his.mark(release.id(), None, true, claim.id());
    let second = his.mark(release.id(), Some(first.id()), false, claim.id());
    for entry in [&claim, &release, &first, &second] {
        let pieces = foundations_of_new(&registry, &his, entry, &store);
        let link = network.link(later(30)).without(&network.witnesses[1]);
        let outcome = asked(&registry, &his, entry, pieces, &[], &link);
        assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome:?}");
        store.push(entry);
    }
    assert_eq!(block_on(away.receipts()), 4);
}

/// The same of an entry that is in no registry yet.
fn foundations_of_new(registry: &RefCell<Registry>, device: &Device, entry: &Entry, store: &[&Entry]) -> Vec<Piece> {
    registry.borrow_mut().admit(&device.opening, 0).expect("an opening");
    foundations_of(registry, entry, store)
}

/// One witness that refuses everything withholds nothing.
#[test]
fn liar_that_refuses_is_passed_over() {
    struct Liar(Link, PublicKey);
    impl WitnessLink for Liar {
        fn ask<'a>(&'a self, witness: &'a PublicKey, request: &'a [u8]) -> LocalBoxFuture<'a, Option<Vec<u8>>> {
            let refused = Refused { code: Code::CoolingDown, entry: None, until: Some(later(1 << 30)) };
            if *witness == self.1 {
                return Box::pin(async move { Some(wire::Answer::Refused(refused).encode()) });
            }
            self.0.ask(witness, request)
        }
    }
    let network = Network::new(3, 2);
    let mut alice = device(&network, 1);
    let liars: BTreeSet<PublicKey> = network.witnesses.iter().map(|witness| witness.key()).collect();
    for (at, liar) in liars.into_iter().enumerate() {
        let claim = alice.claim(&format!("rose-{at}"), None);
        let link = Liar(network.link(BEGIN), liar);
        let outcome =
            block_on(collect(&network.registry(), &alice.opening, &claim, vec![], &[], &link)).expect("a claim");
        assert!(matches!(outcome, Outcome::Confirmed(_)), "{outcome:?}");
    }
}

#[test]
fn network_without_witnesses_has_nobody_to_ask() {
    let network = Network::new(1, 1);
    let history =
        gen_registry_core::network::NetworkHistory::new(gen_registry_core::network::Genesis::without_witnesses(1));
    let mut alice = Person::new(history.topic(), 1).device(0, 1);
    let claim = alice.claim("rose", None);
    let registry = RefCell::new(Registry::new(history));
    assert_eq!(collected(&registry, &alice, &claim, &network.link(BEGIN)), Outcome::NoWitnesses);
}
