//! The format as bytes: every kind of thing that is signed or passed on, read as it is and with each rule broken, beside
//! what comes of it. Another client's author compares with `tests/fixtures/format.json`.
//!
//! `BLESS=1 cargo test -p gen-registry-core format` writes the file. What is in it once may change only with the format.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::actors::{BEGIN, Device, Person, network, succession_key};
use crate::canonical::Encoder;
use crate::digest::{Digest, hex};
use crate::document::checkpoint::{Adopt, Checkpoint, Data, Map, Value};
use crate::identity::Topic;
use crate::keys::SecretKey;
use crate::log::body::Withdrawal;
use crate::log::{Body, Capabilities, Capability, Entry, EntryId, Kind, Opening};
use crate::network::{Closing, FactList, Genesis, SetChange, SignedSetChange, WitnessSet};
use crate::outcome::Fact;
use crate::receipt::{ProvenPath, Receipt};
use crate::statement::{DeviceList, SignedStatement, Statement, Veto};

/// Of what is kept and passed on, and says nothing.
const NO_EFFECT: &str = "without effect: ";

/// One thing as bytes, and what comes of it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Case {
    kind: String,
    case: String,
    outcome: String,
    bytes: String,
}

#[derive(Default)]
struct Cases(Vec<Case>);

impl Cases {
    fn add<T, E: std::fmt::Display>(
        &mut self,
        kind: &str,
        case: &str,
        bytes: &[u8],
        read: impl Fn(&[u8]) -> Result<T, E>,
    ) {
        let outcome = match read(bytes).map_err(|error| error.to_string()) {
            Ok(_) => "read".to_owned(),
            Err(reason) if reason.starts_with(NO_EFFECT) => reason,
            Err(reason) => format!("refused: {reason}"),
        };
        self.0.push(Case { kind: kind.into(), case: case.into(), outcome, bytes: hex(bytes) });
    }
}

fn case_of_genesis(cases: &mut Cases) {
    let genesis = network(3, 2).0.genesis().clone();
    let mut add = |case: &str, change: &dyn Fn(&mut Genesis)| {
        let mut changed = genesis.clone();
        change(&mut changed);
        cases.add("genesis", case, &changed.encode(), Genesis::decode);
    };
    add("2 of 3 witnesses", &|_| {});
    add("without a name", &|genesis| genesis.name.clear());
    add("witnesses out of order", &|genesis| genesis.set.witnesses.swap(0, 1));
    add("half of the witnesses are enough", &|genesis| genesis.set.threshold = 1);
    add("a cool-down shorter than the hold", &|genesis| genesis.parameters.cool_down = genesis.parameters.hold / 2);
    let both = |genesis: &mut Genesis| {
        let witness = genesis.set.witnesses[0];
        genesis.set = WitnessSet::new([witness], 1, [witness.digest()]);
    };
    add("a witness's key for the succession", &both);
    cases.add("genesis", "of another format", &[1], Genesis::decode);
}

fn cases_of_set_changes(cases: &mut Cases) {
    let (history, _) = network(3, 2);
    let topic = history.topic();
    let list = FactList::new([Digest::of(b"a"), Digest::of(b"b"), Digest::of(b"c")]);
    let change = |set: WitnessSet| SetChange {
        number: 1,
        before: history.newest(),
        set,
        version: 1,
        closing: Closing::of(&list),
    };
    let next = WitnessSet::new([SecretKey::from_seed(&[50; 32]).public()], 1, [succession_key(1, 0).public().digest()]);
    let signed = |change: &SetChange| {
        let signatures = [0, 1].map(|at| change.sign(&topic, &succession_key(0, at))).to_vec();
        SignedSetChange::new(&topic, change.clone(), signatures).expect("valid signatures").encode()
    };
    let read = |bytes: &[u8]| SignedSetChange::decode(&topic, bytes);
    let good = signed(&change(next.clone()));
    cases.add("set change", "to one witness", &good, read);
    let elsewhere = |bytes: &[u8]| SignedSetChange::decode(&Topic::from_bytes([1; 32]), bytes);
    cases.add("set change", "on another network", &good, elsewhere);
    cases.add(
        "set change",
        "to a set that decides nothing",
        &signed(&change(WitnessSet { threshold: 0, ..next })),
        read,
    );
    let path = list.path(&Digest::of(b"b")).expect("listed");
    let proven = ProvenPath { set: 0, path };
    cases.add("path", "of the second fact", &proven.encode(), ProvenPath::decode);
    cases.add("path", "cut short", &proven.encode()[..20], ProvenPath::decode);
}

