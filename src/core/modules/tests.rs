//! Releases: which count, which are refused, and what a withdrawal and a theft come to.

use super::*;
use crate::actors::{BEGIN, Device, Person, module, network};
use crate::keys::SecretKey;
use crate::log::Entry;
use crate::receipt::Receipt;

struct World {
    registry: Registry,
    witness: SecretKey,
}

impl World {
    fn new() -> Self {
        let (history, keys) = network(1, 1);
        Self { registry: Registry::new(history), witness: keys[0].clone() }
    }

    fn add(&mut self, device: &Device, entry: &Entry) -> EntryId {
        self.registry.admit_alone(&device.opening, entry, vec![], vec![]).expect("a valid entry");
        entry.id()
    }

    fn confirm(&mut self, device: &Device, entry: &Entry) -> EntryId {
        let slots = vec![*entry.id().digest()];
        let receipt = Receipt::sign(&self.registry.topic(), &self.witness, 0, entry.id(), slots, BEGIN);
        self.registry.admit_alone(&device.opening, entry, vec![receipt], vec![]).expect("a valid entry");
        entry.id()
    }

    fn state(&self) -> ModuleState {
        ModuleState::of(&self.registry, &module("crc-32").1)
    }

    fn others(&self) -> Vec<(String, WhyNotCounted)> {
        self.state().others.into_iter().map(|other| (other.release.version.to_string(), other.why)).collect()
    }
}

/// The example of the module's documentation.
#[test]
fn releases_count_under_the_claim_of_their_time() {
    let mut world = World::new();
    let topic = world.registry.topic();
    let (alice, dan) = (Person::new(topic, 1), Person::new(topic, 2));
    let (mut laptop, mut phone, mut tablet) = (alice.device(0, 1), alice.device(1, 2), dan.device(0, 3));
    let mut bobs = Person::new(topic, 4).device(0, 4);
    let claim = laptop.claim_module("crc-32");
    let held = world.confirm(&laptop, &claim);
    let first = laptop.release("crc-32", "1.0.0", held);
    let first = world.confirm(&laptop, &first);
    let twin = phone.release("crc-32", "1.0.0", held);
    world.add(&phone, &twin);
    let waiting = laptop.release("crc-32", "1.1.0", held);
    world.add(&laptop, &waiting);
    let stranger = bobs.release("crc-32", "2.0.0", held);
    world.confirm(&bobs, &stranger);
    let expected = [
        ("1.0.0".to_owned(), WhyNotCounted::VersionTaken { first }),
        ("1.1.0".to_owned(), WhyNotCounted::Pending),
        ("2.0.0".to_owned(), WhyNotCounted::NotHolder),
    ];
    assert_eq!(world.others(), expected);
    let give_up = laptop.give_up(&alice, held, Some(dan.did));
    let give_up = world.confirm(&laptop, &give_up);
    let finish = laptop.finish(&alice, give_up, held.digest());
    let finish = world.confirm(&laptop, &finish);
    let claim = tablet.write(&crate::log::Body::Claim(Box::new(crate::log::body::Claim {
        after: Some(finish),
        ..world.registry.facts().get(&held).and_then(Fact::claim).expect("a claim").clone()
    })));
    let held = world.confirm(&tablet, &claim);
    let next = tablet.release("crc-32", "1.0.1", held);
    world.confirm(&tablet, &next);
    let counted = world.state().releases.into_values().map(|release| (release.author, release.release.version.patch));
    assert_eq!(counted.collect::<Vec<_>>(), [(alice.did, 0), (dan.did, 1)]);
    assert_eq!(world.others(), expected, "nothing else changed");
}

#[test]
fn withdrawn_release_counts_and_is_not_offered_until_that_is_undone() {
    let mut world = World::new();
    let mut laptop = Person::new(world.registry.topic(), 1).device(0, 1);
    let claim = laptop.claim_module("crc-32");
    let held = world.confirm(&laptop, &claim);
    let mut releases = Vec::new();
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        let release = laptop.release("crc-32", version, held);
        releases.push(world.confirm(&laptop, &release));
    }
    let latest = |world: &World| world.state().latest().map(|release| release.release.version.to_string());
    assert_eq!(latest(&world).as_deref(), Some("1.1.0"), "no pre-release");
    let mark = laptop.mark(releases[1], None, true, held);
    world.add(&laptop, &mark);
    assert_eq!(latest(&world).as_deref(), Some("1.1.0"), "no witness has seen it yet");
    let mark = world.confirm(&laptop, &mark);
    assert_eq!(latest(&world).as_deref(), Some("1.0.0"));
    let state = world.state();
    let withdrawn = state.releases.values().find_map(|release| release.withdrawn.clone()).expect("one");
    assert_eq!((withdrawn.reason.as_str(), state.releases.len()), ("leaks memory", 3));
    let undone = laptop.mark(releases[1], Some(mark), false, held);
    world.confirm(&laptop, &undone);
    assert_eq!(latest(&world).as_deref(), Some("1.1.0"));
    let mut before = Some(undone.id());
    for (release, before) in [(releases[0], None), (releases[1], before.take()), (releases[2], None)] {
        let mark = laptop.mark(release, before, true, held);
        world.confirm(&laptop, &mark);
    }
    assert_eq!(latest(&world), None);
    assert_eq!(world.state().newest().map(|release| release.release.version.major), Some(2), "for what is locked");
}

#[test]
fn release_after_the_last_good_entry_is_compromised_and_not_offered() {
    let mut world = World::new();
    let alice = Person::new(world.registry.topic(), 1);
    let (mut laptop, mut phone) = (alice.device(0, 1), alice.device(1, 2));
    let claim = laptop.claim_module("crc-32");
    let held = world.confirm(&laptop, &claim);
    let good = laptop.release("crc-32", "1.0.0", held);
    world.confirm(&laptop, &good);
    let last = laptop.last_good();
    let bad = laptop.release("crc-32", "1.0.1", held);
    world.confirm(&laptop, &bad);
    let revoke = phone.revoke(&alice, &laptop, Some(last));
    world.add(&phone, &revoke);
    let state = world.state();
    assert_eq!(state.latest().map(|release| release.entry), Some(good.id()));
    let compromised = state.releases.values().filter(|release| release.is_compromised);
    assert_eq!(compromised.map(|release| release.entry).collect::<Vec<_>>(), [bad.id()]);
}
