//! Witnesses: what they sign, what they refuse and why, and that they never disagree with the outcome.

mod successions;

use std::time::Duration;

use super::*;
use crate::actors::{BEGIN, Device, Person, Witness, module, network, username};
use crate::log::Capabilities;
use crate::log::Capability;
use crate::log::body::Withdrawal;
use crate::statement::{DeviceList, Finish};

const HOLD: Duration = Duration::from_secs(20);
const COOL_DOWN: Duration = Duration::from_secs(60);

fn later(seconds: u64) -> Timestamp {
    BEGIN.plus(Duration::from_secs(seconds))
}

/// One witness that was always there.
fn witness() -> Witness {
    let (history, keys) = network(1, 1);
    Witness::new(history, keys[0].clone(), Timestamp::default())
}

fn person(witness: &Witness, seed: u8) -> (Person, Device) {
    let person = Person::new(witness.registry.topic(), seed);
    let device = person.device(0, seed);
    (person, device)
}

impl Witness {
    /// Asks, and learns what was signed, as a node does with its own receipts.
    fn confirm(&mut self, device: &Device, entry: &Entry, now: Timestamp) -> Result<Receipt, Refusal> {
        let receipt = self.ask(device, entry, now)?;
        self.learn_confirmed(device, entry, std::slice::from_ref(&receipt), now);
        Ok(receipt)
    }
}

#[test]
fn slot_is_signed_once_and_answered_with_what_has_it() {
    let mut witness = witness();
    let ((_, mut alice), (_, mut bob)) = (person(&witness, 1), person(&witness, 2));
    let before = alice.clone();
    let claim = alice.claim("rose", None);
    let receipt = witness.ask(&alice, &claim, BEGIN).expect("it is free");
    assert_eq!(witness.ask(&alice, &claim, later(9)), Ok(receipt), "the same one at each asking");
    assert_eq!(witness.ask(&bob, &bob.clone().claim("r0se", None), BEGIN), Err(Refusal::Taken(claim.id())));
    // A device that was set back writes its second entry for one place.
    let mut again = before;
    assert_eq!(witness.ask(&again, &again.clone().claim("lily", None), BEGIN), Err(Refusal::Taken(claim.id())));
    assert_eq!(again.claim("rose", None), claim, "and the same thing said twice is one entry");
    // The witness has not seen its own receipt come back: the name is taken all the same.
    assert!(witness.registry.name(&username("rose")).holder().is_none());
    let claim = bob.claim("daisy", None);
    assert!(witness.ask(&bob, &claim, BEGIN).is_ok());
}

#[test]
fn confirmed_fact_of_others_has_its_slots_as_well() {
    let (history, keys) = network(3, 2);
    let mut witnesses: Vec<Witness> =
        keys.iter().map(|key| Witness::new(history.clone(), key.clone(), Timestamp::default())).collect();
    let ((_, mut alice), (_, mut bob)) = (person(&witnesses[0], 1), person(&witnesses[0], 2));
    let claim = alice.claim("rose", None);
    let receipts: Vec<Receipt> =
        witnesses[..2].iter_mut().map(|witness| witness.ask(&alice, &claim, BEGIN).expect("it is free")).collect();
    let rival = bob.claim("rose", None);
    let third = &mut witnesses[2];
    third.learn_confirmed(&alice, &claim, &receipts, BEGIN);
    assert_eq!(third.ask(&bob, &rival, BEGIN), Err(Refusal::Taken(claim.id())));
    assert!(third.ask(&alice, &claim, BEGIN).is_ok());
}