fn cases_of_openings(cases: &mut Cases, alice: &mut Person) {
    let topic = alice.topic;
    let read = |bytes: &[u8]| Opening::decode(&topic, bytes);
    let laptop = alice.device(0, 1);
    cases.add("opening", "by the first key", laptop.opening.body(), read);
    cases.add("opening", "on another network", laptop.opening.body(), |bytes| {
        Opening::decode(&Topic::from_bytes([1; 32]), bytes)
    });
    let robot = alice.device_with(1, 2, Capabilities::of([Capability::Publish], "crc-*"));
    cases.add("opening", "of a device that publishes some modules", robot.opening.body(), read);
    let inception = alice.master.inception();
    let parts = |links: &[SignedStatement], add: &SignedStatement| {
        let encoder = Encoder::new().fixed(inception.key.as_bytes()).fixed(inception.next.as_bytes());
        let mut bytes = encoder.byte(links.len() as u8).finish();
        links.iter().chain([add]).for_each(|signed| bytes.extend(signed.encode()));
        bytes
    };
    let veto = alice.say(Statement::Veto(Veto { announced: EntryId::from_digest(Digest::of(b"x")) }));
    cases.add("opening", "without a device", &parts(&[], &veto), read);
    let add = Opening::decode(&topic, laptop.opening.body()).expect("an opening").addition().clone();
    let thief = Person::new(topic, 9);
    let Statement::DeviceAdd(_) = &add.statement else { unreachable!("an addition") };
    let forged = SignedStatement::sign(&topic, alice.did, &thief.key(), add.statement.clone());
    cases.add("opening", "by a key that is not the identity's", &parts(&[], &forged), read);
    let words = crate::statement::NewWords { before: *alice.did.digest(), next: Digest::of(b"next") };
    let words = alice.say(Statement::NewWords(words));
    cases.add("opening", "longer than it need be", &parts(&[words], &add), read);
    let many = vec![veto; crate::statement::LINKS_MAX + 1];
    let bytes = parts(&many, &add);
    cases.add("opening", "with too many links", &bytes[..100], read);
    let rotate = alice.rotate(&DeviceList::default());
    cases.add("opening", "with a link out of order", &parts(&[rotate.clone(), rotate], &add), read);
    let keyed = alice.list_key_for(&robot.key, 0);
    let with_key = alice.device_of_key(4, robot.key.clone(), Capabilities::full(), Some(keyed));
    cases.add("opening", "of a device that is handed the list key", with_key.opening.body(), read);
    let stolen = crate::statement::Rotate {
        before: *alice.did.digest(),
        key: thief.key().public(),
        next: Digest::of(b"next"),
        devices: DeviceList::default().digest(),
    };
    let stolen = SignedStatement::sign(&topic, alice.did, &thief.key(), Statement::Rotate(stolen));
    cases.add("opening", "with a rotation to another key", &parts(&[stolen], &add), read);
    let rotated = alice.device(2, 3);
    cases.add("opening", "by the second key", rotated.opening.body(), read);
}

