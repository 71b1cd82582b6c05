//! Who holds a name and which releases count.

use super::*;
use crate::actors::{BEGIN, Device, Person, module, network, username};
use crate::keys::SecretKey;
use crate::network::{Genesis, NetworkHistory};
use crate::receipt::Receipt;
use crate::registry::Registry;
use crate::time::Timestamp;

/// A registry with what witnesses signed, all that they were asked: what rules say is for their book.
struct Known {
    registry: Registry,
    witnesses: Vec<SecretKey>,
}

impl Known {
    fn new(witnesses: u8, threshold: u8) -> Self {
        let (history, witnesses) = network(witnesses, threshold);
        Self { registry: Registry::new(history), witnesses }
    }

    fn add(&mut self, device: &Device, entry: &Entry) {
        self.registry.admit_alone(&device.opening, entry, vec![], vec![]).expect("a valid entry");
    }

    /// Adds an entry with the receipts of these witnesses.
    fn confirm_by(&mut self, device: &Device, entry: &Entry, witnesses: &[usize]) {
        let topic = self.registry.topic();
        for at in witnesses {
            let slots = vec![*entry.id().digest()];
            self.registry.add_receipt(Receipt::sign(&topic, &self.witnesses[*at], 0, entry.id(), slots, BEGIN));
        }
        self.add(device, entry);
    }

    fn confirm(&mut self, device: &Device, entry: &Entry) {
        let all: Vec<usize> = (0..self.witnesses.len()).collect();
        self.confirm_by(device, entry, &all);
    }

    fn holders(&self, name: &str) -> Vec<Did> {
        self.registry.name(&username(name)).tenures.iter().map(|tenure| tenure.holder).collect()
    }
}

fn person(known: &Known, seed: u8) -> (Person, Device) {
    let person = Person::new(known.registry.topic(), seed);
    let device = person.device(0, seed);
    (person, device)
}

#[test]
fn claims_and_ends_follow_each_other() {
    let mut known = Known::new(1, 1);
    let ((alice, mut laptop), (bob, mut bobs)) = (person(&known, 1), person(&known, 2));
    let first = laptop.claim("rose", None);
    known.add(&laptop, &first);
    assert!(known.holders("rose").is_empty(), "it waits");
    assert_eq!(known.registry.name(&username("rose")).others, [first.id()].into());
    known.confirm(&laptop, &first);
    assert_eq!(known.holders("rose"), [alice.did]);
    let give_up = laptop.give_up(&alice, first.id(), Some(bob.did));
    let finish = laptop.finish(&alice, give_up.id(), first.id().digest());
    known.confirm(&laptop, &finish);
    assert!(known.registry.name(&username("rose")).holder().is_some(), "a finish of nothing that is confirmed");
    known.confirm(&laptop, &give_up);
    let outcome = known.registry.name(&username("rose"));
    assert!(outcome.holder().is_none());
    assert_eq!((outcome.last_end(), outcome.tenures[0].passed_to), (Some(finish.id()), Some(bob.did)));
    let second = bobs.claim("R0SE", Some(finish.id()));
    known.confirm(&bobs, &second);
    assert_eq!(known.holders("rose"), [alice.did, bob.did]);
    let spelled = known.registry.name(&username("rose")).holder().expect("held").spelled.clone();
    assert_eq!(spelled.as_str(), "r0se");
}

