//! Who holds what a node keeps does not depend on whom it evicted.

use crate::actors::{BEGIN, Device, Person, network};
use crate::keys::{Did, SecretKey};
use crate::log::Entry;
use crate::name::NameKind;
use crate::outcome::NameKey;
use crate::receipt::Receipt;
use crate::registry::Registry;
use crate::registry::tests::orders::Case;

struct World {
    registry: Registry,
    witness: SecretKey,
}

fn username(name: &str) -> NameKey {
    let name: crate::name::Username = name.parse().expect("a username");
    (NameKind::Username, name.folded())
}

impl World {
    fn new() -> Self {
        let (history, keys) = network(1, 1);
        Self { registry: Registry::new(history), witness: keys[0].clone() }
    }

    fn person(&self, seed: u8) -> (Person, Device) {
        let person = Person::new(self.registry.topic(), seed);
        let device = person.device(0, seed);
        (person, device)
    }

    fn add(&mut self, device: &Device, entry: &Entry, is_confirmed: bool) {
        let slots = vec![*entry.id().digest()];
        let receipt = Receipt::sign(&self.registry.topic(), &self.witness, 0, entry.id(), slots, BEGIN);
        let receipts = Vec::from_iter(is_confirmed.then_some(receipt));
        self.registry.admit_alone(&device.opening, entry, receipts, vec![]).expect("a valid entry");
    }

    /// The example of the module: Bob held `rose` and gave it up, Alice holds it. Returns Bob, Alice and Bob's entries.
    fn roses(&mut self) -> (Did, Did, Vec<Entry>) {
        let ((bob, mut bobs), (alice, mut laptop)) = (self.person(1), self.person(2));
        let claim = bobs.claim("rose", None);
        let other = bobs.claim("lily", None);
        let pending = bobs.claim("iris", None);
        let give_up = bobs.give_up(&bob, claim.id(), None);
        let finish = bobs.finish(&bob, give_up.id(), claim.id().digest());
        for entry in [&claim, &other, &pending, &give_up, &finish] {
            self.add(&bobs, entry, entry.id() != pending.id());
        }
        self.add(&laptop.clone(), &laptop.claim("rose", Some(finish.id())), true);
        (bob.did, alice.did, vec![bobs.opening.clone(), claim, other, pending, give_up, finish])
    }
}

#[test]
fn evicting_an_earlier_holder_leaves_the_holder_hers() {
    let mut world = World::new();
    let (bob, alice, entries) = world.roses();
    let before = world.registry.name(&username("rose"));
    assert_eq!(before.holder().map(|held| held.holder), Some(alice));
    let whole = world.registry.summaries();

    let evicted = world.registry.evict(&bob, &|did| *did == alice);
    assert_eq!(world.registry.name(&username("rose")), before);
    assert!(world.registry.name(&username("lily")).tenures.is_empty());
    assert_eq!(evicted.names, ["rose", "lily", "iris"].map(username).into());
    assert_eq!(evicted.stays.len(), 3, "claim, give-up, finish");
    assert_eq!((evicted.entries.len(), evicted.receipts.len()), (2, 1), "two other claims, one of them confirmed");
    assert_eq!(world.registry.summaries(), world.registry.computed_states());

    // All of it comes back.
    for entry in &entries {
        world.registry.admit(entry, 0).expect("a valid entry");
    }
    assert_ne!(world.registry.summaries(), whole, "a receipt is missing");
    let (_, bobs) = world.person(1);
    world.add(&bobs, &entries[2], true);
    assert_eq!(world.registry.summaries(), whole);
}

/// A thief has the witness's key, and the earlier holder was evicted.
#[test]
fn what_was_known_of_an_earlier_holder_stays_known() {
    let mut world = World::new();
    let (bob, alice, _) = world.roses();
    world.registry.settle_holders();
    world.registry.settle_holders();
    for _ in 0..2 {
        world.registry.evict(&bob, &|did| *did == alice);
    }
    let (_, mut thief) = world.person(9);
    world.add(&thief.clone(), &thief.claim("rose", None), true);
    let rose = world.registry.name(&username("rose"));
    assert!(!rose.contested.is_empty(), "there is a rival for the first place");
    assert_eq!(rose.holder().map(|held| held.holder), Some(alice));
}

#[test]
fn of_somebody_nobody_depends_on_nothing_stays() {
    let mut world = World::new();
    let (bob, alice, _) = world.roses();
    world.registry.settle_holders();
    world.registry.settle_holders();
    world.registry.take_changed_holders();
    let evicted = world.registry.evict(&alice, &|_| true);
    assert!(evicted.stays.is_empty() || evicted.names == [username("rose")].into());
    let evicted = world.registry.evict(&bob, &|_| false);
    assert!(evicted.stays.is_empty());
    assert!(!evicted.holders.is_empty(), "what was known of its names");
    world.registry.evict(&alice, &|_| false);
    assert!(world.registry.summaries().is_empty());
    let registry = &world.registry;
    assert_eq!(
        (registry.facts().all().count(), registry.headers.len(), registry.chains.len(), registry.openings.len()),
        (0, 0, 0, 0)
    );
    assert_eq!((registry.confirmations().entries().count(), registry.statements.len()), (0, 0));
    assert!(registry.facts().names().next().is_none());
}

/// Random logs with forks, cuts and rotations: one of two people is evicted, and later comes back.
#[test]
fn evicting_changes_no_kept_name_and_is_undone_by_what_arrives() {
    for seed in 0..60 {
        let mut case = Case::new(seed);
        let mut registry = case.deliver(&mut Vec::new());
        let (whole, names) = (registry.summaries(), case.verdict(&registry).names);
        let [gone, kept] = case.dids();
        registry.evict(&gone, &|did| *did == kept);
        assert_eq!(registry.summaries(), registry.computed_states(), "seed {seed}");
        for (before, now) in names.iter().zip(case.verdict(&registry).names) {
            let is_kept = before.tenures.iter().any(|tenure| tenure.holder == kept);
            if is_kept && registry.has_witnesses() && before.contested.is_empty() {
                assert_eq!(now.tenures, before.tenures, "seed {seed}");
            }
        }
        case.deliver_again(&mut registry);
        assert_eq!(registry.summaries(), whole, "seed {seed}");
    }
}