#[test]
fn each_rule_has_its_refusal() {
    let mut witness = witness();
    let (alice, mut laptop) = person(&witness, 1);
    let robot = alice.device_with(1, 3, Capabilities::of([Capability::Publish], "crc-*"));
    let (_, stranger) = person(&witness, 2);
    let rose = laptop.claim("rose", None);
    witness.confirm(&laptop, &rose, BEGIN).expect("it is free");
    let crc = laptop.claim_module("crc-32");
    witness.confirm(&laptop, &crc, BEGIN).expect("it is free");
    let release = laptop.release("crc-32", "1.0.0", crc.id());
    witness.confirm(&laptop, &release, BEGIN).expect("the holder publishes");

    let nothing = EntryId::from_digest(Digest::of(b"nothing"));
    let (at, mut next) = (later(1), laptop.clone());
    let mut refused = |device: &Device, entry: Entry| witness.ask(device, &entry, at).expect_err("it is not signed");
    let veto = |device: &mut Device| device.write(&Body::Veto(nothing));
    assert_eq!(refused(&laptop, next.claim("rose", Some(release.id()))), Refusal::Held(rose.id()));
    assert_eq!(refused(&laptop, next.claim("lily", Some(nothing))), Refusal::Unknown(nothing));
    assert_eq!(refused(&laptop, next.claim("lily", Some(release.id()))), Refusal::NotAfterLastEnd(None));
    assert_eq!(refused(&laptop, next.write(&Body::NextChanges(2))), Refusal::NotWitnessed);
    assert_eq!(
        refused(&laptop, next.write_raw(200, vec![])),
        Refusal::NoEffect(NoEffect::Body(crate::log::BodyError::UnknownKind(200)))
    );
    assert_eq!(refused(&robot, robot.clone().claim("lily", None)), Refusal::NoEffect(NoEffect::NotAllowed));
    let elsewhere = Refusal::NoEffect(NoEffect::NotAllowed);
    assert_eq!(refused(&robot, robot.clone().release("base64", "1.0.0", crc.id())), elsewhere);
    assert_eq!(refused(&stranger, stranger.clone().release("crc-32", "2.0.0", crc.id())), Refusal::NotHolder);
    assert_eq!(refused(&laptop, next.release("base64", "2.0.0", crc.id())), Refusal::NotHolder);
    assert_eq!(refused(&laptop, next.release("crc-32", "2.0.0", rose.id())), Refusal::NotHolder);
    assert_eq!(refused(&laptop, next.release("crc-32", "1.0.0", crc.id())), Refusal::Taken(release.id()));
    assert_eq!(refused(&laptop, next.mark(nothing, None, true, crc.id())), Refusal::Unknown(nothing));
    let unlinked = next.mark(release.id(), Some(nothing), true, crc.id());
    assert_eq!(refused(&laptop, unlinked), Refusal::NotLastMark(None));
    assert_eq!(refused(&laptop, next.give_up(&alice, nothing, None)), Refusal::Unknown(nothing));
    assert_eq!(refused(&laptop, next.finish(&alice, nothing, rose.id().digest())), Refusal::Unknown(nothing));
    assert_eq!(refused(&laptop, veto(&mut next)), Refusal::Unknown(nothing));
    assert_eq!(refused(&stranger, laptop.clone().claim("lily", None)), Refusal::OtherDevice);

    // Signed with a key that is none of hers.
    let thief = Person::new(witness.registry.topic(), 9);
    let forged = crate::statement::SignedStatement::sign(
        &thief.topic,
        alice.did,
        &thief.key(),
        Statement::GiveUp(crate::statement::GiveUp { claim: rose.id(), to: None }),
    );
    let entry = next.carry(forged, DeviceList::default());
    assert_eq!(witness.ask(&laptop, &entry, at), Err(Refusal::OtherKey));
    witness.book.stop();
    assert_eq!(witness.ask(&laptop, &next.claim("iris", None), at), Err(Refusal::Closed));
}

#[test]
fn dates_ahead_and_missing_work_are_refused() {
    let (history, keys) = network(1, 1);
    let mut genesis = history.genesis().clone();
    genesis.parameters.work_bits = 12;
    let mut witness = Witness::new(crate::network::NetworkHistory::new(genesis), keys[0].clone(), BEGIN);
    let (_, laptop) = person(&witness, 1);
    let mut claim = crate::log::body::Claim {
        name: crate::name::ClaimedName::Username("rose".parse().expect("a name")),
        after: None,
        round: 0,
        withdrawals: vec![],
        at: BEGIN,
        work: 0,
    };
    let write = |claim: &crate::log::body::Claim| laptop.clone().write(&Body::Claim(Box::new(claim.clone())));
    assert_eq!(witness.ask(&laptop, &write(&claim), BEGIN), Err(Refusal::NoWork));
    let job = crate::proof_of_work::PowJob::of_claim(&laptop.topic, &laptop.key.public(), &claim, 12);
    claim.work = crate::proof_of_work::solve(&job);
    let long_ago = Timestamp::from_millis(BEGIN.as_millis() - 301_000);
    assert_eq!(witness.ask(&laptop, &write(&claim), long_ago), Err(Refusal::DatedAhead));
    assert!(witness.ask(&laptop, &write(&claim), BEGIN).is_ok());
}