#[test]
fn name_is_ended_by_its_holder_alone() {
    let mut known = Known::new(1, 1);
    let ((alice, mut laptop), (bob, mut bobs)) = (person(&known, 1), person(&known, 2));
    let claim = laptop.claim("rose", None);
    known.confirm(&laptop, &claim);
    let give_up = bobs.give_up(&bob, claim.id(), None);
    let finish = bobs.finish(&bob, give_up.id(), claim.id().digest());
    [&give_up, &finish].into_iter().for_each(|entry| known.confirm(&bobs, entry));
    let of_hers = laptop.give_up(&alice, claim.id(), None);
    let by_him = bobs.finish(&bob, of_hers.id(), claim.id().digest());
    known.confirm(&laptop, &of_hers);
    known.confirm(&bobs, &by_him);
    let another = laptop.claim("lily", None);
    known.confirm(&laptop, &another);
    let of_another = laptop.finish(&alice, of_hers.id(), another.id().digest());
    known.confirm(&laptop, &of_another);
    assert_eq!(known.registry.name(&username("rose")).holder().expect("held").holder, alice.did);
    assert!(known.registry.name(&username("lily")).holder().is_some());
}

/// More lied than the set bears: nodes that knew the holder keep it, others take neither.
#[test]
fn contested_name_stays_with_whom_one_knew() {
    let make = |known: &Known| (person(known, 1), person(known, 2));
    let (mut old, mut fresh) = (Known::new(3, 2), Known::new(3, 2));
    let ((alice, mut laptop), (_, mut bobs)) = make(&old);
    let (hers, his) = (laptop.claim("rose", None), bobs.claim("rose", None));
    old.confirm_by(&laptop, &hers, &[0, 1]);
    old.registry.settle_holder(&username("rose"));
    old.confirm_by(&bobs, &his, &[1, 2]);
    assert_eq!(old.holders("rose"), [alice.did]);
    let contested: BTreeSet<EntryId> = [hers.id(), his.id()].into();
    assert_eq!(old.registry.name(&username("rose")).contested, contested);
    // The fresh one gets the receipts first, and both claims at a time.
    for (device, entry, witnesses) in [(&bobs, &his, [1, 2]), (&laptop, &hers, [0, 1])] {
        let topic = fresh.registry.topic();
        for at in witnesses {
            let receipt = Receipt::sign(&topic, &fresh.witnesses[at], 0, entry.id(), vec![*entry.id().digest()], BEGIN);
            fresh.registry.add_receipt(receipt);
        }
        let mut twice = Known { registry: Registry::new(fresh.registry.history().clone()), witnesses: vec![] };
        twice.add(device, entry);
        assert!(twice.holders("rose").is_empty(), "without receipts neither");
    }
    let outcome = {
        let mut facts = Facts::default();
        for (device, entry) in [(&laptop, &hers), (&bobs, &his)] {
            let opening = Opening::decode(&alice.topic, device.opening.body()).expect("an opening");
            facts.add(Fact::of(&alice.topic, entry, &opening).expect("a claim"));
        }
        facts.name(&username("rose"), &Everything { known: None })
    };
    assert!(outcome.tenures.is_empty());
    assert_eq!(outcome.contested, contested);
}

/// Every fact counts.
struct Everything {
    known: Option<EntryId>,
}

impl Counts for Everything {
    fn is_kept(&self, _: &Fact) -> bool {
        true
    }

    fn counts(&self, _: &Fact) -> bool {
        true
    }

    fn earlier_holds(&self) -> bool {
        false
    }

    fn known_holder(&self, _: &NameKey, _: Option<&EntryId>) -> Option<EntryId> {
        self.known
    }
}

