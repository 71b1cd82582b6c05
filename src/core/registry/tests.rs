//! The registry: what is kept of logs, and what thieves and forks can and cannot do.

#[cfg(target_os = "linux")]
mod memory;
pub(crate) mod orders;

use super::*;
use crate::actors::{BEGIN, Device, Person, module, network, username};
use crate::keys::SecretKey;
use crate::log::Capabilities;
use crate::outcome::NoEffect;
use crate::statement::{CutLog, DeviceList};

fn registry() -> (Registry, SecretKey) {
    let (history, keys) = network(1, 1);
    (Registry::new(history), keys[0].clone())
}

fn add(registry: &mut Registry, device: &Device, entries: &[Entry]) {
    for entry in entries {
        registry.admit_alone(&device.opening, entry, vec![], vec![]).expect("a valid entry");
    }
}

fn receipt(registry: &Registry, witness: &SecretKey, entry: &Entry) -> Receipt {
    Receipt::sign(&registry.topic(), witness, 0, entry.id(), vec![*entry.id().digest()], BEGIN)
}

fn confirm(registry: &mut Registry, witness: &SecretKey, device: &Device, entry: &Entry) {
    let receipt = receipt(registry, witness, entry);
    registry.admit_alone(&device.opening, entry, vec![receipt], vec![]).expect("a valid entry");
}

/// Two settlings, as a node does that heard nothing new for a while.
fn settle(registry: &mut Registry) {
    registry.settle_holders();
    registry.settle_holders();
}

/// Refusing what somebody writes changes nothing of who holds which name, and can be taken back.
#[test]
fn refused_document_costs_nothing_and_no_name() {
    let (mut theirs, witness) = registry();
    let mallory = Person::new(theirs.topic(), 1);
    let mut device = mallory.device(0, 1);
    let (claim, lily) = (device.claim("rose", None), device.claim("lily", None));
    add(&mut theirs, &device, &[claim.clone(), lily.clone()]);
    confirm(&mut theirs, &witness, &device, &claim);
    let change = |after: Option<&Entry>| {
        let body = b"any bytes".to_vec();
        match after {
            None => Entry::begin(&device.topic, &device.key, device.log().numbered(1), 100, body),
            Some(last) => Entry::after(&device.topic, &device.key, last.signed_header(), 100, body),
        }
    };
    let first = change(None);
    let changes = [first.clone(), change(Some(&first))];
    add(&mut theirs, &device, &changes);
    let detail = theirs.detail_of(&mallory.did).expect("she is known");

    let (mut mine, _) = registry();
    mine.refuse_documents_of([mallory.did]);
    confirm(&mut mine, &witness, &device, &claim);
    add(&mut mine, &device, std::slice::from_ref(&lily));
    assert_eq!(mine.admit(&changes[0], 0), Ok(Received::NotKept));
    assert!(mine.chain(&changes[0].header().log).is_none());
    assert_eq!(mine.asks_for(&detail), [], "nothing of the document is asked for");
    for name in ["rose", "lily"] {
        assert_eq!(mine.name(&username(name)), theirs.name(&username(name)), "{name}");
    }
    assert_eq!(mine.names_of(&mallory.did), theirs.names_of(&mallory.did));

    mine.refuse_documents_of([]);
    let log = changes[0].header().log;
    assert_eq!(mine.asks_for(&detail), [Ask::Log { log, known: vec![] }]);
    add(&mut mine, &device, &changes);
    assert_eq!(mine.detail_of(&mallory.did), Some(detail));
}