#[test]
fn one_identity_takes_so_many_names_and_no_more() {
    let mut witness = witness();
    let (alice, mut laptop) = person(&witness, 1);
    let most = witness.registry.history().genesis().parameters.usernames;
    let claims: Vec<Entry> = (0..most).map(|at| laptop.claim(&format!("rose{at}"), None)).collect();
    // Votes count as well as what is confirmed: half of them never come back.
    for (at, claim) in claims.iter().enumerate() {
        let receipt = witness.ask(&laptop, claim, BEGIN).expect("it is free");
        if at % 2 == 0 {
            witness.learn_confirmed(&laptop, claim, &[receipt], BEGIN);
        }
    }
    let more = laptop.claim("lily", None);
    assert_eq!(witness.ask(&laptop, &more, BEGIN), Err(Refusal::TooManyNames { most }));
    let of_module = laptop.claim_module("crc-32");
    assert!(witness.ask(&laptop, &of_module, BEGIN).is_ok(), "modules are counted apart");
    // What was given up counts until it has cooled down.
    let give_up = laptop.give_up(&alice, claims[0].id(), None);
    witness.confirm(&laptop, &give_up, later(10)).expect("it is hers");
    let finish = laptop.finish(&alice, give_up.id(), claims[0].id().digest());
    witness.confirm(&laptop, &finish, later(30)).expect("the hold has passed");
    assert_eq!(witness.ask(&laptop, &more, later(59)), Err(Refusal::TooManyNames { most }));
    // Votes that were never confirmed are forgotten by then.
    assert!(witness.ask(&laptop, &more, later(61)).is_ok());
}

#[test]
fn name_is_given_up_in_two_steps_and_cools_down() {
    let mut witness = witness();
    let ((alice, mut laptop), (_, mut bob)) = (person(&witness, 1), person(&witness, 2));
    let rose = laptop.claim("rose", None);
    witness.confirm(&laptop, &rose, BEGIN).expect("it is free");
    let give_up = laptop.give_up(&alice, rose.id(), None);
    let finish = laptop.finish(&alice, give_up.id(), rose.id().digest());
    assert_eq!(witness.ask(&laptop, &finish, later(99)), Err(Refusal::Unknown(give_up.id())));
    witness.confirm(&laptop, &give_up, later(100)).expect("it is hers");
    let until = later(100).plus(HOLD);
    assert_eq!(witness.ask(&laptop, &finish, later(119)), Err(Refusal::HoldRuns { until }));
    assert!(witness.registry.name(&username("rose")).holder().is_some(), "nothing ends by time alone");
    // A witness that was away waits, so that a veto can reach it.
    witness.book.memory_mut().note_back(later(119));
    let until = later(119).plus(HOLD / 3);
    assert_eq!(witness.ask(&laptop, &finish, later(121)), Err(Refusal::Away { until }));
    witness.confirm(&laptop, &finish, later(126)).expect("it was back for a third of the hold");
    assert!(witness.registry.name(&username("rose")).holder().is_none());

    let claim = bob.claim("rose", Some(finish.id()));
    let until = later(126).plus(COOL_DOWN);
    assert_eq!(witness.ask(&bob, &claim, later(185)), Err(Refusal::CoolingDown { until }));
    let back = laptop.clone().claim("rose", Some(finish.id()));
    assert!(witness.ask(&laptop, &back, later(127)).is_ok(), "its last holder may have it back");
}

#[test]
fn transferred_name_is_the_receivers_alone_until_it_has_cooled_down() {
    let mut witness = witness();
    let ((alice, mut laptop), (bob, mut bobs), (_, carol)) =
        (person(&witness, 1), person(&witness, 2), person(&witness, 3));
    let rose = laptop.claim("rose", None);
    witness.confirm(&laptop, &rose, BEGIN).expect("it is free");
    let give_up = laptop.give_up(&alice, rose.id(), Some(bob.did));
    witness.confirm(&laptop, &give_up, BEGIN).expect("it is hers");
    let finish = laptop.finish(&alice, give_up.id(), rose.id().digest());
    witness.confirm(&laptop, &finish, later(20)).expect("the hold has passed");
    let after = Some(finish.id());
    let until = later(20).plus(COOL_DOWN);
    assert_eq!(
        witness.ask(&laptop, &laptop.clone().claim("rose", after), later(21)),
        Err(Refusal::CoolingDown { until })
    );
    assert_eq!(
        witness.ask(&carol, &carol.clone().claim("r0se", after), later(21)),
        Err(Refusal::CoolingDown { until })
    );
    let claim = bobs.claim("Rose", after);
    witness.confirm(&bobs, &claim, later(21)).expect("it was given to him");
    let outcome = witness.registry.name(&username("rose"));
    let holders: Vec<_> = outcome.tenures.iter().map(|tenure| tenure.holder).collect();
    assert_eq!(holders, [alice.did, bob.did]);
}