fn cases_of_entries(cases: &mut Cases, alice: &mut Person) {
    let topic = alice.topic;
    let mut laptop = alice.device(0, 4);
    let opening = Opening::decode(&topic, laptop.opening.body()).expect("an opening");
    let read = |bytes: &[u8]| Entry::decode(&topic, bytes).map_err(|error| error.to_string());
    let effect = |bytes: &[u8]| {
        let entry = Entry::decode(&topic, bytes).map_err(|error| error.to_string())?;
        Fact::of(&topic, &entry, &opening).map_err(|error| format!("{NO_EFFECT}{error}"))
    };
    let first = laptop.opening.encode();
    cases.add("entry", "opening", &first, effect);
    let mut add = |case: &str, entry: Entry| cases.add("entry", case, &entry.encode(), effect);
    let claim = laptop.claim("rose", None);
    add("claim of a username", claim.clone());
    let module = laptop.claim_module("crc-32");
    add("claim of a module's name", module.clone());
    let withdrawal = crate::log::body::Withdrawal::sign(&topic, &laptop.key, claim.id());
    add("claim of the second round", laptop.claim_again("rose", None, 1, vec![withdrawal]));
    let release = laptop.release("crc-32", "1.0.0", module.id());
    add("release", release.clone());
    add("withdrawal of a release", laptop.mark(release.id(), None, true, module.id()));
    let give_up = laptop.give_up(alice, claim.id(), Some(alice.did));
    add("give-up", give_up.clone());
    add("finish", laptop.finish(alice, give_up.id(), claim.id().digest()));
    add("veto of a device", laptop.write(&Body::Veto(give_up.id())));
    add("veto of the identity key", laptop.veto(alice, give_up.id()));
    let phone = alice.device(1, 5);
    add("revocation", laptop.revoke(alice, &phone, Some(phone.last_good())));
    add("list keys", laptop.hand_out(alice, &phone, 1));
    add("new words", laptop.new_words(alice, Digest::of(b"next")));
    let list = DeviceList::new([(laptop.addition, None), (phone.addition, Some(crate::statement::Cut::default()))]);
    let rotate = alice.rotate(&list);
    add("rotation", laptop.carry(rotate.clone(), list));
    add("rotation with another list", laptop.carry(rotate, DeviceList::default()));
    let key = laptop.key.clone();
    add("withdrawal of an own claim", laptop.write(&Body::Withdraw(Withdrawal::sign(&topic, &key, claim.id()))));
    let stranger = SecretKey::from_seed(&[77; 32]);
    add(
        "withdrawal of another's claim",
        laptop.write(&Body::Withdraw(Withdrawal::sign(&topic, &stranger, claim.id()))),
    );
    add("next changes log", laptop.write(&Body::NextChanges(2)));
    add("next changes log that is open already", laptop.write(&Body::NextChanges(1)));
    cases_of_later_kinds(&mut add, &mut laptop, &module, &release);
    add("of a later kind", laptop.write_raw(200, vec![1, 2, 3]));
    add("a change in a facts log", laptop.write_raw(Kind::Change as u8, vec![]));
    add("a second opening", laptop.write_raw(Kind::Opening as u8, laptop.opening.body().to_vec()));
    add("a claim that can't be read", laptop.write_raw(Kind::Claim as u8, vec![1]));
    let round = Encoder::new().byte(1).text("rose").byte(0).integer(1).byte(0).integer(0).integer(0).finish();
    add("a second round without withdrawals", laptop.write_raw(Kind::Claim as u8, round));
    let bob = Person::new(topic, 8);
    add("what another identity says", laptop.give_up(&bob, claim.id(), None));
    let mut robot = alice.device_with(3, 6, Capabilities::of([Capability::Chat], ""));
    let robots = Opening::decode(&topic, robot.opening.body()).expect("an opening");
    cases.add("entry", "what the device may not do", &robot.claim("rose", None).encode(), |bytes| {
        let entry = Entry::decode(&topic, bytes).map_err(|error| error.to_string())?;
        Fact::of(&topic, &entry, &robots).map_err(|error| format!("{NO_EFFECT}{error}"))
    });
    let mut forged = claim.encode();
    let signature = crate::log::HEADER_BYTES - 1;
    forged[signature] ^= 1;
    cases.add("entry", "with another signature", &forged, read);
    let mut other_body = claim.encode();
    *other_body.last_mut().expect("a body") ^= 1;
    cases.add("entry", "with another body", &other_body, read);
}

fn cases_of_later_kinds(add: &mut impl FnMut(&str, Entry), laptop: &mut Device, module: &Entry, release: &Entry) {
    use crate::log::body::{Attestation, Grant, Grantee, Holding, Label, LabelSet, Revoke};
    let digest = Digest::of(b"x");
    let grant = Grant {
        modules: "crc-*".into(),
        verbs: 1,
        to: Grantee::Identity(laptop.did),
        not_after: Some(BEGIN),
        parent: None,
        under: module.id(),
    };
    let granted = laptop.write(&Body::Grant(Box::new(grant)));
    add("grant", granted.clone());
    add("end of a grant", laptop.write(&Body::Revoke(Revoke { grant: granted.id(), last: vec![] })));
    let label = Label {
        subject: digest,
        word: "vulnerable".into(),
        versions: "<1.0.1".into(),
        reason: "reads beyond its buffer".into(),
        negates: None,
        at: BEGIN,
    };
    add("label", laptop.write(&Body::Label(label)));
    add("label set", laptop.write(&Body::LabelSet(LabelSet { number: 1, labels: 3, blocks: vec![digest], at: BEGIN })));
    let attestation = Attestation { release: release.id(), kind: "build".into(), file: digest, at: BEGIN };
    add("attestation", laptop.write(&Body::Attestation(attestation)));
    let holding = Holding { number: 1, ranges: vec![(digest, Digest::of(b"y"))], at: BEGIN };
    add("holding", laptop.write(&Body::Holding(holding)));
}

