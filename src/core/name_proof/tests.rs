//! Proofs: what is refused, and that every order of meeting them leaves the same one.

use super::*;
use crate::actors::{BEGIN, Device, Person, module, network, username};
use crate::keys::SecretKey;
use crate::read_model::ReadModel;

/// A registry with one witness, whose receipt is enough.
struct World {
    registry: Registry,
    witness: SecretKey,
}

impl World {
    fn new() -> Self {
        let (history, keys) = network(1, 1);
        Self { registry: Registry::new(history), witness: keys[0].clone() }
    }

    fn history(&self) -> NetworkHistory {
        self.registry.history().clone()
    }

    fn confirm(&mut self, device: &Device, entry: &Entry) -> EntryId {
        let receipt = self.receipt(device, entry);
        self.registry.admit_alone(&device.opening, entry, vec![receipt], vec![]).expect("a valid entry");
        entry.id()
    }

    fn receipt(&self, device: &Device, entry: &Entry) -> Receipt {
        let topic = self.registry.topic();
        let fact = Fact::of(&topic, entry, &device.authority()).expect("a fact");
        let slots = fact.slots().iter().map(crate::slot::Slot::digest).collect();
        Receipt::sign(&topic, &self.witness, 0, entry.id(), slots, BEGIN)
    }

    /// The proof of a name, as a node with everything gives it.
    fn proof(&self, name: &NameKey) -> NameProof {
        let registry = self.parts_of(|_| true).registry(&self.history()).expect("valid parts");
        ReadModel::new(registry, []).name_proof(name).expect("a proof")
    }

    /// Everything that is known as parts, as far as it passes a filter.
    fn parts_of(&self, filter: impl Fn(&EntryId) -> bool) -> Parts {
        let mut parts = Parts::default();
        for fact in self.registry.facts().all().filter(|fact| filter(&fact.id)) {
            let entry = self.registry.entry(&fact.id).expect("kept");
            let opening = self.registry.opening_entry(&entry.header().log.opening).expect("kept");
            let opening = self.registry.entry(&opening).expect("kept");
            parts.entries.extend([(opening.id(), opening), (entry.id(), entry)]);
            parts.receipts.extend(self.registry.confirmations().receipts_of(&fact.id).cloned());
        }
        parts
    }

    fn verify(&self, name: &NameKey, bytes: &[u8]) -> Result<NameProof, RecordError> {
        super::verify(&key(&self.registry.topic(), name), bytes, &self.history())
    }
}

/// Alice holds `rose` and gives it to Dan, who claims it.
fn story(world: &mut World) -> (Person, Person, Vec<NameProof>) {
    let topic = world.registry.topic();
    let (alice, dan) = (Person::new(topic, 1), Person::new(topic, 2));
    let (mut laptop, mut tablet) = (alice.device(0, 1), dan.device(0, 2));
    let name = username("rose");
    let mut proofs = Vec::new();
    let claim = laptop.claim("rose", None);
    let claim = world.confirm(&laptop, &claim);
    proofs.push(world.proof(&name));
    let give_up = laptop.give_up(&alice, claim, Some(dan.did));
    let give_up = world.confirm(&laptop, &give_up);
    let finish = laptop.finish(&alice, give_up, claim.digest());
    let finish = world.confirm(&laptop, &finish);
    proofs.push(world.proof(&name));
    let claim = tablet.claim("rose", Some(finish));
    world.confirm(&tablet, &claim);
    proofs.push(world.proof(&name));
    (alice, dan, proofs)
}

#[test]
fn proof_says_what_its_entries_decide() {
    let mut world = World::new();
    let (alice, dan, proofs) = story(&mut world);
    let holders = proofs.iter().map(|proof| {
        let read = world.verify(&username("rose"), proof.bytes()).expect("a proof");
        assert_eq!(read.outcome, proof.outcome);
        read.holder().map(|tenure| tenure.holder)
    });
    assert_eq!(holders.collect::<Vec<_>>(), [Some(alice.did), None, Some(dan.did)]);
    let bytes: Vec<usize> = proofs.iter().map(|proof| proof.bytes().len()).collect();
    assert!(bytes[2] <= RECORD_MAX_BYTES / 2, "{bytes:?}: room for a second transfer");
}

#[test]
fn newest_proof_lasts_in_any_order() {
    let mut world = World::new();
    let (.., proofs) = story(&mut world);
    for (a, b, c) in [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)] {
        let last = [b, c].into_iter().fold(&proofs[a], |best, next| {
            if proofs[next].compare(best) == Ordering::Greater { &proofs[next] } else { best }
        });
        assert_eq!(last.bytes(), proofs[2].bytes());
    }
}