/// A thief has copied the laptop with identity key 0, and gives everything away.
#[test]
fn give_up_is_stopped_by_a_veto_or_a_rotation() {
    for how in ["a veto of the phone", "a veto after the thief revoked the phone", "a veto of the key", "a rotation"] {
        let mut witness = witness();
        let (mut alice, mut laptop) = person(&witness, 1);
        let mut phone = alice.device(1, 11);
        witness.learn(&phone.opening, &phone.opening, BEGIN);
        let rose = laptop.claim("rose", None);
        witness.confirm(&laptop, &rose, BEGIN).expect("it is free");
        let give_up = laptop.give_up(&alice, rose.id(), None);
        witness.confirm(&laptop, &give_up, BEGIN).expect("it is signed with her key");
        let added_later = alice.device(2, 12);
        witness.learn(&added_later.opening, &added_later.opening, later(1));
        let late_veto = added_later.clone().write(&Body::Veto(give_up.id()));
        assert_eq!(witness.ask(&added_later, &late_veto, later(1)), Err(Refusal::NoVeto), "it came after");
        match how {
            "a veto of the phone" => {
                let veto = phone.write(&Body::Veto(give_up.id()));
                witness.confirm(&phone, &veto, later(2)).expect("it is hers");
            }
            "a veto after the thief revoked the phone" => {
                let revoke = laptop.revoke(&alice, &phone, None);
                witness.learn(&laptop.opening, &give_up, later(1));
                witness.learn(&laptop.opening, &revoke, later(2));
                assert!(witness.registry.standing(&alice.did).expect("known").device_in(&phone.key.public()).is_none());
                let veto = phone.write(&Body::Veto(give_up.id()));
                let (mut too_late, other) = (phone.clone(), EntryId::from_digest(Digest::of(b"other")));
                assert_eq!(
                    witness.ask(&phone, &too_late.write(&Body::Veto(other)), later(2)),
                    Err(Refusal::Unknown(other))
                );
                assert_eq!(witness.ask(&phone, &veto, later(22)), Err(Refusal::NoVeto), "a hold after the revocation");
                witness.confirm(&phone, &veto, later(21)).expect("the revocation is younger than the hold");
            }
            "a veto of the key" => {
                let veto = phone.veto(&alice, give_up.id());
                witness.confirm(&phone, &veto, later(2)).expect("it is hers");
            }
            _ => {
                let stays = DeviceList::new([(phone.addition, None)]);
                let rotate = alice.rotate(&stays);
                let entry = phone.carry(rotate, stays);
                witness.confirm(&phone, &entry, later(2)).expect("the key that was committed to");
            }
        }
        let finish = SignedFinish::of(&laptop, give_up.id(), rose.id()).entry();
        let refused = witness.ask(&laptop, &finish, later(60)).expect_err(how);
        assert!(matches!(refused, Refusal::Taken(_) | Refusal::DeviceNotIn | Refusal::OtherKey), "{how}: {refused}");
        assert_eq!(witness.registry.name(&username("rose")).holder().expect("held").holder, alice.did, "{how}");
    }
}

/// A finish by the thief, who has key 0 and the laptop's key.
struct SignedFinish(Device, Body);

impl SignedFinish {
    fn of(laptop: &Device, announced: EntryId, claim: EntryId) -> Self {
        let thief = Person::new(laptop.topic, 1);
        let signed = thief.say(Statement::Finish(Finish { announced, ends: *claim.digest() }));
        Self(laptop.clone(), Body::Statement(Box::new(signed), DeviceList::default()))
    }

    fn entry(mut self) -> Entry {
        self.0.write(&self.1)
    }
}

