//! People and witnesses for tests of this crate and of others: they sign as the program does, and nothing is mocked.

pub mod developer;
mod replica;

use crate::artifact::Artifact;
use crate::book::{Book, Noticed, Refusal};
use crate::digest::Digest;
use crate::identity::Topic;
use crate::keys::{Did, Master, SecretKey};
use crate::list_keys::{ListKeys, Recipient, SealedListKey};
use crate::log::body::{Claim, Mark, Release, Withdrawal};
use crate::log::{Body, Capabilities, Entry, EntryId, FACTS, LogId, Opening, SignedHeader};
use crate::name::ClaimedName;
use crate::name::NameKind;
use crate::network::{Genesis, NetworkHistory, Parameters, WitnessSet};
use crate::outcome::NameKey;
use crate::receipt::Receipt;
use crate::registry::Registry;
use crate::signed::{Authored, Signable};
use crate::statement::{
    Cut, CutLog, DeviceAdd, DeviceList, DeviceRevoke, Finish, GiveUp, NewWords, Rotate, SignedStatement, Statement,
    Veto,
};
use crate::time::Timestamp;
use zeroize::Zeroizing;

pub use replica::Replica;

/// The moment at which tests begin.
pub const BEGIN: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// A device of a person: it has the person's words where a test lets it.
#[derive(Clone)]
pub struct Device {
    pub topic: Topic,
    pub did: Did,
    pub key: SecretKey,
    pub opening: Entry,
    /// The digest of its addition.
    pub addition: Digest,
    head: SignedHeader,
}

/// A person with 24 words.
pub struct Person {
    pub master: Master,
    pub topic: Topic,
    pub did: Did,
    links: Vec<SignedStatement>,
}

/// A witness: what it knows, and its book.
pub struct Witness {
    pub registry: Registry,
    pub book: Book,
}

impl Person {
    pub fn new(topic: Topic, seed: u8) -> Self {
        Self::of_entropy(topic, [seed; 32])
    }

    pub fn of_entropy(topic: Topic, entropy: [u8; 32]) -> Self {
        let master = Master::from_entropy(entropy);
        let did = master.inception().did(&topic);
        Self { master, topic, did, links: Vec::new() }
    }

    /// The number of the present identity key, as far as this person rotated.
    fn key_number(&self) -> u32 {
        self.links.iter().filter(|link| matches!(link.statement, Statement::Rotate(_))).count() as u32
    }

    pub fn key(&self) -> SecretKey {
        self.master.identity_key(self.key_number())
    }

    pub fn last_link(&self) -> Digest {
        self.links.last().map_or(*self.did.digest(), SignedStatement::digest)
    }

    /// Signs a statement with the present identity key.
    pub fn say(&self, statement: Statement) -> SignedStatement {
        SignedStatement::sign(&self.topic, self.did, &self.key(), statement)
    }

    /// A device with a full capability; `seed` gives its key.
    pub fn device(&self, number: u8, seed: u8) -> Device {
        self.device_with(number, seed, Capabilities::full())
    }

    pub fn device_with(&self, number: u8, seed: u8, capabilities: Capabilities) -> Device {
        self.device_of_key(number, SecretKey::from_seed(&[seed; 32]), capabilities, None)
    }

    pub fn device_of_key(
        &self,
        number: u8,
        key: SecretKey,
        capabilities: Capabilities,
        list_key: Option<SealedListKey>,
    ) -> Device {
        let device = key.public();
        let add = DeviceAdd { number, device, sealing_key: key.sealing_key(), capabilities, list_key };
        let signed = self.say(Statement::DeviceAdd(add));
        let addition = signed.digest();
        let opening =
            Opening::new(&self.topic, self.master.inception(), self.links.clone(), signed).expect("an opening");
        let opening = Entry::open(&self.topic, &key, opening.encode());
        Device { topic: self.topic, did: self.did, head: *opening.signed_header(), key, opening, addition }
    }

    /// A list key of the present identity key, sealed to a device.
    pub fn list_key_for(&self, device: &SecretKey, number: u32) -> SealedListKey {
        let recipient = Recipient { topic: self.topic, did: self.did, device: device.public() };
        let list_key = self.key().list_key(number);
        recipient.seal(&device.sealing_key(), number, &list_key, Zeroizing::new([7; 32])).expect("an honest key")
    }

