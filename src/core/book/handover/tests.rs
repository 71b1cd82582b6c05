//! Files that witnesses hand over: what is taken of them, and what is not.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;
use crate::actors::{BEGIN, Device, Person, network};

/// Three witnesses by key, and what Alice's laptop wrote.
struct World {
    history: NetworkHistory,
    keys: Vec<SecretKey>,
    laptop: Device,
    entries: Vec<Entry>,
}

fn world() -> World {
    let (history, keys) = network(3, 2);
    let mut laptop = Person::new(history.topic(), 1).device(0, 1);
    let entries = ["rose", "lily"].iter().map(|name| laptop.claim(name, None)).collect();
    World { history, keys, laptop, entries }
}

impl World {
    fn slots(&self, entry: &Entry) -> Vec<Digest> {
        let opening = Opening::decode(&self.laptop.topic, self.laptop.opening.body()).expect("an opening");
        let fact = Fact::of(&self.laptop.topic, entry, &opening).expect("a claim");
        fact.slots().iter().map(Slot::digest).collect()
    }

    fn receipt(&self, by: usize, entry: &Entry) -> Vec<u8> {
        let slots = self.slots(entry);
        Receipt::sign(&self.laptop.topic, &self.keys[by], 0, entry.id(), slots, BEGIN).encode()
    }

    /// The file of one witness, with entries and their receipts.
    fn file(&self, by: usize, facts: &[(&Entry, Vec<Vec<u8>>)]) -> Handover {
        let facts = facts.iter().map(|(entry, receipts)| HandedFact {
            entry: entry.encode(),
            receipts: receipts.clone(),
            paths: vec![],
        });
        Handover {
            topic: self.history.topic(),
            set: 0,
            witness: self.keys[by].public(),
            openings: vec![self.laptop.opening.encode()],
            facts: facts.collect(),
        }
    }

    fn gather(&self, files: &[Vec<u8>]) -> Result<Gathered, HandoverError> {
        let mut gathered = Gathered::new(self.history.clone());
        files.iter().try_for_each(|file| gathered.add(file))?;
        Ok(gathered)
    }
}

#[test]
fn votes_of_several_files_are_put_together() {
    let world = world();
    let [rose, lily] = [&world.entries[0], &world.entries[1]];
    let one = world.file(0, &[(rose, vec![world.receipt(0, rose)]), (lily, vec![world.receipt(0, lily)])]);
    let other = world.file(1, &[(rose, vec![world.receipt(1, rose)])]);
    let files = [one.sign(&world.keys[0]), other.sign(&world.keys[1])];
    assert_eq!(Handover::decode(&files[0]), Ok(one));
    let alone = world.gather(&files[..1]).expect("a file");
    assert!(matches!(alone.close().err(), Some(HandoverError::TooFew { have: 1, needed: 2 })));
    let closed = world.gather(&files).expect("two files").close().expect("enough");
    assert_eq!(closed.confirmed.facts().collect::<Vec<_>>(), [*rose.id().digest()]);
    assert_eq!(closed.reserved, [(lily.id(), world.slots(lily))]);
    // The order of the files is nothing to the change.
    let turned = [files[1].clone(), files[0].clone()];
    let set = WitnessSet::new([world.keys[2].public()], 1, [Digest::of(b"next")]);
    let change = |files: &[Vec<u8>]| world.gather(files).expect("two").change(set.clone(), 1).expect("enough").encode();
    assert_eq!(change(&files), change(&turned));
    assert_eq!(SetChange::decode(&change(&files)).expect("a change").number, 1);
}

#[test]
fn file_that_is_not_of_this_set_is_refused() {
    let world = world();
    let file = world.file(0, &[]);
    let sign = |file: &Handover| file.sign(&world.keys[0]);
    let add = |file: Vec<u8>| world.gather(&[file]).err();
    assert_eq!(add(sign(&file)), None);
    assert_eq!(
        add(sign(&Handover { topic: Topic::from_bytes([9; 32]), ..file.clone() })),
        Some(HandoverError::OtherNetwork)
    );
    let other_set = HandoverError::OtherSet { set: 1, present: 0 };
    assert_eq!(add(sign(&Handover { set: 1, ..file.clone() })), Some(other_set));
    assert_eq!(add(file.sign(&world.keys[1])), Some(HandoverError::Forged));
    let stranger = SecretKey::from_seed(&[1; 32]);
    let strange = Handover { witness: stranger.public(), ..file.clone() }.sign(&stranger);
    assert_eq!(add(strange), Some(HandoverError::NotOfSet));
    assert_eq!(world.gather(&[sign(&file), sign(&file)]).err(), Some(HandoverError::Twice));
}

/// A liar's file: what does not prove itself is passed over, and the rest counts.
#[test]
fn what_does_not_prove_itself_is_passed_over() {
    let world = world();
    let [rose, lily] = [&world.entries[0], &world.entries[1]];
    let mut forged = world.receipt(1, rose);
    *forged.last_mut().expect("bytes") ^= 1;
    let topic = world.history.topic();
    let narrow = Receipt::sign(&topic, &world.keys[1], 0, rose.id(), vec![world.slots(rose)[0]], BEGIN).encode();
    let of_other = world.receipt(1, lily);
    let stranger = SecretKey::from_seed(&[1; 32]);
    let strange = Receipt::sign(&topic, &stranger, 0, rose.id(), world.slots(rose), BEGIN).encode();
    let mut liars = world.file(1, &[(rose, vec![forged, narrow, of_other, strange, vec![1]]), (lily, vec![])]);
    liars.facts.push(HandedFact { entry: vec![0; 300], ..HandedFact::default() });
    liars.facts[0].paths.push(vec![0; 9]);
    let honest = world.file(0, &[(rose, vec![world.receipt(0, rose)])]);
    let gathered = world.gather(&[honest.sign(&world.keys[0]), liars.sign(&world.keys[1])]).expect("two files");
    assert_eq!(gathered.passed_over(), 1);
    let closed = gathered.close().expect("enough");
    assert_eq!(closed.confirmed.facts().count(), 0, "one receipt of two");
    assert_eq!(closed.reserved, [(rose.id(), world.slots(rose))]);
}

#[test]
fn decoder_is_total() {
    let world = world();
    let rose = &world.entries[0];
    let file = world.file(0, &[(rose, vec![world.receipt(0, rose)])]).sign(&world.keys[0]);
    for length in 0..file.len() {
        assert!(Handover::decode(&file[..length]).is_err());
    }
    let mut random = StdRng::seed_from_u64(1);
    for _ in 0..2_000 {
        let mut bytes = file.clone();
        let at = random.random_range(0..bytes.len());
        bytes[at] ^= 1 << random.random_range(0..8);
        assert!(Handover::decode(&bytes).is_err(), "every bit is signed: {at}");
        let strange: Vec<u8> = (0..random.random_range(0..300)).map(|_| random.random()).collect();
        assert!(Handover::decode(&strange).is_err());
    }
}

#[test]
fn file_is_bounded_on_both_sides() {
    assert_eq!(Handover::decode(&vec![0; HANDOVER_MAX_BYTES + 1]).err(), Some(HandoverError::TooLarge));
    assert!(matches!(Handover::decode(&vec![0; HANDOVER_MAX_BYTES]).err(), Some(HandoverError::Unreadable(_))));
}