/// The words are lost: a device that still has the key commits to a key of other words, and waits. The old words, if
/// they turn up meanwhile, stop it.
#[test]
fn new_words_count_after_the_hold_unless_the_old_ones_turn_up() {
    for old_words_turn_up in [false, true] {
        let mut witness = witness();
        let (mut alice, mut laptop) = person(&witness, 1);
        let new = Person::new(witness.registry.topic(), 2).master;
        let words = laptop.new_words(&alice, new.identity_key(1).public().digest());
        witness.confirm(&laptop, &words, BEGIN).expect("it is signed with her key");
        let finish = laptop.finish(&alice, words.id(), alice.did.digest());
        let until = BEGIN.plus(HOLD);
        assert_eq!(witness.ask(&laptop, &finish, later(19)), Err(Refusal::HoldRuns { until }));
        if old_words_turn_up {
            let stays = DeviceList::new([(laptop.addition, None)]);
            let rotate = alice.rotate(&stays);
            let entry = laptop.carry(rotate, stays);
            witness.confirm(&laptop, &entry, later(19)).expect("the key that was committed to");
            let refused = witness.ask(&laptop, &finish, later(30)).expect_err("it is stopped");
            assert!(matches!(refused, Refusal::OtherKey | Refusal::Taken(_)), "{refused}");
            continue;
        }
        witness.confirm(&laptop, &finish, later(21)).expect("the hold has passed");
        let link = witness.registry.standing(&alice.did).expect("known").link;
        assert_eq!(link.next, new.identity_key(1).public().digest());
        // The old words are worth nothing now.
        let stays = DeviceList::new([(laptop.addition, None)]);
        let rotate = alice.rotate(&stays);
        let entry = laptop.carry(rotate, stays);
        assert_eq!(witness.ask(&laptop, &entry, later(22)), Err(Refusal::Taken(finish.id())));
    }
}

#[test]
fn split_votes_are_settled_by_a_round_with_withdrawals() {
    let (history, keys) = network(3, 2);
    let topic = history.topic();
    let mut witnesses: Vec<Witness> =
        keys.iter().map(|key| Witness::new(history.clone(), key.clone(), Timestamp::default())).collect();
    let people: Vec<Person> = (1..=3).map(|seed| Person::new(topic, seed)).collect();
    let mut devices: Vec<Device> = people.iter().map(|person| person.device(0, person.did.as_bytes()[0])).collect();
    let claims: Vec<Entry> = devices.iter_mut().map(|device| device.claim("rose", None)).collect();
    for ((witness, device), claim) in witnesses.iter_mut().zip(&devices).zip(&claims) {
        witness.ask(device, claim, BEGIN).expect("each has one vote");
    }
    let again = |device: &mut Device, withdrawn: &[usize], keys: &[SecretKey]| {
        let mut withdrawals: Vec<Withdrawal> =
            withdrawn.iter().map(|at| Withdrawal::sign(&topic, &keys[*at], claims[*at].id())).collect();
        withdrawals.sort();
        device.claim_again("rose", None, 1, withdrawals)
    };
    let keys: Vec<SecretKey> = devices.iter().map(|device| device.key.clone()).collect();
    // A second round takes the withdrawals of the others.
    let alone = again(&mut devices[0].clone(), &[0], &keys);
    assert_eq!(witnesses[1].ask(&devices[0], &alone, later(1)), Err(Refusal::NotWithdrawn(claims[1].id())));
    let second = again(&mut devices[0], &[0, 1, 2], &keys);
    let receipts: Vec<Receipt> = witnesses
        .iter_mut()
        .map(|witness| witness.ask(&devices[0], &second, later(1)).expect("all have withdrawn"))
        .collect();
    // A client that goes on with the first round gets nothing any more.
    let late =
        devices[2].clone().claim_again("rose", None, 1, vec![Withdrawal::sign(&topic, &keys[2], claims[2].id())]);
    assert_eq!(witnesses[0].ask(&devices[2], &late, later(2)), Err(Refusal::Taken(second.id())));
    let witness = &mut witnesses[0];
    witness.learn_confirmed(&devices[0], &second, &receipts, later(2));
    assert_eq!(witness.registry.name(&username("rose")).holder().expect("held").holder, people[0].did);
}

/// A device key alone must not give a name away: a withdrawal of a claim that is confirmed, or most likely is, counts
/// nothing.
#[test]
fn withdrawal_of_a_confirmed_claim_moves_no_name() {
    let mut witness = witness();
    let ((_, mut laptop), (_, mut thief)) = (person(&witness, 1), person(&witness, 2));
    let rose = laptop.claim("rose", None);
    let receipt = witness.ask(&laptop, &rose, BEGIN).expect("it is free");
    let stolen = Withdrawal::sign(&laptop.topic, &laptop.key, rose.id());
    let claim = thief.claim_again("rose", None, 1, vec![stolen]);
    let old = later(60);
    assert_eq!(witness.ask(&thief, &claim, old), Err(Refusal::Held(rose.id())), "signed a cool-down ago");
    witness.learn_confirmed(&laptop, &rose, &[receipt], later(1));
    assert_eq!(witness.ask(&thief, &claim, later(1)), Err(Refusal::Held(rose.id())));
}

