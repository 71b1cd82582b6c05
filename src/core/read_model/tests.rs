//! The directory: who is listed under which name, after each change.

use super::*;
use crate::actors::{BEGIN, Device, Person, network};
use crate::keys::SecretKey;
use crate::log::Entry;
use crate::receipt::Receipt;

fn world() -> (ReadModel, SecretKey) {
    let (history, keys) = network(1, 1);
    (ReadModel::new(Registry::new(history), []), keys[0].clone())
}

/// Confirms an entry and refreshes what it concerns, as a node does.
fn confirm(read_model: &mut ReadModel, witness: &SecretKey, device: &Device, entry: &Entry, at: u64) -> BTreeSet<Did> {
    let topic = read_model.registry().topic();
    let at = Timestamp::from_millis(BEGIN.as_millis() + at);
    let receipt = Receipt::sign(&topic, witness, 0, entry.id(), vec![*entry.id().digest()], at);
    read_model.registry_mut().admit_alone(&device.opening, entry, vec![receipt], vec![]).expect("a valid entry");
    let names = read_model.registry().names_concerned(&entry.id());
    read_model.refresh(&names)
}

fn listed(read_model: &ReadModel, prefix: &str) -> Vec<String> {
    read_model.list(prefix, None, 10).people.iter().map(|(name, _)| name.to_string()).collect()
}

#[test]
fn person_with_several_names_is_listed_under_the_newest() {
    let (mut read_model, witness) = world();
    let topic = read_model.registry().topic();
    let alice = Person::new(topic, 1);
    let (mut laptop, mut bobs) = (alice.device(0, 1), Person::new(topic, 2).device(0, 2));
    let rose = laptop.claim("rose", None);
    assert_eq!(confirm(&mut read_model, &witness, &laptop, &rose, 1), BTreeSet::from([alice.did]));
    let iris = bobs.claim("iris", None);
    confirm(&mut read_model, &witness, &bobs, &iris, 2);
    let lily = laptop.claim("lily", None);
    confirm(&mut read_model, &witness, &laptop, &lily, 3);
    assert_eq!(listed(&read_model, ""), ["iris", "lily"]);
    assert_eq!(read_model.username_of(&alice.did).map(Username::as_str), Some("lily"));
    assert_eq!(read_model.usernames_of(&alice.did).count(), 2);
    let older = read_model.state(&"rose".parse().expect("a name")).and_then(NameState::holder).expect("still hers");
    assert_eq!(older.tenure.holder, alice.did);
    assert_eq!(read_model.initials().collect::<Vec<_>>(), [("I", 1), ("L", 1)]);
    // She gives up the newer one and is listed under the older one again.
    let give_up = laptop.give_up(&alice, lily.id(), None);
    confirm(&mut read_model, &witness, &laptop, &give_up, 4);
    let finish = laptop.finish(&alice, give_up.id(), lily.id().digest());
    let touched = confirm(&mut read_model, &witness, &laptop, &finish, 5);
    assert_eq!((touched, listed(&read_model, "")), (BTreeSet::from([alice.did]), vec!["iris".into(), "rose".into()]));
}

#[test]
fn loser_and_holder_are_both_touched() {
    let (mut read_model, witness) = world();
    let topic = read_model.registry().topic();
    let (mut laptop, mut bobs) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let (claim, rival) = (laptop.claim("rose", None), bobs.claim("r0se", None));
    confirm(&mut read_model, &witness, &laptop, &claim, 1);
    let registry = read_model.registry_mut();
    registry.admit(&bobs.opening, 0).expect("an opening");
    registry.admit(&rival, 0).expect("a claim");
    let names = registry.names_concerned(&rival.id());
    assert_eq!(read_model.refresh(&names), BTreeSet::from([laptop.did, bobs.did]));
    assert_eq!(read_model.claims_of(&bobs.did).len(), 1);
}

#[test]
fn pages_of_the_directory_follow_each_other() {
    let (mut read_model, witness) = world();
    let topic = read_model.registry().topic();
    for seed in 1..=7 {
        let mut device = Person::new(topic, seed).device(0, seed);
        let claim = device.claim(&format!("name-{seed}"), None);
        confirm(&mut read_model, &witness, &device, &claim, u64::from(seed));
    }
    let first = read_model.list("name", None, 3);
    assert_eq!((first.people.len(), first.total, first.more), (3, 7, true));
    let after = first.people[2].0.clone();
    let second = read_model.list("name", Some(&after), 10);
    assert_eq!((second.people.len(), second.total, second.more), (4, 7, false));
    assert_eq!(read_model.list("other", None, 3).total, 0);
}

/// What is read from the store at a start gives the same as what came in one by one.
#[test]
fn restored_read_model_is_as_the_one_that_grew() {
    let (mut grown, witness) = world();
    let topic = grown.registry().topic();
    let mut devices: Vec<Device> = (1..=5).map(|seed| Person::new(topic, seed).device(0, seed)).collect();
    let mut all: Vec<(Device, Entry)> = Vec::new();
    for device in &mut devices {
        let claim = device.claim(&format!("name-{}", device.did.as_bytes()[0]), None);
        all.push((device.clone(), claim));
    }
    for (at, (device, entry)) in (0..).zip(&all) {
        confirm(&mut grown, &witness, device, entry, at);
    }
    let (history, _) = network(1, 1);
    let mut registry = Registry::new(history);
    for (at, (device, entry)) in (0..).zip(&all).collect::<Vec<_>>().into_iter().rev() {
        let at = Timestamp::from_millis(BEGIN.as_millis() + at);
        let receipt = Receipt::sign(&topic, &witness, 0, entry.id(), vec![*entry.id().digest()], at);
        registry.admit_alone(&device.opening, entry, vec![receipt], vec![]).expect("a valid entry");
    }
    let restored = ReadModel::new(registry, []);
    assert_eq!(listed(&restored, ""), listed(&grown, ""));
    assert_eq!(restored.initials().collect::<Vec<_>>(), grown.initials().collect::<Vec<_>>());
}