    /// The rotation to the next key, with what becomes of the devices. The person goes on with that key.
    pub fn rotate(&mut self, devices: &DeviceList) -> SignedStatement {
        let number = self.key_number() + 1;
        let key = self.master.identity_key(number);
        let rotate = Rotate {
            before: self.last_link(),
            key: key.public(),
            next: self.master.identity_key(number + 1).public().digest(),
            devices: devices.digest(),
        };
        let signed = SignedStatement::sign(&self.topic, self.did, &key, Statement::Rotate(rotate));
        self.links.push(signed.clone());
        signed
    }
}

impl Device {
    /// The device of a person of this name, who has no other.
    pub fn of(topic: Topic, name: &str) -> Self {
        let entropy = Digest::of(name.as_bytes());
        let key = SecretKey::from_seed(Digest::of(entropy.as_bytes()).as_bytes());
        Person::of_entropy(topic, *entropy.as_bytes()).device_of_key(0, key, Capabilities::full(), None)
    }

    /// The opening of its logs.
    pub fn authority(&self) -> Opening {
        Opening::decode(&self.topic, self.opening.body()).expect("a device opens its log with an opening")
    }

    /// Says something in the person's name.
    pub fn author<T: Signable>(&self, statement: T) -> Authored<T> {
        Authored::sign(&self.key, &self.topic, &self.authority(), statement)
    }

    /// Writes the next entry of the facts log.
    pub fn write(&mut self, body: &Body) -> Entry {
        self.write_raw(body.kind() as u8, body.encode())
    }

    pub fn write_raw(&mut self, kind: u8, body: Vec<u8>) -> Entry {
        let entry = Entry::after(&self.topic, &self.key, &self.head, kind, body);
        self.head = *entry.signed_header();
        entry
    }

    pub fn log(&self) -> LogId {
        self.head.header().log
    }

    /// The last entry as the last good one of the facts log.
    pub fn last_good(&self) -> CutLog {
        CutLog { log: FACTS, seq: self.head.header().seq, entry: self.head.id() }
    }

    pub fn claim(&mut self, name: &str, after: Option<EntryId>) -> Entry {
        self.claim_again(name, after, 0, vec![])
    }

    pub fn claim_again(
        &mut self,
        name: &str,
        after: Option<EntryId>,
        round: u32,
        withdrawals: Vec<Withdrawal>,
    ) -> Entry {
        let name = ClaimedName::Username(name.parse().expect("a username"));
        self.write(&Body::Claim(Box::new(Claim { name, after, round, withdrawals, at: BEGIN, work: 0 })))
    }

    pub fn claim_module(&mut self, name: &str) -> Entry {
        let name = ClaimedName::Module(name.parse().expect("a module's name"));
        let claim = Claim { name, after: None, round: 0, withdrawals: vec![], at: BEGIN, work: 0 };
        self.write(&Body::Claim(Box::new(claim)))
    }

    pub fn release(&mut self, module: &str, version: &str, under: EntryId) -> Entry {
        let artifact = Artifact::of(format!("{module} {version} by {}", self.did).as_bytes());
        let release = Release {
            module: module.parse().expect("a module's name"),
            version: version.parse().expect("a version"),
            artifact,
            dependencies: vec![],
            interface: None,
            under,
            at: BEGIN,
        };
        self.write(&Body::Release(Box::new(release)))
    }

    pub fn mark(&mut self, release: EntryId, before: Option<EntryId>, is_withdrawn: bool, under: EntryId) -> Entry {
        let mark = Mark { release, before, is_withdrawn, reason: "leaks memory".into(), under, at: BEGIN };
        self.write(&Body::Mark(mark))
    }

    pub fn state(&mut self, person: &Person, statement: Statement) -> Entry {
        self.carry(person.say(statement), DeviceList::default())
    }

    pub fn carry(&mut self, signed: SignedStatement, devices: DeviceList) -> Entry {
        self.write(&Body::Statement(Box::new(signed), devices))
    }