/// The example of the module's documentation.
#[test]
fn confirmed_entry_counts_whatever_becomes_of_its_log() {
    let (mut whole, witness) = registry();
    let alice = Person::new(whole.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let entries: Vec<Entry> = ["a-1", "a-2", "a-3", "a-4"].iter().map(|name| laptop.claim(name, None)).collect();
    let mut thief = alice.device(0, 1);
    add(&mut whole, &laptop, &entries);
    let stolen: Vec<Entry> = ["b-1", "b-2"].iter().map(|name| thief.claim(name, None)).collect();
    confirm(&mut whole, &witness, &laptop, &entries[3]);
    assert_eq!(whole.admit(&stolen[0], 0), Ok(Received::Forked));
    let log = laptop.log();
    assert_eq!(whole.chain(&log).map(|chain| (chain.len(), chain.fork())), Some((1, Some(1))));
    let (mut fresh, _) = registry();
    confirm(&mut fresh, &witness, &laptop, &entries[3]);
    assert_eq!(fresh.chain(&log).map(Chain::len), Some(1), "the entries before it are not here");
    for registry in [&whole, &fresh] {
        assert!(registry.name(&username("a-4")).holder().is_some());
        assert!(
            registry.name(&username("a-2")).holder().is_none() && registry.name(&username("b-1")).holder().is_none()
        );
    }
    // What the log lost has no effect: not even as a claim that waits.
    assert!(whole.name(&username("a-2")).others.is_empty());
    assert_eq!(whole.forks().count(), 1);
    // With the proof both have the same.
    let proof = whole.forks().next().expect("the fork").clone();
    assert!(fresh.note_fork(proof));
    assert_eq!(whole.summaries(), fresh.summaries());
}

/// A thief has a copy of the laptop's key, and an identity of their own. What the owner signed stays the owner's.
#[test]
fn entries_can_not_be_shown_under_another_opening() {
    let (mut registry, witness) = registry();
    let (alice, mallory) = (Person::new(registry.topic(), 1), Person::new(registry.topic(), 2));
    let mut laptop = alice.device(0, 1);
    let claim = laptop.claim("rose", None);
    // Mallory adds the laptop's key to her own identity, with its signature, as she has the key.
    let hers = mallory.device(0, 1);
    assert_eq!(hers.key.public(), laptop.key.public());
    assert_ne!(hers.log(), laptop.log());
    let mut fresh = Registry::new(registry.history().clone());
    let receipt = receipt(&fresh, &witness, &claim);
    fresh.admit_alone(&hers.opening, &claim, vec![receipt], vec![]).expect("both are valid");
    assert!(fresh.name(&username("rose")).holder().is_none(), "the opening that it names is not here");
    confirm(&mut fresh, &witness, &laptop, &claim);
    assert_eq!(fresh.name(&username("rose")).holder().expect("held").holder, alice.did);
    // She cuts "her" device, which ends nothing of Alice's.
    let mut other = mallory.device(1, 3);
    let revoke = other.revoke(&mallory, &hers, None);
    add(&mut registry, &laptop, &[claim]);
    add(&mut registry, &hers, std::slice::from_ref(&hers.opening));
    add(&mut registry, &other, &[revoke]);
    assert_eq!(registry.chain(&laptop.log()).map(Chain::end), Some(End::Open));
    assert_eq!(registry.chain(&hers.log()).map(Chain::end), Some(End::BeforeFirst));
}

/// A thief with key 0 and the laptop's key adds the laptop once more, with less to do. The owner's rotation names the
/// addition that is hers.
#[test]
fn second_addition_of_a_device_is_another_log() {
    let (mut registry, witness) = registry();
    let mut alice = Person::new(registry.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let again = alice.device_with(0, 1, Capabilities::of([], ""));
    let mut phone = alice.device(1, 2);
    add(&mut registry, &laptop, std::slice::from_ref(&laptop.opening));
    add(&mut registry, &again, std::slice::from_ref(&again.opening));
    add(&mut registry, &phone, std::slice::from_ref(&phone.opening));
    let open = |registry: &Registry| {
        [&laptop.log(), &again.log()]
            .iter()
            .filter(|log| registry.chain(log).map(Chain::end) == Some(End::Open))
            .count()
    };
    assert_eq!(open(&registry), 1, "one of the two counts");
    let list = DeviceList::new([(laptop.addition, None), (phone.addition, None)]);
    let rotate = alice.rotate(&list);
    let entry = phone.carry(rotate, list);
    confirm(&mut registry, &witness, &phone, &entry);
    assert_eq!(registry.chain(&laptop.log()).map(Chain::end), Some(End::Open));
    assert_eq!(registry.chain(&again.log()).map(Chain::end), Some(End::BeforeFirst));
    let claim = laptop.claim("rose", None);
    confirm(&mut registry, &witness, &laptop, &claim);
    let fact = registry.facts().get(&claim.id()).expect("known");
    assert!(!registry.is_compromised(fact));
}

/// Alice's laptop is copied. The thief publishes with it; she revokes it and names her own last entry.
#[test]
fn release_after_the_cut_is_compromised_and_nothing_before_is() {
    let (mut registry, witness) = registry();
    let alice = Person::new(registry.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let mut phone = alice.device(1, 2);
    let claim = laptop.claim_module("crc-32");
    let good = laptop.release("crc-32", "1.0.0", claim.id());
    let last = laptop.last_good();
    let mut thief = laptop.clone();
    let waiting = laptop.release("crc-32", "1.1.0", claim.id());
    let bad = thief.release("crc-32", "9.9.9", claim.id());
    for entry in [&claim, &good, &bad] {
        confirm(&mut registry, &witness, &laptop, entry);
    }
    add(&mut registry, &laptop, std::slice::from_ref(&waiting));
    let compromised = |registry: &Registry| {
        let versions = registry.versions(&module("crc-32"));
        let releases = versions.values().map(|version| version.release);
        releases.filter(|id| registry.is_compromised(registry.facts().get(id).expect("known"))).collect::<Vec<_>>()
    };
    assert!(compromised(&registry).is_empty(), "a fork marks no release");
    let revoke = phone.revoke(&alice, &laptop, Some(last));
    add(&mut registry, &phone, std::slice::from_ref(&revoke));
    assert_eq!(compromised(&registry), [bad.id()]);
    assert_eq!(registry.versions(&module("crc-32")).len(), 2, "the number of the version stays used");
    assert!(registry.name(&module("crc-32")).holder().is_some());
    let chain = registry.chain(&laptop.log()).expect("the laptop's log");
    assert_eq!((chain.len(), chain.entry(2)), (3, Some(good.id())));
    assert_eq!(registry.admit(&waiting, 0), Ok(Received::NotKept));
}

/// A revocation is signed by the identity key: it counts wherever it was said, also in a log that was forked before it.
#[test]
fn statement_about_keys_counts_wherever_it_was_said() {
    let (mut first, _) = registry();
    let alice = Person::new(first.topic(), 1);
    let (mut laptop, mut phone) = (alice.device(0, 1), alice.device(1, 2));
    let mut thief = laptop.clone();
    let (one, other) = (laptop.claim("rose", None), thief.claim("lily", None));
    let revoke = laptop.revoke(&alice, &phone, Some(phone.last_good()));
    let (mut second, _) = registry();
    add(&mut first, &laptop, &[one.clone(), revoke.clone()]);
    add(&mut first, &laptop, std::slice::from_ref(&other));
    add(&mut second, &laptop, &[other, one]);
    assert_eq!(first.chain(&laptop.log()).map(Chain::len), Some(1), "the log ends before the fork");
    let phones = phone.claim("iris", None);
    for registry in [&mut first, &mut second] {
        add(registry, &phone, std::slice::from_ref(&phones));
    }
    assert_ne!(first.summaries(), second.summaries(), "so the difference is seen");
    assert_eq!(second.admit(&revoke, 0), Ok(Received::Kept));
    assert_eq!(first.summaries(), second.summaries());
    let is_in =
        |registry: &Registry| registry.standing(&alice.did).expect("known").device_in(&phone.key.public()).is_some();
    assert!(!is_in(&first) && !is_in(&second));
    assert_eq!(first.admit(&revoke, 0), Ok(Received::Known));
}

#[test]
fn entry_of_an_unknown_kind_is_kept_and_says_nothing() {
    let (mut registry, witness) = registry();
    let alice = Person::new(registry.topic(), 1);
    let mut laptop = alice.device(0, 1);
    let unknown = laptop.write_raw(200, b"of a later version".to_vec());
    let claim = laptop.claim("rose", None);
    add(&mut registry, &laptop, std::slice::from_ref(&unknown));
    confirm(&mut registry, &witness, &laptop, &claim);
    assert_eq!(registry.chain(&laptop.log()).map(Chain::len), Some(3));
    assert!(matches!(registry.effect(&unknown), Some(Err(NoEffect::Body(crate::log::BodyError::UnknownKind(200))))));
    assert!(registry.name(&username("rose")).holder().is_some());
}

#[test]
fn log_that_names_an_opening_of_another_device_is_refused() {
    let (mut registry, _) = registry();
    let alice = Person::new(registry.topic(), 1);
    let (laptop, phone) = (alice.device(0, 1), alice.device(1, 2));
    add(&mut registry, &laptop, std::slice::from_ref(&laptop.opening));
    let log = LogId { device: phone.key.public(), ..laptop.log() };
    let entry = Entry::begin(&alice.topic, &phone.key, log.numbered(1), crate::log::Kind::Change as u8, vec![1]);
    assert_eq!(registry.admit(&entry, 0), Err(EntryRejection::Opening(OpeningError::OtherDevice)));
    let bound = |seq| CutLog { log: 0, seq, entry: entry.id() };
    assert!(crate::statement::Cut::new(laptop.log().opening, [bound(1), bound(2)]).logs().len() == 1);
}

/// A rotation that was confirmed by receipts of a set that is closed now counts no more, unless it is under the root; what it
/// ended goes on again. A proof of a fork does not open a log that was ended.
#[test]
fn ends_of_logs_follow_what_is_confirmed() {
    use crate::actors::succession_key;
    use crate::network::{Closing, FactList, SetChange, WitnessSet};
    let (mut registry, witness) = registry();
    let mut alice = Person::new(registry.topic(), 1);
    let (mut laptop, mut phone) = (alice.device(0, 1), alice.device(1, 2));
    let mut thief = laptop.clone();
    let (one, other) = (laptop.claim("rose", None), thief.claim("lily", None));
    let proof = ForkProof::new(*one.signed_header(), *other.signed_header()).expect("two entries 1");
    add(&mut registry, &phone, std::slice::from_ref(&phone.opening));
    let list = DeviceList::new([(phone.addition, None)]);
    let rotate = alice.rotate(&list);
    let entry = phone.carry(rotate, list);
    confirm(&mut registry, &witness, &phone, &entry);
    // The laptop is first known when its end is.
    registry.admit(&laptop.opening, 0).expect("an opening");
    assert!(registry.note_fork(proof));
    let end = |registry: &Registry| registry.chain(&laptop.log()).map(Chain::end);
    assert_eq!(end(&registry), Some(End::BeforeFirst));
    let (history, key) = (registry.history().clone(), SecretKey::from_seed(&[50; 32]).public());
    let change = SetChange {
        number: 1,
        before: history.newest(),
        set: WitnessSet::new([key], 1, [succession_key(1, 0).public().digest()]),
        version: 1,
        closing: Closing::of(&FactList::default()),
    };
    let signature = change.sign(&history.topic(), &succession_key(0, 0));
    registry.follow(SignedSetChange::new(&history.topic(), change, vec![signature]).expect("valid")).expect("the next");
    assert_eq!(end(&registry), Some(End::Open));
}

/// A thief of a device key signs statements with keys of their own and puts them beyond the end of the log, where no bound
/// of the log holds. They are by no key of the identity, and are not kept.
#[test]
fn statements_by_strangers_fill_nobodys_memory() {
    let (mut registry, _) = registry();
    let alice = Person::new(registry.topic(), 1);
    let mut laptop = alice.device(0, 1);
    registry.admit(&laptop.opening, 0).expect("an opening");
    laptop.claim("rose", None);
    let before = registry.summaries();
    for seed in 2..20 {
        let strange = Person::new(alice.topic, seed);
        let revoke = crate::statement::DeviceRevoke { device: laptop.key.public(), cut: Cut::default() };
        let rotate = crate::statement::Rotate {
            before: *alice.did.digest(),
            key: strange.key().public(),
            next: Digest::of(b"next"),
            devices: DeviceList::default().digest(),
        };
        for statement in [Statement::DeviceRevoke(revoke), Statement::Rotate(rotate)] {
            let signed = crate::statement::SignedStatement::sign(&alice.topic, alice.did, &strange.key(), statement);
            let entry = laptop.carry(signed, DeviceList::default());
            assert_eq!(registry.admit(&entry, 0), Ok(Received::Waiting));
        }
    }
    assert_eq!((registry.summaries(), registry.facts().all().count()), (before, 1));
}

/// What a node stored gives the same registry, in the order of its keys. Of two confirmed claims the one stays the holder's
/// that the node knew first, though it is not the first that is read.
#[test]
fn restored_registry_is_as_it_was() {
    let (mut registry, witness) = registry();
    let topic = registry.topic();
    let (alice, bob) = (Person::new(topic, 1), Person::new(topic, 2));
    let (mut laptop, mut phone, mut bobs) = (alice.device(0, 1), alice.device(1, 2), bob.device(0, 3));
    let claims = [laptop.claim("rose", None), bobs.claim("rose", None)];
    let [first, second] = if claims[0].id() < claims[1].id() { [1, 0] } else { [0, 1] };
    let all = [(laptop.clone(), &claims[0]), (bobs.clone(), &claims[1])];
    confirm(&mut registry, &witness, &all[first].0, all[first].1);
    settle(&mut registry);
    confirm(&mut registry, &witness, &all[second].0, all[second].1);
    let mut thief = laptop.clone();
    let (one, other) = (laptop.claim("lily", None), thief.claim("iris", None));
    let revoke = phone.revoke(&alice, &bobs, None);
    for (device, entry) in [(&laptop, &one), (&laptop, &other), (&phone, &revoke)] {
        let _ = registry.admit_alone(&device.opening, entry, vec![], vec![]);
    }
    let known = registry.take_changed_holders();
    assert_eq!(known.iter().map(|known| known.claim).collect::<Vec<_>>(), [Some(all[first].1.id())]);
    assert!(registry.take_changed_holders().is_empty(), "they are stored now");

    let mut restored = Registry::restore(registry.history().clone(), known);
    for fact in registry.facts().all() {
        for receipt in registry.confirmations().receipts_of(&fact.id) {
            restored.add_receipt(receipt.clone());
        }
    }
    let kept = registry.facts().all().filter(|fact| registry.is_kept(fact));
    let mut entries: Vec<Entry> = kept.map(|fact| registry.entry(&fact.id).expect("kept")).collect();
    entries.sort_by_key(|entry| (entry.header().seq, entry.id()));
    for entry in &entries {
        let bytes = entry.encode();
        let stored = Entry::decode_unverified(&topic, &bytes).expect("as it was written");
        assert_eq!(stored, *entry);
        restored.admit(&stored, 0).expect("it was admitted before");
    }
    registry.forks().for_each(|proof| assert!(restored.note_fork(proof.clone())));
    restored.end_restoring();
    assert_eq!(restored.summaries(), registry.summaries());
    let holder = |registry: &Registry| registry.name(&username("rose")).holder().map(|tenure| tenure.claim);
    assert_eq!(holder(&restored), holder(&registry));
    assert_eq!(holder(&restored), Some(all[first].1.id()));
    assert!(restored.take_changed_holders().is_empty());
}

/// Somebody has the witness's key and confirms a rival. Who knew the holder keeps them, who meets both takes neither,
/// whichever comes first.
#[test]
fn rivals_that_come_together_make_nobody_the_holder() {
    let (empty, witness) = registry();
    let topic = empty.topic();
    let (mut laptop, mut thief) = (Person::new(topic, 1).device(0, 1), Person::new(topic, 2).device(0, 2));
    let (rose, rival) = (laptop.claim("rose", None), thief.claim("rose", None));
    let both = [(&laptop, &rose), (&thief, &rival)];
    let holder = |registry: &Registry| registry.name(&username("rose")).holder().map(|tenure| tenure.claim);
    for order in [[0, 1], [1, 0]] {
        let (mut newcomer, _) = registry();
        let [first, second] = order.map(|at| both[at]);
        confirm(&mut newcomer, &witness, first.0, first.1);
        newcomer.settle_holders();
        assert_eq!(holder(&newcomer), Some(first.1.id()), "it is the only one so far");
        confirm(&mut newcomer, &witness, second.0, second.1);
        settle(&mut newcomer);
        assert_eq!(holder(&newcomer), None);
        assert_eq!(newcomer.name(&username("rose")).contested.len(), 2);
        assert!(newcomer.take_changed_holders().is_empty());
    }

    // Unconfirmed claims sent ahead make the confirmed one no older: the thief's receipt comes right before a check.
    let (mut primed, _) = registry();
    add(&mut primed, &thief, std::slice::from_ref(&rival));
    primed.settle_holders();
    confirm(&mut primed, &witness, &thief, &rival);
    primed.settle_holders();
    confirm(&mut primed, &witness, &laptop, &rose);
    settle(&mut primed);
    assert_eq!(holder(&primed), None);

    let (mut witnessed, _) = registry();
    confirm(&mut witnessed, &witness, &laptop, &rose);
    settle(&mut witnessed);
    confirm(&mut witnessed, &witness, &thief, &rival);
    settle(&mut witnessed);
    assert_eq!(holder(&witnessed), Some(rose.id()));

    // The author knows at once; and who stopped before a claim was settled settles it after the next start.
    let (mut author, _) = registry();
    confirm(&mut author, &witness, &laptop, &rose);
    author.settle_holder(&username("rose"));
    confirm(&mut author, &witness, &thief, &rival);
    assert_eq!(holder(&author), Some(rose.id()));
    let mut restarted = Registry::restore(author.history().clone(), []);
    confirm(&mut restarted, &witness, &laptop, &rose);
    restarted.end_restoring();
    settle(&mut restarted);
    confirm(&mut restarted, &witness, &thief, &rival);
    assert_eq!(holder(&restarted), Some(rose.id()));
}