#[test]
fn forked_log_is_signed_for_no_more() {
    let mut witness = witness();
    let (_, laptop) = person(&witness, 1);
    let (mut owner, mut thief) = (laptop.clone(), laptop);
    let (one, other) = (owner.claim("rose", None), thief.claim("lily", None));
    let proof = crate::log::ForkProof::new(*one.signed_header(), *other.signed_header()).expect("two entries 1");
    witness.learn(&owner.opening, &owner.opening, BEGIN);
    witness.registry.note_fork(proof);
    assert_eq!(witness.ask(&owner, &one, BEGIN), Err(Refusal::Forked));
}

#[test]
fn book_is_the_same_after_a_restart() {
    let (history, keys) = network(1, 1);
    let mut witness = Witness::new(history.clone(), keys[0].clone(), BEGIN);
    let ((_, mut alice), (_, bob)) = (person(&witness, 1), person(&witness, 2));
    let claim = alice.claim("rose", None);
    let receipt = witness.ask(&alice, &claim, BEGIN).expect("it is free");
    let mut again = Witness::new(history, keys[0].clone(), later(5));
    let fact = witness.registry.effect(&claim).expect("its opening is here").expect("it says something");
    again.book.restore(fact, receipt.clone());
    assert_eq!(again.ask(&alice, &claim, later(5)), Ok(receipt));
    assert_eq!(again.ask(&bob, &bob.clone().claim("r0se", None), later(5)), Err(Refusal::Taken(claim.id())));
    assert!(again.ask(&bob, &bob.clone().claim("lily", None), later(5)).is_ok());
}

/// What a client expects and what the witness says are one function, as long as both know the same.
#[test]
fn forecast_and_witness_agree() {
    let mut witness = witness();
    let ((alice, mut laptop), (_, mut bob)) = (person(&witness, 1), person(&witness, 2));
    let rose = laptop.claim("rose", None);
    witness.confirm(&laptop, &rose, BEGIN).expect("it is free");
    let give_up = laptop.give_up(&alice, rose.id(), None);
    witness.confirm(&laptop, &give_up, BEGIN).expect("it is hers");
    witness.learn(&bob.opening, &bob.opening, BEGIN);
    let asked: Vec<(Device, Entry)> = vec![
        (laptop.clone(), laptop.clone().claim("lily", None)),
        (laptop.clone(), laptop.clone().finish(&alice, give_up.id(), rose.id().digest())),
        (laptop.clone(), laptop.clone().claim_module("crc-32")),
        (bob.clone(), bob.clone().claim("r0se", None)),
        (bob.clone(), bob.clone().release("crc-32", "1.0.0", rose.id())),
        (bob.clone(), bob.write(&Body::Veto(give_up.id()))),
    ];
    for seconds in [0, 19, 21, 200] {
        for (device, entry) in &asked {
            let mut memory = Memory::default();
            memory.notice(Noticed::Announced(give_up.id()), BEGIN);
            let expected = forecast(&witness.registry, &memory, &device.opening, entry, later(seconds));
            let book = std::mem::replace(
                &mut witness.book,
                Book::new(SecretKey::from_seed(&[100; 32]), 0, Timestamp::default()),
            );
            witness.book.memory_mut().notice(Noticed::Announced(give_up.id()), BEGIN);
            let answer = witness.ask(device, entry, later(seconds)).map(|_| ());
            witness.book = book;
            assert_eq!(expected, answer, "after {seconds} s: {entry:?}");
        }
    }
}

#[test]
fn names_of_modules_and_people_are_apart() {
    let mut witness = witness();
    let ((alice, mut laptop), (bob, mut bobs)) = (person(&witness, 1), person(&witness, 2));
    let username_claim = laptop.claim("rose", None);
    witness.confirm(&laptop, &username_claim, BEGIN).expect("it is free");
    let module_claim = bobs.claim_module("rose");
    witness.confirm(&bobs, &module_claim, BEGIN).expect("another kind of name");
    let holder = |name| witness.registry.name(&name).holder().map(|tenure| tenure.holder);
    assert_eq!((holder(username("rose")), holder(module("rose"))), (Some(alice.did), Some(bob.did)));
    let mut votes = Votes::default();
    witness.book.receipts().for_each(|receipt| votes.add(receipt));
    assert_eq!(close(witness.registry.history().set(), &votes).closing().facts, 2);
}