    pub fn give_up(&mut self, person: &Person, claim: EntryId, to: Option<Did>) -> Entry {
        self.state(person, Statement::GiveUp(GiveUp { claim, to }))
    }

    pub fn finish(&mut self, person: &Person, announced: EntryId, ends: &Digest) -> Entry {
        self.state(person, Statement::Finish(Finish { announced, ends: *ends }))
    }

    pub fn veto(&mut self, person: &Person, announced: EntryId) -> Entry {
        self.state(person, Statement::Veto(Veto { announced }))
    }

    pub fn new_words(&mut self, person: &Person, next: Digest) -> Entry {
        self.state(person, Statement::NewWords(NewWords { before: person.last_link(), next }))
    }

    /// Hands the list key of a number to one device.
    pub fn hand_out(&mut self, person: &Person, to: &Device, number: u32) -> Entry {
        let key = person.list_key_for(&to.key, number);
        self.state(person, Statement::ListKeys(ListKeys::new(number, [(to.key.public(), key)])))
    }

    pub fn revoke(&mut self, person: &Person, device: &Device, last: Option<CutLog>) -> Entry {
        let cut = Cut::new(device.log().opening, last);
        let revoke = DeviceRevoke { device: device.key.public(), cut };
        self.state(person, Statement::DeviceRevoke(revoke))
    }
}

impl Witness {
    /// The witness at place `at` of the present set that [`network`] makes.
    pub fn new(history: NetworkHistory, key: SecretKey, now: Timestamp) -> Self {
        let set = history.number();
        Self { registry: Registry::new(history), book: Book::new(key, set, now) }
    }

    /// Shows an entry with its opening and asks for a receipt.
    pub fn ask(&mut self, device: &Device, entry: &Entry, now: Timestamp) -> Result<Receipt, Refusal> {
        self.learn(&device.opening, &device.opening, now);
        self.book.ask(&self.registry, &device.opening, entry, now)
    }

    /// Admits an entry, which may be confirmed by what is known here.
    pub fn learn(&mut self, opening: &Entry, entry: &Entry, now: Timestamp) {
        self.registry.admit_alone(opening, entry, vec![], vec![]).expect("a valid entry");
        if let Some(noticed) = self.registry.effect(entry).and_then(Result::ok).as_ref().and_then(Noticed::of) {
            self.book.memory_mut().notice(noticed, now);
        }
    }

    /// The same with receipts.
    pub fn learn_confirmed(&mut self, device: &Device, entry: &Entry, receipts: &[Receipt], now: Timestamp) {
        for receipt in receipts {
            self.registry.add_receipt(receipt.clone());
        }
        self.learn(&device.opening, entry, now);
    }
}

/// A network of `witnesses` witnesses of which `threshold` confirm, with a hold of 20 s and no work. Returns their keys.
pub fn network(witnesses: u8, threshold: u8) -> (NetworkHistory, Vec<SecretKey>) {
    let keys: Vec<SecretKey> = (0..witnesses).map(|at| SecretKey::from_seed(&[100 + at; 32])).collect();
    let succession = (0..witnesses).map(|at| succession_key(0, at).public().digest());
    let genesis = Genesis {
        name: "a test".into(),
        created_at: BEGIN,
        set: WitnessSet::new(keys.iter().map(SecretKey::public), threshold, succession),
        parameters: Parameters { work_bits: 0, ..Parameters::for_tests(1) },
        nonce: [1; 16],
    };
    genesis.check().expect("a network");
    (NetworkHistory::new(genesis), keys)
}

/// The succession key of a witness of set `set`.
pub fn succession_key(set: u8, at: u8) -> SecretKey {
    let mut seed = [200; 32];
    (seed[0], seed[1]) = (set, at);
    SecretKey::from_seed(&seed)
}

/// A username as it is compared.
pub fn username(name: &str) -> NameKey {
    let name = ClaimedName::Username(name.parse().expect("a username"));
    (NameKind::Username, name.folded())
}

/// A module's name as it is compared.
pub fn module(name: &str) -> NameKey {
    let name = ClaimedName::Module(name.parse().expect("a module's name"));
    (NameKind::Module, name.folded())
}