fn cases_of_receipts_and_checkpoints(cases: &mut Cases, topic: Topic) {
    let witness = SecretKey::from_seed(&[100; 32]);
    let entry = EntryId::from_digest(Digest::of(b"entry"));
    let read = |bytes: &[u8]| Receipt::decode(&topic, bytes);
    let receipt = Receipt::sign(&topic, &witness, 0, entry, vec![Digest::of(b"slot")], BEGIN).encode();
    cases.add("receipt", "for one slot", &receipt, read);
    let none = Receipt::sign(&topic, &witness, 0, entry, vec![], BEGIN).encode();
    cases.add("receipt", "for no slot", &none, read);
    let mut forged = receipt;
    *forged.last_mut().expect("a signature") ^= 1;
    cases.add("receipt", "with another signature", &forged, read);

    let mut data = Data::default();
    data.put(Map::Profile, "bio", Some(Value::Text("writes checksums".into())));
    data.put(Map::Installs, "crc-32", Some(Value::Counter(3)));
    cases.add("data", "of two values", &data.encode(), Data::decode);
    cases.add("data", "cut short", &data.encode()[..30], Data::decode);
    let artifact = crate::artifact::Artifact::of(&data.encode());
    let first = Checkpoint { number: 1, before: None, covered: vec![], data: artifact };
    cases.add("checkpoint", "the first", &first.encode(), Checkpoint::decode);
    let lone = Checkpoint { number: 2, ..first };
    cases.add("checkpoint", "the second, without the one before", &lone.encode(), Checkpoint::decode);
    cases.add("adopt", "of a checkpoint", &Adopt { checkpoint: entry }.encode(), Adopt::decode);
}

fn all() -> Vec<Case> {
    let mut cases = Cases::default();
    case_of_genesis(&mut cases);
    cases_of_set_changes(&mut cases);
    let topic = network(1, 1).0.topic();
    cases_of_openings(&mut cases, &mut Person::new(topic, 1));
    cases_of_entries(&mut cases, &mut Person::new(topic, 1));
    cases_of_receipts_and_checkpoints(&mut cases, topic);
    cases.0
}

#[test]
fn bytes_and_what_comes_of_them_stay_as_they_are() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/format.json");
    let cases = all();
    if std::env::var_os("BLESS").is_some() {
        let text = serde_json::to_string_pretty(&cases).expect("plain data");
        std::fs::write(&path, text + "\n").expect("the fixtures' folder is there");
    }
    let kept: Vec<Case> = serde_json::from_slice(&std::fs::read(&path).expect("the file")).expect("cases");
    assert_eq!(kept.len(), cases.len());
    for (kept, case) in kept.iter().zip(&cases) {
        assert_eq!(kept, case);
    }
}

/// Every refusal and every way to be without effect that the format itself knows is shown at least once.
#[test]
fn each_rule_of_the_format_is_shown() {
    let cases = all();
    let shown = |part: &str| cases.iter().any(|case| case.outcome.contains(part));
    for part in [
        "out of its range",
        "this program knows format",
        "in ascending order",
        "more than half",
        "be a succession key as well",
        "not for this network",
        "to another key than the one that was committed to",
        "not signed by the identity's key",
        "has a shorter opening",
        "another statement than the addition",
        "of a later version",
        "do not belong into this log",
        "the opening of a log is its entry 0",
        "not the one that the rotation names",
        "of another identity than the log",
        "the device may not do this",
        "not the one that the header names",
    ] {
        assert!(shown(part), "{part}: {:#?}", cases.iter().map(|case| &case.outcome).collect::<Vec<_>>());
    }
}
