//! Names as they are shown to their holder, to rivals and to others.

use super::*;
use crate::actors::{BEGIN, Device, Person, network, username};
use crate::keys::SecretKey;
use crate::log::Entry;
use crate::receipt::Receipt;

struct World {
    registry: Registry,
    witnesses: Vec<SecretKey>,
}

impl World {
    fn new(witnesses: u8, threshold: u8) -> Self {
        let (history, witnesses) = network(witnesses, threshold);
        Self { registry: Registry::new(history), witnesses }
    }

    /// Admits an entry with receipts of this many witnesses, dated an hour after each other's.
    fn add(&mut self, device: &Device, entry: &Entry, receipts: usize) -> EntryId {
        let topic = self.registry.topic();
        let receipts = self.witnesses.iter().take(receipts).zip(1u32..).map(|(witness, nth)| {
            let at = BEGIN.plus(Duration::from_secs(3_600) * nth);
            Receipt::sign(&topic, witness, 0, entry.id(), vec![*entry.id().digest()], at)
        });
        let receipts = receipts.collect();
        self.registry.admit_alone(&device.opening, entry, receipts, vec![]).expect("a valid entry");
        entry.id()
    }

    fn state(&self) -> NameState {
        NameState::of(&self.registry, &username("rose")).expect("claimed")
    }
}

/// The example of the module's documentation.
#[test]
fn rivals_see_who_holds_a_name_and_since_when() {
    let mut world = World::new(3, 2);
    let topic = world.registry.topic();
    let (mut laptop, mut bobs) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let (claim, rival) = (laptop.claim("rose", None), bobs.claim("r0se", None));
    world.add(&bobs, &rival, 1);
    let state = world.state();
    assert_eq!((state.status(), state.others[0].why), (None, WhyNot::Pending));
    assert_eq!(state.availability(Some(&laptop.did), BEGIN), Availability::Free);
    assert!(state.pending_of(&bobs.did).is_some() && state.pending_of(&laptop.did).is_none());
    world.add(&laptop, &claim, 2);
    let state = world.state();
    let holder = state.holder().expect("confirmed");
    assert_eq!((holder.since, holder.receipts), (BEGIN.plus(Duration::from_secs(7_200)), 2));
    assert_eq!((state.status(), state.others[0].why), (Some(ClaimStatus::Confirmed), WhyNot::Held));
    for (who, answer) in [
        (Some(&laptop.did), Availability::Yours),
        (Some(&bobs.did), Availability::HeldBy(laptop.did)),
        (None, Availability::HeldBy(laptop.did)),
    ] {
        assert_eq!(state.availability(who, BEGIN), answer);
    }
}

#[test]
fn name_that_was_given_up_is_closed_for_a_while() {
    let mut world = World::new(1, 1);
    let topic = world.registry.topic();
    let (alice, bob) = (Person::new(topic, 1), Person::new(topic, 2));
    let mut laptop = alice.device(0, 1);
    let claim = laptop.claim("rose", None);
    let claim = world.add(&laptop, &claim, 1);
    let give_up = laptop.give_up(&alice, claim, None);
    let give_up = world.add(&laptop, &give_up, 1);
    let finish = laptop.finish(&alice, give_up, claim.digest());
    world.add(&laptop, &finish, 1);
    let state = world.state();
    let cool_down = world.registry.history().genesis().parameters.cool_down;
    let free_at = BEGIN.plus(Duration::from_secs(3_600)).plus(cool_down);
    assert_eq!((state.holder(), state.given_up().map(|(_, at)| at)), (None, Some(free_at)));
    let before = Timestamp::from_millis(free_at.as_millis() - 1);
    assert_eq!(state.availability(Some(&bob.did), before), Availability::ClosedUntil(free_at));
    assert_eq!(state.availability(Some(&alice.did), before), Availability::Free, "its last holder");
    assert_eq!(state.availability(Some(&bob.did), free_at), Availability::Free);
}

#[test]
fn name_that_was_given_to_somebody_is_theirs_to_claim() {
    let mut world = World::new(1, 1);
    let topic = world.registry.topic();
    let (alice, bob) = (Person::new(topic, 1), Person::new(topic, 2));
    let mut laptop = alice.device(0, 1);
    let claim = laptop.claim("rose", None);
    let claim = world.add(&laptop, &claim, 1);
    let give_up = laptop.give_up(&alice, claim, Some(bob.did));
    let give_up = world.add(&laptop, &give_up, 1);
    let finish = laptop.finish(&alice, give_up, claim.digest());
    world.add(&laptop, &finish, 1);
    let state = world.state();
    assert_eq!(state.availability(Some(&bob.did), BEGIN), Availability::GivenToYou);
    assert!(matches!(state.availability(Some(&alice.did), BEGIN), Availability::ClosedUntil(_)));
}

/// More witnesses lied than the set bears.
#[test]
fn contested_name_is_nobodys_for_who_did_not_know_its_holder() {
    let topic = network(1, 1).0.topic();
    let (mut laptop, mut bobs) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let (claim, rival) = (laptop.claim("rose", None), bobs.claim("rose", None));
    let mut knew = World::new(1, 1);
    knew.add(&laptop, &claim, 1);
    knew.registry.settle_holder(&username("rose"));
    knew.add(&bobs, &rival, 1);
    let state = knew.state();
    assert_eq!(state.holder().map(|held| held.tenure.holder), Some(laptop.did));
    assert_eq!((state.status(), state.contested.len()), (Some(ClaimStatus::Contested), 1));

    let mut fresh = World::new(1, 1);
    fresh.add(&laptop, &claim, 1);
    fresh.add(&bobs, &rival, 1);
    let state = fresh.state();
    assert!(state.holder().is_none());
    assert_eq!(state.contested.len(), 2);
    assert_eq!(state.availability(Some(&laptop.did), BEGIN), Availability::Contested);
}

#[test]
fn earlier_date_holds_a_name_without_witnesses() {
    let mut world = World::new(0, 0);
    let topic = world.registry.topic();
    let (mut laptop, mut bobs) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let (claim, rival) = (laptop.claim("rose", None), bobs.claim("rose", None));
    world.add(&laptop, &claim, 0);
    world.add(&bobs, &rival, 0);
    let state = world.state();
    let first = if claim.id() < rival.id() { laptop.did } else { bobs.did };
    assert_eq!(state.holder().map(|held| held.tenure.holder), Some(first), "of equal dates the smaller id");
    assert_eq!((state.status(), state.others[0].why), (Some(ClaimStatus::Provisional), WhyNot::Later));
}