#[test]
fn no_flipped_bit_no_other_network_and_no_other_name_is_taken() {
    let mut world = World::new();
    let laptop = &mut Person::new(world.registry.topic(), 1).device(0, 1);
    let claim = laptop.claim("rose", None);
    world.confirm(laptop, &claim);
    let name = username("rose");
    let proof = world.proof(&name);
    for bit in 0..proof.bytes().len() * 8 {
        let mut flipped = proof.bytes().to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(world.verify(&name, &flipped).is_err(), "bit {bit}");
    }
    for end in 0..proof.bytes().len() {
        assert!(world.verify(&name, &proof.bytes()[..end]).is_err(), "cut at {end}");
    }
    assert_eq!(world.verify(&username("lily"), proof.bytes()).unwrap_err(), RecordError::OtherName);
    let (elsewhere, _) = network(2, 2);
    assert!(super::verify(&key(&elsewhere.topic(), &name), proof.bytes(), &elsewhere).is_err());
}

#[test]
fn what_does_not_count_or_says_nothing_of_the_name_is_refused() {
    let mut world = World::new();
    let alice = Person::new(world.registry.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let rose = laptop.claim("rose", None);
    let lily = laptop.claim("lily", None);
    let (rose, lily) = (world.confirm(&laptop, &rose), world.confirm(&laptop, &lily));
    let name = username("rose");
    let refused = |parts: Parts| world.verify(&name, &parts.encode()).map(drop);
    assert_eq!(refused(world.parts_of(|id| *id == rose)), Ok(()));
    assert_eq!(refused(world.parts_of(|id| *id == rose || *id == lily)), Err(RecordError::Foreign), "another name");
    let mut bare = world.parts_of(|id| *id == rose);
    bare.receipts.clear();
    assert_eq!(refused(bare), Err(RecordError::Foreign), "no witness confirms it");
    let mut more = world.parts_of(|id| *id == rose);
    let phone = alice.device(1, 2);
    more.entries.insert(phone.opening.id(), phone.opening);
    assert_eq!(refused(more), Err(RecordError::Foreign), "an opening of which nothing follows");
    let mut spare = world.parts_of(|id| *id == rose);
    spare.receipts.extend(world.registry.confirmations().receipts_of(&lily).cloned());
    assert_eq!(refused(spare), Err(RecordError::Foreign), "a receipt of something else");
    let mut swapped = world.parts_of(|id| *id == rose).encode();
    swapped.push(0);
    assert!(matches!(world.verify(&name, &swapped), Err(RecordError::Unreadable(DecodeError::LeftOver))));
}

#[test]
fn proof_has_bounds_on_both_sides() {
    let world = World::new();
    let verify = |bytes: &[u8]| world.verify(&username("rose"), bytes).unwrap_err();
    assert_eq!(verify(&vec![0; RECORD_MAX_BYTES + 1]), RecordError::TooLong);
    assert_ne!(verify(&vec![0; RECORD_MAX_BYTES]), RecordError::TooLong);
    let counted = |count: usize| Encoder::new().byte(VERSION).integer(count as u64).finish();
    assert_eq!(verify(&counted(RECORD_PARTS_MAX + 1)), RecordError::TooLong);
    assert!(matches!(verify(&counted(RECORD_PARTS_MAX)), RecordError::Unreadable(_)));
}

#[test]
fn newest_release_of_a_module_is_in_its_proof_with_its_withdrawal() {
    let mut world = World::new();
    let mut laptop = Person::new(world.registry.topic(), 1).device(0, 1);
    let claim = laptop.claim_module("crc-32");
    let under = world.confirm(&laptop, &claim);
    let mut proofs = vec![world.proof(&module("crc-32"))];
    let mut last = None;
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        let release = laptop.release("crc-32", version, under);
        last = Some(world.confirm(&laptop, &release));
        proofs.push(world.proof(&module("crc-32")));
    }
    let versions = proofs.iter().map(|proof| proof.release.as_ref().map(|release| release.release.version.to_string()));
    let newest = Some("1.1.0".to_owned());
    assert_eq!(versions.collect::<Vec<_>>(), [None, Some("1.0.0".into()), newest.clone(), newest]);
    let first = world.registry.versions(&module("crc-32"))[&semver::Version::new(1, 1, 0)].release;
    for (release, before) in [(last.expect("three"), None), (first, None)] {
        let mark = laptop.mark(release, before, true, under);
        world.confirm(&laptop, &mark);
    }
    let proof = world.proof(&module("crc-32"));
    assert_eq!(proof.release.as_ref().expect("1.0.0 is left").release.version, semver::Version::new(1, 0, 0));
    assert!(world.verify(&module("crc-32"), proof.bytes()).is_ok());
}

/// Where nothing is witnessed nothing counts by itself, so there is nothing to prove.
#[test]
fn network_without_witnesses_has_no_proofs() {
    let mut registry = Registry::new(network(0, 0).0);
    let mut laptop = Person::new(registry.topic(), 1).device(0, 1);
    let claim = laptop.claim("rose", None);
    for entry in [&laptop.opening, &claim] {
        registry.admit(entry, 0).expect("a valid entry");
    }
    let read_model = ReadModel::new(registry, []);
    assert!(read_model.state(&"rose".parse().expect("a name")).is_some_and(|state| state.holder().is_some()));
    assert!(read_model.name_proof(&username("rose")).is_none());
}