#[test]
fn version_is_its_first_confirmed_release_and_the_last_mark_says_whether_it_is_withdrawn() {
    let mut known = Known::new(1, 1);
    let ((alice, mut laptop), (_, mut bobs)) = (person(&known, 1), person(&known, 2));
    let claim = laptop.claim_module("crc-32");
    known.confirm(&laptop, &claim);
    let release = laptop.release("crc-32", "1.0.0", claim.id());
    known.confirm(&laptop, &release);
    let foreign = bobs.release("crc-32", "2.0.0", claim.id());
    known.confirm(&bobs, &foreign);
    let version = |known: &Known| known.registry.versions(&module("crc-32"));
    assert_eq!(version(&known).len(), 1, "a release under a claim of somebody else's is none");
    let first = laptop.mark(release.id(), None, true, claim.id());
    let second = laptop.mark(release.id(), Some(first.id()), false, claim.id());
    let third = laptop.mark(release.id(), Some(second.id()), true, claim.id());
    known.confirm(&laptop, &third);
    let withdrawn = |known: &Known| version(known).values().next().expect("1.0.0").is_withdrawn;
    assert!(!withdrawn(&known), "what it follows is missing");
    known.confirm(&laptop, &first);
    assert!(withdrawn(&known));
    known.confirm(&laptop, &second);
    assert!(withdrawn(&known));
    let forth = laptop.mark(release.id(), Some(third.id()), false, claim.id());
    known.confirm(&laptop, &forth);
    assert!(!withdrawn(&known));
    // The name goes; what was released under her claim stays released.
    let give_up = laptop.give_up(&alice, claim.id(), None);
    let finish = laptop.finish(&alice, give_up.id(), claim.id().digest());
    [&give_up, &finish].into_iter().for_each(|entry| known.confirm(&laptop, entry));
    assert!(known.registry.name(&module("crc-32")).holder().is_none());
    assert_eq!(version(&known).values().next().map(|version| version.release), Some(release.id()));
}

#[test]
fn without_witnesses_the_earlier_date_holds_in_any_order() {
    let history = || NetworkHistory::new(Genesis::without_witnesses(1));
    let topic = history().topic();
    let people: Vec<Person> = (1..=3).map(|seed| Person::new(topic, seed)).collect();
    let written: Vec<(Device, Entry)> = people
        .iter()
        .zip([30, 10, 20])
        .map(|(person, millis)| {
            let mut device = person.device(0, person.did.as_bytes()[0]);
            let name = ClaimedName::Username("rose".parse().expect("a name"));
            let at = Timestamp::from_millis(millis);
            let claim = Claim { name, after: None, round: 0, withdrawals: vec![], at, work: 0 };
            let entry = device.write(&Body::Claim(Box::new(claim)));
            (device, entry)
        })
        .collect();
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut registry = Registry::new(history());
        for at in order {
            let (device, entry) = &written[at];
            registry.admit_alone(&device.opening, entry, vec![], vec![]).expect("a valid entry");
        }
        let outcome = registry.name(&username("rose"));
        assert_eq!(outcome.holder().expect("the earliest").holder, people[1].did);
        assert!(outcome.contested.is_empty() && outcome.others.len() == 2);
    }
}

#[test]
fn what_a_device_may_not_say_has_no_effect() {
    let known = Known::new(1, 1);
    let (alice, mut laptop) = person(&known, 1);
    let bob = Person::new(known.registry.topic(), 2);
    let mut robot = alice.device_with(3, 7, crate::log::Capabilities::of([Capability::Publish], "crc-*"));
    let claim = laptop.claim("rose", None).id();
    let opening = Opening::decode(&alice.topic, robot.opening.body()).expect("an opening");
    let effect = |entry: Entry| Fact::of(&alice.topic, &entry, &opening).map(|_| ());
    assert_eq!(effect(robot.release("crc-32", "1.0.0", claim)), Ok(()));
    assert_eq!(effect(robot.release("base64", "1.0.0", claim)), Err(NoEffect::NotAllowed));
    assert_eq!(effect(robot.claim("lily", None)), Err(NoEffect::NotAllowed));
    assert_eq!(effect(robot.mark(claim, None, true, claim)), Err(NoEffect::NotAllowed));
    assert_eq!(effect(robot.write(&Body::Veto(claim))), Err(NoEffect::NotAllowed));
    // What the identity key says, any device of hers may carry; what another's says, none.
    assert_eq!(effect(robot.give_up(&alice, claim, None)), Ok(()));
    assert_eq!(effect(robot.give_up(&bob, claim, None)), Err(NoEffect::OtherIdentity));
}
